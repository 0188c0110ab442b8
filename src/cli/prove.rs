//! `cairn prove`: a file that shows one thing of the chain to a reader with nothing but a checkpoint or the genesis
//! hash.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use topology::log::Log;

use super::arguments;
use super::claim::claimed;
use super::error::{Error, Exit, Result};
use super::output::{Stderr, counted, grouped};
use super::pin::PinnedChain;
use super::progress::Heights;
use super::shell::Shell;
use crate::audit::prove::{self, Cover, Options, Question, Unproved};
use crate::chain::Name;
use crate::config::{UsesLog, checkpoint_file, key_file, topic};
use crate::proof::Proof;
use crate::reader::Reader;

const EXAMPLES: &str = "\
Examples:
  cairn prove balance alice > alice.proof.json
  cairn prove balance alice --at-height 12 --checkpoint theirs.txt > alice.proof.json
  cairn prove transaction 0:4711 > payment.proof.json      what became of a record
  cairn prove id alice order-17 > order.proof.json         where it was used, or that it was not
  cairn prove validator validator-1 > validator.proof.json
  cairn prove block 40 > block.proof.json

The proof is one line of JSON; cairn check checks it without a log, and docs/proofs.md says how other programs can. A \
reader with a checkpoint needs one of the very size that the proof leads to: give theirs with --checkpoint, or its \
second line with --checkpoint-size. A reader with the genesis hash alone needs no checkpoint.

A balance, a validator, and that an id was not used are in the state: the chain is followed to that height, as verify \
does, which takes as long. The others are in a block: blocks are read, and not executed.

Exit code 0: proved. 1: there is no such thing on the chain, or it is broken. 2: wrong usage, or a height that the chain or \
the checkpoint does not reach. 3: could not be looked at: no broker, no \
such topic, blocks without their bodies or of a newer program.";

/// Prove a payment, an id, a balance, a validator or a block, to be checked offline
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) chain: PinnedChain,

    /// What to prove
    #[arg(value_name = "WHAT")]
    pub(crate) what: What,

    /// Which: PARTITION:OFFSET, SENDER ID, NAME, ID or H
    #[arg(value_name = "WHICH", required = true)]
    pub(crate) which: Vec<String>,

    /// Height after which it is so [default: the last one that the checkpoint covers, else the tip]
    #[arg(long, value_name = "H", env = "CAIRN_AT_HEIGHT", hide_env = true, value_parser = arguments::height, allow_negative_numbers = true)]
    pub(crate) at_height: Option<u64>,

    /// Checkpoint of the one who will check the proof
    #[arg(long, value_name = "FILE", env = "CAIRN_CHECKPOINT", hide_env = true)]
    pub(crate) checkpoint: Option<PathBuf>,

    /// The same by its size: its second line [default: all blocks there are]
    #[arg(long, value_name = "BLOCKS", env = "CAIRN_CHECKPOINT_SIZE", hide_env = true, value_parser = arguments::count, allow_negative_numbers = true)]
    pub(crate) checkpoint_size: Option<u64>,

    /// Leave genesis and seal out: a smaller file, that only a checkpoint can vouch for
    #[arg(long, env = "CAIRN_WITHOUT_SEAL", hide_env = true, value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) without_seal: bool,
}

/// What can be proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// What became of a record of the transactions topic: PARTITION:OFFSET
    Transaction,
    /// Whether a sender has used an id: SENDER ID
    Id,
    /// What an account holds: NAME
    Balance,
    /// What a validator is: ID
    Validator,
    /// That there is a block: H
    Block,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let question = question(self.what, &self.which)?;
        let has_height = matches!(self.what, What::Transaction | What::Block);
        if has_height && self.at_height.is_some() {
            return Err(Error::usage("--at-height is for a balance, a validator or an id: this is in one block"));
        }
        let PinnedChain { log, blockchain, pin } = self.chain;
        let options = Options {
            blockchain: blockchain.blockchain,
            anchor: pin.anchor(shell)?,
            question,
            at_height: self.at_height,
            cover: cover(self.checkpoint, self.checkpoint_size)?,
            with_seal: !self.without_seal,
            size_bytes_max: Proof::SIZE_BYTES_MAX,
        };
        shell.log(&log)?.open(Prove { options, shell }).map_err(|error| Error::from(error).undone())?
    }
}

/// The history that the reader of the proof has a checkpoint of.
fn cover(checkpoint: Option<PathBuf>, size: Option<u64>) -> Result<Cover> {
    let Some(path) = checkpoint else {
        return Ok(size.map_or(Cover::Tip, Cover::Size));
    };
    let found = checkpoint_file::read_existing(&path)?.checkpoint().clone();
    match size {
        Some(size) if size != found.size => Err(Error::usage(format!(
            "the checkpoint {} is of {} blocks, --checkpoint-size says {size}: leave one of them out",
            path.display(),
            found.size
        ))),
        _ => Ok(Cover::Checkpoint(found)),
    }
}

