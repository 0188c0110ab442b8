//! What others read of the tasks of a process: what is committed, all of it, and nothing else.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::checks::{Application, Replayed};
use super::history::{History, Read};
use crate::graph::changelog_topic;
use crate::log::TopicPartition;
use crate::query::Registry;
use crate::store::changelog::Timed;
use crate::store::{Direction, Reader};

impl Application<'_> {
    /// Each store that can be read holds what its changelog says up to where the store says that it stands.
    pub(super) fn check_reads(&self, history: &History, queries: &Registry) -> Result<(), String> {
        for (task, reader) in queries.readers() {
            for (store, name) in reader.names().iter().enumerate() {
                let changelog = TopicPartition::new(changelog_topic(self.id, name), task.partition);
                let Some(read) = history.of(&changelog) else { continue };
                let checked = check_store(&reader, store, &changelog, read);
                checked.map_err(|what| format!("of store {name} of task {task} {what}"))?;
            }
        }
        Ok(())
    }
}

fn check_store(reader: &Reader, store: usize, changelog: &TopicPartition, read: &Read) -> Result<(), String> {
    // Nothing plays meanwhile, so that all this is of one moment. A task that has gone shows nothing.
    let Ok(view) = reader.view() else { return Ok(()) };
    let position = view.position(store).map_err(|error| error.to_string())?.unwrap_or(0);
    // Behind an open transaction nothing is known yet.
    if position > read.end {
        return Ok(());
    }
    let mut replayed = Replayed::default();
    for record in read.records.iter().take_while(|record| record.offset < position) {
        replayed.take(changelog, record)?;
    }
    let mut shown = BTreeMap::new();
    let visited = view.all(store, Direction::Forward, |key, time_ms, value| {
        shown.insert(key.to_vec(), [&Timed::head(time_ms)[..], value].concat());
        ControlFlow::Continue(())
    });
    visited.map_err(|error| error.to_string())?;
    if let Some(what) = replayed.differs(&shown) {
        return Err(format!("a view and what is committed up to {position} of {changelog} differ: {what}"));
    }
    for (key, committed) in &replayed.entries {
        let found = reader.get(store, key).map_err(|error| error.to_string())?;
        let found = found.map(|found| [&Timed::head(found.time_ms)[..], &found.value].concat());
        if found.as_ref() != Some(committed) {
            let key = key.escape_ascii();
            return Err(format!(
                "key '{key}' is {found:?}, {committed:?} is committed up to {position} of {changelog}"
            ));
        }
    }
    Ok(())
}
