//! How clients are made.

/// What a consumer may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// Records of committed transactions, up to the last stable offset.
    ReadCommitted,
    /// All records, aborted ones and those of open transactions too.
    ReadUncommitted,
}

/// What a consumer does where its position lies outside the log, because retention or truncation took what was to be
/// read, or because the position never was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutOfRange {
    /// It goes on at the first record there is.
    Earliest,
    /// [`Consumer::poll`](super::Consumer::poll) fails with [`Kind::OutOfRange`](super::Kind::OutOfRange), again and
    /// again until the partition is sought, paused or taken out.
    Fail,
}

/// How to make a consumer.
#[derive(Clone, Debug)]
pub struct ConsumerOptions {
    /// The group to join; `None` for explicit assignment only.
    pub group: Option<GroupOptions>,
    /// What it may see.
    pub isolation: Isolation,
    /// A name for the broker's logs.
    pub client_id: String,
    /// Most records handed over in one [`Event::Records`](super::Event::Records).
    pub batch_records: usize,
    /// Most bytes the client may hold of what it prefetches, for all partitions that are not paused; one fetch may come
    /// on top. Of partitions that are paused it may keep some more, which does not grow with their number: on Kafka
    /// twice this for each of four at most.
    pub prefetch_bytes: usize,
    /// Where a position lies outside the log.
    pub out_of_range: OutOfRange,
}

/// How to be a member of a group.
#[derive(Clone, Debug)]
pub struct GroupOptions {
    /// The group.
    pub id: String,
    /// Static membership: the same id after a restart takes its partitions back at once. Not with
    /// [`GroupProtocol::Consumer`] on Kafka, see there.
    pub instance_id: Option<String>,
    /// After this long without a sign of life, in ms, the group gives the member's partitions away. With
    /// [`GroupProtocol::Consumer`] Kafka's brokers decide (`group.consumer.session.timeout.ms`).
    pub session_timeout_ms: u32,
    /// How partitions move from one member to another.
    pub protocol: GroupProtocol,
}

/// How partitions move from one member of a group to another. Both give the partitions of the same number of all topics
/// to the same member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Everybody gives everything back, then all is given out anew. Any broker has it.
    #[default]
    Classic,
    /// Only what moves is given back, and all else goes on meanwhile (KIP-848). Kafka has it since 4.0. There a static
    /// member keeps its place when it leaves, and one that was killed keeps it until its session ends, whatever comes
    /// back: so members are dynamic ones, and an instance id is not used.
    Consumer,
}

/// How to make a producer without transactions.
#[derive(Clone, Debug)]
pub struct IdempotentOptions {
    /// A name for the broker's logs.
    pub client_id: String,
    /// A record that was not delivered for so long, in ms, is given up.
    pub delivery_timeout_ms: u32,
    /// Topics whose delivered offsets [`Producer::delivered`](super::Producer::delivered) can tell.
    pub track_topics: Vec<String>,
}

/// How to make a transactional producer.
#[derive(Clone, Debug)]
pub struct ProducerOptions {
    /// The producer that initialises last with this id fences all before.
    pub transactional_id: String,
    /// An open transaction older than this, in ms, is aborted by the log.
    pub transaction_timeout_ms: u32,
    /// A name for the broker's logs.
    pub client_id: String,
    /// Topics whose delivered offsets [`Producer::delivered`](super::Producer::delivered) can tell.
    pub track_topics: Vec<String>,
}
