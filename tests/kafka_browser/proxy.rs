//! A proxy between the page and its server that alters one byte of an answer, as a server could that lies, or a wire.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::chromium::locked;

/// Which answers are altered, and where: in those to paths that begin like this, the first digit behind this text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Alteration {
    pub(crate) path: &'static str,
    pub(crate) behind: &'static str,
}

#[derive(Default)]
struct Shared {
    alteration: Mutex<Option<Alteration>>,
    altered_count: AtomicUsize,
}

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Passes on what this server says, as it is. Its threads end with the tests.
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_thread);
                // A page that has gone, or a server: no one is left to be told.
                std::thread::spawn(move || drop(pass(stream, server, &shared)));
            }
        });
        Self { address, shared }
    }

    /// From here on it alters this, or nothing.
    pub(crate) fn alter(&self, alteration: Option<Alteration>) {
        *locked(&self.shared.alteration) = alteration;
        self.shared.altered_count.store(0, Ordering::Relaxed);
    }

    /// How many answers it has altered since it was told to.
    pub(crate) fn altered_count(&self) -> usize {
        self.shared.altered_count.load(Ordering::Relaxed)
    }
}

/// One request, and its answer.
fn pass(mut page: TcpStream, server: SocketAddr, shared: &Shared) -> std::io::Result<()> {
    let (mut head, mut reader) = (String::new(), BufReader::new(page.try_clone()?));
    while reader.read_line(&mut head)? > 2 {}
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    // Then each answer ends where its connection ends.
    let head = head.replace("Connection: keep-alive\r\n", "Connection: close\r\n");
    let mut upstream = TcpStream::connect(server)?;
    upstream.write_all(head.as_bytes())?;
    let alteration = locked(&shared.alteration).filter(|alteration| path.starts_with(alteration.path));
    let Some(alteration) = alteration else {
        std::io::copy(&mut upstream, &mut page)?;
        return Ok(());
    };
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    if let Some(at) = place(&answer, alteration.behind.as_bytes()) {
        answer[at] = if answer[at] == b'7' { b'3' } else { b'7' };
        shared.altered_count.fetch_add(1, Ordering::Relaxed);
    }
    page.write_all(&answer)
}

/// Where the first digit stands behind a text in the body.
fn place(answer: &[u8], behind: &[u8]) -> Option<usize> {
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let found = answer[body..].windows(behind.len()).position(|window| window == behind)?;
    let from = body + found + behind.len();
    Some(from + answer[from..].iter().position(u8::is_ascii_digit)?)
}
