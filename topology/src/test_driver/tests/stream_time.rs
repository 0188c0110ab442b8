use proptest::prelude::*;

use super::*;
use crate::processor::{Punctuation, PunctuationId, Schedule};

/// Passes on what is not late, and says when stream time passes something.
struct Watch {
    schedules: Vec<(i64, Option<PunctuationId>)>,
    lateness_max_ms: i64,
    /// Takes a record of each fifth ms only after a commit.
    suspends: bool,
    waits_at: Option<i64>,
    takes_at: Option<i64>,
}

impl Watch {
    fn new(lateness_max_ms: i64, suspends: bool) -> Self {
        let schedules = vec![(1_000, None), (700, None)];
        Self { schedules, lateness_max_ms, suspends, waits_at: None, takes_at: None }
    }
}

impl Processor for Watch {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn init(&mut self, context: &mut Output<'_>) -> Result {
        for (interval_ms, id) in &mut self.schedules {
            *id = Some(context.schedule(Schedule::StreamTime { interval_ms: *interval_ms }));
        }
        Ok(())
    }

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        if self.suspends && record.timestamp_ms % 5 == 0 && self.takes_at != Some(record.offset) {
            self.waits_at = Some(record.offset);
            context.suspend_from(record.position());
            context.request_commit();
            return Ok(());
        }
        let now_ms = context.stream_time_ms().unwrap_or(-1);
        if record.timestamp_ms + self.lateness_max_ms < now_ms {
            return Ok(());
        }
        context.forward(record.with(None, Some(now_ms)))
    }

    fn punctuate(&mut self, due: Punctuation, context: &mut Output<'_>) -> Result {
        let (interval_ms, _) = self.schedules.iter().find(|(_, id)| *id == Some(due.id)).unwrap();
        let value = Some(-1_000_000 * interval_ms - due.timestamp_ms);
        context.forward(Record::new(None, due.timestamp_ms, None, value))
    }

    fn committed(&mut self, context: &mut Output<'_>) -> Result {
        if let Some(offset) = self.waits_at.take() {
            self.takes_at = Some(offset);
            context.resume();
        }
        Ok(())
    }
}

/// One reader that does everything, or several that share a source. Only a single one may suspend.
fn watching(readers: usize, suspends: bool) -> Topology {
    let builder = Builder::new();
    let input = builder.sub_topology("sub").source::<[u8], i64>("in");
    for reader in 0..readers {
        let seen =
            input.processor(format!("watch-{reader}")).supply(move |()| Watch::new(500 * reader as i64, suspends));
        seen.sink(format!("out-{reader}"));
    }
    builder.build().unwrap()
}

#[derive(Clone, Copy, Debug)]
enum Then {
    GoOn,
    Run,
    Commit,
    Abort,
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![3 => Just(Then::GoOn), 1 => Just(Then::Run), 1 => Just(Then::Commit), 1 => Just(Then::Abort)]
}

/// What is committed at the end, by topic, if after each record this happens.
fn outcome(topology: &Topology, records: &[(i64, bool, Then)], cut: bool) -> Vec<Vec<(i64, Option<Vec<u8>>)>> {
    let mut driver = driver(topology);
    for (timestamp_ms, readable, then) in records {
        let value: &[u8] = if *readable { &[0; 8] } else { b"bad" };
        driver.append("in", None, Some(value), *timestamp_ms).unwrap();
        match then {
            _ if !cut => {}
            Then::GoOn => {}
            Then::Run => driver.run().unwrap(),
            Then::Commit => driver.commit().unwrap(),
            Then::Abort => driver.abort().unwrap(),
        }
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    let of = |record: &OwnedRecord| (record.timestamp_ms, record.value.clone());
    ["out-0", "out-1", "in-dead-letters"].map(|topic| driver.read(topic).iter().map(of).collect()).into()
}

proptest! {
    #[test]
    fn results_do_not_depend_on_where_input_is_cut_or_work_is_repeated(
        (readers, suspends) in prop_oneof![Just((1, false)), Just((1, true)), Just((2, false))],
        records in prop::collection::vec((-1_i64..6_000, prop::bool::weighted(0.8), then()), 1..60),
    ) {
        let topology = watching(readers, suspends);
        prop_assert_eq!(outcome(&topology, &records, true), outcome(&topology, &records, false));
    }
}

#[test]
fn a_punctuation_falls_behind_the_record_that_passes_it_though_stream_time_began_in_the_same_batch() {
    let records: Vec<_> = [0, 10_000, 10_001].map(|timestamp_ms| (timestamp_ms, true, Then::GoOn)).into();
    let out = &outcome(&watching(1, false), &records, false)[0];
    let values = out.iter().map(|(_, value)| i64::from_be_bytes(value.as_deref().unwrap().try_into().unwrap()));
    assert_eq!(values.collect::<Vec<_>>(), [0, 10_000, -1_000_010_000, -700_010_000, 10_001]);
}

#[test]
fn what_nobody_can_decode_does_not_move_stream_time() {
    let records = [(0, true, Then::GoOn), (9_000, false, Then::GoOn), (1, true, Then::GoOn)];
    let out = outcome(&watching(1, false), &records, false);
    // Had it moved, the last record would be late.
    assert_eq!((out[0].len(), out[2].len()), (2, 1));
}
