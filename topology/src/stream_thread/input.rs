//! What the consumer brings, to the tasks: poll, process, pause.

use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Class, Error, Result};
use crate::log::{self, Consumer, Event, Log, Offset, Record, TopicPartition};

use super::StreamThread;
use super::commit::wants_commit;
use super::complaints::Subject;
use super::config::turn_max_ms;
use super::environment::Environment;
use super::ownership::Change;
use super::pace::Pace;
use super::producers::{Producers, TransactionalProducer};
use super::recovery::void;
use super::tasks::{Phase, Running, Tasks};
use super::until_end::UntilEnd;

/// Longest wait for input, ms: what else there is to do is noticed this late.
const POLL_MAX_MS: i64 = 100;
/// Between two looks at how far tasks are behind, ms.
const MEASURE_EVERY_MS: i64 = 1_000;
/// Wait after a poll that failed.
const REFUSED_PAUSE: Duration = Duration::from_millis(10);

/// What is known from one poll to the next.
pub(super) struct Intake {
    pace: Pace,
    /// Which task's queues were drained first the last time.
    drained: usize,
    /// What the consumer said last, while there was no input.
    pub(super) error: Option<String>,
    /// When lags were last noted, monotonic ms.
    measured_ms: i64,
}

impl Intake {
    pub(super) fn new(pace: Pace) -> Self {
        Self { pace, drained: 0, error: None, measured_ms: i64::MIN }
    }

    /// Whether lags are to be noted again.
    pub(super) fn must_measure(&mut self, now_ms: i64) -> bool {
        let is_due = now_ms.saturating_sub(self.measured_ms) >= MEASURE_EVERY_MS;
        if is_due {
            self.measured_ms = now_ms;
        }
        is_due
    }
}

/// Gives what one poll brings to the tasks. A batch whose records take long, or produce much, is left before its
/// transaction times out or memory is short; the rest waits in the task's queue.
struct Feeder<'t, L: Log> {
    producers: &'t mut Producers<L>,
    until_end: Option<&'t UntilEnd>,
    clock: &'t dyn Clock,
    pace: &'t mut Pace,
    /// Monotonic ms.
    until_ms: i64,
    uncommitted_max_bytes: usize,
    /// What failed in this poll. All that is delivered after it waits: it may be of tasks that the failure does not
    /// concern.
    failed: Vec<Error>,
}

impl<L: Log> StreamThread<L> {
    /// Polls, and processes what comes. Rebalances are noted only: they are answered after what was processed is safe.
    pub(super) fn poll(&mut self) -> Result<usize> {
        let timeout = self.poll_timeout();
        let Self { environment, consumer, membership, tasks, producers, intake, .. } = self;
        let now_ms = environment.now_ms();
        let mut feeder = Feeder {
            producers,
            until_end: environment.until_end.as_deref(),
            clock: &*environment.clock,
            pace: &mut intake.pace,
            until_ms: environment.monotonic_ms().saturating_add(turn_max_ms(&environment.config)),
            uncommitted_max_bytes: environment.config.uncommitted_max_bytes,
            failed: Vec::new(),
        };
        let mut record_count = 0;
        let mut any = false;
        let polled = consumer.poll(timeout, &mut |event| match event {
            Event::Assigned(partitions) => membership.note(Change::Assigned(partitions)),
            Event::Revoked { partitions, lost } => membership.note(Change::Revoked { partitions, lost }),
            Event::Records { partition, records } => {
                any = true;
                environment.watch.input_read();
                let Some((running, input)) = fed(tasks, partition) else { return };
                running.task.set_now(now_ms);
                match feeder.feed(running, input, partition, records) {
                    Ok(count) => record_count += count,
                    Err(error) => feeder.failed.push(error),
                }
            }
            Event::EndOfPartition { partition, offset } => {
                any = true;
                environment.watch.input_read();
                let Some((running, input)) = fed(tasks, partition) else { return };
                feeder.failed.extend(feeder.end(running, input, partition, offset).err());
            }
        });
        let mut failed = std::mem::take(&mut feeder.failed).into_iter();
        if let Some(error) = failed.next() {
            for other in failed {
                tracing::warn!(error = %other, "this failed beside it");
                self.failures.concern_all = true;
            }
            return Err(error);
        }
        // What waits goes on waiting while stores have no room for what would come of it.
        if environment.resources.has_room() {
            let tasks = tasks.assigned.as_deref_mut().unwrap_or_default();
            // Another one first each time: of slow records one task's may take all the time there is.
            intake.drained = intake.drained.wrapping_add(1) % tasks.len().max(1);
            let (later, first) = tasks.split_at_mut(intake.drained);
            for running in first.iter_mut().chain(later).filter_map(|task| task.running_mut()) {
                running.task.set_now(now_ms);
                record_count += feeder.drain(running)?;
            }
        }
        match polled {
            Ok(()) => self.note_input(any),
            Err(error) => match error.may_pass() {
                error if error.class() == Class::Retry => self.complain(&error),
                error => return Err(error),
            },
        }
        self.environment.metrics.add_records(record_count);
        self.environment.thread_metrics.add_records(record_count as u64);
        Ok(record_count)
    }

