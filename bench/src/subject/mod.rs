//! What is measured: programs that read a topic, count, and write a topic.
//!
//! ```text
//! count     the engine's program              in this executable
//! pipe      the floor                         in this executable
//! streams   building Kafka Streams' program   ../../streams, in Java
//! ```
//! A subject is known by its name and by how its process is started and ended. It knows nothing of the measurement.

pub(crate) mod count;
pub(crate) mod pipe;
pub(crate) mod streams;

use std::path::PathBuf;
use std::process::Command;

use crate::error::{Doing, Error, Result};

/// What the driver measures.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) about: String,
    /// Measured unless others are named.
    pub(crate) is_default: bool,
    /// How its output can be checked, and whether there is something to restore.
    pub(crate) store: Store,
    pub(crate) shape: Shape,
    program: Program,
}

/// How much there is of what a subject consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Of the input and of the output.
    pub(crate) partitions: i32,
    pub(crate) threads: usize,
    /// In place of exactly once.
    pub(crate) at_least_once: bool,
}

impl Shape {
    /// One of each, exactly once.
    pub(crate) const PLAIN: Self = Self { partitions: 1, threads: 1, at_least_once: false };

    fn of_four(threads: usize) -> Self {
        Self { partitions: 4, threads, ..Self::PLAIN }
    }

    fn at_least_once(self) -> Self {
        Self { at_least_once: true, ..self }
    }
}

/// Where a subject keeps its counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    /// Nowhere: it does not count.
    None,
    /// In memory: every start restores.
    Memory,
    /// On disk: a start restores where it is lost.
    Disk,
}

#[derive(Clone, Debug)]
enum Program {
    Pipe,
    Count,
    /// With these options beside the common ones, and these of the JVM in place of the user's.
    Streams {
        options: Vec<&'static str>,
        java: Option<&'static str>,
    },
    /// A line of shell.
    Other(String),
}

/// How a process is told to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It closes and leaves its group when its standard input ends.
    StandardInput,
    /// So it does then, or else at SIGTERM.
    Terminate,
    /// It has nothing to close.
    Kill,
}

/// One run of a subject: what its process is told.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) brokers: String,
    pub(crate) application: String,
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) state_directory: PathBuf,
    pub(crate) commit_interval_ms: u32,
    pub(crate) compression: String,
    /// Of a thousand records, those that the pipe writes twice.
    pub(crate) changelog_per_mille: u32,
}

impl Run {
    /// Where its changelog is, by the rule that all of them share.
    pub(crate) fn changelog(&self) -> String {
        format!("{}-counts-changelog", self.application)
    }
}

