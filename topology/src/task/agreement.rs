//! Whether the state and the group's offsets belong together.
//!
//! Each transaction that writes a store says in the store's changelog how far it takes each input ([`Covered`]), and
//! each offset that is committed names the changelogs and the last commit that wrote each ([`Metadata`]). Whatever was
//! lost, moved or put back from elsewhere, one of the two does not name the other any more:
//!
//! ```text
//!                     offset: none         by a tool                  ours, of commit n         ours, names no such store
//! state: none         begins               begins                     changelog lost            begins
//! state, commit n     offset lost          taken up if it is exactly  agrees                    not known
//! state, commit m     offset lost          where the state ends       m > n ahead, m < n behind not known
//! state, another one  offset lost                                     another changelog         not known
//! ```
//! Where the state ends its newest store says. That another store of the task has lost its end as well cannot be seen
//! from an offset that a tool has set, which names no store.
//!
//! To go on in spite of that would count twice or leave a gap, and it would never be seen. A processor that tells from
//! its own state where input begins (`Context::begin_at`) vouches for that itself and is not asked here.

use crate::error::{Error, Result};
use crate::log::{Offset, TopicPartition};
use crate::store::{Covered, Meta};

use super::metadata::{Mark, Metadata};

/// What the group has committed for one input of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommittedInput {
    /// The input.
    pub input: TopicPartition,
    /// The next offset to read; `None` where nothing was committed.
    pub offset: Option<Offset>,
    /// What was committed beside it.
    pub metadata: Metadata,
}

impl CommittedInput {
    /// Whether a task of this application committed the offset: what is beside it says so.
    pub(super) fn is_own(&self) -> bool {
        self.offset.is_some() && self.metadata.vouched.as_ref().map(|vouched| vouched.offset) == self.offset
    }
}

/// A store as it was restored.
#[derive(Clone, Debug)]
pub(super) struct State<'a> {
    pub(super) store: &'a str,
    /// The topic of its changelog.
    pub(super) changelog: &'a str,
    /// Where it stands; `None` where nothing was ever written.
    pub(super) meta: Option<Meta>,
}

/// Refuses state that does not belong to the committed offsets, and says what does not fit. Where input `may_repeat`,
/// state is written before offsets are committed: a crash between leaves it ahead, or without an offset. And nothing
/// fences a member that was held up: what it writes late says an earlier commit. It is gone on from what there is.
pub(super) fn agree(inputs: &[&CommittedInput], states: &[State<'_>], may_repeat: bool) -> Result<()> {
    let newest = states.iter().filter_map(|state| Some((state, state.meta.as_ref()?)));
    let newest = newest.max_by_key(|(_, meta)| meta.covered.sequence);
    for committed in inputs {
        match (newest, committed.offset) {
            (None, None) => {}
            (Some(_), None) if may_repeat => {}
            (Some((state, meta)), None) => refuse_lost_offset(committed, inputs, state, &meta.covered)?,
            (newest, Some(offset)) => match &committed.metadata.vouched {
                Some(vouched) if vouched.offset == offset => {
                    agree_on_marks(&committed.input, &vouched.marks, states, may_repeat)?;
                }
                _ => refuse_moved_offset(committed, offset, newest.map(|(state, meta)| (state, &meta.covered)))?,
            },
        }
    }
    Ok(())
}

/// Nothing is committed for an input. One that was added to the task has no offset yet, where others of the task have.
fn refuse_lost_offset(
    committed: &CommittedInput,
    inputs: &[&CommittedInput],
    state: &State<'_>,
    covered: &Covered,
) -> Result<()> {
    let input = &committed.input;
    let is_new = inputs.iter().any(|other| other.offset.is_some());
    match covered.offset(input) {
        None if is_new => Ok(()),
        Some(offset) => Err(refusal(format!(
            "the group has no committed offset for {input}, but the state (changelog {}) holds it up to offset {offset}: \
             offsets expired after a time without members, or were deleted. To take it again would count it twice. Set the \
             group's offset to {offset}, where the state ends, or",
            state.changelog
        ))),
        None => Err(refusal(format!(
            "the state (changelog {}) is made of other input than {input}, of which the group has committed no offset. To \
             begin anew beside it, give the store another name; to give up what was made of the other input,",
            state.changelog
        ))),
    }
}

/// Somebody else committed the offset. It is taken up where it is exactly the one that the state ends at.
fn refuse_moved_offset(
    committed: &CommittedInput,
    offset: Offset,
    newest: Option<(&State<'_>, &Covered)>,
) -> Result<()> {
    let input = &committed.input;
    let lost = committed.metadata.vouched.as_ref().and_then(|vouched| vouched.marks.first());
    match (newest, lost) {
        (None, None) => Ok(()),
        (None, Some(mark)) => Err(changelog_lost(input, &mark.store)),
        (Some((_, covered)), _) if covered.offset(input) == Some(offset) => Ok(()),
        (Some((state, covered)), _) => {
            let end = covered.offset(input).map_or_else(String::new, |end| {
                let what = if offset < end { "count records twice" } else { "leave records out" };
                format!(", which holds it up to offset {end}. To go on would {what}. Set it to {end}, or")
            });
            Err(refusal(format!(
                "the group's offset {offset} of {input} was set by another program: it does not belong to the state \
                 (changelog {}){end}",
                state.changelog
            )))
        }
    }
}

fn agree_on_marks(input: &TopicPartition, marks: &[Mark], states: &[State<'_>], may_differ: bool) -> Result<()> {
    for State { store, changelog, meta } in states {
        let mark = marks.iter().find(|mark| mark.store == **store);
        let (mark, meta) = match (mark, meta) {
            (None, None) => continue,
            (Some(_), None) => return Err(changelog_lost(input, store)),
            // Written for the first time, and not committed.
            (None, Some(_)) if may_differ => continue,
            (None, Some(_)) => {
                return Err(refusal(format!(
                    "the changelog {changelog} holds state that the group's offset of {input} knows nothing of: the store \
                     '{store}' was taken out and put in again, or the offset is of another time. Delete that topic to have \
                     the store begin empty, or"
                )));
            }
            (Some(mark), Some(meta)) => (mark, meta),
        };
        let there = Mark::new(store, &meta.incarnation, meta.covered.sequence);
        if there.incarnation != mark.incarnation {
            return Err(refusal(format!(
                "the changelog {changelog} is another one than the group's offset of {input} was committed with: it was \
                 deleted and made anew, or one of the two is of another cluster. Bring back what belongs together, or"
            )));
        }
        if there.sequence != mark.sequence && !may_differ {
            let (is, what) = match there.sequence > mark.sequence {
                true => ("ahead of", "count records twice: the offset was put back to an earlier one"),
                false => ("behind", "leave records out: the changelog has lost its last records"),
            };
            return Err(refusal(format!(
                "the state of store '{store}' (changelog {changelog}, commit {}) is {is} the group's offset of {input} \
                 (commit {}). To go on would {what}. Bring back what belongs together, or",
                there.sequence, mark.sequence
            )));
        }
    }
    Ok(())
}

fn changelog_lost(input: &TopicPartition, store: &str) -> Error {
    refusal(format!(
        "the state of store '{store}' is lost: the group's offset of {input} was committed with it, and its changelog is empty \
         now, deleted or made anew. To go on would begin at the offset with an empty store. Bring the changelog back, or"
    ))
}

/// What always helps stands last.
fn refusal(what: String) -> Error {
    Error::stop(format!("{what} reset the application, which deletes its state and takes all input again"))
}

#[cfg(test)]
mod tests;
