//! A child process whose output goes to files, and that ends with the test.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Nothing here takes that long; something that does hangs.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// How a process ended, and what it said.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(crate) fn start(command: &mut Command, directory: &Path) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = |name: &str| directory.join(format!("{number:04}-{name}"));
        let (stdout, stderr) = (file("stdout"), file("stderr"));
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        Self { child: command.spawn().unwrap(), stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) -> Finished {
        self.child.kill().unwrap();
        self.wait()
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        test_cluster::process::terminate(self.child.id()).unwrap();
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Finished {
        let status = self.until_ended();
        Finished { status, stdout: text(&self.stdout), stderr: self.stderr() }
    }

    /// As [`Process::wait`], where it is still needed.
    pub(crate) fn until_ended(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "still running:\n{}", self.stderr());
            std::thread::sleep(PAUSE);
        }
    }

    /// What it has written to its standard output so far.
    pub(crate) fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// What it has written to its standard error so far.
    pub(crate) fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Waits until it logs a message.
    pub(crate) fn until_logged(&mut self, message: &str) {
        let wanted = format!("\"message\":\"{message}\"");
        self.until(message, |process| process.stderr().contains(&wanted));
    }

    /// Waits for something that happens while it runs.
    pub(crate) fn until(&mut self, what: &str, happened: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !happened(self) {
            assert!(self.is_running(), "ended before: {what}\n{}", self.stderr());
            assert!(start.elapsed() < PATIENCE, "never: {what}\n{}", self.stderr());
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// Its only line that is no log line: an error, and it failed.
    pub(crate) fn refusal(&self) -> &str {
        assert!(self.status.code().is_some_and(|code| code != 0), "{self}");
        let said: Vec<&str> = self.stderr.lines().filter(|line| !line.starts_with('{')).collect();
        let [line] = said[..] else { panic!("not one line: {self}") };
        assert!(line.starts_with("error: "), "{line}");
        line
    }

    /// Its log lines with this message. A killed process may leave half a line, which is none.
    pub(crate) fn logged(&self, message: &str) -> Vec<Value> {
        let lines = self.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["message"] == message).collect()
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}{}", self.status, self.stdout, self.stderr)
    }
}

fn text(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}
