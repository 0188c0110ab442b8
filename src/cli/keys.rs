//! `cairn keys`: key files.

use std::path::PathBuf;

use clap::Args;

use super::error::{Error, Exit, Result};
use super::shell::Shell;
use crate::chain::ValidatorId;
use crate::config::{founding, key_file};
use crate::consensus::KeySet;

const EXAMPLES: &str = "\
Examples:
  cairn keys                                     keys of five validators in validators.keys
  cairn keys --validator north --validator south --output committee.keys
  cairn keys --validator north --json            the public parts as JSON

What is printed is public and belongs in the genesis file; what is in the file is secret.";

/// Make a key file (mode 0600) and print what the genesis lists of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Id of a validator; may be repeated [default: validator-1 to validator-5]
    #[arg(long, value_name = "ID", env = "CAIRN_VALIDATOR", hide_env = true, value_delimiter = ',', value_parser = id)]
    validator: Vec<ValidatorId>,

    /// File to write [default: validators.keys]
    #[arg(short, long, value_name = "FILE", env = "CAIRN_OUTPUT", hide_env = true)]
    output: Option<PathBuf>,
}

fn id(text: &str) -> Result<ValidatorId, String> {
    ValidatorId::new(text).map_err(|error| error.to_string())
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let path = self.output.unwrap_or_else(|| PathBuf::from("validators.keys"));
        let mut rng = key_file::system_rng()?;
        let keys = if self.validator.is_empty() {
            founding::default_keys(&mut rng)?
        } else {
            KeySet::generate(self.validator, &mut rng).map_err(|error| Error::usage(error.to_string()))?
        };
        key_file::write_new(&path, &keys)?;
        tracing::info!("keys of {} validators are in {}", keys.pairs().len(), path.display());
        let mut text = String::new();
        for validator in founding::genesis_validators(&keys) {
            if shell.json {
                let line = serde_json::to_string(&validator).map_err(|error| Error::failed(error.to_string()))?;
                text += &format!("{line}\n");
            } else {
                let table = toml::to_string(&validator).map_err(|error| Error::failed(error.to_string()))?;
                text += &format!("[[validators]]\n{table}\n");
            }
        }
        shell.print(text.trim_end())?;
        Ok(Exit::Done)
    }
}
