//! `cairn submit`: lines of JSON to the transactions topic.
//!
//! ```text
//! chain       the chain that lines are for
//! format      inputs as people have them, into lines of JSON
//! input       a file, which is checked whole first, or stdin
//! lines       input into chunks of whole lines, checked as they are read
//! signing     lines signed as they are read
//! mark        the header by which a record says which line it is
//! earlier     what arrived earlier under the same name, and whether the input begins with it
//! delivery    chunks into the topic, each in one transaction, whatever happens to the producer
//! report      what is said of it
//! ```

mod chain;
mod delivery;
mod earlier;
mod format;
mod input;
mod lines;
mod mark;
mod report;
mod signing;

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use rand::Rng;
use topology::clock::Clock;
use topology::log::{Log, TopicSpec};

use super::arguments;
use super::error::{Error, Exit, Result};
use super::pin::Pin;
use super::progress;
use super::shell::Shell;
use crate::chain::{Name, Signatures};
use crate::checkpoint::Checkpoint;
use crate::config::account::AccountKey;
use crate::config::{UsesLog, checkpoint_file, key_file};
use crate::reader::Reader;
use chain::{Chain, Wanted};
use delivery::{Delivered, Delivery};
use format::Source;
use input::Input;
use lines::{Bad, Chunk, Lines, Preparation};
use signing::Signer;

const EXAMPLES: &str = "\
Examples:
  cairn submit --brokers localhost:9092 payments.jsonl
  echo '{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}' | cairn submit
  cairn submit --check payments.jsonl       check the lines, send nothing
  cairn submit payments.csv.gz              a table, packed
  cairn submit --submission may-31 payments.jsonl
  cairn submit --sign-with alice.key --genesis-hash 5f1c... payments.jsonl
  cairn submit --sign-with validators.keys --from '$validator-1' payout.jsonl

Each line is one transaction, as JSON; empty lines are skipped; the record's key is the sender. A list of them is \
read, too, and a table (CSV) whose first line names the columns, such as from,to,amount,memo: each entry or row is sent \
as one line of JSON, and counts as a line. What is packed with gzip or zstd is unpacked. A file is checked whole \
before anything is sent, a pipe as it comes: the first line that is no transaction ends it with exit code 2, unless \
--force sends such lines, too (they become stubs in a block). Where the blockchain topic holds a chain that asks for \
signatures, a line without one is refused in the same way.

Sent is not applied: a payment can still be rejected, and its receipt in a block decides (`cairn blocks`).

Lines go out in transactions of many lines. Within one run each line arrives exactly once, whatever happens to \
brokers and connections. A run that was killed and is started again sends all lines again, unless it has a \
--submission name: then it continues behind the last line that arrived under this name, for as long as the topic \
keeps those records. Lines that differ from what arrived in their place are refused, and so is an input that is \
shorter.

With --sign-with each line is signed for the chain on --blockchain, and its `from` may be left out. Say with \
--genesis-hash, --genesis or --checkpoint which chain that must be: what is signed for another one is worth nothing \
on yours, and something there. A line without a `nonce` gets an id, made of the --submission name, the line's number \
and what it says, and a `valid_until`. So the same lines submitted again are not paid again, for as long as the \
chain remembers ids (ids.remember_blocks); to pay them again, give another --submission name. With the same \
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
    #[command(flatten)]
    pin: Pin,

    /// File of `cairn verify --checkpoint` or `cairn checkpoint`: the chain must be that one, and reach as far
    #[arg(long, value_name = "FILE", env = "CAIRN_CHECKPOINT", hide_env = true)]
    checkpoint: Option<PathBuf>,

    /// File to read [default: -, which is stdin]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// Only check the lines; needs no log
    #[arg(long, env = "CAIRN_CHECK", hide_env = true, value_parser = BoolishValueParser::new())]
    check: bool,

    /// Send lines that are no transactions, too, and unsigned ones whatever the chain asks for
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

    /// Last active height at which lines that are signed, and say none, may be applied [default: as long as the chain
    /// remembers ids]
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
        let preparation = match self.signer()? {
            Some(signer) => Preparation::Signed(Box::new(signer)),
            None => Preparation::AsWritten(None),
        };
        if self.check {
            return report::check(shell, &self.source().check(&preparation, 0)?, &preparation);
        }
        let wanted = Wanted { anchor: self.pin.anchor(shell)?, checkpoint: self.checkpoint()? };
        let settings = shell.log(&self.log)?;
        // A pipe cannot be read twice; a file is checked before anything of it is sent, and as far as it can be before
        // anybody is asked.
        self.source().refuse_bad_lines(&preparation, 0, self.force)?;
        settings.open(Submit { arguments: self, shell, preparation, wanted })?
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
        let account = AccountKey::read(path, self.from.as_ref())?;
        Ok(Some(Signer::new(account, self.submission.as_deref(), self.valid_until)))
    }

    fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        let Some(path) = &self.checkpoint else { return Ok(None) };
        let checkpoint = checkpoint_file::read_existing(path)?.checkpoint().clone();
        match checkpoint.genesis() {
            Some(_) => Ok(Some(checkpoint)),
            None => Err(Error::usage(format!("{} is a checkpoint of no chain: {}", path.display(), checkpoint.origin))),
        }
    }

    fn source(&self) -> Input<'_> {
        Input::new(self.file.as_deref())
    }
}

struct Submit<'s> {
    arguments: Arguments,
    shell: &'s Shell,
    preparation: Preparation,
    wanted: Wanted,
}

