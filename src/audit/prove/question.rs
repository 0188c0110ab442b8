//! What is to be proved, and where the blocks have it.

use crate::chain::{Block, Entry, Header, Id, Name, Range, ValidatorId};
use crate::ledger::state::{self, Table, View};
use crate::ledger::{self, Tree};
use crate::proof::{Chunk, Claim, ListedIds, Place, StatePath, chunk_key, remembered, used_id};

/// What is to be proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// What became of a record of the transactions topic.
    Transaction {
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
    },
    /// Whether a sender has used an id, and by which transaction.
    Id {
        /// The sender.
        sender: Name,
        /// The id.
        id: Id,
    },
    /// What an account holds.
    Balance {
        /// Its name.
        name: Name,
    },
    /// What a validator is.
    Validator {
        /// The validator.
        id: ValidatorId,
    },
    /// That there is a block.
    Block {
        /// Its height.
        height: u64,
    },
}

/// What a block says to a question.
pub(crate) enum Answer {
    /// It is the block that a proof can be about.
    Claim(Claim),
    /// None is: why.
    None(String),
    /// Nothing: another block may.
    Silent,
}

impl Question {
    /// Whether what is asked for is in one block, and not in the state.
    pub(super) fn is_of_a_block(&self) -> bool {
        matches!(self, Self::Transaction { .. } | Self::Id { .. } | Self::Block { .. })
    }

    /// Whether no later block can say more than one that has answered.
    pub(super) fn is_answered_once(&self) -> bool {
        matches!(self, Self::Transaction { .. } | Self::Block { .. })
    }

    /// Whether a block must have its body to answer.
    pub(crate) fn needs_body(&self, header: &Header) -> bool {
        match self {
            Self::Transaction { partition, offset } => {
                range(header, *partition).is_some_and(|range| *offset <= range.last)
            }
            // An id may have been used in a block that still has its body. Where none has it, the chain is followed,
            // and that needs all.
            Self::Id { .. } | Self::Balance { .. } | Self::Validator { .. } | Self::Block { .. } => false,
        }
    }

    /// What a block says, which needs no body for it.
    pub(crate) fn ask_header(&self, header: &Header) -> Answer {
        match self {
            Self::Block { height } if *height == header.height => Answer::Claim(Claim::Block),
            _ => Answer::Silent,
        }
    }

    /// What a block says.
    pub(crate) fn ask(&self, block: &Block) -> Answer {
        let at = |index: usize| {
            let entry = block.entries.get(index).cloned().map(Box::new);
            entry.zip(Place::of(&block.entries, index))
        };
        match self {
            Self::Transaction { partition, offset } => {
                let is_asked = |entry: &Entry| (entry.origin.partition, entry.origin.offset) == (*partition, *offset);
                let found = block.entries.iter().position(is_asked).and_then(at);
                if let Some((entry, place)) = found {
                    return Answer::Claim(Claim::Transaction { entry, place });
                }
                // Offsets ascend from block to block: behind this one there is none that is not greater.
                match range(&block.header, *partition) {
                    Some(range) if *offset <= range.last => Answer::None(format!(
                        "no block has the record at offset {offset} of partition {partition}: block {} goes on behind it",
                        block.header.height
                    )),
                    _ => Answer::Silent,
                }
            }
            Self::Id { sender, id } => {
                let found = block.entries.iter().position(|entry| used_id(entry) == Some((sender, id))).and_then(at);
                found.map_or(Answer::Silent, |(entry, place)| Answer::Claim(Claim::IdUsed { entry, place }))
            }
            _ => self.ask_header(&block.header),
        }
    }

    /// What a state says, which has this tree. The inner error: why nothing can be proved; where all ids would have to
    /// be shown, and take more bytes than this.
    pub(crate) fn ask_state<V: View + ?Sized>(
        &self,
        state: &V,
        tree: &Tree,
        size_bytes_max: usize,
    ) -> Result<Result<Claim, String>, ledger::Error<V::Error>> {
        let path = |table, key: &[u8]| StatePath::of(tree, table, key);
        Ok(match self {
            Self::Balance { name } => {
                let account = state::account(state, name)?;
                let path = path(Table::Accounts, name.as_bytes());
                Ok(Claim::Balance { name: name.clone(), account, path })
            }
            Self::Validator { id } => {
                let found = state::validators(state)?.into_iter().find(|(found, _)| found == id);
                let record = found.map(|(_, record)| Box::new(record));
                let path = path(Table::Validators, id.as_str().as_bytes());
                Ok(Claim::Validator { id: id.clone(), record, path })
            }
            Self::Id { sender, id } => listed_ids(state, tree, size_bytes_max)?.map(|listed| Claim::IdUnused {
                sender: sender.clone(),
                id: id.clone(),
                listed,
            }),
            Self::Transaction { .. } | Self::Block { .. } => Err("the state does not know".to_owned()),
        })
    }
}

fn range(header: &Header, partition: i32) -> Option<&Range> {
    header.ranges.iter().find(|range| range.partition == partition)
}

/// All ids that are remembered. The inner error: there are too many.
fn listed_ids<V: View + ?Sized>(
    state: &V,
    tree: &Tree,
    size_bytes_max: usize,
) -> Result<Result<ListedIds, String>, ledger::Error<V::Error>> {
    let parameters = state::parameters(state)?;
    let active_height = state::tip(state)?.map_or(0, |tip| tip.active_height);
    let mut listed = ListedIds { parameters, lists: Vec::new() };
    let Some((first, last)) = remembered(active_height, &listed.parameters) else {
        return Ok(Ok(listed));
    };
    let mut size_bytes = 0;
    for used_at in first..=last {
        let mut list: Vec<Chunk> = Vec::new();
        for number in 0.. {
            let Some(key) = chunk_key(used_at, number, &listed.parameters) else {
                return Ok(Err("no list can be of this active height".to_owned()));
            };
            let mut record = Vec::new();
            let is_there = state.get(Table::Expiries, &key, &mut record).map_err(ledger::Error::View)?;
            let path = StatePath::of(tree, Table::Expiries, &key);
            // In hexadecimal digits.
            size_bytes += 2 * record.len() + 67 * path.siblings.len();
            list.push(Chunk { record: is_there.then_some(record), path });
            if list.last().is_some_and(Chunk::is_last) {
                break;
            }
        }
        listed.lists.push(list);
        if size_bytes > size_bytes_max {
            return Ok(Err(format!(
                "that an id was not used is shown by all ids that are remembered, and these take more than {} MiB",
                size_bytes_max >> 20
            )));
        }
    }
    Ok(Ok(listed))
}
