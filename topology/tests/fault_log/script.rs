//! Which faults are to come.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use topology::log::{Error, Kind, Result};

/// What happens at the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing: it commits.
    None,
    /// It commits, but the answer is lost.
    CommittedUnknown,
    /// It does not commit, and the answer is lost.
    LostUnknown,
    /// It must be aborted.
    Abort,
    /// The process stops before the commit: what was sent stays in an open transaction.
    DieBefore,
    /// The process stops after the commit, before anything else.
    DieAfter,
}

/// A call that can be refused before it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Init,
    Begin,
    Send,
    Flush,
    SendOffsets,
    Seek,
    Pause,
    Leave,
    Poll,
    Assign,
    Unassign,
    Subscribe,
    Watermarks,
    Committed,
    DeleteRecords,
}

/// The faults to come. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Script {
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    /// One per commit; none when it is empty.
    commits: VecDeque<Fault>,
    /// Which call, how many of its kind come before, and how it fails.
    refusals: Vec<(Call, usize, Kind)>,
    refused_count: usize,
    seek_count: usize,
    rest_count: usize,
    is_unreachable: bool,
    is_silent: bool,
    /// Where it is said: how far the log's clock is known to be ahead.
    clock_ahead_ms: Option<Option<i64>>,
    /// Topics that so many answers to come do not show.
    hidden: Vec<(String, usize)>,
    reads_by_name: bool,
    /// Clients of this name panic when they are made.
    panics: Option<String>,
    /// So many polls of group members to come panic.
    poll_panics: usize,
    /// So many runs of records are delivered twice.
    repeats: usize,
    /// One producer's transaction; meant for tests that use one.
    is_open: bool,
    begun_count: usize,
    /// Partitions that consumers deliver nothing of.
    paused: BTreeSet<String>,
    /// Where it was said: all topics that are written to.
    written: Option<Vec<String>>,
}

impl Script {
    /// These happen at the commits to come.
    pub(crate) fn commits(faults: impl IntoIterator<Item = Fault>) -> Self {
        let script = Self::default();
        script.faults.lock().unwrap().commits.extend(faults);
        script
    }

    /// One more call fails: the one after so many others.
    pub(crate) fn refuse(self, call: Call, after: usize, kind: Kind) -> Self {
        self.faults.lock().unwrap().refusals.push((call, after, kind));
        self
    }

    /// How many calls were refused.
    pub(crate) fn refused_count(&self) -> usize {
        self.faults.lock().unwrap().refused_count
    }

    /// To which topics the log's user said that its producers send; `None` where it did not.
    pub(crate) fn written(&self) -> Option<Vec<String>> {
        self.faults.lock().unwrap().written.clone()
    }

    /// How often the log was told that little will be asked.
    pub(crate) fn rest_count(&self) -> usize {
        self.faults.lock().unwrap().rest_count
    }

    pub(super) fn note_rest(&self) {
        self.faults.lock().unwrap().rest_count += 1;
    }

    pub(super) fn note_written(&self, topics: &[String]) {
        self.faults.lock().unwrap().written = Some(topics.to_vec());
    }

    /// How often a consumer was told to go on elsewhere; what it had fetched is fetched again then.
    pub(crate) fn seek_count(&self) -> usize {
        self.faults.lock().unwrap().seek_count
    }

    /// From now on no broker can be read or asked, or everybody again.
    pub(crate) fn set_unreachable(&self, is_unreachable: bool) {
        self.faults.lock().unwrap().is_unreachable = is_unreachable;
    }

    /// From now on consumers get nothing, and no error either; or all again.
    pub(crate) fn set_silent(&self, is_silent: bool) {
        self.faults.lock().unwrap().is_silent = is_silent;
    }

    pub(super) fn is_silent(&self) -> bool {
        self.faults.lock().unwrap().is_silent
    }

    /// The log's clock is so far ahead of this machine's, or nothing is known of it.
    pub(crate) fn set_clock_ahead(&self, ahead_ms: Option<i64>) {
        self.faults.lock().unwrap().clock_ahead_ms = Some(ahead_ms);
    }

    pub(super) fn clock_ahead_ms(&self) -> Option<Option<i64>> {
        self.faults.lock().unwrap().clock_ahead_ms
    }

