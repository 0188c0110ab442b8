//! Counting what is there, as fast as it goes.

use std::time::Duration;

use rdkafka::Message;

use super::Setup;
use super::figure::{Figure, Figures};
use super::progress::Progress;
use crate::error::{Doing, Error, Result};
use crate::input::Expected;
use crate::process::now;
use crate::subject::{Run, Store, Subject};

/// How long a record of the output may be on its way to the driver.
const OUTPUT_WITHIN: Duration = Duration::from_secs(30);

/// Runs a subject over the whole input, from nothing; then checks what it wrote.
pub(super) fn measure(setup: &Setup<'_>, subject: &Subject, run: &Run, figures: &mut Figures) -> Result<()> {
    let total = setup.input(subject).keys.len() as u64;
    let process = setup.start(subject, run)?;
    let started = process.started;
    let mut progress = Progress::new(setup.cluster, process, run, subject.shape.partitions)?;
    let first = progress.until_beyond(0)?;
    // They count only if the output is right.
    let mut counted = Figures::new();
    counted.insert(Figure::Start, (first - started).as_secs_f64());
    let warm = progress.until_after((total as f64 * setup.options.warm_up) as u64, total)?;
    let end = progress.until_all(total)?;
    let resident = progress.process.resident_max_mib();

    let (wall_s, records) = ((end.at - warm.at).as_secs_f64(), (end.committed - warm.committed) as f64);
    if records <= 0.0 || wall_s <= 0.0 {
        return Err(Error::new("everything was committed before the warm-up was over: take more --records"));
    }
    counted.insert(Figure::Rate, records / wall_s);
    counted.insert(Figure::Cpu, (end.cpu_s - warm.cpu_s) * 1e6 / records);
    if let (Some(before), Some(after)) = (warm.broker_cpu_s, end.broker_cpu_s) {
        counted.insert(Figure::BrokerCpu, (after - before) * 1e6 / records);
    }
    counted.extend(resident.map(|resident| (Figure::ResidentMax, resident)));
    counted.extend(warm.others_share(&end, wall_s).map(|share| (Figure::Others, share)));
    progress.process.end()?;
    check(setup, subject, run)?;
    if let Some(records) = setup.cluster.observer(&run.application)?.end(&run.changelog(), subject.shape.partitions)? {
        counted.insert(Figure::ChangelogShare, records as f64 / total as f64);
    }
    figures.append(&mut counted);
    Ok(())
}

/// Reads the whole output. One that is wrong or short fails the run: what it took is no measurement of this work.
fn check(setup: &Setup<'_>, subject: &Subject, run: &Run) -> Result<()> {
    let reader = setup.cluster.reader(&run.output, subject.shape.partitions)?;
    let keys = &setup.input(subject).keys;
    let mut expected = Expected::new(keys, subject.shape.partitions);
    let mut last = now();
    while !expected.is_complete() {
        let Some(message) = reader.poll(Duration::from_millis(100)) else {
            if last.elapsed() > OUTPUT_WITHIN {
                let count = expected.checked();
                return Err(Error::new(format!("of {} outputs only {count} came", keys.len())));
            }
            continue;
        };
        let message = message.doing("reading the output")?;
        let (key, value) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
        expected.check(key, value, subject.store != Store::None).map_err(Error::new)?;
        last = now();
    }
    Ok(())
}
