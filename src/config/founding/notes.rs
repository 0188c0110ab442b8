//! The notes of one chain, in both places.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::note::{Note, Place, Stage};
use super::super::signed_turns::SignedTurnsFile;
use super::super::{Error, Result, genesis, private_file};
use crate::chain::Genesis;

/// What validators have signed, in the directory of a chain.
const SIGNED: &str = "signed";

/// Writes down, in the application's directory and in the chain's, how far the chain's beginning is.
#[derive(Debug)]
pub struct Notes {
    application: PathBuf,
    /// The directory of the chain, if there is one.
    home: Option<PathBuf>,
    /// What is noted when it is founded.
    founded: Note,
    is_founded: AtomicBool,
}

impl Notes {
    pub(super) fn new(application: PathBuf, home: Option<PathBuf>, genesis: &Genesis, place: Place) -> Self {
        let (stage, chain_id) = (Stage::Founded, genesis.chain_id.clone());
        let founded = Note { stage, chain_id, genesis: Some(genesis.hash()), place };
        Self { application, home, founded, is_founded: AtomicBool::new(false) }
    }

    /// To be called before block 0 is sent. When it returns, it is on the disk that the chain is being founded. Refuses
    /// where a chain was founded before: then the log has lost it.
    pub fn founding(&self) -> Result<()> {
        for noted in self.noted()? {
            if noted.stage == Stage::Founded {
                return Err(had_a_chain(&noted, self.founded.place.topic()));
            }
        }
        self.write(&Note { stage: Stage::Founding, ..self.founded.clone() })
    }

    /// To be called when block 0 is committed, before anything is signed. When it returns, it is on the disk that the
    /// chain exists, so that none is founded in its place. Called again, it does nothing.
    pub fn founded(&self) -> Result<()> {
        if self.is_founded.load(Ordering::Acquire) {
            return Ok(());
        }
        let noted = self.noted()?;
        let mut founded = noted.iter().filter(|note| note.stage == Stage::Founded);
        if let Some(other) = founded.find(|note| note.genesis != self.founded.genesis) {
            return Err(Error::new(format!(
                "{} is noted as the directory of the chain {}, and {} is being sealed: give the --application-id or the \
                 --state-dir of this chain",
                self.application.display(),
                other.chain_id,
                self.founded.chain_id
            )));
        }
        // A chain that has moved to other brokers is known by them from now on.
        if noted.len() < 1 + self.home.iter().count() || noted.iter().any(|note| *note != self.founded) {
            self.write(&self.founded)?;
        }
        self.is_founded.store(true, Ordering::Release);
        Ok(())
    }

    /// What the chain's validators have signed; `None` where the chain has no directory to keep it in.
    pub fn signed_turns(&self) -> Result<Option<SignedTurnsFile>> {
        let (Some(home), Some(genesis)) = (&self.home, self.founded.genesis) else { return Ok(None) };
        private_file::make_directory(home)?;
        SignedTurnsFile::open(&home.join(SIGNED), genesis).map(Some)
    }

    fn noted(&self) -> Result<Vec<Note>> {
        let of_application = Note::of_application(&self.application)?;
        let of_chain = self.home.as_ref().map(|home| Note::of_chain(home)).transpose()?.flatten();
        Ok(of_application.into_iter().chain(of_chain).collect())
    }

    fn write(&self, note: &Note) -> Result<()> {
        if let Some(home) = &self.home {
            note.write_of_chain(home).map_err(|error| {
                Error::new(format!("{error}; the variable XDG_DATA_HOME names another directory to note it in"))
            })?;
        }
        note.write_of_application(&self.application)
    }
}

/// Why no chain is begun on `topic`.
pub(super) fn had_a_chain(note: &Note, topic: &str) -> Error {
    let genesis = note.genesis.map(|hash| format!(", genesis {}", genesis::short(&hash))).unwrap_or_default();
    let had = match note.place.topic() {
        same if same == topic => {
            format!("topic '{topic}' had a chain ({}{genesis}) and is empty or missing", note.chain_id)
        }
        other => format!(
            "this application had a chain ({}{genesis}) on topic '{other}', and topic '{topic}' is empty or missing",
            note.chain_id
        ),
    };
    Error::new(format!(
        "{had}: are these the right brokers and topic? Only if it is gone for good, `cairn reset --delete-blockchain` with the \
         same settings forgets it and sets its keys aside, and another can begin"
    ))
}
