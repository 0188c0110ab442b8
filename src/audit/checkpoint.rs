//! A height known to be good, kept in a file: `{"genesis_hash":..,"height":..,"block_hash":..,"state_root":..}`.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::chain::{Block, Hash};
use crate::ledger::state::Tip;

use crate::consensus::follow::{Broken, Reason};

/// A block that was seen and believed once: the chain must contain it, so its tail cannot be cut below it unseen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The chain: its genesis hash.
    pub genesis_hash: Hash,
    /// The height.
    pub height: u64,
    /// The block's hash.
    pub block_hash: Hash,
    /// The state after it.
    pub state_root: Hash,
}

impl Checkpoint {
    /// Of a tip.
    pub fn of(tip: &Tip) -> Self {
        Self { genesis_hash: tip.genesis, height: tip.height, block_hash: tip.hash, state_root: tip.state_root }
    }

    /// Reads the file; `None` where there is none yet. Errors in one line.
    pub fn read(path: &Path) -> Result<Option<Self>, String> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot read the checkpoint {}: {error}", path.display())),
        };
        let parsed = serde_json::from_str(&text);
        parsed.map(Some).map_err(|error| format!("{} is no checkpoint: {error}", path.display()))
    }

    /// Writes the file: whole, or not at all.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("cannot write the checkpoint {}: {error}", path.display());
        let text = serde_json::to_string(self).map_err(|error| error.to_string())? + "\n";
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".new");
        let mut file = fs::File::create(&temporary).map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&temporary, path).map_err(failed)
    }

    /// Whether a block is of the checkpoint's chain, and at the checkpoint's height is the checkpoint's.
    pub fn check(&self, block: &Block) -> Result<(), Broken> {
        let (genesis, pinned) = (block.header.genesis, self.genesis_hash);
        if genesis != pinned {
            let detail = format!("this chain's genesis is {genesis}, the checkpoint is of the chain of {pinned}");
            return Err(Broken::new(block.header.height, Reason::Checkpoint, detail));
        }
        if block.header.height != self.height || block.hash == self.block_hash {
            return Ok(());
        }
        let detail = format!("the chain has block {}, the checkpoint {}", block.hash, self.block_hash);
        Err(Broken::new(self.height, Reason::Checkpoint, detail))
    }

    /// Whether the chain reaches the checkpoint.
    pub fn check_reached(&self, tip_height: Option<u64>) -> Result<(), Broken> {
        match tip_height {
            Some(height) if height >= self.height => Ok(()),
            Some(height) => {
                let detail = format!(
                    "the chain ends at height {height}, the checkpoint is at {}: its tail was cut",
                    self.height
                );
                Err(Broken::new(height + 1, Reason::Checkpoint, detail))
            }
            None => Err(Broken::new(
                0,
                Reason::Checkpoint,
                "the topic holds no block, the checkpoint says that there was a chain",
            )),
        }
    }
}
