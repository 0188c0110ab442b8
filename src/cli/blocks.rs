//! `cairn blocks`: what became of each record, block by block.

use std::ops::ControlFlow;

use clap::Args;
use topology::log::{Log, Record, Start};

use super::arguments;
use super::error::{Error, Exit, Result};
use super::shell::Shell;
use crate::chain::{self, Block, Content, Name, Outcome, Read};
use crate::config::{UsesLog, topic};
use crate::reader::Reader;

const EXAMPLES: &str = "\
Examples:
  cairn blocks --brokers localhost:9092
  cairn blocks --from-height 100 --limit 10
  cairn blocks --json | jq .header.time_ms

A line for each record that is in a block: the block's height, the record's partition and offset on the \
transactions topic (as `cairn prove transaction` takes them), the payment, and what became of it; long names are cut short. \
With --json a line for each block: the record's value as it stands on the topic. \
Nothing but each block by itself is checked; `cairn verify` checks the chain.

Exit code 0: shown. 1: a record is not the block that its key says. 3: could not be read: no broker, no such topic, \
blocks of a newer program.";

/// Show the blocks' records with their receipts: what was applied, what was not and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    log: arguments::Log,
    #[command(flatten)]
    blockchain: arguments::Blockchain,

    /// First height to show
    #[arg(long, value_name = "H", env = "CAIRN_FROM_HEIGHT", hide_env = true, default_value = "0", value_parser = arguments::height, allow_negative_numbers = true)]
    from_height: u64,

    /// Last height to show [default: the tip]
    #[arg(long, value_name = "H", env = "CAIRN_TO_HEIGHT", hide_env = true, value_parser = arguments::height, allow_negative_numbers = true)]
    to_height: Option<u64>,

    /// Show at most so many blocks; without --json, of those that hold records [default: all]
    #[arg(long, value_name = "N", env = "CAIRN_LIMIT", hide_env = true, value_parser = arguments::count, allow_negative_numbers = true)]
    limit: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        if let Some(last) = self.to_height.filter(|last| *last < self.from_height) {
            return Err(Error::usage(format!("--to-height {last} is below --from-height {}", self.from_height)));
        }
        shell.log(&self.log)?.open(Blocks { arguments: self, shell }).map_err(|error| Error::from(error).undone())?
    }
}

struct Blocks<'b> {
    arguments: Arguments,
    shell: &'b Shell,
}

impl UsesLog for Blocks<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, shell } = self;
        let topic = &arguments.blockchain.blockchain;
        let reader = Reader::new(&log, &shell.clock, "cairn-blocks");
        let partition = reader.chain_partition(topic).map_err(|error| Error::from(error).undone())?;
        if !shell.json {
            shell.print(&row(["height", "record", "from", "to", "amount", "outcome"]))?;
        }
        let mut seen = Seen::default();
        let mut shown = Ok(());
        let read = reader.read(&[(partition, Start::Beginning)], |_, records| {
            // A batch at a time, which bounds the memory.
            let mut lines = String::new();
            let mut flow = ControlFlow::Continue(());
            for record in records {
                match arguments.lines_of(record, &mut seen, shell.json, &mut lines) {
                    Ok(next) => flow = next,
                    Err(error) => {
                        shown = Err(topic::Error::of_record(topic, error).into());
                        flow = ControlFlow::Break(());
                    }
                }
                if flow.is_break() {
                    break;
                }
            }
            // What could be written before a failure is shown.
            let goes_on = shell.write(&lines).unwrap_or_else(|error| {
                shown = Err(error);
                false
            });
            Ok(if goes_on { flow } else { ControlFlow::Break(()) })
        });
        read.map_err(|error| Error::from(error).undone())?;
        shown?;
        arguments.tell_nothing(&seen, shell.json);
        Ok(Exit::Done)
    }
}

/// What was read of the topic.
#[derive(Default)]
struct Seen {
    /// The last height up to the one that was asked for.
    last_height: Option<u64>,
    shown_count: u64,
}

impl Arguments {
    /// Says why nothing is shown, where nothing is.
    fn tell_nothing(&self, seen: &Seen, json: bool) {
        let topic = &self.blockchain.blockchain;
        match seen.last_height {
            _ if seen.shown_count > 0 => {}
            Some(last) if last < self.from_height => {
                tracing::info!(
                    "topic '{topic}' ends at height {last}: it has no block of --from-height {}",
                    self.from_height
                );
            }
            Some(last) if !json => {
                let from = self.from_height;
                tracing::info!("the blocks from height {from} to {last} hold no records; --json shows them");
            }
            Some(_) => {}
            None => tracing::info!("topic '{topic}' holds no block yet"),
        }
    }

    /// Adds the lines of a record's block, if it is to be shown. Breaks off behind the last one that is.
    fn lines_of(
        &self,
        record: &Record<'_>,
        seen: &mut Seen,
        json: bool,
        lines: &mut String,
    ) -> chain::Result<ControlFlow<()>> {
        // Whole blocks are read of those heights only that are shown.
        let Some(height) = Block::height_of_key(record.key) else { return Ok(ControlFlow::Continue(())) };
        if self.to_height.is_some_and(|last| height > last) || self.limit.is_some_and(|limit| seen.shown_count >= limit)
        {
            return Ok(ControlFlow::Break(()));
        }
        seen.last_height = Some(height);
        if height < self.from_height {
            return Ok(ControlFlow::Continue(()));
        }
        match Block::from_record(record.key, record.value)? {
            Read::Foreign => return Ok(ControlFlow::Continue(())),
            Read::Pruned(_) if !json => *lines += &row([&height.to_string(), "-", "-", "-", "-", "body was pruned"]),
            Read::Block(block) if !json => {
                block.check()?;
                if block.entries.is_empty() {
                    return Ok(ControlFlow::Continue(()));
                }
                add_rows(&block, lines);
            }
            Read::Block(_) | Read::Pruned(_) => {
                *lines += &String::from_utf8_lossy(record.value.unwrap_or_default());
                lines.push('\n');
            }
        }
        seen.shown_count += 1;
        Ok(ControlFlow::Continue(()))
    }
}

fn add_rows(block: &Block, lines: &mut String) {
    let height = block.header.height.to_string();
    for entry in &block.entries {
        let record = format!("{}:{}", entry.origin.partition, entry.origin.offset);
        *lines += &match &entry.content {
            Content::Transaction { transaction, receipt } => {
                let amount = transaction.amount.to_string();
                let outcome = match receipt.outcome {
                    Outcome::Applied => "applied".to_owned(),
                    Outcome::Rejected(reason) => format!("rejected: {reason}"),
                };
                row([&height, &record, &short(&transaction.from), &short(&transaction.to), &amount, &outcome])
            }
            Content::Stub { reason, .. } => row([&height, &record, "-", "-", "-", &format!("unreadable: {reason}")]),
        };
    }
}

/// A name, or its beginning where it would break the columns.
fn short(name: &Name) -> String {
    const WIDTH_MAX: usize = 24;
    let name = name.as_str();
    match name.char_indices().nth(WIDTH_MAX) {
        None => name.to_owned(),
        Some(_) => name.chars().take(WIDTH_MAX - 1).chain(['\u{2026}']).collect(),
    }
}

/// Columns that are wide enough for short names. Nothing is known of the rows to come.
fn row(cells: [&str; 6]) -> String {
    let [height, record, from, to, amount, outcome] = cells;
    format!("{height:>6}  {record:>10}  {from:<12}  {to:<12}  {amount:>12}  {outcome}\n")
}
