//! A producer whose commits may not be answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Call;
use crate::log::{
    Error, Kind, Log, Offset, OffsetCommit, Producer, ProducerRecord, Result, TopicPartition, memory::MemoryLog,
};
use crate::simulator::faults::Fault;
use crate::simulator::stage::{self, Stage, Who};

type Inner = <MemoryLog as Log>::Producer;

/// A producer of a simulated process.
pub struct SimulatedProducer {
    shared: Arc<Mutex<Session>>,
    who: Who,
}

struct Session {
    inner: Inner,
    /// How many transactions were begun.
    begun: u64,
    /// A call has failed since the transaction was begun: what became of it is unknown.
    is_undecided: bool,
}

/// A commit on its way to the log: its sender does not wait for it any more.
pub(in crate::simulator) struct Late {
    pub(in crate::simulator) due_ms: i64,
    who: Who,
    shared: Arc<Mutex<Session>>,
    transaction: u64,
}

/// What becomes of a commit that is not answered.
#[derive(Clone, Copy, Debug)]
enum Unanswered {
    Happened,
    Lost,
    /// It happens so much later, ms, unless the producer was fenced by then.
    Later(i64),
}

const NOT_WAITING: Duration = Duration::ZERO;

impl SimulatedProducer {
    pub(super) fn new(inner: Inner, who: Who) -> Self {
        Self { shared: Arc::new(Mutex::new(Session { inner, begun: 0, is_undecided: false })), who }
    }

    /// Not across a call to the stage.
    fn shared(&self) -> MutexGuard<'_, Session> {
        lock(&self.shared)
    }

    /// As [`stage::reach`]; who is refused does not know what was done.
    fn reach(&self, call: Call) -> Result<()> {
        stage::reach(self.who, call).inspect_err(|_| self.shared().is_undecided = true)
    }

    fn commit_unanswered(&mut self, stage: &Stage) -> Result<()> {
        let choice = stage.random(|random| match random.below(3) {
            0 => Unanswered::Happened,
            1 => Unanswered::Lost,
            _ => Unanswered::Later(random.one_of([5, 50, 500, 3_000])),
        });
        stage.note(Some(self.who), || format!("the commit is not answered: {choice:?}"));
        match choice {
            Unanswered::Happened => {
                self.shared().inner.commit(NOT_WAITING)?;
                stage.stir();
            }
            Unanswered::Lost => {}
            Unanswered::Later(ms) => {
                let (due_ms, transaction) = (stage.now_ms() + ms, self.shared().begun);
                stage.send_late(Late { due_ms, who: self.who, shared: Arc::clone(&self.shared), transaction });
            }
        }
        self.shared().is_undecided = true;
        Err(Error::new(Kind::Unknown, "simulated: the commit was not answered in time"))
    }
}

impl Late {
    /// Does what was asked, if it still can. False, always: it is not under way any more.
    pub(in crate::simulator) fn arrive(&self, stage: &Stage) -> bool {
        let mut shared = lock(&self.shared);
        if shared.begun == self.transaction && shared.is_undecided {
            let happened = shared.inner.commit(NOT_WAITING).is_ok();
            stage.note(Some(self.who), || format!("a late commit arrives: {}", if happened { "done" } else { "void" }));
            stage.stir();
        }
        false
    }
}

fn lock(shared: &Mutex<Session>) -> MutexGuard<'_, Session> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Producer for SimulatedProducer {
    type Group = <MemoryLog as Log>::Group;

    fn init_transactions(&mut self, _timeout: Duration) -> Result<()> {
        stage::reach(self.who, Call::Init)?;
        self.shared().inner.init_transactions(NOT_WAITING)
    }

    /// A producer that begins the next transaction though the last one is undecided adds to it, as the brokers see it:
    /// they know of no beginnings.
    fn begin(&mut self) -> Result<()> {
        stage::reach(self.who, Call::Begin)?;
        let mut shared = self.shared();
        let begun = shared.inner.begin();
        shared.begun += 1;
        match std::mem::take(&mut shared.is_undecided) {
            true => Ok(()),
            false => begun,
        }
    }

    fn send(&mut self, record: &ProducerRecord<'_>) -> Result<()> {
        self.reach(Call::Send)?;
        self.shared().inner.send(record)
    }

    fn send_batch(&mut self, records: &[ProducerRecord<'_>]) -> Result<()> {
        self.reach(Call::Send)?;
        self.shared().inner.send_batch(records)
    }

    fn flush(&mut self, _timeout: Duration) -> Result<()> {
        self.reach(Call::Flush)?;
        self.shared().inner.flush(NOT_WAITING)
    }

    fn send_offsets(&mut self, offsets: &[OffsetCommit], group: &Self::Group) -> Result<()> {
        self.reach(Call::SendOffsets)?;
        self.shared().inner.send_offsets(offsets, group)
    }

    fn commit(&mut self, _timeout: Duration) -> Result<()> {
        self.reach(Call::Commit)?;
        let unanswered = stage::with(|stage| {
            let is_unanswered = stage.occurs(Fault::UnknownCommit);
            is_unanswered.then(|| self.commit_unanswered(stage))
        });
        if let Some(answer) = unanswered.flatten() {
            return answer;
        }
        let committed = self.shared().inner.commit(NOT_WAITING);
        stage::with(|stage| {
            stage.stir();
            stage.stop_here(self.who, Call::Commit);
        });
        committed
    }

    fn abort(&mut self, _timeout: Duration) -> Result<()> {
        stage::reach(self.who, Call::Abort)?;
        self.shared().inner.abort(NOT_WAITING)
    }

    fn delivered(&self, partition: &TopicPartition) -> Option<Offset> {
        self.shared().inner.delivered(partition)
    }
}
