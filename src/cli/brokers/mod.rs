//! Why no broker could be talked to: what answers at its address, and which setting is to be another.
//!
//! A client knows that a connection failed, and not what it was connected to. So once a command has failed, the address
//! is asked:
//!
//! ```text
//! probe   the address is asked: as a client of Kafka without TLS, then with the beginning of TLS, then as a web server
//! wire    what is sent, and what the bytes that come back mean                                                          pure
//! ```
//! What is told replaces the client's words only where it is known to be the cause.

mod probe;
mod wire;

use std::sync::mpsc;
use std::time::Duration;

use topology::clock::{Clock, SystemClock};

use wire::{Answer, Login};

/// For how long addresses are asked. One that takes connections and answers nothing is asked three things.
const PATIENCE_MS: i64 = 7_000;

/// How a command was told to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `HOST:PORT[,HOST:PORT..]`
    brokers: String,
    /// `security.protocol`, in capitals.
    protocol: String,
    /// `sasl.mechanism`.
    mechanism: String,
}

impl Settings {
    /// The settings of a connection with these properties of librdkafka.
    pub(crate) fn new(brokers: &str, properties: &[(String, String)]) -> Self {
        let property = |names: &[&str], default: &str| {
            let found = properties.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
            found.map_or(default, |(_, value)| value.as_str()).to_uppercase()
        };
        Self {
            brokers: brokers.to_owned(),
            protocol: property(&["security.protocol"], "PLAINTEXT"),
            mechanism: property(&["sasl.mechanism", "sasl.mechanisms"], "GSSAPI"),
        }
    }

    /// What is wrong about them, in words for the person who set them, where no broker could be talked to. `None`:
    /// nothing that is known. All addresses are asked at once, so it takes as long as one of them, and [`PATIENCE_MS`]
    /// at most.
    pub(crate) fn explain(&self) -> Option<String> {
        let (told_in, told) = mpsc::channel();
        for address in self.brokers.split(',').map(address) {
            let (settings, told_in) = (self.clone(), told_in.clone());
            // One that still waits for an answer ends with the process. The receiver may be gone by then.
            std::thread::spawn(move || {
                let _ = told_in.send(probe::ask(&address).and_then(|answer| settings.judge(&address, &answer)));
            });
        }
        drop(told_in);
        let clock = SystemClock::new();
        let deadline_ms = clock.monotonic_ms().saturating_add(PATIENCE_MS);
        loop {
            let left_ms = u64::try_from(deadline_ms.saturating_sub(clock.monotonic_ms())).ok()?;
            if let Some(fault) = told.recv_timeout(Duration::from_millis(left_ms)).ok()? {
                return Some(fault);
            }
        }
    }

