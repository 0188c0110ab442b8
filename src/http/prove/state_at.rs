//! The state after one block, with its tree: made from one commit of the stores, for the proofs of a few seconds.

use crate::http::committed::{Committed, State, Step};
use crate::http::problem::{Problem, Result};
use crate::ledger::state::{Table, Tip, tip};
use crate::ledger::{self, Tree};

/// The most entries of a state that a tree is made of: some 200 bytes of memory and a microsecond for each.
const ENTRIES_MAX: usize = 1_000_000;

/// See above.
pub(super) struct StateAt {
    pub(super) state: State,
    pub(super) tree: Tree,
    pub(super) tip: Tip,
    /// By the clock that never goes back.
    pub(super) made_ms: i64,
}

impl StateAt {
    /// Of the last commit.
    pub(super) fn make(committed: &Committed, made_ms: i64) -> Result<Self> {
        let state = committed.state()?;
        let tip = tip(&state)?.ok_or_else(|| Problem::unavailable("there is no block yet: ask again"))?;
        let mut leaves = Vec::new();
        for table in Table::ALL.into_iter().filter(|table| table.in_tree()) {
            state.walk(table, &[], None, |key, record| {
                leaves.push(table.leaf(key, record));
                if leaves.len() > ENTRIES_MAX { Step::Enough } else { Step::On }
            })?;
            if leaves.len() > ENTRIES_MAX {
                return Err(Problem::unprovable(format!(
                    "the state has more than {ENTRIES_MAX} entries, and this server makes no proof of so many: make it with cairn prove"
                )));
            }
        }
        let tree = Tree::from_leaves(leaves).map_err(ledger::Error::<topology::query::Error>::from)?;
        if tree.root() != tip.state_root {
            let detail = format!("the state does not have the root of block {}: run cairn verify", tip.height);
            return Err(Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, detail));
        }
        Ok(Self { state, tree, tip, made_ms })
    }
}
