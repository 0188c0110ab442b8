//! Which genesis a run has, and whose keys.
//!
//! ```text
//! --genesis  block 0 on the topic  kept here     the run's genesis
//! given      there                 any           the file's, if block 0 has the same; else refused
//! given      none                  not founded   the file's: a new chain
//! none       there                 any           block 0's
//! none       none                  not founded   what is kept: an earlier run ended before block 0 was written
//! none       none                  nothing       a new one, with new keys; both are kept before anything is written
//! any        none                  founded       refused: this topic had a chain, and it is gone
//! ```
//! Chain parameters that are asked for are set in a new genesis; everywhere else they can only agree.

use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng;
use topology::log::Log;

use super::{ChainParameters, Error, Result, key_file};
use crate::chain::genesis::{DEFAULT_CHAIN_ID, DEFAULT_VALIDATORS};
use crate::chain::{Block, Genesis, GenesisValidator, Hash, Parameters, ValidatorId};
use crate::consensus::KeySet;
use crate::reader::Reader;

const GENESIS: &str = "genesis.toml";
const KEYS: &str = "validators.keys";
const FOUNDED: &str = "founded";

/// What a run is asked to work with.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// The genesis file, if one is named.
    pub genesis: Option<&'r Path>,
    /// The key file, if one is named.
    pub keys: Option<&'r Path>,
    /// The blockchain topic.
    pub blockchain: &'r str,
    /// Where genesis and keys of this topic's chain are kept.
    pub home: &'r Path,
    /// Chain parameters that are asked for.
    pub parameters: &'r ChainParameters,
}

/// A genesis, and the keys of its validators.
#[derive(Debug)]
pub struct Founding {
    /// What the chain starts from.
    pub genesis: Genesis,
    /// The keys of its committee.
    pub keys: KeySet,
    /// Whose genesis it is.
    pub source: Source,
}

/// Whose genesis a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file that was named.
    File,
    /// Block 0 of the blockchain topic.
    Chain,
    /// Kept from an earlier run.
    Kept,
    /// Nobody's so far: made anew.
    New,
}

/// The genesis in block 0 of a blockchain topic; `None` where there is no chain yet.
pub fn read_genesis<L: Log>(reader: &Reader<'_, L>, blockchain: &str) -> topology::Result<Option<Genesis>> {
    let first = reader.first(blockchain, |record| Block::from_record(record.key, record.value))?;
    let broken =
        |what: String| topology::Error::stop(format!("topic '{blockchain}' does not begin with block 0: {what}"));
    match first {
        None => Ok(None),
        Some(Err(error)) => Err(broken(error.to_string())),
        Some(Ok(Block { genesis: Some(genesis), header, .. })) if header.height == 0 => Ok(Some(genesis)),
        Some(Ok(block)) => Err(broken(format!("its first record is block {}", block.header.height))),
    }
}

/// Notes that block 0 was seen on the topic, so that a later run without it is not taken for the first.
pub fn note_founded(home: &Path) -> Result<()> {
    key_file::make_private_directory(home)?;
    let path = home.join(FOUNDED);
    fs::write(&path, "").map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))
}

/// Finds or makes the genesis of a run, and reads or makes its keys. `on_topic` is what [`read_genesis`] found.
pub fn settle(on_topic: Option<Genesis>, request: &Request<'_>) -> Result<Founding> {
    if on_topic.is_some() {
        note_founded(request.home)?;
    }
    let kept_path = request.home.join(GENESIS);
    let kept = if kept_path.exists() { Some(read_file(&kept_path)?) } else { None };
    let file = request.genesis.map(read_file).transpose()?;
    let founded = request.home.join(FOUNDED).exists();
    let Some((genesis, source)) = decide(file, on_topic, kept, founded, request)? else {
        return make(request);
    };
    if let Some(mut conflict) = request.parameters.conflict_with(&genesis.parameters) {
        if source == Source::Kept {
            conflict += &format!(" (no block was written yet: delete {} to make another genesis)", kept_path.display());
        }
        return Err(Error::new(conflict));
    }
    let keys = read_keys(&genesis, request)?;
    Ok(Founding { genesis, keys, source })
}

/// The table above. `None`: a new genesis is to be made.
fn decide(
    file: Option<Genesis>,
    on_topic: Option<Genesis>,
    kept: Option<Genesis>,
    founded: bool,
    request: &Request<'_>,
) -> Result<Option<(Genesis, Source)>> {
    let topic = request.blockchain;
    match (file, on_topic) {
        (Some(file), Some(on_topic)) if file.hash() != on_topic.hash() => Err(Error::new(format!(
            "topic '{topic}' holds the chain of genesis {}, the genesis file says {}: give the file of this chain, or \
             another --blockchain topic",
            on_topic.hash(),
            file.hash()
        ))),
        (Some(genesis), Some(_)) => Ok(Some((genesis, Source::File))),
        (None, Some(genesis)) => Ok(Some((genesis, Source::Chain))),
        (_, None) if founded => Err(Error::new(format!(
            "topic '{topic}' had a chain once and is empty or missing: are these the right brokers and topic? To begin \
             another chain there, move {} away",
            request.home.display()
        ))),
        (Some(genesis), None) => Ok(Some((genesis, Source::File))),
        (None, None) => Ok(kept.map(|genesis| (genesis, Source::Kept))),
    }
}

