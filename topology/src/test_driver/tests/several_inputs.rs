//! Tasks that read several topics.

use proptest::prelude::*;

use super::*;
use crate::graph::Store;
use crate::processor::Position;
use crate::store::KeyValueStore;

/// Tells in which order records were taken, in a way that any other order changes all that follows.
fn digest(before: i64, position: Position, timestamp_ms: i64, stream_time_ms: i64) -> i64 {
    [position.input as i64, position.offset, timestamp_ms, stream_time_ms]
        .iter()
        .fold(before, |digest, part| digest.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(*part + 1))
}

/// What a [`Digest`] does besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Habit {
    /// Nothing.
    Plain,
    /// Nothing, behind a filter that takes runs, of both topics.
    Filtered,
    /// Takes a record whose time is a multiple of five only behind a commit.
    Suspends,
    /// Takes records three at a time, and holds the first of them until then.
    Holds,
    /// The same, of records that a filter lets through.
    HoldsFiltered,
}

/// Sends on the digest behind each record. The digest is in a store, which several may share.
struct Digest {
    digests: KeyValueStore<i64, i64>,
    habit: Habit,
    waits: bool,
    may_take: Option<Position>,
    held: Vec<(Position, i64, i64)>,
}

impl Digest {
    /// As [`Digest::process`], of records of other types.
    fn process_other(&mut self, record: &Record<'_, u8, String>, context: &mut Output<'_>) -> Result {
        assert_eq!((record.key, record.value.as_deref()), (Some(7), Some("0")));
        self.process_at(record.position(), record.timestamp_ms, context)
    }

    fn process_at(&mut self, at: Position, timestamp_ms: i64, context: &mut Output<'_>) -> Result {
        let stream_ms = context.stream_time_ms().unwrap_or(-1);
        match self.habit {
            Habit::Suspends if timestamp_ms % 5 == 0 && self.may_take.take() != Some(at) => {
                self.may_take = Some(at);
                self.waits = true;
                context.suspend_from(at);
                context.request_commit();
                Ok(())
            }
            Habit::Plain | Habit::Filtered | Habit::Suspends => self.take(at, timestamp_ms, stream_ms, context),
            Habit::Holds | Habit::HoldsFiltered => {
                self.held.push((at, timestamp_ms, stream_ms));
                if self.held.len() == 3 {
                    for (at, timestamp_ms, stream_ms) in std::mem::take(&mut self.held) {
                        self.take(at, timestamp_ms, stream_ms, context)?;
                    }
                }
                context.hold_from(self.held.first().map(|(at, ..)| *at));
                Ok(())
            }
        }
    }

    fn take(&mut self, at: Position, timestamp_ms: i64, stream_ms: i64, context: &mut Output<'_>) -> Result {
        let now = digest(self.digests.get(&0)?.unwrap_or(0), at, timestamp_ms, stream_ms);
        self.digests.put(&0, &now)?;
        context.forward(Record::new(at, timestamp_ms, None, Some(now)))
    }
}

impl Processor for Digest {
    type Key = [u8];
    type Value = i64;
    type KeyOut = [u8];
    type ValueOut = i64;

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        self.process_at(record.position(), record.timestamp_ms, context)
    }

    fn committed(&mut self, context: &mut Output<'_>) -> Result {
        if std::mem::take(&mut self.waits) {
            context.resume();
        }
        Ok(())
    }
}

/// What the filter of [`Habit::HoldsFiltered`] lets through.
fn passes(timestamp_ms: i64) -> bool {
    timestamp_ms % 3 != 0
}

/// How two topics come to a [`Digest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// By one source of both.
    OneSource,
    /// By a source of each, to a processor of each; both write to one store.
    OneEach,
    /// By a source of each, to two inputs of one processor, of different types.
    TwoInputs,
}

fn digesting(shape: Shape, habit: Habit) -> Topology {
    let builder = Builder::new();
    let sub = builder.sub_topology("sub");
    let digests = Store::memory("digests");
    let mut streams = match shape {
        Shape::OneSource => vec![sub.source::<[u8], i64>(["a", "b"])],
        Shape::OneEach | Shape::TwoInputs => ["a", "b"].map(|name| sub.source(name)).into(),
    };
    if habit == Habit::Filtered && shape != Shape::TwoInputs {
        let merged = streams.into_iter().reduce(|merged, stream| merged.merge(&stream)).unwrap();
        streams = vec![merged];
    }
    if habit == Habit::Filtered {
        streams = streams.into_iter().map(|stream| stream.filter(|_| true)).collect();
    }
    if habit == Habit::HoldsFiltered {
        streams = streams.into_iter().map(|stream| stream.filter(|record| passes(record.timestamp_ms))).collect();
    }
    let make = move |digests| Digest { digests, habit, waits: false, may_take: None, held: Vec::new() };
    if let (Shape::TwoInputs, [a, b]) = (shape, &streams[..]) {
        let b = b.map(|record| (7_u8, record.value.unwrap_or(-1).to_string()));
        a.with_store(&digests).with_input(&b, Digest::process_other).supply(make).sink("out");
        return builder.build().unwrap();
    }
    for stream in streams {
        stream.with_store(&digests).supply(make).sink("out");
    }
    builder.build().unwrap()
}

