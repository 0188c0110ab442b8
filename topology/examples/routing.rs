//! A count that can be asked over the network, at any instance for any key: who has the key answers, all others ask
//! that one.
//!
//! ```text
//! cargo run --release --locked --example routing -- --brokers localhost:9092 --in words --listen 127.0.0.1:7001 --state-dir ./one
//! cargo run --release --locked --example routing -- --brokers localhost:9092 --in words --listen 127.0.0.1:7002 --state-dir ./two
//! printf 'tea\n' | nc 127.0.0.1 7001            its count, wherever it is
//! printf 'where tea\n' | nc 127.0.0.1 7001      who has it, and who keeps it warm
//! ```
//! The input must exist, written by producers that partition as Java's clients do. An instance advertises where it
//! listens; the group tells all others ([`Client::metadata`]). It listens until it is killed.
#![allow(clippy::disallowed_methods, reason = "patience is about real time")]

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser as _;
use topology::Class;
use topology::client::{Client, Config};
use topology::graph::{Builder, Store, Topic, Topology};
use topology::log::Log;
use topology::log::kafka::{self, KafkaLog};
use topology::query::{Error, KeyValue, Metadata, Queries};

/// Until a question is given up that no instance can answer: tasks move, and are restored where they go.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// What an instance answers that could not find out.
const LATER: &str = "later";

fn counting(input: &str, counts: &Store<str, i64>) -> topology::Result<Topology> {
    let builder = Builder::new();
    // So it is known which task has a key, and "none" is answered by that one alone.
    let words = Topic::new(input).must_exist().partitioned_by_key();
    builder.sub_topology("counting").source::<str, [u8]>(words).count(counts);
    builder.build()
}

/// An instance, as it is asked.
#[derive(Clone)]
struct Router {
    queries: Queries,
    counts: KeyValue<str, i64>,
}

impl Router {
    /// Answers a line with a line.
    fn answer(&self, question: &str) -> String {
        match question.split_once(' ') {
            Some(("here", key)) => self.count(key, false),
            Some(("where", key)) => self.place(key).unwrap_or_else(|error| format!("error: {error}")),
            _ => self.count(question, true),
        }
    }

    /// A key's count. What another instance has that one is asked for, unless it was another instance that asked: in a
    /// rebalance two may name each other for a moment.
    fn count(&self, key: &str, may_ask: bool) -> String {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let error = match self.counts.get(&key) {
                Ok(count) => return count.map_or("none".to_owned(), |count| count.to_string()),
                Err(error) => error,
            };
            let others: Vec<&str> = match &error {
                Error::Elsewhere { address, .. } => address.as_deref().into_iter().collect(),
                // Not here, where the graph says how keys are partitioned. Without that all are asked, and one may have
                // it.
                Error::Undecided { holders, .. } => holders.iter().filter_map(|at| at.address.as_deref()).collect(),
                _ if error.class() == Class::Retry => Vec::new(),
                _ => return format!("error: {error}"),
            };
            let ask = |address: &&str| ask(address, &format!("here {key}")).ok();
            let answer = others.iter().filter(|_| may_ask).filter_map(ask).find(|answer| answer != LATER);
            match answer {
                Some(answer) => return answer,
                None if may_ask => std::thread::sleep(PAUSE),
                None => break,
            }
        }
        LATER.to_owned()
    }

    /// Which instance has a key, and which keep it warm.
    fn place(&self, key: &str) -> topology::Result<String> {
        let Some(task) = self.counts.task_for(&key)? else { return Ok(LATER.to_owned()) };
        let metadata: Metadata = self.queries.metadata()?;
        let address = |address: &Option<String>| address.clone().unwrap_or("an instance without an address".to_owned());
        let Some(holder) = metadata.holder(&task) else { return Ok(format!("task {task} is on its way")) };
        let warm: Vec<String> = metadata.standbys(&task).map(|instance| address(&instance.address)).collect();
        let warm = if warm.is_empty() { "nobody".to_owned() } else { warm.join(", ") };
        Ok(format!("task {task} is with {}; kept warm by {warm}", address(&holder.address)))
    }

    /// Answers each client that connects, on a thread of its own, until the process ends.
    fn listen(self, listener: TcpListener) {
        std::thread::spawn(move || {
            for asking in listener.incoming().flatten() {
                let router = self.clone();
                std::thread::spawn(move || router.serve(&asking));
            }
        });
    }

    fn serve(&self, asking: &TcpStream) -> io::Result<()> {
        for question in BufReader::new(asking).lines() {
            let answer = self.answer(question?.trim());
            (&*asking).write_all(format!("{answer}\n").as_bytes())?;
        }
        Ok(())
    }
}

