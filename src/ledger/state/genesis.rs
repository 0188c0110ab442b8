//! The state that a chain starts from.

use super::reading::{PARAMETERS, SUPPLY, TIP};
use super::records::to_record;
use super::{Account, Changes, Supply, Table, Tip, ValidatorRecord};
use crate::chain::{Genesis, to_canonical};

/// The state after block 0, but for its [`Tip`], as changes to an empty state. The genesis must be a valid one; of an
/// account or a validator listed twice, the last counts.
#[must_use]
pub fn genesis(genesis: &Genesis) -> Changes {
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
        changes.put(Table::Validators, validator.id.as_str().as_bytes(), &to_record(&record));
    }
    changes.put(Table::Chain, PARAMETERS, &to_canonical(&genesis.parameters));
    changes.put(Table::Chain, SUPPLY, &to_record(&supply(genesis)));
    changes
}

/// What a chain starts with: balances and stakes.
fn supply(genesis: &Genesis) -> Supply {
    let balances: i128 = genesis.accounts.iter().map(|(_, balance)| i128::from(*balance)).sum();
    let stakes: i128 = genesis.validators.iter().map(|validator| i128::from(validator.stake)).sum();
    Supply { genesis: balances + stakes, minted: 0, burnt: 0 }
}

impl Changes {
    /// Sets the state's last block.
    pub fn put_tip(&mut self, tip: &Tip) {
        self.put(Table::Tip, TIP, &to_record(tip));
    }
}
