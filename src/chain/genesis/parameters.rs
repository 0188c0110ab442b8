//! The parameters of a chain.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use super::Committee;
use super::consensus::{Consensus, ConsensusKind, Work};
use crate::chain::amount::Amount;
use crate::chain::code::codes;
use crate::chain::encoding::to_canonical;
use crate::chain::hash::{Domain, Hash, hash};
use crate::chain::header::Header;
use crate::chain::{Error, Result};

/// Which balances may fall below zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Balances {
    /// None.
    Strict = 0,
    /// All, down to `-overdraft_max`.
    Open {
        /// The lowest balance is minus this, in minor units.
        overdraft_max: Amount,
    } = 1,
}

codes! {
    /// Which transactions need a signature. A keyed account's always do, except under [`Signatures::Off`].
    pub enum Signatures {
        /// Every transaction.
        Required = 0 => "required",
        /// Those of keyed accounts.
        WhenKeyed = 1 => "when_keyed",
        /// None; signatures are not looked at. Keyed accounts cannot send.
        Off = 2 => "off",
    }
}

/// From which height on a version of the layout and the rules is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledVersion {
    /// The version.
    pub version: u16,
    /// The first height at which headers carry it.
    pub from_height: u64,
}

/// The parameters of a chain. The order of the fields is the order of the canonical encoding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Parameters {
    /// Which version is in force from which height on: ascending, the first from height 0.
    pub versions: Vec<ScheduledVersion>,
    /// The most transactions a block holds; records that are none do not count.
    pub block_max_transactions: u32,
    /// The most bytes the entries of a block take as rendered in JSON.
    pub block_max_bytes: u32,
    /// How long the first record of a block waits at most, in milliseconds of wall time.
    pub block_max_age_ms: u64,
    /// The length of the event-time windows, in milliseconds; 0: blocks are not cut by event time.
    pub block_window_ms: u64,
    /// Which balances may fall below zero.
    pub balances: Balances,
    /// Which transactions need a signature.
    pub signatures: Signatures,
    /// The fee of every applied transaction, in minor units.
    pub fee: Amount,
    /// What the proposer of a block is given, in minor units, minted.
    pub reward: Amount,
    /// For how many active heights the ids of transactions are remembered.
    pub ids_remember_blocks: u64,
    /// How the chain agrees on its blocks.
    pub consensus: Consensus,
}

impl Default for Parameters {
    /// Windows of a second, at most 10,000 transactions, 900 KiB and a second per block; open balances with an
    /// overdraft of at most 2^53 - 1; signatures for keyed accounts; neither fee nor reward.
    fn default() -> Self {
        Self {
            versions: vec![ScheduledVersion { version: Header::VERSION, from_height: 0 }],
            block_max_transactions: 10_000,
            block_max_bytes: 900 * 1024,
            block_max_age_ms: 1_000,
            block_window_ms: 1_000,
            balances: Balances::Open { overdraft_max: Amount::MAX },
            signatures: Signatures::WhenKeyed,
            fee: Amount::ZERO,
            reward: Amount::ZERO,
            ids_remember_blocks: 10_000,
            consensus: Consensus::Stake { committee: Committee::Local },
        }
    }
}

impl Parameters {
    /// The hash a header carries: `hash(Parameters, canonical bytes)`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        hash(Domain::Parameters, &[&to_canonical(self)])
    }
}

/// The names of the parameters that are one value, in files, in the environment (`CAIRN_` and upper case, `_` for `.`)
/// and in errors.
pub const PARAMETER_KEYS: [&str; 15] = [
    "block.max_transactions",
    "block.max_bytes",
    "block.max_age_ms",
    "block.window_ms",
    "balances",
    "overdraft_max",
    "signatures",
    "fee",
    "reward",
    "ids.remember_blocks",
    "consensus",
    "committee",
    "work.rule",
    "work.leading_zero_bits",
    "work.target_interval_ms",
];

impl Parameters {
    /// The version that the header of a height carries. (Every height has one: a schedule begins at height 0.)
    #[must_use]
    pub fn version_at(&self, height: u64) -> u16 {
        let reached = self.versions.iter().rev().find(|scheduled| scheduled.from_height <= height);
        reached.map_or(Header::VERSION, |scheduled| scheduled.version)
    }

    /// Whether a header carries the version that the schedule has for its height, and whether this program knows it.
    pub fn check_version(&self, header: &Header) -> Result<()> {
        let scheduled = self.version_at(header.height);
        for version in [header.version, scheduled] {
            if version > Header::VERSION {
                return Err(Error::newer_version(header.height, u64::from(version)));
            }
        }
        if header.version == scheduled {
            return Ok(());
        }
        let detail = format!("{}, the chain's schedule has {scheduled} for this height", header.version);
        Err(Error::Block { height: header.height, field: "header.version", detail })
    }

