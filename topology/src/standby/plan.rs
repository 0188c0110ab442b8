//! Which tasks an instance keeps warm: pure.
//!
//! No assignor of our own tells members what to keep warm, so each instance works it out by itself, from what the group
//! tells all of them: who its members are, and what each has. Groups here share by `range`, and that is known in
//! advance:
//!
//! ```text
//!   members, in the group's order       a-01   b-01   c-01          task 0 is a's. Were a gone, b would get it: b keeps it warm.
//!   six tasks by range                  0 1    2 3    4 5           Were b gone as well, c would: c is the second replica.
//! ```
//! A standby that turns out to be another's costs a restore, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::TopicPartition;
use crate::task::TaskId;

/// A member of the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its place in the group's order: its instance id, or else its member id.
    pub order: String,
    /// The process that it is a thread of.
    pub process: String,
    /// What it has.
    pub assigned: Vec<TopicPartition>,
}

/// A sub-topology whose tasks have state worth keeping warm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stateful {
    pub name: String,
    /// A topic that it reads; its others are assigned alike.
    pub topic: String,
    pub partition_count: i32,
}

/// The tasks that this process keeps warm, so many replicas of each being wanted in the group.
pub(crate) fn own_standbys(
    members: &[Member],
    stateful: &[Stateful],
    own_process: &str,
    replica_count: usize,
) -> BTreeSet<TaskId> {
    all_standbys(members, stateful, replica_count).remove(own_process).unwrap_or_default()
}

/// The tasks that each process keeps warm.
pub(crate) fn all_standbys<'m>(
    members: &'m [Member],
    stateful: &[Stateful],
    replica_count: usize,
) -> BTreeMap<&'m str, BTreeSet<TaskId>> {
    let mut sorted: Vec<&Member> = members.iter().collect();
    sorted.sort_by(|one, other| one.order.cmp(&other.order));
    let holders = holders(&sorted);
    let mut standbys: BTreeMap<&str, BTreeSet<TaskId>> = BTreeMap::new();
    for Stateful { name, topic, partition_count } in stateful {
        for partition in 0..*partition_count {
            // One that is on its way has no holder: its next holder restores it, and is not known yet.
            let Some(holder) = holders.get(&TopicPartition::new(topic.as_str(), partition)) else { continue };
            for next in successors(&sorted, holder, partition, *partition_count).take(replica_count) {
                standbys.entry(next).or_default().insert(TaskId { sub_topology: name.clone(), partition });
            }
        }
    }
    standbys
}

/// The tasks of which it is not settled who has them: no member, as while the group shares anew, or this process, whose
/// stream thread may be about to take them over. What is kept warm of them is kept until it is.
pub(crate) fn unsettled(members: &[Member], stateful: &[Stateful], own_process: &str) -> BTreeSet<TaskId> {
    let holders = holders(&members.iter().collect::<Vec<_>>());
    let mut tasks = BTreeSet::new();
    for Stateful { name, topic, partition_count } in stateful {
        let is_unsettled = |partition: &i32| {
            let holder = holders.get(&TopicPartition::new(topic.as_str(), *partition));
            holder.is_none_or(|holder| *holder == own_process)
        };
        let of = |partition| TaskId { sub_topology: name.clone(), partition };
        tasks.extend((0..*partition_count).filter(is_unsettled).map(of));
    }
    tasks
}

/// By partition, the process that has it.
fn holders<'m>(members: &[&'m Member]) -> BTreeMap<TopicPartition, &'m str> {
    let of = |member: &&'m Member| {
        let process = member.process.as_str();
        member.assigned.iter().map(move |partition| (partition.clone(), process)).collect::<Vec<_>>()
    };
    members.iter().flat_map(of).collect()
}

/// The processes that would get a partition, were its holder gone, then the next one as well, and so on.
fn successors<'m>(
    members: &[&'m Member],
    holder: &'m str,
    partition: i32,
    partition_count: i32,
) -> impl Iterator<Item = &'m str> {
    let mut left: Vec<&Member> = members.iter().copied().filter(|member| member.process != holder).collect();
    std::iter::from_fn(move || {
        let next = left.get(by_range(left.len(), partition, partition_count)?)?.process.as_str();
        left.retain(|member| member.process != next);
        Some(next)
    })
}

