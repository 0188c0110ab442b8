//! Which genesis a run has, and whose keys.
//!
//! ```text
//! --genesis  block 0 on the topic  noted     the run's genesis
//! given      there                 any       the file's, if block 0 has the same; else refused
//! given      none                  not founded   the file's: a new chain
//! none       there                 any       block 0's
//! none       none                  founding  the one that is kept: an earlier run ended before block 0 was committed
//! none       none                  nothing   a new one, with new keys
//! any        none                  founded   refused: there was a chain, and it is gone
//! any        there                 founded, another   refused: the application works for another chain
//! ```
//! Noted is what the application's directory says, and the directories of chains that were in this place. Either
//! refuses, for a container may keep only one of them. Chain parameters that are asked for are set in a new genesis;
//! everywhere else they can only agree.
//!
//! A new chain is noted before its keys are made, and these before its genesis, which follows from both. So wherever a
//! first run is killed, the next has the same genesis, and whatever was sent of its block 0 is what is sent again.

mod notes;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use super::note::{Note, Place, Stage};
use super::{ChainParameters, Directories, Error, Result, genesis, key_file, keys, private_file};
use crate::chain::{ConsensusKind, Genesis};
use crate::consensus::KeySet;

pub use notes::Notes;

const GENESIS: &str = "genesis.toml";

/// What a run is asked to work with.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// The genesis file, if one is named.
    pub genesis: Option<&'r Path>,
    /// The key file, if one is named.
    pub keys: Option<&'r Path>,
    /// Where things are kept.
    pub directories: &'r Directories,
    /// Whose state it is.
    pub application_id: &'r str,
    /// Where the chain is or is to be.
    pub place: &'r Place,
    /// Chain parameters that are asked for.
    pub parameters: &'r ChainParameters,
}

/// Refuses a genesis that does not go with what else a run was asked for.
pub type Accepts<'a> = dyn Fn(&Genesis) -> Result<()> + 'a;

/// A genesis, and the keys of its validators.
#[derive(Debug)]
pub struct Founding {
    /// What the chain starts from.
    pub genesis: Genesis,
    /// The keys of its committee.
    pub keys: KeySet,
    /// Whose genesis it is.
    pub source: Source,
    /// Keeps it written down how far the chain's beginning is; `None` for a chain that is thrown away.
    pub notes: Option<Notes>,
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
    /// Made anew.
    New,
}

/// Refuses what [`settle`] would refuse where there is no chain on the topic, and makes nothing: to be asked before a
/// log is made.
pub fn check(request: &Request<'_>, accepts: &Accepts<'_>) -> Result<()> {
    let application = request.directories.application(request.application_id)?;
    let file = request.genesis.map(genesis::read_file).transpose()?;
    match decide(file, None, Note::of_application(&application)?, request)? {
        Decision::Known(genesis, source) => {
            let home = home(&genesis, request)?;
            check_home(home.as_deref(), &genesis, false, request)?;
            refuse_conflict(&genesis, source, home.as_deref(), request)?;
            accepts(&genesis)?;
            keys::read(&genesis, request.keys, request.directories, request.place.topic()).map(drop)
        }
        Decision::Begin { chain_id } => {
            request.parameters.refuse_misspelt()?;
            let keys = match request.keys {
                Some(named) => key_file::read(named)?,
                None => keys::default(&mut key_file::system_rng()?)?,
            };
            accepts(&genesis::default(chain_id, &keys, request.parameters)?)
        }
    }
}

/// Finds or makes the genesis of a run, and reads or makes its keys. `read_topic` is what [`super::topic::genesis`]
/// finds. Of a genesis that is not accepted, nothing is written.
///
/// The topic is read before the notes, and another instance of the same directory may begin the chain, or found it, in
/// between. So where the topic was empty, a refusal is asked for once more: one that lasts is the same again.
pub fn settle<E: From<Error>>(
    read_topic: &dyn Fn() -> Result<Option<Genesis>, E>,
    request: &Request<'_>,
    accepts: &Accepts<'_>,
) -> Result<Founding, E> {
    let on_topic = read_topic()?;
    let was_empty = on_topic.is_none();
    match settle_with(on_topic, request, accepts) {
        Err(_) if was_empty => Ok(settle_with(read_topic()?, request, accepts)?),
        settled => Ok(settled?),
    }
}

