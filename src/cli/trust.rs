//! Whose signatures make a checkpoint one to go by.

use std::path::{Path, PathBuf};

use clap::Args;

use super::error::{Error, Exit, Result};
use super::output::grouped;
use crate::checkpoint::{Accepted, Policy, SignedNote, VerifierKey};
use crate::config::checkpoint_file;

/// Of a checkpoint: which signatures it must have.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// File that says which signatures the checkpoint must have (c2sp.org/tlog-policy)
    #[arg(long, value_name = "FILE", env = "CAIRN_POLICY", hide_env = true)]
    pub(crate) policy: Option<PathBuf>,

    /// Verifier key of a witness that the checkpoint must be signed by; may be repeated
    #[arg(long, value_name = "VKEY", env = "CAIRN_WITNESS", hide_env = true, value_delimiter = ',')]
    pub(crate) witness: Vec<VerifierKey>,

    /// How many of these witnesses are enough [default: all of them]
    #[arg(long, value_name = "N", env = "CAIRN_WITNESS_QUORUM", hide_env = true)]
    pub(crate) witness_quorum: Option<usize>,
}

impl Trust {
    /// What is asked for; `None`: the file is believed as it is.
    pub(crate) fn policy(&self) -> Result<Option<Policy>> {
        match (&self.policy, &self.witness[..], self.witness_quorum) {
            (None, [], None) => Ok(None),
            (Some(path), [], None) => Ok(Some(checkpoint_file::read_policy(path)?)),
            (Some(_), ..) => {
                Err(Error::usage("--policy says which witnesses count: leave --witness and --witness-quorum out"))
            }
            (None, [], Some(_)) => {
                Err(Error::usage("--witness-quorum is a number of witnesses: name them with --witness"))
            }
            (None, witnesses, quorum) => {
                let policy = Policy::of_witnesses(witnesses.to_vec(), quorum);
                policy.map(Some).map_err(|error| Error::usage(format!("--witness: {error}")))
            }
        }
    }
}

/// Who signed the checkpoint of a file, if that is enough. If not, nothing is known of the chain: exit code 3.
pub(crate) fn accept(policy: &Policy, note: &SignedNote, path: &Path) -> Result<Accepted> {
    let refused =
        |error| Error::ended(Exit::Undone, format!("the checkpoint {} is not one to go by: {error}", path.display()));
    policy.check(note).map_err(refused)
}

/// The witnesses that signed a checkpoint, each with how long ago.
pub(crate) fn tell_witnesses(accepted: &Accepted, now_ms: i64) -> String {
    let now_s = u64::try_from(now_ms / 1_000).unwrap_or_default();
    let told = accepted.witnesses.iter().map(|(name, time_s)| match now_s.checked_sub(*time_s) {
        Some(age_s) => format!("{name} ({} ago)", age(age_s)),
        None => format!("{name} (by its clock in the future)"),
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

/// A span of time in its largest unit.
fn age(age_s: u64) -> String {
    let (count, unit) = match age_s {
        0..120 => (age_s, "s"),
        120..7_200 => (age_s / 60, "min"),
        7_200..172_800 => (age_s / 3_600, "h"),
        _ => (age_s / 86_400, "days"),
    };
    format!("{} {unit}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_ago_a_witness_signed_is_told_in_one_unit() {
        let witnesses = vec![("w/1".to_owned(), 1_000), ("w/2".to_owned(), 10_000)];
        let accepted = Accepted { is_of_known_log: false, witnesses };
        assert_eq!(tell_witnesses(&accepted, 9_000_000), "w/1 (2 h ago), w/2 (by its clock in the future)");
        let ages = [0, 119, 120, 7_199, 7_200, 172_799, 172_800, 400_000_000].map(age);
        assert_eq!(ages, ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 days", "4,629 days"]);
    }
}
