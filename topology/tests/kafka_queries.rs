//! Two instances on a real broker: each answers for the keys of its tasks, and names the other one for the rest.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod counting;

use std::time::Duration;

use counting::watched::{Taken, watched};
use counting::{Topics, create, in_transaction, send};
use test_cluster::{Cluster, unique, until_within};
use topology::client::{Client, Config};
use topology::graph::Store;
use topology::log::GroupProtocol;
use topology::log::kafka::{KafkaLog, Options};
use topology::query::{Error, KeyValue, Metadata};

const PARTITIONS: i32 = 4;
const KEYS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(40);

fn key(number: usize) -> Vec<u8> {
    format!("key-{number}").into_bytes()
}

/// A record of each key, wherever the client puts it.
fn fill(log: &KafkaLog, topics: &Topics) {
    in_transaction(log, &format!("{}-input", topics.application), |producer| {
        for number in 0..KEYS {
            send(producer, topics, None, &key(number), 1_000);
        }
    });
}

/// Of each instance: its address, whether it is the one that asks, and how many tasks it has.
fn shares(metadata: &Metadata) -> Vec<(Option<&str>, bool, usize)> {
    let instances = metadata.instances.iter();
    let mut shares: Vec<_> = instances.map(|at| (at.address.as_deref(), at.is_here, at.tasks.len())).collect();
    shares.sort_unstable();
    shares
}

/// Where it is not said how keys are partitioned, and a key is not here.
fn all_who_may_have_a_key_are_named(unsaid: &KeyValue<[u8], i64>, address: &str) {
    until_within(PATIENCE, "who may have it is named", || match unsaid.get(&b"none".as_slice()) {
        Err(Error::Undecided { holders, moving }) => {
            moving.is_empty()
                && holders.len() == 2
                && holders.iter().all(|holder| holder.address.as_deref() == Some(address))
        }
        answer => panic!("{answer:?}"),
    });
}

fn each_keeps_warm_what_the_other_has(client: &Client) {
    until_within(PATIENCE, "each keeps warm what the other has, and says so of both", || {
        match &client.metadata().unwrap_or_default().instances[..] {
            [one, other] => one.standbys == other.tasks && other.standbys == one.tasks,
            _ => false,
        }
    });
}

fn check(protocol: GroupProtocol) {
    let log = KafkaLog::new(Options::new(Cluster::shared().brokers())).unwrap();
    let topics = Topics::new(unique("queries"));
    create(&log, &topics, PARTITIONS);
    let counts = Store::<[u8], i64>::rocksdb("counts");
    let start = |address: &str| {
        let advertised_address = Some(address.to_owned());
        let application = topics.application.as_str();
        let config = Config {
            group_protocol: protocol,
            commit_interval_ms: 50,
            advertised_address,
            standby_replicas: 1,
            ..Config::new(application)
        };
        let topology = watched(&topics, PARTITIONS, &counts, &Taken::default());
        Client::start_blocking(&topology, log.clone(), config).unwrap()
    };
    let asked = |client: &Client| client.store(&counts).unwrap().partitioned_like_input();
    let (mut first, second) = (start("first:80"), start("http://[::1]:80/stores?of=a@b"));
    let (of_first, of_second) = (asked(&first), asked(&second));
    fill(&log, &topics);
    fill(&log, &topics);

    let there = |address: &'static str| (Some(address), false, 2);
    let here = |address: &'static str| (Some(address), true, 2);
    let [one, two] = ["first:80", "http://[::1]:80/stores?of=a@b"];
    until_within(PATIENCE, "each has half", || {
        shares(&first.metadata().unwrap_or_default()) == [here(one), there(two)]
    });
    until_within(PATIENCE, "both know it", || {
        shares(&second.metadata().unwrap_or_default()) == [there(one), here(two)]
    });
    // Where the client has put a key is where it is looked for, and who is asked in vain names the other one.
    let names = |asked: &KeyValue<[u8], i64>, key: &[u8], address: &str| matches!(asked.get(&key), Err(Error::Elsewhere { address: Some(told), .. }) if told == address);
    let mut answered = [0, 0];
    for number in 0..KEYS {
        let key = key(number);
        until_within(PATIENCE, "one has it, and the other one says which", || {
            let by_first = of_first.get(&&*key) == Ok(Some(2)) && names(&of_second, &key, one);
            by_first || (of_second.get(&&*key) == Ok(Some(2)) && names(&of_first, &key, two))
        });
        answered[usize::from(of_first.get(&&*key).is_err())] += 1;
    }
    assert!(answered.iter().all(|count| *count > 0), "{answered:?}");

    all_who_may_have_a_key_are_named(&first.store(&counts).unwrap(), two);
    [&first, &second].into_iter().for_each(each_keeps_warm_what_the_other_has);

    first.stop();
    first.wait().unwrap();
    assert_eq!(of_first.get(&&*key(0)), Err(Error::Closed));
    assert_eq!(first.metadata(), Err(Error::Closed));
    until_within(PATIENCE, "the other one has all", || {
        (0..KEYS).all(|number| of_second.get(&&*key(number)) == Ok(Some(2)))
    });
    assert_eq!(shares(&second.metadata().unwrap()), [(Some(two), true, PARTITIONS as usize)]);
}

#[test]
fn instances_of_a_classic_group_answer_for_their_own_and_name_the_others() {
    check(GroupProtocol::Classic);
}

#[test]
fn instances_of_a_group_of_the_consumer_protocol_answer_for_their_own_and_name_the_others() {
    match Cluster::version() {
        (..4, _) => println!("this Kafka has no consumer protocol"),
        _ => check(GroupProtocol::Consumer),
    }
}
