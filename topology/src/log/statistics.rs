//! What clients of a log tell of themselves, now and then.

/// What the clients of a log told last. It keeps none of them, nor the log: figures of clients that are gone are gone
/// too.
pub trait Statistics: Send + Sync {
    /// All that there are, by name.
    fn clients(&self) -> Vec<ClientStatistics>;
}

/// Of clients that tell nothing.
impl Statistics for () {
    fn clients(&self) -> Vec<ClientStatistics> {
        Vec::new()
    }
}

/// A consumer or a producer, as it was at its last report. Counts begin with the client: one that is made anew begins
/// at 0.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ClientStatistics {
    /// Its name, which no other client of the log has at the time.
    pub client: String,
    /// The brokers that it has to do with.
    pub brokers: Vec<BrokerStatistics>,
    /// Of a consumer.
    pub consumer: Option<ConsumerStatistics>,
    /// Of a producer.
    pub producer: Option<ProducerStatistics>,
}

/// What a client has to do with one broker.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BrokerStatistics {
    /// Its number, or what it is to the client: a connection of its own leads to a coordinator.
    pub broker: String,
    /// Whether there is a connection.
    pub is_connected: bool,
    /// Connections made.
    pub connection_count: u64,
    /// Requests that wait for their answer.
    pub in_flight_count: u64,
    /// Requests that wait to be sent.
    pub waiting_count: u64,
    /// Requests sent again.
    pub retry_count: u64,
    /// Requests that could not be sent, answers that could not be read, and requests that were not answered in time.
    pub error_count: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// From a request to its answer since the report before, us, on average and as 99 of 100 are; `None` where nothing
    /// was answered.
    pub round_trip_us: Option<RoundTrip>,
}

/// How long answers took, us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrip {
    /// On average.
    pub average_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
}

/// What only consumers have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStatistics {
    /// Records that are fetched and not taken.
    pub queued_count: u64,
    /// Keys and values of these, bytes.
    pub queued_bytes: u64,
    /// How often the group has shared its partitions anew.
    pub rebalance_count: u64,
}

/// What only producers have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerStatistics {
    /// Records that are not delivered yet.
    pub queued_count: u64,
    /// Keys and values of these, bytes.
    pub queued_bytes: u64,
    /// How its transaction is, in the client's own words; empty where it has none.
    pub transaction_state: String,
    /// For how long, ms.
    pub transaction_state_ms: u64,
}
