//! An address is asked what it is.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use topology::clock::{Clock, SystemClock};

use super::wire::{self, Answer, Meaning};

/// For each connection: until it is made, and until it has answered.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// What is there. `None`: nothing, or it cannot be reached now.
pub(super) fn ask(address: &str) -> Option<Answer> {
    let mut kafka = Connection::open(address)?;
    match wire::meaning(&kafka.exchange(&wire::api_versions(), wire::is_whole)) {
        Meaning::Is(answer) => Some(answer),
        Meaning::Kafka { is_controller } => {
            let reply = kafka.exchange(&wire::sasl_handshake(), wire::is_whole);
            Some(Answer::Kafka { is_controller, login: wire::login(&reply) })
        }
        // It may want to hear something else first.
        Meaning::Nothing => {
            let is_silent = !kafka.is_closed;
            let others: [&[u8]; 2] = [&wire::client_hello(), b"GET / HTTP/1.0\r\n\r\n"];
            let heard = others.into_iter().find_map(|question| {
                let reply = Connection::open(address)?.exchange(question, |reply| reply.len() >= 5);
                match wire::meaning(&reply) {
                    Meaning::Is(answer @ (Answer::Tls | Answer::Web(_))) => Some(answer),
                    _ => None,
                }
            });
            Some(heard.unwrap_or(if is_silent { Answer::Silent } else { Answer::Closed }))
        }
    }
}

struct Connection {
    stream: TcpStream,
    is_closed: bool,
}

impl Connection {
    fn open(address: &str) -> Option<Self> {
        let stream = address.to_socket_addrs().ok()?.find_map(|at| TcpStream::connect_timeout(&at, PATIENCE).ok())?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        Some(Self { stream, is_closed: false })
    }

    /// Sends bytes, and reads until `is_enough`, the end, or for as long as patience goes.
    fn exchange(&mut self, question: &[u8], is_enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let clock = SystemClock::new();
        let deadline_ms = clock.monotonic_ms().saturating_add(PATIENCE.as_millis() as i64);
        // What was closed early may have said why before.
        let _ = self.stream.write_all(question);
        let mut reply = Vec::new();
        let mut some = [0; 4_096];
        while !is_enough(&reply) && reply.len() < wire::REPLY_BYTES_MAX {
            let left_ms = deadline_ms.saturating_sub(clock.monotonic_ms());
            let Some(left) = u64::try_from(left_ms).ok().filter(|left_ms| *left_ms > 0) else { break };
            if self.stream.set_read_timeout(Some(Duration::from_millis(left))).is_err() {
                break;
            }
            match self.stream.read(&mut some) {
                Ok(0) => {
                    self.is_closed = true;
                    break;
                }
                Ok(read) => reply.extend(some.iter().take(read)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_closed = !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                    break;
                }
            }
        }
        reply
    }
}
