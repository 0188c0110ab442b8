//! What librdkafka tells of its clients, every ten seconds or as often as `statistics.interval.ms` says.
//!
//! A report is JSON, made by the client's own thread, and waits in the client's queue until that is served: the owner
//! of such a client serves it, also while there is nothing to do. Reports are read where they are served, and only the
//! last one is kept.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Deserialize;

use crate::log::{BrokerStatistics, ClientStatistics, ConsumerStatistics, ProducerStatistics, RoundTrip, Statistics};

/// Between two reports where nothing else is said, ms.
pub(super) const INTERVAL_MS: u32 = 10_000;

/// The last report of each client. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Reports(Arc<Mutex<BTreeMap<String, Option<ClientStatistics>>>>);

impl Reports {
    /// For one more client. Where its name is taken it gets a number.
    pub(super) fn reporter(&self, client: &str) -> Reporter {
        let mut reports = self.lock();
        let numbered = (2..).map(|number| format!("{client}#{number}"));
        let mut names = std::iter::once(client.to_owned()).chain(numbered);
        let client = names.find(|name| !reports.contains_key(name)).unwrap_or_default();
        reports.insert(client.clone(), None);
        Reporter { client, reports: self.clone() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<ClientStatistics>>> {
        // A poisoned lock only says that some thread panicked; these values are always whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Statistics for Reports {
    fn clients(&self) -> Vec<ClientStatistics> {
        self.lock().values().flatten().cloned().collect()
    }
}

/// One client's part of them, which goes with the client.
#[derive(Debug)]
pub(super) struct Reporter {
    client: String,
    reports: Reports,
}

impl Reporter {
    /// Takes a report in. One that cannot be read is of another version of librdkafka: there are no figures then.
    pub(super) fn take(&self, json: &[u8]) {
        match serde_json::from_slice::<Report>(json) {
            Ok(report) => drop(self.reports.lock().insert(self.client.clone(), Some(report.into(&self.client)))),
            Err(error) => tracing::debug!(client = self.client, %error, "a report of a client cannot be read"),
        }
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.reports.lock().remove(&self.client);
    }
}

/// librdkafka's `STATISTICS.md`, as far as it is of use here.
#[derive(Debug, Deserialize)]
struct Report {
    #[serde(rename = "type")]
    kind: String,
    /// Of a producer: records in its queues, on their way, or with a report that waits.
    msg_cnt: u64,
    msg_size: u64,
    brokers: HashMap<String, Broker>,
    topics: HashMap<String, Topic>,
    cgrp: Option<Group>,
    eos: Option<Transactions>,
}

#[derive(Debug, Deserialize)]
struct Broker {
    name: String,
    nodeid: i32,
    source: String,
    state: String,
    outbuf_cnt: u64,
    waitresp_cnt: u64,
    txbytes: u64,
    txerrs: u64,
    txretries: u64,
    req_timeouts: u64,
    rxbytes: u64,
    rxerrs: u64,
    connects: u64,
    rtt: Window,
}

/// Of what happened since the last report.
#[derive(Debug, Deserialize)]
struct Window {
    avg: u64,
    p99: u64,
    cnt: u64,
}

#[derive(Debug, Deserialize)]
struct Topic {
    partitions: HashMap<String, Partition>,
}

#[derive(Debug, Deserialize)]
struct Partition {
    fetchq_cnt: u64,
    fetchq_size: u64,
}

#[derive(Debug, Deserialize)]
struct Group {
    rebalance_cnt: u64,
}

#[derive(Debug, Deserialize)]
struct Transactions {
    txn_state: String,
    /// ms.
    txn_stateage: u64,
}

impl Report {
    fn into(self, client: &str) -> ClientStatistics {
        let mut brokers: Vec<BrokerStatistics> = self.brokers.into_values().filter_map(Broker::into).collect();
        brokers.sort_by(|a, b| a.broker.cmp(&b.broker));
        // Partitions that flow share one queue, and each tells the whole of it.
        let partitions = || self.topics.values().flat_map(|topic| topic.partitions.values());
        let consumer = (self.kind == "consumer").then(|| ConsumerStatistics {
            queued_count: partitions().map(|partition| partition.fetchq_cnt).max().unwrap_or(0),
            queued_bytes: partitions().map(|partition| partition.fetchq_size).max().unwrap_or(0),
            rebalance_count: self.cgrp.map_or(0, |group| group.rebalance_cnt),
        });
        let producer = (self.kind == "producer").then(|| {
            let (state, state_ms) = self.eos.map(|eos| (eos.txn_state, eos.txn_stateage)).unwrap_or_default();
            ProducerStatistics {
                queued_count: self.msg_cnt,
                queued_bytes: self.msg_size,
                // One that is merely idempotent stays at the beginning for ever.
                transaction_state: if state == "Init" { String::new() } else { state },
                transaction_state_ms: state_ms,
            }
        });
        ClientStatistics { client: client.to_owned(), brokers, consumer, producer }
    }
}

impl Broker {
    /// `None` for what is no broker: librdkafka's own, and addresses of which it does not know yet whose they are.
    fn into(self) -> Option<BrokerStatistics> {
        let broker = match self.source.as_str() {
            "logical" => self.name,
            "internal" => return None,
            _ if self.nodeid < 0 => return None,
            _ => self.nodeid.to_string(),
        };
        Some(BrokerStatistics {
            broker,
            is_connected: self.state == "UP",
            connection_count: self.connects,
            in_flight_count: self.waitresp_cnt,
            waiting_count: self.outbuf_cnt,
            retry_count: self.txretries,
            error_count: self.txerrs + self.rxerrs + self.req_timeouts,
            sent_bytes: self.txbytes,
            received_bytes: self.rxbytes,
            round_trip_us: (self.rtt.cnt > 0).then_some(RoundTrip { average_us: self.rtt.avg, p99_us: self.rtt.p99 }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As librdkafka 2.12 writes it, without the most of it.
    fn broker(name: &str, nodeid: i32, source: &str) -> String {
        format!(
            r#""{name}": {{ "name":"{name}", "nodeid":{nodeid}, "source":"{source}", "state":"UP", "stateage":9, "outbuf_cnt":1,
            "waitresp_cnt":2, "tx":7, "txbytes":700, "txerrs":1, "txretries":3, "req_timeouts":2, "rx":6, "rxbytes":600,
            "rxerrs":0, "connects":1, "rtt": {{ "min":1, "max":9, "avg":4, "sum":8, "p99":8, "cnt":2 }}, "toppars":{{ }} }}"#
        )
    }

    fn report(kind: &str, rest: &str) -> String {
        let brokers = [broker("b:9092/1", 1, "learned"), broker("b:9092/bootstrap", -1, "configured")];
        let more = [broker(":0/internal", -1, "internal"), broker("GroupCoordinator", 1, "logical")];
        let brokers = [brokers, more].concat().join(", ");
        format!(
            r#"{{ "name":"c#1", "client_id":"c", "type":"{kind}", "msg_cnt":5, "msg_size":50, "brokers":{{ {brokers} }},
            "topics":{{ "t": {{ "topic":"t", "partitions":{{ "0": {{ "fetchq_cnt":12, "fetchq_size":120 }},
            "1": {{ "fetchq_cnt":12, "fetchq_size":120 }}, "-1": {{ "fetchq_cnt":0, "fetchq_size":0 }} }} }} }} {rest} }}"#
        )
    }

    #[test]
    fn a_consumers_report_tells_of_its_brokers_its_queue_and_its_group() {
        let reports = Reports::default();
        let reporter = reports.reporter("c");
        assert!(reports.clients().is_empty(), "it has told nothing yet");
        reporter.take(report("consumer", r#", "cgrp": { "state":"up", "rebalance_cnt":3 }"#).as_bytes());
        let [client] = &reports.clients()[..] else { panic!("one client") };
        let brokers: Vec<&str> = client.brokers.iter().map(|broker| broker.broker.as_str()).collect();
        assert_eq!(brokers, ["1", "GroupCoordinator"]);
        let one = BrokerStatistics {
            broker: "1".to_owned(),
            is_connected: true,
            connection_count: 1,
            in_flight_count: 2,
            waiting_count: 1,
            retry_count: 3,
            error_count: 3,
            sent_bytes: 700,
            received_bytes: 600,
            round_trip_us: Some(RoundTrip { average_us: 4, p99_us: 8 }),
        };
        assert_eq!(client.brokers[0], one);
        let consumer = ConsumerStatistics { queued_count: 12, queued_bytes: 120, rebalance_count: 3 };
        assert_eq!((client.consumer.as_ref(), client.producer.as_ref()), (Some(&consumer), None));
    }

    #[test]
    fn a_producers_report_tells_of_its_transaction() {
        let reports = Reports::default();
        let reporter = reports.reporter("p");
        let eos = |state: &str| {
            format!(r#", "eos": {{ "idemp_state":"Assigned", "txn_state":"{state}", "txn_stateage":40 }}"#)
        };
        reporter.take(report("producer", &eos("InTransaction")).as_bytes());
        let producer = reports.clients()[0].producer.clone().unwrap();
        assert_eq!((producer.queued_count, producer.queued_bytes), (5, 50));
        assert_eq!((producer.transaction_state.as_str(), producer.transaction_state_ms), ("InTransaction", 40));
        reporter.take(report("producer", &eos("Init")).as_bytes());
        assert_eq!(reports.clients()[0].producer.clone().unwrap().transaction_state, "");
    }

    #[test]
    fn clients_of_one_name_are_told_apart_and_go_with_their_reports() {
        let reports = Reports::default();
        let (first, second) = (reports.reporter("c"), reports.reporter("c"));
        for reporter in [&first, &second] {
            reporter.take(report("producer", "").as_bytes());
        }
        second.take(b"not what it was");
        let names = || reports.clients().into_iter().map(|client| client.client).collect::<Vec<_>>();
        assert_eq!(names(), ["c", "c#2"]);
        drop(first);
        assert_eq!(names(), ["c#2"]);
        assert_eq!(reports.reporter("c").client, "c");
    }
}
