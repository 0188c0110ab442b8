//! `cairn export`: a chain's rows in files.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};
use topology::Class;
use topology::clock::Clock;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::output::{Align, Table, counted, grouped};
use super::pin::{PinnedChain, UNANCHORED};
use super::progress::Heights;
use super::report::{foreign, tell_broken};
use super::shell::Shell;
use super::shutdown::Supervisor;
use crate::audit::Anchor;
use crate::config::{Feature, UsesLog, topic};
use crate::export::{self, Export, Exported, Limits, Options, Subject};
use crate::reader::Reader;

const EXAMPLES: &str = "\
Examples:
  cairn export --brokers localhost:9092 --format parquet --out ./chain
  cairn export --format csv --out ./csv --from-height 100 --to-height 199
  cairn export --format parquet --out ./chain --follow
  duckdb -c \"from './chain/transfers/*.parquet' limit 10\"

Transfers, balances, validators and blocks, each in a directory of its own, with a file for each range of heights. Called \
again, it goes on where the files end; a chain or a format that is not the directory's is refused. That the blocks \
follow from each other, are sealed, and add up is checked; `cairn verify` checks all there is.

Exit code 0: exported, or nothing was new. 1: the chain is broken (what was exported below stays), or a file cannot be \
written. 2: the directory holds something else. 3: the chain could not be read. With --follow SIGTERM or Ctrl-C finishes \
the files, with exit code 0.";

/// Write transfers, balances, validators and blocks as Parquet, CSV or JSON lines
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    chain: PinnedChain,

    /// Format of the files
    // `format` alone is what `cairn topology` is written in, and a key has one meaning in all commands.
    #[arg(long, visible_alias = "format", value_name = "FORMAT", env = "CAIRN_EXPORT_FORMAT", hide_env = true)]
    export_format: Option<Format>,

    /// Directory for the files: empty, missing, or one that the same export was written to before
    #[arg(long, value_name = "DIR", env = "CAIRN_OUT", hide_env = true)]
    out: Option<PathBuf>,

    /// First height [default: where the directory's files begin, or 0]
    #[arg(long, value_name = "H", env = "CAIRN_FROM_HEIGHT", hide_env = true, value_parser = arguments::height, allow_negative_numbers = true)]
    from_height: Option<u64>,

    /// Last height [default: the tip]
    #[arg(long, value_name = "H", env = "CAIRN_TO_HEIGHT", hide_env = true, value_parser = arguments::height, allow_negative_numbers = true)]
    to_height: Option<u64>,

    #[command(flatten)]
    files: Files,
}

/// When a file ends, and when the command does.
#[derive(Debug, Args)]
struct Files {
    /// Rows after which a file ends, with the block it is at
    #[arg(long, value_name = "N", env = "CAIRN_ROWS_PER_FILE", hide_env = true, default_value = "1000000")]
    rows_per_file: NonZeroU64,

    /// Heights that a file holds at most: it does not go over a multiple of them
    #[arg(long, value_name = "N", env = "CAIRN_HEIGHTS_PER_FILE", hide_env = true, default_value = "10000")]
    heights_per_file: NonZeroU64,

    /// Go on with blocks as they are sealed, until a signal
    #[arg(long, env = "CAIRN_FOLLOW", hide_env = true, value_parser = BoolishValueParser::new())]
    follow: bool,

    /// With --follow, how often what is new goes to files, in seconds
    #[arg(long, value_name = "S", env = "CAIRN_FOLLOW_INTERVAL_S", hide_env = true, default_value = "60", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    follow_interval_s: u32,
}

/// [`export::Format`], as it is written on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Parquet,
    Csv,
    Jsonl,
}

impl From<Format> for export::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Parquet => Self::Parquet,
            Format::Csv => Self::Csv,
            Format::Jsonl => Self::Jsonl,
        }
    }
}

