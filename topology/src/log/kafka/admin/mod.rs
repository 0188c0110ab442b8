//! Administrative calls, made through helper clients that all clones of the log share. May use what the Kafka log is
//! made of, and the log's traits.
//!
//! Helpers ask through consumer clients where they can: a producer's question about a topic could create it.

mod deleting;
mod groups;
mod identity;
mod obstacles;
mod topics;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use super::classify;
use super::clock::BrokerClock;
use super::context::Context;
use super::deadline::Deadline;
use super::login::Login;
use super::native;
use super::options::{self, Options};
use crate::log::{Error, Isolation, Kind, Result};

/// Between two questions whether something has come to pass.
const PAUSE: Duration = Duration::from_millis(20);

/// A client that asks questions and consumes nothing.
type Helper = Arc<BaseConsumer<Context>>;

/// The helper clients of one log.
pub(super) struct Admin {
    options: Options,
    /// By group and isolation. A client's group cannot be changed, so each group asked about has one.
    helpers: Mutex<HashMap<(String, bool), Helper>>,
    client: Mutex<Option<Arc<AdminClient<Context>>>>,
    /// Closes the client that was there last.
    closing: Mutex<Option<JoinHandle<()>>>,
    /// What topics take, by name; see [`Admin::max_message_bytes`].
    limits: Mutex<HashMap<String, usize>>,
    /// What topics took when they were described last, by name. A topic's refusal has `limits` forget it, to ask anew;
    /// until it is known anew batches go by what was.
    described: Mutex<HashMap<String, usize>>,
    login: Login,
    broker_clock: Arc<BrokerClock>,
}

impl Admin {
    pub(super) fn new(options: Options) -> Self {
        Self {
            options,
            helpers: Mutex::new(HashMap::new()),
            client: Mutex::new(None),
            closing: Mutex::new(None),
            limits: Mutex::new(HashMap::new()),
            described: Mutex::new(HashMap::new()),
            login: Login::default(),
            broker_clock: Arc::default(),
        }
    }

    /// How large the batches may be of a producer that is made now. It sends to these topics, or to any where none are
    /// named: each of them that was described must take such a batch, for a client's batches are as large for all
    /// topics, and a broker refuses whole ones.
    pub(super) fn batch_bytes(&self, written: Option<&[String]>) -> usize {
        let is_written = |topic: &String| written.is_none_or(|written| written.contains(topic));
        let described = lock(&self.described);
        let taken = described.iter().filter(|(topic, _)| is_written(topic)).map(|(_, bytes)| *bytes);
        options::batch_bytes(&self.options, taken.fold(options::BATCH_BYTES, usize::min).max(1))
    }

    /// A topic was described: it takes batches of so many bytes.
    pub(super) fn note_described(&self, topic: &str, max_message_bytes: usize) {
        lock(&self.described).insert(topic.to_owned(), max_message_bytes);
    }

