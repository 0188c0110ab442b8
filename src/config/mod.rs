//! Settings and where they come from: the command line, the environment, a file, defaults, in this order of precedence.
//!
//! ```text
//! flag                      environment                 cairn.toml
//! --application-id ID       CAIRN_APPLICATION_ID        application_id = "ID"
//! -X sasl.mechanism=PLAIN   CAIRN_KAFKA_SASL_MECHANISM  [kafka] sasl.mechanism = "PLAIN"
//! (none)                    CAIRN_BLOCK_MAX_BYTES       [block] max_bytes = 65536
//!
//! error          what is wrong with a setting, and what to write instead
//! file           cairn.toml: its keys, their values, their lines
//! environment    the variables that are no options: properties of Kafka, chain parameters
//! parameters     chain parameters, as far as file and environment ask for them
//! log            which log, opened in one place
//! feature        what a build has, or was left out of it
//! directories    where state, keys and genesis are kept
//! private_file   files that only their owner can read, on the disk when a call returns
//! key_file       key files, read and written
//! account        the key of an account, and what is signed with it
//! signer         the key of a witness, or of a chain's checkpoints, and what it has signed
//! checkpoint_file   files with a checkpoint
//! topic          what the blockchain topic begins and ends with
//! genesis, keys  what a chain starts from, and its validators' keys: read or made
//! note           what is written down of a chain apart from its log
//! founding       which genesis a run has
//! signed_turns   what validators have signed last, beside their keys
//! ```
//! May use `chain`, `checkpoint`, `consensus`, `reader` and the engine's log; nothing here knows of commands.

pub mod account;
pub mod checkpoint_file;
pub mod directories;
pub mod environment;
mod error;
pub mod feature;
pub mod file;
pub mod founding;
pub mod genesis;
pub mod key_file;
pub mod keys;
pub mod log;
pub mod note;
pub mod parameters;
mod private_file;
pub mod signed_turns;
pub mod signer;
pub mod topic;

pub use directories::Directories;
pub use environment::Environment;
pub use error::{Error, Result};
pub use feature::Feature;
pub use file::File;
pub use log::{LogSettings, UsesLog};
pub use parameters::ChainParameters;

/// The name nearest to one that does not exist, if any is near enough to be what was meant.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let scored = names.into_iter().map(|known| (strsim::normalized_damerau_levenshtein(name, known), known));
    scored
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_hand_finds_its_name_and_another_word_finds_none() {
        let names = ["brokers", "blockchain", "block.max_bytes"];
        assert_eq!(nearest("broker", names), Some("brokers"));
        assert_eq!(nearest("block.maxbytes", names), Some("block.max_bytes"));
        assert_eq!(nearest("colour", names), None);
    }
}
