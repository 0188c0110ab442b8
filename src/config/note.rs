//! What is written down about a chain apart from its log, so that a log that comes back empty is not taken for a new
//! one.
//!
//! ```text
//! cairn-chain 1
//! founded cairn-1a2b3c4d                 or `founding`: block 0 may have been sent, nothing was signed yet
//! genesis 54b1d1db...                    the genesis hash; while a chain is being founded it may be missing
//! log kafka-1:9092                       a line for each broker that was named, or one `log embedded:DIR`
//! topic blockchain
//! ```
//! One lies in the application's directory as `chain`, one in the chain's as `founding` or `founded`. Each is synced to
//! the disk before what it says comes true, and says so no later than the log does.

use std::path::{Path, PathBuf};

use super::log::EMBEDDED;
use super::{Error, Result, private_file};
use crate::chain::Hash;

const MAGIC: &str = "cairn-chain 1";
/// The note in an application's directory.
const OF_APPLICATION: &str = "chain";

/// How far a chain's beginning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Keys and genesis are being made, or block 0 was sent. Nothing was signed: it may begin again with the same
    /// genesis.
    Founding,
    /// Block 0 was committed: blocks may have been sealed.
    Founded,
}

impl Stage {
    const ALL: [Self; 2] = [Self::Founding, Self::Founded];

    /// Its word, and its file in the directory of a chain.
    fn as_str(self) -> &'static str {
        match self {
            Self::Founding => "founding",
            Self::Founded => "founded",
        }
    }
}

/// Where a chain's blocks are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The brokers that were named, or `embedded:` and a directory.
    log: Vec<String>,
    topic: String,
}

impl Place {
    /// The topic `topic` on a log, which is told by the brokers that were named or by `embedded:` and its directory.
    pub fn new(log: impl IntoIterator<Item = String>, topic: &str) -> Self {
        // A line each, whatever characters a directory has.
        let plain = |text: String| text.trim().replace(char::is_control, "\u{fffd}");
        let log = log.into_iter().map(plain).filter(|text| !text.is_empty()).collect();
        Self { log, topic: topic.to_owned() }
    }

    /// The blockchain topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// What a command is given to read from there.
    pub fn option(&self) -> String {
        let log = self.log.join(",");
        if log.starts_with(EMBEDDED) { format!("--log '{log}'") } else { format!("--brokers {log}") }
    }

    /// Whether both are one place, as far as names tell: the same topic, and a broker in common.
    pub fn is(&self, other: &Self) -> bool {
        self.topic == other.topic && self.log.iter().any(|name| other.log.contains(name))
    }
}

/// What is noted of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How far its beginning is.
    pub stage: Stage,
    /// The chain's id, which names its directory.
    pub chain_id: String,
    /// Its genesis hash, as soon as there is one.
    pub genesis: Option<Hash>,
    /// Where it is.
    pub place: Place,
}

impl Note {
    fn encode(&self) -> String {
        let Self { stage, chain_id, genesis, place } = self;
        let mut text = format!("{MAGIC}\n{} {chain_id}\n", stage.as_str());
        text.extend(genesis.iter().map(|hash| format!("genesis {hash}\n")));
        text.extend(place.log.iter().map(|name| format!("log {name}\n")));
        text + &format!("topic {}\n", place.topic)
    }

    fn decode(text: &str) -> Option<Self> {
        // A file that was cut off is none.
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next() != Some(MAGIC) {
            return None;
        }
        let (stage, chain_id) = lines.next()?.split_once(' ')?;
        let stage = Stage::ALL.into_iter().find(|known| known.as_str() == stage)?;
        let (mut genesis, mut log, mut topic) = (None, Vec::new(), None);
        for line in lines {
            match line.split_once(' ')? {
                ("genesis", hash) if genesis.is_none() => genesis = Some(hash.parse().ok()?),
                ("log", name) => log.push(name.to_owned()),
                ("topic", name) if topic.is_none() => topic = Some(name.to_owned()),
                _ => return None,
            }
        }
        Some(Self { stage, chain_id: chain_id.to_owned(), genesis, place: Place { log, topic: topic? } })
    }

    /// The note in an application's directory; `None` if it works for no chain yet.
    pub fn of_application(directory: &Path) -> Result<Option<Self>> {
        read(&directory.join(OF_APPLICATION))
    }

    /// Writes the note in an application's directory.
    pub fn write_of_application(&self, directory: &Path) -> Result<()> {
        private_file::make_directory(directory)?;
        private_file::replace(&directory.join(OF_APPLICATION), self.encode().as_bytes())
    }

    /// The note in the directory of a chain.
    pub fn of_chain(directory: &Path) -> Result<Option<Self>> {
        match read(&directory.join(Stage::Founded.as_str()))? {
            Some(founded) => Ok(Some(founded)),
            None => read(&directory.join(Stage::Founding.as_str())),
        }
    }

