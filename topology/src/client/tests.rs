use std::sync::{Mutex, mpsc};

use super::*;
use crate::graph::Builder;
use crate::log::memory::MemoryLog;
use crate::log::{Producer, ProducerOptions, ProducerRecord, TopicSpec};

/// A log with a record in the topic "in".
fn log() -> MemoryLog {
    let log = MemoryLog::new(Arc::new(|| 0));
    let spec = TopicSpec { name: "in".into(), partition_count: 1, replication_factor: None, config: Vec::new() };
    log.create_topics(&[spec]).unwrap();
    let options = ProducerOptions {
        transactional_id: "in".into(),
        transaction_timeout_ms: 10_000,
        client_id: "test".into(),
        track_topics: Vec::new(),
    };
    let mut producer = log.producer(&options).unwrap();
    producer.init_transactions(Duration::from_secs(1)).unwrap();
    producer.begin().unwrap();
    let (topic, partition, value) = ("in", Some(0), Some(&b"x"[..]));
    producer.send(&ProducerRecord { topic, partition, timestamp_ms: 0, key: None, value, headers: &[] }).unwrap();
    producer.commit(Duration::from_secs(1)).unwrap();
    log
}

fn calling(act: impl Fn() -> crate::processor::Result + Send + Sync + 'static) -> Topology {
    let builder = Builder::new();
    builder.sub_topology("sub").source::<[u8], [u8]>("in").for_each(move |_| act());
    builder.build().unwrap()
}

#[test]
fn an_end_that_is_waited_for_in_async_code_is_told_as_anywhere() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let fails = calling(|| Err("no".into()));
        let mut client = Client::start(&fails, log(), Config::new("app")).await.unwrap();
        assert!(client.wait().is_err());
        assert!(client.closed().await.is_ok(), "told once");
    });
}

#[test]
fn a_processor_can_neither_wait_for_its_own_end_nor_hang_by_dropping_the_client() {
    let place: Arc<Mutex<Option<Client>>> = Arc::default();
    let (said_in, said) = mpsc::channel();
    let topology = calling({
        let (place, said_in) = (Arc::clone(&place), Mutex::new(said_in));
        move || {
            let Some(mut client) = place.lock().unwrap().take() else { return Err("not there yet".into()) };
            said_in.lock().unwrap().send(client.wait().unwrap_err().to_string()).unwrap();
            drop(client);
            Ok(())
        }
    });
    // Nothing comes of the record before the place is filled.
    let mut filling = place.lock().unwrap();
    let client = Client::start_blocking(&topology, log(), Config::new("app")).unwrap();
    let mut states = client.states();
    *filling = Some(client);
    drop(filling);
    let said = said.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(said.contains("cannot wait for its own end"), "{said}");
    futures::executor::block_on(async { states.wait_for(|state| *state == State::Stopped).await.map(drop) }).unwrap();
}

#[cfg(not(feature = "rocksdb"))]
#[test]
fn without_rocksdb_a_store_on_the_disk_is_refused_by_name_before_anything_is_made_and_runs_in_memory() {
    let builder = Builder::new();
    let counts = Store::rocksdb("counts");
    builder.sub_topology("counting").source::<[u8], [u8]>("in").count(&counts).sink("out");
    let (topology, log, root) = (builder.build().unwrap(), log(), tempfile::tempdir().unwrap());
    let config = Config { until_end: true, ..Config::new("app") };
    let on_disk = Config { state_directory: Some(root.path().join("state")), ..config.clone() };
    let error = Client::start_blocking(&topology, log.clone(), on_disk).err().unwrap().to_string();
    assert!(error.contains("store counts") && error.contains("feature `rocksdb`"), "{error}");
    assert!(log.describe_topic("out").unwrap().is_none() && !root.path().join("state").exists());
    Client::start_blocking(&topology, log.clone(), config).unwrap().wait().unwrap();
    assert!(log.describe_topic("app-counts-changelog").unwrap().is_some());
}
