//! What happens to the whole: instances start, leave and die, their threads come and go, topics cannot be seen, clocks
//! jump.

use super::faults::{Fault, OCCASIONS};
use super::stage::Stage;

pub(super) struct Mishaps {
    /// When each instance that does not run starts again.
    start_at_ms: Vec<Option<i64>>,
    phase: Phase,
    /// Topics that can become invisible, and were not yet.
    topics: Vec<String>,
    changelogs: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Anything may happen.
    Wild,
    /// Nothing happens any more, and all run, each with a stream thread.
    Calm,
    /// Who ends stays so.
    Closing,
}

/// So often something may happen, ms.
const MOMENT_MS: std::ops::Range<i64> = 50..250;

impl Mishaps {
    /// The first instance starts at once, the others soon.
    pub(super) fn new(start_at_ms: Vec<i64>, topics: Vec<String>, changelogs: Vec<String>) -> Self {
        let start_at_ms = start_at_ms.into_iter().map(Some).collect();
        Self { start_at_ms, phase: Phase::Wild, topics, changelogs }
    }

    pub(super) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
        if phase == Phase::Calm {
            self.start_at_ms.iter_mut().flatten().for_each(|at_ms| *at_ms = 0);
        }
    }

    /// An instance does not run any more: it will, unless all is over.
    pub(super) fn note_end(&mut self, stage: &Stage, index: usize) {
        let delay_ms = match self.phase {
            Phase::Wild => stage.random(|random| match random.below(4) {
                0 => random.within(2_000..6_000),
                _ => random.within(1..600),
            }),
            Phase::Calm => 1,
            Phase::Closing => return,
        };
        self.start_at_ms[index] = Some(stage.now_ms() + delay_ms);
    }

    /// When the next turn is due.
    pub(super) fn turn(stage: &Stage) -> i64 {
        Self::start_some(stage);
        let phase = stage.mishaps.borrow().phase;
        match phase {
            Phase::Wild => Self::happen(stage),
            Phase::Calm => Self::add_lacking_threads(stage),
            Phase::Closing => {}
        }
        stage.now_ms() + stage.random(|random| random.within(MOMENT_MS))
    }

    fn start_some(stage: &Stage) {
        for index in 0..stage.instances.len() {
            let at_ms = stage.mishaps.borrow().start_at_ms[index];
            let may_start = at_ms.is_some_and(|at_ms| at_ms <= stage.now_ms());
            if !may_start || stage.instances[index].vacant(stage).is_none() {
                continue;
            }
            stage.mishaps.borrow_mut().start_at_ms[index] = None;
            if !stage.instances[index].start(stage) {
                stage.mishaps.borrow_mut().note_end(stage, index);
            }
        }
    }

    fn happen(stage: &Stage) {
        let index = stage.random(|random| random.index(stage.instances.len()));
        let instance = &stage.instances[index];
        if stage.occurs(Fault::Rebalance) && instance.is_alive() && !stage.is_on_stage(instance.place()) {
            instance.stop(stage);
        }
        // Between turns as well as in the middle of them.
        let (crash, lost) = (stage.rate(Fault::Crash) * 40, stage.rate(Fault::LostDisk) * 40);
        let draw = stage.random(|random| random.below(OCCASIONS));
        if instance.is_alive() && draw < crash + lost {
            stage.note(None, || format!("instance {index} dies"));
            stage.count(if draw < crash { Fault::Crash } else { Fault::LostDisk });
            stage.kill_current(index, draw >= crash);
        }
        Self::take_for_dead(stage, index);
        Self::change_threads(stage, index);
        if stage.occurs(Fault::StaleMetadata) {
            Self::hide(stage);
        }
        if stage.occurs(Fault::Compaction) {
            Self::compact(stage);
        }
        if stage.occurs(Fault::ClockJump) {
            let off_ms = stage.random(|random| random.one_of([-3_600_000, -1_000, 0, 5_000, 50_000_000]));
            stage.note(None, || format!("the wall clock of instance {index} is {off_ms} ms off"));
            instance.wall.set_wall(off_ms);
        }
    }

    /// Whether a fault is to occur now that counts only where it can.
    fn is_due(stage: &Stage, fault: Fault) -> bool {
        stage.random(|random| random.below(OCCASIONS)) < stage.rate(fault)
    }

    /// In the middle of turns too: threads are added and removed by others than themselves.
    fn change_threads(stage: &Stage, index: usize) {
        let instance = &stage.instances[index];
        let (adds, removes) = (Self::is_due(stage, Fault::AddedThread), Self::is_due(stage, Fault::RemovedThread));
        if adds && instance.add_thread(stage) {
            stage.count(Fault::AddedThread);
        }
        if removes && instance.remove_thread(stage) {
            stage.count(Fault::RemovedThread);
        }
    }

    /// Who has no stream thread gets one: input is to be processed.
    fn add_lacking_threads(stage: &Stage) {
        for instance in stage.instances.iter().filter(|instance| instance.lacks_threads()) {
            instance.add_thread(stage);
        }
    }

    /// Where its session is to expire, it stands still for so long.
    fn take_for_dead(stage: &Stage, index: usize) {
        let is_due = Self::is_due(stage, Fault::Zombie);
        // Of one without a stream thread nothing would be seen to go on, and nothing would fence it.
        if !is_due || !stage.instances[index].is_alive() || stage.instances[index].lacks_threads() {
            return;
        }
        let held_ms = stage.random(|random| match random.below(4) {
            0 => 0,
            1 => random.within(0..1_000),
            _ => random.within(1_000..8_000),
        });
        if stage.instances[index].take_for_dead(stage, stage.now_ms() + held_ms) {
            stage.count(Fault::Zombie);
            stage.note(None, || format!("instance {index} is taken for dead, and goes on after {held_ms} ms"));
            stage.mishaps.borrow_mut().note_end(stage, index);
        }
    }

    /// Each topic once: one that is not to be seen again and again counts as gone after ten seconds, and is right to.
    fn hide(stage: &Stage) {
        let mut topics = std::mem::take(&mut stage.mishaps.borrow_mut().topics);
        if topics.is_empty() {
            return;
        }
        let at = stage.random(|random| random.index(topics.len()));
        let topic = topics.swap_remove(at);
        stage.mishaps.borrow_mut().topics = topics;
        let until_ms = stage.now_ms() + stage.random(|random| random.within(50..4_000));
        stage.note(None, || format!("topic '{topic}' is not always to be seen until {until_ms} ms"));
        stage.hidden.borrow_mut().push((topic, until_ms));
    }

    fn compact(stage: &Stage) {
        let changelogs = stage.mishaps.borrow().changelogs.clone();
        // What was there before is needed to tell what stores must hold.
        if let Err(error) = stage.history.borrow_mut().read_on(&stage.log) {
            stage.fail(format!("the changelogs cannot be read: {error}"));
        }
        for changelog in &changelogs {
            stage.note(None, || format!("{changelog} is compacted"));
            if let Err(error) = stage.log.compact(changelog) {
                stage.fail(format!("{changelog} cannot be compacted: {error}"));
            }
        }
    }
}
