//! What a proof has to be, and the search for one.
//!
//! ```text
//! header    SHA-256( tag Work || header hash 32 || proof u64 little-endian )
//! classic   SHA-256( last proof in decimal || proof in decimal )
//!
//! holds     the first 8 bytes of the hash, as a big-endian number, times the difficulty are below 2^64
//! ```
//!
//! A difficulty of 2^n asks for n leading zero bits, and any number in between for something in between; it is how many
//! proofs are tried until one holds, on average.

use sha2::{Digest, Sha256};

use crate::chain::{Amount, Domain, Hash};

/// The largest proof: every reader of JSON holds it exactly.
pub const PROOF_MAX: u64 = Amount::MAX.get();

/// What a proof is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Puzzle {
    bound: Bound,
    difficulty: u64,
}

/// What the proof binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Header(Hash),
    LastProof(u64),
}

impl Puzzle {
    /// A proof over the header with this hash.
    #[must_use]
    pub fn header(hash: Hash, difficulty: u64) -> Self {
        Self { bound: Bound::Header(hash), difficulty }
    }

    /// A proof over the proof before it, and nothing else.
    #[must_use]
    pub fn classic(last_proof: u64, difficulty: u64) -> Self {
        Self { bound: Bound::LastProof(last_proof), difficulty }
    }

    /// How many proofs are tried until one holds, on average.
    #[must_use]
    pub fn difficulty(&self) -> u64 {
        self.difficulty
    }

    /// Whether a proof holds.
    ///
    /// ```
    /// use cairn::consensus::work::Puzzle;
    /// // sha256("10035293") begins with four zeros, and no smaller number than 35293 gives as many.
    /// let puzzle = Puzzle::classic(100, 1 << 16);
    /// assert!(puzzle.is_solved_by(35_293) && !puzzle.is_solved_by(35_292));
    /// assert_eq!(puzzle.search(0, u64::MAX), Some(35_293));
    /// ```
    #[must_use]
    pub fn is_solved_by(&self, proof: u64) -> bool {
        proof <= PROOF_MAX && self.holds(&self.start(), proof)
    }

    /// The first proof that holds among `count` from `first` on. 100,000 take about 10 ms.
    #[must_use]
    pub fn search(&self, first: u64, count: u64) -> Option<u64> {
        let start = self.start();
        (first..first.saturating_add(count))
            .take_while(|proof| *proof <= PROOF_MAX)
            .find(|proof| self.holds(&start, *proof))
    }

    /// The hash, as far as it is the same for all proofs.
    fn start(&self) -> Sha256 {
        let mut state = Sha256::new();
        match &self.bound {
            Bound::Header(hash) => state.update(Domain::Work.message(hash)),
            Bound::LastProof(last_proof) => state.update(Decimal::of(*last_proof).digits()),
        }
        state
    }

    fn holds(&self, start: &Sha256, proof: u64) -> bool {
        let mut state = start.clone();
        match self.bound {
            Bound::Header(_) => state.update(proof.to_le_bytes()),
            Bound::LastProof(_) => state.update(Decimal::of(proof).digits()),
        }
        let hash: [u8; 32] = state.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        let head = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        u128::from(head) * u128::from(self.difficulty) < 1 << 64
    }
}

/// A number's digits, without memory of its own on the heap: the search writes one for each proof.
struct Decimal {
    digits: [u8; 20],
    first: usize,
}

impl Decimal {
    fn of(mut number: u64) -> Self {
        let mut decimal = Self { digits: [b'0'; 20], first: 20 };
        loop {
            decimal.first -= 1;
            decimal.digits[decimal.first] = b'0' + u8::try_from(number % 10).unwrap_or(0);
            number /= 10;
            if number == 0 {
                return decimal;
            }
        }
    }

    fn digits(&self) -> &[u8] {
        &self.digits[self.first..]
    }
}
