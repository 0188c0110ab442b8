//! What others do to topics and offsets.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::{Place, TestDriver};
use crate::error::{Error, Result};
use crate::log::Offset;
use crate::processor::Vouch;
use crate::task::Metadata;

impl TestDriver {
    /// The group's offsets are lost, as Kafka forgets them after a week without members: input is delivered from the beginning.
    /// What is not committed is void.
    pub fn lose_offsets(&mut self) -> Result<()> {
        for drive in &mut self.drives {
            drive.committed.fill((None, Metadata::default()));
        }
        self.abort()
    }

    /// Somebody moves the group's offset of a topic, or of one of its partitions, as Kafka's tools do; the processes have ended
    /// before. What is not committed is void.
    pub fn move_offset(&mut self, place: impl Into<Place>, offset: Offset) -> Result<()> {
        let place = place.into();
        let meant = self.topics.partitions(&place);
        for drive in self.drives.iter_mut().filter(|drive| meant.contains(&drive.partition)) {
            if let Some(input) = drive.input(&place.topic) {
                drive.committed[input] = (Some(offset), Metadata::default());
            }
        }
        self.abort()
    }

    /// Somebody deletes a topic; its offsets begin anew. From now on nobody vouches for it, and nothing is committed that was
    /// read from it, until [`TestDriver::abort`] has others begin who know no better.
    pub fn delete_topic(&mut self, topic: &str) {
        self.topics.delete(topic);
        self.replaced.0.borrow_mut().insert(topic.to_owned());
    }

    /// Retention deletes the records of a topic, or of one of its partitions, below this offset.
    pub fn delete_records(&mut self, place: impl Into<Place>, before: Offset) {
        self.topics.delete_records(&place.into(), before);
    }

    pub(super) fn voucher(&self, topics: &[String]) -> Voucher {
        Voucher { topics: topics.to_vec(), replaced: Rc::clone(&self.replaced) }
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

/// Vouches for the inputs of one task.
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
