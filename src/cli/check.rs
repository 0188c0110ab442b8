//! `cairn check`: does a proof hold? Offline: without a log and without a state.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use super::error::{Error, Exit, Result};
use super::output::{Paint, grouped};
use super::pin::Pin;
use super::shell::Shell;
use crate::audit::Anchor;
use crate::chain::{Content, Entry, Outcome, Rendering};
use crate::checkpoint::Checkpoint;
use crate::consensus::LOCAL_COMMITTEE_TRUST;
use crate::proof::{Basis, Checked, Claim, Proof, Refusal, Trusted};

const EXAMPLES: &str = "\
Examples:
  cairn check alice.proof.json --checkpoint checkpoint.txt
  cairn check alice.proof.json --genesis-hash 5f1c...
  cairn check - --checkpoint checkpoint.txt --json < alice.proof.json

Nothing is asked but the two files. The checkpoint says which blocks the chain has, so take it from somebody you trust, \
or keep one of your own: its signatures are not looked at here. With the genesis hash alone it is checked that the \
genesis' own validators sealed the block, and what that is worth is said.

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
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let genesis = match self.pin.anchor(shell)? {
            Anchor::Genesis(hash) => Some(hash),
            Anchor::None => None,
        };
        let checkpoint = self.checkpoint.as_deref().map(read_checkpoint).transpose()?;
        if genesis.is_none() && checkpoint.is_none() {
            return Err(Error::usage(
                "say what to trust: --checkpoint FILE, or --genesis-hash HASH; a proof by itself proves nothing",
            ));
        }
        let file = read_at_most(&self.file, Proof::SIZE_BYTES_MAX).map_err(|error| {
            Error::failed(format!("cannot read the proof {}: {error}", self.file.display())).undone()
        })?;
        let trusted = Trusted { checkpoint: checkpoint.as_ref(), genesis: genesis.as_ref() };
        let found = Proof::parse(&file).and_then(|proof| proof.check(trusted).map(|checked| (proof, checked)));
        let (text, exit) = match found {
            Ok((proof, checked)) if shell.json => (holds_json(&proof, &checked), Exit::Done),
            Ok((proof, checked)) => (holds_text(&proof, &checked, shell.paint), Exit::Done),
            Err(Refusal::Wrong { part, detail }) if shell.json => {
                (json!({ "result": "refused", "reason": part.as_str(), "detail": detail }).to_string(), Exit::Failed)
            }
            Err(wrong @ Refusal::Wrong { .. }) => (format!("{}: {wrong}", shell.paint.red("refused")), Exit::Failed),
            Err(other) => return Err(Error::failed(other.to_string()).undone()),
        };
        shell.print(&text)?;
        Ok(exit)
    }
}

fn read_checkpoint(path: &Path) -> Result<Checkpoint> {
    let at = |what: String| Error::usage(format!("{}: {what}", path.display()));
    let bytes = read_at_most(path, crate::checkpoint::SIZE_BYTES_MAX)
        .map_err(|error| at(format!("cannot read the checkpoint: {error}")))?;
    Checkpoint::parse(&bytes).map_err(|error| at(format!("it is no checkpoint: {error}")))
}

/// A file, or a byte more than the most it may have: whoever reads it refuses that.
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

