//! `cairn checkpoint`: what others can hold the chain to.

use std::path::PathBuf;

use clap::Args;
use topology::log::Log;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::pin::Pin;
use super::shell::Shell;
use super::vouching::{self, Signing, State};
use crate::audit::verify::{Options, Verified};
use crate::audit::{Anchor, of_tip};
use crate::chain::{Frontier, merkle};
use crate::checkpoint::consistency::Prover;
use crate::checkpoint::{Begin, Checkpoint, Role, SignedNote, WitnessRequest};
use crate::config::{UsesLog, topic};
use crate::reader::Reader;

const EXAMPLES: &str = "\
Examples:
  cairn checkpoint --genesis-hash 5f1c... > own.txt
  cairn verify --checkpoint own.txt              does the chain still contain it?
  cairn keys --chain 5f1c... --output chain.key
  cairn checkpoint --sign-with chain.key > signed.txt
  cairn checkpoint --sign-with chain.key --since 20 > request.txt

The chain is verified first, as `cairn verify` does, and what was not checked is said on stderr. The checkpoint is \
three lines: which chain, how many blocks, the Merkle root over their hashes (c2sp.org/tlog-checkpoint). Without \
--sign-with it has no signature, and other programs refuse such a note. A key signs no two \
checkpoints that contradict each other: what it signed is kept in a file beside it. With --since a witness can sign that \
does not read the topics: it checks the proof.

Exit code 0: it is on stdout. 1: the chain is broken, or the key has signed another one. 3: could not be checked.";

/// Print a checkpoint of the chain as it is now: how many blocks, and one hash over all of them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    chain: arguments::Chain,
    #[command(flatten)]
    pin: Pin,

    /// Sign it with this key file of the chain (see `cairn keys --chain`)
    #[arg(long, value_name = "KEY_FILE", env = "CAIRN_SIGN_WITH", hide_env = true)]
    sign_with: Option<PathBuf>,
    #[command(flatten)]
    state: State,

    /// Print what a witness is asked: the checkpoint, and the proof that it goes on from this many blocks
    #[arg(long, value_name = "SIZE", env = "CAIRN_SINCE", hide_env = true)]
    since: Option<u64>,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        self.make(shell).map_err(Error::undone)?
    }

    /// The outer error: it could not be looked at.
    fn make(self, shell: &Shell) -> Result<Result<Exit>> {
        let Self { chain, pin, sign_with, state, since } = self;
        let anchor = pin.anchor(shell)?;
        // The first signature of a chain's own key needs no further word: what it is worth, others say.
        let signing =
            sign_with.map(|path| Signing::open(shell, &path, Role::Log, state, Begin::IfUnknown)).transpose()?;
        let options = Options {
            blockchain: chain.blockchain.blockchain,
            transactions: chain.transactions.transactions,
            anchor: of_key(anchor, signing.as_ref())?,
            checkpoints: signing
                .iter()
                .flat_map(|signing| signing.last(signing.signer().verifier().name()).cloned())
                .collect(),
        };
        shell.log(&chain.log)?.open(Make { options, signing, since, shell })?
    }
}

/// The key of a chain signs for no other chain.
fn of_key(anchor: Anchor, signing: Option<&Signing<'_>>) -> Result<Anchor> {
    let Some(name) = signing.map(|signing| signing.signer().verifier().name()) else { return Ok(anchor) };
    let unsigned = Checkpoint { origin: name.to_owned(), size: 0, root: merkle::root(Vec::new()) };
    match (unsigned.genesis(), anchor) {
        (None, _) => {
            Err(Error::usage(format!("the key is of {name}, which is no chain: make one with cairn keys --chain")))
        }
        (Some(genesis), Anchor::Genesis(pinned)) if pinned != genesis => Err(Error::usage(format!(
            "the key is of the chain {genesis}, and {pinned} was pinned: which one is meant?"
        ))),
        (Some(genesis), _) => Ok(Anchor::Genesis(genesis)),
    }
}

struct Make<'s> {
    options: Options,
    signing: Option<Signing<'s>>,
    since: Option<u64>,
    shell: &'s Shell,
}

impl UsesLog for Make<'_> {
    type Output = Result<Result<Exit>>;

    fn with<L: Log>(self, log: L) -> Result<Result<Exit>> {
        let Self { options, signing, since, shell } = self;
        let mut step = since.map(|old_size| Step::new(&log, shell, &options.blockchain, old_size)).transpose()?;
        let verified = vouching::verify(shell, &log, &options, &mut |block| {
            if let Some(step) = &mut step {
                step.pass(merkle::leaf(block.hash.as_bytes()));
            }
        })?;
        Ok(verified.and_then(|report| finish(shell, signing, step, &report)))
    }
}

fn finish(shell: &Shell, signing: Option<Signing<'_>>, step: Option<Step>, report: &Verified) -> Result<Exit> {
    let (checkpoint, step) = match step {
        None => (of_tip(&report.summary.tip), None),
        Some(step) => {
            let Step { blocks, old_size, prover, .. } = step;
            let proof =
                prover.proof().ok_or_else(|| Error::failed("blocks are missing that were there a moment ago"))?;
            (Checkpoint::of(&report.summary.tip.genesis, &blocks), Some((old_size, proof)))
        }
    };
    let mut note = SignedNote::unsigned(checkpoint);
    let mut verifier_key = None;
    if let Some(signing) = signing {
        verifier_key = Some(signing.signer().verifier().to_string());
        // The chain was verified to contain it.
        signing.predecessor(note.checkpoint())?;
        note = signing.sign(note)?.0;
    }
    let text = match step {
        Some((old_size, proof)) => WitnessRequest { old_size, proof, note: note.clone() }.to_string(),
        None => note.to_string(),
    };
    if !shell.json {
        return shell.print_file(&text).map(|()| Exit::Done);
    }
    let Checkpoint { origin, size, root } = note.checkpoint();
    let report = serde_json::json!({
        "origin": origin,
        "size": size,
        "root": root,
        "genesis_hash": report.summary.tip.genesis,
        "verifier_key": verifier_key,
        "text": text,
    });
    shell.print(&report.to_string()).map(|()| Exit::Done)
}

/// The way from an earlier size to that of the chain as it was when the command began: blocks that are sealed meanwhile
/// are left out.
struct Step {
    old_size: u64,
    new_size: u64,
    prover: Prover,
    blocks: Frontier,
}

impl Step {
    fn new<L: Log>(log: &L, shell: &Shell, blockchain: &str, old_size: u64) -> Result<Self> {
        let reader = Reader::new(log, &shell.clock, "cairn-checkpoint");
        let new_size = match topic::last_block(&reader, blockchain) {
            Ok(last) => last.map_or(0, |block| block.header.height.saturating_add(1)),
            // What is wrong there, and at which height, the verification tells.
            Err(topic::Error::Broken(_)) => u64::MAX,
            Err(error) => return Err(error.into()),
        };
        if old_size > new_size {
            return Err(Error::usage(format!(
                "--since {old_size}: the chain has {new_size} blocks, and cannot go on from more"
            )));
        }
        Ok(Self { old_size, new_size, prover: Prover::new(old_size, new_size), blocks: Frontier::default() })
    }

    fn pass(&mut self, leaf: crate::chain::Hash) {
        if self.blocks.count() < self.new_size {
            self.prover.append(leaf);
            self.blocks.append(leaf);
        }
    }
}
