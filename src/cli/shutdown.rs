//! SIGTERM and SIGINT. Of a command that has something to finish the first asks for a clean end, the second ends the
//! process at once; any other command ends at the first. All take the signals themselves: the first process of a
//! container has no default action, and would be deaf to them.
//!
//! A command that has something to finish makes a [`Supervisor`] before anything else: from then on no signal ends the
//! process by itself, and none is lost. What blocks and leaves nothing half done is run as
//! [`Supervisor::interruptible`]; what has to be finished listens to [`Shutdown::asked`]. The work of other commands is
//! run as [`Supervisor::until_signal`].

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use super::error::{Error, Result};
use super::output::Stderr;

/// What comes sooner after the first is the same request: `timeout` and shells signal a process and its group.
const SAME_REQUEST: Duration = Duration::from_secs(1);

/// A thread that still works in a directory may make a file while it is being removed: it is removed again.
const REMOVE_TRIES: u32 = 20;
const REMOVE_PAUSE: Duration = Duration::from_millis(10);

/// The signals and the async runtime that waits for them, for as long as a command runs.
pub(crate) struct Supervisor {
    runtime: Runtime,
    shutdown: Shutdown,
}

impl Supervisor {
    /// Takes the signals over. The runtime waits for signals and states, all work is on threads of its own.
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::failed(format!("cannot start the async runtime: {error}")).caused_by(error))?;
        let shutdown = {
            let _on_the_runtime = runtime.enter();
            Shutdown::listen()?
        };
        Ok(Self { runtime, shutdown })
    }

    /// Removes a directory when the command ends, however a signal ends it.
    #[cfg(feature = "embedded")]
    pub(crate) fn remove_at_end(&mut self, directory: PathBuf) {
        self.shutdown.temporary = Some(directory);
    }

    /// Whether a signal has asked for the end.
    pub(crate) fn is_asked(&self) -> bool {
        self.shutdown.asked.is_some()
    }

    /// Does what blocks and leaves nothing half done. Asked to end meanwhile, the process ends here, with 0.
    pub(crate) fn interruptible<T: Send>(&mut self, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.unless_asked(|_| 0, || None, work)
    }

    /// Does the whole of a command that can be cut off anywhere. Asked to end meanwhile, the process ends here, with
    /// what a shell reports of a process that the signal ended: the command has not done what it was to do.
    /// `last_words` say how to go on, where what was done may be done twice.
    pub(crate) fn until_signal<T: Send>(
        &mut self,
        last_words: impl Fn() -> Option<String>,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T> {
        self.unless_asked(exit_code, last_words, work)
    }

    fn unless_asked<T: Send>(
        &mut self,
        code: fn(SignalKind) -> i32,
        last_words: impl Fn() -> Option<String>,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T> {
        let Self { runtime, shutdown } = self;
        std::thread::scope(|scope| {
            // Dropped with the thread, however that ends.
            let (ends, ended) = tokio::sync::oneshot::channel::<()>();
            let worker = scope.spawn(move || {
                let _ends = ends;
                work()
            });
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    request = shutdown.asked() => {
                        match last_words() {
                            Some(words) => Stderr.line(&format!("error: {request}: {words}")),
                            None => tracing::info!("{request}: stopped"),
                        }
                        shutdown.end(code(request.kind));
                    }
                }
            });
            worker.join().map_err(|_| Error::failed("a thread of the command panicked"))
        })
    }

    /// Waits for something that listens to the signals itself.
    pub(crate) fn wait<T>(&mut self, work: impl AsyncFnOnce(&mut Shutdown) -> T) -> T {
        let Self { runtime, shutdown } = self;
        runtime.block_on(work(shutdown))
    }
}

/// A request to end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    name: &'static str,
    kind: SignalKind,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Waits for the signals that end a process.
pub(crate) struct Shutdown {
    terminate: Signal,
    interrupt: Signal,
    /// When a clean end was asked for.
    asked: Option<Instant>,
    /// Removed at the end.
    temporary: Option<PathBuf>,
}

impl Shutdown {
    /// Must be called on the async runtime.
    fn listen() -> Result<Self> {
        let take = |kind| {
            signal(kind).map_err(|error| Error::failed(format!("cannot listen for signals: {error}")).caused_by(error))
        };
        let (terminate, interrupt) = (take(SignalKind::terminate())?, take(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, asked: None, temporary: None })
    }

    /// Returns when a clean end is asked for, once. When asked again, the process ends here.
    pub(crate) async fn asked(&mut self) -> Request {
        loop {
            let request = tokio::select! {
                _ = self.terminate.recv() => Request { name: "SIGTERM", kind: SignalKind::terminate() },
                _ = self.interrupt.recv() => Request { name: "SIGINT", kind: SignalKind::interrupt() },
            };
            let Some(asked) = self.asked else {
                self.asked = Some(Instant::now());
                return request;
            };
            if is_another_request(asked.elapsed()) {
                tracing::warn!(
                    "{request} again: ending at once; what was not committed is done again at the next start"
                );
                self.end(exit_code(request.kind));
            }
        }
    }

    /// Ends the process. Threads that still work are cut off, as by SIGKILL: the caller has made sure that it does
    /// no harm.
    fn end(&mut self, code: i32) -> ! {
        self.remove_temporary();
        std::process::exit(code)
    }

    fn remove_temporary(&mut self) {
        let Some(directory) = self.temporary.take() else { return };
        let mut tries = 0;
        while let Err(error) = std::fs::remove_dir_all(&directory) {
            tries += 1;
            if error.kind() == ErrorKind::NotFound {
                return;
            }
            if tries >= REMOVE_TRIES {
                tracing::warn!("cannot remove {}: {error}", directory.display());
                return;
            }
            std::thread::sleep(REMOVE_PAUSE);
        }
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.remove_temporary();
    }
}

/// Whether a signal that came so long after the first asks for more than the first did.
fn is_another_request(since_the_first: Duration) -> bool {
    since_the_first >= SAME_REQUEST
}

/// What a shell reports of a process that the signal ended.
fn exit_code(kind: SignalKind) -> i32 {
    128 + kind.as_raw_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_signal_ends_with_its_own_code_unless_it_comes_with_the_first() {
        assert_eq!((exit_code(SignalKind::terminate()), exit_code(SignalKind::interrupt())), (143, 130));
        assert!(!is_another_request(Duration::from_millis(300)) && is_another_request(Duration::from_secs(2)));
    }

    #[test]
    fn a_temporary_directory_is_gone_when_the_command_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("file"), "x").unwrap();
        let mut supervisor = Supervisor::new().unwrap();
        supervisor.remove_at_end(path.clone());
        assert!(path.exists());
        drop(supervisor);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_interruptible_gives_its_result_and_a_panic_in_it_is_an_error() {
        let mut supervisor = Supervisor::new().unwrap();
        assert_eq!(supervisor.interruptible(|| 7).unwrap(), 7);
        let error = supervisor.interruptible(|| panic!("as the test wants it")).map(|(): ()| ()).unwrap_err();
        assert!(error.to_string().contains("panicked"), "{error}");
    }
}