    /// The value of a parameter by its name, as it is written; none if there is no such parameter, or if it has no
    /// meaning here (`overdraft_max` under strict balances, `committee` where blocks are mined).
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        let work = self.consensus.work();
        Some(match (key, self.balances) {
            ("block.max_transactions", _) => self.block_max_transactions.to_string(),
            ("block.max_bytes", _) => self.block_max_bytes.to_string(),
            ("block.max_age_ms", _) => self.block_max_age_ms.to_string(),
            ("block.window_ms", _) => self.block_window_ms.to_string(),
            ("balances", Balances::Strict) => "strict".to_owned(),
            ("balances", Balances::Open { .. }) => "open".to_owned(),
            ("overdraft_max", Balances::Open { overdraft_max }) => overdraft_max.to_string(),
            ("signatures", _) => self.signatures.to_string(),
            ("fee", _) => self.fee.to_string(),
            ("reward", _) => self.reward.to_string(),
            ("ids.remember_blocks", _) => self.ids_remember_blocks.to_string(),
            ("consensus", _) => self.consensus.kind().to_string(),
            ("committee", _) => self.consensus.committee()?.to_string(),
            ("work.rule", _) => work?.rule.to_string(),
            ("work.leading_zero_bits", _) => work?.leading_zero_bits.to_string(),
            ("work.target_interval_ms", _) => work?.target_interval_ms.to_string(),
            _ => return None,
        })
    }

    /// Sets a parameter by its name, from its text. `overdraft_max` sets `balances` to open; those of one kind of
    /// consensus are refused under another, so `consensus` is to be set before them. Bounds are checked by
    /// [`Parameters::validate`].
    ///
    /// ```
    /// use cairn::chain::Parameters;
    /// let mut parameters = Parameters::default();
    /// parameters.set("block.max_transactions", "3")?;
    /// assert_eq!(parameters.block_max_transactions, 3);
    /// assert!(parameters.set("block.max_transactions", "three").is_err());
    /// # Ok::<(), cairn::chain::Error>(())
    /// ```
    pub fn set(&mut self, key: &str, text: &str) -> Result<()> {
        match key {
            "block.max_transactions" => self.block_max_transactions = integer(key, text)?,
            "block.max_bytes" => self.block_max_bytes = integer(key, text)?,
            "block.max_age_ms" => self.block_max_age_ms = integer(key, text)?,
            "block.window_ms" => self.block_window_ms = integer(key, text)?,
            "balances" => self.set_balances(text)?,
            "overdraft_max" => self.balances = Balances::Open { overdraft_max: amount(key, text)? },
            "signatures" => self.signatures = text.parse().map_err(|error| refuse(key, &error))?,
            "fee" => self.fee = amount(key, text)?,
            "reward" => self.reward = amount(key, text)?,
            "ids.remember_blocks" => self.ids_remember_blocks = integer(key, text)?,
            "consensus" => match (text.parse().map_err(|error| refuse(key, &error))?, self.consensus) {
                (ConsensusKind::Stake, Consensus::Stake { .. }) | (ConsensusKind::Work, Consensus::Work(_)) => {}
                (ConsensusKind::Stake, _) => self.consensus = Consensus::Stake { committee: Committee::Local },
                (ConsensusKind::Work, _) => self.consensus = Consensus::Work(Work::default()),
            },
            "committee" => match &mut self.consensus {
                Consensus::Stake { committee } => *committee = text.parse().map_err(|error| refuse(key, &error))?,
                Consensus::Work(_) => return Err(refuse(key, &"only with consensus = \"stake\"")),
            },
            "work.rule" => self.work_mut(key)?.rule = text.parse().map_err(|error| refuse(key, &error))?,
            "work.leading_zero_bits" => self.work_mut(key)?.leading_zero_bits = integer(key, text)?,
            "work.target_interval_ms" => self.work_mut(key)?.target_interval_ms = integer(key, text)?,
            _ => return Err(refuse(key, &format_args!("no such parameter; there are {}", PARAMETER_KEYS.join(", ")))),
        }
        Ok(())
    }

    fn work_mut(&mut self, key: &str) -> Result<&mut Work> {
        match &mut self.consensus {
            Consensus::Work(work) => Ok(work),
            Consensus::Stake { .. } => Err(refuse(key, &"only with consensus = \"work\"")),
        }
    }

    fn set_balances(&mut self, text: &str) -> Result<()> {
        match (text, self.balances) {
            ("strict", _) => self.balances = Balances::Strict,
            ("open", Balances::Strict) => self.balances = Balances::Open { overdraft_max: Amount::MAX },
            ("open", Balances::Open { .. }) => {}
            _ => return Err(refuse("balances", &format_args!("`{text}` is not one of strict, open"))),
        }
        Ok(())
    }
}

fn integer<T: std::str::FromStr>(key: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| refuse(key, &format_args!("`{text}` is not an integer from 0 up that fits")))
}

fn amount(key: &str, text: &str) -> Result<Amount> {
    let units = integer(key, text)?;
    Amount::new(units).ok_or_else(|| refuse(key, &format_args!("{units} is more than {}", Amount::MAX)))
}

fn refuse(key: &str, detail: &dyn std::fmt::Display) -> Error {
    Error::Genesis { field: key.to_owned(), detail: detail.to_string() }
}
