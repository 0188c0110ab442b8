//! What is said of a submission: while it runs, and at its end.

use std::time::Duration;

use indicatif::ProgressBar;

use super::super::error::{Exit, Result};
use super::super::output::{Stderr, counted, grouped, per_second};
use super::super::progress;
use super::super::shell::Shell;
use super::delivery::Delivered;
use super::lines::{Bad, Preparation};
use crate::config::genesis;

/// How many bad lines are told one by one.
const TOLD_MAX: usize = 10;

/// What checking found.
#[derive(Default)]
pub(super) struct Checked {
    line_count: u64,
    bad_count: u64,
    /// The first of them.
    bad: Vec<Bad>,
}

impl Checked {
    /// Adds lines, and those of them that are bad.
    pub(super) fn add(&mut self, line_count: usize, bad: impl Iterator<Item = Bad>) {
        self.line_count += line_count as u64;
        for bad in bad {
            self.bad_count += 1;
            if self.bad.len() < TOLD_MAX {
                self.bad.push(bad);
            }
        }
    }

    /// Tells bad lines on stderr; whether there are any.
    pub(super) fn report(&self) -> bool {
        for bad in &self.bad {
            Stderr.line(&bad.to_string());
        }
        if self.bad_count > self.bad.len() as u64 {
            Stderr.line(&format!("... and {} more", grouped(self.bad_count - self.bad.len() as u64)));
        }
        self.bad_count > 0
    }
}

/// Of `--check`.
pub(super) fn check(shell: &Shell, checked: &Checked, preparation: &Preparation) -> Result<Exit> {
    let is_bad = checked.report();
    let (lines, bad) = (checked.line_count, checked.bad_count);
    if shell.json {
        shell.print(&serde_json::json!({ "lines": lines, "unreadable": bad }).to_string())?;
    } else {
        let what = match preparation {
            Preparation::AsWritten(_) => "no transactions",
            Preparation::Signed(_) => "not to be signed",
        };
        shell.print(&format!("{}, {} of them {what}", counted(lines, "line"), grouped(bad)))?;
    }
    Ok(if is_bad { Exit::Usage } else { Exit::Done })
}

/// A bar on a terminal; hidden elsewhere.
pub(super) fn progress_bar(size_bytes: Option<u64>) -> ProgressBar {
    let (bar, template) = match size_bytes {
        Some(size) => (ProgressBar::new(size), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
        None => (ProgressBar::no_length(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    let bar = progress::styled(bar, template);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// At the end. `is_named`: lines that arrived before, under the same name, were not sent.
pub(super) fn tell(
    shell: &Shell,
    report: &Delivered,
    preparation: &Preparation,
    is_named: bool,
    took_ms: i64,
) -> Result<()> {
    let seconds = took_ms as f64 / 1_000.0;
    let rate = per_second(report.record_count, took_ms);
    let signer = if let Preparation::Signed(signer) = preparation { Some(signer) } else { None };
    let chain = signer.and_then(|signer| signer.chain());
    if shell.json {
        let line = serde_json::json!({
            "sent": report.record_count,
            "bytes": report.size_bytes,
            "unreadable": report.unreadable_count,
            "skipped": report.skipped_line_count,
            "repeated_transactions": report.repeat_count,
            "submission": report.submission,
            "seconds": seconds,
            "records_per_second": rate,
            "account": signer.map(|signer| signer.name().as_str()),
            "valid_until": report.valid_until,
            "chain_id": chain.map(|chain| &chain.chain_id),
            "genesis_hash": chain.map(|chain| chain.genesis),
            "anchored": chain.map(|chain| chain.is_pinned),
        });
        return shell.print(&line.to_string());
    }
    let (sent, size) = (counted(report.record_count, "record"), counted(report.size_bytes, "byte"));
    let mut text = format!("sent {sent}, {size} in {seconds:.1} s");
    text += &rate.map(|rate| format!(" ({}/s)", grouped(rate))).unwrap_or_default();
    if report.unreadable_count > 0 {
        text += &format!("; {} of them are no transactions", grouped(report.unreadable_count));
    }
    if report.skipped_line_count > 0 {
        text += &format!("; {} had arrived before", counted(report.skipped_line_count, "line"));
    }
    if report.record_count > 0 {
        text += "\nsent is not applied: the receipts in the blocks decide (cairn blocks)";
    }
    if let (Some(signer), Some(chain)) = (signer, chain) {
        let pin = if chain.is_pinned { "" } else { "; unanchored: pin it with --genesis-hash" };
        let genesis = genesis::short(&chain.genesis);
        text += &format!("\nsigned as {}\nfor the chain {} (genesis {genesis}{pin})", signer.name(), chain.chain_id);
        if let Some(height) = report.valid_until {
            text += &format!("\nvalid until active height {}", grouped(height));
        }
        if !is_named {
            text +=
                "\nthe same lines sent before are not paid again; to pay them again, give another --submission name";
        }
    }
    shell.print(&text)
}
