//! Which chain is meant: where its blocks are, and the genesis that it must begin with.

use std::cmp::Ordering;
use std::path::PathBuf;

use clap::Args;

use super::arguments;
use super::error::{Error, Result};
use super::shell::Shell;
use crate::audit::Anchor;
use crate::chain::Hash;
use crate::config::genesis;

/// What is said of a chain that was not pinned.
pub(crate) const UNANCHORED: &str =
    "unanchored: no genesis hash was given, so any chain passes; pin yours with --genesis-hash";

/// A chain of which the blocks alone are read, and which one it must be.
#[derive(Debug, Args)]
pub(crate) struct PinnedChain {
    #[command(flatten)]
    pub(crate) log: arguments::Log,
    #[command(flatten)]
    pub(crate) blockchain: arguments::Blockchain,
    #[command(flatten)]
    pub(crate) pin: Pin,
}

/// What the chain must begin with.
#[derive(Debug, Args)]
pub(crate) struct Pin {
    /// Genesis file the chain must begin with
    #[arg(long, value_name = "FILE", env = "CAIRN_GENESIS", hide_env = true)]
    pub(crate) genesis: Option<PathBuf>,

    /// Hash of the genesis the chain must begin with
    #[arg(long, value_name = "HASH", env = "CAIRN_GENESIS_HASH", hide_env = true, value_parser = hash)]
    pub(crate) genesis_hash: Option<Hash>,
}

/// A hash in digits of either case.
fn hash(text: &str) -> Result<Hash, String> {
    text.trim().to_ascii_lowercase().parse().map_err(|_| "write the 64 hexadecimal digits of a hash".to_owned())
}

impl Pin {
    /// Of file and hash, the one from the stronger source counts; side by side they must agree.
    pub(crate) fn anchor(&self, shell: &Shell) -> Result<Anchor> {
        let of_file = |path| genesis::read_file(path).map(|genesis| genesis.hash());
        let hash = match (&self.genesis, self.genesis_hash) {
            (None, None) => return Ok(Anchor::None),
            (None, Some(hash)) => hash,
            (Some(path), None) => of_file(path)?,
            (Some(path), Some(hash)) => match shell.rank("genesis").cmp(&shell.rank("genesis_hash")) {
                Ordering::Less => hash,
                Ordering::Greater => of_file(path)?,
                Ordering::Equal => {
                    let found = of_file(path)?;
                    if found != hash {
                        return Err(Error::usage(format!(
                            "the genesis in {} has the hash {found}, --genesis-hash says {hash}: which chain is meant? Leave one \
                             of them out",
                            path.display()
                        )));
                    }
                    hash
                }
            },
        };
        Ok(Anchor::Genesis(hash))
    }
}
