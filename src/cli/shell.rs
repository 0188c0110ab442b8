//! What every command is given.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use clap::ArgMatches;
use clap::parser::ValueSource;
use topology::clock::SystemClock;

use super::error::{Error, Result};
use super::output::{Paint, Stderr};
use super::sources;
use super::terminal;
use super::{arguments, brokers};
use crate::config::log::{self, Rank};
use crate::config::{ChainParameters, Environment, File, LogSettings};

/// Settings, output and time of a command.
pub(crate) struct Shell {
    /// Whether reports are lines of JSON.
    pub(crate) json: bool,
    /// Colours of stdout.
    pub(crate) paint: Paint,
    /// The machine's clocks.
    pub(crate) clock: SystemClock,
    /// Chain parameters that file and environment ask for.
    pub(crate) parameters: ChainParameters,
    file: File,
    environment: Environment,
    matches: ArgMatches,
    /// How the command connects to Kafka, once it does.
    brokers: OnceLock<brokers::Settings>,
    /// How to go on where a signal ends the command now.
    last_words: Mutex<Option<String>>,
}

impl Shell {
    pub(crate) fn new(common: &arguments::Common, parsed: sources::Matches, environment: Environment) -> Result<Self> {
        let sources::Matches { matches, file } = parsed;
        for (unknown, near) in environment.unknown(&sources::option_variables()) {
            match near {
                Some(near) => tracing::warn!("{unknown} means nothing here; did you mean {near}?"),
                None => tracing::warn!("{unknown} means nothing here"),
            }
        }
        if !file.path().as_os_str().is_empty() {
            tracing::debug!(file = %file.path().display(), "settings");
        }
        let parameters = ChainParameters::collect(&file, &environment)?;
        let matches = innermost(&matches).clone();
        let paint = Paint::of(&std::io::stdout());
        let (json, clock, brokers) = (common.json, SystemClock::new(), OnceLock::new());
        let last_words = Mutex::default();
        Ok(Self { json, paint, clock, parameters, file, environment, matches, brokers, last_words })
    }

    /// Says how to go on where a signal ends the command from now on; `None`: it may simply be given again.
    pub(crate) fn set_last_words(&self, words: Option<String>) {
        *self.last_words.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    pub(crate) fn last_words(&self) -> Option<String> {
        self.last_words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which log a command is to use.
    pub(crate) fn log(&self, arguments: &arguments::Log) -> Result<LogSettings> {
        let given = |id: &str, value: &Option<String>| value.clone().map(|value| (value, self.rank(id)));
        let (brokers, log) = (given("brokers", &arguments.brokers), given("log", &arguments.log));
        let properties = log::properties(&self.file, &self.environment, &arguments.property);
        let has_properties = !properties.is_empty();
        let chosen = LogSettings::choose(brokers, log, properties)?;
        if let LogSettings::Kafka { brokers, properties } = &chosen {
            self.brokers.get_or_init(|| brokers::Settings::new(brokers, properties));
        }
        match &chosen {
            LogSettings::Embedded { .. } if !arguments.property.is_empty() => Err(Error::usage(
                "-X sets a property of the connection to Kafka, and --log embedded:DIR has none: leave one of them out",
            )),
            LogSettings::Embedded { .. } if has_properties => {
                tracing::warn!(
                    "properties of Kafka in the settings file or the environment mean nothing to --log embedded:DIR"
                );
                Ok(chosen)
            }
            _ => Ok(chosen),
        }
    }

    /// The error of a command that could not use its log, with what is known of the reason: brokers are asked for it.
    pub(crate) fn explained(&self, error: Error) -> Error {
        match self.brokers.get().filter(|_| error.is_of_connection()).and_then(brokers::Settings::explain) {
            Some(told) => error.explained_by(told),
            None => error,
        }
    }

    /// Where an option's value came from.
    pub(crate) fn rank(&self, id: &str) -> Rank {
        match self.matches.value_source(id) {
            Some(ValueSource::CommandLine) => Rank::CommandLine,
            Some(ValueSource::EnvVariable) => Rank::Environment,
            _ => Rank::File,
        }
    }

    /// Writes a report to stdout: whole, with its last newline. A reader that closed the pipe has read enough.
    pub(crate) fn print(&self, text: &str) -> Result<()> {
        self.write(&with_newline(text)).map(drop)
    }

    /// As [`Shell::print`], of what is a file in its own format: no byte of it is another one.
    pub(crate) fn print_file(&self, text: &str) -> Result<()> {
        write(&with_newline(text)).map(drop)
    }

    /// Writes whole lines to stdout; whether its reader still reads. They may quote texts of strangers, which JSON
    /// escapes.
    pub(crate) fn write(&self, lines: &str) -> Result<bool> {
        if self.json { write(lines) } else { write(&terminal::lines(lines)) }
    }

    /// Has a person agree to what cannot be undone, once it is told: only `y` and `yes` are a yes. Refused where there
    /// is no person.
    pub(crate) fn agree(&self, told: &str) -> Result<()> {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Err(Error::usage(
                "there is no terminal to ask on: give --yes, or --dry-run to see what would be done",
            ));
        }
        let _ = write!(Stderr, "{}Go on? [y/N] ", with_newline(told));
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::failed(format!("cannot read the answer: {error}")))?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Error::usage("nothing was done")),
        }
    }
}

/// What stands behind the last command: `cairn views reset` is two.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, behind)| innermost(behind))
}

fn with_newline(text: &str) -> Cow<'_, str> {
    if text.ends_with('\n') { text.into() } else { format!("{text}\n").into() }
}

/// Whether stdout's reader still reads.
fn write(lines: &str) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::failed(format!("cannot write to stdout: {error}"))),
    }
}
