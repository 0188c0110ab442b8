//! The settings file and the environment, on the command line's behalf.
//!
//! A value of the file becomes the default of its option. So the order of precedence is the parser's own: command line,
//! environment, default; and a value is checked in one way wherever it stands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Arg, ArgMatches, Command, CommandFactory};

use super::Cli;
use super::error::{Error, Result};
use crate::config::{File, file};

/// Options of the command line that are no keys of the file: the file's own name, help and version.
const NO_KEYS: [&str; 3] = ["config", "help", "version"];

/// What became of the command line.
pub(crate) enum Parsed {
    /// It was understood.
    Matches(Matches),
    /// It asks for help, or cannot be understood.
    Answer(clap::Error),
}

/// A command line that was understood.
pub(crate) struct Matches {
    /// Options with their values and where these came from.
    pub(crate) matches: ArgMatches,
    /// The settings file; empty if there is none.
    pub(crate) file: File,
}

/// Parses the command line, with the environment and the settings file behind it.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Parsed> {
    let plain = without_empty_variables(Cli::command());
    let file = match read_file(&plain, arguments) {
        Ok(file) => file,
        // Help does not depend on a file that cannot be read.
        Err(error) => match plain.try_get_matches_from(arguments) {
            Err(answer) => return Ok(Parsed::Answer(answer)),
            Ok(_) => return Err(error),
        },
    };
    let command = with_defaults(plain, &file);
    match command.try_get_matches_from(arguments) {
        Ok(matches) => Ok(Parsed::Matches(Matches { matches, file })),
        Err(answer) => Ok(Parsed::Answer(answer)),
    }
}

/// Whether `-v` stands on the command line: errors are reported before it is parsed, too.
pub(crate) fn asks_for_causes(arguments: &[OsString]) -> bool {
    let before_values = arguments.iter().take_while(|argument| *argument != "--");
    before_values.into_iter().any(|argument| argument == "-v" || argument == "--verbose")
}

/// The variables of all options.
pub(crate) fn option_variables() -> Vec<String> {
    let command = Cli::command();
    let variable = |argument: &Arg| argument.get_env().map(|name| name.to_string_lossy().into_owned());
    every_argument(&command).into_iter().filter_map(variable).collect()
}

/// The arguments of a command and of all below it.
fn every_argument(command: &Command) -> Vec<&Arg> {
    let below = command.get_subcommands().flat_map(every_argument);
    command.get_arguments().chain(below).collect()
}

