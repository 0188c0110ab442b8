//! `cairn genesis`: a commented genesis file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{Error, Exit, Result};
use super::shell::Shell;
use crate::chain::{ConsensusKind, Genesis, Parameters};
use crate::config::{genesis, key_file};

const EXAMPLES: &str = "\
Examples:
  cairn keys --output validators.keys
  cairn genesis --keys validators.keys --output genesis.toml
  cairn run --genesis genesis.toml --keys validators.keys

Chain parameters come from cairn.toml and the environment: CAIRN_FEE=7 cairn genesis ...";

/// What stands where validators belong, in a file made without keys.
const NO_VALIDATORS: &str = "
# The validators, at least one: `cairn keys` makes their keys and prints the lines that belong here.
# [[validators]]
# id = \"validator-1\"
# stake = 2000
# ed25519 = \"<64 hex digits>\"
# bls = \"<192 hex digits>\"
# possession = \"<96 hex digits>\"
";

/// Write a commented genesis file: what a chain starts from
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Key file of the validators to list
    #[arg(long, value_name = "FILE", env = "CAIRN_KEYS", hide_env = true)]
    keys: Option<PathBuf>,

    /// File to write [default: stdout]
    #[arg(short, long, value_name = "FILE", env = "CAIRN_OUTPUT", hide_env = true)]
    output: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        shell.parameters.refuse_misspelt()?;
        let text = match &self.keys {
            Some(path) => {
                let keys = key_file::read(path)?;
                let genesis = genesis::default(genesis::new_chain_id()?, &keys, &shell.parameters)?;
                if let Some(warning) = genesis::warn_of_a_third(&genesis) {
                    tracing::warn!("{warning}");
                }
                genesis.to_toml()
            }
            None => {
                let mut parameters = Parameters::default();
                shell.parameters.apply(&mut parameters)?;
                let (chain_id, accounts, validators) = (genesis::new_chain_id()?, Vec::new(), Vec::new());
                let is_mined = parameters.consensus.kind() == ConsensusKind::Work;
                let file = Genesis { chain_id, created_ms: 0, accounts, validators, parameters }.to_toml();
                if is_mined {
                    file
                } else {
                    tracing::warn!("no --keys: the file lists no validators yet; `cairn keys` makes some");
                    file + NO_VALIDATORS
                }
            }
        };
        match &self.output {
            None => shell.print_file(&text)?,
            Some(path) => {
                let mut options = std::fs::OpenOptions::new();
                let file = options.write(true).create_new(true).open(path);
                file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
                    .map_err(|error| cannot_write(path, &error))?;
            }
        }
        Ok(Exit::Done)
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Error {
    Error::usage(match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} exists already and is not written over: name another file", path.display())
        }
        _ => format!("cannot write {}: {error}", path.display()),
    })
}
