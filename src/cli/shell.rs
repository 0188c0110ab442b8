//! What every command is given.

use std::io::{IsTerminal, Write};

use clap::ArgMatches;
use clap::parser::ValueSource;
use topology::clock::SystemClock;

use super::arguments;
use super::error::{Error, Result};
use super::output::{Paint, Stderr};
use super::sources;
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
        let matches = matches.subcommand().map(|(_, matches)| matches.clone()).unwrap_or_default();
        let paint = Paint::of(&std::io::stdout());
        Ok(Self { json: common.json, paint, clock: SystemClock::new(), parameters, file, environment, matches })
    }

    /// Which log a command is to use.
    pub(crate) fn log(&self, arguments: &arguments::Log) -> Result<LogSettings> {
        let given = |id: &str, value: &Option<String>| value.clone().map(|value| (value, self.rank(id)));
        let (brokers, log) = (given("brokers", &arguments.brokers), given("log", &arguments.log));
        let properties = log::properties(&self.file, &self.environment, &arguments.property);
        let has_properties = !properties.is_empty();
        let chosen = LogSettings::choose(brokers, log, properties)?;
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
        let newline = if text.ends_with('\n') { "" } else { "\n" };
        self.write(&format!("{text}{newline}")).map(drop)
    }

    /// Writes whole lines to stdout; whether its reader still reads.
    pub(crate) fn write(&self, lines: &str) -> Result<bool> {
        let mut out = std::io::stdout().lock();
        match out.write_all(lines.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::failed(format!("cannot write to stdout: {error}"))),
        }
    }

    /// Whether a person can be asked.
    pub(crate) fn can_ask(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks a question on stderr; only `y` and `yes` are a yes.
    pub(crate) fn ask(&self, question: &str) -> Result<bool> {
        let _ = write!(Stderr, "{question} [y/N] ");
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Error::failed(format!("cannot read the answer: {error}")))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }
}