/// What a proof shows, in a sentence.
fn claimed(proof: &Proof) -> String {
    let height = proof.header.height;
    match &proof.claim {
        Claim::Transaction { entry, .. } => format!("{} in block {height}: {}", place(entry), became(entry)),
        Claim::IdUsed { entry, .. } => {
            format!("the id was used in block {height} by {}: {}", place(entry), became(entry))
        }
        Claim::IdUnused { sender, id, listed } => {
            let what = format!("{sender} has not used the id {id}");
            match listed.active_heights(&proof.header) {
                None => format!("{what}, as far as ids are remembered after block {height}: none is"),
                Some((1, last)) => format!("{what} up to block {height} (active heights 1 to {last}: the whole chain)"),
                Some((first, last)) => format!(
                    "{what} at the active heights {first} to {last}, which are remembered after block {height}; what came before is \
                     forgotten, and an id of then is free again"
                ),
            }
        }
        Claim::Balance { name, account, .. } if *account == Default::default() => {
            format!("{name} has no account after block {height}: its balance is 0")
        }
        Claim::Balance { name, account, .. } => {
            let (balance, nonce) = (grouped(account.balance), account.nonce);
            format!("{name} has {balance} after block {height}; its next nonce is {nonce}")
        }
        Claim::Validator { id, record: None, .. } => format!("there is no validator {id} after block {height}"),
        Claim::Validator { id, record: Some(record), .. } => {
            let slashed = record.slashed_at_height.map(|height| format!(", slashed at height {height}"));
            let (stake, missed, slashed) = (grouped(record.stake), record.missed, slashed.unwrap_or_default());
            format!("validator {id} has a stake of {stake} after block {height}, missed rounds {missed}{slashed}")
        }
        Claim::Block => format!("the chain has block {height}"),
    }
}

fn place(entry: &Entry) -> String {
    format!("the record at offset {} of partition {}", entry.origin.offset, entry.origin.partition)
}

/// What became of a record.
fn became(entry: &Entry) -> String {
    let Content::Transaction { transaction, receipt } = &entry.content else {
        let Content::Stub { reason, .. } = &entry.content else { return String::new() };
        return format!("no transaction could be read ({reason})");
    };
    let outcome = match receipt.outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Rejected(reason) => format!("rejected, {reason}"),
    };
    let id = transaction.id.as_ref().map(|id| format!(", id {id}")).unwrap_or_default();
    let (from, to, amount) = (&transaction.from, &transaction.to, grouped(transaction.amount.get()));
    let (from_balance, to_balance) = (grouped(receipt.from_balance), grouped(receipt.to_balance));
    format!("{from} to {to}, {amount}{id}: {outcome}; afterwards {from} has {from_balance}, {to} has {to_balance}")
}

fn holds_text(proof: &Proof, checked: &Checked, paint: Paint) -> String {
    let header = &proof.header;
    let rests = match checked.basis {
        Basis::Checkpoint => format!(
            "the checkpoint of {} blocks (root {}): whoever it is from says that the chain has this block; its \
             signatures were not looked at",
            proof.history.size, proof.history.root
        ),
        Basis::Genesis => format!(
            "the genesis alone: its validators' keys sealed this block. Whether it is still part of the chain, and whether a rule was \
             broken, this cannot show.\n\n{LOCAL_COMMITTEE_TRUST}"
        ),
    };
    format!(
        "{}: {}\n\nheight      {}\nblock hash  {}\nstate root  {}\ntime        {} ms since 1970 (stream time)\ngenesis     {}\n\nrests on \
         {rests}",
        paint.green("holds"),
        claimed(proof),
        header.height,
        checked.hash,
        header.state_root,
        header.time_ms,
        header.genesis,
    )
}

fn holds_json(proof: &Proof, checked: &Checked) -> String {
    let header = &proof.header;
    let (basis, trust) = match checked.basis {
        Basis::Checkpoint => {
            ("checkpoint", "the chain has the blocks that the checkpoint says; its signatures were not looked at")
        }
        Basis::Genesis => ("genesis", LOCAL_COMMITTEE_TRUST),
    };
    let mut report = json!({
        "result": "holds",
        "claim": proof.claim.kind(),
        "says": claimed(proof),
        "height": header.height,
        "block_hash": checked.hash,
        "state_root": header.state_root,
        "time_ms": header.time_ms,
        "genesis_hash": header.genesis,
        "rests_on": basis,
        "checkpoint_size": (checked.basis == Basis::Checkpoint).then_some(proof.history.size),
        "trust": trust,
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