    /// A topic was deleted. One that a broker does not see may be there all the same, so that alone has nothing
    /// forgotten.
    pub(super) fn forget_described(&self, topic: &str) {
        lock(&self.described).remove(topic);
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// Whether the credentials were good, as far as any client of the log knows.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// What any client of the log was told of the brokers' clock.
    pub(super) fn broker_clock(&self) -> &Arc<BrokerClock> {
        &self.broker_clock
    }

    pub(super) fn timeout(&self) -> Duration {
        self.options.request_timeout
    }

    fn helper(&self, group: &str, isolation: Isolation) -> Result<Helper> {
        let mut helpers = lock(&self.helpers);
        // What they have to say piles up until somebody listens.
        helpers.values().for_each(|helper| pump(helper));
        let key = (group.to_owned(), isolation == Isolation::ReadCommitted);
        if let Some(helper) = helpers.get(&key) {
            return Ok(Arc::clone(helper));
        }
        let helper: BaseConsumer<Context> = options::helper(&self.options, group, isolation)
            .create_with_context(Context::new(&self.options.client_id))
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot make a client: {error}")))?;
        let helper = Arc::new(helper);
        helpers.insert(key, Arc::clone(&helper));
        Ok(helper)
    }

    /// The helper for questions that concern no group.
    pub(super) fn any_helper(&self) -> Result<Helper> {
        self.helper(&self.options.client_id, Isolation::ReadUncommitted)
    }

    fn client(&self) -> Result<Arc<AdminClient<Context>>> {
        let mut client = lock(&self.client);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let made: AdminClient<Context> = options::admin(&self.options)
            .create_with_context(Context::new(&self.options.client_id))
            .map_err(|error| Error::new(Kind::Fatal, format!("cannot make an admin client: {error}")))?;
        let made = Arc::new(made);
        *client = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Closes the client, beside what else happens: its own thread looks only ten times a second whether it is to end.
    pub(super) fn rest(&self) {
        let Some(client) = lock(&self.client).take() else { return };
        // Where there is no thread to be had, it is closed here.
        let closing = thread::Builder::new().name("log-admin-closing".to_owned()).spawn(|| drop(client)).ok();
        let before = std::mem::replace(&mut *lock(&self.closing), closing);
        before.into_iter().for_each(wait_for);
    }

    fn request(&self, deadline: Deadline) -> AdminOptions {
        let timeout = deadline.remaining().max(Duration::from_millis(1));
        AdminOptions::new().request_timeout(Some(timeout)).operation_timeout(Some(timeout))
    }

    /// An error of a helper, with what it last complained of where no broker answered.
    fn failed(&self, doing: &str, code: i32) -> Error {
        let kind = self.login.kind(code);
        let text = native::describe(code);
        let is_of_connection = classify::is_of_connection(code);
        if kind != Kind::Retry {
            return Error::new(kind, format!("{doing}: {text}")).of_connection(is_of_connection);
        }
        let last = self.any_helper().ok().and_then(|helper| {
            pump(&helper);
            helper.context().last_error()
        });
        let last = last.map_or_else(String::new, |last| format!("; last error: {last}"));
        let seconds = self.timeout().as_secs_f32();
        let brokers = &self.options.brokers;
        let message = format!("{doing}: {text} (brokers {brokers}, waited up to {seconds} s{last})");
        Error::new(kind, message).of_connection(is_of_connection)
    }

    fn failed_with(&self, doing: &str, error: &KafkaError) -> Error {
        match classify::code_of(error) {
            Some(code) => self.failed(doing, code),
            None => classify::error(doing, error),
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.rest();
        let helpers = self.helpers.get_mut().unwrap_or_else(PoisonError::into_inner);
        helpers.values().for_each(|helper| native::close(helper));
        // No thread of a client is left when the process ends, and with it what they stand on.
        self.closing.get_mut().unwrap_or_else(PoisonError::into_inner).take().into_iter().for_each(wait_for);
    }
}

/// It only drops a client: where that panicked, the client is gone all the same.
fn wait_for(closing: JoinHandle<()>) {
    let _ = closing.join();
}

/// Serves a helper's queue: its log lines and complaints.
fn pump(helper: &BaseConsumer<Context>) {
    for _ in 0..10_000 {
        let before = helper.context().served();
        let _ = helper.poll(Duration::ZERO);
        if helper.context().served() == before {
            return;
        }
    }
}

/// Whether Kafka could have a topic of this name (it would be asked in vain about others).
fn is_a_name(topic: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&topic.len()) && topic.bytes().all(legal) && topic != "." && topic != ".."
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A poisoned lock only says that some thread panicked; these values are always whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_as_large_as_the_topics_take_that_are_written_and_that_is_known_anew_whenever_one_is_described() {
        let admin = Admin::new(Options::new("127.0.0.1:1"));
        let written = ["out".to_owned(), "changelog".to_owned()];
        let batch_bytes = || (admin.batch_bytes(Some(&written)), admin.batch_bytes(None));
        assert_eq!(batch_bytes(), (1_000_000, 1_000_000));
        admin.note_described("in", 2_000);
        assert_eq!(batch_bytes(), (1_000_000, 2_000));
        admin.note_described("out", 30_000);
        admin.note_described("changelog", 20_000);
        assert_eq!(batch_bytes(), (20_000, 2_000));
        admin.forget_described("in");
        admin.note_described("changelog", 5_000_000);
        assert_eq!(batch_bytes(), (30_000, 30_000));
        let properties = vec![("batch.size".to_owned(), "7000".to_owned())];
        let told = Admin::new(Options { properties, ..Options::new("127.0.0.1:1") });
        told.note_described("out", 100);
        assert_eq!(told.batch_bytes(Some(&written)), 7_000);
    }
}
