//! A socket whose reader may stop reading.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// So long a peer may take nothing of what there is for it.
const STALLED: Duration = Duration::from_secs(15);

/// A stream that ends with an error when its peer takes nothing for [`STALLED`]. Waiting for a request is not its
/// business: the HTTP codec limits that.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Runs while something waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, patience: STALLED, stalled: None }
    }

    /// What came of a write: one that has waited too long has failed.
    fn judge<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(self.patience)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer has stopped reading")))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const SIZE_BYTES: usize = 32 << 20;

    /// Writes to a peer that reads with these pauses, or not at all.
    fn write(patience: Duration, pause: Option<Duration>) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let reader = pause.map(|pause| {
            let mut peer = peer.try_clone().unwrap();
            std::thread::spawn(move || {
                let mut taken = vec![0; SIZE_BYTES / 8];
                (0..8).for_each(|_| {
                    std::thread::sleep(pause);
                    peer.read_exact(&mut taken).unwrap();
                });
            })
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let written = runtime.block_on(async {
            let mut stream = Patient { patience, ..Patient::new(tokio::net::TcpStream::from_std(stream).unwrap()) };
            let (bytes, mut sent) = (vec![7; 1 << 20], 0);
            while sent < SIZE_BYTES {
                let end = bytes.len().min(SIZE_BYTES - sent);
                let write = |context: &mut Context<'_>| Pin::new(&mut stream).poll_write(context, &bytes[..end]);
                sent += std::future::poll_fn(write).await?;
            }
            Ok(())
        });
        reader.into_iter().for_each(|reader| reader.join().unwrap());
        // Until here it was open.
        drop(peer);
        written
    }

    #[test]
    fn a_peer_that_has_stopped_reading_ends_the_connection() {
        let error = write(Duration::from_millis(50), None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_peer_that_reads_now_and_then_is_waited_for() {
        write(Duration::from_secs(60), Some(Duration::from_millis(20))).unwrap();
    }
}