    /// Says that there is no input, now and then. It may be refused at once, so a moment passes before it is tried
    /// again.
    fn complain(&mut self, error: &Error) {
        self.environment.clock.sleep(REFUSED_PAUSE);
        self.intake.error = Some(error.to_string());
        if let Some(waited_ms) = self.complaints.due(Subject::Input, 0, self.environment.monotonic_ms()) {
            let group = self.environment.group();
            tracing::warn!(group, %error, waited_ms, "no input for now; trying again");
        }
    }

    /// Something was read, or nothing, and that was no error: only the former shows that what was wrong is over.
    fn note_input(&mut self, any: bool) {
        let is_back = any || self.membership.has_changes();
        if is_back && self.intake.error.take().is_some() {
            let waited_ms = self.complaints.over(&Subject::Input, self.environment.monotonic_ms());
            tracing::info!(group = self.environment.group(), waited_ms, "there is input again");
        }
    }

    fn poll_timeout(&mut self) -> Duration {
        let Self { environment, tasks, producers, commits, .. } = self;
        let (now_ms, monotonic_ms) = (environment.now_ms(), environment.monotonic_ms());
        let until_punctuation =
            tasks.running().filter_map(|task| task.task.next_wall_clock_ms()).map(|due| due - now_ms).min();
        let until_commit = wants_commit(tasks, producers, monotonic_ms)
            .then(|| commits.due_ms(environment, tasks, producers) - monotonic_ms);
        let has_room = environment.resources.has_room();
        // Nothing tells the consumer's poll that stores are restored, or that there is room in them.
        let soon = (!tasks.all_run() || !has_room).then_some(10);
        let asked = tasks.running().any(|running| running.task.commit_requested()).then_some(0);
        let mut until_next = None;
        for running in tasks.running_mut() {
            let wait_ms = (has_room && running.task.has_next()).then_some(0);
            let wait_ms = wait_ms.or_else(|| running.task.idle_until_ms().map(|until_ms| until_ms - now_ms));
            until_next = until_next.into_iter().chain(wait_ms).min();
        }
        let waits = until_punctuation.into_iter().chain(until_commit).chain(soon).chain(asked).chain(until_next);
        let wait_ms = waits.min().unwrap_or(POLL_MAX_MS);
        Duration::from_millis(u64::try_from(wait_ms.clamp(0, POLL_MAX_MS)).unwrap_or(0))
    }
}

/// Notes how far tasks are behind, now and then.
pub(super) fn measure_lag(consumer: &impl Consumer, tasks: &mut Tasks) {
    for task in tasks.iter_mut() {
        let Phase::Running(running) = &task.phase else { continue };
        for (input, partition) in task.partitions.iter().enumerate() {
            if let Some(end) = consumer.known_end(partition) {
                running.metrics.set_lag(input, end - running.task.next_offset(input));
            }
        }
    }
}

/// Stops delivery of what tasks have no room for, or the process's stores or its memory for queued input, and begins it
/// where the tasks are.
pub(super) fn direct_consumer<L: Log>(
    environment: &Environment<L>,
    consumer: &mut impl Consumer,
    tasks: &mut Tasks,
) -> Result<()> {
    let has_room = environment.resources.has_room();
    // Before any is asked: how much of an input may wait depends on what waits in all tasks.
    for Running { task, queue_share, .. } in tasks.running_mut() {
        queue_share.settle(task.queued_bytes());
    }
    for task in tasks.iter_mut() {
        let Phase::Running(running) = &mut task.phase else { continue };
        for (input, partition) in task.partitions.iter().enumerate() {
            direct(consumer, running, input, partition, has_room).map_err(log::Error::may_pass)?;
        }
    }
    Ok(())
}

/// Each step is noted when it is done, so that one that fails is made up for in the next turn.
fn direct(
    consumer: &mut impl Consumer,
    running: &mut Running,
    input: usize,
    partition: &TopicPartition,
    stores_have_room: bool,
) -> log::Result<()> {
    let Running { task, paused, queue_share, .. } = running;
    let (partitions, paused) = (std::slice::from_ref(partition), &mut paused[input]);
    // First: what is queued behind a gap takes room that nothing else would free.
    if task.must_seek(input) {
        consumer.seek(partition, task.next_offset(input))?;
        task.restart(input);
    }
    let is_welcome = stores_have_room && task.has_room(input, *paused, queue_share.input_bytes_max());
    if *paused && is_welcome {
        consumer.resume(partitions)?;
        *paused = false;
    } else if !*paused && !is_welcome {
        consumer.pause(partitions)?;
        *paused = true;
    }
    Ok(())
}

