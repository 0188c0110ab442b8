//! The header of a block. Its hash is the block's hash; it commits to everything in the block but the seal.

use borsh::{BorshDeserialize, BorshSerialize};

use super::code::codes;
use super::encoding::write_canonical;
use super::hash::{Domain, Hash, hash};
use super::name::Name;
use super::validator::ValidatorId;

codes! {
    /// Why a block ends where it ends.
    pub enum Cut {
        /// Block 0 is not cut from the log.
        Genesis = 0 => "genesis",
        /// Stream time passed the end of the event-time window.
        Window = 1 => "window",
        /// The block holds as many transactions as the parameters allow.
        Transactions = 2 => "transactions",
        /// The next transaction would take the block over its size in bytes.
        Bytes = 3 => "bytes",
        /// The first record had waited as long as the parameters allow (a recorded decision).
        Age = 4 => "age",
        /// The run was told to end (a recorded decision).
        End = 5 => "end",
    }
}

/// The event-time window of a block: `start_ms <= time < end_ms`, in milliseconds since 1970 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Window {
    /// The first millisecond.
    pub start_ms: i64,
    /// The millisecond after the last.
    pub end_ms: i64,
}

/// The stretch of one origin partition that a block covers. Offsets between `first` and `last` without an entry are
/// offsets at which the log holds no record (transaction markers, for instance).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Range {
    /// The partition.
    pub partition: i32,
    /// The offset of the first entry.
    pub first: i64,
    /// The offset of the last entry.
    pub last: i64,
    /// The number of entries.
    pub count: u64,
}

/// Something a later version adds to the header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Extension {
    /// What it is.
    pub id: u16,
    /// Whether a program that does not know it must refuse the block.
    pub critical: bool,
    /// Its value.
    pub value: Vec<u8>,
}

/// Who made a block, in the manner of the chain's consensus.
///
/// ```text
/// code u8 | body        0 genesis: nothing        1 stake: StakeAuthor        2 work: WorkAuthor
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Author {
    /// Block 0 follows from the genesis; no validator proposes it.
    Genesis = 0,
    /// The validator drawn by stake.
    Stake(StakeAuthor) = 1,
    /// The miner that found the proof of work.
    Work(WorkAuthor) = 2,
}

impl Author {
    /// The kinds of author that this program knows, as in JSON.
    pub const KINDS: [&str; 3] = ["genesis", "stake", "work"];
}

/// The turn in which a block was proposed.
///
/// ```text
/// proposer str | round u32 | seed 32
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct StakeAuthor {
    /// Who proposed the block.
    pub proposer: ValidatorId,
    /// The round: how many proposers drawn before it failed.
    pub round: u32,
    /// The seed from which the proposer was drawn.
    pub seed: Hash,
}

/// Who mined a block, and against what.
///
/// ```text
/// miner str | difficulty u64 | last_proof u64
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct WorkAuthor {
    /// The account that takes fees and reward.
    pub miner: Name,
    /// How many proofs are tried until one holds, on average.
    pub difficulty: u64,
    /// The proof of the block before, which is in its seal and so in no hash; that of block 0 follows from the rule.
    pub last_proof: u64,
}

/// The header. The order of the fields is the order of the canonical encoding and of the JSON (`docs/encoding.md` draws
/// both).
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Header {
    /// The layout and the rules, as the chain's schedule of versions has it for this height.
    pub version: u16,
    /// The hash used throughout: [`Header::SHA_256`].
    pub hash_algorithm: u8,
    /// The hash of the genesis: the chain's identity.
    pub genesis: Hash,
    /// 0 for genesis, then one more for each block.
    pub height: u64,
    /// How many blocks, up to and with this one, have at least one applied transaction.
    pub active_height: u64,
    /// Stream time at the cut, in milliseconds since 1970 UTC. Never the wall clock.
    pub time_ms: i64,
    /// The hash of the block before; zeros in block 0.
    pub parent: Hash,
    /// The Merkle root over the hashes of all blocks before, from block 0.
    pub history: Hash,
    /// The event-time window the block lies in.
    pub window: Option<Window>,
    /// Why the block ends where it ends.
    pub cut: Cut,
    /// The stretches of the log it covers, by partition, ascending.
    pub ranges: Vec<Range>,
    /// The Merkle root of the entries.
    pub transactions_root: Hash,
    /// The Merkle root of the operations.
    pub operations_root: Hash,
    /// The root of the state tree after the block.
    pub state_root: Hash,
    /// The hash of the validator set that decides on this block ([`validators_hash`](super::validators_hash)).
    pub validators: Hash,
    /// The hash of the chain parameters in force.
    pub parameters: Hash,
    /// Who made the block.
    pub author: Author,
    /// Extensions, by id, ascending, each id once.
    pub extensions: Vec<Extension>,
}

impl Header {
    /// The newest version that this program knows.
    pub const VERSION: u16 = 1;
    /// SHA-256, the only hash algorithm there is.
    pub const SHA_256: u8 = 1;

    /// The block's hash: `hash(Header, canonical bytes)`.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut bytes = Vec::with_capacity(512);
        write_canonical(self, &mut bytes);
        hash(Domain::Header, &[&bytes])
    }

    /// The turn in which the block was proposed; `None` where no validator proposed it: block 0, and blocks that were
    /// mined.
    #[must_use]
    pub fn stake(&self) -> Option<&StakeAuthor> {
        match &self.author {
            Author::Genesis | Author::Work(_) => None,
            Author::Stake(author) => Some(author),
        }
    }

    /// As [`Header::stake`], to be altered.
    #[must_use]
    pub fn stake_mut(&mut self) -> Option<&mut StakeAuthor> {
        match &mut self.author {
            Author::Genesis | Author::Work(_) => None,
            Author::Stake(author) => Some(author),
        }
    }

    /// Who mined the block, and against what; `None` for block 0 and for blocks that validators proposed.
    #[must_use]
    pub fn work(&self) -> Option<&WorkAuthor> {
        match &self.author {
            Author::Genesis | Author::Stake(_) => None,
            Author::Work(author) => Some(author),
        }
    }

    /// As [`Header::work`], to be altered.
    #[must_use]
    pub fn work_mut(&mut self) -> Option<&mut WorkAuthor> {
        match &mut self.author {
            Author::Genesis | Author::Stake(_) => None,
            Author::Work(author) => Some(author),
        }
    }

    /// Who made the block: the validator that proposed it, or the account it was mined for. `None` for block 0.
    #[must_use]
    pub fn maker(&self) -> Option<&str> {
        match &self.author {
            Author::Genesis => None,
            Author::Stake(author) => Some(author.proposer.as_str()),
            Author::Work(author) => Some(author.miner.as_str()),
        }
    }

    /// The validator that proposed the block; `None` where none did.
    #[must_use]
    pub fn proposer(&self) -> Option<&ValidatorId> {
        self.stake().map(|author| &author.proposer)
    }

    /// The round in which it was proposed; 0 where no validator proposed it.
    #[must_use]
    pub fn round(&self) -> u32 {
        self.stake().map_or(0, |author| author.round)
    }

    /// The seed from which its proposer was drawn; `None` where none was drawn.
    #[must_use]
    pub fn seed(&self) -> Option<Hash> {
        self.stake().map(|author| author.seed)
    }
}