fn settle_with(on_topic: Option<Genesis>, request: &Request<'_>, accepts: &Accepts<'_>) -> Result<Founding> {
    let is_there = on_topic.is_some();
    let application = request.directories.application(request.application_id)?;
    let file = request.genesis.map(genesis::read_file).transpose()?;
    let noted = Note::of_application(&application)?;
    let (genesis, source) = match decide(file, on_topic, noted, request)? {
        Decision::Known(genesis, source) => (genesis, source),
        Decision::Begin { chain_id } => make(chain_id, &application, request, accepts)?,
    };
    let home = home(&genesis, request)?;
    check_home(home.as_deref(), &genesis, is_there, request)?;
    refuse_conflict(&genesis, source, home.as_deref(), request)?;
    // One that is made was asked about before it was written.
    if matches!(source, Source::File | Source::Chain) {
        accepts(&genesis)?;
    }
    let keys = keys::read(&genesis, request.keys, request.directories, request.place.topic())?;
    let notes = Notes::new(application, home, &genesis, request.place.clone());
    if is_there {
        notes.founded()?;
    }
    Ok(Founding { genesis, keys, source, notes: Some(notes) })
}

/// Refuses chain parameters that are asked for and are not the chain's.
fn refuse_conflict(genesis: &Genesis, source: Source, home: Option<&Path>, request: &Request<'_>) -> Result<()> {
    let Some(mut conflict) = request.parameters.conflict_with(&genesis.parameters) else { return Ok(()) };
    if let (Source::Kept, Some(home)) = (source, home) {
        conflict += &format!(" (no block was written yet: delete {} to make another genesis)", home.display());
    }
    Err(Error::new(conflict))
}

enum Decision {
    Known(Genesis, Source),
    /// A genesis is to be made, or to be made to its end.
    Begin {
        chain_id: String,
    },
}

/// The table above.
fn decide(
    file: Option<Genesis>,
    on_topic: Option<Genesis>,
    noted: Option<Note>,
    request: &Request<'_>,
) -> Result<Decision> {
    let topic = request.place.topic();
    let noted_founded = noted.as_ref().filter(|note| note.stage == Stage::Founded);
    if let Some(on_topic) = on_topic {
        let (hash, source) = (on_topic.hash(), if file.is_some() { Source::File } else { Source::Chain });
        if let Some(file) = file.map(|file| file.hash()).filter(|file| *file != hash) {
            return Err(Error::new(format!(
                "topic '{topic}' holds the chain of genesis {hash}, the genesis file says {file}: give the file of this \
                 chain, or another --blockchain topic"
            )));
        }
        return match noted_founded.filter(|note| note.genesis != Some(hash)) {
            Some(other) => Err(works_for_another(other, &on_topic, request)),
            None => Ok(Decision::Known(on_topic, source)),
        };
    }
    if let Some(note) = noted_founded {
        return Err(notes::had_a_chain(note, topic));
    }
    let here = match request.directories.data() {
        Some(data) => Note::at(data, request.place)?,
        None => Vec::new(),
    };
    if let Some((_, note)) = here.iter().find(|(_, note)| note.stage == Stage::Founded) {
        return Err(notes::had_a_chain(note, topic));
    }
    if let Some(file) = file {
        return Ok(Decision::Known(file, Source::File));
    }
    // Of what was begun elsewhere, block 0 may be there: the same genesis must not be begun twice.
    let begun = noted.filter(|note| note.place.is(request.place));
    let begun = begun.or_else(|| here.into_iter().next().map(|(_, note)| note));
    let chain_id = begun.map_or_else(genesis::new_chain_id, |note| Ok(note.chain_id))?;
    Ok(Decision::Begin { chain_id })
}