impl UsesLog for Submit<'_> {
    type Output = Result<Exit>;

    fn makes_log(&self) -> bool {
        // Where a chain is needed, a log that is not there has none.
        matches!(self.preparation, Preparation::AsWritten(_))
    }

    fn with<L: Log>(mut self, log: L) -> Result<Exit> {
        // Where no broker answers, this says so, before anything else is asked.
        log.describe_topic(&self.arguments.transactions.transactions)?;
        let reader = Reader::new(&log, &self.shell.clock, "cairn-submit");
        self.look_at_the_chain(&reader)?;
        let Self { arguments, shell, preparation, .. } = self;
        let topic = &arguments.transactions.transactions;
        create_if_missing(&log, topic)?;
        let start_ms = shell.clock.monotonic_ms();
        let mut delivery = match &arguments.submission {
            Some(name) => Delivery::resume(log.clone(), topic, name, &shell.clock)?,
            None => Delivery::new(log.clone(), topic, &random_name()?, &shell.clock)?,
        };
        if delivery.arrived_line() > 0 {
            tracing::info!("continuing behind line {}", delivery.arrived_line());
        }
        if !matches!(preparation, Preparation::AsWritten(None)) {
            arguments.source().refuse_bad_lines(&preparation, delivery.arrived_line(), arguments.force)?;
        }
        let bar = report::progress_bar(arguments.source().size_bytes());
        let input = Box::new(bar.wrap_read(arguments.source().open()?));
        shell.set_last_words(Some(cut_off(&delivery.report(), arguments.submission.is_some())));
        let bad = pump(input, &preparation, arguments.force, &mut delivery);
        shell.set_last_words(None);
        progress::clear(&bar);
        let sent = delivery.report();
        let took_ms = shell.clock.monotonic_ms().saturating_sub(start_ms);
        // What was refused must not look like a success; what was sent before it is told.
        if matches!(bad, Ok(None)) || sent.record_count > 0 {
            report::tell(shell, &sent, &preparation, arguments.submission.is_some(), took_ms)?;
        }
        match bad? {
            Some(bad) => Err(Error::usage(format!(
                "{bad}: it was not sent, nor was anything after it; mend the line{}{}",
                preparation.or_force(),
                sent_before(&sent, arguments.submission.as_deref())
            ))),
            None => Ok(Exit::Done),
        }
    }
}

/// What to know where a signal ends it. What became of a transaction that is under way is not known then: the next run
/// under the same name finds it out.
fn cut_off(sent: &Delivered, is_named: bool) -> String {
    if is_named {
        return "stopped; the same command goes on behind the last line that arrived".to_owned();
    }
    format!(
        "stopped, and lines may have been sent: with --submission {} the same input goes on behind the last line that \
         arrived; without, what was sent is sent again",
        sent.submission
    )
}

/// What to know before an input is given again, of which some lines were sent: they must not be paid twice.
fn sent_before(sent: &Delivered, name: Option<&str>) -> String {
    match name {
        _ if sent.record_count == 0 => String::new(),
        Some(name) => format!("; with --submission {name} the input goes on behind what was sent"),
        None => "; what stands before it was sent: give the rest alone, or it is paid again".to_owned(),
    }
}

impl Submit<'_> {
    /// Reads the chain that the lines are for, and prepares them for it. Lines to be signed need one; others only have
    /// to fit to the one that is there.
    fn look_at_the_chain<L: Log>(&mut self, reader: &Reader<'_, L>) -> Result<()> {
        let blockchain = &self.arguments.blockchain.blockchain;
        let found = Chain::read(reader, blockchain, &self.wanted);
        match &mut self.preparation {
            Preparation::Signed(signer) => {
                let none = || {
                    Error::usage(format!(
                        "--sign-with signs for a chain, and topic '{blockchain}' holds none yet: name it with --blockchain, \
                         or let `cairn run` begin it first"
                    ))
                };
                let chain = found?.ok_or_else(none)?;
                if chain.signatures == Signatures::Off {
                    return Err(Error::usage(format!(
                        "the chain on topic '{blockchain}' has signatures = \"off\": it checks none, so no account with a \
                         key can send"
                    )));
                }
                if let Some(height) = self.arguments.valid_until {
                    chain
                        .check_valid_until("--valid-until", height, None)
                        .map_err(|over| Error::usage(format!("{over}; nothing was sent")))?;
                }
                signer.sign_for(chain);
            }
            Preparation::AsWritten(policy) => match found {
                Ok(chain) if !self.arguments.force => *policy = chain.map(|chain| chain.signatures),
                Ok(_) => {}
                Err(error) if !self.wanted.is_any() => return Err(error),
                // A sender with rights on one topic may have none on the other.
                Err(error) => {
                    tracing::warn!("whether the chain asks for signatures could not be found out: {error}");
                }
            },
        }
        Ok(())
    }
}

/// Sends all chunks; stops at the first bad line unless forced, and gives it back.
fn pump<L: Log>(
    input: Source<'_>,
    preparation: &Preparation,
    force: bool,
    delivery: &mut Delivery<'_, L>,
) -> Result<Option<Bad>> {
    // Checking and sending take turns on two threads; a chunk waits in between, no more.
    let (chunks_in, chunks) = std::sync::mpsc::sync_channel::<Result<Chunk>>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut lines = Lines::new(input, preparation);
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
            let bad = if force { None } else { chunk.cut_before_bad(delivery.arrived_line()) };
            delivery.send(&chunk)?;
            if bad.is_some() {
                return Ok(bad);
            }
        }
        delivery.end()?;
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
