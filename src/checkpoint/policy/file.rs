//! The policy file of [tlog-policy](https://c2sp.org/tlog-policy), line by line:
//!
//! ```text
//! log <verifier key> [<url>]                     its name is the origin of its checkpoints
//! witness <name> <verifier key> [<url>]
//! group <name> <k>|any|all <name>...             met where k of these are; each name in one group at most
//! quorum <name>|none                             exactly once
//! # a comment
//! ```
//! Names are for this file alone. A line may name only what stands above it.

use std::collections::HashMap;

use super::{Condition, FILE_SIZE_BYTES_MAX, Policy};
use crate::checkpoint::error::{Error, Result};
use crate::checkpoint::key::VerifierKey;

/// The name that stands for no witness at all.
const NONE: &[u8] = b"none";

impl Policy {
    /// Reads a policy file. Errors name the line.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > FILE_SIZE_BYTES_MAX {
            return Err(Error::new(format!("it has more than {FILE_SIZE_BYTES_MAX} bytes")));
        }
        let lines = bytes.strip_suffix(b"\n").ok_or_else(|| Error::new("its last line is missing or cut off"))?;
        let mut reading = Reading::default();
        for (index, line) in lines.split(|byte| *byte == b'\n').enumerate() {
            reading.line(line).map_err(|what| Error::new(format!("line {}: {what}", index + 1)))?;
        }
        let Reading { logs, witnesses, conditions, quorum, .. } = reading;
        let quorum = quorum.ok_or_else(|| Error::new("it has no `quorum` line"))?;
        Self { logs, witnesses, conditions, quorum }.sound()
    }
}

/// What the lines so far say.
#[derive(Default)]
struct Reading<'f> {
    logs: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    conditions: Vec<Condition>,
    quorum: Option<Option<usize>>,
    /// The condition that a name stands for, and whether a group has it already.
    names: HashMap<&'f [u8], (usize, bool)>,
}

impl<'f> Reading<'f> {
    fn line(&mut self, line: &'f [u8]) -> Result<(), String> {
        if let Some(byte) = line.iter().find(|byte| (**byte < b' ' && **byte != b'\t') || **byte == 0x7f) {
            return Err(format!("it has a control character ({byte:#04x}); lines end with a newline alone"));
        }
        let words: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key] | [b"log", key, _] => {
                self.logs.push(verifier_key(key)?);
                Ok(())
            }
            [b"witness", name, key] | [b"witness", name, key, _] => {
                self.witnesses.push(verifier_key(key)?);
                self.define(name, Condition::Witness(self.witnesses.len() - 1))
            }
            [b"group", name, threshold, ref members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"quorum", name] => self.quorum(name),
            _ => Err(
                "it is none of `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME K|any|all NAME...`, `quorum \
                      NAME|none`, `# comment`"
                    .to_owned(),
            ),
        }
    }

    fn define(&mut self, name: &'f [u8], condition: Condition) -> Result<(), String> {
        if name == NONE {
            return Err("`none` is no name to give".to_owned());
        }
        if self.names.insert(name, (self.conditions.len(), false)).is_some() {
            return Err(format!("`{}` is named a second time", quoted(name)));
        }
        self.conditions.push(condition);
        Ok(())
    }

    fn group(&mut self, name: &'f [u8], threshold: &[u8], members: &[&'f [u8]]) -> Result<(), String> {
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let named = self.names.get_mut(member).ok_or_else(|| undefined(member))?;
            if std::mem::replace(&mut named.1, true) {
                return Err(format!("`{}` is a member of a group already", quoted(member)));
            }
            places.push(named.0);
        }
        let threshold = match threshold {
            b"any" => 1,
            b"all" => places.len(),
            digits => decimal(digits).filter(|count| (1..=places.len()).contains(count)).ok_or_else(|| {
                format!("a group of {} is met by 1 to {} of them, `any` or `all`", places.len(), places.len())
            })?,
        };
        self.define(name, Condition::Group { threshold, members: places })
    }

    fn quorum(&mut self, name: &[u8]) -> Result<(), String> {
        let quorum = match self.names.get(name) {
            _ if name == NONE => None,
            Some((place, _)) => Some(*place),
            None => return Err(undefined(name)),
        };
        match self.quorum.replace(quorum) {
            None => Ok(()),
            Some(_) => Err("there is a `quorum` line already".to_owned()),
        }
    }
}

/// A name for a message: it may be anything, of any length.
fn quoted(name: &[u8]) -> String {
    let shown: String = name.escape_ascii().take(100).map(char::from).collect();
    if name.len() > shown.len() { format!("{shown}...") } else { shown }
}

fn undefined(name: &[u8]) -> String {
    format!("`{}` is no witness or group of a line above", quoted(name))
}

fn decimal(digits: &[u8]) -> Option<usize> {
    let is_plain = digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_plain)?.parse().ok()
}

fn verifier_key(word: &[u8]) -> Result<VerifierKey, String> {
    let text = std::str::from_utf8(word).map_err(|_| "the verifier key is not UTF-8".to_owned())?;
    text.parse().map_err(|error: Error| error.to_string())
}
