//! The bytes of a probe: a few requests of Kafka's protocol, and what comes back.
//!
//! <https://kafka.apache.org/protocol>: a request is its size, key, version, a number that the answer repeats, the
//! client's name, and a body; an answer is its size, that number and a body. Numbers are big-endian.

/// An answer that is longer is none that is understood here.
pub(super) const REPLY_BYTES_MAX: usize = 64 << 10;

/// The number that the answer repeats.
const NUMBER: [u8; 4] = *b"carn";

const METADATA: u16 = 3;
const SASL_HANDSHAKE: u16 = 17;
const API_VERSIONS: u16 = 18;

/// The answer to a handshake by a mechanism that is none: where no login is asked for, and where one is.
const ILLEGAL_SASL_STATE: u16 = 34;
const UNSUPPORTED_SASL_MECHANISM: u16 = 33;

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A listener of Kafka without TLS.
    Kafka {
        /// Whether it is one for brokers alone.
        is_controller: bool,
        /// Whether it asks who a client is.
        login: Login,
    },
    /// Something that speaks TLS.
    Tls,
    /// A web server; the first line that it said.
    Web(String),
    /// Something that takes connections, and says nothing.
    Silent,
    /// Something that closes connections, and says nothing.
    Closed,
    /// Something else; the beginning of what it said.
    Other(String),
}

/// Whether a listener asks for a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// It takes none.
    None,
    /// By one of these mechanisms.
    Asked(Vec<String>),
    /// It did not say.
    Unknown,
}

/// What the answer to a first request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It was understood, and more can be asked.
    Kafka {
        /// Whether it serves no clients.
        is_controller: bool,
    },
    /// It is something else.
    Is(Answer),
    /// There was none.
    Nothing,
}

/// Asks which requests are understood. Every listener answers that, before any login.
pub(super) fn api_versions() -> Vec<u8> {
    request(API_VERSIONS, 0, &[])
}

/// Asks for a login by a mechanism that is none, so that nothing is begun: the answer names those that there are.
pub(super) fn sasl_handshake() -> Vec<u8> {
    request(SASL_HANDSHAKE, 1, b"\0\x01?")
}

fn request(key: u16, version: u16, body: &[u8]) -> Vec<u8> {
    let client = b"cairn";
    let head = [&key.to_be_bytes()[..], &version.to_be_bytes(), &NUMBER, &(client.len() as u16).to_be_bytes(), client];
    let request = [&head.concat()[..], body].concat();
    [&(request.len() as u32).to_be_bytes()[..], &request].concat()
}

/// The beginning of TLS 1.2, with the ciphers that any server has one of.
pub(super) fn client_hello() -> Vec<u8> {
    let ciphers = [0xc02f_u16, 0xc030, 0xc02b, 0xc02c, 0x009c, 0x002f].map(u16::to_be_bytes).concat();
    let body =
        [&b"\x03\x03"[..], &[0x5a; 32], b"\0", &(ciphers.len() as u16).to_be_bytes(), &ciphers, b"\x01\0"].concat();
    let length = |length: usize, size_bytes: usize| (length as u32).to_be_bytes()[4 - size_bytes..].to_vec();
    let handshake = [&b"\x01"[..], &length(body.len(), 3), &body].concat();
    [&b"\x16\x03\x01"[..], &length(handshake.len(), 2), &handshake].concat()
}

/// Whether all of an answer is there, or it is none of Kafka's.
pub(super) fn is_whole(reply: &[u8]) -> bool {
    match size(reply) {
        Some(size) if size <= REPLY_BYTES_MAX - 4 => reply.len() >= 4 + size,
        Some(_) => reply.contains(&b'\n') || reply.len() >= 64 || matches!(reply, [0x15 | 0x16, 3, ..]),
        None => false,
    }
}

fn size(reply: &[u8]) -> Option<usize> {
    reply.first_chunk().map(|size| u32::from_be_bytes(*size) as usize)
}

/// What was answered to any of the questions.
pub(super) fn meaning(reply: &[u8]) -> Meaning {
    match reply {
        [] => Meaning::Nothing,
        // A handshake, or an alert.
        [0x15 | 0x16, 3, ..] => Meaning::Is(Answer::Tls),
        _ if reply.starts_with(b"HTTP/") => Meaning::Is(Answer::Web(beginning(first_line(reply)))),
        _ => match keys(reply) {
            Some(keys) => Meaning::Kafka { is_controller: !keys.contains(&METADATA) },
            None => Meaning::Is(Answer::Other(beginning(reply))),
        },
    }
}

