//! What others do to topics and offsets.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use super::TestDriver;
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

    /// Somebody moves the group's offset, as Kafka's tools do; the processes have ended before. What is not committed is void.
    pub fn move_offset(&mut self, topic: &str, offset: Offset) -> Result<()> {
        for drive in &mut self.drives {
            if let Some(input) = drive.input(topic) {
                drive.committed[input] = (Some(offset), Metadata::default());
            }
        }
        self.abort()
    }

    /// Somebody deletes a topic; its offsets begin anew. From now on nobody vouches for it, and nothing is committed that was
    /// read from it, until [`TestDriver::abort`] has others begin who know no better.
    pub fn delete_topic(&mut self, topic: &str) {
        self.topics.remove(topic);
        self.replaced.0.borrow_mut().insert(topic.to_owned());
    }

    /// Retention deletes the records of a topic below this offset; the last record of all stays.
    pub fn delete_records(&mut self, topic: &str, before: Offset) {
        if let Some(records) = self.topics.get_mut(topic) {
            let kept = records.partition_point(|record| record.offset < before).min(records.len().saturating_sub(1));
            records.drain(..kept);
        }
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
