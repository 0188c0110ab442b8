use proptest::prelude::*;

use super::*;

const PROTOCOLS: [GroupProtocol; 2] = [GroupProtocol::Classic, GroupProtocol::Consumer];

fn topics(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn options(protocol: GroupProtocol, instance_id: Option<&str>, session_timeout_ms: u32) -> GroupOptions {
    GroupOptions { id: "g".to_owned(), instance_id: instance_id.map(str::to_owned), session_timeout_ms, protocol }
}

fn join(group: &mut Group, member: &str, instance_id: Option<&str>, topics_read: &[&str], protocol: GroupProtocol) {
    group.join((member, "client"), &options(protocol, instance_id, 10), &topics(topics_read), 0);
    renew(group);
}

/// All topics have three partitions.
fn renew(group: &mut Group) -> bool {
    group.renew(|_| Some(3))
}

fn membership(member: &str, generation: i32) -> Membership {
    Membership { member: member.to_owned(), generation }
}

fn names(partitions: &[TopicPartition]) -> Vec<String> {
    partitions.iter().map(ToString::to_string).collect()
}

/// What it is told next, as a member of this generation.
fn beat(group: &mut Group, member: &str, generation: i32) -> Heartbeat {
    group.heartbeat(&membership(member, generation), None, false, 0)
}

fn assigned(told: Heartbeat) -> (i32, Vec<String>) {
    let Heartbeat::Assigned(generation, partitions) = told else { panic!("{told:?}") };
    (generation, names(&partitions))
}

fn given_back(group: &mut Group, member: &str, generation: i32) -> Vec<String> {
    let told = beat(group, member, generation);
    let Heartbeat::GiveBack(partitions) = told else { panic!("{told:?}") };
    group.give_back(member, &partitions);
    names(&partitions)
}

#[test]
fn range_puts_equal_partitions_of_two_topics_together() {
    for protocol in PROTOCOLS {
        let mut group = Group::default();
        for member in ["b", "a"] {
            join(&mut group, member, None, &["y", "x"], protocol);
        }
        assert_eq!(assigned(beat(&mut group, "a", -1)).1, ["x-0", "x-1", "y-0", "y-1"]);
        assert_eq!(assigned(beat(&mut group, "b", -1)).1, ["x-2", "y-2"]);
    }
}

#[test]
fn static_members_are_ordered_by_instance_id() {
    let mut group = Group::default();
    join(&mut group, "a", Some("late"), &["x"], GroupProtocol::Classic);
    join(&mut group, "b", Some("early"), &["x"], GroupProtocol::Classic);
    assert_eq!(assigned(beat(&mut group, "b", -1)).1, ["x-0", "x-1"]);
    assert_eq!(assigned(beat(&mut group, "a", -1)).1, ["x-2"]);
}

#[test]
fn a_classic_member_gives_all_back_before_anything_is_given_out_and_may_commit_until_then() {
    let mut group = Group::default();
    join(&mut group, "b", None, &["x"], GroupProtocol::Classic);
    assert_eq!(assigned(beat(&mut group, "b", -1)), (1, topics(&["x-0", "x-1", "x-2"])));
    join(&mut group, "a", None, &["x"], GroupProtocol::Classic);
    assert_eq!(beat(&mut group, "a", -1), Heartbeat::Stable(-1), "it waits");
    assert!(group.is_current(&membership("b", 1)), "it may commit before it gives back");
    assert_eq!(given_back(&mut group, "b", 1), ["x-0", "x-1", "x-2"]);
    assert!(!group.is_current(&membership("b", 1)));
    assert_eq!(assigned(beat(&mut group, "a", -1)), (2, topics(&["x-0", "x-1"])));
    assert_eq!(assigned(beat(&mut group, "b", 1)), (2, topics(&["x-2"])));
}

#[test]
fn others_give_back_what_moves_and_keep_the_rest() {
    let mut group = Group::default();
    join(&mut group, "b", None, &["x"], GroupProtocol::Consumer);
    assert_eq!(assigned(beat(&mut group, "b", -1)), (1, topics(&["x-0", "x-1", "x-2"])));
    join(&mut group, "a", None, &["x"], GroupProtocol::Consumer);
    assert_eq!(assigned(beat(&mut group, "a", -1)), (2, vec![]), "a member that has nothing yet");
    assert!(group.is_current(&membership("b", 1)), "it may commit before it gives back");
    assert_eq!(given_back(&mut group, "b", 1), ["x-0", "x-1"]);
    assert_eq!(assigned(beat(&mut group, "a", 2)), (2, topics(&["x-0", "x-1"])));
    assert_eq!(beat(&mut group, "b", 1), Heartbeat::Stable(2), "it has what it is meant to have");
    assert!(group.is_current(&membership("b", 2)) && !group.is_current(&membership("b", 1)));
}

#[test]
fn a_static_member_that_returns_disturbs_nobody_and_fences_its_former_self() {
    for protocol in PROTOCOLS {
        let mut group = Group::default();
        join(&mut group, "a", Some("one"), &["x"], protocol);
        join(&mut group, "c", Some("two"), &["x"], protocol);
        let (generation, had) = assigned(beat(&mut group, "a", -1));
        let (_, other) = assigned(beat(&mut group, "c", -1));
        assert_eq!((had.len(), other.len()), (2, 1));
        join(&mut group, "b", Some("one"), &["x"], protocol);
        assert_eq!(beat(&mut group, "c", generation), Heartbeat::Stable(generation));
        assert_eq!(assigned(beat(&mut group, "b", -1)), (generation, had));
        let former = group.heartbeat(&membership("a", generation), Some("one"), false, 5);
        assert_eq!(former, Heartbeat::Fenced);
        assert!(!group.is_current(&membership("a", generation)));
    }
}

#[test]
fn members_that_are_replaced_in_the_middle_of_a_change_do_not_wait_for_each_others_former_selves() {
    let mut group = Group::default();
    let join =
        |group: &mut Group, member, instance| join(group, member, Some(instance), &["x"], GroupProtocol::Classic);
    join(&mut group, "a", "0");
    join(&mut group, "b", "1");
    assert_eq!(assigned(beat(&mut group, "b", -1)).1, ["x-2"]);
    group.leave("a");
    join(&mut group, "c", "2");
    join(&mut group, "d", "3");
    assert_eq!(assigned(beat(&mut group, "c", -1)).1, ["x-1"]);
    // What "b" has is now for "c", and what "c" has for "b": neither has heard of it when another process takes its
    // place.
    join(&mut group, "a-again", "0");
    join(&mut group, "b-again", "1");
    join(&mut group, "c-again", "2");
    assert!(matches!(beat(&mut group, "b-again", -1), Heartbeat::Stable(_)), "the former 'c' may still work on it");
    assert_eq!(assigned(beat(&mut group, "c-again", -1)).1, ["x-2"]);
    assert_eq!(assigned(beat(&mut group, "b-again", -1)).1, ["x-1"]);
}

#[test]
fn a_silent_member_is_dropped_when_its_session_times_out() {
    let mut group = Group::default();
    join(&mut group, "a", None, &["x"], GroupProtocol::Consumer);
    group.join(("b", "client"), &options(GroupProtocol::Consumer, None, 100), &topics(&["x"]), 0);
    renew(&mut group);
    assert_eq!(assigned(beat(&mut group, "a", -1)).1, ["x-0", "x-1"]);
    assert_eq!(group.expire(9), (false, 10));
    assert_eq!(group.expire(10), (true, 100));
    assert!(renew(&mut group));
    assert_eq!(assigned(beat(&mut group, "b", -1)).1, ["x-0", "x-1", "x-2"]);
    assert_eq!(beat(&mut group, "a", 2), Heartbeat::Unknown);
}

#[test]
fn a_topic_that_was_made_anew_is_given_back_and_given_out_again() {
    let mut group = Group::default();
    join(&mut group, "a", None, &["x", "y"], GroupProtocol::Consumer);
    let (generation, _) = assigned(beat(&mut group, "a", -1));
    group.forget_topic("x");
    assert!(renew(&mut group));
    assert_eq!(given_back(&mut group, "a", generation), ["x-0", "x-1", "x-2"]);
    assert_eq!(assigned(beat(&mut group, "a", generation)).1, ["x-0", "x-1", "x-2"]);
}

#[derive(Clone, Debug)]
enum Step {
    Join(u8, GroupProtocol),
    Leave(u8),
    /// It asks, and answers what it was told before.
    Beat(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let protocol = prop_oneof![Just(GroupProtocol::Classic), Just(GroupProtocol::Consumer)];
    prop_oneof![
        1 => (0u8..4, protocol).prop_map(|(member, protocol)| Step::Join(member, protocol)),
        1 => (0u8..4).prop_map(Step::Leave),
        6 => (0u8..4).prop_map(Step::Beat),
    ]
}

/// What a member knows: its generation, what it has, and what it was told to give back and did not yet.
#[derive(Default)]
struct Known {
    generation: i32,
    has: BTreeSet<TopicPartition>,
    owes: Vec<TopicPartition>,
}

type Members = BTreeMap<String, Known>;

fn take_step(group: &mut Group, members: &mut Members, step: &Step) {
    match step {
        Step::Join(number, protocol) => {
            let name = format!("m{number}");
            members.entry(name).or_insert_with_key(|name| {
                join(group, name, None, &["x", "y"], *protocol);
                Known { generation: -1, ..Known::default() }
            });
        }
        Step::Leave(number) => {
            let name = format!("m{number}");
            assert_eq!(group.leave(&name), members.remove(&name).is_some());
            renew(group);
        }
        Step::Beat(number) => {
            let name = format!("m{number}");
            let Some(known) = members.get_mut(&name) else { return };
            if !known.owes.is_empty() {
                let owed = std::mem::take(&mut known.owes);
                known.has.retain(|partition| !owed.contains(partition));
                group.give_back(&name, &owed);
            }
            match beat(group, &name, known.generation) {
                Heartbeat::Stable(generation) => known.generation = generation,
                Heartbeat::Assigned(generation, added) => {
                    known.generation = generation;
                    for partition in added {
                        assert!(known.has.insert(partition), "it has it already");
                    }
                }
                Heartbeat::GiveBack(partitions) => {
                    assert!(partitions.iter().all(|partition| known.has.contains(partition)));
                    known.owes = partitions;
                }
                told => panic!("{told:?}"),
            }
        }
    }
}

proptest! {
    #[test]
    fn a_partition_is_never_with_two_members_and_in_the_end_all_are_with_one(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let (mut group, mut members) = (Group::default(), Members::new());
        for step in &steps {
            take_step(&mut group, &mut members, step);
            let had: usize = members.values().map(|known| known.has.len()).sum();
            let all: BTreeSet<&TopicPartition> = members.values().flat_map(|known| &known.has).collect();
            prop_assert_eq!(all.len(), had, "two have the same");
        }
        for _ in 0..4 {
            for number in 0..4 {
                take_step(&mut group, &mut members, &Step::Beat(number));
            }
        }
        let had: usize = members.values().map(|known| known.has.len()).sum();
        prop_assert_eq!(had, if members.is_empty() { 0 } else { 6 });
        for (name, known) in &members {
            prop_assert!(group.is_current(&membership(name, known.generation)), "{} is left behind", name);
        }
    }
}