impl Arguments {
    /// Whether it takes signals itself, because it has something to finish.
    pub(crate) fn supervises_itself(&self) -> bool {
        self.files.follow
    }

    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let supervisor = self.files.follow.then(Supervisor::new).transpose()?;
        let (anchor, log, pause) =
            (self.chain.pin.anchor(shell)?, shell.log(&self.chain.log)?, self.files.follow_interval_s);
        let options = self.options(anchor)?;
        let pause = Duration::from_secs(pause.into());
        log.open(Work { options, pause, shell, supervisor }).map_err(|error| Error::from(error).undone())?
    }

    fn options(self, anchor: Anchor) -> Result<Options> {
        let missing = |what| Error::usage(format!("give {what}"));
        let format = self.export_format.ok_or_else(|| missing("--format parquet, csv or jsonl"))?;
        if let Format::Parquet = format {
            Feature::Parquet.require()?;
        }
        let directory = self.out.ok_or_else(|| missing("--out DIR: where should the files go?"))?;
        if let (Some(first), Some(last)) = (self.from_height, self.to_height)
            && last < first
        {
            return Err(Error::usage(format!("--to-height {last} is below --from-height {first}")));
        }
        if let (Some(last), true) = (self.to_height, self.files.follow) {
            return Err(Error::usage(format!(
                "--follow has no end, --to-height {last} has one: leave one of them out"
            )));
        }
        Ok(Options {
            blockchain: self.chain.blockchain.blockchain,
            directory,
            format: format.into(),
            from_height: self.from_height,
            to_height: self.to_height,
            limits: Limits { heights: self.files.heights_per_file, rows: self.files.rows_per_file },
            anchor,
            is_followed: self.files.follow,
        })
    }
}

struct Work<'w> {
    options: Options,
    pause: Duration,
    shell: &'w Shell,
    /// Where it goes on until a signal.
    supervisor: Option<Supervisor>,
}

impl UsesLog for Work<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(mut self, log: L) -> Result<Exit> {
        let stop = Stop::default();
        let Some(mut supervisor) = self.supervisor.take() else { return self.work(&log, &stop) };
        std::thread::scope(|scope| {
            // Dropped with the thread, however that ends.
            let (ends, mut ended) = tokio::sync::oneshot::channel::<()>();
            let (work, log, stop) = (&self, &log, &stop);
            let worker = scope.spawn(move || {
                let _ends = ends;
                work.work(log, stop)
            });
            supervisor.wait(async |shutdown| {
                tokio::select! {
                    _ = &mut ended => return,
                    request = shutdown.asked() => {
                        tracing::info!("{request}: finishing the files; once more ends at once");
                        stop.ask();
                    }
                }
                tokio::select! {
                    _ = &mut ended => {}
                    _ = shutdown.asked() => {}
                }
            });
            worker.join().map_err(|_| Error::failed("a thread of the command panicked"))?
        })
    }
}

