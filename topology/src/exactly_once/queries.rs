//! Queries while the stream thread works, fails, and gives tasks away: what they show is committed, whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use topology::client::{Client, Config};
use topology::clock::SystemClock;
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::memory::MemoryLog;
use topology::query::{Error, Fixed, Holder, KeyValue, Queries, TaskId};
use topology::store::Direction;

use crate::mutant::{self, Mutant};

use super::counting::watched::{Taken, watched};
use super::counting::{produce, read};
use super::rebalances::{PARTITIONS, PROTOCOLS, create, fill};
use super::steps::{Instance, turn_until};
use super::{config, memory_log, topics, until, wait};
use crate::fault_log::{Fault, FaultLog, Script};

const RECORDS: usize = 3_000;
const READERS: usize = 4;
/// So often, in records, the processor waits until all readers have looked: in the middle of transactions, with writes
/// that are not committed.
const LOOK_EVERY: i64 = 30;

/// How often each reader has looked; [`OVER`]: it looks no more.
type Looks = Arc<[AtomicI64; READERS]>;

const OVER: i64 = i64::MAX;

fn wait_for_looks(looks: &Looks) {
    for reader in looks.iter() {
        let before = reader.load(Ordering::SeqCst);
        // The one that was under way may have begun before.
        while before != OVER && reader.load(Ordering::SeqCst) < before + 2 {
            std::thread::yield_now();
        }
    }
}

/// Ends the waiting for a reader, also where it panics.
struct Looking<'a>(&'a AtomicI64);

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.0.store(OVER, Ordering::SeqCst);
    }
}

/// Numbers each time that a record is processed: of a record that is processed again, because its transaction failed,
/// the numbers of before are in no committed output. Two stores hold them, one in memory and one not, and a third the
/// record's offset.
struct Attempts {
    numbers: Store<[u8], i64>,
    twins: Store<[u8], i64>,
    offsets: Store<[u8], i64>,
    topology: Topology,
}

fn attempts(looks: &Looks, bug: Option<Mutant>) -> Attempts {
    let (numbers, twins, offsets) = (Store::rocksdb("numbers"), Store::memory("twins"), Store::rocksdb("offsets"));
    let builder = Builder::new();
    let input = builder.sub_topology("numbering").source::<[u8], [u8]>(topics().input.as_str());
    let (next, looks) = (Arc::new(AtomicI64::new(0)), Arc::clone(looks));
    let numbered = input.with_store(&numbers).with_store(&twins).with_store(&offsets).process_fn::<[u8], i64>(
        move |record, (numbers, twins, offsets), context| {
            // On the stream thread, which the client has started.
            bug.into_iter().for_each(mutant::let_live);
            let (key, number) = (record.key.unwrap_or_default(), next.fetch_add(1, Ordering::Relaxed));
            numbers.put(&key, &number)?;
            twins.put(&key, &number)?;
            offsets.put(&key, &record.offset)?;
            if number % LOOK_EVERY == 0 {
                wait_for_looks(&looks);
            }
            context.forward(record.with(record.key, Some(number)))
        },
    );
    numbered.sink(Topic::new(&topics().output).partitions(1));
    Attempts { numbers, twins, offsets, topology: builder.build().unwrap() }
}

/// What a reader saw of each key.
#[derive(Default)]
struct Seen {
    numbers: BTreeMap<Vec<u8>, BTreeSet<i64>>,
    snapshot_count: usize,
}

