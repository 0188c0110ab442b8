//! The validators of a chain: keys read and checked once, stakes as they stand at a height.
//!
//! ```text
//! mod      keys by place: the order of ids, which a bitmap of signers counts in
//! stakes   stake by place, and the quorums over it
//! ```

mod stakes;
#[cfg(test)]
mod tests;

use ed25519_zebra::VerificationKey;

use super::bls;
pub use stakes::Stakes;

use crate::chain::{Bitmap, GenesisValidator, Member, ValidatorId};

/// What keeps a list of validators from being a roster, or a list of stakes from fitting it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Bitmaps name validators by 16-bit places.
    #[error("{0} validators; a set has at most 65535")]
    TooMany(usize),
    /// Not ascending by id, or one id twice.
    #[error("validator {0} is out of order or listed twice; list validators once each, ascending by id")]
    Order(ValidatorId),
    /// The Ed25519 key is no key.
    #[error("the ed25519 key of validator {0} is not a key; copy it from the output of `cairn keys`")]
    Ed25519(ValidatorId),
    /// The BLS key is no key.
    #[error("the bls key of validator {0} is not a point of the group; copy it from the output of `cairn keys`")]
    Bls(ValidatorId),
    /// The proof of possession does not show that the BLS key was listed by the holder of its secret.
    #[error(
        "validator {0} has not proved that it holds its bls key: `possession` does not verify; a key derived from others' keys could forge their signatures"
    )]
    Possession(ValidatorId),
    /// Two validators with one key would let one signature count twice.
    #[error("validator {0} has a key that another validator has too; each needs its own")]
    SharedKey(ValidatorId),
    /// The sum of stakes does not fit.
    #[error("the sum of all stakes does not fit 64 bits; lower them")]
    StakeOverflow,
    /// The validators of the state are not those of the genesis.
    #[error(
        "the state's validator set is not the genesis' one at place {0}; the state belongs to another chain, rebuild it"
    )]
    OtherSet(usize),
}

/// Public keys of one validator, decoded and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Whose.
    pub id: ValidatorId,
    /// The key of its proposals.
    pub ed25519: VerificationKey,
    /// The key of its reveals, attestations and refusals. In a roster its possession is proved.
    pub bls: bls::PublicKey,
}

/// The validators of a chain in the order of their ids, which is the order of a [`Bitmap`]'s places.
#[derive(Debug, Clone)]
pub struct Roster {
    keys: Vec<Keys>,
    listed: Vec<Member>,
}

impl Roster {
    /// Reads and checks every key and proof of possession: about 2 ms for each validator. Errors name the validator.
    pub fn new(validators: &[GenesisValidator]) -> Result<Roster, Error> {
        if validators.len() > usize::from(u16::MAX) {
            return Err(Error::TooMany(validators.len()));
        }
        if let Some(two) = validators.windows(2).find(|two| two[0].id >= two[1].id) {
            return Err(Error::Order(two[1].id.clone()));
        }
        let keys = validators.iter().map(read_keys).collect::<Result<Vec<_>, _>>()?;
        let mut seen = rustc_hash::FxHashSet::default();
        if let Some(shared) =
            validators.iter().find(|v| !seen.insert(v.bls.as_slice()) | !seen.insert(v.ed25519.as_slice()))
        {
            return Err(Error::SharedKey(shared.id.clone()));
        }
        let listed: Vec<Member> = validators.iter().map(GenesisValidator::member).collect();
        Stakes::new(listed.iter().map(|member| member.stake).collect())?;
        Ok(Roster { keys, listed })
    }

    /// How many validators there are, slashed ones included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// The place of a validator.
    #[must_use]
    pub fn place(&self, id: &ValidatorId) -> Option<usize> {
        self.keys.binary_search_by(|keys| keys.id.cmp(id)).ok()
    }

    /// The keys at a place.
    #[must_use]
    pub fn keys(&self, place: usize) -> Option<&Keys> {
        self.keys.get(place)
    }

    /// All keys, in the order of places.
    pub fn iter(&self) -> impl Iterator<Item = &Keys> {
        self.keys.iter()
    }

    /// The stakes of a set as the state holds it. Errors: its ids and keys are not this roster's.
    pub fn stakes(&self, members: &[Member]) -> Result<Stakes, Error> {
        let same = |a: &Member, b: &Member| a.id == b.id && a.ed25519 == b.ed25519 && a.bls == b.bls;
        let differs = self.listed.iter().zip(members).position(|(a, b)| !same(a, b));
        match differs {
            Some(place) => Err(Error::OtherSet(place)),
            None if members.len() != self.listed.len() => Err(Error::OtherSet(members.len().min(self.listed.len()))),
            None => Stakes::new(members.iter().map(|member| member.stake).collect()),
        }
    }

    /// The sum of the BLS keys of `signers`. `None`: no signers, or a place that no validator has.
    #[must_use]
    pub fn aggregate_key(&self, signers: &Bitmap) -> Option<bls::PublicKey> {
        let keys = signers.places().map(|place| self.keys.get(place).map(|keys| &keys.bls));
        bls::PublicKey::aggregate(keys.collect::<Option<Vec<_>>>()?)
    }
}

fn read_keys(validator: &GenesisValidator) -> Result<Keys, Error> {
    let id = || validator.id.clone();
    let ed25519 = VerificationKey::try_from(validator.ed25519).map_err(|_| Error::Ed25519(id()))?;
    let bls = bls::PublicKey::from_bytes(&validator.bls).ok_or_else(|| Error::Bls(id()))?;
    let proof = bls::Signature::from_bytes(&validator.possession).ok_or_else(|| Error::Possession(id()))?;
    if !bls.possession_is_proved_by(&proof) {
        return Err(Error::Possession(id()));
    }
    Ok(Keys { id: id(), ed25519, bls })
}