    /// What an answer means to a client with these settings.
    fn judge(&self, address: &str, answer: &Answer) -> Option<String> {
        let (wants_tls, wants_login) = (self.protocol.ends_with("SSL"), self.protocol.starts_with("SASL"));
        let told = |what: String| Some(format!("{address} {what}"));
        match answer {
            Answer::Web(line) => told(format!(
                "is a web server, and no broker of Kafka (it says `{line}`): give the brokers' port with --brokers"
            )),
            Answer::Tls if !wants_tls => told(format!(
                "speaks TLS, and security.protocol is {}: set -X security.protocol=SSL, or SASL_SSL where the brokers ask for a name \
                 and a password; -X ssl.ca.location=FILE names the certificate to trust",
                self.protocol
            )),
            Answer::Silent => told(
                "takes connections and answers nothing: is it the port of a broker, and is that broker alive?".to_owned(),
            ),
            Answer::Closed => told(format!(
                "closes every connection without an answer, with security.protocol={}: is it the port of a broker? Its log may say \
                 why",
                self.protocol
            )),
            Answer::Other(beginning) => told(format!(
                "answers, and not as Kafka does (`{beginning}`): give the brokers' port with --brokers"
            )),
            Answer::Kafka { is_controller: true, .. } => told(
                "is the port of a controller, which serves no clients: give the port of a listener for clients with --brokers"
                    .to_owned(),
            ),
            Answer::Kafka { login, .. } if wants_tls => {
                let instead = if matches!(login, Login::Asked(_)) { "SASL_PLAINTEXT" } else { "PLAINTEXT" };
                told(format!(
                    "speaks Kafka without TLS, and security.protocol is {}: set -X security.protocol={instead}, or give the port that \
                     speaks TLS",
                    self.protocol
                ))
            }
            Answer::Kafka { login: Login::Asked(mechanisms), .. } if !wants_login => told(format!(
                "asks for a login (SASL), and security.protocol is {}: set -X security.protocol=SASL_PLAINTEXT, -X \
                 sasl.mechanism={}, -X sasl.username=NAME and the variable CAIRN_KAFKA_SASL_PASSWORD",
                self.protocol,
                mechanisms.join(" or ")
            )),
            Answer::Kafka { login: Login::Asked(mechanisms), .. } if !mechanisms.contains(&self.mechanism) => {
                told(format!(
                    "takes logins by {}, and sasl.mechanism is {}: set -X sasl.mechanism={}",
                    mechanisms.join(", "),
                    self.mechanism,
                    mechanisms.join(" or ")
                ))
            }
            Answer::Kafka { login: Login::None, .. } if wants_login => told(format!(
                "asks for no login (SASL), and security.protocol is {}: set -X security.protocol=PLAINTEXT, or give the port that asks \
                 for one",
                self.protocol
            )),
            Answer::Tls | Answer::Kafka { .. } => None,
        }
    }
}