impl Seen {
    /// Looks in all ways until the client has ended.
    fn look(attempts: &Attempts, queries: &Queries, input: &[i64], looks: &AtomicI64) -> Self {
        let _looking = Looking(looks);
        let (mut seen, mut last) = (Self::default(), BTreeMap::<String, i64>::new());
        let numbers = queries.store(&attempts.numbers).unwrap();
        let task = TaskId { sub_topology: "numbering".to_owned(), partition: 0 };
        loop {
            let looked = (0..7).try_for_each(|key| {
                let key = format!("key-{key}");
                let Some(number) = numbers.get(&key.as_bytes())? else { return Ok(()) };
                assert!(last.get(&key).is_none_or(|last| *last <= number), "a commit was taken back");
                last.insert(key.clone(), number);
                seen.numbers.entry(key.into_bytes()).or_default().insert(number);
                Ok(())
            });
            let looked = looked.and_then(|()| {
                let snapshot = queries.snapshot(&task)?;
                let position = snapshot.position().first().map_or(0, |(_, offset)| *offset);
                let [numbers, twins, offsets] = [&attempts.numbers, &attempts.twins, &attempts.offsets]
                    .map(|store| all(&snapshot.store(store).unwrap()));
                let (numbers, twins, offsets) = (numbers?, twins?, offsets?);
                assert_eq!(numbers, twins, "all stores of a task are of one commit");
                // All input below the position is in, and nothing behind it.
                let last = offsets.values().max().copied();
                assert_eq!(last, input.iter().copied().filter(|offset| *offset < position).max());
                for (key, number) in numbers {
                    seen.numbers.entry(key).or_default().insert(number);
                }
                seen.snapshot_count += 1;
                Ok(())
            });
            looks.fetch_add(1, Ordering::SeqCst);
            match looked {
                Ok(()) => {}
                Err(Error::Moving(_)) => std::thread::yield_now(),
                Err(Error::Closed) => return seen,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn all(store: &KeyValue<[u8], i64, Fixed>) -> Result<BTreeMap<Vec<u8>, i64>, Error> {
    let (mut entries, mut found) = (store.all(Direction::Forward)?, BTreeMap::new());
    while let Some(entry) = entries.next_entry()? {
        found.insert(entry.key.to_vec(), entry.value);
    }
    Ok(found)
}

/// Reads while commits fail in all ways. The error says what a reader saw that was never committed.
fn look_while_commits_fail(bug: Option<Mutant>) -> Result<(), String> {
    let (log, directory) = (memory_log(), tempfile::tempdir().unwrap());
    produce(&log, &topics(), RECORDS);
    let input: Vec<i64> = read(&log, &topics().input).into_iter().map(|(offset, ..)| offset).collect();
    let looks = Looks::default();
    let attempts = attempts(&looks, bug);
    // Others commit between those that fail.
    let failures = [Fault::Abort, Fault::LostUnknown, Fault::CommittedUnknown];
    let faults = (0..60).flat_map(|round| {
        let failing = (round % 5 == 2).then(|| failures[(round / 5) % 3]);
        [Fault::None, Fault::None, failing.unwrap_or(Fault::None)]
    });
    let faulty = FaultLog::new(log.clone(), &Script::commits(faults));
    let config = Config { until_end: true, ..config(Some(directory.path())) };
    let mut client = Client::start_blocking(&attempts.topology, faulty, config).unwrap();
    let queries = client.queries();
    let seen: Vec<std::thread::Result<Seen>> = std::thread::scope(|scope| {
        let look = |looks| Seen::look(&attempts, &queries, &input, looks);
        let readers: Vec<_> = looks.iter().map(|looks| scope.spawn(move || look(looks))).collect();
        wait(&mut client).unwrap();
        readers.into_iter().map(|reader| reader.join()).collect()
    });
    let seen: Result<Vec<Seen>, _> = seen.into_iter().collect();
    let seen = seen.map_err(|_| "a reader saw what cannot be: it says so above".to_owned())?;
    assert!(client.metrics().rewind_count >= 10, "{:?}", client.metrics());
    let mut committed: BTreeMap<Vec<u8>, BTreeSet<i64>> = BTreeMap::new();
    for (_, key, number) in read(&log, &topics().output) {
        committed.entry(key).or_default().insert(i64::from_be_bytes(number.try_into().unwrap()));
    }
    let attempted = client.metrics().record_count as usize;
    assert!(attempted > RECORDS, "nothing was processed again: {attempted}");
    for Seen { numbers, snapshot_count } in seen {
        assert!(snapshot_count > RECORDS / LOOK_EVERY as usize / 2, "{snapshot_count}");
        for (key, numbers) in numbers {
            assert!(numbers.len() > 10, "it saw hardly anything: {numbers:?}");
            if let Some(number) = numbers.difference(&committed[&key]).next() {
                return Err(format!("number {number} of {} was never committed", String::from_utf8_lossy(&key)));
            }
        }
    }
    // The client has ended, and is gone: handles are still there, and say so.
    let numbers = queries.store(&attempts.numbers).unwrap();
    drop(client);
    assert_eq!(numbers.get(&b"key-0".as_slice()), Err(Error::Closed));
    Ok(())
}

#[test]
fn whatever_fails_no_query_shows_what_was_not_committed_nor_a_part_of_a_commit() {
    look_while_commits_fail(None).unwrap();
}

#[test]
fn a_query_that_shows_what_is_not_committed_is_found() {
    let found = look_while_commits_fail(Some(Mutant::UncommittedQuery)).unwrap_err();
    println!("{found}");
}

#[test]
fn a_task_that_is_given_away_is_not_read_here_any_more_and_one_that_comes_back_is() {
    let log = memory_log();
    produce(&log, &topics(), 20);
    let member = |name: &str| Instance::new(&log, Arc::new(SystemClock::new()), name, config(None));
    let counts = Store::<[u8], i64>::rocksdb("counts");
    let mut first = member("b");
    let asked = first.queries.store(&counts).unwrap();
    let key = b"key-0".as_slice();
    // Who has it is found out beside the queries.
    let is_absent = |answer| matches!(answer, Err(Error::Moving(_) | Error::Elsewhere { .. }));
    assert!(is_absent(asked.get(&key)));
    turn_until(&mut [&mut first], |_| asked.get(&key) == Ok(Some(3)));
    // Its id sorts first, and so it gets the partition.
    let mut other = member("a");
    let others = other.queries.store(&counts).unwrap();
    turn_until(&mut [&mut first, &mut other], |_| others.get(&key) == Ok(Some(3)) && is_absent(asked.get(&key)));
    other.thread.close().unwrap();
    assert!(is_absent(others.get(&key)), "{:?}", others.get(&key));
    turn_until(&mut [&mut first], |_| asked.get(&key) == Ok(Some(3)));
}

#[test]
fn who_asks_the_wrong_instance_is_told_the_right_one_and_where_it_can_be_asked() {
    for group_protocol in PROTOCOLS {
        let log = memory_log();
        create(&log);
        fill(&log, 6);
        let counts = Store::<[u8], i64>::memory("counts");
        let member = |name: &str, address: Option<&str>| {
            let advertised_address = address.map(str::to_owned);
            let config = Config { group_protocol, advertised_address, ..config(None) };
            let topology = watched(&topics(), PARTITIONS, &counts, &Taken::default());
            Instance::of(&topology, &log, Arc::new(SystemClock::new()), name, config)
        };
        // Keys begin with the number of their partition.
        let by_number = |key: &&[u8], _| i32::from(key[0] - b'0');
        let asked = |instance: &Instance<MemoryLog>| instance.queries.store(&counts).unwrap().partitioned_by(by_number);
        let (mut first, mut second) = (member("a", None), member("b", Some("http://b:80/@")));
        let (of_first, of_second) = (asked(&first), asked(&second));
        let (near, far) = (b"0-0".as_slice(), b"3-0".as_slice());
        turn_until(&mut [&mut first, &mut second], |_| {
            of_first.get(&near) == Ok(Some(2)) && of_second.get(&far) == Ok(Some(2))
        });
        let metadata = first.queries.metadata().unwrap();
        let tasks =
            |partitions: [i32; 2]| partitions.map(|partition| TaskId { sub_topology: "counting".into(), partition });
        let told: Vec<_> =
            metadata.instances.iter().map(|at| (&*at.id, at.address.as_deref(), at.is_here, &*at.tasks)).collect();
        let expected = [("a", None, true, &tasks([0, 1])[..]), ("b", Some("http://b:80/@"), false, &tasks([2, 3])[..])];
        assert_eq!(told, expected);

        // The group is asked beside the queries: at first they know of no holder, and soon of the one who has it.
        let elsewhere = |task: i32, address: Option<&str>| {
            let task = TaskId { sub_topology: "counting".into(), partition: task };
            Err(Error::Elsewhere { task, address: address.map(str::to_owned) })
        };
        until("the first knows who has it", || of_first.get(&far) == elsewhere(3, Some("http://b:80/@")));
        until("the second knows who has it", || of_second.get(&near) == elsewhere(0, None));
        assert!(of_first.snapshot_for(&far).is_err() && of_first.snapshots().unwrap().len() == 2);
        // Who does not say how keys are partitioned is told all who may have one that is not here.
        let holders = [2, 3].map(|partition| {
            let task = TaskId { sub_topology: "counting".into(), partition };
            Holder { task, address: Some("http://b:80/@".to_owned()) }
        });
        let unsaid = first.queries.store(&counts).unwrap();
        let undecided = Error::Undecided { holders: holders.to_vec(), moving: Vec::new() };
        assert_eq!(undecided.class(), topology::Class::Input);
        until("all who have the others are known", || unsaid.get(&b"none".as_slice()) == Err(undecided.clone()));
        assert_eq!((unsaid.get(&near), unsaid.get(&far)), (Ok(Some(2)), Err(undecided)));
        assert_eq!((of_second.get(&far), of_first.get(&near)), (Ok(Some(2)), Ok(Some(2))));

        second.thread.close().unwrap();
        turn_until(&mut [&mut first], |_| of_first.get(&far) == Ok(Some(2)));
        let metadata = first.queries.metadata().unwrap();
        assert_eq!(metadata.instances.len(), 1);
        assert_eq!(metadata.instances[0].tasks.len(), PARTITIONS as usize);
    }
}