fn works_for_another(noted: &Note, on_topic: &Genesis, request: &Request<'_>) -> Error {
    Error::new(format!(
        "application '{}' works for the chain {} on topic '{}', and topic '{}' holds the chain {} (genesis {}): give the topic, \
         the --application-id or the --state-dir that belong together",
        request.application_id,
        noted.chain_id,
        noted.place.topic(),
        request.place.topic(),
        on_topic.chain_id,
        genesis::short(&on_topic.hash())
    ))
}

/// The directory of a chain. A run that is given a key file needs none.
fn home(genesis: &Genesis, request: &Request<'_>) -> Result<Option<PathBuf>> {
    match (request.directories.data(), request.keys) {
        (None, Some(_)) => Ok(None),
        _ => request.directories.chain(&genesis.chain_id).map(Some),
    }
}

/// Refuses a directory that is another chain's of the same name, and a chain that was founded and is gone.
fn check_home(home: Option<&Path>, genesis: &Genesis, is_there: bool, request: &Request<'_>) -> Result<()> {
    let Some((home, note)) = home.map(|home| Note::of_chain(home).map(|note| (home, note))).transpose()? else {
        return Ok(());
    };
    let Some(note) = note else { return Ok(()) };
    let hash = genesis.hash();
    match note.genesis {
        Some(other) if other != hash => Err(Error::new(format!(
            "{} is kept for another chain of the same name, of genesis {}; this one's is {}: give a new chain a chain_id of its \
             own, or set the variable XDG_DATA_HOME to another directory for it",
            home.display(),
            genesis::short(&other),
            genesis::short(&hash)
        ))),
        _ if note.stage == Stage::Founded && !is_there => Err(notes::had_a_chain(&note, request.place.topic())),
        _ => Ok(()),
    }
}

/// Makes a genesis and its keys, or what an earlier run has not made of them.
fn make(
    chain_id: String,
    application: &Path,
    request: &Request<'_>,
    accepts: &Accepts<'_>,
) -> Result<(Genesis, Source)> {
    request.parameters.refuse_misspelt()?;
    let home = request.directories.chain(&chain_id).map_err(|error| match request.keys {
        Some(_) => Error::new(
            "there is no home directory to keep the genesis of a new chain in: give one with --genesis FILE (see \
             `cairn genesis`), or name a directory with the variable XDG_DATA_HOME",
        ),
        None => error,
    })?;
    let keys_path = home.join(keys::FILE);
    let (keys, are_new) = match request.keys {
        _ if request.parameters.consensus()? == ConsensusKind::Work => (keys::none()?, false),
        Some(named) => (key_file::read(named)?, false),
        None if keys_path.exists() => (key_file::read(&keys_path)?, false),
        None => (keys::default(&mut key_file::system_rng()?)?, true),
    };
    let path = home.join(GENESIS);
    let kept = if path.exists() { Some(genesis::read_file(&path)?) } else { None };
    let genesis = match &kept {
        Some(kept) => kept.clone(),
        None => genesis::default(chain_id.clone(), &keys, request.parameters)?,
    };
    // All refusals come before anything is written.
    accepts(&genesis)?;
    let note = Note { stage: Stage::Founding, chain_id, genesis: None, place: request.place.clone() };
    note.write_of_application(application)?;
    note.write_of_chain(&home).map_err(|error| {
        Error::new(format!("{error}; the variable XDG_DATA_HOME names another directory for genesis and keys"))
    })?;
    if are_new {
        key_file::write_new(&keys_path, &keys)?;
    }
    if kept.is_some() {
        return Ok((genesis, Source::Kept));
    }
    private_file::write_new(&path, genesis.to_toml().as_bytes())?;
    Ok((genesis, Source::New))
}
