//! A plan in words, a line for each sub-topology: what it reads, writes and keeps, in how many partitions.

use std::fmt;

use crate::graph::{SubTopologySpec, Topic};

use super::counts::Reason;
use super::topics::Purpose;
use super::{Plan, Planned};

impl fmt::Display for Plan {
    /// ```text
    /// sub-topology counting, 4 tasks: reads app-by-word-repartition (4, new, as many as 'splitting' reads); writes totals (1); keeps
    /// app-counts-changelog (4, new)
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, sub_topology) in self.topology.sub_topologies.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            let count = sub_topology.partition_count();
            let tasks = if count == 1 { "task" } else { "tasks" };
            write!(f, "sub-topology {}, {count} {tasks}: reads ", sub_topology.name)?;
            let read = sub_topology.source_topics().into_iter().map(Topic::name);
            write!(f, "{}", self.list(read))?;
            let written = sub_topology.sink_topics();
            if !written.is_empty() {
                write!(f, "; writes {}", self.list(written.iter().map(String::as_str)))?;
            }
            let kept: Vec<&str> = self.kept(sub_topology).map(|planned| planned.topic.name()).collect();
            if !kept.is_empty() {
                write!(f, "; keeps {}", self.list(kept.into_iter()))?;
            }
        }
        Ok(())
    }
}

impl Plan {
    fn kept(&self, sub: &SubTopologySpec) -> impl Iterator<Item = &Planned> {
        let is_its_own = |purpose: &Purpose| match purpose {
            Purpose::Changelog { sub_topology } => *sub_topology == sub.name,
            _ => false,
        };
        self.topics.iter().filter(move |planned| is_its_own(&planned.purpose))
    }

    fn list<'a>(&self, names: impl Iterator<Item = &'a str>) -> String {
        let told = names.filter_map(|name| self.topics.iter().find(|planned| planned.topic.name() == name));
        told.map(|planned| self.tell(planned)).collect::<Vec<_>>().join(", ")
    }

    fn tell(&self, Planned { topic, is_there, .. }: &Planned) -> String {
        let mut about = vec![topic.partition_count().unwrap_or(1).to_string()];
        about.extend((!is_there).then(|| "new".to_owned()));
        about.extend(self.counts.of(topic).and_then(|count| match &count.reason {
            Reason::There | Reason::Asked | Reason::Nothing => None,
            Reason::Beside(other) => Some(format!("as many as {other}")),
            Reason::SingleWriter => Some("for a single writer".to_owned()),
            Reason::Writer(sub_topology) => Some(format!("as many as '{sub_topology}' reads")),
        }));
        format!("{} ({})", topic.name(), about.join(", "))
    }
}
