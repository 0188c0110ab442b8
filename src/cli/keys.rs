//! `cairn keys`: key files.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::error::{Error, Exit, Result};
use super::output::counted;
use super::shell::Shell;
use crate::chain::{Hash, ValidatorId, hex_array};
use crate::checkpoint::{Checkpoint, Role, Signer};
use crate::config::account::{self, AccountKey};
use crate::config::{genesis, key_file, keys, signer};
use crate::consensus::KeySet;

const EXAMPLES: &str = "\
Examples:
  cairn keys                                 keys of five validators
  cairn keys --validator north,south --output committee.keys
  cairn keys --validator north --json        the public parts as JSON
  cairn keys --account --output alice.key    prints the account's name
  cairn keys --witness-name example.org/w1   of a witness: prints its verifier key
  cairn keys --chain 5f1c...                 for checkpoints of the chain with this hash
  cairn keys --show alice.key                prints it again

The output is public: what the genesis lists of validators, the account that others send to, or the verifier key \
(name+hash+base64) for policies and --witness. What is in the file is secret. Sign with it: cairn submit --sign-with \
alice.key, cairn witness --sign-with witness.key, cairn checkpoint --sign-with chain.key.";

/// Make a key file (mode 0600) of validators, an account, a witness or a chain's checkpoints, and print what is public
/// of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Id of a validator; may be repeated [default: validator-1 to validator-5]
    #[arg(long, value_name = "ID", env = "CAIRN_VALIDATOR", hide_env = true, value_delimiter = ',', value_parser = id)]
    validator: Vec<ValidatorId>,

    /// Make the key of an account instead
    #[arg(long, env = "CAIRN_ACCOUNT", hide_env = true, value_parser = BoolishValueParser::new())]
    account: bool,

    /// Make the key of a witness with this name instead: like example.org/w1, without spaces and plus signs
    #[arg(long, value_name = "NAME", env = "CAIRN_WITNESS_NAME", hide_env = true)]
    witness_name: Option<String>,

    /// Make the key that signs the checkpoints of the chain with this genesis hash instead
    #[arg(long, value_name = "GENESIS_HASH", env = "CAIRN_CHAIN", hide_env = true, value_parser = hash)]
    chain: Option<Hash>,

    /// Print what is public of a key file that is there; make none
    #[arg(long, value_name = "FILE", env = "CAIRN_SHOW", hide_env = true)]
    show: Option<PathBuf>,

    /// File to write [default: validators.keys, account.key, witness.key or chain.key]
    #[arg(short, long, value_name = "FILE", env = "CAIRN_OUTPUT", hide_env = true)]
    output: Option<PathBuf>,
}

fn id(text: &str) -> Result<ValidatorId, String> {
    ValidatorId::new(text).map_err(|error| error.to_string())
}

/// A hash in digits of either case.
fn hash(text: &str) -> Result<Hash, String> {
    let hash = hex_array::decode_any_case(text.trim()).map(Hash);
    hash.ok_or_else(|| "write the 64 hexadecimal digits of the genesis hash".to_owned())
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let asked = [self.account, !self.validator.is_empty(), self.witness_name.is_some(), self.chain.is_some()];
        if asked.into_iter().filter(|asked| *asked).count() > 1 {
            return Err(Error::usage(
                "--account, --validator, --witness-name and --chain make keys of different kinds: leave all but one out",
            ));
        }
        match &self.show {
            Some(path) if signer::is_in(path)? => tell_signer(shell, &signer::read(path)?),
            Some(path) if account::is_in(path)? => tell_account(shell, &AccountKey::read(path, None)?),
            Some(path) => tell_validators(shell, &key_file::read(path)?),
            None if self.account => self.make_account(shell),
            None => match (&self.witness_name, &self.chain) {
                (Some(name), _) => self.make_signer(shell, name, Role::Witness, "witness.key"),
                (None, Some(genesis)) => {
                    self.make_signer(shell, &Checkpoint::origin_of(genesis), Role::Log, "chain.key")
                }
                (None, None) => self.make_validators(shell),
            },
        }?;
        Ok(Exit::Done)
    }

    fn make_account(&self, shell: &Shell) -> Result<()> {
        let path = self.output.clone().unwrap_or_else(|| PathBuf::from("account.key"));
        let account = AccountKey::generate(&mut key_file::system_rng()?);
        account.write_new(&path)?;
        tracing::info!("the key of the account is in {}; keep a copy: nothing brings it back", path.display());
        tell_account(shell, &account)
    }

    fn make_signer(&self, shell: &Shell, name: &str, role: Role, usual: &str) -> Result<()> {
        let path = self.output.clone().unwrap_or_else(|| PathBuf::from(usual));
        let signer = signer::generate(name, role, &mut key_file::system_rng()?)?;
        signer::write_new(&path, &signer)?;
        tracing::info!("the key is in {}; keep a copy: nothing brings it back", path.display());
        tell_signer(shell, &signer)
    }

    fn make_validators(self, shell: &Shell) -> Result<()> {
        let path = self.output.unwrap_or_else(|| PathBuf::from("validators.keys"));
        let mut rng = key_file::system_rng()?;
        let keys = if self.validator.is_empty() {
            keys::default(&mut rng)?
        } else {
            KeySet::generate(self.validator, &mut rng).map_err(|error| Error::usage(error.to_string()))?
        };
        key_file::write_new(&path, &keys)?;
        let count = counted(keys.pairs().len() as u64, "validator");
        tracing::info!("keys of {count} are in {}; keep a copy: nothing brings them back", path.display());
        tell_validators(shell, &keys)
    }
}

fn tell_account(shell: &Shell, account: &AccountKey) -> Result<()> {
    if shell.json {
        return shell.print(&serde_json::json!({ "account": account.name().as_str() }).to_string());
    }
    shell.print(account.name().as_str())
}

fn tell_signer(shell: &Shell, signer: &Signer) -> Result<()> {
    let verifier = signer.verifier();
    if shell.json {
        let report = serde_json::json!({ "name": verifier.name(), "verifier_key": verifier.to_string() });
        return shell.print(&report.to_string());
    }
    shell.print_file(&verifier.to_string())
}

fn tell_validators(shell: &Shell, keys: &KeySet) -> Result<()> {
    let mut text = String::new();
    for validator in genesis::validators(keys) {
        if shell.json {
            let line = serde_json::to_string(&validator).map_err(|error| Error::failed(error.to_string()))?;
            text += &format!("{line}\n");
        } else {
            let table = toml::to_string(&validator).map_err(|error| Error::failed(error.to_string()))?;
            text += &format!("[[validators]]\n{table}\n");
        }
    }
    shell.print_file(text.trim_end())
}
