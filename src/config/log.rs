//! Which log: a Kafka cluster or a directory. The one place where that is decided; all else is generic over the log.

use std::path::{Path, PathBuf};

use topology::log::{self, Log};

use super::note::Place;
use super::{Environment, Error, File, Result};

pub(super) const EMBEDDED: &str = "embedded:";

/// Which log to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSettings {
    /// A Kafka cluster.
    Kafka {
        /// `HOST:PORT[,HOST:PORT..]`
        brokers: String,
        /// Properties of librdkafka.
        properties: Vec<(String, String)>,
    },
    /// The log in a directory of this machine.
    Embedded {
        /// The directory.
        directory: PathBuf,
    },
}

/// Where a setting came from, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The settings file.
    File,
    /// The environment.
    Environment,
    /// The command line.
    CommandLine,
}

/// Why a log could not be opened.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(Error),
    /// The log itself: in use, damaged, not to be reached.
    #[error(transparent)]
    Log(#[from] log::Error),
}

/// Something to be done with a log of whichever kind.
pub trait UsesLog {
    /// What comes of it.
    type Output;

    /// Whether an embedded log that is not there is made: not for a reader, lest a mistyped name look like an empty
    /// log.
    fn makes_log(&self) -> bool {
        false
    }

    /// Does it.
    fn with<L: Log>(self, log: L) -> Self::Output;
}

impl LogSettings {
    /// The log that was asked for: of `--brokers` and `--log`, the one from the stronger source.
    pub fn choose(
        brokers: Option<(String, Rank)>,
        log: Option<(String, Rank)>,
        properties: Vec<(String, String)>,
    ) -> Result<Self> {
        match (brokers, log) {
            (None, None) => Err(Error::new(
                "give --brokers HOST:PORT for a Kafka cluster, or --log embedded:DIR for a log on this machine",
            )),
            (Some((_, one)), Some((_, other))) if one == other => {
                Err(Error::new("both --brokers and --log are given: which log is meant? Leave one of them out"))
            }
            (Some((brokers, rank)), log) if log.as_ref().is_none_or(|(_, other)| rank > *other) => {
                Ok(Self::Kafka { brokers, properties })
            }
            (_, Some((log, _))) => Self::embedded(&log),
            (Some((brokers, _)), None) => Ok(Self::Kafka { brokers, properties }),
        }
    }

    fn embedded(text: &str) -> Result<Self> {
        match text.strip_prefix(EMBEDDED) {
            Some(directory) if !directory.is_empty() => Ok(Self::Embedded { directory: directory.into() }),
            _ => Err(Error::new(format!("--log '{text}' names no log: write embedded:DIR, with the log's directory"))),
        }
    }

    /// Where a topic is: what notes of a chain tell its log by.
    pub fn place(&self, topic: &str) -> Place {
        match self {
            Self::Kafka { brokers, .. } => Place::new(brokers.split(',').map(str::to_lowercase), topic),
            Self::Embedded { directory } => {
                // One that was never opened has no other name than this one.
                let absolute = directory.canonicalize().or_else(|_| std::path::absolute(directory));
                let directory = absolute.unwrap_or_else(|_| directory.clone());
                Place::new([format!("{EMBEDDED}{}", directory.display())], topic)
            }
        }
    }

    /// Whether the log is known to hold nothing, for it has to be made first. Of a cluster that is not known.
    pub fn is_to_be_made(&self) -> bool {
        matches!(self, Self::Embedded { directory } if !is_log(directory))
    }

    /// Refuses a directory in which no log can be made, for it holds something else.
    pub fn check_place(&self) -> Result<()> {
        match self {
            Self::Embedded { directory } if !is_log(directory) => refuse_something_else(directory),
            _ => Ok(()),
        }
    }

    /// Opens the log and does something with it. Of a cluster, no broker is waited for yet.
    pub fn open<U: UsesLog>(&self, user: U) -> Result<U::Output, OpenError> {
        match self {
            Self::Kafka { brokers, properties } => with_cluster(user, brokers, properties),
            Self::Embedded { directory } => {
                if user.makes_log() {
                    self.check_place().map_err(OpenError::Setting)?;
                }
                with_directory(user, directory)
            }
        }
    }
}

#[cfg(feature = "kafka")]
fn with_cluster<U: UsesLog>(user: U, brokers: &str, properties: &[(String, String)]) -> Result<U::Output, OpenError> {
    use topology::log::kafka::{KafkaLog, Options};

    let mut options = Options::new(brokers);
    options.properties.extend_from_slice(properties);
    options.client_id = "cairn".to_owned();
    let log = KafkaLog::new(options).map_err(|error| OpenError::Setting(Error::new(error.to_string())))?;
    Ok(user.with(log))
}

