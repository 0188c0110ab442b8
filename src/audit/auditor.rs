//! The chain against itself.
//!
//! ```text
//! height     heights follow each other from 0, each once
//! form       JSON, hashes, roots and ranges of a block agree with each other
//! anchor     block 0 is the genesis that was pinned
//! parent     the block names the hash of the one before, and its offsets go on from there
//! rounds     the drawn validator proposed; every failed round is accounted for, with evidence that holds
//! seal       more than two thirds of the stake attest                                   (many heights at once)
//! execution  receipts, operations, state root: exactly what executing the records gives
//! cut        the block ends where the rules end it, or where a recorded decision does
//! ```

use rand::CryptoRng;

use crate::chain::{Block, Coverage, Hash, Header, Member, Parameters};
use crate::consensus::rounds::Start;
use crate::consensus::seal::{self, Claims};
use crate::consensus::{self, Roster, Stakes, draw};
use crate::ledger::cut::{self, Checked, Item};
use crate::ledger::reexecute::{self, Verdict};
use crate::ledger::state::{self, MemoryState, Supply, Tip};
use crate::ledger::{self, Tree, signatures};

/// Seals whose signatures are checked together.
const SEALS_AT_ONCE: usize = 64;

/// What the chain must begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The genesis with this hash.
    Genesis(Hash),
    /// Anything: the chain is checked against itself alone.
    None,
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("height {height}: {reason}: {detail}")]
pub struct Broken {
    /// The height.
    pub height: u64,
    /// What kind of breach.
    pub reason: Reason,
    /// One line.
    pub detail: String,
}

/// What kind of breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A height is missing, out of its place, or there twice.
    Height,
    /// The block does not agree with itself.
    Form,
    /// The chain is not the one that was pinned.
    Anchor,
    /// The block does not follow the one before.
    Parent,
    /// Somebody else was drawn, or a failed round is not accounted for.
    Rounds,
    /// Not enough stake attests to the block.
    Seal,
    /// Executing the records gives something else.
    Execution,
    /// The block ends where it should not.
    Cut,
    /// The block does not hold what the transactions topic holds.
    Transactions,
    /// The chain is not one with the checkpoint.
    Checkpoint,
}

impl Reason {
    /// Stable, for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Height => "height",
            Reason::Form => "form",
            Reason::Anchor => "anchor",
            Reason::Parent => "parent",
            Reason::Rounds => "rounds",
            Reason::Seal => "seal",
            Reason::Execution => "execution",
            Reason::Cut => "cut",
            Reason::Transactions => "transactions",
            Reason::Checkpoint => "checkpoint",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an intact chain adds up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The last block.
    pub tip: Tip,
    /// The genesis' hash.
    pub genesis_hash: Hash,
    /// Records in blocks.
    pub record_count: u64,
    /// What the chain holds.
    pub supply: Supply,
}

/// Checks blocks, one after the other.
pub struct Auditor<R> {
    anchor: Anchor,
    randomness: R,
    chain: Option<Chain>,
}

struct Chain {
    genesis_hash: Hash,
    parameters: Parameters,
    roster: Roster,
    state: MemoryState,
    tree: Tree,
    tip: Tip,
    header: Header,
    coverage: Coverage,
    record_count: u64,
    claims: Vec<(u64, Claims)>,
    /// A cut that only the next block's first record can prove.
    unproved: Option<Unproved>,
}

struct Unproved {
    parent_time_ms: i64,
    header: Header,
    items: Vec<Item>,
}

impl<R: CryptoRng> Auditor<R> {
    /// Nothing is checked yet. `randomness` weighs signatures in batches: whoever forges must not foresee it.
    pub fn new(anchor: Anchor, randomness: R) -> Self {
        Self { anchor, randomness, chain: None }
    }

    /// The height that must come next.
    pub fn next_height(&self) -> u64 {
        self.chain.as_ref().map_or(0, |chain| chain.tip.height + 1)
    }

    /// The last block checked.
    pub fn tip(&self) -> Option<&Tip> {
        self.chain.as_ref().map(|chain| &chain.tip)
    }

