//! What a run says of what is wrong: of misspelt topics, of panics, and of records that are not those expected.

use super::count;
use crate::error::Result;
use crate::graph::{Builder, Pattern, Store, Topology};
use crate::simulator::{Failure, Faults, Input, Outcome, Random, Simulation};

fn counting() -> Topology {
    let builder = Builder::new();
    builder.sub_topology("counting").source::<str, ()>("words").count(&Store::memory("counts")).sink("totals");
    builder.build().unwrap()
}

/// Of one that nothing happens to.
fn calm(topology: &Topology) -> Simulation {
    Simulation::new(topology, "app").instances(1).faults(Faults::none())
}

fn send_to(topic: &'static str, count: i64) -> impl Fn(&mut Random, &mut Input) -> Result<()> + Send + Sync {
    move |_, input| (0..count).try_for_each(|at| input.send::<str, ()>(topic, "tea", (), at))
}

/// What is said of three cups of tea, counted, where this is checked.
fn said(check: impl Fn(&Outcome) -> Result<()> + Send + Sync + 'static) -> String {
    failure(&calm(&counting()).input(send_to("words", 3)).check(check)).what
}

fn failure(simulation: &Simulation) -> Failure {
    simulation.run(7).expect_err("it is wrong")
}

#[test]
fn input_for_a_topic_that_no_source_reads_is_refused_with_the_topics_that_are_read() {
    let of_text = calm(&counting()).input(send_to("wrds", 3));
    let of_bytes = calm(&counting()).input(|_, input| {
        input.send_bytes(("wrds", 0), None, None, 0);
        Ok(())
    });
    for simulation in [of_text, of_bytes] {
        let what = failure(&simulation).what;
        assert!(what.contains("the input writes topic 'wrds', which no source reads: there are words;"), "{what}");
    }
}

#[test]
fn input_for_a_topic_that_a_pattern_matches_is_read_and_so_it_is_undisturbed() {
    let builder = Builder::new();
    let words = builder.sub_topology("counting").source::<str, ()>(Pattern::new("words-.*"));
    words.count(&Store::memory("counts")).sink("totals");
    let topology = builder.build().unwrap();
    let simulation = calm(&topology).input(send_to("words-of-one", 3)).same_as_undisturbed();
    let good = simulation.clone().check(|outcome| outcome.expect::<str, i64>("totals", (1..=3).map(|at| ("tea", at))));
    good.run(7).unwrap();
    let what = failure(&simulation.input(send_to("wrds", 1))).what;
    assert!(what.contains("which no source reads: there are what patterns match"), "{what}");
}

#[test]
fn input_that_is_read_otherwise_than_by_a_source_may_be_written_where_that_is_said() {
    let simulation = calm(&counting()).input(send_to("words", 3)).input(send_to("prices", 2)).input(|_, input| {
        input.read_otherwise("prices");
        Ok(())
    });
    let simulation = simulation.check(|outcome| match outcome.read::<str, ()>("prices")?.len() {
        2 => Ok(()),
        count => Err(crate::Error::stop(format!("{count} prices"))),
    });
    simulation.same_as_undisturbed().run(7).unwrap();
}

#[test]
fn nothing_is_read_or_expected_of_a_topic_that_a_run_does_not_know() {
    let unknown = "no topic 'totls' in this run: there are app-counts-changelog, totals, words";
    let read = said(|outcome| outcome.read::<str, i64>("totls").map(drop));
    assert!(read.starts_with(unknown), "{read}");
    let expected = said(|outcome| outcome.expect::<str, i64>("totls", []));
    assert!(expected.starts_with(unknown), "{expected}");
    let stored = said(|outcome| outcome.stored("cuonts").map(drop));
    assert_eq!(stored, "no store 'cuonts' with a changelog in this run");
}

#[test]
fn topics_that_nothing_was_written_to_are_known_and_empty() {
    let simulation = calm(&counting()).check(|outcome| {
        outcome.expect::<str, ()>("words", [])?;
        outcome.expect::<str, ()>("words-dead-letters", [])?;
        outcome.expect::<str, i64>("totals", [])
    });
    simulation.run(7).unwrap();
}

