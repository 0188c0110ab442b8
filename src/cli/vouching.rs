//! What `cairn checkpoint` and `cairn witness` have in common: a chain is verified, and then a key signs for it.

use std::path::{Path, PathBuf};

use clap::Args;
use topology::clock::Clock;
use topology::log::Log;

use super::error::{Error, Exit, Result};
use super::pin::UNANCHORED;
use super::progress::Heights;
use super::report::compared;
use super::shell::Shell;
use crate::audit::Anchor;
use crate::audit::verify::{self, Options, Verified};
use crate::chain::Block;
use crate::checkpoint::{Begin, Checkpoint, Refusal, Role, SignedNote, Signer, SignerState};
use crate::config::key_file;
use crate::config::signer::{self, StateFile};

/// Where a key keeps what it has signed.
#[derive(Debug, Args)]
pub(crate) struct State {
    /// File in which it is kept what the key has signed, so that it never signs a fork [default: KEY_FILE.state]
    #[arg(long, value_name = "FILE", env = "CAIRN_SIGNER_STATE", hide_env = true)]
    signer_state: Option<PathBuf>,
}

/// A key that is about to sign, and what it has signed. No other process signs with it meanwhile.
pub(crate) struct Signing<'s> {
    signer: Signer,
    file: StateFile,
    state: SignerState,
    begin: Begin,
    shell: &'s Shell,
}

impl<'s> Signing<'s> {
    /// Of a key file, which must be one of this role.
    pub(crate) fn open(shell: &'s Shell, key_file: &Path, role: Role, state: State, begin: Begin) -> Result<Self> {
        let signer = signer::read_as(key_file, role)?;
        let path = state.signer_state.unwrap_or_else(|| StateFile::beside(key_file));
        let (file, state) = StateFile::open(path, signer.verifier())?;
        Ok(Self { signer, file, state, begin, shell })
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The last checkpoint of this log that the key has signed.
    pub(crate) fn last(&self, origin: &str) -> Option<&Checkpoint> {
        self.state.last(origin).map(|last| &last.checkpoint)
    }

    /// The checkpoint that this one must go on from; refuses what cannot be signed, whatever the chain says.
    pub(crate) fn predecessor(&self, checkpoint: &Checkpoint) -> Result<Option<Checkpoint>> {
        let predecessor = self.state.predecessor(checkpoint, self.begin, self.now_s()?);
        predecessor.map(Option::<&_>::cloned).map_err(refused)
    }

    /// Signs a note that was found to go on from what [`Signing::predecessor`] told. The state is on the disk first.
    /// Also the time of the signature, in seconds since 1970 UTC.
    pub(crate) fn sign(self, note: SignedNote) -> Result<(SignedNote, u64)> {
        let now_s = self.now_s()?;
        let state = self.state.signed(note.checkpoint().clone(), self.begin, now_s).map_err(refused)?;
        let line = self.signer.sign(&note, now_s);
        let signed = note.with(line);
        // A note that has no room for it would only move the state on.
        SignedNote::parse(signed.to_string().as_bytes()).map_err(|error| {
            Error::usage(format!("not signed: with one signature more, {error}; take out some of others"))
        })?;
        self.file.save(&state).map_err(|error| Error::failed(format!("{error}. Nothing was signed")))?;
        Ok((signed, now_s))
    }

    /// The time, which a cosignature tells: it cannot be 0.
    fn now_s(&self) -> Result<u64> {
        let now_s = u64::try_from(self.shell.clock.now_ms() / 1_000).ok().filter(|now_s| *now_s > 0);
        now_s.ok_or_else(|| Error::usage("the clock says that it is before 1970: set it right"))
    }
}

/// What is not signed although it was asked for.
fn refused(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Unknown { .. } => Error::usage(format!(
            "{refusal}: if that is so, take the chain up with --begin and --genesis-hash HASH. If not, the file with what the key \
             has signed (--signer-state) is lost or not the right one: restore it, for without it a fork can be signed"
        )),
        Refusal::Known { .. } => Error::usage(format!("{refusal}: leave --begin out")),
        Refusal::ClockWentBack { .. } | Refusal::Full { .. } => Error::ended(Exit::Failed, refusal.to_string()),
        Refusal::Shorter { .. } | Refusal::Forked { .. } => {
            Error::ended(Exit::Failed, format!("not signed: {refusal}"))
        }
    }
}

/// Verifies a chain that is to be vouched for: the outer error says that it could not be looked at (exit code 3), the
/// inner one that it is broken, or not the one that was pinned. What was not checked is said on stderr.
pub(crate) fn verify<L: Log>(
    shell: &Shell,
    log: &L,
    options: &Options,
    take: &mut dyn FnMut(&Block),
) -> Result<Result<Verified>> {
    let mut heights = Heights::new("verifying", &shell.clock);
    let found = verify::verify(log, &shell.clock, options, key_file::system_rng()?, &mut |block| {
        take(block);
        heights.pass(block.header.height);
    });
    drop(heights);
    let report = match found? {
        Ok(report) => report,
        Err(broken) => {
            let what = format!(
                "not vouched for: the chain is broken at height {}: {}: {}",
                broken.height, broken.reason, broken.detail
            );
            return Ok(Err(Error::ended(Exit::Failed, what)));
        }
    };
    if let Err(nothing) = compared(&report, &options.transactions) {
        tracing::warn!("the chain was compared with nothing: {nothing}");
    }
    if options.anchor == Anchor::None && options.checkpoints.is_empty() {
        tracing::warn!("{UNANCHORED}");
    }
    Ok(Ok(report))
}