    /// The state after it.
    pub fn state(&self) -> Option<&MemoryState> {
        self.chain.as_ref().map(|chain| &chain.state)
    }

    /// Checks the next block as the topic holds it, and gives it back.
    pub fn check_record(&mut self, offset: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Block, Broken> {
        let unreadable =
            |error| broken(self.next_height(), Reason::Form, format!("offset {offset} of the topic: {error}"));
        let block = Block::from_record(key, value).map_err(unreadable)?;
        self.check(&block)?;
        Ok(block)
    }

    /// Checks the next block. Seals are checked some blocks later, at the latest by [`Auditor::conclude`].
    pub fn check(&mut self, block: &Block) -> Result<(), Broken> {
        let (height, expected) = (block.header.height, self.next_height());
        if height != expected {
            let detail = format!("height {height} comes where {expected} must");
            return Err(Broken { height: expected.min(height), reason: Reason::Height, detail });
        }
        block.check().map_err(|error| broken(height, Reason::Form, error))?;
        match &mut self.chain {
            None => self.chain = Some(Chain::begin(block, self.anchor)?),
            Some(chain) => chain.extend(block, &mut self.randomness)?,
        }
        Ok(())
    }

    /// Checks where the last block ends, given the record behind it. Without that record a cut by window or bytes stays open.
    pub fn check_last_cut(&mut self, next: &Item) -> Result<(), Broken> {
        self.chain.as_mut().map_or(Ok(()), |chain| chain.check_previous_cut(next))
    }

    /// Checks what is still open, and sums up. `found` is the breach that the walk ended with, if it did. Of two breaches the
    /// lower is named, for a seal of a lower height may have been waiting to be checked. At one height the seal is named:
    /// only where it holds did those who hold the keys break the rest. `None`: there was no block.
    pub fn conclude(&mut self, found: Option<Broken>) -> Result<Option<Summary>, Broken> {
        match (self.finish(), found) {
            (Err(earlier), Some(found)) if earlier.height <= found.height => Err(earlier),
            (_, Some(found)) => Err(found),
            (finished, None) => finished,
        }
    }

    fn finish(&mut self) -> Result<Option<Summary>, Broken> {
        let Some(chain) = &mut self.chain else { return Ok(None) };
        chain.check_seals()?;
        let supply = state::audit_supply(&chain.state);
        let supply = supply.map_err(|error| broken(chain.tip.height, Reason::Execution, error))?;
        Ok(Some(Summary {
            tip: chain.tip.clone(),
            genesis_hash: chain.genesis_hash,
            record_count: chain.record_count,
            supply,
        }))
    }
}

impl Chain {
    fn begin(block: &Block, anchor: Anchor) -> Result<Self, Broken> {
        let Some(genesis) = &block.genesis else {
            return Err(broken(0, Reason::Form, "block 0 holds no genesis"));
        };
        let genesis_hash = genesis.hash();
        if let Anchor::Genesis(pinned) = anchor
            && pinned != genesis_hash
        {
            let detail = format!("this chain's genesis is {genesis_hash}, {pinned} was pinned: it is another chain");
            return Err(broken(0, Reason::Anchor, detail));
        }
        let roster = Roster::new(&genesis.validators).map_err(|error| broken(0, Reason::Form, error))?;
        let beginning = consensus::begin(genesis).map_err(|error| broken(0, Reason::Execution, error))?;
        let (expected, found) = (beginning.block.header.state_root, block.header.state_root);
        if expected != found {
            let detail = format!("the genesis gives state root {expected}, block 0 says {found}");
            return Err(broken(0, Reason::Execution, detail));
        }
        let mut state = MemoryState::new();
        state.apply(beginning.changes);
        Ok(Self {
            genesis_hash,
            parameters: genesis.parameters.clone(),
            roster,
            state,
            tree: beginning.tree,
            tip: beginning.tip,
            header: block.header.clone(),
            coverage: Coverage::default(),
            record_count: 0,
            claims: Vec::new(),
            unproved: None,
        })
    }

