//! The rounds: who is measured when.
//!
//! Each round measures every subject once, and begins with another one than the round before, so that none always runs
//! first or last.

use crate::arguments::{Options, Scenario};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::measure::Setup;
use crate::measure::figure::{Figure, Figures};
use crate::process::Directory;
use crate::report::{Results, json, tables};
use crate::subject::{self, Subject, streams};

/// The engine over each of the others, like over like.
const RATIOS: &[(&str, &str)] = &[
    ("topology", "pipe"),
    ("topology", "streams"),
    ("topology", "streams-transactional"),
    ("topology-memory", "pipe"),
    ("topology-memory", "streams-memory"),
    ("topology-4", "topology"),
    ("topology-4-threads", "topology"),
    ("topology-4-at-least-once", "topology-at-least-once"),
    ("topology-4-threads-at-least-once", "topology-at-least-once"),
    ("topology-4", "streams-4"),
    ("topology-4-threads", "streams-4-threads"),
];

/// Where others use more than this share of the machine, a run says little.
const OTHERS_SHARE_MAX: f64 = 0.05;

/// Measures what is asked for and prints it.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.list {
        for subject in subject::all() {
            println!("{} {:22} {}", if subject.is_default { ' ' } else { '-' }, subject.name, subject.about);
        }
        return Ok(());
    }
    let mut subjects = chosen(options)?;
    let mut results = Results::default();
    results.ratios = ratios(options, &subjects)?;
    let streams = built(options, &mut subjects, &mut results);
    results.subjects = subjects.iter().map(|subject| subject.name.clone()).collect();
    if subjects.is_empty() {
        return Err(Error::new("nothing is left to measure"));
    }
    let directory = Directory::new(options.directory.as_deref())?;
    let cluster = match &options.brokers {
        Some(brokers) => Cluster::external(brokers, options.broker_pid),
        None => Cluster::start()?,
    };
    eprintln!("writing {} records", options.records);
    let mut setup = Setup::new(options, &cluster, streams, &subjects, directory.path().to_owned())?;
    measure(&mut setup, &subjects, &mut results);
    match options.json {
        true => println!("{}", json(&results, options)),
        false => println!("{}", tables(&results)),
    }
    match results.failures.is_empty() {
        true => Ok(()),
        false => Err(Error::new("not everything could be measured: the lines above say what")),
    }
}

/// The subjects named, or those that are measured by default; and the user's own.
fn chosen(options: &Options) -> Result<Vec<Subject>> {
    let mut all = subject::all();
    for text in &options.also {
        let other = subject::other(text)?;
        if all.iter().any(|subject| subject.name == other.name) {
            return Err(Error::new(format!("--also: there is a subject {} already", other.name)));
        }
        all.push(other);
    }
    if let Some(unknown) = options.subjects.iter().find(|name| all.iter().all(|subject| subject.name != **name)) {
        return Err(Error::new(format!("there is no subject {unknown}; --list shows them")));
    }
    let is_chosen = |subject: &Subject| match options.subjects.is_empty() {
        true => subject.is_default,
        false => options.subjects.contains(&subject.name),
    };
    Ok(all.into_iter().filter(is_chosen).collect())
}

fn ratios(options: &Options, subjects: &[Subject]) -> Result<Vec<(String, String)>> {
    let mut ratios: Vec<(String, String)> =
        RATIOS.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect();
    for text in &options.ratio {
        let pair = text.split_once('/').map(|(one, other)| (one.to_owned(), other.to_owned()));
        let is_there = |name: &String| subjects.iter().any(|subject| subject.name == *name);
        match pair.filter(|(one, other)| is_there(one) && is_there(other)) {
            Some(pair) => ratios.push(pair),
            None => return Err(Error::new(format!("--ratio {text}: expected SUBJECT/SUBJECT, both of them measured"))),
        }
    }
    Ok(ratios)
}

/// Kafka Streams' program, where a subject needs it. Where it cannot be built, those subjects are left out, with a
/// line.
fn built(options: &Options, subjects: &mut Vec<Subject>, results: &mut Results) -> Option<streams::Built> {
    if !subjects.iter().any(Subject::is_streams) {
        return None;
    }
    match streams::Built::new(&options.java_options) {
        Ok(built) => Some(built),
        Err(error) => {
            let line = format!("Kafka Streams is left out: {error}");
            eprintln!("{line}");
            results.failures.push(line);
            subjects.retain(|subject| !subject.is_streams());
            None
        }
    }
}

fn measure(setup: &mut Setup<'_>, subjects: &[Subject], results: &mut Results) {
    let options = setup.options;
    let is_wanted = |scenario| options.scenarios.contains(&scenario);
    // The engine's own changelog tells the pipe how much to write, whether or not the engine is measured.
    if let Some(engine) = subject::all().iter().find(|subject| subject.name == "topology") {
        eprintln!("warming the broker up");
        if let Err(error) = setup.warm_up(engine) {
            results.failures.push(format!("the warm-up failed: {error}"));
        }
    }
    for round in 1..=options.rounds {
        for at in 0..subjects.len() {
            let subject = &subjects[(at + round as usize - 1) % subjects.len()];
            if is_wanted(Scenario::Count) || is_wanted(Scenario::Restore) {
                let mut figures = Figures::new();
                let outcome = setup.bulk(subject, is_wanted(Scenario::Restore), &mut figures);
                keep(results, round, subject, outcome, figures);
            }
            // It tells transactions apart in an output of one partition.
            if is_wanted(Scenario::Latency) && subject.shape.partitions == 1 {
                let mut figures = Figures::new();
                let outcome = setup.latency(subject, &mut figures);
                keep(results, round, subject, outcome, figures);
            }
        }
    }
}

/// Says on standard error how it went, and keeps what there is.
fn keep(results: &mut Results, round: u32, subject: &Subject, outcome: Result<()>, figures: Figures) {
    let name = &subject.name;
    let said: Vec<String> = figures.iter().map(|(figure, value)| one(*figure, *value)).collect();
    eprintln!("round {round} {name:22} {}", said.join(", "));
    let shares = [Figure::Others, Figure::SteadyOthers].into_iter().filter_map(|figure| figures.get(&figure));
    if shares.into_iter().any(|share| *share > OTHERS_SHARE_MAX) {
        eprintln!("round {round} {name:22} others were busy on this machine: this run says little");
    }
    if let Err(error) = outcome {
        let line = format!("round {round}, {name}: {error}");
        eprintln!("{line}");
        results.failures.push(line);
    }
    results.add(name, round, figures);
}

fn one(figure: Figure, value: f64) -> String {
    let about = figure.about();
    format!("{} {:.*}", about.heading, about.decimals, value / about.scale)
}