/// Those with one partition and one thread.
fn plain() -> Vec<Subject> {
    let subject = |name: &str, is_default, store, program, about: &str| Subject {
        name: name.to_owned(),
        about: about.to_owned(),
        is_default,
        store,
        shape: Shape::PLAIN,
        program,
    };
    let streams = |options: &[&'static str]| Program::Streams { options: options.to_vec(), java: None };
    vec![
        subject(
            "pipe",
            true,
            Store::None,
            Program::Pipe,
            "rust-rdkafka alone: copies as many records as `topology` writes",
        ),
        subject("topology", true, Store::Disk, Program::Count, "this engine, store in RocksDB"),
        subject("topology-memory", true, Store::Memory, Program::Count, "this engine, store in memory"),
        subject("streams", true, Store::Disk, streams(&[]), "Kafka Streams, tuned, store in RocksDB"),
        subject(
            "streams-memory",
            true,
            Store::Memory,
            streams(&["--store", "memory"]),
            "Kafka Streams, tuned, store in memory",
        ),
        subject(
            "streams-transactional",
            true,
            Store::Disk,
            streams(&["--transactional", "true"]),
            "as `streams`, with enable.transactional.statestores=true",
        ),
        subject(
            "streams-default",
            false,
            Store::Disk,
            streams(&["--settings", "default"]),
            "as `streams`, with no client and no RocksDB setting changed",
        ),
        subject(
            "streams-cache",
            false,
            Store::Disk,
            streams(&["--cache-mib", "64"]),
            "as `streams`, with a record cache of 64 MiB in front of the store",
        ),
        subject(
            "streams-small-heap",
            false,
            Store::Disk,
            Program::Streams { options: Vec::new(), java: Some("-Xms128m -Xmx128m -XX:+UseSerialGC") },
            "as `streams`, with a heap of 128 MiB",
        ),
    ]
}

/// The subjects there are, without those of the user.
pub(crate) fn all() -> Vec<Subject> {
    let plain = plain();
    let (one, four, threads) = (Shape::PLAIN, Shape::of_four(1), Shape::of_four(2));
    let shapes = [
        ("at-least-once", one.at_least_once(), "at least once"),
        ("4", four, "four partitions"),
        ("4-at-least-once", four.at_least_once(), "four partitions, at least once"),
        ("4-threads", threads, "four partitions and two threads"),
        ("4-threads-at-least-once", threads.at_least_once(), "four partitions and two threads, at least once"),
    ];
    let shaped = ["topology", "streams"].into_iter().flat_map(|base| {
        let of_base = plain.iter().find(|subject| subject.name == base).cloned();
        shapes.iter().filter_map(move |(name, shape, about)| {
            let (name, about) = (format!("{base}-{name}"), format!("as `{base}`, with {about}"));
            Some(Subject { name, about, is_default: false, shape: *shape, ..of_base.clone()? })
        })
    });
    let shaped: Vec<Subject> = shaped.collect();
    plain.into_iter().chain(shaped).collect()
}

/// The engine's program in a shape of the caller's.
pub(crate) fn engine(shape: Shape) -> Subject {
    Subject {
        name: "topology".to_owned(),
        about: String::new(),
        is_default: false,
        store: Store::Disk,
        shape,
        program: Program::Count,
    }
}

/// A subject of the user's, from `NAME=COMMAND`.
pub(crate) fn other(text: &str) -> Result<Subject> {
    let parts = text.split_once('=').filter(|(name, command)| is_plain(name) && !command.trim().is_empty());
    let Some((name, command)) = parts else {
        return Err(Error::new(format!("--also '{text}': expected NAME=COMMAND, with a name of a-z 0-9 -")));
    };
    for needed in ["{brokers}", "{application}", "{input}", "{output}"] {
        if !command.contains(needed) {
            return Err(Error::new(format!("--also '{name}': the command must have {needed} in it")));
        }
    }
    Ok(Subject {
        name: name.to_owned(),
        about: "a program of the user's".to_owned(),
        is_default: true,
        store: Store::Disk,
        shape: Shape::PLAIN,
        program: Program::Other(command.to_owned()),
    })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

impl Subject {
    pub(crate) fn is_streams(&self) -> bool {
        matches!(self.program, Program::Streams { .. })
    }

    pub(crate) fn ending(&self) -> Ending {
        match self.program {
            Program::Pipe => Ending::Kill,
            Program::Count | Program::Streams { .. } => Ending::StandardInput,
            Program::Other(_) => Ending::Terminate,
        }
    }

    /// What starts it. `streams` is there where the subject needs it.
    pub(crate) fn command(&self, run: &Run, streams: Option<&streams::Built>) -> Result<Command> {
        let mut command = match &self.program {
            Program::Pipe => own("pipe")?,
            Program::Count => own("count")?,
            Program::Streams { java, .. } => {
                streams.ok_or_else(|| Error::new("Kafka Streams was not built"))?.command(*java)
            }
            Program::Other(line) => return Ok(shell(line, run)),
        };
        command.args(["--brokers", &run.brokers, "--application", &run.application]);
        command.args(["--input", &run.input, "--output", &run.output, "--compression", &run.compression]);
        command.args(["--commit-interval-ms", &run.commit_interval_ms.to_string()]);
        match &self.program {
            Program::Pipe => {
                command.args(["--changelog-per-mille", &run.changelog_per_mille.to_string()]);
            }
            Program::Count => {
                command.arg("--state-directory").arg(&run.state_directory);
                if self.store == Store::Memory {
                    command.arg("--in-memory");
                }
                let Shape { partitions, threads, at_least_once } = self.shape;
                command.args(["--partitions", &partitions.to_string(), "--threads", &threads.to_string()]);
                if at_least_once {
                    command.arg("--at-least-once");
                }
            }
            Program::Streams { options, .. } => {
                command.arg("--state-directory").arg(&run.state_directory).args(options);
                let guarantee = if self.shape.at_least_once { "at_least_once" } else { "exactly_once_v2" };
                command.args(["--threads", &self.shape.threads.to_string(), "--guarantee", guarantee]);
            }
            Program::Other(_) => {}
        }
        Ok(command)
    }
}

fn own(program: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().doing("looking for this executable")?);
    command.arg(program);
    Ok(command)
}

/// The line in place of the shell, so that its process is the one that is measured.
fn shell(line: &str, run: &Run) -> Command {
    let filled = line
        .replace("{brokers}", &run.brokers)
        .replace("{application}", &run.application)
        .replace("{input}", &run.input)
        .replace("{output}", &run.output)
        .replace("{state_directory}", &run.state_directory.to_string_lossy())
        .replace("{commit_interval_ms}", &run.commit_interval_ms.to_string())
        .replace("{compression}", &run.compression);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {filled}")]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let mut names: Vec<String> = all().into_iter().map(|subject| subject.name).collect();
        assert!(names.iter().all(|name| is_plain(name)));
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_program_of_the_users_must_take_its_topics() {
        let line = "twin=./twin {brokers} {application} {input} {output}";
        assert_eq!(other(line).unwrap().name, "twin");
        for wrong in ["twin", "=x", "Twin=./twin {brokers} {application} {input} {output}", "twin=./twin {brokers}"] {
            assert!(other(wrong).is_err(), "{wrong}");
        }
    }
}
