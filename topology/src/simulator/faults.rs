//! What goes wrong, and how often.

use super::Random;
use super::log::Call;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An instance dies, between two calls of the log or in the middle of nothing: its memory is lost, and of its disk
    /// what was not flushed may be. It comes back, sooner or later.
    Crash,
    /// As [`Fault::Crash`], and its disk is lost too.
    LostDisk,
    /// An instance stops for a while, between two calls: for a moment, or for longer than its session lasts, and then
    /// goes on as if nothing had been.
    Pause,
    /// An instance is taken for dead: another process begins in its place, under its name and with what a crash would
    /// have left of its disk, while it goes on with its producers and with all that it has in memory, until it is
    /// fenced.
    Zombie,
    /// An instance leaves the group in good order, and comes back.
    Rebalance,
    /// A stream thread is added to an instance that runs.
    AddedThread,
    /// A stream thread of an instance that runs is removed: it commits, and leaves the group, while the others go on.
    /// An instance may be without any for a while.
    RemovedThread,
    /// A commit is not answered: it has happened, it has not, or it will.
    UnknownCommit,
    /// A call to the log fails, without having done anything.
    RefusedCall,
    /// Brokers do not show a topic for a moment, to those that run and to those that start.
    StaleMetadata,
    /// Restores take their time.
    SlowRestore,
    /// Polls bring nothing though there is something.
    SlowFetch,
    /// Changelogs are compacted.
    Compaction,
    /// The wall clock of an instance jumps.
    ClockJump,
}

/// Which faults there are, and how often.
///
/// Each seed leaves some of them out, and has others more often than the rest: so that what only shows where nothing
/// but one fault occurs, or many of it, is found as well.
///
/// ```
/// use topology::simulator::{Fault, Faults};
///
/// let faults = Faults::all().with(Fault::LostDisk, 0).with(Fault::Crash, 300); // no disk is lost, and three times as many crashes
/// # let _ = faults;
/// ```
#[derive(Clone, Debug)]
pub struct Faults {
    weights: [(Fault, u32); COUNT],
}

const COUNT: usize = 14;

/// Each with how often it occurs among 100,000 occasions, if its weight is 100. For some each call to the log is an
/// occasion, for others each moment at which something may happen to the whole.
const USUAL: [(Fault, u64); COUNT] = [
    (Fault::Crash, 120),
    (Fault::LostDisk, 30),
    (Fault::Pause, 200),
    (Fault::Zombie, 4_000),
    (Fault::Rebalance, 30_000),
    (Fault::AddedThread, 10_000),
    (Fault::RemovedThread, 10_000),
    (Fault::UnknownCommit, 6_000),
    (Fault::RefusedCall, 600),
    (Fault::StaleMetadata, 15_000),
    (Fault::SlowRestore, 30_000),
    (Fault::SlowFetch, 10_000),
    (Fault::Compaction, 15_000),
    (Fault::ClockJump, 5_000),
];

/// Among how many occasions.
pub(super) const OCCASIONS: u64 = 100_000;

impl Faults {
    /// All of them, as often as usual.
    pub fn all() -> Self {
        Self { weights: USUAL.map(|(fault, _)| (fault, 100)) }
    }

    /// None.
    pub fn none() -> Self {
        Self { weights: USUAL.map(|(fault, _)| (fault, 0)) }
    }

    /// The same with another weight of one fault: 100 is as often as usual, 0 never.
    pub fn with(mut self, fault: Fault, weight: u32) -> Self {
        self.weights.iter_mut().filter(|(of, _)| *of == fault).for_each(|(_, of_fault)| *of_fault = weight);
        self
    }

    /// How often each occurs under this seed.
    pub(super) fn rates(&self, random: &mut Random) -> Rates {
        let rate = |((fault, weight), (_, usual)): (&(Fault, u32), &(Fault, u64))| {
            let hundredths = random.one_of([0, 30, 100, 100, 300]);
            (*fault, (usual * u64::from(*weight) * hundredths / 10_000).min(OCCASIONS / 2))
        };
        Rates { rates: self.weights.iter().zip(&USUAL).map(rate).collect() }
    }
}

/// How often each fault occurs, among [`OCCASIONS`].
#[derive(Clone, Debug)]
pub(super) struct Rates {
    rates: Vec<(Fault, u64)>,
}

impl Rates {
    /// Nothing goes wrong any more.
    pub(super) fn none() -> Self {
        Self { rates: Vec::new() }
    }

    pub(super) fn of(&self, fault: Fault) -> u64 {
        self.rates.iter().find(|(of, _)| *of == fault).map_or(0, |(_, rate)| *rate)
    }

    /// Whether the fault occurs now.
    pub(super) fn occurs(&self, fault: Fault, random: &mut Random) -> bool {
        let rate = self.of(fault);
        rate > 0 && random.below(OCCASIONS) < rate
    }
}

/// What a call may answer that is refused, before it does anything. What it answers of itself is not in here.
pub(super) fn refusals(call: Call) -> &'static [crate::log::Kind] {
    use crate::log::Kind::{Abort, NotMember, Retry, Unknown};
    match call {
        Call::Send => &[Abort],
        Call::Flush => &[Abort, Unknown],
        Call::SendOffsets => &[Abort, Retry, Unknown, NotMember],
        Call::Commit => &[Abort],
        Call::Abort => &[Unknown],
        Call::Init | Call::Poll | Call::Watermarks | Call::Committed | Call::Describe | Call::Identify => &[Retry],
        Call::Subscribe | Call::Assign | Call::Unassign | Call::Pause | Call::Seek => &[Retry],
        Call::Leave => &[Retry],
        Call::Begin | Call::Client => &[],
    }
}
