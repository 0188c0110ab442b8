use proptest::prelude::*;

use super::*;
use crate::graph::Builder;

/// One task reads `a` and `b`, the other `c`.
fn ownership(protocol: GroupProtocol) -> Ownership {
    let builder = Builder::new();
    builder.sub_topology("two").source::<[u8], [u8]>(["b", "a"]);
    builder.sub_topology("one").source::<[u8], [u8]>("c");
    Ownership::new(&builder.build().unwrap(), protocol)
}

fn at(names: &str) -> Vec<TopicPartition> {
    let parse = |name: &str| {
        let (topic, partition) = name.split_once('-').unwrap();
        TopicPartition::new(topic, partition.parse().unwrap())
    };
    names.split_whitespace().map(parse).collect()
}

fn id(sub_topology: &str, partition: i32) -> TaskId {
    TaskId { sub_topology: sub_topology.to_owned(), partition }
}

fn take(ownership: &mut Ownership, change: Change) -> Vec<Action> {
    let actions = ownership.decide(change);
    actions.iter().for_each(|action| ownership.done(action));
    actions
}

fn assigned(names: &str) -> Change {
    Change::Assigned(at(names))
}

fn revoked(names: &str, lost: bool) -> Change {
    Change::Revoked { partitions: at(names), lost }
}

fn begin(sub_topology: usize, id: TaskId, inputs: &str) -> Action {
    Action::Begin(NewTask { id, sub_topology, inputs: at(inputs) })
}

fn park(id: TaskId, staying: &str) -> Action {
    Action::Park { task: id, staying: at(staying) }
}

#[test]
fn a_task_begins_when_it_has_all_of_its_partitions() {
    let mut ownership = ownership(GroupProtocol::Consumer);
    let told = take(&mut ownership, assigned("a-0 a-1 b-1"));
    assert_eq!(told, [Action::Take(at("a-0 a-1 b-1")), begin(0, id("two", 1), "b-1 a-1")]);
    assert_eq!(ownership.incomplete(), at("a-0"));
    let told = take(&mut ownership, assigned("b-0"));
    assert_eq!(told, [Action::Take(at("b-0")), begin(0, id("two", 0), "b-0 a-0")]);
    assert!(ownership.incomplete().is_empty());
}

#[test]
fn what_moves_is_committed_parked_given_and_closed_and_nothing_else_is_touched() {
    let mut ownership = ownership(GroupProtocol::Consumer);
    take(&mut ownership, assigned("c-0 c-1 a-0 b-0"));
    let told = take(&mut ownership, revoked("c-1", false));
    let moved = id("one", 1);
    let expected = [Action::Commit, park(moved.clone(), ""), Action::Give(at("c-1")), Action::Close(moved)];
    assert_eq!(told, expected);
    let told = take(&mut ownership, revoked("a-0", false));
    assert_eq!(told[1], park(id("two", 0), "b-0"), "its other input stays");
    assert_eq!(take(&mut ownership, revoked("b-0", false)), [Action::Give(at("b-0"))], "there is no task of it");
}

#[test]
fn a_classic_group_takes_all_and_what_comes_back_returns() {
    let mut ownership = ownership(GroupProtocol::Classic);
    take(&mut ownership, assigned("c-0 c-1"));
    let told = take(&mut ownership, revoked("c-0 c-1", false));
    let parked = [park(id("one", 0), ""), park(id("one", 1), "")];
    let answer = [Action::Give(at("c-0 c-1")), Action::Await];
    assert_eq!(told, [&[Action::Commit][..], &parked, &answer].concat());
    let told = take(&mut ownership, assigned("c-1"));
    assert_eq!(told, [Action::Take(at("c-1")), Action::Return(id("one", 1)), Action::Close(id("one", 0))]);
}

#[test]
fn what_is_lost_is_not_committed() {
    for protocol in [GroupProtocol::Classic, GroupProtocol::Consumer] {
        let mut ownership = ownership(protocol);
        take(&mut ownership, assigned("c-0"));
        let told = take(&mut ownership, revoked("c-0", true));
        let expected = [Action::Void(vec![id("one", 0)]), park(id("one", 0), "")];
        assert_eq!(told[..2], expected);
        assert!(told.contains(&Action::Await), "the member joins anew");
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// As many of the partitions that it has not, from so far on.
    Give(usize, usize),
    /// As many of those that it has.
    Take(usize, usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0usize..9, 0usize..5).prop_map(|(from, count)| Step::Give(from, count)),
        (0usize..9, 0usize..5, any::<bool>()).prop_map(|(from, count, lost)| Step::Take(from, count, lost)),
    ]
}

