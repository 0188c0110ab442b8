//! The validators of a chain: keys read and checked once, stakes as they stand at a height.

use ed25519_zebra::VerificationKey;

use super::bls;
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
    /// The proof of possession does not show that whoever listed the BLS key holds its secret.
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

/// Keys of one validator, decoded and checked.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Whose.
    pub id: ValidatorId,
    /// The key of its proposals.
    pub ed25519: VerificationKey,
    /// The key of its reveals, attestations and refusals. Its possession is proved.
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

    /// The sum of the BLS keys of `signers`. `None`: no signers, or a place nobody has.
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

/// Stakes by place; zero for whoever is slashed. The sum fits 64 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stakes {
    stakes: Vec<u64>,
}

impl Stakes {
    /// Errors: the sum does not fit 64 bits.
    pub fn new(stakes: Vec<u64>) -> Result<Stakes, Error> {
        let sum = stakes.iter().try_fold(0u64, |sum, stake| sum.checked_add(*stake));
        sum.map(|_| Stakes { stakes }).ok_or(Error::StakeOverflow)
    }

    /// By place.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.stakes
    }

    /// The stake at a place; zero where nobody is.
    #[must_use]
    pub fn at(&self, place: usize) -> u64 {
        self.stakes.get(place).copied().unwrap_or(0)
    }

    /// Takes the whole stake at a place, now and for good; how much it was.
    pub fn take(&mut self, place: usize) -> u64 {
        self.stakes.get_mut(place).map(std::mem::take).unwrap_or(0)
    }

    /// All stake that is not slashed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.stakes.iter().sum()
    }

    /// The stake of a set of places.
    #[must_use]
    pub fn of(&self, signers: &Bitmap) -> u64 {
        signers.places().map(|place| self.at(place)).sum()
    }

    /// The least stake that seals a block: strictly more than two thirds of what is not slashed.
    #[must_use]
    pub fn quorum(&self) -> u64 {
        more_than_two_thirds(self.total())
    }

    /// The least stake that convicts the validator at `accused`: strictly more than two thirds of what the others hold.
    #[must_use]
    pub fn quorum_against(&self, accused: usize) -> u64 {
        more_than_two_thirds(self.total() - self.at(accused))
    }
}

/// The least integer strictly above two thirds of `total`: `floor(2 total / 3) + 1`.
fn more_than_two_thirds(total: u64) -> u64 {
    // Twice the total may pass 64 bits; two thirds of it never do.
    let third = total / 3;
    third * 2 + (total % 3) * 2 / 3 + 1
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::consensus::KeySet;

    fn listed() -> Vec<GenesisValidator> {
        let ids = ["a", "b", "c"].map(|id| id.parse().unwrap());
        let keys = KeySet::generate(ids, &mut StdRng::from_seed([1; 32])).unwrap();
        keys.pairs().iter().map(|pair| pair.genesis_validator(100)).collect()
    }

    #[test]
    fn a_key_whose_possession_is_not_proved_is_refused() {
        // The rogue key of the textbook: own key minus another's, so that the sum of both is a key one holds alone.
        let mut rogue = listed();
        rogue[1].possession = rogue[2].possession;
        assert_eq!(Roster::new(&rogue).unwrap_err(), Error::Possession("b".parse().unwrap()));
        let mut rogue = listed();
        rogue[1].possession = [0xff; 48];
        assert_eq!(Roster::new(&rogue).unwrap_err(), Error::Possession("b".parse().unwrap()));
        let mut rogue = listed();
        rogue[2].bls = rogue[0].bls;
        assert_eq!(
            Roster::new(&rogue).unwrap_err(),
            Error::Possession("c".parse().unwrap()),
            "another's proof with one's own key"
        );
    }

    #[test]
    fn lists_that_are_no_roster_are_refused_by_the_name_of_the_validator() {
        let id = |text: &str| text.parse::<ValidatorId>().unwrap();
        let with = |change: &dyn Fn(&mut Vec<GenesisValidator>)| {
            let mut list = listed();
            change(&mut list);
            Roster::new(&list).unwrap_err()
        };
        assert_eq!(with(&|list| list.swap(0, 1)), Error::Order(id("a")));
        assert_eq!(with(&|list| list[1] = list[0].clone()), Error::Order(id("a")));
        assert_eq!(with(&|list| list[1].bls = [0xff; 96]), Error::Bls(id("b")));
        assert_eq!(with(&|list| list[1].ed25519 = [0x02; 32]), Error::Ed25519(id("b")));
        assert_eq!(with(&|list| list[1].ed25519 = list[0].ed25519), Error::SharedKey(id("b")));
        assert_eq!(with(&|list| list[1].stake = u64::MAX), Error::StakeOverflow);
    }

    #[test]
    fn stakes_of_another_set_do_not_fit() {
        let roster = Roster::new(&listed()).unwrap();
        let mut members: Vec<Member> = listed().iter().map(GenesisValidator::member).collect();
        members[1].stake = 0;
        assert_eq!(roster.stakes(&members).unwrap().as_slice(), [100, 0, 100]);
        members[2].bls[5] ^= 1;
        assert_eq!(roster.stakes(&members).unwrap_err(), Error::OtherSet(2));
        assert_eq!(roster.stakes(&members[..1]).unwrap_err(), Error::OtherSet(1));
    }

    #[test]
    fn a_quorum_is_strictly_more_than_two_thirds() {
        for total in (0..1000).chain([u64::MAX - 2, u64::MAX - 1, u64::MAX]) {
            let need = u128::from(more_than_two_thirds(total));
            let total = u128::from(total);
            assert!(3 * need > 2 * total && 3 * (need - 1) <= 2 * total, "{total}");
        }
    }

    #[test]
    fn the_accused_has_no_part_in_the_quorum_against_it() {
        let stakes = Stakes::new(vec![2000, 100, 100, 100]).unwrap();
        assert_eq!(stakes.quorum(), 1534);
        assert_eq!(stakes.quorum_against(0), 201, "even whoever holds most of the stake can be convicted");
    }
}