/// The body of an answer of Kafka's.
fn body(reply: &[u8]) -> Option<&[u8]> {
    let whole = reply.get(4..4 + size(reply).filter(|size| *size <= REPLY_BYTES_MAX)?)?;
    whole.strip_prefix(&NUMBER)
}

/// The requests that are understood.
fn keys(reply: &[u8]) -> Option<Vec<u16>> {
    // The error, and how many follow: each a key, its first and its last version.
    let ([0, 0, count @ ..], entries) = body(reply)?.split_first_chunk::<6>()? else { return None };
    let keys: Vec<u16> = entries.chunks_exact(6).map(|entry| u16::from_be_bytes([entry[0], entry[1]])).collect();
    (keys.len() == u32::from_be_bytes(*count) as usize).then_some(keys)
}

/// What a listener answered to [`sasl_handshake`].
pub(super) fn login(reply: &[u8]) -> Login {
    let read = || {
        let (error, rest) = body(reply)?.split_first_chunk()?;
        match u16::from_be_bytes(*error) {
            ILLEGAL_SASL_STATE => Some(Login::None),
            UNSUPPORTED_SASL_MECHANISM => {
                let (count, mut rest) = rest.split_first_chunk()?;
                let mut mechanisms = Vec::new();
                for _ in 0..u32::from_be_bytes(*count) {
                    let (length, behind) = rest.split_first_chunk()?;
                    let (name, behind) = behind.split_at_checked(u16::from_be_bytes(*length).into())?;
                    mechanisms.push(beginning(name));
                    rest = behind;
                }
                Some(Login::Asked(mechanisms))
            }
            _ => None,
        }
    };
    read().unwrap_or(Login::Unknown)
}

fn first_line(reply: &[u8]) -> &[u8] {
    reply.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default()
}

/// The first bytes, as they can be shown.
fn beginning(bytes: &[u8]) -> String {
    const SHOWN_BYTES_MAX: usize = 40;
    bytes.iter().take(SHOWN_BYTES_MAX).copied().collect::<Vec<u8>>().escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(body: &[u8]) -> Vec<u8> {
        let whole = [&NUMBER[..], body].concat();
        [&(whole.len() as u32).to_be_bytes()[..], &whole].concat()
    }

    #[test]
    fn requests_are_those_of_the_protocol() {
        assert_eq!(api_versions(), b"\0\0\0\x0f\0\x12\0\0carn\0\x05cairn");
        assert_eq!(sasl_handshake(), b"\0\0\0\x12\0\x11\0\x01carn\0\x05cairn\0\x01?");
        let hello = client_hello();
        assert_eq!(hello.len(), 5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])));
    }

    #[test]
    fn a_listener_is_told_by_the_requests_that_it_understands() {
        let broker = reply(b"\0\0\0\0\0\x02\0\x12\0\0\0\x04\0\x03\0\0\0\x0d");
        assert_eq!(meaning(&broker), Meaning::Kafka { is_controller: false });
        let controller = reply(b"\0\0\0\0\0\x02\0\x12\0\0\0\x04\0\x34\0\0\0\x02");
        assert_eq!(meaning(&controller), Meaning::Kafka { is_controller: true });
        for length in 0..broker.len() {
            assert!(!is_whole(&broker[..length]), "{length}");
            assert!(!matches!(meaning(&broker[..length]), Meaning::Kafka { .. }), "{length}");
        }
        assert!(is_whole(&broker));
    }

    #[test]
    fn a_login_is_told_by_the_answer_to_one_that_is_none() {
        assert_eq!(login(&reply(b"\0\x22\0\0\0\0")), Login::None);
        let two = reply(b"\0\x21\0\0\0\x02\0\x05PLAIN\0\x0dSCRAM-SHA-256");
        assert_eq!(login(&two), Login::Asked(vec!["PLAIN".to_owned(), "SCRAM-SHA-256".to_owned()]));
        for other in [&b""[..], &reply(b"\0\0"), &two[..two.len() - 1], &reply(b"\0\x21\xff\xff\xff\xff")] {
            assert_eq!(login(other), Login::Unknown);
        }
    }
}