#[cfg(not(feature = "kafka"))]
fn with_cluster<U: UsesLog>(_: U, _: &str, _: &[(String, String)]) -> Result<U::Output, OpenError> {
    Err(OpenError::Setting(super::Feature::Kafka.left_out()))
}

#[cfg(feature = "embedded")]
fn with_directory<U: UsesLog>(user: U, directory: &Path) -> Result<U::Output, OpenError> {
    use topology::clock::{Clock, SystemClock};
    use topology::log::embedded::{EmbeddedLog, Options};

    let clock = SystemClock::new();
    let options = Options { must_exist: !user.makes_log(), ..Options::default() };
    let log = EmbeddedLog::open(directory, &options, std::sync::Arc::new(move || clock.now_ms()))?;
    Ok(user.with(log))
}

#[cfg(not(feature = "embedded"))]
fn with_directory<U: UsesLog>(_: U, _: &Path) -> Result<U::Output, OpenError> {
    Err(OpenError::Setting(super::Feature::Embedded.left_out()))
}

/// What an embedded log's directory holds.
const DATABASE: &str = "db";
const LOCK: &str = "LOCK";

fn is_log(directory: &Path) -> bool {
    directory.join(DATABASE).join("CURRENT").is_file()
}

/// Refuses to make a log in a directory that holds something else: it is a mistyped one. What a process left that was
/// killed while it made a log is a beginning of one.
fn refuse_something_else(directory: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::new(format!("cannot make a log in {}: {error}", directory.display()));
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if name != DATABASE && name != LOCK {
            return Err(Error::new(format!(
                "{} is not empty and holds no log; nothing was made there. Check the path, or name an empty directory",
                directory.display()
            )));
        }
    }
    Ok(())
}

/// Properties of librdkafka: those of the command line win over the environment's, these over the file's.
pub fn properties(file: &File, environment: &Environment, command_line: &[(String, String)]) -> Vec<(String, String)> {
    let mut merged = std::collections::BTreeMap::new();
    for (name, value) in file.properties() {
        merged.insert(name.to_owned(), value.texts.concat());
    }
    merged.extend(environment.properties().map(|(name, value)| (name, value.to_owned())));
    merged.extend(command_line.iter().cloned());
    merged.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(brokers: &str) -> LogSettings {
        LogSettings::Kafka { brokers: brokers.to_owned(), properties: Vec::new() }
    }

    fn choose(brokers: Option<Rank>, log: Option<Rank>) -> Result<LogSettings> {
        let given = |text: &str, rank: Option<Rank>| rank.map(|rank| (text.to_owned(), rank));
        LogSettings::choose(given("a:1", brokers), given("embedded:/tmp/x", log), Vec::new())
    }

    #[test]
    fn the_stronger_source_decides_which_log_is_meant() {
        let embedded = LogSettings::Embedded { directory: "/tmp/x".into() };
        assert_eq!(choose(Some(Rank::File), None), Ok(kafka("a:1")));
        assert_eq!(choose(Some(Rank::File), Some(Rank::CommandLine)), Ok(embedded.clone()));
        assert_eq!(choose(Some(Rank::CommandLine), Some(Rank::Environment)), Ok(kafka("a:1")));
        assert_eq!(choose(None, Some(Rank::File)), Ok(embedded));
        assert!(choose(Some(Rank::File), Some(Rank::File)).unwrap_err().to_string().contains("both"));
        assert!(choose(None, None).unwrap_err().to_string().contains("--brokers HOST:PORT"));
    }

    #[test]
    fn a_log_of_another_kind_is_refused() {
        let refused =
            |text: &str| LogSettings::choose(None, Some((text.to_owned(), Rank::File)), Vec::new()).unwrap_err();
        assert!(refused("embedded:").to_string().contains("embedded:DIR"));
        assert!(refused("memory").to_string().contains("--log 'memory'"));
    }

    #[test]
    fn properties_are_merged_one_by_one() {
        let file = File::parse(Path::new("f"), "[kafka]\nsasl.mechanism = 'PLAIN'\nlinger.ms = 1\nretries = 2\n", &[])
            .unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let environment = Environment::new([pair("CAIRN_KAFKA_LINGER_MS", "2"), pair("CAIRN_KAFKA_RETRIES", "3")]);
        assert_eq!(
            properties(&file, &environment, &[pair("retries", "4")]),
            [pair("linger.ms", "2"), pair("retries", "4"), pair("sasl.mechanism", "PLAIN")]
        );
    }
}
