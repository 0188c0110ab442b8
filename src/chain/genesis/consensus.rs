//! How a chain agrees on its blocks.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::chain::code::codes;

codes! {
    /// Who holds the validators' keys.
    pub enum Committee {
        /// The process that seals holds them all.
        Local = 0 => "local",
    }
}

codes! {
    /// How a chain agrees on its blocks, without what belongs to it.
    pub enum ConsensusKind {
        /// Validators, drawn and weighed by stake.
        Stake = 1 => "stake",
        /// The first miner that finds a proof of work.
        Work = 2 => "work",
    }
}

codes! {
    /// What a proof of work binds.
    pub enum WorkRule {
        /// The header, and so the whole block.
        Header = 1 => "header",
        /// The proof before it and nothing else: the rule of the system in Python that this one grew from.
        Classic = 2 => "classic",
    }
}

/// How a chain agrees on its blocks.
///
/// ```text
/// code u8 | body        1 stake: committee code        2 work: Work
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Consensus {
    /// Validators, drawn and weighed by stake.
    Stake {
        /// Who holds their keys.
        committee: Committee,
    } = 1,
    /// The first miner that finds a proof of work.
    Work(Work) = 2,
}

/// What a proof of work has to be.
///
/// ```text
/// rule code | leading_zero_bits u8 | target_interval_ms u64
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Work {
    /// What it binds.
    pub rule: WorkRule,
    /// With how many zero bits its hash begins at least; at first, and at all times where it is not adjusted.
    pub leading_zero_bits: u8,
    /// From which time between blocks, in milliseconds of header time, the difficulty is kept; 0: it is not adjusted.
    pub target_interval_ms: u64,
}

impl Default for Work {
    /// 65,536 trials on average, over the header.
    fn default() -> Self {
        Self { rule: WorkRule::Header, leading_zero_bits: 16, target_interval_ms: 0 }
    }
}

impl Work {
    /// The account that stands for nobody where the rule is the classic one: rewards come from it, so it can neither
    /// send nor be paid.
    pub const NOBODY: &str = "0";
}

impl Consensus {
    /// Its kind, as a genesis file names it.
    #[must_use]
    pub fn kind(self) -> ConsensusKind {
        match self {
            Self::Stake { .. } => ConsensusKind::Stake,
            Self::Work(_) => ConsensusKind::Work,
        }
    }

    /// Who holds the validators' keys; `None` where there are no validators.
    #[must_use]
    pub fn committee(self) -> Option<Committee> {
        match self {
            Self::Stake { committee } => Some(committee),
            Self::Work(_) => None,
        }
    }

    /// What a proof has to be, where blocks are mined.
    #[must_use]
    pub fn work(self) -> Option<Work> {
        match self {
            Self::Stake { .. } => None,
            Self::Work(work) => Some(work),
        }
    }

    /// Whether an account can neither send nor be paid because it stands for nobody ([`Work::NOBODY`]).
    #[must_use]
    pub fn is_nobody(self, name: &str) -> bool {
        self.work().is_some_and(|work| work.rule == WorkRule::Classic) && name == Work::NOBODY
    }
}
