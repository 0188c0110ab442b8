//! Requests of HTTP, as far as a server in a test needs to read them.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Method, target, version.
    pub(crate) first_line: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The first one on a connection, to its end.
    pub(crate) fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut request = Self::default();
        reader.read_line(&mut request.first_line)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            match line.trim().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    request.body = vec![0; value.parse().unwrap()];
                }
                Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                    request.authorization = Some(value.to_owned());
                }
                Some(_) => {}
                None => break,
            }
        }
        reader.read_exact(&mut request.body)?;
        Ok(request)
    }
}
