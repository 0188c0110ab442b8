//! `cairn check`: does a proof hold? Offline: without a log and without a state.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};
use topology::clock::Clock;

use super::claim::claimed;
use super::error::{Error, Exit, Result};
use super::output::{Paint, utc};
use super::pin::Pin;
use super::shell::Shell;
use super::terminal;
use super::trust::{self, Trust};
use crate::audit::Anchor;
use crate::chain::Rendering;
use crate::checkpoint::{Accepted, SignedNote};
use crate::config::checkpoint_file;
use crate::consensus::LOCAL_COMMITTEE_TRUST;
use crate::proof::{Basis, Checked, Claim, Proof, Refusal, Trusted};

const EXAMPLES: &str = "\
Examples:
  cairn check alice.proof.json --checkpoint checkpoint.txt
  cairn check alice.proof.json --checkpoint signed.txt --witness example.org/w+2f1c...
  cairn check alice.proof.json --genesis-hash 5f1c...
  cairn check - --checkpoint checkpoint.txt --json < alice.proof.json

Nothing is asked but the two files. The checkpoint says which blocks the chain has: keep one of your own, or say with \
--policy or --witness who must have signed it. With the genesis hash alone it is checked that the genesis' own \
validators sealed the block, and what that is worth is said.

Exit code 0: it holds. 1: it does not; why. 2: wrong usage. 3: nothing is known to be wrong, and it could not be \
checked: a file that cannot be read, a checkpoint of another size than the proof's, a proof of a newer program.";

/// Check a proof offline: no broker, no state, nothing but a checkpoint or the genesis hash
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The proof, as cairn prove wrote it; - for standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) pin: Pin,

    /// Checkpoint of the chain, as cairn checkpoint writes it
    #[arg(long, value_name = "FILE", env = "CAIRN_CHECKPOINT", hide_env = true)]
    pub(crate) checkpoint: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let genesis = match self.pin.anchor(shell)? {
            Anchor::Genesis(hash) => Some(hash),
            Anchor::None => None,
        };
        let kept = self.kept()?;
        if genesis.is_none() && kept.is_none() {
            return Err(Error::usage(
                "say what to trust: --checkpoint FILE, or --genesis-hash HASH; a proof by itself proves nothing",
            ));
        }
        let file = read_at_most(&self.file, Proof::SIZE_BYTES_MAX).map_err(|error| {
            Error::failed(format!("cannot read the proof {}: {error}", self.file.display())).undone()
        })?;
        let checkpoint = kept.as_ref().map(|kept| kept.note.checkpoint());
        let trusted = Trusted { checkpoint, genesis: genesis.as_ref() };
        let found = Proof::parse(&file).and_then(|proof| proof.check(trusted).map(|checked| (proof, checked)));
        let (text, exit) = match found {
            Ok((proof, checked)) => {
                let rests = Rests::on(checked.basis, &proof, kept.as_ref(), genesis.is_some(), shell);
                let tell = if shell.json { holds_json } else { holds_text };
                (tell(&proof, &checked, &rests, shell.paint), Exit::Done)
            }
            Err(Refusal::Wrong { part, detail }) if shell.json => {
                (json!({ "result": "refused", "reason": part.as_str(), "detail": detail }).to_string(), Exit::Failed)
            }
            // It may tell what a stranger's file says.
            Err(wrong @ Refusal::Wrong { .. }) => {
                (format!("{}: {}", shell.paint.red("refused"), terminal::line(&wrong.to_string())), Exit::Failed)
            }
            Err(other) => return Err(Error::failed(other.to_string()).undone()),
        };
        shell.print(&text)?;
        Ok(exit)
    }

    /// The checkpoint, if its signatures are enough for what was asked of them.
    fn kept(&self) -> Result<Option<Kept>> {
        match (&self.checkpoint, self.trust.policy()?) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(Error::usage("whose signatures count is asked of a checkpoint: name it with --checkpoint FILE"))
            }
            (Some(path), policy) => {
                let note = checkpoint_file::read_existing(path)?;
                let accepted = policy.as_ref().map(|policy| trust::accept(policy, &note, path)).transpose()?;
                let is_anchor = policy.is_none_or(|policy| policy.names_logs());
                Ok(Some(Kept { note, accepted, is_anchor }))
            }
        }
    }
}

/// A checkpoint that a proof may lead to.
struct Kept {
    note: SignedNote,
    /// Who signed it; `None`: that was not asked, and it is believed as it is.
    accepted: Option<Accepted>,
    /// Whether it says which chain is meant: a signature of witnesses alone is one on any chain.
    is_anchor: bool,
}