    /// Writes the note in the directory of a chain.
    pub fn write_of_chain(&self, directory: &Path) -> Result<()> {
        private_file::make_directory(directory)?;
        private_file::replace(&directory.join(self.stage.as_str()), self.encode().as_bytes())?;
        match self.stage {
            Stage::Founding => Ok(()),
            Stage::Founded => private_file::remove(&directory.join(Stage::Founding.as_str())),
        }
    }

    /// The chains of a data directory that are noted to be at a place, with their directories: the founded ones first,
    /// then by name. A directory that was set aside has another name than its chain, and counts no more.
    pub fn at(data: &Path, place: &Place) -> Result<Vec<(PathBuf, Self)>> {
        let failed = |error: std::io::Error| Error::new(format!("cannot read {}: {error}", data.display()));
        let mut found = Vec::new();
        if !data.exists() {
            return Ok(found);
        }
        for entry in std::fs::read_dir(data).map_err(failed)? {
            let directory = entry.map_err(failed)?.path();
            let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(note) = Self::of_chain(&directory)?
                && note.chain_id == name
                && note.place.is(place)
            {
                found.push((directory, note));
            }
        }
        found.sort_by(|(one, a), (other, b)| {
            (a.stage == Stage::Founding, one).cmp(&(b.stage == Stage::Founding, other))
        });
        Ok(found)
    }
}

fn read(path: &Path) -> Result<Option<Note>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(Error::new(format!("cannot read {}: {error}", path.display()))),
    };
    // Passing for none, it would let a second chain begin.
    Note::decode(&text).map(Some).ok_or_else(|| {
        Error::new(format!(
            "{} does not say which chain it is of: it is damaged, or was written by a newer version. If the blockchain topic \
             is there and is the right one, delete it: it is written anew",
            path.display()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(brokers: &str) -> Place {
        Place::new(brokers.split(',').map(str::to_owned), "chain")
    }

    fn note(stage: Stage) -> Note {
        Note { stage, chain_id: "cairn-1".to_owned(), genesis: Some(Hash([7; 32])), place: place("a:1,b:1") }
    }

    #[test]
    fn a_note_reads_back_and_one_that_is_cut_off_or_altered_is_none() {
        for note in [note(Stage::Founded), note(Stage::Founding), Note { genesis: None, ..note(Stage::Founding) }] {
            let text = note.encode();
            assert_eq!(Note::decode(&text), Some(note));
            for end in 0..text.len() {
                assert_eq!(Note::decode(&text[..end]), None, "{end}");
            }
            assert_eq!(Note::decode(&text.replace("founded", "found").replace("founding", "found")), None);
            assert_eq!(Note::decode(&text.replace("cairn-chain 1", "cairn-chain 2")), None);
        }
    }

    #[test]
    fn a_damaged_note_does_not_pass_for_none() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Note::of_application(directory.path()), Ok(None));
        std::fs::write(directory.path().join("chain"), "").unwrap();
        let refusal = Note::of_application(directory.path()).unwrap_err().to_string();
        assert!(refusal.contains("damaged") && refusal.contains("delete it"), "{refusal}");
    }

    #[test]
    fn a_founded_chain_is_founded_whatever_else_is_noted() {
        let directory = tempfile::tempdir().unwrap();
        note(Stage::Founding).write_of_chain(directory.path()).unwrap();
        assert_eq!(Note::of_chain(directory.path()), Ok(Some(note(Stage::Founding))));
        note(Stage::Founded).write_of_chain(directory.path()).unwrap();
        assert!(!directory.path().join("founding").exists());
        note(Stage::Founding).write_of_chain(directory.path()).unwrap();
        assert_eq!(Note::of_chain(directory.path()), Ok(Some(note(Stage::Founded))));
    }

    #[test]
    fn a_place_is_known_by_its_topic_and_any_of_its_brokers() {
        assert!(place("a:1, b:1").is(&place("b:1,c:1")));
        assert!(!place("a:1").is(&place("b:1")));
        assert!(!place("a:1").is(&Place::new(["a:1".to_owned()], "other")));
        assert!(!place("").is(&place("")), "no name is no name in common");
    }

    #[test]
    fn the_chains_of_a_place_are_found_unless_they_were_set_aside() {
        let data = tempfile::tempdir().unwrap();
        let write = |name: &str, note: &Note| note.write_of_chain(&data.path().join(name)).unwrap();
        let named = |chain_id: &str, stage| Note { chain_id: chain_id.to_owned(), ..note(stage) };
        write("a", &named("a", Stage::Founding));
        write("b", &named("b", Stage::Founded));
        write("c.until-7", &named("c", Stage::Founded));
        write("d", &Note { place: place("z:1"), ..named("d", Stage::Founded) });
        std::fs::write(data.path().join("a file"), "").unwrap();
        let found = Note::at(data.path(), &place("a:1")).unwrap();
        let names: Vec<&str> = found.iter().map(|(_, note)| note.chain_id.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        assert_eq!(Note::at(&data.path().join("none"), &place("a:1")), Ok(Vec::new()));
    }
}
