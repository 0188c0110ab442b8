//! The state that a chain starts from.

use super::records::{PARAMETERS, SEED, SUPPLY, TIP};
use super::{Account, Changes, Supply, Table, Tip, ValidatorRecord};
use crate::chain::{Genesis, Hash, to_canonical};

/// The state after block 0, but for its [`Tip`], as changes to an empty state.
///
/// `seed` is the one that block 0's header carries. The genesis must be a valid one; of an account or a validator
/// listed twice, the last counts.
#[must_use]
pub fn genesis(genesis: &Genesis, seed: Hash) -> Changes {
    let mut changes = Changes::new();
    for (name, balance) in &genesis.accounts {
        if let Some(record) = (Account { balance: *balance, nonce: 0 }).to_record() {
            changes.put(Table::Accounts, name.as_bytes(), &record);
        }
    }
    for validator in &genesis.validators {
        let record = ValidatorRecord {
            ed25519: validator.ed25519,
            bls: validator.bls,
            possession: validator.possession,
            stake: validator.stake,
            slashed_at_height: None,
            missed: 0,
        };
        changes.put(Table::Validators, validator.id.as_str().as_bytes(), &to_canonical(&record));
    }
    let balances: i128 = genesis.accounts.iter().map(|(_, balance)| i128::from(*balance)).sum();
    let stakes: i128 = genesis.validators.iter().map(|validator| i128::from(validator.stake)).sum();
    let supply = Supply { genesis: balances + stakes, minted: 0, burnt: 0 };
    changes.put(Table::Chain, PARAMETERS, &to_canonical(&genesis.parameters));
    changes.put(Table::Chain, SEED, &to_canonical(&seed));
    changes.put(Table::Chain, SUPPLY, &to_canonical(&supply));
    changes
}

impl Changes {
    /// Sets the state's last block.
    pub fn put_tip(&mut self, tip: &Tip) {
        self.put(Table::Tip, TIP, &to_canonical(tip));
    }
}