/// The genesis of a file.
pub fn read_file(path: &Path) -> Result<Genesis> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::new(format!("cannot read the genesis file {}: {error}", path.display())))?;
    Genesis::from_toml(&text).map_err(|error| Error::new(format!("{}: {error}", path.display())))
}

/// A new genesis with new keys. The keys are kept first: a genesis without its keys is worth nothing.
fn make(request: &Request<'_>) -> Result<Founding> {
    key_file::make_private_directory(request.home)?;
    let path = request.home.join(KEYS);
    let keys = match request.keys {
        Some(named) => key_file::read(named)?,
        None if path.exists() => key_file::read(&path)?,
        None => {
            let keys = default_keys(&mut key_file::system_rng()?)?;
            key_file::write_new(&path, &keys)?;
            keys
        }
    };
    let genesis = new_genesis(&keys, request.parameters)?;
    key_file::write_private(&request.home.join(GENESIS), genesis.to_toml().as_bytes())?;
    Ok(Founding { genesis, keys, source: Source::New })
}

/// Keys of the validators that a chain has when nobody names others.
pub fn default_keys(rng: &mut impl rand::CryptoRng) -> Result<KeySet> {
    let committee = KeySet::default_committee(rng).map_err(|error| Error::new(error.to_string()))?;
    Ok(committee.0)
}

/// An id that no other chain has: it is part of all that is signed, so nothing that was signed for one chain holds on
/// another, be it made later with the same keys and accounts.
pub fn new_chain_id() -> Result<String> {
    let mut bytes = [0; 4];
    key_file::system_rng()?.fill_bytes(&mut bytes);
    Ok(format!("{DEFAULT_CHAIN_ID}-{}", hex::encode(bytes)))
}

/// The genesis of a new chain: the default one, with an id of its own.
pub fn new_genesis(keys: &KeySet, asked: &ChainParameters) -> Result<Genesis> {
    Ok(Genesis { chain_id: new_chain_id()?, ..default_genesis(keys, asked)? })
}

/// The genesis of a chain when nobody gives another, with the validators of a key set.
pub fn default_genesis(keys: &KeySet, asked: &ChainParameters) -> Result<Genesis> {
    let mut parameters = Parameters::default();
    asked.apply(&mut parameters)?;
    let genesis = Genesis {
        chain_id: DEFAULT_CHAIN_ID.to_owned(),
        created_ms: 0,
        accounts: Vec::new(),
        validators: genesis_validators(keys),
        parameters,
    };
    genesis.validate().map_err(|error| Error::new(error.to_string()))?;
    Ok(genesis)
}

/// What a genesis lists of a key set: validators of the default committee with its stakes, others with 1000 each.
pub fn genesis_validators(keys: &KeySet) -> Vec<GenesisValidator> {
    let stake = |id: &ValidatorId| {
        DEFAULT_VALIDATORS.iter().find(|(known, _)| *known == id.as_str()).map_or(1_000, |(_, stake)| *stake)
    };
    keys.pairs().iter().map(|pair| pair.genesis_validator(stake(pair.id()))).collect()
}

fn read_keys(genesis: &Genesis, request: &Request<'_>) -> Result<KeySet> {
    let path = request.keys.map_or_else(|| request.home.join(KEYS), PathBuf::from);
    let help = || {
        format!(
            "the chain of genesis {} on topic '{}' is sealed with keys that are not here. Give the key file that was made \
             with it as --keys FILE, or copy it to {}",
            short(&genesis.hash()),
            request.blockchain,
            path.display()
        )
    };
    if request.keys.is_none() && !path.exists() {
        return Err(Error::new(help()));
    }
    let keys = key_file::read(&path)?;
    keys.check_against(&genesis.validators)
        .map_err(|error| Error::new(format!("{}: {error}. {}", path.display(), help())))?;
    Ok(keys)
}

