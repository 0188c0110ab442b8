//! Coming back, after a run that has counted everything.
//!
//! One more record is written; then the process starts. How long it takes until that record is counted and committed is
//! what an operator waits for: start, group, restore, first commit, all of it, by the same rule for every subject.
//!
//! ```text
//!   restart   the store is where it was left     what a start costs without a restore
//!   restore   the state directory is empty       the store comes from its changelog
//! ```
//! A store in memory is restored at every start, and has no restart.

use super::Setup;
use super::figure::{Figure, Figures};
use super::progress::{Progress, Sample};
use crate::error::{Doing, Result};
use crate::subject::{Run, Store, Subject};

pub(super) fn measure(setup: &mut Setup<'_>, subject: &Subject, run: &Run, figures: &mut Figures) -> Result<()> {
    if subject.store == Store::Disk {
        let (restart_s, _) = come_back(setup, subject, run)?;
        figures.insert(Figure::Restart, restart_s);
    }
    let changelog_records =
        setup.cluster.observer(&run.application)?.end(&run.changelog(), subject.shape.partitions)?;
    std::fs::remove_dir_all(&run.state_directory).doing("deleting the store")?;
    std::fs::create_dir_all(&run.state_directory).doing("creating a state directory")?;
    let (restore_s, end) = come_back(setup, subject, run)?;
    figures.insert(Figure::Restore, restore_s);
    if let Some(records) = changelog_records.filter(|records| *records > 0) {
        figures.insert(Figure::RestoreRate, records as f64 / restore_s);
        figures.insert(Figure::RestoreCpu, end.cpu_s * 1e6 / records as f64);
    }
    Ok(())
}

/// From the start of the process to the commit of one record, s; and everything at that moment.
fn come_back(setup: &mut Setup<'_>, subject: &Subject, run: &Run) -> Result<(f64, Sample)> {
    let before = setup.input(subject).keys.len() as u64;
    setup.append(subject)?;
    let process = setup.start(subject, run)?;
    let started = process.started;
    let mut progress = Progress::new(setup.cluster, process, run, subject.shape.partitions)?;
    let back = progress.until_beyond(before)?;
    let sample = progress.sample()?;
    progress.process.end()?;
    Ok(((back - started).as_secs_f64(), sample))
}
