//! Who asks: all of them on one thread of the driver's, each on a connection and from a loopback address of its own,
//! because the server's limits are of an address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ledger::name;
use crate::error::{Doing, Error, Result};
use crate::input::Generator;
use crate::process::now;

/// A client that is not answered in this time has no answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before a client whose connection broke comes back.
const COMES_BACK: Duration = Duration::from_millis(100);
/// What the server has a client wait that it cannot answer now.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A slow reader takes so many bytes, so often.
const SLOW_BYTES: usize = 256;
const SLOW_EVERY: Duration = Duration::from_millis(500);
/// What the kernel may take for a slow reader: little, so that the server sees how slow it is.
const SLOW_BUFFER_BYTES: u32 = 4_096;

/// How many ask. `clients` and `provers` are measured.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Crowd {
    /// Who ask for accounts.
    pub(super) clients: u32,
    /// Who ask for proofs.
    pub(super) provers: u32,
    pub(super) slow: u32,
    pub(super) half_open: u32,
}

/// What there is to ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) accounts: u32,
    /// Records that are in blocks.
    pub(super) sealed: u64,
}

/// What clients got while it was measured.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of each answer with status 200, ascending at the end.
    pub(super) latencies_us: Vec<u32>,
    /// Answers with another status.
    pub(super) refused: u64,
    /// Requests without an answer.
    pub(super) broken: u64,
}

impl Tally {
    /// The latency that this share of the answers had at most, us.
    pub(super) fn latency_us(&self, share: f64) -> f64 {
        let last = self.latencies_us.len().saturating_sub(1);
        self.latencies_us.get((last as f64 * share).round() as usize).map_or(f64::NAN, |latency| f64::from(*latency))
    }

    fn add(&mut self, other: Tally) {
        self.latencies_us.extend(other.latencies_us);
        self.refused += other.refused;
        self.broken += other.broken;
    }
}

#[derive(Debug, Default)]
struct Orders {
    must_stop: AtomicBool,
    is_measuring: AtomicBool,
}

/// Clients that ask.
pub(super) struct Clients {
    orders: Arc<Orders>,
    thread: JoinHandle<Result<Tally>>,
}

impl Clients {
    /// Has them begin.
    pub(super) fn start(server: SocketAddr, crowd: Crowd, known: Known, pause: Duration) -> Result<Self> {
        let orders = Arc::new(Orders::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().doing("starting clients")?;
        let of_them = Arc::clone(&orders);
        let thread = std::thread::spawn(move || runtime.block_on(all(server, crowd, known, pause, of_them)));
        Ok(Self { orders, thread })
    }

    /// From here on it counts.
    pub(super) fn measure(&self) {
        self.orders.is_measuring.store(true, Ordering::Relaxed);
    }

    /// Ends them.
    pub(super) fn end(self) -> Result<Tally> {
        self.orders.must_stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(Error::new("a client panicked")))
    }
}

async fn all(server: SocketAddr, crowd: Crowd, known: Known, pause: Duration, orders: Arc<Orders>) -> Result<Tally> {
    let mut bad: JoinSet<()> = JoinSet::new();
    let addresses = |from: u32, count: u32| (from..from + count).map(|number| Ipv4Addr::from(0x7f01_0001 + number));
    for own in addresses(1_000, crowd.slow) {
        bad.spawn(slow(server, own));
    }
    for own in addresses(2_000, crowd.half_open) {
        bad.spawn(half_open(server, own));
    }
    let mut clients: JoinSet<Tally> = JoinSet::new();
    for own in addresses(0, crowd.clients) {
        let asked = Asked::Accounts(Generator::new(u32::from(own).into(), known.accounts));
        clients.spawn(ask_on(server, own, asked, pause, Arc::clone(&orders)));
    }
    for own in addresses(3_000, crowd.provers) {
        let asked = Asked::Proofs(Generator::new(u32::from(own).into(), known.accounts), known.sealed);
        clients.spawn(ask_on(server, own, asked, pause, Arc::clone(&orders)));
    }
    let mut tally = Tally::default();
    while let Some(of_one) = clients.join_next().await {
        tally.add(of_one.doing("asking")?);
    }
    tally.latencies_us.sort_unstable();
    Ok(tally)
}

/// What one of them asks for, again and again.
enum Asked {
    Accounts(Generator),
    /// Of balances and of so many records, in turn.
    Proofs(Generator, u64),
}

impl Asked {
    fn path(&mut self) -> String {
        match self {
            Self::Accounts(generator) => format!("/v1/accounts/{}", name(generator.key_number())),
            Self::Proofs(generator, sealed) => match generator.key_number() {
                number if number % 2 == 0 => format!("/v1/proofs/balance/{}", name(number)),
                number => format!("/v1/proofs/transaction/0/{}", u64::from(number) % (*sealed).max(1)),
            },
        }
    }
}

