//! A real single-node Apache Kafka on loopback, for tests: started when first asked for, gone with the process that
//! asked, however that process ends.
//!
//! ```no_run
//! let brokers = test_cluster::Cluster::shared().brokers();
//! let topic = test_cluster::unique("orders");
//! ```
//!
//! [`Cluster::shared`] is the one to use: one broker for all tests of a process or, where `CAIRN_TEST_BROKERS` names a
//! cluster, that one (`scripts/test` starts one broker for the whole run this way). Tests that share it keep apart by
//! [`unique`] names. [`Cluster::start`] makes a broker for one test alone, which may then stop, kill or pause it.
//!
//! Beside it is what tests of running processes share: [`until`] something happens, and what [`process`]es take.
//!
//! The broker's jars come from Maven Central on first use (`fetch`); a shell script (`serve`) holds the process and
//! ends it at the end of its standard input. What goes wrong here panics: there is no test without a broker.

mod broker;
pub mod process;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use broker::Broker;

/// Names a cluster to use in place of one that is started: `HOST:PORT[,..]`.
pub const BROKERS: &str = "CAIRN_TEST_BROKERS";

/// Beside [`BROKERS`]: the process id of its only broker, for tests that measure it.
pub const BROKER_PID: &str = "CAIRN_TEST_BROKER_PID";

/// Beside [`BROKERS`]: where the cluster takes only those who encrypt and name themselves, `HOST:PORT[,..]`.
pub const SECURE_BROKERS: &str = "CAIRN_TEST_SECURE_BROKERS";

/// Beside [`SECURE_BROKERS`]: the file of the certificate to trust.
pub const CA: &str = "CAIRN_TEST_CA";

/// The listener with `security.protocol=SASL_SSL` and `sasl.mechanism=SCRAM-SHA-256`.
#[derive(Clone, Debug)]
pub struct Secure {
    /// What a client takes as `bootstrap.servers`.
    pub brokers: String,
    /// What it takes as `ssl.ca.location`.
    pub ca: PathBuf,
}

impl Secure {
    /// The only user there is.
    pub const USER: &'static str = "cairn";
    /// Its password.
    pub const PASSWORD: &'static str = "of-cairn";
}

/// A Kafka cluster that answers requests.
#[derive(Debug)]
pub struct Cluster {
    brokers: String,
    broker: Option<Broker>,
}

