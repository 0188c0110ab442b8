//! Verifying while others write, delete and fail: the log does something between two looks at it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cairn::audit::Reason;
use cairn::audit::verify::Verified;
use cairn::chain::Block;
use topology::log::memory::MemoryLog;
use topology::log::{
    self, Committed, Consumer, ConsumerOptions, Event, GroupMember, IdempotentOptions, Isolation, Kind, Log, Offset,
    OffsetCommit, Producer, ProducerOptions, Start, TopicDescription, TopicIdentity, TopicPartition, TopicSpec,
    Watermarks,
};

use crate::attack::Skill::{ExecutesAndSeals, Writes};
use crate::attack::altered;
use crate::chain::{BLOCKCHAIN, CHAIN, TRANSACTIONS, Topics, append, producer, record, send};

/// What somebody is about to do with a topic, or has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Asks for its ends.
    Ends,
    /// Reads on.
    Poll,
    /// Has stopped reading.
    Closed,
}

type Between = Arc<dyn Fn(&str, Moment) -> log::Result<()> + Send + Sync>;

/// A log in which `between` happens at each moment. Few records come at a time, so that there are many.
#[derive(Clone)]
struct Busy {
    log: MemoryLog,
    between: Between,
}

struct BusyConsumer {
    consumer: <MemoryLog as Log>::Consumer,
    topic: String,
    between: Between,
}

impl Busy {
    fn new(topics: &Topics, between: impl Fn(&str, Moment) -> log::Result<()> + Send + Sync + 'static) -> Self {
        Self { log: topics.log.clone(), between: Arc::new(between) }
    }
}

impl Log for Busy {
    type Group = <MemoryLog as Log>::Group;
    type Consumer = BusyConsumer;
    type Producer = <MemoryLog as Log>::Producer;

    fn consumer(&self, options: &ConsumerOptions) -> log::Result<BusyConsumer> {
        let options = ConsumerOptions { batch_records: 7, ..options.clone() };
        let consumer = self.log.consumer(&options)?;
        Ok(BusyConsumer { consumer, topic: String::new(), between: Arc::clone(&self.between) })
    }

    fn watermarks(&self, partition: &TopicPartition, isolation: Isolation) -> log::Result<Watermarks> {
        (self.between)(&partition.topic, Moment::Ends)?;
        self.log.watermarks(partition, isolation)
    }

    fn producer(&self, options: &ProducerOptions) -> log::Result<Self::Producer> {
        self.log.producer(options)
    }

    fn idempotent_producer(&self, options: &IdempotentOptions) -> log::Result<Self::Producer> {
        self.log.idempotent_producer(options)
    }

    fn describe_topic(&self, topic: &str) -> log::Result<Option<TopicDescription>> {
        self.log.describe_topic(topic)
    }

    fn identify_topics(&self, topics: &[String], timeout: Duration) -> log::Result<Vec<Option<TopicIdentity>>> {
        self.log.identify_topics(topics, timeout)
    }

    fn list_topics(&self, timeout: Duration) -> log::Result<Vec<String>> {
        self.log.list_topics(timeout)
    }

    fn create_topics(&self, topics: &[TopicSpec]) -> log::Result<()> {
        self.log.create_topics(topics)
    }

    fn delete_topics(&self, topics: &[String]) -> log::Result<()> {
        self.log.delete_topics(topics)
    }

    fn delete_records(&self, partition: &TopicPartition, before: Offset) -> log::Result<()> {
        self.log.delete_records(partition, before)
    }

    fn committed(&self, group: &str, partitions: &[TopicPartition]) -> log::Result<Vec<Option<Committed>>> {
        self.log.committed(group, partitions)
    }

    fn describe_group(&self, group: &str) -> log::Result<Vec<GroupMember>> {
        self.log.describe_group(group)
    }

    fn delete_group(&self, group: &str) -> log::Result<()> {
        self.log.delete_group(group)
    }
}

impl Consumer for BusyConsumer {
    type Group = <MemoryLog as Log>::Group;

    fn assign(&mut self, partitions: &[(TopicPartition, Start)]) -> log::Result<()> {
        self.topic.clone_from(&partitions[0].0.topic);
        self.consumer.assign(partitions)
    }

    fn incremental_assign(&mut self, added: &[(TopicPartition, Start)]) -> log::Result<()> {
        self.consumer.incremental_assign(added)
    }

    fn incremental_unassign(&mut self, removed: &[TopicPartition]) -> log::Result<()> {
        self.consumer.incremental_unassign(removed)
    }

