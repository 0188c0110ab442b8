//! The checker that knows the encoding and the rules from their description alone.

use std::io::Write;
use std::process::{Command, Stdio};

use super::Record;

/// `tests/checker/check.py` must find the blocks in these records intact.
pub(crate) fn check_with_the_stranger(records: &[Record], options: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/checker/check.py");
    let mut command = Command::new("python3");
    command.arg(script).args(options).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines: String = records.iter().map(|record| format!("{}\t{}\n", record.key, record.value)).collect();
    // Closed early, the pipe fails; then the checker says why.
    let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