/// One that asks for one thing after the other, and waits a moment after each.
async fn ask_on(server: SocketAddr, own: Ipv4Addr, mut asked: Asked, pause: Duration, orders: Arc<Orders>) -> Tally {
    let mut tally = Tally::default();
    let mut connection: Option<TcpStream> = None;
    // They do not all ask in the same moment.
    sleep(pause * (u32::from(own) % 100) / 100).await;
    while !orders.must_stop.load(Ordering::Relaxed) {
        let is_measured = orders.is_measuring.load(Ordering::Relaxed);
        let path = asked.path();
        let begun = now();
        let answered = timeout(PATIENCE, async {
            let stream = match connection.take() {
                Some(stream) => stream,
                None => connect(server, own, None).await?,
            };
            send(&stream, format!("GET {path} HTTP/1.1\r\nhost: {server}\r\n\r\n").as_bytes()).await?;
            let status = receive(&stream).await?;
            connection = Some(stream);
            io::Result::Ok(status)
        });
        let answered = answered.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if is_measured {
            match &answered {
                Ok(200) => {
                    tally.latencies_us.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
                Ok(_) => tally.refused += 1,
                Err(_) => tally.broken += 1,
            }
        }
        sleep(match answered {
            Ok(429 | 503) => RETRY_AFTER,
            Ok(_) => pause,
            Err(_) => COMES_BACK,
        })
        .await;
    }
    tally
}

/// One that asks for a whole block and takes it a few bytes at a time, for ever.
async fn slow(server: SocketAddr, own: Ipv4Addr) {
    let mut buffer = [0; SLOW_BYTES];
    loop {
        if let Ok(stream) = connect(server, own, Some(SLOW_BUFFER_BYTES)).await {
            let request = format!("GET /v1/blocks/latest HTTP/1.1\r\nhost: {server}\r\n\r\n");
            let mut taken = send(&stream, request.as_bytes()).await.map(|()| 1);
            while matches!(taken, Ok(1..)) {
                sleep(SLOW_EVERY).await;
                taken = read(&stream, &mut buffer).await;
            }
        }
        sleep(COMES_BACK).await;
    }
}

/// One that sends half a request and waits, for ever.
async fn half_open(server: SocketAddr, own: Ipv4Addr) {
    loop {
        if let Ok(stream) = connect(server, own, None).await
            && send(&stream, b"GET /v1/accounts/acct-0000").await.is_ok()
        {
            // Until it is let go.
            while matches!(read(&stream, &mut [0; 512]).await, Ok(1..)) {}
        }
        sleep(COMES_BACK).await;
    }
}

async fn connect(server: SocketAddr, own: Ipv4Addr, buffer_bytes: Option<u32>) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((own, 0).into())?;
    buffer_bytes.map_or(Ok(()), |bytes| socket.set_recv_buffer_size(bytes))?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn send(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// What has come; nothing at the end.
async fn read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            done => return done,
        }
    }
}

/// Reads one answer to its end; its status.
async fn receive(stream: &TcpStream) -> io::Result<u16> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8_192]);
    loop {
        match read(stream, &mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
        if let Some((status, size)) = head(&bytes).ok_or(io::ErrorKind::InvalidData)?
            && bytes.len() >= size
        {
            return Ok(status);
        }
    }
}

/// The status of an answer and its whole size, once its head is there; `None` where it is none that this client reads.
#[allow(clippy::option_option, reason = "not yet is another thing than never")]
fn head(bytes: &[u8]) -> Option<Option<(u16, usize)>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Some(None) };
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let mut lines = text.lines().filter_map(|line| line.split_once(": "));
    let size: usize = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?.1.parse().ok()?;
    Some(Some((status, end + 4 + size)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_body_has_come() {
        assert_eq!(head(b"HTTP/1.1 200 OK\r\ncontent-le"), Some(None));
        assert_eq!(head(b"HTTP/1.1 429 Too Many\r\nContent-Length: 3\r\n\r\nab"), Some(Some((429, 47))));
        assert_eq!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"), None);
    }

    #[test]
    fn a_share_of_latencies_is_the_one_at_its_place() {
        let tally = Tally { latencies_us: (1..=101).collect(), ..Tally::default() };
        assert_eq!((tally.latency_us(0.5), tally.latency_us(0.99), tally.latency_us(1.0)), (51.0, 100.0, 101.0));
        assert!(Tally::default().latency_us(0.5).is_nan());
    }
}