    fn poll(&mut self, timeout: Duration, handler: &mut dyn FnMut(Event<'_>)) -> log::Result<()> {
        (self.between)(&self.topic, Moment::Poll)?;
        self.consumer.poll(timeout, handler)
    }

    fn subscribe(&mut self, topics: &[String]) -> log::Result<()> {
        self.consumer.subscribe(topics)
    }

    fn seek(&mut self, partition: &TopicPartition, offset: Offset) -> log::Result<()> {
        self.consumer.seek(partition, offset)
    }

    fn pause(&mut self, partitions: &[TopicPartition]) -> log::Result<()> {
        self.consumer.pause(partitions)
    }

    fn resume(&mut self, partitions: &[TopicPartition]) -> log::Result<()> {
        self.consumer.resume(partitions)
    }

    fn known_end(&self, partition: &TopicPartition) -> Option<Offset> {
        self.consumer.known_end(partition)
    }

    fn commit(&mut self, offsets: &[OffsetCommit]) -> log::Result<()> {
        self.consumer.commit(offsets)
    }

    fn group(&self) -> Option<Self::Group> {
        self.consumer.group()
    }

    fn assignment_lost(&self) -> bool {
        self.consumer.assignment_lost()
    }

    fn leave(&mut self) -> log::Result<()> {
        self.consumer.leave()
    }
}

impl Drop for BusyConsumer {
    fn drop(&mut self) {
        (self.between)(&self.topic, Moment::Closed).unwrap();
    }
}

/// A chain that is written in two transactions: the end of the first has an offset among the records.
struct InTwoParts {
    blocks: Vec<Block>,
    /// Blocks and records of the first part.
    block_count: usize,
    record_count: usize,
}

impl InTwoParts {
    fn new() -> Self {
        let block_count = CHAIN.blocks.len() - 4;
        let record_count = CHAIN.blocks[block_count].entries[0].origin.offset as usize;
        let blocks = altered(&CHAIN, block_count, ExecutesAndSeals, |blocks| {
            let entries = blocks[block_count..].iter_mut().flat_map(|block| &mut block.entries);
            entries.for_each(|entry| entry.origin.offset += 1);
        });
        Self { blocks, block_count, record_count }
    }

    /// A log with the first part, and what writes the second to it.
    fn begin(&self) -> (Topics, impl Fn() + Send + Sync + 'static) {
        let topics = Topics::new(&self.blocks[..self.block_count], &CHAIN.transactions[..self.record_count]);
        let (log, blocks) =
            (topics.log.clone(), self.blocks[self.block_count..].iter().map(record).collect::<Vec<_>>());
        let records = CHAIN.transactions[self.record_count..].to_vec();
        let go_on = move || {
            append(&log, TRANSACTIONS, &records);
            append(&log, BLOCKCHAIN, &blocks);
        };
        (topics, go_on)
    }

