//! Amounts in minor units.

use std::fmt;

use borsh::BorshSerialize;
use serde::{Deserialize, Serialize};

use super::encoding::invalid;

/// An amount in minor units, at most 2^53 - 1, so that every JSON reader can hold it exactly.
///
/// ```
/// use cairn::chain::Amount;
/// assert_eq!(Amount::new(3).map(Amount::get), Some(3));
/// assert_eq!(Amount::new(1 << 53), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, Serialize)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);
    /// 2^53 - 1.
    pub const MAX: Amount = Amount((1 << 53) - 1);

    /// The amount, if it is at most [`Amount::MAX`].
    #[must_use]
    pub const fn new(units: u64) -> Option<Self> {
        if units <= Self::MAX.0 { Some(Self(units)) } else { None }
    }

    /// Minor units.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Minor units as a signed number, as balances are counted. Always exact.
    #[must_use]
    pub const fn signed(self) -> i64 {
        self.0.cast_signed()
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

const BOUND: &str = "an amount is an integer from 0 to 9007199254740991";

impl borsh::BorshDeserialize for Amount {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::new(u64::deserialize_reader(reader)?).ok_or_else(|| invalid(BOUND))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u64::deserialize(deserializer)?).ok_or_else(|| serde::de::Error::custom(BOUND))
    }
}
