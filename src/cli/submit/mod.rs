//! `cairn submit`: lines of JSON to the transactions topic.
//!
//! ```text
//! lines       input into chunks of whole lines, checked as they are read
//! signing     lines signed as they are read
//! delivery    chunks into the topic, each in one transaction, whatever happens to the producer
//! ```

mod delivery;
mod lines;
mod signing;

use std::io::{IsTerminal, Read};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand::Rng;
use topology::clock::Clock;
use topology::log::{Log, TopicSpec};

use super::arguments;
use super::error::{Error, Exit, Result};
use super::output::grouped;
use super::shell::Shell;
use crate::chain::Name;
use crate::config::account::Account;
use crate::config::{UsesLog, key_file};
use crate::reader::Reader;
use delivery::Delivery;
use lines::{Bad, Chunk, Lines};
use signing::Signer;

const EXAMPLES: &str = "\
Examples:
  echo '{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}' | cairn submit --brokers localhost:9092
  cairn submit --brokers localhost:9092 payments.jsonl
  cairn submit --check payments.jsonl                         check the lines, send nothing
  cairn submit --brokers localhost:9092 --submission may-31 payments.jsonl
  cairn submit --brokers localhost:9092 --sign-with alice.key payments.jsonl
  cairn submit --brokers localhost:9092 --sign-with validators.keys --from '$validator-1' payout.jsonl

Each line is one transaction; empty lines are skipped; the record's key is the sender. A file is
checked whole before anything is sent, a pipe as it comes: the first line that is no transaction ends
it with exit code 2, unless --force sends such lines, too (they become stubs in a block).

Lines go out in transactions of many lines. Within one run each line arrives exactly once, whatever
happens to brokers and connections. A run that was killed and is started again sends all lines again,
unless it has a --submission name: then it continues behind the last line that arrived under this
name, for as long as the topic keeps those records. The lines must be the same.

With --sign-with each line is signed for the chain on --blockchain, and its `from` may be left out. A
line without a `nonce` gets an id, made of the --submission name, the line's number and what it says,
and a `valid_until`. So the same lines submitted again are not paid again, for as long as the chain
remembers ids (ids.remember_blocks); to pay them again, give another --submission name. With the same
--valid-until, too, they are never paid again.";

/// Send transactions, one per line, as JSON
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    log: arguments::Log,
    #[command(flatten)]
    transactions: arguments::Transactions,
    #[command(flatten)]
    blockchain: arguments::Blockchain,

    /// File to read [default: -, which is stdin]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Only check the lines; needs no log
    #[arg(long, env = "CAIRN_CHECK", hide_env = true, value_parser = BoolishValueParser::new())]
    check: bool,

    /// Send lines that are no transactions, too
    #[arg(long, env = "CAIRN_FORCE", hide_env = true, value_parser = BoolishValueParser::new())]
    force: bool,

    /// Name of this submission: a repeated run continues where the last one ended, if the topic still has that
    #[arg(long, value_name = "NAME", env = "CAIRN_SUBMISSION", hide_env = true, value_parser = submission)]
    submission: Option<String>,

    /// Sign each line with this key file: of an account (see `cairn keys --account`), or of validators
    #[arg(long, value_name = "KEY_FILE", env = "CAIRN_SIGN_WITH", hide_env = true)]
    sign_with: Option<PathBuf>,

    /// The account that signs, where the key file speaks for several: '$validator-1' for what validator-1 has earned
    #[arg(long, value_name = "NAME", env = "CAIRN_FROM", hide_env = true, value_parser = name)]
    from: Option<Name>,

    /// Last active height at which signed lines may be applied [default: as long as the chain remembers ids]
    #[arg(long, value_name = "HEIGHT", env = "CAIRN_VALID_UNTIL", hide_env = true)]
    valid_until: Option<u64>,
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

