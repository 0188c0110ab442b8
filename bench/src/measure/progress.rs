//! How far a process has come, seen from outside.
//!
//! The offset that its group has committed says how many records it has counted for good. The question costs the broker
//! little, and is asked often only around the moments that are measured:
//!
//! ```text
//!   every 20 ms ............ | every 2 ms until a commit | every 20 ms ............ | every 2 ms
//!   start          first commit      >= warm-up: sample              near the end      all: sample
//! ```
//! A sample is taken right behind a commit, so that little is under way: what the process has begun and not committed
//! then is paid for and not counted.

use std::time::{Duration, Instant};

use test_cluster::process::{cpu_s, machine_cpu_s};

use crate::cluster::{Cluster, Observer};
use crate::error::{Error, Result};
use crate::process::{Process, now};
use crate::subject::Run;

const SELDOM: Duration = Duration::from_millis(20);
const OFTEN: Duration = Duration::from_millis(2);
/// The end is near when it would be reached within this time at the speed so far.
const NEAR: Duration = Duration::from_millis(400);
/// A process that commits nothing for this long is stuck.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(90);

/// A process that is watched while it works through a topic.
pub(crate) struct Progress<'a> {
    pub(crate) process: Process,
    observer: Observer,
    input: &'a str,
    partitions: i32,
    broker_pid: Option<u32>,
    committed: u64,
    changed: Instant,
    /// When the first commit was seen, and how far it went.
    first: Option<(Instant, u64)>,
}

/// Everything that is measured, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) at: Instant,
    pub(crate) committed: u64,
    pub(crate) cpu_s: f64,
    pub(crate) broker_cpu_s: Option<f64>,
    /// Of the driver itself.
    own_cpu_s: f64,
    machine_cpu_s: f64,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(cluster: &Cluster, process: Process, run: &'a Run, partitions: i32) -> Result<Self> {
        let observer = cluster.observer(&run.application)?;
        let (changed, broker_pid) = (now(), cluster.broker_pid);
        Ok(Self { process, observer, input: &run.input, partitions, broker_pid, committed: 0, changed, first: None })
    }

    /// Looks once. Says whether there was a commit since the last look.
    fn look(&mut self) -> Result<bool> {
        // A question that is not answered is asked again: a coordinator may be on its way.
        let committed = self.observer.committed(self.input, self.partitions);
        let committed = committed.map_or(self.committed, |offsets| offsets.iter().sum());
        let at = now();
        if committed > self.committed {
            self.committed = committed;
            self.changed = at;
            self.first.get_or_insert((at, committed));
            return Ok(true);
        }
        self.process.must_run()?;
        if at - self.changed > STUCK_AFTER {
            let line = format!("no commit in {} s, after {committed} records", STUCK_AFTER.as_secs());
            return Err(Error::new(format!("{line}{}", self.process.last_words())));
        }
        Ok(false)
    }

    /// Waits for the first commit that goes beyond an offset. Exact to 2 ms.
    pub(crate) fn until_beyond(&mut self, offset: u64) -> Result<Instant> {
        while self.committed <= offset {
            if !self.look()? {
                std::thread::sleep(OFTEN);
            }
        }
        Ok(self.changed)
    }

    /// Waits until this many records of all are committed, and then for the next commit; there is none where that was
    /// the last.
    pub(crate) fn until_after(&mut self, count: u64, all: u64) -> Result<Sample> {
        while self.committed < count {
            self.look()?;
            std::thread::sleep(SELDOM);
        }
        while self.committed < all && !self.look()? {
            std::thread::sleep(OFTEN);
        }
        self.sample()
    }

    /// Waits until this many records are committed, which are all there are.
    pub(crate) fn until_all(&mut self, count: u64) -> Result<Sample> {
        while self.committed < count {
            self.look()?;
            std::thread::sleep(if self.is_near(count) { OFTEN } else { SELDOM });
        }
        self.sample()
    }

    fn is_near(&self, count: u64) -> bool {
        let Some((at, committed)) = self.first else { return false };
        let per_s = (self.committed - committed) as f64 / at.elapsed().as_secs_f64().max(0.001);
        count.saturating_sub(self.committed) as f64 <= per_s * NEAR.as_secs_f64()
    }

    /// Everything at this moment; the time is that of the last commit seen.
    pub(crate) fn sample(&self) -> Result<Sample> {
        Sample::take(&self.process, self.broker_pid, self.changed, self.committed)
    }
}

impl Sample {
    /// Everything at this moment.
    pub(crate) fn take(process: &Process, broker_pid: Option<u32>, at: Instant, committed: u64) -> Result<Self> {
        let gone = || Error::new(format!("its CPU time cannot be read from /proc{}", process.last_words()));
        Ok(Sample {
            at,
            committed,
            cpu_s: cpu_s(process.pid()).ok_or_else(gone)?,
            broker_cpu_s: broker_pid.and_then(cpu_s),
            own_cpu_s: cpu_s(std::process::id()).unwrap_or(0.0),
            machine_cpu_s: machine_cpu_s().unwrap_or(0.0),
        })
    }

    /// What others did on this machine between two samples, as a share of all its processors. `None` where the broker's
    /// part is not known.
    pub(crate) fn others_share(&self, later: &Sample, wall_s: f64) -> Option<f64> {
        let broker_s = later.broker_cpu_s? - self.broker_cpu_s?;
        let ours_s = later.cpu_s - self.cpu_s + broker_s + later.own_cpu_s - self.own_cpu_s;
        let others_s = (later.machine_cpu_s - self.machine_cpu_s - ours_s).max(0.0);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Some(others_s / (wall_s * processors as f64))
    }
}
