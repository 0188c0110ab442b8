//! First runs, later runs, and runs that were killed in between.

use std::fs;

use super::*;
use crate::config::{Environment, File};

struct Case {
    directory: tempfile::TempDir,
    parameters: ChainParameters,
    place: Place,
}

impl Case {
    fn new(variables: &[(&str, &str)]) -> Self {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let parameters = ChainParameters::collect(&File::default(), &Environment::new(pairs)).unwrap();
        let place = Place::new(["kafka:9092".to_owned()], "blocks");
        Self { directory: tempfile::tempdir().unwrap(), parameters, place }
    }

    fn asking(self, variables: &[(&str, &str)]) -> Self {
        Self { parameters: Self::new(variables).parameters, ..self }
    }

    fn at(self, broker: &str, topic: &str) -> Self {
        Self { place: Place::new([broker.to_owned()], topic), ..self }
    }

    fn root(&self) -> &Path {
        self.directory.path()
    }

    fn home(&self, genesis: &Genesis) -> PathBuf {
        self.root().join("data/cairn").join(&genesis.chain_id)
    }

    fn homes(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.root().join("data/cairn")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn settle_with(
        &self,
        on_topic: Option<&Genesis>,
        file: Option<&Path>,
        keys: Option<&Path>,
        has_home: bool,
    ) -> Result<Founding> {
        self.settle_reading(&|| Ok(on_topic.cloned()), file, keys, has_home)
    }

    fn settle_reading(
        &self,
        read_topic: &dyn Fn() -> Result<Option<Genesis>>,
        file: Option<&Path>,
        keys: Option<&Path>,
        has_home: bool,
    ) -> Result<Founding> {
        let data = self.root().join("data").display().to_string();
        let variable = |name: &str| (has_home && name == "XDG_DATA_HOME").then(|| data.clone());
        let directories = Directories::new(Some(&self.root().join("state")), variable).unwrap();
        let request = Request {
            genesis: file,
            keys,
            directories: &directories,
            application_id: "app",
            place: &self.place,
            parameters: &self.parameters,
        };
        settle(read_topic, &request, &|_| Ok(()))
    }

    fn settle(&self, on_topic: Option<&Genesis>, file: Option<&Path>) -> Result<Founding> {
        self.settle_with(on_topic, file, None, true)
    }

    fn refusal(&self, on_topic: Option<&Genesis>, file: Option<&Path>) -> String {
        self.settle(on_topic, file).unwrap_err().to_string()
    }

    /// A first run up to the commit of block 0, and past it.
    fn found(&self) -> Genesis {
        let Founding { genesis, notes, .. } = self.settle(None, None).unwrap();
        let notes = notes.unwrap();
        notes.founding().unwrap();
        notes.founded().unwrap();
        genesis
    }
}

#[track_caller]
fn assert_had_a_chain(refusal: &str) {
    assert!(refusal.contains("had a chain") && refusal.contains("are these the right brokers and topic?"), "{refusal}");
    assert!(!refusal.contains('\n'), "{refusal}");
}

#[test]
fn a_first_run_makes_genesis_and_keys_in_a_directory_named_after_the_chain_and_the_next_finds_the_same() {
    let case = Case::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
    let first = case.settle(None, None).unwrap();
    assert_eq!((first.source, first.genesis.parameters.block_max_transactions), (Source::New, 3));
    assert_eq!(first.genesis.validators.len(), 5);
    assert_eq!(case.homes(), [case.home(&first.genesis)]);
    let kept = case.settle(None, None).unwrap();
    assert_eq!((kept.source, kept.genesis.hash()), (Source::Kept, first.genesis.hash()));
    let on_topic = case.settle(Some(&first.genesis), None).unwrap();
    assert_eq!((on_topic.source, on_topic.genesis.hash()), (Source::Chain, first.genesis.hash()));
}

#[test]
fn two_first_runs_never_make_the_same_keys_nor_share_a_directory() {
    let case = Case::new(&[]);
    let one = case.settle(None, None).unwrap().genesis;
    let case = case.at("other:9092", "blocks");
    let other = case.settle(None, None).unwrap().genesis;
    assert_ne!(one.hash(), other.hash());
    assert_ne!(case.home(&one), case.home(&other));
    assert_eq!(case.homes().len(), 2);
}

/// The steps of a first run, each undone: what the disk holds when it is killed before that step.
#[test]
fn wherever_a_first_run_is_killed_the_next_has_the_same_genesis() {
    let case = Case::new(&[]);
    let first = case.settle(None, None).unwrap();
    first.notes.unwrap().founding().unwrap();
    let (home, genesis) = (case.home(&first.genesis), first.genesis);
    let again = |killed: &str| {
        let found = case.settle(None, None).unwrap();
        assert_eq!(found.genesis.chain_id, genesis.chain_id, "killed {killed}");
        assert_eq!(case.homes(), std::slice::from_ref(&home), "killed {killed}");
        found.genesis
    };
    assert_eq!(again("before block 0 was sent, or before it was committed").hash(), genesis.hash());
    fs::remove_file(home.join(GENESIS)).unwrap();
    assert_eq!(again("before the genesis was written").hash(), genesis.hash());
    fs::remove_file(home.join(GENESIS)).unwrap();
    fs::remove_file(home.join(keys::FILE)).unwrap();
    assert_ne!(again("before the keys were written: others, which no one saw").hash(), genesis.hash());
    fs::remove_dir_all(&home).unwrap();
    again("before the chain's directory was made");
}

#[test]
fn a_first_run_that_was_killed_goes_on_whichever_of_its_directories_is_left() {
    let case = Case::new(&[]);
    let first = case.settle(None, None).unwrap().genesis;
    fs::remove_dir_all(case.root().join("state")).unwrap();
    assert_eq!(case.settle(None, None).unwrap().genesis.hash(), first.hash());
}

#[test]
fn what_was_begun_elsewhere_is_not_begun_here_a_second_time() {
    let case = Case::new(&[]);
    let first = case.settle(None, None).unwrap().genesis;
    let case = case.at("kafka:9092", "other");
    assert_ne!(case.settle(None, None).unwrap().genesis.hash(), first.hash());
}

#[test]
fn a_founded_chain_that_is_gone_is_not_begun_again_whichever_note_is_left() {
    let case = Case::new(&[]);
    let genesis = case.found();
    let file = case.root().join("genesis.toml");
    fs::copy(case.home(&genesis).join(GENESIS), &file).unwrap();
    let refused = |case: &Case| {
        assert_had_a_chain(&case.refusal(None, None));
        assert_had_a_chain(&case.refusal(None, Some(&file)));
    };
    refused(&case);
    // The state directory alone, at whatever brokers and topic.
    let case = case.at("other:9092", "other");
    refused(&case);
    let kept = case.root().join("kept");
    fs::rename(case.root().join("data"), &kept).unwrap();
    refused(&case);
    // The data directory alone, at the same brokers and topic.
    let case = case.at("kafka:9092", "blocks");
    fs::rename(kept, case.root().join("data")).unwrap();
    fs::remove_dir_all(case.root().join("state")).unwrap();
    refused(&case);
    // At others it refuses this genesis, and nothing against another.
    let case = case.at("other:9092", "other");
    assert_had_a_chain(&case.refusal(None, Some(&file)));
    assert_ne!(case.settle(None, None).unwrap().genesis.hash(), genesis.hash());
}

#[test]
fn a_chain_that_another_instance_founds_while_the_topic_is_read_is_joined() {
    let case = Case::new(&[]);
    let founded = std::cell::OnceCell::new();
    // Empty when it is read; founded, and noted in the directory that both have, before the notes are.
    let read_topic = || {
        let later = founded.get().cloned();
        founded.get_or_init(|| case.found());
        Ok(later)
    };
    let Founding { genesis, source, .. } = case.settle_reading(&read_topic, None, None, true).unwrap();
    assert_eq!((&genesis, source), (founded.get().unwrap(), Source::Chain));
}

#[test]
fn the_notary_itself_refuses_to_found_what_was_founded() {
    let case = Case::new(&[]);
    let Founding { genesis, notes, .. } = case.settle(None, None).unwrap();
    let notes = notes.unwrap();
    notes.founding().unwrap();
    notes.founding().unwrap();
    notes.founded().unwrap();
    notes.founded().unwrap();
    assert_had_a_chain(&notes.founding().unwrap_err().to_string());
    // As when the brokers are emptied while a run that found a chain is taking it over.
    let later = case.settle(Some(&genesis), None).unwrap().notes.unwrap();
    assert_had_a_chain(&later.founding().unwrap_err().to_string());
}

#[test]
fn a_chain_that_moves_to_other_brokers_is_noted_there() {
    let case = Case::new(&[]);
    let genesis = case.found();
    let case = case.at("new:9092", "blocks");
    case.settle(Some(&genesis), None).unwrap();
    fs::remove_dir_all(case.root().join("state")).unwrap();
    assert_had_a_chain(&case.refusal(None, None));
}

#[test]
fn a_chain_that_is_seen_and_cannot_be_sealed_is_noted_nowhere() {
    let (case, other) = (Case::new(&[]), Case::new(&[]));
    let foreign = other.found();
    assert!(case.refusal(Some(&foreign), None).contains("--keys FILE"));
    // So a mistyped topic does no harm.
    assert_eq!(case.settle(None, None).unwrap().source, Source::New);
}

#[test]
fn an_application_works_for_one_chain() {
    let (case, other) = (Case::new(&[]), Case::new(&[]));
    let (own, foreign) = (case.found(), other.found());
    let refusal = case.refusal(Some(&foreign), None);
    assert!(refusal.contains(&own.chain_id) && refusal.contains(&foreign.chain_id), "{refusal}");
    assert!(refusal.contains("--application-id"), "{refusal}");
}

#[test]
fn a_directory_of_another_chain_with_the_same_name_is_refused() {
    let case = Case::new(&[]);
    let own = case.found();
    let other = Genesis { created_ms: 7, ..own.clone() };
    let file = case.root().join("other.toml");
    fs::write(&file, other.to_toml()).unwrap();
    fs::remove_dir_all(case.root().join("state")).unwrap();
    let case = case.at("kafka:9092", "other");
    let refusal = case.refusal(None, Some(&file));
    assert!(refusal.contains("chain_id") && refusal.contains("XDG_DATA_HOME"), "{refusal}");
}

#[test]
fn a_genesis_that_no_block_was_written_with_may_be_made_again() {
    let case = Case::new(&[]);
    let first = case.settle(None, None).unwrap().genesis;
    let case = case.asking(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")]);
    let refusal = case.refusal(None, None);
    assert!(refusal.contains(&format!("delete {} to make another", case.home(&first).display())), "{refusal}");
    // Which is good advice.
    fs::remove_dir_all(case.home(&first)).unwrap();
    let second = case.settle(None, None).unwrap();
    assert_eq!((second.source, second.genesis.parameters.block_max_transactions), (Source::New, 3));
    // With a block, there is no way back.
    let case = case.asking(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "4")]);
    assert!(!case.refusal(Some(&second.genesis), None).contains("delete"));
}