fn submission(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=100).contains(&text.len()) && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 100 of a-z A-Z 0-9 . _ -".to_owned())
    }
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let signer = self.signer()?;
        if self.check {
            return check(shell, self.input()?, signer.as_ref());
        }
        let settings = shell.log(&self.log)?;
        // A pipe cannot be read twice; a file is checked before anything of it is sent.
        if !self.force && self.regular_file().is_some() && check_lines(self.input()?, signer.as_ref())?.report() {
            let how = if signer.is_some() { "" } else { ", or send them as they are with --force" };
            return Err(Error::usage(format!("nothing was sent: mend these lines{how}")));
        }
        settings.open(Submit { arguments: self, shell, signer })?
    }

    fn signer(&self) -> Result<Option<Signer>> {
        let Some(path) = &self.sign_with else {
            return match (&self.from, self.valid_until) {
                (None, None) => Ok(None),
                _ => Err(Error::usage("--from and --valid-until are for signed lines: give --sign-with KEY_FILE, too")),
            };
        };
        if self.force {
            return Err(Error::usage(
                "--force sends lines that are no transactions, which --sign-with cannot sign: leave one out",
            ));
        }
        Ok(Some(Signer::new(Account::read(path, self.from.as_ref())?, self.submission.as_deref())))
    }

    fn input(&self) -> Result<Box<dyn Read + Send>> {
        match &self.file {
            Some(path) if path.as_os_str() != "-" => {
                let file = std::fs::File::open(path)
                    .map_err(|error| Error::usage(format!("cannot read {}: {error}", path.display())))?;
                Ok(Box::new(file))
            }
            _ => {
                if std::io::stdin().is_terminal() {
                    tracing::info!("type transactions, one per line; Ctrl-D on an empty line ends");
                }
                Ok(Box::new(std::io::stdin()))
            }
        }
    }

    /// The size in bytes of an input that can be read twice.
    fn regular_file(&self) -> Option<u64> {
        let path = self.file.as_ref().filter(|path| path.as_os_str() != "-")?;
        path.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len())
    }
}

/// What checking found.
#[derive(Default)]
struct Checked {
    line_count: u64,
    bad_count: u64,
    /// The first of them.
    bad: Vec<Bad>,
}

/// How many bad lines are told one by one.
const TOLD_MAX: usize = 10;

fn check_lines(input: Box<dyn Read + Send>, signer: Option<&Signer>) -> Result<Checked> {
    let mut checked = Checked::default();
    let mut lines = Lines::new(input, signer);
    while let Some(chunk) = lines.next()? {
        checked.line_count += chunk.len() as u64;
        checked.bad_count += chunk.bad.len() as u64;
        let room = TOLD_MAX - checked.bad.len();
        checked.bad.extend(chunk.bad.into_iter().take(room));
    }
    Ok(checked)
}

impl Checked {
    /// Tells bad lines on stderr; whether there are any.
    fn report(&self) -> bool {
        for bad in &self.bad {
            eprintln!("{bad}");
        }
        if self.bad_count > self.bad.len() as u64 {
            eprintln!("... and {} more", grouped(self.bad_count - self.bad.len() as u64));
        }
        self.bad_count > 0
    }
}

fn check(shell: &Shell, input: Box<dyn Read + Send>, signer: Option<&Signer>) -> Result<Exit> {
    let checked = check_lines(input, signer)?;
    let is_bad = checked.report();
    let (lines, bad) = (checked.line_count, checked.bad_count);
    if shell.json {
        shell.print(&serde_json::json!({ "lines": lines, "unreadable": bad }).to_string())?;
    } else {
        shell.print(&format!("{} lines, {} of them no transactions", grouped(lines), grouped(bad)))?;
    }
    Ok(if is_bad { Exit::Usage } else { Exit::Done })
}

struct Submit<'s> {
    arguments: Arguments,
    shell: &'s Shell,
    signer: Option<Signer>,
}

impl UsesLog for Submit<'_> {
    type Output = Result<Exit>;
    const MAKES_LOG: bool = true;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { arguments, shell, mut signer } = self;
        let topic = &arguments.transactions.transactions;
        if let Some(signer) = &mut signer {
            let reader = Reader::new(&log, &shell.clock, "cairn-submit");
            signer.sign_for(signing::Chain::read(&reader, &arguments.blockchain.blockchain, arguments.valid_until)?);
        }
        create_if_missing(&log, topic)?;
        let start_ms = shell.clock.monotonic_ms();
        let bar = progress_bar(arguments.regular_file());
        let mut delivery = match &arguments.submission {
            Some(name) => Delivery::resume(log, topic, name, &shell.clock)?,
            None => Delivery::new(log, topic, &random_name()?, &shell.clock)?,
        };
        if delivery.skipped_line_count() > 0 {
            tracing::info!("continuing behind line {}", delivery.skipped_line_count());
        }
        let bad = pump(arguments.input()?, signer.as_ref(), arguments.force, &mut delivery, &bar);
        bar.finish_and_clear();
        let bad = bad?;
        let report = delivery.report();
        let took_ms = shell.clock.monotonic_ms().saturating_sub(start_ms).max(1);
        tell(shell, &report, signer.as_ref(), took_ms)?;
        match bad {
            Some(bad) => {
                eprintln!("{bad}");
                Err(Error::usage(format!(
                    "line {} {}, and was not sent, nor was anything after it{}",
                    bad.line,
                    if signer.is_some() { "cannot be signed" } else { "is no transaction" },
                    if signer.is_some() { "" } else { "; --force sends such lines too" }
                )))
            }
            None => Ok(Exit::Done),
        }
    }
}