/// The digests of two inputs whose records have these times, merged by the time of their heads: written without any of
/// the engine's code. `None` is a record that cannot be decoded.
fn expected(inputs: &[Vec<(i64, bool)>; 2], habit: Habit) -> (Vec<i64>, usize) {
    let (mut next, mut stream_ms, mut digests) = ([0, 0], -1, Vec::new());
    let mut letters = 0;
    loop {
        let head = |input: usize| inputs[input].get(next[input]).copied();
        let input = match (head(0), head(1)) {
            (None, None) => return (digests, letters),
            (Some((first, _)), Some((second, _))) => usize::from(second < first),
            (first, _) => usize::from(first.is_none()),
        };
        let (offset, (timestamp_ms, readable)) = (next[input] as i64, inputs[input][next[input]]);
        next[input] += 1;
        if !readable {
            letters += 1;
            continue;
        }
        stream_ms = stream_ms.max(timestamp_ms);
        if habit == Habit::HoldsFiltered && !passes(timestamp_ms) {
            continue;
        }
        let before = digests.last().copied().unwrap_or(0);
        digests.push(digest(before, Position::new(input, offset), timestamp_ms, stream_ms));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many records of an input arrive.
    Deliver(usize, usize),
    /// So many records are taken, if it is known which.
    Process(usize),
    Commit,
    /// The process dies, or the transaction fails: all since the last commit is void.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..2, 1_usize..8).prop_map(|(input, count)| Step::Deliver(input, count)),
        3 => (1_usize..8).prop_map(Step::Process),
        1 => Just(Step::Commit),
        1 => Just(Step::Crash),
    ]
}

impl TestDriver {
    /// Takes records of the only task for as long as there are some, and commits where a processor asks for it.
    fn process_some(&mut self, count: usize) -> bool {
        let task = self.drives[0].task.as_mut().unwrap();
        let processed = task.process_next(count).unwrap();
        let asked = task.commit_requested();
        self.collect(0).unwrap();
        if asked {
            self.commit_all().unwrap();
        }
        processed > 0 || asked
    }
}

fn write(driver: &mut TestDriver, inputs: &[Vec<(i64, bool)>; 2]) {
    for (topic, records) in ["a", "b"].iter().zip(inputs) {
        for (timestamp_ms, readable) in records {
            let value: &[u8] = if *readable { &[0; 8] } else { b"bad" };
            driver.append(topic, None, Some(value), *timestamp_ms).unwrap();
        }
    }
    // A task begins that was not told before that its inputs are empty.
    driver.begin_again().unwrap();
}

/// Who holds records of one topic alone says nothing of another's, so two processors that hold are not among them.
const SHAPES: [(Shape, Habit); 13] = [
    (Shape::OneSource, Habit::Plain),
    (Shape::OneSource, Habit::Filtered),
    (Shape::OneSource, Habit::Suspends),
    (Shape::OneSource, Habit::Holds),
    (Shape::OneSource, Habit::HoldsFiltered),
    (Shape::OneEach, Habit::Plain),
    (Shape::OneEach, Habit::Filtered),
    (Shape::OneEach, Habit::Suspends),
    (Shape::TwoInputs, Habit::Plain),
    (Shape::TwoInputs, Habit::Filtered),
    (Shape::TwoInputs, Habit::Suspends),
    (Shape::TwoInputs, Habit::Holds),
    (Shape::TwoInputs, Habit::HoldsFiltered),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]
    #[test]
    fn input_that_is_there_is_taken_in_one_order_whatever_the_batches_pauses_and_crashes(
        (shape, habit) in prop::sample::select(&SHAPES[..]),
        a in prop::collection::vec((-1_i64..40, prop::bool::weighted(0.9)), 0..40),
        b in prop::collection::vec((-1_i64..40, prop::bool::weighted(0.9)), 0..40),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let inputs = [a, b];
        let mut driver = driver(&digesting(shape, habit));
        write(&mut driver, &inputs);
        for step in steps {
            match step {
                Step::Deliver(input, count) => { driver.give(0, input, count).unwrap(); }
                Step::Process(count) => { driver.process_some(count); }
                Step::Commit => driver.commit_all().unwrap(),
                Step::Crash => driver.begin_again().unwrap(),
            }
        }
        loop {
            for input in 0..2 {
                driver.give(0, input, usize::MAX).unwrap();
            }
            if !driver.process_some(usize::MAX) {
                break;
            }
        }
        driver.commit_all().unwrap();
        let (mut digests, letters) = expected(&inputs, habit);
        let holds = matches!(habit, Habit::Holds | Habit::HoldsFiltered);
        if holds {
            digests.truncate(digests.len() / 3 * 3);
        }
        prop_assert_eq!(numbers(driver.read("out")), digests);
        if !holds {
            prop_assert_eq!(driver.read("a-dead-letters").len() + driver.read("b-dead-letters").len(), letters);
            for (topic, records) in ["a", "b"].iter().zip(&inputs) {
                prop_assert_eq!(driver.committed_offset(topic), Some(records.len() as i64));
            }
        }
    }
}

