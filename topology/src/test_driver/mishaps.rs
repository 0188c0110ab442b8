//! What others do to topics and offsets.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Place, TestDriver};
use crate::error::{Error, Result};
use crate::log::{Committed, Offset, TopicPartition};
use crate::processor::Vouch;

impl TestDriver {
    /// The group's offsets are lost, as Kafka forgets them after a week without members: input is delivered from the
    /// beginning. What is not committed is void.
    pub fn lose_offsets(&mut self) -> Result<()> {
        self.broker.offsets.clear();
        self.abort()
    }

    /// Somebody moves the group's offset of a topic, or of one of its partitions, as Kafka's tools do; the processes
    /// have ended before. What is not committed is void.
    pub fn move_offset(&mut self, place: impl Into<Place>, offset: Offset) -> Result<()> {
        let place = place.into();
        for partition in self.broker.topics.partitions(&place) {
            let moved = Committed { offset, metadata: String::new() };
            self.broker.offsets.insert(TopicPartition::new(place.topic.clone(), partition), moved);
        }
        self.abort()
    }

    /// Somebody deletes a topic; its offsets begin anew. From now on nothing vouches for it, and nothing is committed
    /// that was read from it, until [`TestDriver::abort`] has others begin who know no better.
    pub fn delete_topic(&mut self, topic: &str) {
        self.broker.topics.delete(topic);
        self.replaced.0.borrow_mut().insert(topic.to_owned());
    }

    /// Retention deletes the records of a topic, or of one of its partitions, below this offset.
    pub fn delete_records(&mut self, place: impl Into<Place>, before: Offset) {
        self.broker.topics.delete_records(&place.into(), before);
    }

    pub(super) fn voucher(&self, topics: Vec<String>) -> Voucher {
        Voucher { topics, replaced: Rc::clone(&self.replaced) }
    }
}

/// Topics that were deleted since the processes began that know them.
#[derive(Debug, Default)]
pub(super) struct Replaced(RefCell<BTreeSet<String>>);

impl Replaced {
    /// Others begin, and take the topics for what they are now.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }
}

/// Vouches for inputs.
#[derive(Debug)]
pub(super) struct Voucher {
    topics: Vec<String>,
    replaced: Rc<Replaced>,
}

impl Vouch for Voucher {
    fn vouch(&self) -> Result<()> {
        let replaced = self.replaced.0.borrow();
        match self.topics.iter().find(|topic| replaced.contains(*topic)) {
            Some(topic) => {
                Err(Error::stop(format!("topic '{topic}' was deleted and made anew while this run used it")))
            }
            None => Ok(()),
        }
    }
}