/// `HOST:PORT` of a broker, as librdkafka reads it: a protocol may stand before it, and the port may be missing.
fn address(broker: &str) -> String {
    let broker = broker.trim();
    let broker = broker.split_once("://").map_or(broker, |(_, rest)| rest);
    let is_with_port = broker.rsplit_once(':').is_some_and(|(host, _)| !host.contains(':') || host.ends_with(']'));
    if is_with_port { broker.to_owned() } else { format!("{broker}:9092") }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn settings(brokers: &str, protocol: &str) -> Settings {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Settings::new(brokers, &[pair("security.protocol", protocol), pair("sasl.mechanism", "PLAIN")])
    }

    fn kafka(login: Login) -> Answer {
        Answer::Kafka { is_controller: false, login }
    }

    #[test]
    fn each_answer_names_the_setting_that_is_wrong_and_a_good_one_says_nothing() {
        let asked = || kafka(Login::Asked(vec!["SCRAM-SHA-256".to_owned()]));
        let plain = || kafka(Login::Asked(vec!["PLAIN".to_owned()]));
        for (protocol, answer, says) in [
            ("plaintext", Answer::Tls, Some("set -X security.protocol=SSL")),
            ("SASL_PLAINTEXT", Answer::Tls, Some("or SASL_SSL")),
            ("ssl", Answer::Tls, None),
            ("PLAINTEXT", Answer::Web("HTTP/1.1 400 Bad Request".to_owned()), Some("is a web server")),
            ("SSL", Answer::Silent, Some("answers nothing")),
            ("PLAINTEXT", Answer::Closed, Some("closes every connection")),
            ("PLAINTEXT", Answer::Other("SSH-2.0".to_owned()), Some("not as Kafka does (`SSH-2.0`)")),
            ("PLAINTEXT", Answer::Kafka { is_controller: true, login: Login::None }, Some("a controller")),
            ("PLAINTEXT", kafka(Login::None), None),
            ("PLAINTEXT", kafka(Login::Unknown), None),
            ("PLAINTEXT", asked(), Some("sasl.mechanism=SCRAM-SHA-256")),
            ("SSL", kafka(Login::None), Some("set -X security.protocol=PLAINTEXT")),
            ("SASL_SSL", asked(), Some("set -X security.protocol=SASL_PLAINTEXT")),
            ("SASL_PLAINTEXT", kafka(Login::None), Some("asks for no login (SASL)")),
            ("SASL_PLAINTEXT", asked(), Some("sasl.mechanism is PLAIN: set -X sasl.mechanism=SCRAM-SHA-256")),
            ("SASL_PLAINTEXT", plain(), None),
        ] {
            let told = settings("k:1", protocol).judge("k:1", &answer);
            match says {
                Some(says) => assert!(told.as_ref().is_some_and(|told| told.contains(says)), "{protocol}: {told:?}"),
                None => assert_eq!(told, None, "{protocol} {answer:?}"),
            }
        }
    }

    #[test]
    fn of_several_addresses_each_is_asked_and_one_that_answers_nothing_holds_up_no_other() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = TcpListener::bind("127.0.0.1:0").unwrap();
        let [first, last] = [&silent, &web].map(|listener| listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = web.accept().unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        let told = settings(&format!("127.0.0.1:1,{first},{last}"), "PLAINTEXT").explain().unwrap();
        assert!(told.contains(&format!("{last} is a web server")), "{told}");
        assert_eq!(settings("127.0.0.1:1", "PLAINTEXT").explain(), None, "nothing listens there");
    }

    #[test]
    fn addresses_are_those_that_librdkafka_would_take() {
        for (broker, expected) in [
            ("kafka", "kafka:9092"),
            (" SSL://kafka:9093 ", "kafka:9093"),
            ("[::1]:7", "[::1]:7"),
            ("[::1]", "[::1]:9092"),
        ] {
            assert_eq!(address(broker), expected);
        }
    }

    /// What a service is found to be, whose every connection is served by this.
    fn found(serve: impl Fn(&mut TcpStream) + Send + 'static) -> Option<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        // It ends with the process.
        std::thread::spawn(move || {
            let mut connections = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                serve(&mut stream);
                connections.push(stream);
            }
        });
        probe::ask(&address)
    }

    #[test]
    fn a_service_that_is_no_broker_is_told_by_what_it_answers() {
        let say = |what: &'static [u8]| {
            move |stream: &mut TcpStream| {
                let mut some = [0; 16];
                let _ = stream.read(&mut some);
                let _ = stream.write_all(what);
            }
        };
        assert_eq!(
            found(say(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
            Some(Answer::Web("HTTP/1.1 400 Bad Request".to_owned()))
        );
        assert_eq!(found(say(b"\x15\x03\x03\0\x02\x02\x28")), Some(Answer::Tls));
        assert_eq!(found(say(b"SSH-2.0-x\x1b[2J\r\n")), Some(Answer::Other("SSH-2.0-x\\x1b[2J\\r\\n".to_owned())));
        assert_eq!(found(|_| {}), Some(Answer::Silent));
        let close = |stream: &mut TcpStream| stream.shutdown(std::net::Shutdown::Both).unwrap();
        assert_eq!(found(close), Some(Answer::Closed));
    }

    #[test]
    fn a_service_that_waits_for_a_line_or_for_tls_is_asked_for_it() {
        // Answers a line, and nothing else.
        let web = found(|stream| {
            let mut bytes = [0; 64];
            let read = stream.read(&mut bytes).unwrap();
            if bytes[..read].contains(&b'\n') {
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
            }
        });
        assert_eq!(web, Some(Answer::Web("HTTP/1.0 200 OK".to_owned())));
        // Closes what does not begin as TLS does.
        let tls = found(|stream| {
            let mut bytes = [0; 64];
            let read = stream.read(&mut bytes).unwrap();
            if bytes[..read].starts_with(b"\x16\x03") {
                stream.write_all(b"\x16\x03\x03\0\x10").unwrap();
            } else {
                stream.shutdown(std::net::Shutdown::Both).unwrap();
            }
        });
        assert_eq!(tls, Some(Answer::Tls));
    }
}
