//! Stands between clients and a broker, and has the broker say of a topic what one says that is behind: that there is
//! none; or of what is produced to it what one says whose followers are down: that too few replicas are in sync. Or it
//! has the broker answer late where partitions begin.
//!
//! ```text
//!   client ── request: length, api key, version, correlation id, client id, ... ──> noted if it asks for metadata ──> broker
//!   client <── the error of one topic is 3, UNKNOWN_TOPIC_OR_PARTITION <── answer: length, correlation id, ... ── broker
//! ```
//! All else passes as it is. A topic stands in an answer about metadata as its error (two bytes, zero), the length of
//! its name (plus one, as a varint), and its name; in one to a producer as its name, one partition (two, as a varint:
//! plus one), its number, and the error. That is looked for, so that no version's layout has to be known.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PRODUCE: [u8; 2] = [0, 0];
const LIST_OFFSETS: [u8; 2] = [0, 2];
const METADATA: [u8; 2] = [0, 3];
const UNKNOWN_TOPIC_OR_PARTITION: [u8; 2] = [0, 3];
const NOT_ENOUGH_REPLICAS: [u8; 2] = [0, 19];

/// Which lies are to come. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Lies {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    topic: String,
    /// So many answers about the topic are to come that are true, and then so many that are not.
    true_count: usize,
    false_count: usize,
    told_count: usize,
    /// Nothing that is produced to this topic is taken, as far as the answers say.
    refusing: Option<String>,
    /// Clients whose names begin so wait so long for answers about where partitions begin, and for those behind them.
    late: Option<(String, Duration)>,
}

impl Lies {
    /// The answers about this topic are true so many times more, then false so many times.
    pub(crate) fn tell(&self, topic: &str, true_count: usize, false_count: usize) {
        let state = &mut *self.state.lock().unwrap();
        *state = State { topic: topic.to_owned(), true_count, false_count, ..State::default() };
    }

    /// How many were told.
    pub(crate) fn told_count(&self) -> usize {
        self.state.lock().unwrap().told_count
    }

    /// From now on a topic takes nothing, or everything does.
    pub(crate) fn refuse(&self, topic: Option<&str>) {
        self.state.lock().unwrap().refusing = topic.map(str::to_owned);
    }

    /// From now on clients whose names begin so wait so long for each answer about where a partition begins.
    pub(crate) fn delay_beginnings(&self, client_id: &str, delay: Duration) {
        self.state.lock().unwrap().late = Some((client_id.to_owned(), delay));
    }

    /// How late the answer to this request is to be.
    fn delay_of(&self, request: &[u8]) -> Option<Duration> {
        let (prefix, delay) = self.state.lock().unwrap().late.clone()?;
        let client_id = request.get(10..)?;
        (request.starts_with(&LIST_OFFSETS) && client_id.starts_with(prefix.as_bytes())).then_some(delay)
    }

    fn alter_produced(&self, answer: &mut [u8]) {
        let Some(topic) = self.state.lock().unwrap().refusing.clone() else { return };
        let taken = [topic.as_bytes(), &[2, 0, 0, 0, 0, 0, 0]].concat();
        if let Some(at) = place(answer, &taken) {
            let error = at + taken.len() - 2;
            answer[error..error + 2].copy_from_slice(&NOT_ENOUGH_REPLICAS);
        }
    }

    /// Makes an answer about metadata false, if it is its turn.
    fn alter_metadata(&self, answer: &mut [u8]) {
        let state = &mut *self.state.lock().unwrap();
        let Some(at) = place_of_error(answer, &state.topic) else { return };
        if state.true_count > 0 {
            state.true_count -= 1;
        } else if state.false_count > 0 {
            state.false_count -= 1;
            state.told_count += 1;
            answer[at..at + 2].copy_from_slice(&UNKNOWN_TOPIC_OR_PARTITION);
        }
    }
}

/// Where the error of a topic stands that the answer says is there.
fn place_of_error(answer: &[u8], topic: &str) -> Option<usize> {
    let length = u8::try_from(topic.len() + 1).ok().filter(|length| *length < 128)?;
    let wanted = [&[0, 0, length], topic.as_bytes()].concat();
    place(answer, &wanted)
}

fn place(answer: &[u8], wanted: &[u8]) -> Option<usize> {
    answer.windows(wanted.len()).position(|window| window == wanted)
}

/// Bound, and not yet connected with a broker.
pub(crate) struct Proxy {
    listener: TcpListener,
}

impl Proxy {
    pub(crate) fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    pub(crate) fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Serves connections until the process ends.
    pub(crate) fn serve(self, broker: &str, lies: &Lies) {
        let (broker, lies) = (broker.to_owned(), lies.clone());
        std::thread::spawn(move || {
            for client in self.listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&broker) else { continue };
                connect(&client, &server, &lies).unwrap();
            }
        });
    }
}

/// Which request the client made, and how late its answer must be.
type Asked = ([u8; 2], Option<Duration>);

fn connect(client: &TcpStream, server: &TcpStream, lies: &Lies) -> io::Result<()> {
    let asked: Arc<Mutex<BTreeMap<[u8; 4], Asked>>> = Arc::default();
    let (noted, delays) = (Arc::clone(&asked), lies.clone());
    pass(client.try_clone()?, server.try_clone()?, move |request| {
        // Of a request to a producer that wants no answer, the note would stay; transactional ones want all answers.
        if let [key, key_, _, _, a, b, c, d, ..] = request[..]
            && [METADATA, PRODUCE, LIST_OFFSETS].contains(&[key, key_])
        {
            noted.lock().unwrap().insert([a, b, c, d], ([key, key_], delays.delay_of(request)));
        }
    });
    let lies = lies.clone();
    pass(server.try_clone()?, client.try_clone()?, move |answer| {
        let correlation_id = answer.first_chunk::<4>().copied();
        let request = correlation_id.and_then(|id| asked.lock().unwrap().remove(&id));
        match request {
            Some((METADATA, _)) => lies.alter_metadata(answer),
            Some((PRODUCE, _)) => lies.alter_produced(answer),
            Some((_, Some(delay))) => std::thread::sleep(delay),
            _ => {}
        }
    });
    Ok(())
}

/// Passes frames on, on a thread of its own, until one side closes.
fn pass(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&mut Vec<u8>) + Send + 'static) {
    std::thread::spawn(move || {
        let mut length = [0; 4];
        while from.read_exact(&mut length).is_ok() {
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            if from.read_exact(&mut frame).is_err() {
                break;
            }
            look(&mut frame);
            if to.write_all(&length).and_then(|()| to.write_all(&frame)).is_err() {
                break;
            }
        }
        // The other side may have closed before.
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    });
}
