//! The genesis of a chain: read from a file, or made.

use std::path::Path;

use rand::Rng;
use toml::de::{DeTable, DeValue};

use super::{ChainParameters, Error, Result, key_file, nearest};
use crate::chain::genesis::{DEFAULT_CHAIN_ID, DEFAULT_VALIDATORS, PARAMETER_KEYS};
use crate::chain::{self, ConsensusKind, Genesis, GenesisValidator, Hash, Parameters, ValidatorId};

/// The keys of a genesis file beside the chain parameters.
const KEYS: [&str; 14] = [
    "chain_id",
    "created_ms",
    "versions",
    "versions.version",
    "versions.from_height",
    "accounts",
    "accounts.name",
    "accounts.balance",
    "validators",
    "validators.id",
    "validators.stake",
    "validators.ed25519",
    "validators.bls",
    "validators.possession",
];
use crate::consensus::KeySet;

/// The genesis of a file. What is wrong with it is told with its line, where it has one.
pub fn read_file(path: &Path) -> Result<Genesis> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::new(format!("cannot read the genesis file {}: {error}", path.display())))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Genesis> {
    let at = |line: Option<usize>, what: &str| {
        let line = line.map(|line| format!("{line}:")).unwrap_or_default();
        Error::new(format!("{}:{line} {what}", path.display()))
    };
    let line_of = |start: usize| text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        at(Some(error.span().map_or(1, |span| line_of(span.start))), &format!("not TOML: {}", error.message()))
    })?;
    let mut keys = Vec::new();
    keys_of(table.get_ref(), "", &mut keys);
    for (key, start) in &keys {
        let known = || KEYS.into_iter().chain(PARAMETER_KEYS);
        let is_table = known().any(|known| known.strip_prefix(key.as_str()).is_some_and(|rest| rest.starts_with('.')));
        if !is_table && !known().any(|known| known == key) {
            let near = nearest(key, known()).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(at(Some(line_of(*start)), &format!("there is no key `{key}`{near}")));
        }
    }
    Genesis::from_toml(text).map_err(|error| match &error {
        chain::Error::Genesis { field, detail } if field == "file" => match of_toml(detail) {
            Some((line, message)) => at(Some(line), message),
            None => at(None, detail),
        },
        chain::Error::Genesis { field, detail } => {
            let found = keys.iter().find(|(key, _)| key == field).map(|(_, start)| line_of(*start));
            let help = if field == "validators" && found.is_none() {
                "; `cairn genesis --keys FILE` lists those of a key file"
            } else {
                ""
            };
            at(found, &format!("{field}: {detail}{help}"))
        }
        other => at(None, &other.to_string()),
    })
}

/// The dotted keys below a table, each with where it stands. Those of the tables in an array have the array's name
/// before them.
fn keys_of(table: &DeTable<'_>, prefix: &str, keys: &mut Vec<(String, usize)>) {
    for (name, value) in table {
        let key = format!("{prefix}{}", name.get_ref());
        let below = format!("{key}.");
        keys.push((key, name.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => keys_of(inner, &below, keys),
            DeValue::Array(items) => {
                for item in items.iter() {
                    if let DeValue::Table(inner) = item.get_ref() {
                        keys_of(inner, &below, keys);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Line and message of an error of the TOML library, which tells them with a drawing in between.
fn of_toml(detail: &str) -> Option<(usize, &str)> {
    let (line, _) = detail.strip_prefix("TOML parse error at line ")?.split_once(',')?;
    Some((line.parse().ok()?, detail.lines().rev().map(str::trim).find(|line| !line.is_empty())?))
}

/// An id that no other chain has: it names the directory of its keys.
pub fn new_chain_id() -> Result<String> {
    let mut bytes = [0; 4];
    key_file::system_rng()?.fill_bytes(&mut bytes);
    Ok(format!("{DEFAULT_CHAIN_ID}-{}", hex::encode(bytes)))
}

/// The genesis of a chain where none is given, with the validators of a key set, unless its blocks are mined. The same
/// arguments give the same one.
pub fn default(chain_id: String, keys: &KeySet, asked: &ChainParameters) -> Result<Genesis> {
    let mut parameters = Parameters::default();
    asked.apply(&mut parameters)?;
    let validators = match parameters.consensus.kind() {
        ConsensusKind::Stake => validators(keys),
        ConsensusKind::Work => Vec::new(),
    };
    let accounts = Vec::new();
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

/// What a validator that holds a third of the stake or more can do to a chain alone, in one line; `None` if there is
/// none.
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
    fn what_is_wrong_with_a_file_is_told_in_one_line_with_its_place() {
        let good = genesis(&["a", "b", "c", "d"], &[1, 1, 1, 1]).to_toml();
        let path = Path::new("g.toml");
        assert!(parse(path, &good).is_ok());
        let refused = |from: &str, to: &str| {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good, "{from}");
            let said = parse(path, &text).unwrap_err().to_string();
            assert!(!said.contains('\n'), "{said}");
            let line = good.split_once(from).unwrap().0.lines().count();
            (said, format!("g.toml:{}: ", line.max(1)))
        };
        for (from, to, says) in [
            ("\nfee = ", "\nfeee = ", "there is no key `feee`; did you mean `fee`?"),
            ("\nmax_bytes = ", "\nmax_byte = ", "there is no key `block.max_byte`; did you mean `block.max_bytes`?"),
            ("\nstake = 1\n", "\nstakes = 1\n", "did you mean `validators.stake`?"),
            ("\nfee = 0\n", "\nfee = 'x'\n", "invalid type"),
            ("\nfee = 0\n", "\nfee =\n", "not TOML"),
            ("\nmax_transactions = ", "\nmax_transactions = 0 # ", "block.max_transactions: 0 is out of bounds"),
        ] {
            let (said, place) = refused(from, to);
            let line = place.trim_end_matches(": ").rsplit(':').next().unwrap().parse::<usize>().unwrap() + 1;
            assert!(said.starts_with(&format!("g.toml:{line}: ")) && said.contains(says), "{line}: {said}");
        }
        let none = parse(path, &good[..good.find("[[validators]]").unwrap()]).unwrap_err().to_string();
        assert!(none.starts_with("g.toml: validators: ") && none.contains("cairn genesis --keys FILE"), "{none}");
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
