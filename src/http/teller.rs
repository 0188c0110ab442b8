//! Who takes a transfer from the page, where somebody does. A run takes none: producers write to the topic.

use crate::chain::{Amount, Name, ValidatorId};

/// A transfer that somebody asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// Who pays.
    pub from: Name,
    /// Who receives.
    pub to: Name,
    /// How much.
    pub amount: Amount,
    /// A text kept with it.
    pub memo: Option<crate::chain::Memo>,
}

/// Why nothing was done, in words for the page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

/// Writes transfers to the transactions topic, and has validators cheat. It may block.
pub trait Teller: Send + Sync + 'static {
    /// Writes a transfer; answers the partition and the offset where it stands.
    fn send(&self, request: &TransferRequest) -> Result<(i32, i64), Refused>;

    /// From now on this validator alters an amount in what it proposes.
    fn corrupt(&self, validator: &ValidatorId) -> Result<(), Refused>;
}