impl Cluster {
    /// The cluster that all tests share. Nobody may stop it.
    pub fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| match std::env::var(BROKERS) {
            Ok(brokers) if !brokers.is_empty() => Cluster::external(brokers),
            _ => Cluster::start(),
        })
    }

    /// A broker of the caller's own, ended when dropped.
    pub fn start() -> Cluster {
        Cluster::start_with(&[])
    }

    /// A broker of the caller's own with more broker settings, `name=value`, which win over those in
    /// `server.properties` and may use its `@PORT@`, `@CONTROLLER_PORT@` and `@SECURE_PORT@`.
    pub fn start_with(properties: &[&str]) -> Cluster {
        let broker = Broker::start(properties);
        Cluster { brokers: broker.address(), broker: Some(broker) }
    }

    fn external(brokers: String) -> Cluster {
        let reached = brokers.split(',').any(|broker| {
            broker
                .to_socket_addrs()
                .is_ok_and(|mut addresses| addresses.any(|address| TcpStream::connect(address).is_ok()))
        });
        assert!(reached, "{BROKERS}={brokers}: nobody listens there; start that cluster, or unset the variable");
        Cluster { brokers, broker: None }
    }

    /// What a client takes as `bootstrap.servers`.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The same cluster, encrypted; `None` for one that was not started here and does not tell.
    pub fn secure(&self) -> Option<Secure> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        match &self.broker {
            Some(broker) => {
                Some(Secure { brokers: broker.secure_address(), ca: broker::fetch().join("tls").join("ca.pem") })
            }
            None => Some(Secure { brokers: variable(SECURE_BROKERS)?, ca: variable(CA)?.into() }),
        }
    }

    /// The broker's process; `None` for a cluster that was not started here and does not tell.
    pub fn broker_pid(&self) -> Option<u32> {
        match &self.broker {
            Some(broker) => broker.pid(),
            None => std::env::var(BROKER_PID).ok()?.parse().ok(),
        }
    }

    /// Where the controller of a broker of the caller's own listens, which serves no clients.
    pub fn controller(&self) -> String {
        self.own().controller_address()
    }

    /// What the broker has logged: warnings and errors.
    pub fn broker_log(&self) -> String {
        self.own().log()
    }

    /// Shuts the broker down in good order.
    pub fn stop(&self) {
        self.own().order("stop");
    }

    /// Kills the broker with SIGKILL.
    pub fn kill(&self) {
        self.own().order("kill");
    }

    /// Starts the broker after [`Cluster::stop`] or [`Cluster::kill`]: the same ports, the same data. Returns when it
    /// answers.
    pub fn restart(&self) {
        self.own().run();
    }

    /// Takes away all that the broker had, after [`Cluster::stop`] or [`Cluster::kill`]: the next start is that of a
    /// new one, at the same address and with the same cluster id.
    pub fn empty(&self) {
        self.own().order("empty");
    }

    /// Stops the broker's process where it stands: connections stay open, nothing answers, until [`Cluster::resume`].
    pub fn pause(&self) {
        self.own().order("pause");
    }

    /// Goes on after [`Cluster::pause`].
    pub fn resume(&self) {
        self.own().order("resume");
    }

    fn own(&self) -> &Broker {
        match &self.broker {
            Some(broker) => broker,
            None => panic!("{BROKERS} is set: this test needs a broker of its own, from Cluster::start()"),
        }
    }

    /// Creates a topic; `config` holds `name=value`. Takes two seconds: it starts a JVM.
    pub fn create_topic(&self, name: &str, partition_count: u32, config: &[&str]) {
        let partition_count = partition_count.to_string();
        let mut arguments = vec!["--create", "--topic", name, "--partitions", &partition_count];
        arguments.extend(config.iter().flat_map(|entry| ["--config", entry]));
        self.tool("org.apache.kafka.tools.TopicCommand", &arguments);
    }

    /// Runs one of Kafka's own command line tools by its main class, with `--bootstrap-server` set, and returns what it
    /// printed. Takes two seconds: it starts a JVM. Panics where the tool fails.
    pub fn tool(&self, main_class: &str, arguments: &[&str]) -> String {
        let [java, options @ ..] = &java(main_class)[..] else { panic!("nothing to run") };
        let mut command = Command::new(java);
        command.args(options);
        command.args(["--bootstrap-server", &self.brokers]).args(arguments);
        output(&mut command, b"")
    }

    /// Major and minor number of the Kafka that is started here.
    pub fn version() -> (u32, u32) {
        let home = broker::fetch();
        let version = home.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let mut numbers = version.split(['-', '.']).skip(1).map_while(|number| number.parse::<u32>().ok());
        (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
    }

    /// The class of the tool that changes settings: it moved in Kafka 4.4.
    pub fn config_tool() -> &'static str {
        if Cluster::version() >= (4, 4) { "org.apache.kafka.tools.ConfigCommand" } else { "kafka.admin.ConfigCommand" }
    }

    /// The same tool as a line of shell that hands on the arguments of the script it stands in: for a script under the
    /// tool's own name.
    pub fn tool_line(&self, main_class: &str) -> String {
        let words: Vec<String> = java(main_class).iter().map(|word| format!("'{word}'")).collect();
        format!("exec {} \"$@\"", words.join(" "))
    }

    /// Runs kcat with `-b` set, gives it `input` and returns what it printed. Panics where it fails.
    pub fn kcat(&self, arguments: &[&str], input: &[u8]) -> String {
        output(Command::new("kcat").args(["-b", &self.brokers]).args(arguments), input)
    }
}

/// What starts one of Kafka's classes.
fn java(main_class: &str) -> Vec<String> {
    let program = std::env::var("JAVA_HOME").map_or_else(|_| "java".into(), |home| format!("{home}/bin/java"));
    let libraries = format!("{}/lib/*", broker::fetch().display());
    let options = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &libraries, main_class];
    std::iter::once(program).chain(options.map(str::to_owned)).collect()
}

/// A name that no other test and no other run has: for topics, groups, application ids.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}-{:012x}", random() & 0xffff_ffff_ffff)
}

/// Waits for something that happens on another thread or in another process. What has not happened in a minute never
/// does.
pub fn until(what: &str, happened: impl Fn() -> bool) {
    until_within(Duration::from_secs(60), what, happened);
}

/// As [`until`], for as long as is said. How long a look takes counts: what happens is to happen in this time.
#[allow(clippy::disallowed_methods, reason = "what is waited for happens in real time")]
pub fn until_within(patience: Duration, what: &str, happened: impl Fn() -> bool) {
    const LOOK_EVERY: Duration = Duration::from_millis(5);
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < patience, "never: {what} (waited {patience:?})");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The standard library keys every one of these hashers at random; names and ports need no better.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A file of this crate.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn output(command: &mut Command, input: &[u8]) -> String {
    let run = |command: &mut Command| {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take();
        std::thread::scope(|scope| {
            // On a thread of its own: a tool that prints before it has read everything would block both sides.
            scope.spawn(move || stdin.as_mut().map(|stdin| stdin.write_all(input)));
            child.wait_with_output()
        })
    };
    let output =
        run(command).unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/install installs what is missing"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout.into_owned()
}
