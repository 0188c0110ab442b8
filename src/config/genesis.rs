//! The genesis of a chain: read from a file, or made.

use std::path::Path;

use rand::Rng;

use super::{ChainParameters, Error, Result, key_file};
use crate::chain::genesis::{DEFAULT_CHAIN_ID, DEFAULT_VALIDATORS};
use crate::chain::{Genesis, GenesisValidator, Hash, Parameters, ValidatorId};
use crate::consensus::KeySet;

/// The genesis of a file.
pub fn read_file(path: &Path) -> Result<Genesis> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::new(format!("cannot read the genesis file {}: {error}", path.display())))?;
    Genesis::from_toml(&text).map_err(|error| Error::new(format!("{}: {error}", path.display())))
}

/// An id that no other chain has: it names the directory of its keys.
pub fn new_chain_id() -> Result<String> {
    let mut bytes = [0; 4];
    key_file::system_rng()?.fill_bytes(&mut bytes);
    Ok(format!("{DEFAULT_CHAIN_ID}-{}", hex::encode(bytes)))
}

/// The genesis of a chain when nobody gives another, with the validators of a key set. The same arguments give the same one.
pub fn default(chain_id: String, keys: &KeySet, asked: &ChainParameters) -> Result<Genesis> {
    let mut parameters = Parameters::default();
    asked.apply(&mut parameters)?;
    let (accounts, validators) = (Vec::new(), validators(keys));
    let genesis = Genesis { chain_id, created_ms: 0, accounts, validators, parameters };
    genesis.validate().map_err(|error| Error::new(error.to_string()))?;
    Ok(genesis)
}

/// What a genesis lists of a key set: validators of the default committee with its stakes, others with 1000 each.
pub fn validators(keys: &KeySet) -> Vec<GenesisValidator> {
    let stake = |id: &ValidatorId| {
        DEFAULT_VALIDATORS.iter().find(|(known, _)| *known == id.as_str()).map_or(1_000, |(_, stake)| *stake)
    };
    keys.pairs().iter().map(|pair| pair.genesis_validator(stake(pair.id()))).collect()
}

/// What a validator that holds a third of the stake or more can do to a chain alone, in one line; `None` if there is none.
pub fn warn_of_a_third(genesis: &Genesis) -> Option<String> {
    let (validator, percent) = genesis.holder_of_a_third()?;
    Some(format!(
        "{validator} holds {percent} % of the stake, a third or more: without it no block can be sealed, and the others are too \
         few to refuse a block of its own, whatever is in it"
    ))
}

/// The beginning of a hash, enough to tell chains apart.
pub fn short(hash: &Hash) -> String {
    hash.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn genesis(ids: &[&str], stakes: &[u64]) -> Genesis {
        let ids = ids.iter().map(|id| id.parse().unwrap());
        let keys = KeySet::generate(ids, &mut StdRng::from_seed([1; 32])).unwrap();
        let mut genesis = default("cairn-1".to_owned(), &keys, &ChainParameters::default()).unwrap();
        genesis.validators.iter_mut().zip(stakes).for_each(|(validator, stake)| validator.stake = *stake);
        genesis
    }

    #[test]
    fn every_new_chain_has_an_id_of_its_own() {
        let id = new_chain_id().unwrap();
        let suffix = id.strip_prefix("cairn-").unwrap();
        assert!(suffix.len() == 8 && suffix.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_ne!(id, new_chain_id().unwrap());
    }

    #[test]
    fn whoever_holds_a_third_is_named() {
        let warn = |stakes: &[u64]| warn_of_a_third(&genesis(&["a", "b", "c", "d"], stakes));
        assert_eq!(warn(&[1_000, 1_000, 1_000, 1_000]), None);
        assert_eq!(warn(&[1_000, 700, 700, 601]), None, "3000 of 3001");
        let one = warn(&[1_000, 700, 700, 600]).unwrap();
        assert!(one.starts_with("a holds 33 % of the stake") && !one.contains('\n'), "{one}");
    }
}
