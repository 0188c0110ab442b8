//! Is a block exactly what executing its records gives? Otherwise: the first difference.
//!
//! Validators ask this before they attest, `verify` and `replay` of every block. Seals, and whether the right validator
//! proposed, are the consensus' to check.

use std::fmt::{self, Debug, Display};

use super::cut::{self, Checked};
use super::execute::{self, Candidate, Executed, Maker, Roots, Stretches};
use super::state::View;
use super::{Error, Replica, Signature};
use crate::chain::{self, Author, Block, Content, Entry, Header, Operation, Receipt, RecordDifference};

/// What the caller knows of a block already, so that it is not worked out twice. The default is: nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// [`Block::check`] accepted this very block: its hash, its roots and its ranges are those of its header and body.
    /// Then entries and header are not hashed again.
    pub is_checked: bool,
    /// How many bytes the whole block takes as JSON, such as its record in the log. Where that is well below
    /// `block.max_bytes`, the entries' bytes are not counted again.
    pub rendered_size_bytes: Option<u64>,
}

/// The first place at which a block is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path of the field, as in the block's JSON: `header.state_root`, `transactions.3.receipt`.
    pub field: String,
    /// What stands there by the rules, or which rule it breaks.
    pub expected: String,
    /// What the block says.
    pub found: String,
}

impl Difference {
    fn new(field: impl Into<String>, expected: impl Display, found: impl Display) -> Self {
        Self { field: field.into(), expected: expected.to_string(), found: found.to_string() }
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: by the rules {}, the block says {}", self.field, self.expected, self.found)
    }
}

/// What became of re-executing a block.
#[derive(Clone, Debug)]
pub enum Reexecuted {
    /// The block is exactly what execution gives.
    Same {
        /// What it gives, to be written and committed.
        executed: Box<Executed>,
        /// How far the place of the cut could be checked without the next block.
        cut: Checked,
    },
    /// It is not, and this is the first difference.
    Differs(Difference),
}

/// Re-executes a block on the chain that it is said to go on ([`Replica::reexecute`]).
pub(super) fn reexecute<V: View + ?Sized>(
    replica: &Replica,
    view: &V,
    block: &Block,
    signatures: &[Signature],
    known: Known,
) -> Result<Reexecuted, Error<V::Error>> {
    let header = &block.header;
    let maker = match form(block) {
        Ok(maker) => maker,
        Err(Form::Newer(error)) => return Err(Error::Newer(error)),
        Err(Form::Differs(difference)) => return Ok(Reexecuted::Differs(difference)),
    };
    let candidate =
        Candidate { entries: &block.entries, signatures, cut: header.cut, maker, extensions: &header.extensions };
    // Right for this body, which is compared below with the one that execution gives.
    let roots = Roots { transactions: header.transactions_root, operations: header.operations_root };
    let executed = match execute::execute(replica, view, &candidate, known.is_checked.then_some(roots)) {
        Ok(executed) => executed,
        Err(Error::Candidate(detail)) if signatures.len() == block.entries.len() => {
            let field = if Stretches::new(replica, &block.entries).is_err() { "header.ranges" } else { "" };
            return Ok(Reexecuted::Differs(Difference::new(
                field,
                format!("there is no such block: {detail}"),
                "otherwise",
            )));
        }
        Err(error) => return Err(error),
    };
    if let Some(difference) = body_difference(&executed, block) {
        return Ok(Reexecuted::Differs(difference));
    }
    let items = cut::items(replica.parameters(), header.cut, &block.entries, known.rendered_size_bytes);
    Ok(match cut::check(replica.parameters(), replica.tip().time_ms, header, &items, None) {
        Ok(cut) => Reexecuted::Same { executed: Box::new(executed), cut },
        Err(error) => Reexecuted::Differs(Difference::new("header.cut", error, header.cut)),
    })
}

/// What keeps a block from being executed at all.
enum Form {
    Newer(chain::Error),
    Differs(Difference),
}