    /// So many answers to come show no topic of this name, as those of a broker do that is behind.
    pub(crate) fn hide(&self, topic: &str, answers: usize) {
        self.faults.lock().unwrap().hidden.push((topic.to_owned(), answers));
    }

    /// From now on consumers read topics by their names, as Kafka's do: where one was made anew they go on in the new
    /// one, at the same offset, and tell no one.
    pub(crate) fn read_by_name(&self) {
        self.faults.lock().unwrap().reads_by_name = true;
    }

    /// Panics, if a client of this name is to.
    pub(super) fn may_panic(&self, client_id: &str) {
        let panics = self.faults.lock().unwrap().panics.clone();
        assert!(panics.as_deref() != Some(client_id), "as the test wants it");
    }

    /// A consumer of this name panics when it is made, and its thread with it.
    pub(crate) fn panic_for(&self, client_id: &str) {
        self.faults.lock().unwrap().panics = Some(client_id.to_owned());
    }

    /// So many polls of group members to come panic.
    pub(crate) fn panic_in_polls(&self, count: usize) {
        self.faults.lock().unwrap().poll_panics = count;
    }

    /// How many polls are still to panic.
    pub(crate) fn panics_left(&self) -> usize {
        self.faults.lock().unwrap().poll_panics
    }

    pub(super) fn may_panic_in_poll(&self) {
        let panics = {
            let left = &mut self.faults.lock().unwrap().poll_panics;
            std::mem::replace(left, left.saturating_sub(1)) > 0
        };
        assert!(!panics, "as the test wants it");
    }

    /// The next run of records is delivered a second time.
    pub(crate) fn repeat(&self) {
        self.faults.lock().unwrap().repeats += 1;
    }

    pub(super) fn is_hidden(&self, topic: &str) -> bool {
        let Faults { hidden, .. } = &mut *self.faults.lock().unwrap();
        let Some((_, answers)) = hidden.iter_mut().find(|(name, answers)| name == topic && *answers > 0) else {
            return false;
        };
        *answers -= 1;
        true
    }

    pub(super) fn reads_by_name(&self) -> bool {
        self.faults.lock().unwrap().reads_by_name
    }

    pub(super) fn must_repeat(&self) -> bool {
        let Faults { repeats, .. } = &mut *self.faults.lock().unwrap();
        let repeat = *repeats > 0;
        *repeats = repeats.saturating_sub(1);
        repeat
    }

    /// Whether the producer made last left a transaction that it opened.
    pub(crate) fn has_open_transaction(&self) -> bool {
        self.faults.lock().unwrap().is_open
    }

    /// How many transactions were opened.
    pub(crate) fn begun_count(&self) -> usize {
        self.faults.lock().unwrap().begun_count
    }

    /// Which partitions are paused now.
    pub(crate) fn paused(&self) -> BTreeSet<String> {
        self.faults.lock().unwrap().paused.clone()
    }

    pub(super) fn set_paused(&self, partition: &str, is_paused: bool) {
        let paused = &mut self.faults.lock().unwrap().paused;
        match is_paused {
            true => paused.insert(partition.to_owned()),
            false => paused.remove(partition),
        };
    }

    pub(super) fn set_open(&self, is_open: bool) {
        let faults = &mut *self.faults.lock().unwrap();
        faults.is_open = is_open;
        faults.begun_count += usize::from(is_open);
    }

    pub(super) fn next_commit(&self) -> Fault {
        self.faults.lock().unwrap().commits.pop_front().unwrap_or(Fault::None)
    }

    pub(super) fn check(&self, call: Call) -> Result<()> {
        let Faults { refusals, refused_count, seek_count, .. } = &mut *self.faults.lock().unwrap();
        *seek_count += usize::from(call == Call::Seek);
        let due = refusals.iter().position(|(at, after, _)| *at == call && *after == 0);
        refusals.iter_mut().filter(|(at, ..)| *at == call).for_each(|(_, after, _)| *after = after.saturating_sub(1));
        let Some(due) = due else { return Ok(()) };
        let (_, _, kind) = refusals.swap_remove(due);
        *refused_count += 1;
        Err(Error::new(kind, format!("{call:?} is refused as {kind:?}")))
    }

    pub(super) fn reach(&self) -> Result<()> {
        match self.faults.lock().unwrap().is_unreachable {
            true => Err(Error::new(Kind::Retry, "none of the brokers answers")),
            false => Ok(()),
        }
    }
}
