//! What the committee promises, against real keys and real signatures.

mod binding;
mod cost;
mod evidence;
mod machine;
mod messages;
mod network;
mod quorum;
mod rounds;
mod seal;
mod sealer;
pub(in crate::consensus) mod simulated;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::super::{Error, Fault, KeyPair, KeySet, Roster, SetupError, Stakes, Step, bls, keys};
use super::{evidence as proof, rounds as turns, signing};
use crate::chain::{
    Author, Bitmap, Cut, Evidence, Hash, Header, RefusalReason, SignedHeader, StakeAuthor, StakeSeal, ValidatorId,
};

/// The genesis hash.
pub(super) const CHAIN: Hash = Hash([9; 32]);
pub(super) const STAKES: [u64; 5] = [400, 300, 300, 200, 150];

pub(super) fn id(text: &str) -> ValidatorId {
    text.parse().unwrap()
}

/// Five validators, `a` to `e`, with [`STAKES`].
pub(super) struct Five {
    pub(super) keys: KeySet,
    pub(super) roster: Roster,
    pub(super) stakes: Stakes,
    pub(super) seed: Hash,
}

impl Five {
    pub(super) fn new() -> Five {
        let keys = KeySet::generate(["a", "b", "c", "d", "e"].map(id), &mut StdRng::from_seed([5; 32])).unwrap();
        let listed: Vec<_> =
            keys.pairs().iter().zip(STAKES).map(|(pair, stake)| pair.genesis_validator(stake)).collect();
        let roster = Roster::new(&listed).unwrap();
        let stakes = Stakes::new(STAKES.to_vec()).unwrap();
        Five { keys, roster, stakes, seed: Hash::of(b"seed") }
    }

    pub(super) fn pair(&self, place: usize) -> &KeyPair {
        &self.keys.pairs()[place]
    }

    pub(super) fn header(&self, height: u64, round: u32, proposer: usize) -> Header {
        Header {
            version: Header::VERSION,
            hash_algorithm: Header::SHA_256,
            genesis: CHAIN,
            height,
            active_height: height,
            time_ms: 1_000,
            parent: Hash::of(b"parent"),
            history: Hash::of(b"history"),
            window: None,
            cut: Cut::Transactions,
            ranges: Vec::new(),
            transactions_root: Hash::of(b"transactions"),
            operations_root: Hash::of(b"operations"),
            state_root: Hash::of(b"state"),
            validators: Hash::of(b"validators"),
            parameters: Hash::of(b"parameters"),
            author: Author::Stake(StakeAuthor { proposer: self.pair(proposer).id().clone(), round, seed: self.seed }),
            extensions: Vec::new(),
        }
    }

    /// The header as another validator's.
    pub(super) fn by(header: &Header, proposer: &str) -> Header {
        let mut header = header.clone();
        header.stake_mut().unwrap().proposer = id(proposer);
        header
    }

    pub(super) fn signed(&self, header: Header, signer: usize) -> SignedHeader {
        let signature = self.pair(signer).sign_ed25519(&signing::proposal(&header.hash()));
        SignedHeader { header, signature }
    }

    pub(super) fn sum(&self, signers: &[u16], message: &[u8]) -> [u8; 48] {
        let signatures: Vec<_> = signers.iter().map(|place| self.pair((*place).into()).sign_bls(message)).collect();
        bls::Signature::aggregate(&signatures).unwrap().to_bytes()
    }

    /// The seal that `signers` put on a header.
    pub(super) fn seal(&self, header: &Header, signers: &[u16]) -> StakeSeal {
        let hash = header.hash();
        let StakeAuthor { proposer, round, seed } = header.stake().unwrap();
        let proposer = self.roster.place(proposer).unwrap();
        let reveal = signing::reveal(&header.genesis, header.height, *round, seed);
        StakeSeal {
            signature: self.pair(proposer).sign_ed25519(&signing::proposal(&hash)),
            reveal: self.pair(proposer).sign_bls(&reveal).to_bytes(),
            attestation: self.sum(signers, &signing::attestation(&hash)),
            signers: signers.iter().copied().collect(),
        }
    }

    pub(super) fn refusal(&self, signed: SignedHeader, reason: RefusalReason, signers: &[u16]) -> Evidence {
        let message = signing::refusal(&signed.header.hash(), reason);
        let sum = bls::Signature::from_bytes(&self.sum(signers, &message)).unwrap();
        proof::refusal(signed, reason, &sum, bitmap(signers))
    }

    pub(super) fn start(&self, height: u64) -> turns::Start<'_> {
        turns::Start { genesis: &CHAIN, height, seed: &self.seed, roster: &self.roster }
    }
}

pub(super) fn bitmap(places: &[u16]) -> Bitmap {
    places.iter().copied().collect()
}
