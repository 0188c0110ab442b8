//! What arrived earlier under a submission's name, and whether the input begins with the same lines.

use std::ops::ControlFlow;

use topology::log::{Log, Offset, Start, TopicPartition};

use super::super::error::{Error, Result};
use super::mark::{Fingerprint, Mark};
use crate::reader::Reader;

/// The lines that arrived. Sixteen bytes each are kept of them.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    name: String,
    /// By number.
    marks: Vec<Mark>,
    /// How many of them were compared with the input.
    compared_count: usize,
    /// Where the last line lies.
    last: Option<(TopicPartition, Offset)>,
    /// Whether the topic has lost records, so that the first lines may have gone with them.
    is_cut: bool,
}

impl Earlier {
    /// Reads the partitions from their beginning. `is_cut`: they begin with a later record than their first one.
    pub(super) fn read<L: Log>(
        reader: &Reader<'_, L>,
        partitions: &[TopicPartition],
        name: &str,
        is_cut: bool,
    ) -> Result<Self> {
        let from: Vec<_> = partitions.iter().map(|partition| (partition.clone(), Start::Beginning)).collect();
        let mut earlier = Self { name: name.to_owned(), is_cut, ..Self::default() };
        let (mut last_line, mut illegible) = (0, None);
        reader.read(&from, |partition, records| {
            for record in records {
                match Mark::of(record, name) {
                    None => {}
                    Some(Ok(mark)) => {
                        if mark.line >= last_line {
                            last_line = mark.line;
                            earlier.last = Some((partition.clone(), record.offset));
                        }
                        earlier.marks.push(mark);
                    }
                    Some(Err(_)) => {
                        illegible = Some((partition.clone(), record.offset));
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some((partition, offset)) = illegible {
            return Err(Error::usage(format!(
                "the record at offset {offset} of {partition} says that it is of submission '{name}', and not which line: \
                 another program wrote it. Find out which; another --submission name sends all lines"
            )));
        }
        earlier.marks.sort_unstable();
        earlier.marks.dedup();
        Ok(earlier)
    }

    /// The number of the last line that arrived; 0 if none did.
    pub(super) fn last_line(&self) -> u64 {
        self.marks.last().map_or(0, |mark| mark.line)
    }

    /// How many lines arrived.
    pub(super) fn line_count(&self) -> u64 {
        self.marks.len() as u64
    }

    /// Compares a line of the input, not behind the last one that arrived. To be called with one after the other.
    pub(super) fn compare(&mut self, line: u64, fingerprint: Fingerprint) -> Result<()> {
        let name = &self.name;
        match self.marks.get(self.compared_count) {
            Some(arrived) if arrived.line == line && arrived.fingerprint == fingerprint => {
                self.compared_count += 1;
                Ok(())
            }
            // What retention has taken is taken for the same.
            Some(arrived) if arrived.line > line && self.is_cut && self.compared_count == 0 => Ok(()),
            Some(arrived) if arrived.line < line => Err(self.lacking(*arrived)),
            Some(arrived) if arrived.line > line => Err(Error::usage(format!(
                "line {line} did not arrive under submission '{name}', and line {} did{}: nothing was sent; give another \
                 --submission name",
                arrived.line,
                self.where_the_last_lies()
            ))),
            _ => Err(Error::usage(format!(
                "line {line} differs from what arrived as line {line} of submission '{name}'; give another --submission name \
                 (nothing was sent)"
            ))),
        }
    }

    /// When the input goes on behind the lines that arrived, or ends: whether it had all of them. `last_line` is the
    /// last that was compared.
    pub(super) fn end(&self, last_line: u64) -> Result<()> {
        match self.marks.get(self.compared_count) {
            None => Ok(()),
            Some(arrived) if arrived.line <= last_line => Err(self.lacking(*arrived)),
            Some(_) => Err(Error::usage(format!(
                "the input ends with line {last_line}, and line {} of submission '{}' arrived{}: it is shorter than what \
                 was sent, or another program wrote that record. Give the whole input, or another --submission name, which \
                 sends all lines",
                self.last_line(),
                self.name,
                self.where_the_last_lies()
            ))),
        }
    }

    fn lacking(&self, arrived: Mark) -> Error {
        let (line, name) = (arrived.line, &self.name);
        Error::usage(format!(
            "line {line} differs from what arrived as line {line} of submission '{name}': it is empty, or two records say that \
             they are this line; give another --submission name (nothing was sent)"
        ))
    }

    fn where_the_last_lies(&self) -> String {
        let place = |(partition, offset): &(TopicPartition, Offset)| format!(" (offset {offset} of {partition})");
        self.last.as_ref().map(place).unwrap_or_default()
    }
}
