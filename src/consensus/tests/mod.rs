//! What the committee promises, against real keys and real signatures.

mod evidence;
mod quorum;
mod rounds;
mod seal;
mod sealer;
mod simulated;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::chain::{Bitmap, Cut, Hash, Header, RefusalReason, Seal, SignedHeader, ValidatorId};

pub(super) const CHAIN: &str = "test";
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
            chain_id: CHAIN.to_owned(),
            height,
            parent: Hash::of(b"parent"),
            time_ms: 1_000,
            window: None,
            cut: Cut::Transactions,
            ranges: Vec::new(),
            transactions_root: Hash::of(b"transactions"),
            operations_root: Hash::of(b"operations"),
            state_root: Hash::of(b"state"),
            validators: Hash::of(b"validators"),
            parameters: Hash::of(b"parameters"),
            proposer: self.pair(proposer).id().clone(),
            round,
            seed: self.seed,
            extensions: Vec::new(),
        }
    }

    pub(super) fn signed(&self, header: Header, signer: usize) -> SignedHeader {
        let signature = self.pair(signer).sign_ed25519(&message::proposal(&header.hash()));
        SignedHeader { header, signature }
    }

    pub(super) fn sum(&self, signers: &[u16], message: &[u8]) -> [u8; 48] {
        let signatures: Vec<_> = signers.iter().map(|place| self.pair((*place).into()).sign_bls(message)).collect();
        bls::Signature::aggregate(&signatures).unwrap().to_bytes()
    }

    /// The seal that `signers` put on a header.
    pub(super) fn seal(&self, header: &Header, signers: &[u16]) -> Seal {
        let hash = header.hash();
        let proposer = self.roster.place(&header.proposer).unwrap();
        let reveal = message::reveal(&header.chain_id, header.height, header.round, &header.seed);
        Seal {
            scheme: Seal::ED25519_BLS,
            signature: self.pair(proposer).sign_ed25519(&message::proposal(&hash)),
            reveal: self.pair(proposer).sign_bls(&reveal).to_bytes(),
            attestation: self.sum(signers, &message::attestation(&hash)),
            signers: signers.iter().copied().collect(),
        }
    }

    pub(super) fn refusal(
        &self,
        signed: SignedHeader,
        reason: RefusalReason,
        signers: &[u16],
    ) -> crate::chain::Evidence {
        let message = message::refusal(&signed.header.hash(), reason);
        let sum = bls::Signature::from_bytes(&self.sum(signers, &message)).unwrap();
        super::evidence::refusal(signed, reason, &sum, bitmap(signers))
    }

    pub(super) fn start(&self, height: u64) -> super::rounds::Start<'_> {
        super::rounds::Start { chain_id: CHAIN, height, seed: &self.seed, roster: &self.roster }
    }
}

pub(super) fn bitmap(places: &[u16]) -> Bitmap {
    places.iter().copied().collect()
}
