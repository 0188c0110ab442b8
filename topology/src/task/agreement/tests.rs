use super::*;
use crate::store::Incarnation;
use crate::task::metadata::Vouched;

const A: Incarnation = [0xA; 16];
const B: Incarnation = [0xB; 16];

fn input(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}

/// A store that was written last by commit `sequence`, with the input taken up to `offset`.
fn state(store: &'static str, incarnation: Incarnation, sequence: u64, offset: Offset) -> State<'static> {
    let covered = Covered { sequence, inputs: vec![(input("in"), offset)] };
    let meta = Meta { fingerprint: [0; 32], incarnation, position: 9, applied_at_ms: 0, covered };
    State { store, changelog: if store == "counts" { "app-counts-changelog" } else { "other" }, meta: Some(meta) }
}

fn never_written(store: &'static str) -> State<'static> {
    State { meta: None, ..state(store, A, 0, 0) }
}

/// An offset that a task committed, with these marks.
fn ours(offset: Offset, marks: &[(&str, Incarnation, u64)]) -> CommittedInput {
    let marks = marks.iter().map(|(store, incarnation, sequence)| Mark::new(store, incarnation, *sequence)).collect();
    let metadata = Metadata { stream_time_ms: None, vouched: Some(Vouched { offset, marks }) };
    CommittedInput { input: input("in"), offset: Some(offset), metadata }
}

fn by_a_tool(offset: Offset) -> CommittedInput {
    CommittedInput { input: input("in"), offset: Some(offset), metadata: Metadata::default() }
}

fn nothing() -> CommittedInput {
    CommittedInput { input: input("in"), offset: None, metadata: Metadata::default() }
}

/// `None` where they agree, else what is said.
fn said(committed: &CommittedInput, states: &[State<'_>]) -> Option<String> {
    let error = agree(&[committed], states, false).err()?;
    assert_eq!(error.class(), crate::Class::Stop);
    assert!(error.to_string().contains("reset the application"), "{error}");
    Some(error.to_string())
}

#[test]
fn what_belongs_together_agrees() {
    let counts = ("counts", A, 5);
    let table: [(&str, CommittedInput, Vec<State<'_>>); 9] = [
        ("nothing yet", nothing(), vec![never_written("counts")]),
        ("the first commits wrote no store", ours(40, &[]), vec![never_written("counts")]),
        ("a tool says where to begin", by_a_tool(40), vec![never_written("counts")]),
        ("as usual", ours(40, &[counts]), vec![state("counts", A, 5, 40)]),
        ("the last commits wrote no store", ours(40, &[counts]), vec![state("counts", A, 5, 10)]),
        (
            "one store not for long",
            ours(40, &[counts, ("other", B, 2)]),
            vec![state("counts", A, 5, 40), state("other", B, 2, 7)],
        ),
        ("a store was added", ours(40, &[counts]), vec![state("counts", A, 5, 40), never_written("other")]),
        ("a store was taken out", ours(40, &[counts, ("gone", B, 9)]), vec![state("counts", A, 5, 40)]),
        (
            "a tool puts the offset where the state ends",
            by_a_tool(10),
            vec![state("counts", A, 5, 10), state("other", B, 2, 7)],
        ),
    ];
    for (name, committed, states) in table {
        assert_eq!(said(&committed, &states), None, "{name}");
    }
}

#[test]
fn what_does_not_is_refused_and_it_is_said_which() {
    let counts = ("counts", A, 5);
    let there = || vec![state("counts", A, 5, 30)];
    let moved = CommittedInput { offset: Some(35), ..ours(40, &[counts]) };
    let table: [(&str, CommittedInput, Vec<State<'_>>, &[&str]); 11] = [
        ("offset lost", nothing(), there(), &["no committed offset for in-0", "up to offset 30", "counts-changelog"]),
        ("moved back by a tool", by_a_tool(29), there(), &["offset 29 of in-0", "count records twice", "Set it to 30"]),
        ("moved on by a tool", by_a_tool(31), there(), &["offset 31 of in-0", "leave records out", "Set it to 30"]),
        ("moved with its metadata", moved, there(), &["offset 35 of in-0", "set by another program"]),
        ("an older offset", ours(20, &[("counts", A, 4)]), there(), &["commit 5) is ahead of", "(commit 4)"]),
        ("a shorter changelog", ours(40, &[("counts", A, 6)]), there(), &["commit 5) is behind", "(commit 6)"]),
        ("another changelog", ours(40, &[("counts", B, 5)]), there(), &["app-counts-changelog is another one"]),
        ("changelog lost", ours(40, &[counts]), vec![never_written("counts")], &["'counts' is lost"]),
        (
            "changelog lost, offset moved",
            CommittedInput { offset: Some(3), ..ours(40, &[counts]) },
            vec![never_written("counts")],
            &["'counts' is lost"],
        ),
        (
            "one of two changelogs lost",
            ours(40, &[counts, ("other", B, 3)]),
            vec![state("counts", A, 5, 40), never_written("other")],
            &["'other' is lost"],
        ),
        ("a store of another time", ours(40, &[]), there(), &["knows nothing of", "'counts'", "Delete that topic"]),
    ];
    for (name, committed, states, parts) in table {
        let said = said(&committed, &states).unwrap_or_else(|| panic!("{name} agrees"));
        for part in parts {
            assert!(said.contains(part), "{name}: '{said}' lacks '{part}'");
        }
    }
}

#[test]
fn an_input_that_was_added_has_no_offset_yet_and_one_that_lost_it_is_refused() {
    let first = ours(40, &[("counts", A, 5)]);
    let second = CommittedInput { input: input("second"), ..nothing() };
    let mut states = vec![state("counts", A, 5, 40)];
    agree(&[&first, &second], &states, false).unwrap();
    let covered = &mut states[0].meta.as_mut().unwrap().covered;
    covered.inputs.push((input("second"), 12));
    let error = agree(&[&first, &second], &states, false).unwrap_err().to_string();
    assert!(error.contains("no committed offset for second-0") && error.contains("up to offset 12"), "{error}");
}

#[test]
fn state_of_another_input_is_not_taken_for_this_ones() {
    let other = CommittedInput { input: input("words"), ..nothing() };
    let said = said(&other, &[state("counts", A, 5, 40)]).unwrap();
    assert!(said.contains("other input than words-0"), "{said}");
    let by_tool = CommittedInput { input: input("words"), ..by_a_tool(40) };
    assert!(agree(&[&by_tool], &[state("counts", A, 5, 40)], false).is_err());
}