/// Puts a question to an instance.
fn ask(address: &str, question: &str) -> io::Result<String> {
    let mut to = TcpStream::connect(address)?;
    to.set_read_timeout(Some(PATIENCE))?;
    to.write_all(format!("{question}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(to).read_line(&mut answer)?;
    Ok(answer.trim().to_owned())
}

/// An instance that counts, and answers where it listens.
fn start<L: Log>(log: L, input: &str, listener: TcpListener, config: Config) -> topology::Result<Client> {
    let address = listener.local_addr().map_err(|error| topology::Error::stop("cannot listen").caused_by(error))?;
    let counts = Store::rocksdb("counts");
    let config = Config { advertised_address: Some(address.to_string()), ..config };
    let client = Client::start_blocking(&counting(input, &counts)?, log, config)?;
    Router { queries: client.queries(), counts: client.store(&counts)? }.listen(listener);
    Ok(client)
}

fn main() -> ExitCode {
    let lines = "info,rdkafka::consumer::base_consumer=off";
    tracing_subscriber::fmt().with_writer(io::stderr).with_env_filter(lines).init();
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A count that can be asked at any instance for any key.
#[derive(clap::Parser)]
struct Arguments {
    /// HOST:PORT of a broker or more, with commas.
    #[arg(long, default_value = "localhost:9092")]
    brokers: String,
    /// The topic that is counted. It must exist.
    #[arg(long = "in", default_value = "words")]
    input: String,
    /// Where questions are taken; other instances are told.
    #[arg(long, default_value = "127.0.0.1:7001")]
    listen: String,
    /// Where the store is kept. Each instance needs one of its own.
    #[arg(long = "state-dir", default_value = "routing")]
    state_directory: PathBuf,
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { brokers, input, listen, state_directory } = Arguments::parse();
    let listener = TcpListener::bind(&listen).map_err(|error| format!("cannot listen at {listen}: {error}"))?;
    let log = KafkaLog::new(kafka::Options::new(&brokers))?;
    let config = Config { state_directory: Some(state_directory), standby_replicas: 1, ..Config::new("routing") };
    Ok(start(log, &input, listener, config)?.wait()?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use topology::log::memory::MemoryLog;
    use topology::log::{Producer, ProducerOptions, ProducerRecord, TopicSpec};

    use super::*;

    const KEYS: usize = 20;

    /// A record of each key in four partitions, and as many more as its number says.
    fn fill(log: &MemoryLog) -> topology::Result<()> {
        let topic =
            TopicSpec { name: "words".into(), partition_count: 4, replication_factor: None, config: Vec::new() };
        log.create_topics(&[topic])?;
        let mut producer = log.producer(&ProducerOptions {
            transactional_id: "words".to_owned(),
            transaction_timeout_ms: 10_000,
            client_id: "words".to_owned(),
            track_topics: Vec::new(),
        })?;
        producer.init_transactions(PATIENCE)?;
        producer.begin()?;
        for key in (0..KEYS).flat_map(|key| (0..=key).map(move |_| format!("key-{key}"))) {
            let (key, value) = (Some(key.as_bytes()), Some(&b"x"[..]));
            let record = ProducerRecord { topic: "words", partition: None, timestamp_ms: 0, key, value, headers: &[] };
            producer.send(&record)?;
        }
        producer.commit(PATIENCE)?;
        Ok(())
    }

    #[test]
    fn any_instance_answers_for_any_key_and_says_where_it_is() {
        let start_time = Instant::now();
        let log = MemoryLog::new(Arc::new(move || start_time.elapsed().as_millis() as i64));
        fill(&log).unwrap();
        let instance = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap().to_string();
            (start(log.clone(), "words", listener, Config::new("routing")).unwrap(), address)
        };
        let ((mut one, first), (mut other, second)) = (instance(), instance());
        // It waits for what is to come: the group is found, and all is counted.
        let until = |address: &str, question: &str, expected: &dyn Fn(&str) -> bool| {
            let begun = Instant::now();
            loop {
                let answer = ask(address, question).unwrap();
                if expected(&answer) {
                    return;
                }
                assert!(begun.elapsed() < 3 * PATIENCE, "{question} at {address}: {answer}");
                std::thread::sleep(PAUSE);
            }
        };
        // Each has some of the tasks.
        for address in [&first, &second] {
            until(address, "where key-0", &|answer| answer.contains(" is with 127.0.0.1:"));
            let shares = || {
                let places = (0..KEYS).map(|key| ask(address, &format!("where key-{key}")).unwrap());
                places.filter(|place| place.contains(&first)).count()
            };
            while !(1..KEYS).contains(&shares()) {
                std::thread::sleep(PAUSE);
            }
        }
        for (key, address) in (0..KEYS).flat_map(|key| [(key, &first), (key, &second)]) {
            until(address, &format!("key-{key}"), &|answer| answer == (key + 1).to_string());
        }
        assert_eq!([ask(&first, "none").unwrap(), ask(&second, "none").unwrap()], ["none", "none"]);
        one.stop();
        one.wait().unwrap();
        for key in 0..KEYS {
            until(&second, &format!("key-{key}"), &|answer| answer == (key + 1).to_string());
        }
        assert!(ask(&first, "key-0").unwrap().starts_with("error: the client has ended"));
        other.stop();
        other.wait().unwrap();
    }
}
