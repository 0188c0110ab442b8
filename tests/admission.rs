//! Several partitions, without a broker: admitted records are sealed, each once and in the order of its partition,
//! whatever befalls the topic in between, the offsets and the processes.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

#[path = "support/heights.rs"]
mod heights;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cairn::chain::{Block, Content, Entry, Genesis, Parameters, Read, RejectCode};
use cairn::consensus::{KeySet, Sealer};
use cairn::sealing::{Admission, Application, Found, Miners, Origin, Setup};
use heights::assert_never_two_blocks_at_one_height;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use topology::test_driver::TestDriver;

const START_MS: i64 = 1_700_000_000_000;
const COUNT: i32 = 4;
const ADMITTED: &str = "cairn-admitted-repartition";

struct Chain {
    driver: TestDriver,
    /// Records sent to each partition.
    sent: [i64; COUNT as usize],
}

fn application(parameters: &Parameters, key: [u8; 32]) -> Application {
    let (topic, key, ahead) = (ADMITTED.into(), key.into(), u64::MAX);
    with_admission(parameters, Admission { partition_count: COUNT, topic, key, ahead, origin: None })
}

fn with_admission(parameters: &Parameters, admission: Admission) -> Application {
    let (keys, validators) = KeySet::default_committee(&mut ChaCha8Rng::seed_from_u64(7)).unwrap();
    let parameters = parameters.clone();
    let genesis = Genesis { chain_id: "cairn".into(), created_ms: 0, accounts: Vec::new(), validators, parameters };
    let setup = Setup {
        sealer: Sealer::local(&genesis, keys, &[]).unwrap(),
        miners: Miners::at_once(),
        classic: None,
        genesis,
        transactions: "transactions".into(),
        blockchain: "blockchain".into(),
        entropy: [1; 32],
        topic: None,
        notary: None,
    };
    Application::with_admission(setup, admission)
}

/// Says how many records wait for the sealer, as the test counts them.
struct Waiting(Arc<AtomicU64>);

impl Origin for Waiting {
    fn first_record(&self, _: i32, from: i64, _: i64) -> topology::Result<Option<i64>> {
        Ok(Some(from))
    }

    fn order_id(&self, _: &str) -> topology::Result<[u8; 16]> {
        Ok([0; 16])
    }

    fn waiting(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn look_up(&self, places: &[(i32, i64)]) -> topology::Result<Vec<Found>> {
        Ok(vec![Found::Deleted; places.len()])
    }
}

fn three_per_block() -> Parameters {
    Parameters { block_max_transactions: 3, block_window_ms: 0, ..Parameters::default() }
}

impl Chain {
    fn new() -> Self {
        Self::of(&application(&three_per_block(), [5; 32]))
    }

    fn of(application: &Application) -> Self {
        let topology = application.topology().unwrap();
        Self { driver: TestDriver::new(&topology, "cairn", START_MS).unwrap(), sent: [0; COUNT as usize] }
    }

    /// A payment arrives in a partition; each is of another amount.
    fn send(&mut self, partition: i32) {
        self.append(partition);
        self.driver.run().unwrap();
    }