/// Sends all chunks; stops at the first bad line unless forced, and gives it back.
fn pump<L: Log>(
    input: Box<dyn Read + Send>,
    signer: Option<&Signer>,
    force: bool,
    delivery: &mut Delivery<'_, L>,
    bar: &ProgressBar,
) -> Result<Option<Bad>> {
    // Checking and sending take turns on two threads; a chunk waits in between, no more.
    let (chunks_in, chunks) = std::sync::mpsc::sync_channel::<Result<Chunk>>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut lines = Lines::new(input, signer);
            // The receiver is gone once a chunk could not be sent, or a line was bad.
            while let Some(chunk) = lines.next().transpose() {
                if chunks_in.send(chunk).is_err() {
                    return;
                }
            }
        });
        // Moved in here, so that it is dropped, and the thread ends, before the scope waits for it.
        let chunks = chunks;
        for chunk in chunks.iter() {
            let mut chunk = chunk?;
            let bad = if force { None } else { chunk.cut_before_bad() };
            delivery.send(&chunk)?;
            bar.inc(chunk.input_size_bytes);
            if bad.is_some() {
                return Ok(bad);
            }
        }
        Ok(None)
    })
}

fn create_if_missing<L: Log>(log: &L, topic: &str) -> Result<()> {
    if log.describe_topic(topic)?.is_none() {
        tracing::info!(topic, "creating topic with one partition");
        let spec =
            TopicSpec { name: topic.to_owned(), partition_count: 1, replication_factor: None, config: Vec::new() };
        log.create_topics(&[spec])?;
    }
    Ok(())
}

fn random_name() -> Result<String> {
    let mut bytes = [0; 8];
    key_file::system_rng()?.fill_bytes(&mut bytes);
    Ok(hex::encode(bytes))
}

fn progress_bar(size_bytes: Option<u64>) -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let (bar, template) = match size_bytes {
        Some(size) => (ProgressBar::new(size), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    bar.set_draw_target(target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn tell(shell: &Shell, report: &delivery::Report, signer: Option<&Signer>, took_ms: i64) -> Result<()> {
    let seconds = took_ms as f64 / 1_000.0;
    let rate = (report.record_count as f64 / seconds).round() as i64;
    if shell.json {
        let line = serde_json::json!({
            "sent": report.record_count,
            "bytes": report.size_bytes,
            "unreadable": report.unreadable_count,
            "skipped": report.skipped_line_count,
            "repeated_transactions": report.repeat_count,
            "submission": report.submission,
            "seconds": seconds,
            "records_per_second": rate,
            "account": signer.map(|signer| signer.name().as_str()),
            "valid_until": signer.and_then(Signer::valid_until),
        });
        return shell.print(&line.to_string());
    }
    let noun = if report.record_count == 1 { "record" } else { "records" };
    let mut text = format!(
        "sent {} {noun}, {} bytes in {seconds:.1} s ({}/s)",
        grouped(report.record_count),
        grouped(report.size_bytes),
        grouped(rate)
    );
    if report.unreadable_count > 0 {
        text += &format!("; {} of them are no transactions", grouped(report.unreadable_count));
    }
    if report.skipped_line_count > 0 {
        text += &format!("; {} lines had arrived before", grouped(report.skipped_line_count));
    }
    if let Some(signer) = signer {
        text += &format!("\nsigned as {}", signer.name());
        if let Some(height) = signer.valid_until() {
            text += &format!(", valid until active height {}", grouped(i128::from(height)));
        }
    }
    shell.print(&text)
}