/// The beginning of a hash, enough to tell chains apart.
pub fn short(hash: &Hash) -> String {
    hash.to_string().chars().take(16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, File};

    struct Case {
        directory: tempfile::TempDir,
        parameters: ChainParameters,
    }

    impl Case {
        fn new(variables: &[(&str, &str)]) -> Self {
            let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let parameters = ChainParameters::collect(&File::default(), &Environment::new(pairs)).unwrap();
            Self { directory: tempfile::tempdir().unwrap(), parameters }
        }

        fn asking(self, variables: &[(&str, &str)]) -> Self {
            Self { directory: self.directory, parameters: Self::new(variables).parameters }
        }

        fn home(&self) -> PathBuf {
            self.directory.path().join("home")
        }

        fn settle(&self, on_topic: Option<&Genesis>, file: Option<&Path>, keys: Option<&Path>) -> Result<Founding> {
            let home = self.home();
            let request =
                Request { genesis: file, keys, blockchain: "chain", home: &home, parameters: &self.parameters };
            settle(on_topic.cloned(), &request)
        }

        fn refusal(&self, on_topic: Option<&Genesis>, file: Option<&Path>) -> String {
            self.settle(on_topic, file, None).unwrap_err().to_string()
        }
    }

    #[test]
    fn a_first_run_makes_genesis_and_keys_and_the_next_finds_the_same() {
        let case = Case::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
        let first = case.settle(None, None, None).unwrap();
        assert_eq!((first.source, first.genesis.parameters.block_max_transactions), (Source::New, 3));
        assert_eq!(first.genesis.validators.len(), 5);
        let kept = case.settle(None, None, None).unwrap();
        assert_eq!((kept.source, kept.genesis.hash()), (Source::Kept, first.genesis.hash()));
        let on_topic = case.settle(Some(&first.genesis), None, None).unwrap();
        assert_eq!((on_topic.source, on_topic.genesis.hash()), (Source::Chain, first.genesis.hash()));
    }

    #[test]
    fn two_first_runs_never_make_the_same_keys() {
        let hash = || Case::new(&[]).settle(None, None, None).unwrap().genesis.hash();
        assert_ne!(hash(), hash());
    }

    #[test]
    fn two_chains_of_the_same_keys_have_different_ids() {
        let first = Case::new(&[]);
        let one = first.settle(None, None, None).unwrap().genesis;
        let other = Case::new(&[]).settle(None, None, Some(&first.home().join(KEYS))).unwrap().genesis;
        assert_eq!(one.validators, other.validators);
        assert_ne!(one.chain_id, other.chain_id);
        let suffix = one.chain_id.strip_prefix("cairn-").unwrap();
        assert!(suffix.len() == 8 && suffix.bytes().all(|byte| byte.is_ascii_hexdigit()), "{suffix}");
    }

    #[test]
    fn a_genesis_that_no_block_was_written_with_may_be_made_again() {
        let case = Case::new(&[]);
        let first = case.settle(None, None, None).unwrap().genesis;
        let case = case.asking(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
        let refusal = case.refusal(None, None);
        let kept = case.home().join(GENESIS);
        assert!(refusal.contains(&format!("delete {} to make another", kept.display())), "{refusal}");
        // Which is good advice: the keys are used again.
        fs::remove_file(kept).unwrap();
        let second = case.settle(None, None, None).unwrap();
        assert_eq!((second.source, second.genesis.parameters.block_max_transactions), (Source::New, 3));
        assert_eq!(second.genesis.validators, first.validators);
        // With a block, there is no way back.
        let case = case.asking(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "4")]);
        assert!(!case.refusal(Some(&second.genesis), None).contains("delete"));
    }

    #[test]
    fn a_topic_that_had_a_chain_and_is_empty_starts_no_other_chain() {
        let case = Case::new(&[]);
        let genesis = case.settle(None, None, None).unwrap().genesis;
        case.settle(Some(&genesis), None, None).unwrap();
        assert!(case.refusal(None, None).contains("had a chain once"));
        let file = case.home().join(GENESIS);
        assert!(case.refusal(None, Some(&file)).contains("had a chain once"));
    }

    #[test]
    fn a_genesis_file_must_be_that_of_the_chain_on_the_topic() {
        let (case, other) = (Case::new(&[]), Case::new(&[]));
        let (own, foreign) = (case.settle(None, None, None).unwrap(), other.settle(None, None, None).unwrap());
        let file = case.home().join(GENESIS);
        assert_eq!(case.settle(Some(&own.genesis), Some(&file), None).unwrap().source, Source::File);
        let refusal = case.refusal(Some(&foreign.genesis), Some(&file));
        assert!(refusal.contains(&own.genesis.hash().to_string()), "{refusal}");
        assert!(refusal.contains(&foreign.genesis.hash().to_string()), "{refusal}");
    }

    #[test]
    fn a_chain_whose_keys_are_elsewhere_is_refused_with_where_to_put_them() {
        let (case, other) = (Case::new(&[]), Case::new(&[]));
        let foreign = other.settle(None, None, None).unwrap().genesis;
        let refusal = case.refusal(Some(&foreign), None);
        assert!(refusal.contains("--keys FILE") && refusal.contains("validators.keys"), "{refusal}");
        let named = other.home().join(KEYS);
        assert_eq!(case.settle(Some(&foreign), None, Some(&named)).unwrap().genesis.hash(), foreign.hash());
        case.settle(None, None, None).expect_err("the topic had a chain");
    }

    #[test]
    fn on_an_existing_chain_other_parameters_are_refused_and_the_same_are_not() {
        let case = Case::new(&[("CAIRN_FEE", "7")]);
        let genesis = case.settle(None, None, None).unwrap().genesis;
        case.settle(Some(&genesis), None, None).unwrap();
        let case = case.asking(&[("CAIRN_FEE", "8")]);
        let refusal = case.refusal(Some(&genesis), None);
        assert!(refusal.contains("fee = 7") && refusal.contains("asks for 8"), "{refusal}");
    }
}