    fn extend(&mut self, block: &Block, randomness: &mut impl CryptoRng) -> Result<(), Broken> {
        let height = block.header.height;
        block.header.check_follows(&self.header).map_err(|error| broken(height, Reason::Parent, error))?;
        self.coverage.extend(&block.header).map_err(|error| broken(height, Reason::Parent, error))?;
        self.check_rounds(block)?;
        if let Some(first) = block.entries.first() {
            self.check_previous_cut(&Item::from(first))?;
        }
        self.execute(block, randomness)?;
        self.header = block.header.clone();
        self.record_count += block.entries.len() as u64;
        if self.claims.len() >= SEALS_AT_ONCE {
            self.check_seals()?;
        }
        Ok(())
    }

    fn check_rounds(&mut self, block: &Block) -> Result<(), Broken> {
        let height = block.header.height;
        let start = Start { chain_id: &self.tip.chain_id, height, seed: &self.tip.seed, roster: &self.roster };
        let claims = self.stakes(height).and_then(|stakes| {
            consensus::verify::claims(&start, stakes, block).map_err(|flaw| {
                let reason = match flaw {
                    consensus::verify::Flaw::Rounds(_) => Reason::Rounds,
                    _ => Reason::Seal,
                };
                broken(height, reason, flaw)
            })
        })?;
        self.claims.push((height, claims));
        Ok(())
    }

    fn stakes(&self, height: u64) -> Result<Stakes, Broken> {
        let validators = state::validators(&self.state).map_err(|error| broken(height, Reason::Execution, error))?;
        let members: Vec<Member> = validators.iter().map(|(id, record)| record.member(id)).collect();
        self.roster.stakes(&members).map_err(|error| broken(height, Reason::Rounds, error))
    }

    fn execute(&mut self, block: &Block, randomness: &mut impl CryptoRng) -> Result<(), Broken> {
        let height = block.header.height;
        let signatures = signatures::verify(&block.entries, self.parameters.signatures, &self.tip.chain_id, randomness);
        let verdict = ledger::reexecute(&self.state, &self.tree, &self.parameters, block, &signatures);
        let (executed, checked) = match verdict.map_err(|error| broken(height, Reason::Execution, error))? {
            Verdict::Same { executed, cut } => (executed, cut),
            Verdict::Differs(difference) => return Err(broken(height, difference_reason(&difference), difference)),
        };
        let reveal = block.seal.as_ref().map_or([0; 48], |seal| seal.reveal);
        let seed = draw::next_seed(&self.tip.chain_id, height.saturating_add(1), &block.header.seed, &reveal);
        if checked == Checked::NeedsNext {
            let items = block.entries.iter().map(Item::from).collect();
            self.unproved = Some(Unproved { parent_time_ms: self.tip.time_ms, header: block.header.clone(), items });
        }
        self.tip = executed.tip(seed);
        let (changes, update) = executed.into_changes(seed);
        self.state.apply(changes);
        self.tree.commit(update).map_err(|error| broken(height, Reason::Execution, error))
    }

    /// The record behind a block shows whether the rules ended it where it ends.
    fn check_previous_cut(&mut self, next: &Item) -> Result<(), Broken> {
        let Some(Unproved { parent_time_ms, header, items }) = self.unproved.take() else { return Ok(()) };
        cut::check(&self.parameters, parent_time_ms, &header, &items, Some(next))
            .map(|_| ())
            .map_err(|error| broken(header.height, Reason::Cut, error))
    }

    fn check_seals(&mut self) -> Result<(), Broken> {
        let (heights, claims): (Vec<u64>, Vec<Claims>) = self.claims.drain(..).unzip();
        seal::verify_many(&claims)
            .map_err(|(index, flaw)| broken(heights.get(index).copied().unwrap_or_default(), Reason::Seal, flaw))
    }
}

fn difference_reason(difference: &reexecute::Difference) -> Reason {
    if difference.field == "header.cut" { Reason::Cut } else { Reason::Execution }
}

pub(super) fn broken(height: u64, reason: Reason, detail: impl std::fmt::Display) -> Broken {
    Broken { height, reason, detail: detail.to_string() }
}