/// The keys of all options, each once: `application_id` for `--application-id`.
fn option_keys(command: &Command) -> Vec<String> {
    let options = every_argument(command).into_iter().filter(|argument| argument.get_long().is_some());
    let mut keys: Vec<String> = options.map(|argument| argument.get_id().to_string()).collect();
    keys.retain(|key| !NO_KEYS.contains(&key.as_str()));
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn read_file(command: &Command, arguments: &[OsString]) -> Result<File> {
    let named = file_on_command_line(arguments)
        .or_else(|| std::env::var_os("CAIRN_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from));
    let path = match named {
        Some(path) => path,
        None if Path::new(file::DEFAULT_NAME).is_file() => PathBuf::from(file::DEFAULT_NAME),
        None => return Ok(File::default()),
    };
    let keys = option_keys(command);
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let file = File::read(&path, &keys)?;
    check_values(command, &file)?;
    Ok(file)
}

/// The file must be known before the rest can be parsed, so it is looked for by hand.
fn file_on_command_line(arguments: &[OsString]) -> Option<PathBuf> {
    let mut rest = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    while let Some(argument) = rest.next() {
        if argument == "--config" {
            return rest.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    None
}

/// Refuses a value that its option would refuse, with its line in the file.
fn check_values(command: &Command, file: &File) -> Result<()> {
    for (key, value) in file.options() {
        let at = |what: &str| Error::usage(format!("{}:{}: {key}: {what}", file.path().display(), value.line));
        let Some(argument) = find(command, key) else { continue };
        let takes_many = matches!(argument.get_action(), clap::ArgAction::Append);
        if value.is_array && !takes_many {
            return Err(at("takes one value, not an array"));
        }
        let is_switch = matches!(argument.get_action(), clap::ArgAction::SetTrue);
        if is_switch {
            if !matches!(value.texts.as_slice(), [text] if text == "true" || text == "false") {
                return Err(at("write true or false"));
            }
            continue;
        }
        // Parsed alone, as if it stood on a command line; nothing else must be able to fail.
        let alone =
            Command::new("cairn").no_binary_name(true).arg(argument.clone().env(Resettable::Reset).required(false));
        let long = argument.get_long().unwrap_or(key);
        let words = value.texts.iter().map(|text| format!("--{long}={text}"));
        if let Err(error) = alone.try_get_matches_from(words) {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let options = text.lines().map(str::trim).find(|line| line.starts_with("[possible values"));
            let what = format!("{} {}", first.trim_start_matches("error: "), options.unwrap_or_default());
            return Err(at(what.trim()));
        }
    }
    Ok(())
}

/// The first option with this key.
fn find<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    every_argument(command).into_iter().find(|argument| argument.get_id() == key)
}

/// A variable that is empty is taken for one that is not set: so a compose file can pass on what may not be there.
fn without_empty_variables(command: Command) -> Command {
    let reset = |argument: Arg| {
        let value = argument.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| value.is_empty()) { argument.env(Resettable::Reset) } else { argument }
    };
    command.mut_args(reset).mut_subcommands(without_empty_variables)
}

/// Puts the file's values where the defaults are, in every command that knows the option.
fn with_defaults(mut command: Command, file: &File) -> Command {
    for (key, value) in file.options() {
        if command.get_arguments().any(|argument| argument.get_id() == key) {
            command = command.mut_arg(key, |argument| argument.default_values(value.texts.clone()));
        }
    }
    command.mut_subcommands(|command| with_defaults(command, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::genesis::PARAMETER_KEYS;

    #[test]
    fn the_definitions_of_the_commands_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_a_variable_named_after_it() {
        let command = Cli::command();
        for argument in every_argument(&command).into_iter().filter(|argument| argument.get_long().is_some()) {
            let key = argument.get_id().as_str();
            if !matches!(key, "help" | "version") {
                let expected = format!("CAIRN_{}", key.to_uppercase());
                assert_eq!(argument.get_env().and_then(|name| name.to_str()), Some(expected.as_str()), "{key}");
                assert_eq!(argument.get_long(), Some(key.replace('_', "-").as_str()));
            }
        }
    }

    #[test]
    fn no_option_has_the_name_of_a_chain_parameter_or_of_the_kafka_table() {
        for key in option_keys(&Cli::command()) {
            assert!(!PARAMETER_KEYS.contains(&key.as_str()) && key != file::KAFKA, "{key}");
            let prefix = format!("{key}.");
            assert!(!PARAMETER_KEYS.iter().any(|parameter| parameter.starts_with(&prefix)), "{key} hides a table");
        }
    }

    #[test]
    fn an_option_means_the_same_value_in_every_command_that_has_it() {
        let command = Cli::command();
        for key in option_keys(&command) {
            let mut kinds: Vec<String> = every_argument(&command)
                .into_iter()
                .filter(|argument| argument.get_id() == key.as_str())
                .map(|argument| format!("{:?} {:?}", argument.get_action(), argument.get_value_parser()))
                .collect();
            kinds.dedup();
            assert!(kinds.len() <= 1, "{key}: {kinds:?}");
        }
    }

    #[test]
    fn the_file_is_found_wherever_it_is_named() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(file_on_command_line(&words("cairn run --config a.toml")), Some("a.toml".into()));
        assert_eq!(file_on_command_line(&words("cairn --config=b.toml run")), Some("b.toml".into()));
        assert_eq!(file_on_command_line(&words("cairn submit -- --config c.toml")), None);
    }
}
