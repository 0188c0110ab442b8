//! Which instance has which tasks.
//!
//! The group knows its members, what each has, and what the client of each calls itself. So that is where an instance
//! says who it is and where it can be asked; it comes and goes with the membership, and needs no topic and no right of
//! its own:
//!
//! ```text
//! client.id of a member   <application id>-<instance id>-<thread>[@<address>]
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::registry::{LocalTask, Role};
use crate::log::{GroupMember, TopicPartition};
use crate::task::TaskId;

/// Which instance has which tasks, as the group had it when it was asked. Tasks that are moving have no holder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The instances that are members of the group, by their ids.
    pub instances: Vec<Instance>,
}

/// An instance of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Instance {
    /// Its id, which its state directory keeps. Of a member that is of another application: what its client calls
    /// itself.
    pub id: String,
    /// Where it can be asked: its [`Config::advertised_address`](crate::client::Config::advertised_address).
    pub address: Option<String>,
    /// Whether it is this one.
    pub is_here: bool,
    /// The tasks that the group has given it, of all its threads, by sub-topology and partition. It may still be
    /// restoring them.
    pub tasks: Vec<TaskId>,
    /// The tasks that it keeps warm ([`Config::standby_replicas`](crate::client::Config::standby_replicas)), by
    /// sub-topology and partition. Of this instance it is what can be read here now. Of others it is what they are to
    /// keep: each works that out from what the group tells, and so does this one for them. So it holds where all
    /// instances have the same `standby_replicas`, a few seconds after the last rebalance, and one that begins may
    /// still be far behind: [`Queries::tasks`](super::Queries::tasks) there tells how far.
    pub standbys: Vec<TaskId>,
}

/// What a sub-topology reads, once that is known.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    pub(super) sub_topology: String,
    pub(super) topics: Vec<String>,
    pub(super) partition_count: i32,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The application, and its group.
    pub(crate) application_id: String,
    /// The instance.
    pub(crate) instance_id: String,
}

/// What a member's client calls itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientName<'a> {
    pub(crate) application_id: &'a str,
    pub(crate) instance_id: &'a str,
    /// The stream thread, in letters and digits.
    pub(crate) thread: &'a str,
    pub(crate) address: Option<&'a str>,
}

impl Metadata {
    /// The instance that has a task.
    pub fn holder(&self, task: &TaskId) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.tasks.contains(task))
    }

    /// The instances that are to keep a task warm: who cannot wait for its holder may ask them, for what may be a
    /// little old.
    pub fn standbys<'m>(&'m self, task: &'m TaskId) -> impl Iterator<Item = &'m Instance> {
        self.instances.iter().filter(|instance| instance.standbys.contains(task))
    }

    /// Which tasks each instance is to keep warm, and what is kept warm here in truth.
    pub(super) fn set_standbys(&mut self, mut planned: BTreeMap<String, BTreeSet<TaskId>>, here: &[LocalTask]) {
        for instance in &mut self.instances {
            instance.standbys = if instance.is_here {
                let here = here.iter().filter(|local| matches!(local.role, Role::Standby { .. }));
                here.map(|local| local.task.clone()).collect()
            } else {
                planned.remove(&instance.id).into_iter().flatten().collect()
            };
        }
    }

    /// What members of the group have.
    pub(super) fn of(members: &[GroupMember], inputs: &[Inputs], asking: &Identity) -> Self {
        let mut instances: Vec<Instance> = Vec::new();
        for member in members {
            let name = ClientName::parse(&member.client_id, &asking.application_id);
            let (id, address) = name.map_or((member.client_id.as_str(), None), |name| (name.instance_id, name.address));
            let instance = match instances.iter_mut().position(|instance| instance.id == id) {
                Some(at) => &mut instances[at],
                None => {
                    let is_here = name.is_some() && id == asking.instance_id;
                    let address = address.map(str::to_owned);
                    instances.push(Instance {
                        id: id.to_owned(),
                        address,
                        is_here,
                        tasks: Vec::new(),
                        standbys: Vec::new(),
                    });
                    let last = instances.len() - 1;
                    &mut instances[last]
                }
            };
            instance.tasks.extend(inputs.iter().flat_map(|inputs| inputs.tasks_of(&member.partitions)));
        }
        instances.sort_by(|a, b| a.id.cmp(&b.id));
        instances.iter_mut().for_each(|instance| instance.tasks.sort());
        Self { instances }
    }
}

impl Inputs {
    /// The tasks all of whose inputs are among these.
    fn tasks_of<'a>(&'a self, partitions: &'a [TopicPartition]) -> impl Iterator<Item = TaskId> + 'a {
        let has = move |topic: &String, partition: i32| {
            partitions.iter().any(|at| at.topic == *topic && at.partition == partition)
        };
        let is_whole = move |partition: &i32| self.topics.iter().all(|topic| has(topic, *partition));
        let whole = (0..self.partition_count).filter(is_whole).filter(|_| !self.topics.is_empty());
        whole.map(|partition| TaskId { sub_topology: self.sub_topology.clone(), partition })
    }
}

impl<'a> ClientName<'a> {
    /// Of a member of this application's group; `None` if it is none of ours.
    pub(crate) fn parse(client_id: &'a str, application_id: &'a str) -> Option<Self> {
        let rest = client_id.strip_prefix(application_id)?.strip_prefix('-')?;
        // Neither an instance's id nor a thread's number has an @, and an address may have several.
        let (name, address) = rest.split_once('@').map_or((rest, None), |(name, address)| (name, Some(address)));
        let (instance_id, thread) = name.rsplit_once('-')?;
        Some(Self { application_id, instance_id, thread, address })
    }
}

