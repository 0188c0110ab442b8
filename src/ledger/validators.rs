//! The validators of a state, and what follows from them: kept beside the state tree, so that no block reads them
//! again.

use crate::chain::{Hash, Member, Name, TextError, ValidatorId, validators_hash};

use super::state::ValidatorRecord;

/// The account that takes a validator's fees and rewards: `$` and its id. Only the validator can send from it, and it
/// is paid by no transaction.
///
/// ```
/// let validator = "validator-1".parse()?;
/// assert_eq!(cairn::ledger::earnings_account(&validator)?.as_str(), "$validator-1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn earnings_account(validator: &ValidatorId) -> Result<Name, TextError> {
    Name::new(&format!("${validator}"))
}

/// Validators by id, slashed ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Validators {
    records: Vec<(ValidatorId, ValidatorRecord)>,
    members: Vec<Member>,
    hash: Hash,
}

impl Validators {
    /// Of records in the order of their ids.
    pub(super) fn new(records: Vec<(ValidatorId, ValidatorRecord)>) -> Self {
        let members: Vec<Member> = records.iter().map(|(id, record)| record.member(id)).collect();
        let hash = validators_hash(&members);
        Self { records, members, hash }
    }

    pub(super) fn records(&self) -> &[(ValidatorId, ValidatorRecord)] {
        &self.records
    }

    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The hash of the set, as headers carry it.
    pub(super) fn hash(&self) -> Hash {
        self.hash
    }

    /// The key that owns an account: the one in its name, or the key of the validator whose earnings it takes.
    pub(super) fn owner(&self, name: &Name) -> Option<[u8; 32]> {
        name.public_key().or_else(|| {
            let id = name.as_str().strip_prefix('$')?;
            let at = self.records.binary_search_by(|(other, _)| other.as_str().cmp(id)).ok()?;
            Some(self.records[at].1.ed25519)
        })
    }
}