/// What a proof that holds rests on, for a machine and in words.
struct Rests {
    /// Whether it had to be this chain.
    is_anchored: bool,
    basis: &'static str,
    checkpoint_size: Option<u64>,
    /// The witnesses' names, where signatures were asked for.
    witnesses: Option<Vec<String>>,
    words: String,
}

impl Rests {
    fn on(basis: Basis, proof: &Proof, kept: Option<&Kept>, is_pinned: bool, shell: &Shell) -> Self {
        let Basis::Checkpoint = basis else {
            // Block 0 has no seal, and there is one where blocks are mined, too.
            let (why, worth) = match proof.header.height {
                0 => ("block 0 follows from it", String::new()),
                _ => ("its validators' keys sealed this block", format!(" {LOCAL_COMMITTEE_TRUST}")),
            };
            let words = format!("the genesis alone: {why}. That the chain went on from it, this cannot show.{worth}");
            return Self { is_anchored: true, basis: "genesis", checkpoint_size: None, witnesses: None, words };
        };
        let accepted = kept.and_then(|kept| kept.accepted.as_ref());
        let signed = match accepted {
            None => "taken as it is: no signature was asked for".to_owned(),
            Some(accepted) => {
                let own = if accepted.is_of_known_log { "the chain's own key; witnesses: " } else { "" };
                format!("signed by: {own}{}", trust::tell_witnesses(accepted, shell.clock.now_ms()))
            }
        };
        let is_anchored = is_pinned || kept.is_some_and(|kept| kept.is_anchor);
        let unanchored = "\nunanchored: these witnesses sign for any chain, and none was named; pin yours with --genesis-hash, or \
                          with a log line in the policy";
        let unanchored = match is_pinned {
            true => "\nand on the genesis hash that was given: it is that chain",
            false if is_anchored => "",
            false => unanchored,
        };
        Self {
            is_anchored,
            basis: "checkpoint",
            checkpoint_size: Some(proof.history.size),
            witnesses: accepted.map(|accepted| accepted.witnesses.iter().map(|(name, _)| name.clone()).collect()),
            words: format!("the checkpoint of the first {} blocks, {signed}{unanchored}", proof.history.size),
        }
    }
}

/// A file, or a byte more than the most it may have: its reader refuses that.
fn read_at_most(path: &Path, size_bytes_max: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = size_bytes_max as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn holds_text(proof: &Proof, checked: &Checked, rests: &Rests, paint: Paint) -> String {
    let header = &proof.header;
    format!(
        "{}: {}\n\nheight      {}\nblock hash  {}\nstate root  {}\ntime        {}, in stream time\ngenesis     {}\n\nrests on \
         {}",
        paint.green("holds"),
        claimed(proof),
        header.height,
        checked.hash,
        header.state_root,
        utc(header.time_ms),
        header.genesis,
        rests.words,
    )
}

fn holds_json(proof: &Proof, checked: &Checked, rests: &Rests, _: Paint) -> String {
    let header = &proof.header;
    let mut report = json!({
        "result": "holds",
        "claim": proof.claim.kind(),
        "says": claimed(proof),
        "height": header.height,
        "block_hash": checked.hash,
        "state_root": header.state_root,
        "time_ms": header.time_ms,
        "genesis_hash": header.genesis,
        "rests_on": rests.basis,
        "checkpoint_size": rests.checkpoint_size,
        "witnesses": rests.witnesses,
        "anchored": rests.is_anchored,
        "trust": rests.words,
    });
    if let Value::Object(fields) = &mut report {
        add_claim(&proof.claim, fields);
    }
    report.to_string()
}

/// The claim's own fields.
fn add_claim(claim: &Claim, fields: &mut Map<String, Value>) {
    let more = match claim {
        Claim::Transaction { entry, .. } | Claim::IdUsed { entry, .. } => {
            let entry = serde_json::from_str(&entry.to_json()).unwrap_or(Value::Null);
            json!({ "entry": entry })
        }
        Claim::IdUnused { sender, id, .. } => json!({ "sender": sender, "id": id }),
        Claim::Balance { name, account, .. } => {
            json!({ "name": name, "balance": account.balance, "nonce": account.nonce })
        }
        Claim::Validator { id, record, .. } => json!({
            "id": id,
            "stake": record.as_ref().map(|record| record.stake),
            "missed": record.as_ref().map(|record| record.missed),
            "slashed_at_height": record.as_ref().and_then(|record| record.slashed_at_height),
        }),
        Claim::Block => json!({}),
    };
    if let Value::Object(more) = more {
        fields.extend(more);
    }
}