    fn append(&mut self, partition: i32) {
        let number = &mut self.sent[partition as usize];
        let value = format!(r#"{{"from":"sender-{partition}","to":"bob","amount":{}}}"#, *number + 1);
        *number += 1;
        self.driver.append(("transactions", partition), None, Some(value.as_bytes()), START_MS + *number).unwrap();
    }

    fn send_to_all(&mut self, times: usize) {
        for _ in 0..times {
            (0..COUNT).for_each(|partition| self.send(partition));
        }
    }

    fn commit(&mut self) {
        self.driver.commit().unwrap();
    }

    /// The committed blocks, which follow each other.
    fn blocks(&self) -> Vec<Block> {
        let read = |record: &topology::test_driver::OwnedRecord| {
            Block::from_record(record.key.as_deref(), record.value.as_deref()).and_then(Read::block).unwrap().unwrap()
        };
        let blocks: Vec<Block> = self.driver.read("blockchain").iter().map(read).collect();
        for (height, block) in blocks.iter().enumerate() {
            assert_eq!(block.header.height, height as u64);
            block.check().unwrap();
        }
        assert!(blocks.windows(2).all(|pair| pair[1].header.parent == pair[0].hash), "one unbroken chain");
        blocks
    }

    fn entries(&self) -> Vec<Entry> {
        self.blocks().into_iter().flat_map(|block| block.entries).collect()
    }

    /// Ends the input, and finds every record of every partition in exactly one block, in the order of its partition.
    fn assert_all_is_sealed(&mut self) {
        self.driver.end_of_input().unwrap();
        let mut next = [0; COUNT as usize];
        for Entry { origin, content, .. } in self.entries() {
            let next = &mut next[origin.partition as usize];
            assert_eq!(origin.offset, *next, "partition {}", origin.partition);
            *next += 1;
            let Content::Transaction { transaction, .. } = &content else { continue };
            assert_eq!(transaction.amount.get() as i64, *next);
        }
        assert_eq!(next, self.sent);
        assert_never_two_blocks_at_one_height(&self.driver);
    }

    /// Somebody writes to the topic between `admit` and `seal`.
    fn forge(&mut self, value: Option<&[u8]>) {
        self.driver.append(ADMITTED, Some(b"forged"), value, START_MS).unwrap();
    }

    fn admitted_values(&self) -> Vec<Vec<u8>> {
        self.driver.read(ADMITTED).iter().map(|record| record.value.clone().unwrap()).collect()
    }
}

#[test]
fn four_partitions_become_one_chain_with_each_offset_in_one_block_and_in_its_order() {
    let mut chain = Chain::new();
    chain.send_to_all(25);
    chain.assert_all_is_sealed();
    let blocks = chain.blocks();
    assert_eq!(blocks.len(), 1 + 34);
    assert!(blocks.iter().any(|block| block.header.ranges.len() > 1), "blocks of several partitions");
}

#[test]
fn processes_that_die_at_any_moment_lose_double_and_reorder_nothing() {
    for seed in 0..30 {
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut chain = Chain::new();
        for _ in 0..120 {
            match random.random_range(0..10) {
                0 => chain.driver.abort().unwrap(),
                1..=2 => chain.commit(),
                3 => chain.driver.advance_clock(700).unwrap(),
                4..=5 => (0..random.random_range(1..20)).for_each(|_| chain.append(random.random_range(0..COUNT))),
                _ => chain.send(random.random_range(0..COUNT)),
            }
        }
        chain.assert_all_is_sealed();
    }
}

#[test]
fn offsets_that_are_lost_or_moved_seal_nothing_twice_and_leave_nothing_out() {
    for seed in 0..30 {
        println!("seed {seed}");
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut chain = Chain::new();
        for _ in 0..40 {
            for _ in 0..random.random_range(0..12) {
                chain.send(random.random_range(0..COUNT));
            }
            if random.random_bool(0.7) {
                chain.commit();
            }
            let partition = random.random_range(0..COUNT);
            let place = ("transactions", partition);
            match random.random_range(0..4) {
                0 => chain.driver.lose_offsets().unwrap(),
                1 => {
                    let anywhere = random.random_range(0..=chain.sent[partition as usize]);
                    chain.driver.move_offset(place, anywhere).unwrap();
                }
                2 => {
                    let end = chain.driver.read(ADMITTED).len() as i64;
                    chain.driver.move_offset(ADMITTED, random.random_range(0..=end)).unwrap();
                }
                _ => {}
            }
        }
        chain.assert_all_is_sealed();
    }
}

#[test]
fn what_a_stranger_writes_between_the_two_is_passed_over() {
    let mut chain = Chain::new();
    chain.send_to_all(2);
    chain.commit();
    let genuine = chain.admitted_values();
    // With another key, altered, cut, copied, and nothing of the kind.
    let mut stranger =
        TestDriver::new(&application(&three_per_block(), [6; 32]).topology().unwrap(), "cairn", 0).unwrap();
    let steal = br#"{"from":"sender-0","to":"mallory","amount":1000}"#;
    stranger.pipe(("transactions", 0), None, Some(steal), START_MS).unwrap();
    stranger.commit().unwrap();
    let foreign = stranger.read(ADMITTED)[0].value.clone().unwrap();
    let mut altered = genuine[0].clone();
    altered[9] ^= 1;
    for value in [None, Some(&b""[..]), Some(b"{}"), Some(&foreign), Some(&altered), Some(&genuine[0][..40])] {
        chain.forge(value);
    }
    for value in &genuine {
        chain.forge(Some(value));
    }
    chain.driver.run().unwrap();
    chain.send_to_all(2);
    chain.assert_all_is_sealed();
    assert!(chain.entries().iter().all(|entry| match &entry.content {
        Content::Transaction { transaction, .. } => transaction.to.as_str() == "bob",
        Content::Stub { .. } => false,
    }));
}

#[test]
fn records_that_are_lost_between_the_two_end_the_run_before_anything_behind_them_is_sealed() {
    let mut chain = Chain::new();
    chain.send_to_all(3);
    chain.commit();
    // One is in the open block, and so is read again.
    chain.send(2);
    chain.commit();
    let blocks = chain.blocks().len();
    let end = chain.driver.read(ADMITTED).len() as i64;
    chain.driver.delete_records(ADMITTED, end);
    chain.driver.abort().unwrap();
    chain.append(2);
    let lost = chain.driver.run().and_then(|()| chain.driver.commit()).unwrap_err().to_string();
    for part in [
        "offset 3 of transactions-2 did not come, and offset 4 did",
        "topic 'cairn-admitted-repartition' lost records",
        "cairn reset",
    ] {
        assert!(lost.contains(part), "{lost}");
    }
    assert_eq!(chain.blocks().len(), blocks);
}

#[test]
fn a_partition_with_a_large_backlog_keeps_no_other_waiting_for_it() {
    const AHEAD: u64 = 40;
    const BACKLOG: usize = 1_000;
    let waiting = Arc::new(AtomicU64::new(0));
    let origin: Box<dyn Origin> = Box::new(Waiting(Arc::clone(&waiting)));
    let (topic, key) = (ADMITTED.into(), [5; 32].into());
    let admission = Admission { partition_count: COUNT, topic, key, ahead: AHEAD, origin: Some(origin) };
    let mut chain = Chain::of(&with_admission(&three_per_block(), admission));
    (0..BACKLOG).for_each(|_| chain.append(0));
    chain.driver.run().unwrap();
    let mut admitted_before = 0;
    for tick in 0.. {
        chain.commit();
        let (admitted, sealed) = (chain.driver.read(ADMITTED).len(), chain.entries().len());
        let on_the_way = (admitted - sealed) as u64;
        assert!(on_the_way <= AHEAD + AHEAD / 4, "{on_the_way}");
        waiting.store(on_the_way, Ordering::Relaxed);
        if tick == 5 {
            assert!(admitted < BACKLOG / 2, "the backlog stays where it is");
            admitted_before = admitted;
            chain.append(1);
        }
        if admitted > BACKLOG {
            break;
        }
        chain.driver.advance_clock(50).unwrap();
    }
    chain.assert_all_is_sealed();
    let place = chain.entries().iter().position(|entry| entry.origin.partition == 1).unwrap();
    assert!(place <= admitted_before + 2 * (AHEAD / 4) as usize, "{place}, when {admitted_before} were admitted");
}

#[test]
fn what_is_no_transaction_becomes_a_stub_and_a_dead_letter_of_its_partition() {
    let mut chain = Chain::new();
    let large = vec![b'x'; 900_000];
    for value in [Some(&b"hello"[..]), Some(&large), None] {
        chain.driver.append(("transactions", 3), Some(b"key"), value, START_MS).unwrap();
        chain.sent[3] += 1;
    }
    chain.assert_all_is_sealed();
    let stubs: Vec<RejectCode> = chain
        .entries()
        .iter()
        .map(|entry| match &entry.content {
            Content::Stub { reason, .. } => *reason,
            Content::Transaction { .. } => panic!("{entry:?}"),
        })
        .collect();
    assert_eq!(stubs, [RejectCode::NotJson, RejectCode::TooLarge, RejectCode::NullValue]);
    let letters = chain.driver.read("transactions-dead-letters");
    let offsets: Vec<_> = letters.iter().map(|letter| letter.header("dead-letter.offset").unwrap()).collect();
    assert_eq!(offsets, ["0", "1", "2"]);
    for letter in letters {
        assert_eq!(letter.header("dead-letter.partition").as_deref(), Some("3"));
        assert_eq!(letter.key.as_deref(), Some(&b"key"[..]));
    }
    assert_eq!(letters[1].value.as_deref(), Some(&large[..]));
    assert!(chain.driver.read("admitted-dead-letters").is_empty());
}

#[test]
fn the_graph_is_what_it_is() {
    let application = application(&three_per_block(), [5; 32]);
    let topology = application.topology().unwrap().to_string();
    let (admit, seal) = topology.split_once("Sub-topology: seal").unwrap();
    assert_eq!(
        admit,
        "Sub-topology: admit
  Source: transactions (topic: transactions)
    --> reader
  Processor: reader
    --> admitted-records
    <-- transactions
  Sink: admitted-records (repartition topic: admitted, partitions: 1)
    <-- reader
"
    );
    assert!(seal.contains("Source: admitted (repartition topic: admitted, partitions: 1)"), "{seal}");
}
