//! The keys of a chain's validators: made, or found where they are kept.

use std::path::Path;

use super::{Directories, Error, Result, genesis, key_file};
use crate::chain::{ConsensusKind, Genesis};
use crate::consensus::{KeySet, keys};

/// The file with the keys in the directory of a chain.
pub const FILE: &str = "validators.keys";

/// Keys of the validators that a chain has where none are named.
pub fn default(rng: &mut impl rand::CryptoRng) -> Result<KeySet> {
    let committee = KeySet::default_committee(rng).map_err(|error| Error::new(error.to_string()))?;
    Ok(committee.0)
}

/// The keys of a chain without validators.
pub fn none() -> Result<KeySet> {
    KeySet::new(Vec::new()).map_err(|error| Error::new(error.to_string()))
}

/// The keys of a chain: from the file that is named, else from the chain's directory. Refuses keys of another chain,
/// and says where keys may still lie. A chain that is mined has none.
pub fn read(genesis: &Genesis, named: Option<&Path>, directories: &Directories, blockchain: &str) -> Result<KeySet> {
    if genesis.parameters.consensus.kind() == ConsensusKind::Work {
        return none();
    }
    let of_chain = || {
        let (chain_id, short) = (&genesis.chain_id, genesis::short(&genesis.hash()));
        format!("the chain {chain_id} (genesis {short}) on topic '{blockchain}'")
    };
    let path = match named {
        Some(named) => named.to_owned(),
        None => directories.chain(&genesis.chain_id)?.join(FILE),
    };
    let at = path.display();
    if named.is_none() && !path.exists() {
        return Err(Error::new(match former(genesis, directories, blockchain)? {
            Some(former) => format!(
                "the keys of {} are where they used to be kept; move them: {}",
                of_chain(),
                how_to_move(&former, &path)
            ),
            None => format!(
                "the keys of {} are not here: give the key file that was made with it as --keys FILE, or copy it to {at}",
                of_chain()
            ),
        }));
    }
    let keys = key_file::read(&path)?;
    keys.check_against(&genesis.validators).map_err(|error| {
        let lacks = match error {
            keys::Error::Missing(id) => format!("holds no key of {id}, a validator"),
            keys::Error::Foreign(id) => format!("holds another key of {id} than the one"),
            other => format!("cannot be used ({other}) for the validators"),
        };
        Error::new(format!("{at} {lacks} of {}: give the key file that was made with it as --keys FILE", of_chain()))
    })?;
    Ok(keys)
}

/// A key file in the place where keys were kept by topic, unless it is known to be another chain's.
fn former(genesis: &Genesis, directories: &Directories, blockchain: &str) -> Result<Option<std::path::PathBuf>> {
    let path = directories.former_keys(blockchain)?;
    if !path.exists() {
        return Ok(None);
    }
    let is_foreign = key_file::read(&path).is_ok_and(|keys| keys.check_against(&genesis.validators).is_err());
    Ok((!is_foreign).then_some(path))
}

fn how_to_move(from: &Path, to: &Path) -> String {
    let directory = to.parent().unwrap_or(to);
    format!("mkdir -p -m 700 {} && mv {} {}", quoted(directory), quoted(from), quoted(to))
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b'@' | b'+' | b'=');
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::config::ChainParameters;

    fn chain(seed: u8) -> (Genesis, KeySet) {
        let keys = default(&mut StdRng::from_seed([seed; 32])).unwrap();
        (genesis::default(format!("cairn-{seed}"), &keys, &ChainParameters::default()).unwrap(), keys)
    }

    fn directories(root: &Path) -> Directories {
        let data = root.join("data").display().to_string();
        Directories::new(Some(&root.join("state")), |name| (name == "XDG_DATA_HOME").then(|| data.clone())).unwrap()
    }

    fn place(path: &Path, keys: &KeySet) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        key_file::write_new(path, keys).unwrap();
    }

    #[test]
    fn keys_are_found_in_the_directory_of_their_chain_or_where_they_are_named() {
        let root = tempfile::tempdir().unwrap();
        let (directories, (one, own), (_, foreign)) = (directories(root.path()), chain(1), chain(2));
        let refused = |named| read(&one, named, &directories, "chain").unwrap_err().to_string();
        let missing = refused(None);
        let home = root.path().join("data/cairn/cairn-1/validators.keys");
        assert!(missing.contains("--keys FILE") && missing.contains(&home.display().to_string()), "{missing}");
        place(&home, &own);
        assert!(read(&one, None, &directories, "chain").is_ok());
        let other = root.path().join("other.keys");
        place(&other, &foreign);
        let refusal = refused(Some(&other));
        assert!(refusal.contains("holds another key of validator-1") && refusal.contains("--keys FILE"), "{refusal}");
    }

    #[test]
    fn keys_in_their_former_place_are_not_used_and_the_error_is_how_to_move_them() {
        let root = tempfile::tempdir().unwrap();
        // A name that a shell would take apart.
        let root = root.path().join("it's here");
        let (directories, (one, own), (_, foreign)) = (directories(&root), chain(1), chain(2));
        let former = root.join("state/@keys/chain/validators.keys");
        let refused = || read(&one, None, &directories, "chain").unwrap_err().to_string();
        place(&former, &foreign);
        assert!(!refused().contains("mkdir"), "another chain's keys would be of no use: {}", refused());
        std::fs::remove_file(&former).unwrap();
        place(&former, &own);
        let refusal = refused();
        let (_, command) = refusal.split_once("move them: ").expect(&refusal);
        let ran = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
        assert!(ran.success() && !former.exists());
        assert!(read(&one, None, &directories, "chain").is_ok());
    }
}