impl fmt::Display for ClientName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.application_id, self.instance_id, self.thread)?;
        self.address.map_or(Ok(()), |address| write!(f, "@{address}"))
    }
}

/// Whether an address can be part of a client's name: brokers write that into their logs and metrics. The error says
/// what can.
pub(crate) fn check_address(address: &str) -> Result<(), String> {
    if (1..=255).contains(&address.len()) && address.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!(
        "{address:?} cannot be advertised as an address: use 1 to 255 visible ASCII characters, as in host:port"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn member(client_id: &str, partitions: &[(&str, i32)]) -> GroupMember {
        let partitions = partitions.iter().map(|(topic, partition)| TopicPartition::new(*topic, *partition)).collect();
        GroupMember { id: "m".to_owned(), client_id: client_id.to_owned(), instance_id: None, partitions }
    }

    fn inputs(sub_topology: &str, topics: &[&str], partition_count: i32) -> Inputs {
        let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
        Inputs { sub_topology: sub_topology.to_owned(), topics, partition_count }
    }

    fn task(sub_topology: &str, partition: i32) -> TaskId {
        TaskId { sub_topology: sub_topology.to_owned(), partition }
    }

    #[test]
    fn members_of_one_instance_are_one_and_a_task_is_theirs_who_have_all_of_its_inputs() {
        let members = [
            member("app-b-1@http://b:80/x@y", &[("in", 1), ("other", 0)]),
            member("app-a-1@a:80", &[("in", 0), ("left", 0), ("right", 1)]),
            member("app-b-2@http://b:80/x@y", &[("left", 1), ("right", 0)]),
            member("stranger", &[("in", 2)]),
        ];
        let inputs = [inputs("count", &["in"], 3), inputs("join", &["left", "right"], 2), inputs("empty", &[], 1)];
        let asking = Identity { application_id: "app".to_owned(), instance_id: "a".to_owned() };
        let metadata = Metadata::of(&members, &inputs, &asking);
        let of = |id: &str, address: Option<&str>, is_here, tasks: Vec<TaskId>| Instance {
            id: id.to_owned(),
            address: address.map(str::to_owned),
            is_here,
            tasks,
            standbys: Vec::new(),
        };
        assert_eq!(
            metadata.instances,
            [
                of("a", Some("a:80"), true, vec![task("count", 0)]),
                of("b", Some("http://b:80/x@y"), false, vec![task("count", 1)]),
                of("stranger", None, false, vec![task("count", 2)]),
            ]
        );
        assert_eq!(metadata.holder(&task("count", 1)).unwrap().id, "b");
        assert_eq!(metadata.holder(&task("join", 0)), None, "its inputs are on their way");
    }

    #[test]
    fn of_this_instance_it_tells_what_it_keeps_warm_and_of_others_what_they_are_to() {
        let members = [member("app-a-1", &[("in", 0)]), member("app-b-1", &[("in", 1)])];
        let asking = Identity { application_id: "app".to_owned(), instance_id: "a".to_owned() };
        let mut metadata = Metadata::of(&members, &[inputs("count", &["in"], 2)], &asking);
        let planned = [("a", &[1][..]), ("b", &[0, 7])].into_iter().map(|(id, partitions)| {
            (id.to_owned(), partitions.iter().map(|partition| task("count", *partition)).collect())
        });
        let here = [
            LocalTask { task: task("count", 0), role: Role::Active },
            LocalTask { task: task("count", 5), role: Role::Standby { lag: 3 } },
        ];
        metadata.set_standbys(planned.collect(), &here);
        let told: Vec<_> = metadata.instances.iter().map(|instance| &instance.standbys[..]).collect();
        assert_eq!(told, [&[task("count", 5)][..], &[task("count", 0), task("count", 7)]]);
        let of_first = task("count", 0);
        let standbys: Vec<&str> = metadata.standbys(&of_first).map(|instance| instance.id.as_str()).collect();
        assert_eq!((standbys, metadata.holder(&of_first).unwrap().id.as_str()), (vec!["b"], "a"));
    }

    #[test]
    fn an_address_is_what_a_client_can_be_called_by() {
        for fit in ["host:8080", "http://[::1]:8080/state?a=b@c", "x"] {
            assert_eq!(check_address(fit), Ok(()));
        }
        for unfit in ["", "a b", "ä:80", "a\n", &"x".repeat(256)] {
            assert!(check_address(unfit).is_err(), "{unfit:?}");
        }
    }

    proptest! {
        #[test]
        fn what_a_client_is_called_tells_who_it_is(
            application_id in "[a-z._-]{1,20}", instance_id in "[0-9]{3}-[0-9a-f]{4}|[a-z]", thread in "[a-z0-9]{1,3}",
            address in prop::option::of("[!-~]{1,40}"),
        ) {
            let name = ClientName {
                application_id: &application_id, instance_id: &instance_id, thread: &thread, address: address.as_deref(),
            };
            let text = name.to_string();
            prop_assert_eq!(ClientName::parse(&text, &application_id), Some(name));
        }

        #[test]
        fn no_name_makes_parsing_panic(client_id: String, application_id: String) {
            let _ = ClientName::parse(&client_id, &application_id);
        }
    }
}
