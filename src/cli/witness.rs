//! `cairn witness`: signs what goes on from all that it has signed, and nothing else.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::BoolishValueParser;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::pin::Pin;
use super::shell::Shell;
use super::trust::accept;
use super::vouching::{self, Signing, State};
use crate::audit::Anchor;
use crate::audit::verify::Options;
use crate::checkpoint::{Begin, Checkpoint, Role, SignedNote, WitnessRequest};
use crate::config::{UsesLog, checkpoint_file};

const EXAMPLES: &str = "\
Examples:
  cairn keys --witness-name example.org/w1       makes witness.key
  cairn keys --show witness.key                  prints the key that others verify with
  cairn witness --sign-with witness.key --begin --genesis-hash 5f1c... signed.txt
  cairn witness --sign-with witness.key signed.txt > cosigned.txt
  cairn witness --sign-with witness.key --policy chain.policy request.txt

A witness signs that a checkpoint goes on from every checkpoint of the same chain that it signed before, and when \
(cosignature/v1 of c2sp.org/tlog-cosignature). It finds that out for itself: it verifies the chain on --brokers or --log, \
as `cairn verify` does. Given a request (`cairn checkpoint --since SIZE`) it checks the proof in it instead, and reads no \
chain; then --policy must name the chain's key in a `log` line. A chain that is forked or got shorter is not signed, \
whether the witness was restarted, or killed, in between. What it signed is on the disk before the signature is on \
stdout. Keep that file like the key: without it the witness could be made to sign a fork, and asks for --begin.

Exit code 0: the cosigned checkpoint is on stdout. 1: it is not signed, and stderr says why. 2: the file is no \
checkpoint, or the chain is not known. 3: the chain could not be checked, or the policy is not met.";

/// Cosign a checkpoint, if it goes on from all that this witness has signed
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    chain: arguments::Chain,
    #[command(flatten)]
    pin: Pin,

    /// The witness' key file (see `cairn keys --witness-name`)
    #[arg(long, value_name = "KEY_FILE", env = "CAIRN_SIGN_WITH", hide_env = true)]
    sign_with: PathBuf,
    #[command(flatten)]
    state: State,

    /// Take up a chain that this witness has signed nothing of
    #[arg(long, env = "CAIRN_BEGIN", hide_env = true, value_parser = BoolishValueParser::new())]
    begin: bool,

    /// File that says which signatures the checkpoint must have already (c2sp.org/tlog-policy)
    #[arg(long, value_name = "FILE", env = "CAIRN_POLICY", hide_env = true)]
    policy: Option<PathBuf>,

    /// The checkpoint, or a request with a proof [default: -, which is stdin]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let path = self.file.clone().filter(|path| path.as_os_str() != "-");
        let name = path.as_deref().unwrap_or(Path::new("-"));
        let asked = Asked::read(path.as_deref(), name)?;
        let is_of_known_log = match &self.policy {
            Some(policy) => accept(&checkpoint_file::read_policy(policy)?, asked.note(), name)?.is_of_known_log,
            None => false,
        };
        let pinned = self.check_chain(shell, &asked, is_of_known_log)?;
        let begin = if self.begin { Begin::Yes } else { Begin::No };
        let signing = Signing::open(shell, &self.sign_with, Role::Witness, self.state, begin)?;
        let predecessor = signing.predecessor(asked.note().checkpoint())?;
        let note = match asked {
            Asked::Proved(request) => {
                check_proof(&request, predecessor.as_ref())?;
                request.note
            }
            Asked::Plain(note) => {
                let checkpoints = predecessor.into_iter().chain([note.checkpoint().clone()]).collect();
                let options = Options {
                    blockchain: self.chain.blockchain.blockchain,
                    transactions: self.chain.transactions.transactions,
                    anchor: pinned,
                    checkpoints,
                };
                let looked = shell.log(&self.chain.log).and_then(|log| log.open(Look { options, shell })?);
                looked.map_err(Error::undone)??;
                note
            }
        };
        tell(shell, signing, note)
    }

    /// Refuses what this witness has no way of judging. Which chain it is.
    fn check_chain(&self, shell: &Shell, asked: &Asked, is_of_known_log: bool) -> Result<Anchor> {
        let checkpoint = asked.note().checkpoint();
        if asked.note().has_extensions() {
            return Err(Error::usage(
                "the checkpoint has more than three lines: what else they say would be signed with it, and a chain has nothing else to say",
            ));
        }
        let pinned = self.pin.anchor(shell)?;
        match (pinned, checkpoint.genesis()) {
            (Anchor::Genesis(pinned), found) if found != Some(pinned) => {
                return Err(Error::usage(format!(
                    "the checkpoint is of {}, and {pinned} was pinned",
                    checkpoint.origin
                )));
            }
            (_, None) if matches!(asked, Asked::Plain(_)) => {
                return Err(Error::usage(format!(
                    "the checkpoint is of {}, which is no chain of blocks",
                    checkpoint.origin
                )));
            }
            _ => {}
        }
        if matches!(asked, Asked::Proved(_)) && !is_of_known_log {
            return Err(Error::usage(
                "a proof shows that a checkpoint goes on from another one, and not whose it is: name the key of the chain in a `log` \
                 line of --policy FILE",
            ));
        }
        if self.begin && pinned == Anchor::None && !is_of_known_log {
            return Err(Error::usage(
                "--begin takes up a chain: say which, with --genesis-hash HASH or --genesis FILE",
            ));
        }
        Ok(pinned)
    }
}

