//! Whose signatures make a checkpoint one to go by.
//!
//! ```text
//! mod     logs, witnesses, and how many of them are enough
//! file    the policy file of tlog-policy
//! ```

mod file;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use super::body::Checkpoint;
use super::error::{Error, Result};
use super::key::{Role, VerifierKey};
use super::note::SignedNote;

/// A policy file of more bytes than this is none.
pub const FILE_SIZE_BYTES_MAX: usize = 1 << 20;

/// Which logs are known, which witnesses, and which sets of witnesses are enough.
///
/// ```
/// use cairn::checkpoint::{Policy, Role, Signer, SignedNote};
/// let signers: Vec<_> = (1..=3).map(|n| Signer::new(&format!("w{n}"), Role::Witness, [n; 32]).unwrap()).collect();
/// let policy = Policy::of_witnesses(signers.iter().map(|signer| signer.verifier().clone()).collect(), Some(2)).unwrap();
/// let text = "a chain\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
/// let note = SignedNote::parse(text.as_bytes()).unwrap();
/// let one = note.clone().with(signers[0].sign(&note, 1_700_000_000));
/// assert!(policy.check(&one).is_err());
/// let two = one.clone().with(signers[2].sign(&one, 1_700_000_001));
/// assert_eq!(policy.check(&two).unwrap().witnesses.len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    /// What can be asked to be met, each after those that it is made of.
    conditions: Vec<Condition>,
    /// The one that must be; `None`: no witness is asked for.
    quorum: Option<usize>,
}

/// What signatures of witnesses can meet. Numbers are places in the lists of a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    Witness(usize),
    /// So many of these.
    Group {
        threshold: usize,
        members: Vec<usize>,
    },
}

/// Who signed a checkpoint that a policy accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Whether one of the logs that the policy knows has signed it: so it is of a chain that was meant.
    pub is_of_known_log: bool,
    /// The witnesses that the policy knows and that have signed it, by name, each with the time of its signature in
    /// seconds since 1970 UTC.
    pub witnesses: Vec<(String, u64)>,
}

impl Policy {
    /// `threshold` of these witnesses, or all of them; any log.
    pub fn of_witnesses(witnesses: Vec<VerifierKey>, threshold: Option<usize>) -> Result<Self> {
        let threshold = threshold.unwrap_or(witnesses.len());
        if !(1..=witnesses.len()).contains(&threshold) {
            let count = witnesses.len();
            return Err(Error::new(format!(
                "a quorum of {threshold} cannot be asked of {count} witnesses: ask 1 to {count}"
            )));
        }
        let mut conditions: Vec<Condition> = (0..witnesses.len()).map(Condition::Witness).collect();
        conditions.push(Condition::Group { threshold, members: (0..witnesses.len()).collect() });
        let quorum = Some(conditions.len() - 1);
        Self { logs: Vec::new(), witnesses, conditions, quorum }.sound()
    }

    /// Refuses keys in another role than theirs, and two names for one key: it would count twice.
    fn sound(self) -> Result<Self> {
        for (keys, role, what) in [(&self.logs, Role::Log, "log"), (&self.witnesses, Role::Witness, "witness")] {
            let mut seen = BTreeSet::new();
            for key in keys {
                if key.role() != role {
                    return Err(Error::new(format!(
                        "{} cannot be the key of a {what}: its signatures are of kind {:#04x}, those of a {what} of {:#04x}",
                        key.name(),
                        key.role().kind(),
                        role.kind()
                    )));
                }
                if !seen.insert(key.public_key()) {
                    return Err(Error::new(format!("the key of the {what} {} is named twice", key.name())));
                }
            }
        }
        Ok(self)
    }

    /// Whether the policy says which logs are meant.
    #[must_use]
    pub fn names_logs(&self) -> bool {
        !self.logs.is_empty()
    }

    /// Whether the checkpoint of a note is one to go by, and by whose signatures. Signatures of others count for
    /// nothing; one in the name of a known key that does not verify makes the whole note refused.
    pub fn check(&self, note: &SignedNote) -> Result<Accepted> {
        let Checkpoint { origin, .. } = note.checkpoint();
        let mut is_of_known_log = false;
        for log in self.logs.iter().filter(|log| log.name() == origin) {
            is_of_known_log |= log.signed_at(note)?.is_some();
        }
        if self.names_logs() && !is_of_known_log {
            return Err(Error::new(format!("no log of the policy has signed it in the name of its origin, {origin}")));
        }
        let signed_at: Vec<Option<u64>> =
            self.witnesses.iter().map(|witness| witness.signed_at(note)).collect::<Result<_>>()?;
        if !self.is_met(&signed_at) {
            return Err(self.unmet(&signed_at));
        }
        let names = self.witnesses.iter().map(|witness| witness.name().to_owned());
        let witnesses = names.zip(&signed_at).filter_map(|(name, time_s)| Some((name, (*time_s)?))).collect();
        Ok(Accepted { is_of_known_log, witnesses })
    }

    fn is_met(&self, signed_at: &[Option<u64>]) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let mut met: Vec<bool> = Vec::with_capacity(self.conditions.len());
        for condition in &self.conditions {
            let is_met = match condition {
                Condition::Witness(place) => signed_at.get(*place).is_some_and(Option::is_some),
                Condition::Group { threshold, members } => {
                    members.iter().filter(|member| met.get(**member) == Some(&true)).count() >= *threshold
                }
            };
            met.push(is_met);
        }
        met.get(quorum) == Some(&true)
    }

    fn unmet(&self, signed_at: &[Option<u64>]) -> Error {
        let (mut signed, mut lacking) = (Vec::new(), Vec::new());
        for (witness, time_s) in self.witnesses.iter().zip(signed_at) {
            if time_s.is_some() { &mut signed } else { &mut lacking }.push(witness.name());
        }
        let signed = if signed.is_empty() { "nobody".to_owned() } else { signed.join(", ") };
        Error::new(format!(
            "its witnesses are too few for the policy: {signed} signed, {} did not. Ask them to: cairn witness",
            lacking.join(", ")
        ))
    }
}