/// Who made the block; or what is wrong with it whatever the state is.
fn form(block: &Block) -> Result<Maker<'_>, Form> {
    if block.genesis.is_some() {
        return Err(Form::Differs(Difference::new("genesis", "only block 0 has one", "one")));
    }
    block.header.check().map_err(|error| match error {
        newer @ chain::Error::Newer { .. } => Form::Newer(newer),
        error => Form::Differs(Difference::new("header", error, "otherwise")),
    })?;
    match &block.header.author {
        Author::Genesis => {
            Err(Form::Differs(Difference::new("header.author", "a validator drawn by stake, or a miner", "otherwise")))
        }
        Author::Stake(author) => {
            // The fees and the reward are computed; what comes before them is given.
            let is_prior =
                |operation: &&Operation| matches!(operation, Operation::Missed { .. } | Operation::Slash { .. });
            let prior = block.operations.iter().take_while(is_prior).count();
            Ok(Maker::Proposer { proposer: &author.proposer, round: author.round, prior: &block.operations[..prior] })
        }
        Author::Work(author) => Ok(Maker::Miner(author)),
    }
}

fn body_difference(executed: &Executed, block: &Block) -> Option<Difference> {
    for (index, (entry, receipt)) in block.entries.iter().zip(&executed.receipts).enumerate() {
        let (Content::Transaction { receipt: found, .. }, Some(expected)) = (&entry.content, receipt) else { continue };
        if expected != found {
            let field = format!("transactions.{index}.receipt");
            return Some(Difference::new(field, ShowReceipt(expected), ShowReceipt(found)));
        }
    }
    let (expected, found) = (&executed.operations, &block.operations);
    for index in 0..expected.len().max(found.len()) {
        let (expected, found) = (expected.get(index), found.get(index));
        if expected != found {
            return Some(Difference::new(format!("operations.{index}"), show(&expected), show(&found)));
        }
    }
    if let Some(difference) = header_difference(&executed.header, &block.header) {
        return Some(difference);
    }
    // The headers are equal, and the hash of one was computed.
    (executed.hash != block.hash).then(|| Difference::new("hash", executed.hash, block.hash))
}

/// The first field in which a header is not the expected one.
fn header_difference(expected: &Header, found: &Header) -> Option<Difference> {
    macro_rules! compare {
        ($($field:ident),+) => {
            $(if expected.$field != found.$field {
                let field = concat!("header.", stringify!($field));
                return Some(Difference::new(field, show(&expected.$field), show(&found.$field)));
            })+
        };
    }
    compare!(version, hash_algorithm, genesis, height, parent, history, author, cut, window, time_ms, ranges);
    compare!(active_height, transactions_root, operations_root, validators, parameters, state_root, extensions);
    None
}

/// The first place at which a block's records are not those of the input, receipts aside. Offsets at which the input
/// holds more records than the block, or fewer, count.
#[must_use]
pub fn input_difference(input: &[Entry], block: &[Entry]) -> Option<Difference> {
    for index in 0..input.len().max(block.len()) {
        let field = |name: &str| format!("transactions.{index}{name}");
        let (expected, found) = match (input.get(index), block.get(index)) {
            (Some(expected), Some(found)) => (expected, found),
            (None, Some(found)) => return Some(Difference::new(field(""), "the block has ended", show(&found.origin))),
            (Some(expected), None) => return Some(Difference::new(field(""), show(&expected.origin), "nothing")),
            (None, None) => return None,
        };
        match found.record_difference(expected) {
            None => {}
            Some(RecordDifference::Place | RecordDifference::Time) => {
                return Some(Difference::new(field(".origin"), show(&expected.origin), show(&found.origin)));
            }
            Some(RecordDifference::Value) => {
                return Some(Difference::new(field(".original"), expected.original, found.original));
            }
            Some(RecordDifference::Content) => {
                return Some(Difference::new(field(""), show(&expected.content), show(&found.content)));
            }
        }
    }
    None
}

fn show(value: &impl Debug) -> String {
    // Enough to recognize a value by; evidence, for one, can be long.
    const CHARACTERS_MAX: usize = 300;
    let text = format!("{value:?}");
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

struct ShowReceipt<'a>(&'a Receipt);

impl Display for ShowReceipt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Receipt { outcome, from_balance, to_balance } = self.0;
        match outcome {
            crate::chain::Outcome::Applied => write!(f, "applied")?,
            crate::chain::Outcome::Rejected(reason) => write!(f, "rejected ({reason})")?,
        }
        write!(f, " with balances {from_balance} and {to_balance}")
    }
}
