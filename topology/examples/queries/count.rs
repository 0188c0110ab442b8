//! What is counted, and one count as it is measured.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use topology::client::{Client, Config, State};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::{Log, Producer, ProducerOptions, ProducerRecord, TopicSpec};
use topology::query::KeyValue;

use super::Arguments;
use super::processors::CpuTimes;
use super::readers::{Pace, Random, Readers, key};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A log with the input, and a place for stores.
pub(crate) struct Bench<'a, L: Log> {
    log: L,
    arguments: &'a Arguments,
    counts: Store<[u8], i64>,
    /// Names of topics and applications begin with it: a cluster may have others.
    prefix: String,
    root: PathBuf,
    commits: Arc<Commits>,
}

/// What was measured between a fifth of the input and its end.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) records_per_s: f64,
    pub(crate) answers_per_s: f64,
    /// Processors that the stream thread had, on average: 1 is one of them.
    pub(crate) stream_cpu: f64,
    /// The same of all readers together.
    pub(crate) reader_cpu: f64,
    /// The longest time from one commit to the next.
    pub(crate) commit_gap_ms: f64,
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records_per_s, answers_per_s, stream_cpu, reader_cpu, commit_gap_ms } = self;
        write!(
            f,
            "{records_per_s:.0} records/s with {stream_cpu:.2} processors, {answers_per_s:.0} answers/s with {reader_cpu:.2}, \
             {commit_gap_ms:.0} ms between commits at most"
        )
    }
}

/// When commits were made, as the stream thread sees it.
struct Commits {
    start: Instant,
    last_us: AtomicU64,
    longest_us: AtomicU64,
}

impl Commits {
    fn note(&self) {
        let now_us = self.start.elapsed().as_micros() as u64;
        let before_us = self.last_us.swap(now_us, Ordering::Relaxed);
        self.longest_us.fetch_max(now_us - before_us, Ordering::Relaxed);
    }

    fn begin(&self) {
        self.longest_us.store(0, Ordering::Relaxed);
    }

    fn longest_ms(&self) -> f64 {
        self.longest_us.load(Ordering::Relaxed) as f64 / 1_000.0
    }
}

impl<'a, L: Log> Bench<'a, L> {
    /// Writes the input: random keys, in transactions of 100,000 records.
    pub(crate) fn prepare(log: L, arguments: &'a Arguments) -> topology::Result<Self> {
        let prefix = format!("queries-{}", std::process::id());
        let root = std::env::temp_dir().join(&prefix);
        let counts = if arguments.in_memory { Store::memory("counts") } else { Store::rocksdb("counts") };
        let commits = Commits { start: Instant::now(), last_us: AtomicU64::new(0), longest_us: AtomicU64::new(0) };
        let bench = Self { log, arguments, counts, prefix, root, commits: Arc::new(commits) };
        let name = bench.input();
        bench.log.create_topics(&[TopicSpec {
            name: name.clone(),
            partition_count: 1,
            replication_factor: None,
            config: Vec::new(),
        }])?;
        let mut random = Random(7);
        let mut producer = bench.log.producer(&ProducerOptions {
            transactional_id: name.clone(),
            transaction_timeout_ms: 60_000,
            client_id: name.clone(),
            track_topics: Vec::new(),
        })?;
        producer.init_transactions(TIMEOUT)?;
        for first in (0..arguments.records).step_by(100_000) {
            producer.begin()?;
            for _ in first..(first + 100_000).min(arguments.records) {
                let key = key(random.below(arguments.keys));
                let (partition, value) = (Some(0), Some(&b"x"[..]));
                let record =
                    ProducerRecord { topic: &name, partition, timestamp_ms: 0, key: Some(&key), value, headers: &[] };
                producer.send(&record)?;
            }
            producer.commit(TIMEOUT)?;
        }
        Ok(bench)
    }

    pub(crate) fn counts(&self) -> &Store<[u8], i64> {
        &self.counts
    }

    fn input(&self) -> String {
        format!("{}-words", self.prefix)
    }

    fn counting(&self, output: &str) -> topology::Result<Topology> {
        let builder = Builder::new();
        let words = builder.sub_topology("counting").source::<[u8], [u8]>(Topic::new(self.input()).must_exist());
        words.count(&self.counts).sink(Topic::new(output).partitions(1));
        // It takes no record: its call behind each commit is on the stream thread.
        let commits = Arc::clone(&self.commits);
        words
            .filter(|_| false)
            .processor("commits")
            .functions::<[u8], [u8]>()
            .committed(move |(), _| {
                commits.note();
                Ok(())
            })
            .process(|_, (), _| Ok(()));
        builder.build()
    }

    /// A count of all the input, under an application id of its own.
    pub(crate) fn start(&self, name: &str) -> topology::Result<Client> {
        let application_id = format!("{}-{name}", self.prefix);
        let state_directory = (!self.arguments.in_memory).then(|| self.root.join(name));
        let topology = self.counting(&application_id)?;
        let config = Config { state_directory, ..Config::new(application_id) };
        Client::start_blocking(&topology, self.log.clone(), config)
    }

    /// Waits until so many records were processed, or the client has ended.
    pub(crate) fn wait_for(&self, client: &Client, records: u64) {
        let has_ended = || matches!(*client.states().borrow(), State::Stopped | State::Failed);
        while client.metrics().record_count < records && !has_ended() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What a count does while a store is asked at this pace, if it is.
    pub(crate) fn measure(
        &self,
        client: &Client,
        asked: Option<(KeyValue<[u8], i64>, Pace)>,
    ) -> topology::Result<Measured> {
        let records = self.arguments.records;
        std::thread::scope(|scope| {
            let readers = Readers::default();
            let threads = if asked.is_some() { self.arguments.threads } else { 0 };
            let asking: Vec<_> =
                (0..threads).map(|thread| readers.spawn(scope, thread, &asked, self.arguments.keys)).collect();
            self.wait_for(client, records / 5);
            self.commits.begin();
            let (from, counted, answered, cpu) =
                (Instant::now(), client.metrics().record_count, readers.answers(), CpuTimes::now());
            self.wait_for(client, records);
            let seconds = from.elapsed().as_secs_f64();
            let used = CpuTimes::now().since(&cpu);
            let measured = Measured {
                records_per_s: (client.metrics().record_count - counted) as f64 / seconds,
                answers_per_s: (readers.answers() - answered) as f64 / seconds,
                stream_cpu: used.of("stream-0") / seconds,
                reader_cpu: used.of("reader") / seconds,
                commit_gap_ms: self.commits.longest_ms(),
            };
            readers.end();
            for thread in asking {
                let outcome = thread?.join();
                outcome.map_err(|_| topology::Error::stop("a reader panicked"))??;
            }
            Ok(measured)
        })
    }

    /// Ends a count, and deletes what it wrote to the log.
    pub(crate) fn end(&self, mut client: Client, name: &str) -> topology::Result<()> {
        client.stop();
        client.wait()?;
        self.delete(&format!("{}-{name}", self.prefix))
    }

    /// Deletes everything.
    pub(crate) fn clean_up(&self) -> topology::Result<()> {
        self.delete(&self.prefix)?;
        if !self.root.exists() {
            return Ok(());
        }
        std::fs::remove_dir_all(&self.root).map_err(|error| topology::Error::stop("cannot clean up").caused_by(error))
    }

    fn delete(&self, prefix: &str) -> topology::Result<()> {
        let own = self.log.list_topics(TIMEOUT)?.into_iter().filter(|topic| topic.starts_with(prefix));
        Ok(self.log.delete_topics(&own.collect::<Vec<_>>())?)
    }
}