fn question(what: What, which: &[String]) -> Result<Question> {
    let account = |text: &str| {
        text.parse::<Name>().map_err(|error| Error::usage(format!("'{text}' is no name of an account: {error}")))
    };
    let question = match (what, which) {
        (What::Transaction, [place]) => {
            let parts = place.split_once(':').and_then(|(partition, offset)| {
                let (partition, offset) = (partition.parse::<i32>().ok()?, offset.parse::<i64>().ok()?);
                (partition >= 0 && offset >= 0).then_some((partition, offset))
            });
            let (partition, offset) = parts.ok_or_else(|| {
                Error::usage(format!("'{place}' is no place of a record: write PARTITION:OFFSET, such as 0:4711"))
            })?;
            Question::Transaction { partition, offset }
        }
        (What::Id, [sender, id]) => Question::Id {
            sender: account(sender)?,
            id: id.parse().map_err(|error| Error::usage(format!("'{id}' is no id: {error}")))?,
        },
        (What::Balance, [name]) => Question::Balance { name: account(name)? },
        (What::Validator, [id]) => {
            let id = id.parse().map_err(|error| Error::usage(format!("'{id}': {error}")))?;
            Question::Validator { id }
        }
        (What::Block, [height]) => {
            let parsed = height.parse().map_err(|_| Error::usage(format!("'{height}' is no height: write a number")));
            Question::Block { height: parsed? }
        }
        (What::Id, _) => return Err(Error::usage("write cairn prove id SENDER ID")),
        (What::Transaction, _) => return Err(Error::usage("write cairn prove transaction PARTITION:OFFSET")),
        (What::Balance, _) => return Err(Error::usage("write cairn prove balance NAME")),
        (What::Validator, _) => return Err(Error::usage("write cairn prove validator ID")),
        (What::Block, _) => return Err(Error::usage("write cairn prove block H")),
    };
    Ok(question)
}

struct Prove<'p> {
    options: Options,
    shell: &'p Shell,
}

impl UsesLog for Prove<'_> {
    type Output = Result<Exit>;

    fn with<L: Log>(self, log: L) -> Result<Exit> {
        let Self { options, shell } = self;
        // A tip that cannot be read is for the proof to judge, which may end before it.
        let tip =
            topic::last_block(&Reader::new(&log, &shell.clock, "cairn-prove"), &options.blockchain).ok().flatten();
        let mut heights = Heights::up_to("proving", &shell.clock, tip.map(|tip| tip.header.height));
        let rng = key_file::system_rng()?;
        let made = prove::prove(&log, &shell.clock, &options, rng, &mut |height| heights.pass(height));
        drop(heights);
        let proof = match made.map_err(|error| Error::from(error).undone())? {
            Ok(proof) => proof,
            Err(unproved @ Unproved::Beyond(_)) => return Err(Error::usage(unproved.to_string())),
            Err(unproved @ Unproved::Broken(_)) => {
                return Err(Error::failed(format!("{unproved}: nothing is proved of it; run cairn verify")));
            }
            Err(unproved @ Unproved::NotThere(_)) => return Err(Error::failed(unproved.to_string())),
            Err(unproved @ Unproved::Large(_)) => {
                return Err(Error::failed(format!(
                    "{unproved}: prove it for an earlier height, or prove the transactions that were applied instead"
                )));
            }
        };
        let file = proof.to_file();
        if file.len() > Proof::SIZE_BYTES_MAX {
            let (size, most) = (file.len() >> 20, Proof::SIZE_BYTES_MAX >> 20);
            return Err(Error::failed(format!("the proof has {size} MiB, and no reader takes more than {most}")));
        }
        if proof.sealed.is_none() && options.with_seal {
            let why = match proof.header.work() {
                Some(_) => "the chain's blocks are mined",
                None => "blocks that slashed a validator have lost their bodies",
            };
            tracing::warn!("the proof has no seal: {why}. Only a checkpoint can vouch for it");
        }
        shell.print_file(&String::from_utf8_lossy(&file))?;
        tell(&proof, file.len());
        Ok(Exit::Done)
    }
}

/// On stderr: what was proved, and what it takes to check it.
fn tell(proof: &Proof, size_bytes: usize) {
    let size = proof.history.size;
    let checkpoint = format!("--checkpoint FILE of {} (--checkpoint-size {size})", counted(size, "block"));
    let genesis = format!("--genesis-hash {}", proof.header.genesis);
    let by = match proof.sealed {
        Some(_) => format!("{checkpoint}, or with {genesis}"),
        None => checkpoint,
    };
    Stderr.line(&format!("proved: {}", claimed(proof)));
    Stderr.line(&format!(
        "in {} bytes, to be kept as they are; cairn check checks them with {by}",
        grouped(size_bytes as u64)
    ));
}
