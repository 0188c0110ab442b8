//! What is read when metrics are: what the log's clients tell of themselves.

use std::fmt;
use std::sync::Arc;

use crate::log::{BrokerStatistics, ClientStatistics, RoundTrip, Statistics};
use crate::metrics::{Labels, Reading, Readings, Value};

/// Of the clients that this log has made.
pub(super) struct LogReadings(pub(super) Arc<dyn Statistics>);

impl fmt::Debug for LogReadings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReadings").finish_non_exhaustive()
    }
}

impl Readings for LogReadings {
    fn read(&self) -> Vec<Reading> {
        readings(&self.0.clients())
    }
}

fn readings(clients: &[ClientStatistics]) -> Vec<Reading> {
    let of_brokers = by_broker(clients).into_iter();
    of_brokers.chain(consumers(clients)).chain(producers(clients)).flatten().collect()
}

/// What each client has to do with each broker.
fn by_broker(clients: &[ClientStatistics]) -> [Option<Reading>; 10] {
    let rows = |of: fn(&BrokerStatistics) -> Option<Value>| {
        clients.iter().flat_map(move |client| {
            client.brokers.iter().filter_map(move |broker| {
                let labels = vec![("client", client.client.clone()), ("broker", broker.broker.clone())];
                Some((labels, of(broker)?))
            })
        })
    };
    let count = |name: &'static str, help: &'static str, of: fn(&BrokerStatistics) -> Option<Value>| {
        Reading::of(name, help, rows(of))
    };
    [
        count("client_connections", "Connections that stand", |of| whole(u64::from(of.is_connected))),
        count("client_connection_creation_total", "Connections made", |of| whole(of.connection_count)),
        count("client_requests_in_flight", "Requests that wait for their answer", |of| whole(of.in_flight_count)),
        count("client_requests_waiting", "Requests that wait to be sent", |of| whole(of.waiting_count)),
        count("client_request_retry_total", "Requests sent again", |of| whole(of.retry_count)),
        count("client_request_error_total", "Requests that failed, or were not answered in time", |of| {
            whole(of.error_count)
        }),
        count("client_outgoing_byte_total", "Bytes sent", |of| whole(of.sent_bytes)),
        count("client_incoming_byte_total", "Bytes received", |of| whole(of.received_bytes)),
        count("client_request_latency_avg_seconds", "From a request to its answer, on average", |of| {
            of.round_trip_us.map(|RoundTrip { average_us, .. }| seconds(average_us, 1e6))
        }),
        count("client_request_latency_p99_seconds", "From a request to its answer, 99 of 100", |of| {
            of.round_trip_us.map(|RoundTrip { p99_us, .. }| seconds(p99_us, 1e6))
        }),
    ]
}

fn consumers(clients: &[ClientStatistics]) -> [Option<Reading>; 3] {
    let all = || clients.iter().filter_map(|client| Some((labels(client), client.consumer.as_ref()?)));
    let (records, bytes) = ("Records fetched and not taken yet", "Keys and values fetched and not taken yet, bytes");
    let rebalances = "Times that the group shared its partitions anew";
    [
        Reading::of("consumer_fetch_queue_records", records, all().map(|(at, of)| (at, Value::Whole(of.queued_count)))),
        Reading::of("consumer_fetch_queue_bytes", bytes, all().map(|(at, of)| (at, Value::Whole(of.queued_bytes)))),
        Reading::of(
            "consumer_rebalance_total",
            rebalances,
            all().map(|(at, of)| (at, Value::Whole(of.rebalance_count))),
        ),
    ]
}

fn producers(clients: &[ClientStatistics]) -> [Option<Reading>; 4] {
    let all = || clients.iter().filter_map(|client| Some((labels(client), client.producer.as_ref()?)));
    let states = || {
        let all = all().filter(|(_, of)| !of.transaction_state.is_empty());
        all.map(|(mut labels, of)| {
            labels.push(("state", of.transaction_state.clone()));
            (labels, of)
        })
    };
    let (records, bytes) = ("Records not delivered yet", "Keys and values not delivered yet, bytes");
    let (state, since) = ("How the transaction is, as librdkafka calls it: always 1", "For how long it has been so");
    [
        Reading::of("producer_queue_records", records, all().map(|(at, of)| (at, Value::Whole(of.queued_count)))),
        Reading::of("producer_queue_bytes", bytes, all().map(|(at, of)| (at, Value::Whole(of.queued_bytes)))),
        Reading::of("producer_transaction_state", state, states().map(|(at, _)| (at, Value::Whole(1)))),
        Reading::of(
            "producer_transaction_state_seconds",
            since,
            states().map(|(at, of)| (at, seconds(of.transaction_state_ms, 1e3))),
        ),
    ]
}

fn labels(client: &ClientStatistics) -> Labels {
    vec![("client", client.client.clone())]
}

fn whole(count: u64) -> Option<Value> {
    Some(Value::Whole(count))
}

fn seconds(of: u64, per_second: f64) -> Value {
    Value::Seconds(of as f64 / per_second)
}