/// What is to be signed, and how it is shown to go on from what was signed before.
enum Asked {
    /// By the chain, which this witness reads.
    Plain(SignedNote),
    /// By a proof.
    Proved(WitnessRequest),
}

impl Asked {
    fn read(path: Option<&Path>, name: &Path) -> Result<Self> {
        let bytes = match path {
            Some(path) => File::open(path).and_then(checkpoint_file::read_bounded),
            None => checkpoint_file::read_bounded(std::io::stdin().lock()),
        };
        let bytes =
            bytes.map_err(|error| Error::usage(format!("cannot read the checkpoint {}: {error}", name.display())))?;
        let asked = if WitnessRequest::is_one(&bytes) {
            WitnessRequest::parse(&bytes).map(Self::Proved)
        } else {
            SignedNote::parse(&bytes).map(Self::Plain)
        };
        asked.map_err(|error| Error::usage(format!("{} is no checkpoint: {error}", name.display())))
    }

    fn note(&self) -> &SignedNote {
        match self {
            Self::Plain(note) => note,
            Self::Proved(request) => &request.note,
        }
    }
}

fn check_proof(request: &WitnessRequest, predecessor: Option<&Checkpoint>) -> Result<()> {
    let signed = predecessor.map_or(0, |last| last.size);
    if request.old_size != signed {
        return Err(Error::usage(format!(
            "the proof goes on from {} blocks, and this witness has signed {signed}: ask with cairn checkpoint --since {signed}",
            request.old_size
        )));
    }
    if request.goes_on_from(predecessor) {
        return Ok(());
    }
    Err(Error::ended(
        Exit::Failed,
        format!(
            "not signed: the proof does not show that the checkpoint goes on from the {signed} blocks that this witness has signed. The \
             chain is forked, or the request damaged: keep it"
        ),
    ))
}

/// Verifies the chain.
struct Look<'s> {
    options: Options,
    shell: &'s Shell,
}

impl UsesLog for Look<'_> {
    type Output = Result<Result<()>>;

    fn with<L: Log>(self, log: L) -> Result<Result<()>> {
        Ok(vouching::verify(self.shell, &log, &self.options, &mut |_| {})?.map(drop))
    }
}

fn tell(shell: &Shell, signing: Signing<'_>, note: SignedNote) -> Result<Exit> {
    let verifier = signing.signer().verifier().clone();
    let (note, time_s) = signing.sign(note)?;
    if !shell.json {
        return shell.print_file(&note.to_string()).map(|()| Exit::Done);
    }
    let Checkpoint { origin, size, root } = note.checkpoint();
    let report = serde_json::json!({
        "origin": origin,
        "size": size,
        "root": root,
        "witness": verifier.name(),
        "verifier_key": verifier.to_string(),
        "time_s": time_s,
        "text": note.to_string(),
    });
    shell.print(&report.to_string()).map(|()| Exit::Done)
}
