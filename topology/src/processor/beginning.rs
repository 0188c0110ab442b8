//! Where an input of a task begins.
//!
//! ```text
//!           first            committed        stable end    end
//!   deleted   │   processed       │  to process    │ undecided │
//!   ──────────┴───────────────────┴────────────────┴───────────┘
//!                                 ^ here, unless a processor says otherwise ([`Context::begin_at`])
//! ```
//! [`Context::begin_at`]: super::Context::begin_at

use crate::error::{Error, Result};
use crate::log::{Offset, TopicPartition};

/// A partition as it was when its task was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputRange {
    /// Offset of the first record there may be.
    pub first: Offset,
    /// The end of the committed input, the last stable offset: all that a predecessor can have read lies below it.
    pub stable_end: Offset,
    /// One past the last record, that of an open transaction too.
    pub end: Offset,
}

/// Where input begins, and who says so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    /// The group's committed offset.
    committed: Option<Offset>,
    /// What a processor asked for.
    chosen: Option<Offset>,
    range: InputRange,
    /// The processors have been initialised: it is too late to choose.
    pub(super) is_settled: bool,
}

impl Beginning {
    pub(super) fn new(committed: Option<Offset>, range: InputRange) -> Self {
        Self { committed, chosen: None, range, is_settled: false }
    }

    pub(super) fn range(&self) -> InputRange {
        self.range
    }

    /// A processor knows from its state where input goes on.
    pub(super) fn choose(&mut self, partition: &TopicPartition, offset: Offset) -> Result<()> {
        if self.is_settled {
            return Err(Error::stop("where input begins is to be said in Processor::init: now it has begun"));
        }
        if let Some(chosen) = self.chosen.filter(|chosen| *chosen != offset) {
            return Err(Error::stop(format!(
                "one processor has {partition} begin at offset {chosen}, another at {offset}: they must agree"
            )));
        }
        let end = self.range.end;
        if offset > end {
            return Err(Error::stop(format!(
                "the state has taken {partition} up to offset {offset}, but the topic ends at {end}: the topic was \
                 truncated, or deleted and made anew, and what it holds now was never processed. Bring the records back, \
                 or reset the application"
            )));
        }
        self.chosen = Some(offset);
        Ok(())
    }

    /// The next offset to process.
    pub(super) fn next_offset(&self) -> Offset {
        self.wanted().map_or(self.range.first, |offset| offset.max(self.range.first))
    }

    /// Whether a processor says where it is.
    pub(super) fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Whether it is where the group's offset says.
    pub(super) fn is_as_committed(&self) -> bool {
        self.chosen.is_none_or(|chosen| Some(chosen) == self.committed)
    }

    /// Refuses input that ends before the committed offset, unless a processor knows better; says aloud what was
    /// deleted before it was processed: it cannot be brought back.
    pub(super) fn settle(&mut self, partition: &TopicPartition) -> Result<()> {
        self.is_settled = true;
        let InputRange { first, end, .. } = self.range;
        if let (None, Some(committed)) = (self.chosen, self.committed)
            && committed > end
        {
            return Err(Error::stop(format!(
                "the committed offset {committed} of {partition} lies beyond the topic's end {end}: the topic was \
                 truncated, or deleted and made anew, and what it holds now was never processed. Bring the records back, \
                 or reset the application"
            )));
        }
        if let Some(wanted) = self.wanted().filter(|wanted| *wanted < first) {
            let lost = first - wanted;
            tracing::error!(%partition, from = wanted, first, lost, "input was deleted before it was processed");
        }
        Ok(())
    }

    fn wanted(&self) -> Option<Offset> {
        self.chosen.or(self.committed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: InputRange = InputRange { first: 10, stable_end: 90, end: 100 };

    fn begin(committed: Option<Offset>, chosen: Option<Offset>) -> Result<Offset> {
        let partition = TopicPartition::new("in", 0);
        let mut beginning = Beginning::new(committed, RANGE);
        chosen.map_or(Ok(()), |offset| beginning.choose(&partition, offset))?;
        beginning.settle(&partition)?;
        Ok(beginning.next_offset())
    }

    #[test]
    fn what_a_processor_says_counts_whatever_was_committed() {
        for committed in [None, Some(0), Some(20), Some(100), Some(7_000)] {
            for chosen in [10, 20, 50, 100] {
                assert_eq!(begin(committed, Some(chosen)).unwrap(), chosen, "{committed:?}");
            }
            assert_eq!(begin(committed, Some(3)).unwrap(), 10, "the first there is");
            let error = begin(committed, Some(101)).unwrap_err().to_string();
            assert!(error.contains("up to offset 101") && error.contains("ends at 100"), "{error}");
        }
    }

    #[test]
    fn else_the_committed_offset_counts() {
        assert_eq!(begin(None, None).unwrap(), 10);
        assert_eq!(begin(Some(3), None).unwrap(), 10);
        // An open transaction may cover it.
        assert_eq!(begin(Some(100), None).unwrap(), 100);
        let error = begin(Some(101), None).unwrap_err().to_string();
        assert!(error.contains("committed offset 101 of in-0 lies beyond the topic's end 100"), "{error}");
    }

    #[test]
    fn it_is_said_once_and_before_input_begins() {
        let partition = TopicPartition::new("in", 0);
        let mut beginning = Beginning::new(Some(20), RANGE);
        beginning.choose(&partition, 30).unwrap();
        beginning.choose(&partition, 30).unwrap();
        assert!(!beginning.is_as_committed());
        assert!(beginning.choose(&partition, 31).unwrap_err().to_string().contains("must agree"));
        beginning.settle(&partition).unwrap();
        assert!(beginning.choose(&partition, 30).unwrap_err().to_string().contains("Processor::init"));
    }
}
