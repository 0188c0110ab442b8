//! Deleting from repartition topics what was read, now and again, so that they do not grow for ever.
//!
//! ```text
//!   |······ deleted ······|······ to be deleted ······|······ still to be read ······|
//!                         asked for last              committed                      end
//! ```
//! What lies below an offset that the group has committed is needed no more: no member begins before it again. Which
//! offsets these are this thread knows of the tasks that it has, from its own commits and from their take-over. Where
//! another thread has a task by now, it has committed further on. A processor that begins before its committed offset
//! is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Clock;
use crate::graph::Topology;
use crate::log::{self, Deletion, Log, Offset, TopicPartition};

use super::environment::Environment;
use super::tasks::{Assigned, Tasks};

/// How soon it is looked again where there was nothing to delete, ms.
const LOOK_EVERY_MS: i64 = 1_000;
/// How long the last deletion of a thread is waited for, ms, and the pause between two looks whether it has ended.
const LAST_WAIT_MS: i64 = 1_000;
const LAST_PAUSE: Duration = Duration::from_millis(10);

/// When is it time to delete, and what may go.
#[derive(Debug)]
pub(super) struct Purge {
    interval_ms: i64,
    topics: BTreeSet<String>,
    /// Monotonic; never, without repartition topics.
    next_ms: i64,
    /// Up to where it was asked for.
    asked: BTreeMap<TopicPartition, Offset>,
    under_way: Option<Deletion>,
}

impl Purge {
    /// Of the repartition topics of a resolved graph.
    pub(super) fn new(topology: &Topology, interval_ms: u32, now_ms: i64) -> Self {
        let read = topology.source_topics().into_iter().filter(|topic| topic.is_repartition());
        let topics: BTreeSet<String> = read.map(|topic| topic.name().to_owned()).collect();
        let next_ms = if topics.is_empty() { i64::MAX } else { now_ms };
        Self { interval_ms: i64::from(interval_ms), topics, next_ms, asked: BTreeMap::new(), under_way: None }
    }

    fn is_time(&self, now_ms: i64) -> bool {
        now_ms >= self.next_ms
    }

    /// What is to be deleted now: of each partition what lies below its offset. Given those that were committed, of all
    /// inputs of this thread.
    fn due<'a>(
        &mut self,
        committed: impl Iterator<Item = (&'a TopicPartition, Offset)>,
        now_ms: i64,
    ) -> Vec<(TopicPartition, Offset)> {
        let own: BTreeMap<TopicPartition, Offset> = committed
            .filter(|(partition, _)| self.topics.contains(&partition.topic))
            .map(|(partition, offset)| (partition.clone(), offset))
            .collect();
        // What others have is theirs.
        self.asked.retain(|partition, _| own.contains_key(partition));
        let is_new =
            |(partition, offset): &(TopicPartition, Offset)| *offset > self.asked.get(partition).copied().unwrap_or(0);
        let due: Vec<_> = own.into_iter().filter(is_new).collect();
        self.asked.extend(due.iter().cloned());
        let pause_ms = if due.is_empty() { LOOK_EVERY_MS.min(self.interval_ms) } else { self.interval_ms };
        self.next_ms = now_ms.saturating_add(pause_ms);
        due
    }

    /// Whether the deletion before has ended. One that failed is asked for again.
    fn has_ended(&mut self) -> bool {
        match self.under_way.as_mut().map(Deletion::outcome) {
            Some(None) => return false,
            Some(Some(Err(error))) => {
                complain(&error);
                self.asked.clear();
            }
            Some(Some(Ok(()))) | None => {}
        }
        self.under_way = None;
        true
    }

    /// Has records deleted, if it is time, and does not wait for it.
    pub(super) fn look<L: Log>(&mut self, environment: &Environment<L>, tasks: &Tasks, now_ms: i64) {
        if self.is_time(now_ms) && self.has_ended() {
            self.under_way = self.begin(environment, tasks, now_ms);
        }
    }

    /// Has all that this thread has processed deleted before it ends, whether it is time or not: an application that
    /// runs now and again, and not for long, would never delete any.
    pub(super) fn begin_last<L: Log>(&mut self, environment: &Environment<L>, tasks: &Tasks) -> Option<Deletion> {
        self.has_ended().then(|| self.begin(environment, tasks, environment.monotonic_ms())).flatten()
    }

    fn begin<L: Log>(&mut self, environment: &Environment<L>, tasks: &Tasks, now_ms: i64) -> Option<Deletion> {
        let due = self.due(tasks.iter().flat_map(committed), now_ms);
        if due.is_empty() {
            return None;
        }
        tracing::debug!(partitions = due.len(), "deleting processed records of repartition topics");
        Some(environment.log.begin_delete_records(&due))
    }
}