fn some(of: &BTreeSet<TopicPartition>, from: usize, count: usize) -> Vec<TopicPartition> {
    of.iter().cycle().skip(from).take(count.min(of.len())).cloned().collect()
}

/// What a thread that does as it is told has.
#[derive(Default)]
struct World {
    partitions: BTreeSet<TopicPartition>,
    held: BTreeSet<TaskId>,
    parked: BTreeSet<TaskId>,
}

impl World {
    fn act(&mut self, action: &Action) {
        match action {
            Action::Take(added) => {
                assert!(added.iter().all(|partition| self.partitions.insert(partition.clone())));
            }
            Action::Give(removed) => {
                assert!(removed.iter().all(|partition| self.partitions.remove(partition)));
            }
            Action::Park { task, .. } => {
                assert!(self.held.remove(task), "{task} is not held");
                assert!(self.parked.insert(task.clone()));
            }
            Action::Return(task) => {
                assert!(self.parked.remove(task), "{task} is not parked");
                assert!(self.held.insert(task.clone()));
            }
            Action::Begin(new) => {
                assert!(!self.parked.contains(&new.id) && self.held.insert(new.id.clone()), "{} is here", new.id);
                assert!(new.inputs.iter().all(|input| self.partitions.contains(input)));
            }
            Action::Close(task) => assert!(self.parked.remove(task), "{task} is not parked"),
            Action::Commit | Action::Void(_) | Action::Await => {}
        }
    }
}

/// The tasks that these partitions make whole.
fn whole(partitions: &BTreeSet<TopicPartition>) -> BTreeSet<TaskId> {
    let has = |topic: &str, partition| partitions.contains(&TopicPartition::new(topic, partition));
    let two = (0..3).filter(|partition| has("a", *partition) && has("b", *partition)).map(|at| id("two", at));
    two.chain((0..3).filter(|partition| has("c", *partition)).map(|at| id("one", at))).collect()
}

proptest! {
    #[test]
    fn the_tasks_held_are_those_that_are_whole_and_none_that_stays_is_touched(
        steps in proptest::collection::vec(step(), 1..40),
        is_classic in any::<bool>(),
    ) {
        let protocol = if is_classic { GroupProtocol::Classic } else { GroupProtocol::Consumer };
        let all: BTreeSet<TopicPartition> =
            ["a", "b", "c"].iter().flat_map(|topic| (0..3).map(|at| TopicPartition::new(*topic, at))).collect();
        let (mut ownership, mut world) = (ownership(protocol), World::default());
        for step in &steps {
            let change = match step {
                Step::Give(from, count) => {
                    let free: BTreeSet<_> = all.difference(&world.partitions).cloned().collect();
                    Change::Assigned(some(&free, *from, *count))
                }
                // A classic group takes everything.
                Step::Take(_, _, lost) if is_classic => {
                    Change::Revoked { partitions: world.partitions.iter().cloned().collect(), lost: *lost }
                }
                Step::Take(from, count, lost) => {
                    Change::Revoked { partitions: some(&world.partitions, *from, *count), lost: *lost }
                }
            };
            let staying: BTreeSet<TaskId> = match &change {
                Change::Assigned(_) => world.held.clone(),
                Change::Revoked { partitions, .. } => {
                    let left = world.partitions.iter().filter(|at| !partitions.contains(at)).cloned().collect();
                    whole(&left)
                }
            };
            let actions = ownership.decide(change.clone());
            for action in &actions {
                world.act(action);
                ownership.done(action);
                let touched = match action {
                    Action::Park { task, .. } | Action::Return(task) | Action::Close(task) => Some(task),
                    Action::Begin(new) => Some(&new.id),
                    _ => None,
                };
                prop_assert!(touched.is_none_or(|task| !staying.contains(task)), "{:?} on {:?}", action, change);
            }
            prop_assert_eq!(&world.held, &whole(&world.partitions), "after {:?}", change);
            let may_return = is_classic && matches!(change, Change::Revoked { .. });
            prop_assert!(world.parked.is_empty() || may_return, "{:?} are kept after {:?}", world.parked, change);
        }
    }
}
