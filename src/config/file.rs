//! `cairn.toml`: its keys, their values and their lines.
//!
//! ```toml
//! brokers = "kafka-1:9092,kafka-2:9092"    # every option of every command, `_` for `-`
//! application_id = "cairn"
//! fee = 7                                  # chain parameters
//! [block]
//! max_transactions = 3
//! [kafka]                                  # properties of librdkafka
//! security.protocol = "SASL_SSL"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Error, Result, nearest};
use crate::chain::genesis::PARAMETER_KEYS;

/// The file that is read, if it is there, unless another is named.
pub const DEFAULT_NAME: &str = "cairn.toml";

/// The table of librdkafka's properties.
pub const KAFKA: &str = "kafka";

/// A value of the file, as text: what would be written on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// One text, or those of an array.
    pub texts: Vec<String>,
    /// Whether it was written as an array.
    pub is_array: bool,
    /// The line it stands on, from 1.
    pub line: usize,
}

/// A settings file whose keys are all known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    path: PathBuf,
    options: BTreeMap<String, Value>,
    parameters: BTreeMap<String, Value>,
    properties: BTreeMap<String, Value>,
}

impl File {
    /// Reads a file. `options` are the keys of the program's options.
    pub fn read(path: &Path, options: &[&str]) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::new(format!("cannot read the settings file {}: {error}", path.display())))?;
        Self::parse(path, &text, options)
    }

    /// The settings of a file's text. Refuses text that is not TOML, a key that does not exist, and a value that is
    /// neither text, number nor truth value, nor an array of them.
    pub fn parse(path: &Path, text: &str, options: &[&str]) -> Result<Self> {
        let at = |line: usize, what: String| Error::new(format!("{}:{line}: {what}", path.display()));
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            at(line, format!("not TOML: {}", error.message()))
        })?;
        let mut leaves = Vec::new();
        flatten(text, table.get_ref(), "", &mut leaves).map_err(|(line, what)| at(line, what))?;

        let mut file = Self { path: path.to_owned(), ..Self::default() };
        for (key, value) in leaves {
            let property = key.strip_prefix(KAFKA).and_then(|rest| rest.strip_prefix('.'));
            let (kind, name) = match property {
                Some(property) => (&mut file.properties, property),
                None if PARAMETER_KEYS.contains(&key.as_str()) => (&mut file.parameters, key.as_str()),
                None if options.contains(&key.as_str()) => (&mut file.options, key.as_str()),
                None => return Err(at(value.line, unknown_key(&key, options))),
            };
            if value.is_array && property.is_some() | PARAMETER_KEYS.contains(&key.as_str()) {
                return Err(at(value.line, format!("`{key}` takes one value, not an array")));
            }
            kind.insert(name.to_owned(), value);
        }
        Ok(file)
    }

    /// The path it was read from; empty if there is no file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Values of options, by key.
    pub fn options(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.options.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Chain parameters, by key.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.parameters.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Properties of librdkafka, by name.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.properties.iter().map(|(key, value)| (key.as_str(), value))
    }
}

fn unknown_key(key: &str, options: &[&str]) -> String {
    let known = options.iter().copied().chain(PARAMETER_KEYS).chain([KAFKA]);
    match nearest(key, known) {
        Some(near) => format!("there is no key `{key}`; did you mean `{near}`?"),
        None => format!(
            "there is no key `{key}`; keys are the options of the commands with `_` for `-` (see --help), chain \
             parameters and the table [{KAFKA}]"
        ),
    }
}

/// All values below a table with their dotted keys; a value that is no setting is told with its line.
fn flatten(
    text: &str,
    table: &DeTable<'_>,
    prefix: &str,
    leaves: &mut Vec<(String, Value)>,
) -> Result<(), (usize, String)> {
    for (name, value) in table {
        let line = line_of(text, name.span().start);
        let key = format!("{prefix}{}", name.get_ref());
        let (texts, is_array) = match value.get_ref() {
            DeValue::Table(inner) => {
                flatten(text, inner, &format!("{key}."), leaves)?;
                continue;
            }
            DeValue::Array(items) => (items.iter().map(|item| scalar(item.get_ref())).collect(), true),
            single => (scalar(single).map(|text| vec![text]), false),
        };
        let Some(texts) = texts else {
            return Err((line, format!("`{key}` takes text, a number, true or false, or an array of these")));
        };
        leaves.push((key, Value { texts, is_array, line }));
    }
    Ok(())
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        // Not in the notation of the file: 0x10 and 1_000 are numbers that no option would know.
        DeValue::Integer(integer) => {
            let digits = integer.as_str().replace('_', "");
            i128::from_str_radix(&digits, integer.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(float) => Some(float.as_str().replace('_', "")),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: [&str; 4] = ["brokers", "rate", "malicious", "json"];

    fn parse(text: &str) -> Result<File> {
        File::parse(Path::new("cairn.toml"), text, &OPTIONS)
    }

    fn refused(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn options_parameters_and_properties_are_told_apart() {
        let file = parse(
            "brokers = 'a:1'\nrate = 1_000\njson = true\nmalicious = ['a', 'b=silent']\nfee = 7\n\
             [block]\nmax_bytes = 0x400\n[kafka]\nsasl.mechanism = 'PLAIN'\n\"linger.ms\" = 5\n",
        )
        .unwrap();
        let texts = |found: Vec<(&str, &Value)>| {
            found.into_iter().map(|(key, value)| (key.to_owned(), value.texts.join("|"))).collect::<Vec<_>>()
        };
        let pairs =
            |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
        assert_eq!(
            texts(file.options().collect()),
            pairs(&[("brokers", "a:1"), ("json", "true"), ("malicious", "a|b=silent"), ("rate", "1000")])
        );
        assert_eq!(texts(file.parameters().collect()), pairs(&[("block.max_bytes", "1024"), ("fee", "7")]));
        assert_eq!(texts(file.properties().collect()), pairs(&[("linger.ms", "5"), ("sasl.mechanism", "PLAIN")]));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_nearest_known_one() {
        assert_eq!(
            refused("rate = 1\nbroker = 'a:1'\n"),
            "cairn.toml:2: there is no key `broker`; did you mean `brokers`?"
        );
        let nested = refused("[block]\n\nmax_byte = 1\n");
        assert_eq!(nested, "cairn.toml:3: there is no key `block.max_byte`; did you mean `block.max_bytes`?");
        assert!(refused("colour = 'red'").contains("cairn.toml:1: there is no key `colour`; keys are"));
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_line() {
        assert!(refused("rate = 1\nbrokers = \n").starts_with("cairn.toml:2: not TOML"));
        assert!(refused("rate = 2020-01-01").contains("takes text, a number"));
        assert!(refused("malicious = [['a']]").contains("takes text, a number"));
        assert!(refused("fee = [1, 2]").contains("`fee` takes one value"));
        assert!(refused("[kafka]\nlinger.ms = [1]").contains("cairn.toml:2: `kafka.linger.ms` takes one value"));
    }
}