    fn assert_first_part(&self, report: &Verified) {
        let tip = &self.blocks[self.block_count - 1];
        assert_eq!((report.summary.tip.height, report.summary.tip.hash), (tip.header.height, tip.hash));
        assert_eq!((report.compared_from_height, report.compared_count), (Some(1), self.record_count as u64));
    }
}

#[test]
fn a_chain_in_two_parts_is_intact() {
    let parts = InTwoParts::new();
    let (topics, go_on) = parts.begin();
    parts.assert_first_part(&topics.verify().unwrap());
    go_on();
    let report = topics.verify().unwrap();
    assert_eq!(report.summary.tip.hash, parts.blocks.last().unwrap().hash);
    assert_eq!((report.compared_count, report.unsealed_count), (CHAIN.transactions.len() as u64, 0));
}

#[test]
fn records_and_blocks_that_arrive_while_verify_reads_break_nothing() {
    let parts = InTwoParts::new();
    let (topics, go_on) = parts.begin();
    let (all_read, written) = (AtomicBool::new(false), AtomicBool::new(false));
    let log = Busy::new(&topics, move |topic, moment| {
        match (topic, moment) {
            (TRANSACTIONS, Moment::Closed) => all_read.store(true, Ordering::SeqCst),
            (BLOCKCHAIN, Moment::Poll) if !written.swap(true, Ordering::SeqCst) => {
                // A reader of the transactions will not see those that these blocks hold.
                while !all_read.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                go_on();
            }
            _ => {}
        }
        Ok(())
    });
    let report = topics.verify_on(&log).unwrap().unwrap();
    parts.assert_first_part(&report);
    assert_eq!(report.unsealed_count, 0);
}

#[test]
fn records_and_blocks_that_arrive_between_the_two_ends_break_nothing() {
    let parts = InTwoParts::new();
    let (topics, go_on) = parts.begin();
    let asked = AtomicUsize::new(0);
    let log = Busy::new(&topics, move |_, moment| {
        if moment == Moment::Ends && asked.fetch_add(1, Ordering::SeqCst) == 1 {
            go_on();
        }
        Ok(())
    });
    let report = topics.verify_on(&log).unwrap().unwrap();
    parts.assert_first_part(&report);
    assert_eq!(report.unsealed_count, (CHAIN.transactions.len() - parts.record_count) as u64);
}

#[test]
fn transactions_that_retention_deletes_while_verify_runs_are_not_called_invented() {
    let first_left = CHAIN.blocks[4].entries[1].origin.offset;
    let topics = Topics::of(&CHAIN);
    let deleting = topics.log.clone();
    let log = Busy::new(&topics, move |topic, moment| match (topic, moment) {
        (TRANSACTIONS, Moment::Poll) => deleting.delete_records(&TopicPartition::new(TRANSACTIONS, 0), first_left),
        _ => Ok(()),
    });
    let report = topics.verify_on(&log).unwrap().unwrap();
    assert_eq!(report.compared_from_height, Some(5));
    assert_eq!(report.compared_count, (CHAIN.transactions.len() as i64 - first_left) as u64);

    // A record that is missing although nothing was deleted stays an invented one.
    let topics = Topics::new(&CHAIN.blocks, &CHAIN.transactions[..CHAIN.transactions.len() - 1]);
    let broken = topics.verify().unwrap_err();
    assert_eq!((broken.height, broken.reason), (CHAIN.blocks.len() as u64 - 1, Reason::Transactions));
}

fn torn() -> log::Result<()> {
    Err(log::Error::new(Kind::Fatal, "torn"))
}

/// The chain's topics, of which one can be read only so many times.
fn torn_after(topics: &Topics, torn_topic: &'static str, polls: usize) -> Busy {
    let count = AtomicUsize::new(0);
    Busy::new(topics, move |topic, moment| {
        let is_over = topic == torn_topic && moment == Moment::Poll && count.fetch_add(1, Ordering::SeqCst) >= polls;
        if is_over { torn() } else { Ok(()) }
    })
}

#[test]
fn a_breach_is_told_although_the_input_cannot_be_read_to_its_end() {
    let height = 3;
    let blocks = altered(&CHAIN, height, Writes, |blocks| blocks[height].operations.clear());
    let topics = Topics::new(&blocks, &CHAIN.transactions);
    let broken = topics.verify_on(&torn_after(&topics, TRANSACTIONS, 3)).unwrap().unwrap_err();
    assert_eq!((broken.height, broken.reason), (height as u64, Reason::Form));
}

#[test]
fn a_breach_is_told_although_the_chain_cannot_be_read_to_its_end() {
    // Seals are checked many at once: this one's turn has not come when reading ends.
    let height = 2;
    let blocks = altered(&CHAIN, height, Writes, |blocks| {
        blocks[height].seal.as_mut().unwrap().stake_mut().unwrap().signature[5] ^= 1
    });
    let topics = Topics::new(&blocks, &CHAIN.transactions);
    let broken = topics.verify_on(&torn_after(&topics, BLOCKCHAIN, 1)).unwrap().unwrap_err();
    assert_eq!((broken.height, broken.reason), (height as u64, Reason::Seal));
}

#[test]
fn a_chain_that_cannot_be_read_to_its_end_is_neither_intact_nor_broken() {
    let topics = Topics::of(&CHAIN);
    for topic in [TRANSACTIONS, BLOCKCHAIN] {
        let error = topics.verify_on(&torn_after(&topics, topic, 1)).unwrap_err();
        assert_eq!(error.to_string(), "torn", "{topic}");
    }
}

#[test]
fn an_open_transaction_of_somebody_else_holds_nothing_up() {
    let topics = Topics::of(&CHAIN);
    let mut somebody = producer(&topics.log, "somebody");
    somebody.begin().unwrap();
    send(&mut somebody, TRANSACTIONS, &CHAIN.transactions[0]);
    somebody.flush(Duration::from_secs(1)).unwrap();
    append(&topics.log, TRANSACTIONS, &CHAIN.transactions[..2]);
    let report = topics.verify().unwrap();
    assert_eq!((report.compared_count, report.unsealed_count), (CHAIN.transactions.len() as u64, 0));
}