#[test]
fn a_check_that_panics_fails_the_run_with_its_text_its_seed_and_its_trace() {
    let simulation = calm(&counting()).input(send_to("words", 3));
    let failure = failure(&simulation.check(|outcome| {
        assert_eq!(outcome.records("totals").len(), 4, "cups");
        Ok(())
    }));
    assert_eq!(failure.seed, 7);
    assert!(failure.what.starts_with("a check panicked: assertion `left == right` failed: cups"), "{failure}");
    assert!(failure.what.contains("left: 3"), "{failure}");
    assert!(failure.trace.iter().any(|line| line.contains("all input is processed")), "{failure}");
}

#[test]
fn an_input_that_panics_fails_the_run_with_its_text_and_its_seed() {
    let failure = failure(&calm(&counting()).input(|_, _| panic!("no words")));
    assert_eq!((failure.seed, &*failure.what), (7, "the input's function panicked: no words"));
}

#[test]
fn a_failure_is_shown_by_a_test_that_returns_it_as_it_is_displayed() {
    let failure = failure(&calm(&counting()).input(send_to("words", 3)).check(|_| Err(crate::Error::stop("cold"))));
    let shown = format!("{failure:?}");
    assert_eq!(shown, failure.to_string());
    assert!(shown.starts_with("seed 7: cold\n") && shown.lines().count() > 5, "{shown}");
}

#[test]
fn records_that_are_not_those_expected_are_shown_as_what_they_are() {
    let expecting =
        |totals: &'static [(&str, i64)]| said(|outcome| outcome.expect::<str, i64>("totals", totals.to_vec()));
    let other = expecting(&[("tea", 1), ("tea", 2), ("tea", 4)]);
    assert_eq!(other, r#"topic 'totals': record 2 of "tea" is 3, 4 expected"#);
    let few = expecting(&[("tea", 1), ("tea", 2), ("tea", 3), ("tea", 4)]);
    assert_eq!(few, r#"topic 'totals': of "tea" there are 3 records, 4 expected: record 3 is missing, 4"#);
    let many = expecting(&[("tea", 1), ("tea", 2)]);
    assert_eq!(many, r#"topic 'totals': of "tea" there are 3 records, 2 expected: record 2 is one too many, 3"#);
    let both = expecting(&[("tea", 2)]);
    assert_eq!(both, r#"topic 'totals': record 0 of "tea" is 1, 2 expected; of "tea" there are 3 records, 1 expected"#);
}

#[test]
fn records_of_another_type_than_the_one_expected_are_shown_as_bytes() {
    let what = said(|outcome| outcome.expect::<str, i32>("totals", [("tea", 1), ("tea", 2), ("tea", 3)]));
    assert!(what.contains(r#"record 0 of "tea" is '\x00\x00\x00\x00\x00\x00\x00\x01', of another type ("#), "{what}");
    assert!(what.ends_with("), 1 expected"), "{what}");
}

#[test]
fn what_keeps_a_task_from_going_on_is_in_the_verdict() {
    let builder = Builder::new();
    let words = builder.sub_topology("copying").source::<str, ()>("words");
    words.flat_map::<str, ()>(|_, _| panic!("no tea in here")).sink("copies");
    let simulation = calm(&builder.build().unwrap()).input(send_to("words", 3));
    let failure = failure(&simulation);
    assert!(failure.what.starts_with("120000 ms after the last fault: words-0 is processed up to 0"), "{failure}");
    assert!(failure.what.contains("task copying_0 panicked: no tea in here"), "{failure}");
}

#[test]
fn one_record_is_not_called_records() {
    let trace = calm(&counting()).input(send_to("words", 1)).trace(7).unwrap().trace;
    assert!(trace.iter().any(|line| line.contains("  1 record processed")), "{trace:#?}");
    assert!(!trace.iter().any(|line| line.contains(" 1 records")), "{trace:#?}");
    // Of more than one it is said.
    let trace = count::count(1).unwrap().trace(7).unwrap().trace;
    assert!(trace.iter().any(|line| line.contains(" records processed")), "{trace:#?}");
}