impl Work<'_> {
    fn work<L: Log>(&self, log: &L, stop: &Stop) -> Result<Exit> {
        match self.export(log, stop) {
            Ok(()) => Ok(Exit::Done),
            Err(Failure::Export(error)) => self.tell_failure(error),
            Err(Failure::Command(error)) => Err(error),
        }
    }

    fn export<L: Log>(&self, log: &L, stop: &Stop) -> Result<(), Failure> {
        let Self { options, shell, .. } = self;
        let last = self.last_height(log)?;
        let mut export = Export::open(log, &shell.clock, options)?;
        // There until a first round has come to the end of the topic.
        let mut heights = Some(Heights::up_to("exporting", &shell.clock, last));
        loop {
            let (begun_ms, mut done) = (shell.clock.monotonic_ms(), Exported::default());
            let mut pass = |height| heights.iter_mut().for_each(|heights| heights.pass(height));
            let failed = match export.round(&mut done, &mut pass, &|| stop.is_asked()) {
                Err(export::Error::Unread(error)) if options.is_followed && error.class() == Class::Retry => {
                    Some(error)
                }
                read => read.map(|()| None)?,
            };
            let is_first = failed.is_none() && heights.take().is_some();
            if is_first || failed.is_some() {
                keep_state(&mut export)?;
            }
            if is_first || done.heights.is_some() {
                self.tell(&export, &done, shell.clock.monotonic_ms() - begun_ms)?;
            }
            if let Some(error) = failed {
                tracing::warn!("{error}; trying again in {} s", self.pause.as_secs());
            }
            if !options.is_followed {
                return Ok(());
            }
            if stop.is_asked_within(self.pause) {
                return Ok(keep_state(&mut export)?);
            }
        }
    }

    /// The last height that there will be, as far as that is known.
    fn last_height<L: Log>(&self, log: &L) -> Result<Option<u64>> {
        let Options { blockchain, from_height, to_height, is_followed, .. } = &self.options;
        // A tip that cannot be read is for the export to judge, which may end before it.
        let reader = Reader::new(log, &self.shell.clock, "cairn-export");
        let Ok(Some(tip)) = topic::last_block(&reader, blockchain) else { return Ok(None) };
        let tip = tip.header.height;
        for (option, asked) in [("--from-height", from_height), ("--to-height", to_height)] {
            if let Some(asked) = asked.filter(|asked| *asked > tip && !is_followed) {
                return Err(Error::usage(format!("{option} {asked}: the chain ends at height {tip}")));
            }
        }
        Ok(Some(to_height.unwrap_or(tip)))
    }

    fn tell<L: Log>(&self, export: &Export<'_, L>, done: &Exported, took_ms: i64) -> Result<()> {
        // A follower that has begun has nothing to say yet.
        let Some(Subject { chain_id, genesis_hash }) = export.subject() else { return Ok(()) };
        let seconds = format!("{:.1}", Duration::from_millis(took_ms.unsigned_abs()).as_secs_f64());
        let anchored = self.options.anchor != Anchor::None;
        if self.shell.json {
            let table = |of: fn(&(u64, u64)) -> u64| -> serde_json::Map<String, serde_json::Value> {
                let names = export::Table::ALL.iter().map(|table| table.name().to_owned());
                names.zip(done.tables.iter().map(|table| of(table).into())).collect()
            };
            let line = serde_json::json!({
                "result": "exported",
                "chain_id": chain_id,
                "genesis_hash": genesis_hash,
                "from_height": done.heights.map(|(first, _)| first),
                "height": done.heights.map(|(_, last)| last),
                "block_hash": done.block_hash,
                "rows": table(|(rows, _)| *rows),
                "bytes": table(|(_, bytes)| *bytes),
                "files": done.file_count,
                "seconds": seconds.parse::<f64>().unwrap_or_default(),
                "foreign_records": done.foreign_count,
                "anchored": anchored,
            });
            return self.shell.print(&line.to_string());
        }
        let directory = self.options.directory.display();
        let Some((first, last)) = done.heights else {
            let height = export
                .published_height()
                .map_or("no height yet".to_owned(), |height| format!("heights up to {}", grouped(height)));
            return self.shell.print(&format!("nothing new: {directory} holds {height}"));
        };
        let mut table = Table::new(&[("table", Align::Left), ("rows", Align::Right), ("bytes", Align::Right)]);
        for (name, (rows, bytes)) in export::Table::ALL.iter().zip(done.tables) {
            table.row([name.name().to_owned(), grouped(rows), grouped(bytes)]);
        }
        let mut text = format!(
            "exported    heights {} to {} into {directory}: {}, {seconds} s\nblock hash  {}\nchain       {chain_id}\ngenesis     \
             {genesis_hash}\n{}\n{table}",
            grouped(first),
            grouped(last),
            counted(done.file_count, "file"),
            done.block_hash.map(|hash| hash.to_string()).unwrap_or_default(),
            foreign(done.foreign_count),
        );
        if !anchored {
            text += &format!("\n{UNANCHORED}\n");
        }
        self.shell.print(&text)
    }

    fn tell_failure(&self, error: export::Error) -> Result<Exit> {
        match error {
            export::Error::Broken(broken) => {
                self.shell.print(&tell_broken(&broken, self.shell))?;
                Ok(Exit::Failed)
            }
            export::Error::Unread(error) => Err(Error::from(error).undone()),
            export::Error::Refused(text) => Err(Error::usage(text)),
            error @ export::Error::File { .. } => Err(Error::failed(error.to_string())),
        }
    }
}

/// Keeps what saves the next call time. Where there is no room for it, the files are there all the same.
fn keep_state<L: Log>(export: &mut Export<'_, L>) -> Result<(), export::Error> {
    match export.keep_state() {
        Err(error @ export::Error::File { .. }) => {
            tracing::warn!("{error}: the next call follows the chain from its beginning");
            Ok(())
        }
        kept => kept,
    }
}

/// Why the work ended.
enum Failure {
    Export(export::Error),
    Command(Error),
}

impl From<export::Error> for Failure {
    fn from(error: export::Error) -> Self {
        Self::Export(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Command(error)
    }
}

/// Whether somebody asked for the end.
#[derive(Debug, Default)]
struct Stop {
    is_asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn ask(&self) {
        *self.is_asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    fn is_asked(&self) -> bool {
        *self.is_asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long, or until the end is asked for; whether it is.
    fn is_asked_within(&self, pause: Duration) -> bool {
        let asked = self.is_asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(asked, pause, |is_asked| !*is_asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