/// Which of so many members gets a partition: each the same number of consecutive ones, the first ones one more where
/// that does not come out even.
fn by_range(member_count: usize, partition: i32, partition_count: i32) -> Option<usize> {
    let (partition, partition_count) = (usize::try_from(partition).ok()?, usize::try_from(partition_count).ok()?);
    let share = partition_count.checked_div(member_count)?;
    let with_one_more = partition_count % member_count;
    let in_larger_shares = with_one_more * (share + 1);
    match partition < in_larger_shares {
        true => Some(partition / (share + 1)),
        false => Some(with_one_more + (partition - in_larger_shares).checked_div(share)?),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a group gives out by range.
    fn group(processes: &[(&str, usize)], partition_count: i32) -> Vec<Member> {
        let names: Vec<(String, String)> = processes
            .iter()
            .flat_map(|(process, threads)| {
                (1..=*threads).map(move |thread| (format!("{process}-{thread:02}"), (*process).to_owned()))
            })
            .collect();
        let count = names.len();
        let of = |(index, (order, process)): (usize, (String, String))| {
            let own =
                (0..partition_count).filter(|partition| by_range(count, *partition, partition_count) == Some(index));
            Member { order, process, assigned: own.map(|partition| TopicPartition::new("in", partition)).collect() }
        };
        names.into_iter().enumerate().map(of).collect()
    }

    fn stateful(partition_count: i32) -> Vec<Stateful> {
        vec![Stateful { name: "counting".to_owned(), topic: "in".to_owned(), partition_count }]
    }

    fn warm(members: &[Member], process: &str, partition_count: i32, replica_count: usize) -> Vec<i32> {
        let own = own_standbys(members, &stateful(partition_count), process, replica_count);
        own.into_iter().map(|task| task.partition).collect()
    }

    #[test]
    fn each_keeps_warm_what_it_would_get_were_another_gone() {
        let members = group(&[("a", 1), ("b", 1), ("c", 1)], 6);
        // Two would have three each.
        assert_eq!(warm(&members, "a", 6, 1), [2]);
        assert_eq!(warm(&members, "b", 6, 1), [0, 1, 4, 5]);
        assert_eq!(warm(&members, "c", 6, 1), [3]);
        assert_eq!(warm(&members, "a", 6, 2), [2, 3, 4, 5], "all that others have");
        assert!(warm(&members, "a", 6, 0).is_empty());
    }

    #[test]
    fn what_is_nobodys_or_just_its_own_is_unsettled_and_what_others_have_is_not() {
        let mut members = group(&[("a", 1), ("b", 1), ("c", 1)], 6);
        let unsettled = |members: &[Member]| -> Vec<i32> {
            unsettled(members, &stateful(6), "c").into_iter().map(|task| task.partition).collect()
        };
        assert_eq!(unsettled(&members), [4, 5]);
        members[1].assigned.clear();
        assert_eq!(unsettled(&members), [2, 3, 4, 5], "b gave up what it had");
        assert_eq!(unsettled(&[]), [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_thread_keeps_nothing_warm_for_another_of_its_own_process() {
        let members = group(&[("a", 3)], 6);
        assert!(warm(&members, "a", 6, 1).is_empty());
        let members = group(&[("a", 2), ("b", 2)], 8);
        assert_eq!(warm(&members, "b", 8, 1), [0, 1, 2, 3]);
        assert_eq!(warm(&members, "a", 8, 1), [4, 5, 6, 7]);
    }

    #[test]
    fn what_nobody_has_just_now_is_kept_warm_by_nobody() {
        let mut members = group(&[("a", 1), ("b", 1)], 4);
        members[0].assigned.clear();
        assert!(warm(&members, "b", 4, 1).is_empty());
    }

    proptest! {
        /// Each task has as many standbys as are asked for, on as many processes, or on all others where they are
        /// fewer; and where a process goes, what the group then gives out lies where a standby was.
        #[test]
        fn each_task_has_its_replicas_and_they_are_where_it_goes(
            threads in proptest::collection::vec(1_usize..4, 1..6),
            partition_count in 1_i32..24,
            replica_count in 0_usize..4,
        ) {
            let names: Vec<String> = (0..threads.len()).map(|index| format!("p{index}")).collect();
            let processes: Vec<(&str, usize)> = names.iter().map(String::as_str).zip(threads.iter().copied()).collect();
            let members = group(&processes, partition_count);
            let mut standbys: BTreeMap<i32, BTreeSet<&str>> = BTreeMap::new();
            for name in &names {
                for partition in warm(&members, name, partition_count, replica_count) {
                    prop_assert!(standbys.entry(partition).or_default().insert(name));
                }
            }
            let holders_of = |members: &[Member]| -> BTreeMap<i32, String> {
                members.iter().flat_map(|member| member.assigned.iter().map(|at| (at.partition, member.process.clone()))).collect()
            };
            let holders = holders_of(&members);
            for partition in 0..partition_count {
                let warm = standbys.get(&partition).cloned().unwrap_or_default();
                prop_assert_eq!(warm.len(), replica_count.min(names.len() - 1));
                prop_assert!(!warm.contains(holders[&partition].as_str()));
            }
            if replica_count > 0 && names.len() > 1 {
                let gone = names[0].as_str();
                let left: Vec<(&str, usize)> = processes.iter().copied().filter(|(name, _)| *name != gone).collect();
                let after = holders_of(&group(&left, partition_count));
                for (partition, _) in holders.iter().filter(|(_, holder)| *holder == gone) {
                    prop_assert!(standbys[partition].contains(after[partition].as_str()));
                }
            }
        }
    }
}
