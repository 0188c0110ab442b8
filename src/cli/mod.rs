//! The commands.
//!
//! ```text
//! arguments    what several commands take
//! sources      the settings file and the environment, on the command line's behalf
//! shell        what every command is given: settings, output, time
//! error        what went wrong, and the process's exit code
//! brokers      why no broker could be talked to
//! output       tables, colours, lines of JSON
//! terminal     texts of others, as a terminal may be given them
//! progress     of long commands
//! logging      log lines to stderr
//! shutdown     SIGTERM and SIGINT, of every command
//! graph        the application from its genesis and keys
//! serve        a chain over HTTP while it is sealed
//! supervise    waiting for the end of an application that runs
//! report       what several commands say of a chain
//! pin          which chain a check is about
//! trust        whose signatures make a checkpoint one to go by
//! claim        what a proof shows, in words
//! vouching     verifying a chain, and signing for it
//! demo run submit blocks verify checkpoint witness prove check replay export views inspect topics topology reset genesis keys
//!              one command each: its options, and `run`; none uses another
//! ```
//! Results go to stdout, everything else to stderr. May use all of the crate; nothing else of the crate uses this.

mod arguments;
mod backlog;
mod blocks;
mod brokers;
mod check;
mod checkpoint;
mod claim;
mod demo;
mod error;
mod export;
mod genesis;
mod graph;
mod inspect;
mod keys;
mod logging;
mod origin;
mod output;
mod pin;
mod progress;
mod prove;
mod replay;
mod report;
mod reset;
mod run;
mod serve;
mod shell;
mod shutdown;
mod sources;
mod submit;
mod supervise;
mod terminal;
mod topics;
mod topology;
mod trust;
mod verify;
mod views;
mod vouching;
mod witness;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{FromArgMatches, Parser, Subcommand};

use crate::config::Environment;
use error::{Error, Exit, Result};
use shell::Shell;
use shutdown::Supervisor;

const EXAMPLES: &str = "\
Examples:
  cairn demo                                 blocks within seconds, no Kafka
  cairn run --brokers localhost:9092         seal what arrives
  cairn submit --brokers localhost:9092 payments.jsonl
  cairn blocks --brokers localhost:9092      what became of the payments
  cairn verify --brokers localhost:9092      does the chain follow from them?
  cairn checkpoint --brokers localhost:9092  what it can be held to later

What a command reads of a chain it reads from --brokers, or from --log embedded:DIR.

Every option is also a key of cairn.toml (`--application-id` is `application_id`) and a variable \
(`CAIRN_APPLICATION_ID`). The command line wins over the environment, the environment over the file. Chain \
parameters (block.*, balances, signatures, fee, reward, ids.*) are set in the file or the environment \
(CAIRN_BLOCK_MAX_TRANSACTIONS=3) and count when a chain is created.

Exit codes: 0 done, 1 failed, broken chain or proof that does not hold, 2 wrong usage or settings, 3 could not be read or \
checked (blocks, verify, checkpoint, witness, prove, check, replay, export, topics) or made by a newer program; 128 and the signal's number \
where a second signal ended it.";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, about, after_help = EXAMPLES, max_term_width = 100, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    common: arguments::Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Run(run::Arguments),
    Submit(submit::Arguments),
    Blocks(blocks::Arguments),
    Verify(verify::Arguments),
    Checkpoint(checkpoint::Arguments),
    Witness(witness::Arguments),
    Prove(prove::Arguments),
    Check(check::Arguments),
    Replay(replay::Arguments),
    Export(export::Arguments),
    Views(views::Arguments),
    Inspect(inspect::Arguments),
    Topics(topics::Arguments),
    Topology(topology::Arguments),
    Reset(reset::Arguments),
    Genesis(genesis::Arguments),
    Keys(keys::Arguments),
}

impl Command {
    /// Which log lines are written unless RUST_LOG or -v asks for others.
    fn usual_log_lines(&self) -> &'static str {
        match self {
            // The demo shows everything on stdout, cheats and unreadable records included.
            Command::Demo(_) => "warn,cairn::sealing=error,topology::stream_thread::losses=error",
            Command::Run(_) | Command::Views(_) => "info",
            // The last line tells how they end; librdkafka's lines before it would say it twice.
            _ => "info,topology::log::kafka::context=error",
        }
    }

    fn run(self, shell: &Shell) -> Result<Exit> {
        match self {
            // These finish what they have begun, and supervise themselves.
            Command::Demo(_) | Command::Run(_) | Command::Views(_) => self.work(shell),
            Command::Export(ref arguments) if arguments.supervises_itself() => self.explained(shell),
            _ => Supervisor::new()?.until_signal(|| shell.last_words(), || self.explained(shell))?,
        }
    }

    /// Does the work; an error of the log says what is at the brokers' addresses.
    fn explained(self, shell: &Shell) -> Result<Exit> {
        self.work(shell).map_err(|error| shell.explained(error))
    }

    fn work(self, shell: &Shell) -> Result<Exit> {
        match self {
            Command::Demo(arguments) => arguments.run(shell),
            Command::Run(arguments) => arguments.run(shell),
            Command::Submit(arguments) => arguments.run(shell),
            Command::Blocks(arguments) => arguments.run(shell),
            Command::Verify(arguments) => arguments.run(shell),
            Command::Checkpoint(arguments) => arguments.run(shell),
            Command::Witness(arguments) => arguments.run(shell),
            Command::Replay(arguments) => arguments.run(shell),
            Command::Export(arguments) => arguments.run(shell),
            Command::Views(arguments) => arguments.run(shell),
            Command::Prove(arguments) => arguments.run(shell),
            Command::Check(arguments) => arguments.run(shell),
            Command::Inspect(arguments) => arguments.run(shell),
            Command::Topics(arguments) => arguments.run(shell),
            Command::Topology(arguments) => arguments.run(shell),
            Command::Reset(arguments) => arguments.run(shell),
            Command::Genesis(arguments) => arguments.run(shell),
            Command::Keys(arguments) => arguments.run(shell),
        }
    }
}

/// Runs the program: parses, dispatches, reports. `arguments` start with the program's name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let mut verbose = sources::asks_for_causes(&arguments);
    match start(&arguments, &mut verbose) {
        Ok(exit) => exit.into(),
        Err(error) => {
            error.report(verbose);
            error.exit().into()
        }
    }
}

/// `verbose` is set when it is known from wherever it may stand.
fn start(arguments: &[OsString], verbose: &mut bool) -> Result<Exit> {
    let environment = Environment::of_process();
    let parsed = match sources::parse(arguments)? {
        sources::Parsed::Matches(parsed) => parsed,
        // Help, version or wrong usage: clap has the words and the colours for them.
        sources::Parsed::Answer(answer) => {
            let printed = answer.print();
            if answer.use_stderr() {
                return Ok(Exit::Usage);
            }
            return match printed {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    Err(Error::failed("cannot write the answer").caused_by(error))
                }
                _ => Ok(Exit::Done),
            };
        }
    };
    let Cli { common, command } =
        Cli::from_arg_matches(&parsed.matches).map_err(|error| Error::usage(error.to_string()))?;
    *verbose = common.verbose;
    logging::start(common.log_format, common.verbose, command.usual_log_lines())?;
    let shell = Shell::new(&common, parsed, environment)?;
    command.run(&shell)
}