#[test]
fn a_genesis_file_must_be_that_of_the_chain_on_the_topic() {
    let (case, other) = (Case::new(&[]), Case::new(&[]));
    let (own, foreign) = (case.found(), other.found());
    let file = case.home(&own).join(GENESIS);
    assert_eq!(case.settle(Some(&own), Some(&file)).unwrap().source, Source::File);
    let refusal = case.refusal(Some(&foreign), Some(&file));
    assert!(refusal.contains(&own.hash().to_string()), "{refusal}");
    assert!(refusal.contains(&foreign.hash().to_string()), "{refusal}");
}

#[test]
fn on_an_existing_chain_other_parameters_are_refused_and_the_same_are_not() {
    let case = Case::new(&[("CAIRN_FEE", "7")]);
    let genesis = case.found();
    case.settle(Some(&genesis), None).unwrap();
    let case = case.asking(&[("CAIRN_FEE", "8")]);
    let refusal = case.refusal(Some(&genesis), None);
    assert!(refusal.contains("fee = 7") && refusal.contains("asks for 8"), "{refusal}");
}

#[test]
fn without_any_home_a_run_needs_its_keys_named_and_a_new_chain_its_genesis() {
    let case = Case::new(&[]);
    let genesis = Case::new(&[]).found();
    let other = Case::new(&[]);
    let own = other.found();
    let (keys, file) = (other.home(&own).join(keys::FILE), other.home(&own).join(GENESIS));
    let refused =
        |file: Option<&Path>, keys: Option<&Path>| case.settle_with(None, file, keys, false).unwrap_err().to_string();
    assert!(refused(None, None).contains("--keys FILE") && refused(None, None).contains("XDG_DATA_HOME"));
    assert!(refused(None, Some(&keys)).contains("--genesis FILE"), "{}", refused(None, Some(&keys)));
    let notes = case.settle_with(None, Some(&file), Some(&keys), false).unwrap().notes.unwrap();
    notes.founding().unwrap();
    notes.founded().unwrap();
    assert_had_a_chain(&refused(Some(&file), Some(&keys)));
    assert_ne!(genesis.hash(), own.hash());
    assert!(case.homes().is_empty());
}

#[test]
fn a_new_chain_with_a_key_file_that_is_named_has_an_id_of_its_own() {
    let first = Case::new(&[]);
    let one = first.found();
    let keys = first.home(&one).join(keys::FILE);
    let other = Case::new(&[]).settle_with(None, None, Some(&keys), true).unwrap().genesis;
    assert_eq!(one.validators, other.validators);
    assert_ne!(one.chain_id, other.chain_id);
}