impl<L: Log> Feeder<'_, L> {
    /// Gives records to a task, and sends what comes of them. Returns how many it processed.
    fn feed(
        &mut self,
        running: &mut Running,
        input: usize,
        partition: &TopicPartition,
        records: &[Record<'_>],
    ) -> Result<usize> {
        if let Some(first) = records.first() {
            goes_on(running, input, partition, first.offset)?;
        }
        let wanted = self.until_end.map_or(records, |until_end| until_end.within(partition, records));
        let bytes = |record: &Record<'_>| record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        running.metrics.add_bytes(wanted.iter().map(bytes).sum::<usize>() as u64);
        let must_queue = !self.failed.is_empty() || running.task.must_queue() || self.is_enough(running);
        let count = if must_queue { 0 } else { self.take_arriving(running, wanted)? };
        let rest = &wanted[count..];
        // The source may have a function of the user's tell their times.
        running.call(|task| {
            task.enqueue(input, rest);
            Ok(())
        })?;
        // A record at the end or behind it shows that nothing before the end is still to come.
        if let (Some(until_end), Some(left)) = (self.until_end, records.get(wanted.len())) {
            running.task.end_of_partition(input, until_end.cap(partition, left.offset));
        }
        Ok(count)
    }

    /// Tells a task that an input has nothing more for now.
    fn end(&self, running: &mut Running, input: usize, partition: &TopicPartition, offset: Offset) -> Result<()> {
        goes_on(running, input, partition, offset)?;
        let offset = self.until_end.map_or(offset, |until_end| until_end.cap(partition, offset));
        running.task.end_of_partition(input, offset);
        Ok(())
    }

    /// Processes records of a task's only input. Returns how many it is done with.
    fn take_arriving(&mut self, running: &mut Running, records: &[Record<'_>]) -> Result<usize> {
        let mut rest = records;
        while !rest.is_empty() {
            let chunk = &rest[..rest.len().min(self.pace.records())];
            let taken = self.paced(|| running.call(|task| task.take_arriving(chunk)))?;
            rest = &rest[taken..];
            self.producers.send_outputs(running)?;
            if taken < chunk.len() || self.is_enough(running) {
                break;
            }
        }
        let count = records.len() - rest.len();
        running.metrics.add_records(count as u64);
        Ok(count)
    }

    /// Processes what waits in the queues of a task, as far as its turn has come. Returns how many.
    fn drain(&mut self, running: &mut Running) -> Result<usize> {
        let mut count = 0;
        while !self.is_enough(running) {
            let at_most = self.pace.records();
            match self.paced(|| running.call(|task| task.process_next(at_most)))? {
                0 => break,
                processed => count += processed,
            }
            self.producers.send_outputs(running)?;
        }
        running.metrics.add_records(count as u64);
        Ok(count)
    }

    /// Processes some records, and notes how long that took.
    fn paced(&mut self, process: impl FnOnce() -> Result<usize>) -> Result<usize> {
        let began_ms = self.clock.monotonic_ms();
        let count = process().map_err(void)?;
        self.pace.note(count, self.clock.monotonic_ms().saturating_sub(began_ms));
        Ok(count)
    }

    fn is_enough(&self, running: &Running) -> bool {
        let sent_bytes = self.producers.get(running.writer).map_or(0, TransactionalProducer::sent_bytes);
        let uncommitted_bytes = sent_bytes + running.task.uncommitted_bytes();
        uncommitted_bytes > self.uncommitted_max_bytes || self.clock.monotonic_ms() >= self.until_ms
    }
}

/// The task that takes what the consumer delivers of a partition now, and as which input.
fn fed<'a>(tasks: &'a mut Tasks, partition: &TopicPartition) -> Option<(&'a mut Running, usize)> {
    let (running, input) = tasks.running_with(partition)?;
    (running.panic.is_none() && !running.task.must_seek(input)).then_some((running, input))
}

/// Input never goes back by itself. Where it does, the topic lost what was read already, or is another one: the
/// take-over that follows looks what there is.
fn goes_on(running: &Running, input: usize, partition: &TopicPartition, offset: Offset) -> Result<()> {
    let delivered_to = running.task.delivered_to(input);
    if offset >= delivered_to {
        return Ok(());
    }
    Err(Error::new(
        Class::Rewind,
        format!("{partition} went back to offset {offset}, though everything below {delivered_to} was there already"),
    ))
}
