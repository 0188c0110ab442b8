//! One broker process, by way of the `serve` script.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a broker may take until it answers. Three seconds are usual; a busy machine takes its time.
const READY_WITHIN: Duration = Duration::from_secs(120);
const POLL_EVERY: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct Broker {
    directory: PathBuf,
    port: u16,
    controller_port: u16,
    secure_port: u16,
    serve: Mutex<Serve>,
}

#[derive(Debug)]
struct Serve {
    child: Child,
    /// Closing it ends the broker; the kernel closes it for a process that was killed.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pid: Option<u32>,
}

/// Where the jars are; brings them first where they are not.
pub(crate) fn fetch() -> PathBuf {
    let fetch = Command::new(crate::file("fetch")).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    match fetch {
        Ok(output) if output.status.success() => PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()),
        Ok(output) => panic!("tests/cluster/fetch: {}; it says above what is missing", output.status),
        Err(error) => panic!("tests/cluster/fetch: {error}"),
    }
}

impl Broker {
    pub(crate) fn start(properties: &[&str]) -> Broker {
        for _ in 0..4 {
            let broker = Broker::spawn(properties);
            match broker.try_run() {
                Ok(()) => return broker,
                // Somebody took the port between the check and the broker's start.
                Err(log) if log.contains("BindException") => continue,
                Err(log) => panic!("the broker did not start; its log ends:\n{log}"),
            }
        }
        panic!("no free port for a broker in four attempts");
    }

    fn spawn(properties: &[&str]) -> Broker {
        let ports @ [port, controller_port, secure_port] = free_ports();
        let directory = std::env::temp_dir().join(crate::unique("cairn-broker"));
        let mut command = Command::new(crate::file("serve"));
        command.arg(&directory).args(ports.map(|port| port.to_string())).args(properties);
        // A process group of its own: Ctrl-C ends the tests, and that ends the broker, with its directory.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("tests/cluster/serve: {error}"));
        let (Some(orders), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("tests/cluster/serve has no pipes");
        };
        let serve = Serve { child, orders: Some(orders), answers: BufReader::new(answers), pid: None };
        Broker { directory, port, controller_port, secure_port, serve: Mutex::new(serve) }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The address of its controller, which serves no clients.
    pub(crate) fn controller_address(&self) -> String {
        format!("127.0.0.1:{}", self.controller_port)
    }

    /// The address of its other listener, by the name that its certificate bears.
    pub(crate) fn secure_address(&self) -> String {
        format!("localhost:{}", self.secure_port)
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.serve.lock().unwrap_or_else(PoisonError::into_inner).pid
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read(self.directory.join("log"))
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Gives the script an order and waits until it has been carried out.
    pub(crate) fn order(&self, order: &str) {
        let mut serve = self.serve.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = String::new();
        if let Some(orders) = &mut serve.orders {
            // A script that has ended answers nothing, which the next line notices.
            let _ = writeln!(orders, "{order}");
        }
        let read = serve.answers.read_line(&mut answer);
        assert!(read.is_ok_and(|length| length > 0), "tests/cluster/serve ended; it says above why");
        match answer.split_whitespace().collect::<Vec<_>>()[..] {
            ["started", pid] => serve.pid = pid.parse().ok(),
            ["stopped"] => serve.pid = None,
            _ => {}
        }
    }

    /// Starts the process and returns when it answers.
    pub(crate) fn run(&self) {
        assert!(self.pid().is_none(), "the broker is running; stop or kill it first");
        self.try_run().unwrap_or_else(|log| panic!("the broker did not start; its log ends:\n{log}"));
    }

    fn try_run(&self) -> Result<(), String> {
        let seen = self.log().len();
        self.order("start");
        let mut waited = Duration::ZERO;
        loop {
            let log = self.log();
            let news = log.get(seen..).unwrap_or_default();
            if news.contains("Kafka Server started") && TcpStream::connect(self.address()).is_ok() {
                return Ok(());
            }
            if !self.alive() || waited > READY_WITHIN {
                let lines: Vec<&str> = news.lines().collect();
                return Err(lines[lines.len().saturating_sub(40)..].join("\n"));
            }
            std::thread::sleep(POLL_EVERY);
            waited += POLL_EVERY;
        }
    }

    fn alive(&self) -> bool {
        self.pid().is_some_and(|pid| !crate::process::has_ended(pid))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let serve = self.serve.get_mut().unwrap_or_else(PoisonError::into_inner);
        serve.orders = None;
        // Its exit status says nothing that anybody could act upon.
        let _ = serve.child.wait();
    }
}

/// Three neighbouring ports that nobody listens on, below the range that the kernel gives to outgoing connections: a
/// client that retries while the broker is down could otherwise be given the broker's own port.
fn free_ports() -> [u16; 3] {
    for _ in 0..1000 {
        let port = 10_000 + (crate::random() % 6_666) as u16 * 3;
        let ports = [port, port + 1, port + 2];
        if ports.iter().all(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()) {
            return ports;
        }
    }
    panic!("no three free neighbouring ports between 10000 and 30000");
}