#[test]
fn records_piped_into_several_topics_are_processed_by_one_task_with_its_stores() {
    let mut driver = driver(&digesting(Shape::OneEach, Habit::Plain));
    for (topic, timestamp_ms) in [("a", 5), ("b", 3), ("a", 4)] {
        driver.pipe(topic, None, Some(&[0; 8]), timestamp_ms).unwrap();
    }
    driver.commit().unwrap();
    // Each came when nothing else was there.
    let taken = [(Position::new(0, 0), 5), (Position::new(1, 0), 3), (Position::new(0, 1), 4)];
    let digests = taken.iter().scan(0, |before, (at, timestamp_ms)| {
        *before = digest(*before, *at, *timestamp_ms, 5);
        Some(*before)
    });
    assert_eq!(numbers(driver.read("out")), digests.collect::<Vec<_>>());
    assert_eq!((driver.committed_offset("a"), driver.committed_offset("b")), (Some(2), Some(1)));
}

#[test]
fn each_input_has_its_own_dead_letters() {
    let mut driver = driver(&digesting(Shape::OneSource, Habit::Plain));
    driver.pipe("b", None, Some(b"bad"), 1).unwrap();
    driver.commit().unwrap();
    assert!(driver.read("a-dead-letters").is_empty());
    assert_eq!(driver.read("b-dead-letters")[0].header("dead-letter.topic").as_deref(), Some("b"));
}

/// Acts on every record at once, on behalf of what `cause` says, and holds what `held` says.
fn acting(held: impl Fn(Position) -> Option<Position> + Copy + Send + Sync + 'static, suspends: bool) -> TestDriver {
    let builder = Builder::new();
    let both = builder.sub_topology("sub").source::<[u8], i64>(["a", "b"]);
    both.with_store(&Store::memory("digests")).supply(move |digests: KeyValueStore<i64, i64>| {
        each(move |record, context| {
            digests.put(&0, &record.offset)?;
            match held(record.position()) {
                Some(at) if suspends => context.suspend_from(at),
                at => context.hold_from(at),
            }
            Ok(())
        })
    });
    driver(&builder.build().unwrap())
}

#[test]
fn the_laws_of_held_and_suspended_input_are_asserted_for_each_input() {
    for suspends in [false, true] {
        // It acts on the second record of `b`, which it does not take.
        let mut breach = acting(|at| (at == Position::new(1, 1)).then_some(at), suspends);
        for topic in ["a", "b", "a", "b"] {
            breach.append(topic, None, Some(&[0; 8]), 0).unwrap();
        }
        breach.run().unwrap();
        let error = error_of(breach.commit());
        assert!(error.contains("b-0 from offset 1 but already acted on offset 1"), "{error}");
    }
    // What it holds of `b` says nothing about `a`, on which it acted.
    let of_b = |at: Position| (at.input == 0).then_some(Position::new(1, 0));
    let mut sound = acting(of_b, false);
    sound.append("a", None, Some(&[0; 8]), 0).unwrap();
    sound.run().unwrap();
    sound.commit().unwrap();
    assert_eq!((sound.committed_offset("a"), sound.committed_offset("b")), (Some(1), Some(0)));
    // To wait before a record of `b` while one of `a` is processed says nothing about that one: it comes again.
    let mut breach = acting(of_b, true);
    breach.append("a", None, Some(&[0; 8]), 0).unwrap();
    breach.run().unwrap();
    let error = error_of(breach.commit());
    assert!(error.contains("a-0 from offset 0 but already acted on offset 0"), "{error}");
}

#[test]
fn topics_that_one_task_reads_are_vouched_for_together() {
    for topic in ["a", "b"] {
        let mut driver = driver(&digesting(Shape::OneSource, Habit::Plain));
        driver.pipe("a", None, Some(&[0; 8]), 1).unwrap();
        driver.delete_topic(topic);
        assert!(error_of(driver.commit()).contains(&format!("topic '{topic}' was deleted")));
    }
}

#[test]
fn an_input_of_which_something_is_held_is_committed_up_to_that() {
    let builder = Builder::new();
    let both = builder.sub_topology("sub").source::<[u8], i64>(["a", "b"]);
    let holding = both.processor("holding").supply(|()| {
        each(|record, context| {
            context.hold_from([record.position()]);
            Ok(())
        })
    });
    holding.sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for _ in 0..3 {
        driver.append("a", None, Some(&[0; 8]), 0).unwrap();
    }
    driver.run().unwrap();
    driver.commit().unwrap();
    // The first two are not held any more, and of the other input nothing was taken.
    assert_eq!((driver.committed_offset("a"), driver.committed_offset("b")), (Some(2), Some(0)));
}
