//! What a state directory holds, while no run uses it.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use topology::store::{Resources, StateDirectory, StoreOptions, Stores};
use topology::{Error, Result};

use crate::chain::{Name, ValidatorId};
use crate::ledger::state::{Account, Supply, Table, Tip, ValidatorRecord, View};
use crate::ledger::{self, Replica};
use crate::sealing::{self, Tables, task_name};

/// The chain's state at its last block.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The last block.
    pub tip: Tip,
    /// What the chain holds.
    pub supply: Supply,
    /// The validators, slashed ones included, by id.
    pub validators: Vec<(ValidatorId, ValidatorRecord)>,
    /// Accounts that are not empty, by name.
    pub accounts: Vec<(Name, Account)>,
}

/// A state that is not one that the rules could have produced: what contradicts what, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unsound(String);

/// The applications with a chain's state in a state directory.
pub fn applications(root: &Path) -> Result<Vec<String>> {
    let failed =
        |error: std::io::Error| Error::stop(format!("cannot read the state directory {}: {error}", root.display()));
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.path().join(task_name()).is_dir() {
            found.extend(entry.file_name().into_string());
        }
    }
    found.sort();
    Ok(found)
}

/// Reads the state of an application, and vouches for it: the state tree built from the tables has the root that the
/// last block names, balances and stakes add up to the supply, and the ids are those that the tree commits to. The
/// inner error: that is not so. Refused while an instance runs on it. The state may be behind the topics by what was
/// not flushed: the next run restores that from the changelogs. `None`: it holds no block, for nothing of it was
/// flushed yet.
pub fn inspect(root: &Path, application_id: &str) -> Result<std::result::Result<Option<Inspection>, Unsound>> {
    let directory = StateDirectory::open_existing(root, application_id)?;
    let tables = open(&directory, [0; 32])?;
    let replica = match Replica::load(&tables) {
        Ok(Some(replica)) => replica,
        Ok(None) => return Ok(Ok(None)),
        Err(error) if error.needs_rebuild() => return Ok(Err(Unsound(error.to_string()))),
        Err(ledger::Error::View(error)) => return Err(error.into()),
        Err(error) => return Err(Error::stop(error.to_string())),
    };
    let mut accounts = Vec::new();
    tables.scan(Table::Accounts, &mut |key, value| {
        let name = std::str::from_utf8(key).ok().and_then(|name| Name::new(name).ok());
        accounts.extend(name.zip(Account::from_record(key, value).ok()));
    })?;
    Ok(Ok(Some(Inspection {
        tip: replica.tip().clone(),
        supply: *replica.supply(),
        validators: replica.validators().to_vec(),
        accounts,
    })))
}

/// The chain's tables in a state directory.
pub(super) fn open(directory: &StateDirectory, fingerprint: [u8; 32]) -> Result<Tables> {
    let resources = Resources::without_thread(StoreOptions::default());
    let specs = sealing::store_specs()?;
    let stores = Stores::open(specs, directory.lock_task(&task_name())?, &resources, fingerprint)?;
    Tables::over(&Rc::new(RefCell::new(stores)))
}