/// Gives a deletion a little time. It keeps no one waiting, as the group has been left.
pub(super) fn finish(deletion: Option<Deletion>, clock: &dyn Clock) {
    let Some(mut deletion) = deletion else { return };
    let until_ms = clock.monotonic_ms().saturating_add(LAST_WAIT_MS);
    loop {
        match deletion.outcome() {
            None if clock.monotonic_ms() < until_ms => clock.sleep(LAST_PAUSE),
            None | Some(Ok(())) => return,
            Some(Err(error)) => return complain(&error),
        }
    }
}

fn complain(error: &log::Error) {
    tracing::warn!(
        %error,
        "records of repartition topics that were processed could not be deleted; they take up room until that succeeds"
    );
}

/// How far each input of a task that runs was committed, as far as it needs nothing before.
fn committed(task: &Assigned) -> impl Iterator<Item = (&TopicPartition, Offset)> {
    let usable = task.running().filter(|running| running.panic.is_none());
    let inputs = usable.into_iter().flat_map(|running| {
        let next = |input| running.task.next_offset(input);
        running
            .committed
            .iter()
            .enumerate()
            .map(move |(input, committed)| Some(committed.as_ref()?.offset.min(next(input))))
    });
    task.partitions.iter().zip(inputs).filter_map(|(partition, offset)| Some((partition, offset?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::graph::{Builder, Repartition};

    fn partition(topic: &str, number: i32) -> TopicPartition {
        TopicPartition::new(topic, number)
    }

    const MOVED: &str = "app-moved-repartition";

    /// Of a graph that reads `in` and a repartition topic.
    fn purge(interval_ms: u32, now_ms: i64) -> Purge {
        let builder = Builder::new();
        let moved = Repartition::<[u8], [u8]>::new("moved");
        builder.sub_topology("one").source::<[u8], [u8]>("in").repartition(&moved);
        builder.sub_topology("two").source_of(&moved).sink("out");
        Purge::new(&builder.build().unwrap().resolve("app", &[]).unwrap(), interval_ms, now_ms)
    }

    fn due(purge: &mut Purge, committed: &[(TopicPartition, Offset)], now_ms: i64) -> Vec<(TopicPartition, Offset)> {
        purge.due(committed.iter().map(|(partition, offset)| (partition, *offset)), now_ms)
    }

    #[test]
    fn what_was_committed_of_repartition_topics_goes_and_nothing_of_others() {
        let mut purge = purge(30_000, 7);
        assert!(purge.is_time(7));
        let committed = [(partition("in", 0), 90), (partition(MOVED, 0), 40), (partition(MOVED, 2), 0)];
        assert_eq!(due(&mut purge, &committed, 7), [(partition(MOVED, 0), 40)]);
    }

    #[test]
    fn it_is_time_again_after_the_interval_and_sooner_where_nothing_was_to_be_done() {
        let mut purge = purge(30_000, 0);
        assert!(due(&mut purge, &[(partition(MOVED, 0), 0)], 0).is_empty());
        assert!(!purge.is_time(999) && purge.is_time(1_000));
        assert_eq!(due(&mut purge, &[(partition(MOVED, 0), 5)], 1_000).len(), 1);
        assert!(!purge.is_time(30_999) && purge.is_time(31_000));
        assert!(due(&mut purge, &[(partition(MOVED, 0), 5)], 31_000).is_empty(), "it was asked for already");
        assert_eq!(due(&mut purge, &[(partition(MOVED, 0), 6)], 32_000), [(partition(MOVED, 0), 6)]);
    }

    #[test]
    fn a_partition_that_went_and_came_back_is_looked_at_anew_as_is_all_after_a_failure() {
        let mut purge = purge(0, 0);
        let committed = [(partition(MOVED, 1), 8)];
        assert_eq!(due(&mut purge, &committed, 0), committed);
        assert!(due(&mut purge, &[], 1).is_empty());
        assert_eq!(due(&mut purge, &committed, 2), committed);
        purge.under_way = Some(Deletion::ended(Err(log::Error::new(log::Kind::Retry, "no broker"))));
        assert!(purge.has_ended());
        assert_eq!(due(&mut purge, &committed, 3), committed);
    }

    #[test]
    fn the_last_deletion_is_waited_for_by_the_clock_that_is_given_and_for_a_second_at_most() {
        let clock = ManualClock::new(0);
        finish(None, &clock);
        finish(Some(Deletion::ended(Ok(()))), &clock);
        assert_eq!(clock.monotonic_ms(), 0);
        finish(Some(Deletion::under_way(std::future::pending())), &clock);
        assert_eq!(clock.monotonic_ms(), LAST_WAIT_MS);
    }

    #[test]
    fn a_graph_without_repartition_topics_is_never_looked_at() {
        let builder = Builder::new();
        builder.sub_topology("one").source::<[u8], [u8]>("in").sink("out");
        assert!(!Purge::new(&builder.build().unwrap(), 0, 0).is_time(i64::MAX - 1));
    }
}
