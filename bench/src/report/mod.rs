//! What was measured, put together: spreads over the rounds, ratios within them, as tables or as JSON.
//!
//! ```text
//! spread   least, median and greatest of a few values
//! table    for readers
//! json     for programs
//! ```
//! Pure: how it was measured is not known here.

mod json;
mod spread;
mod table;

use std::collections::BTreeMap;

pub(crate) use json::json;
pub(crate) use spread::Spread;
pub(crate) use table::tables;

use crate::measure::figure::{Figure, Figures};

/// All that was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// In the order in which they are shown.
    pub(crate) subjects: Vec<String>,
    /// Pairs of subjects: the first one's figures are divided by the second one's.
    pub(crate) ratios: Vec<(String, String)>,
    /// By subject and round.
    rounds: BTreeMap<(String, u32), Figures>,
    /// What could not be measured, one line each.
    pub(crate) failures: Vec<String>,
}

impl Results {
    /// Adds what a subject took in a round.
    pub(crate) fn add(&mut self, subject: &str, round: u32, figures: Figures) {
        self.rounds.entry((subject.to_owned(), round)).or_default().extend(figures);
    }

    /// By subject and round, for those who want every value.
    pub(crate) fn rounds(&self) -> impl Iterator<Item = (&str, u32, &Figures)> {
        self.rounds.iter().map(|((subject, round), figures)| (subject.as_str(), *round, figures))
    }

    /// A figure of a subject over the rounds in which it was measured.
    pub(crate) fn spread(&self, subject: &str, figure: Figure) -> Option<Spread> {
        let of_subject = self.rounds().filter(|(name, ..)| *name == subject);
        Spread::of(of_subject.filter_map(|(_, _, figures)| figures.get(&figure).copied()))
    }

    /// The first subject's figure over the second one's, round by round: a machine that was slow in one round slowed
    /// both.
    pub(crate) fn ratio(&self, pair: &(String, String), figure: Figure) -> Option<Spread> {
        let of_first = self.rounds().filter(|(name, ..)| *name == pair.0);
        Spread::of(of_first.filter_map(|(_, round, figures)| {
            let other = self.rounds.get(&(pair.1.clone(), round))?.get(&figure)?;
            let one = figures.get(&figure)?;
            (*other > 0.0).then(|| one / other)
        }))
    }

    /// The pairs of which both were measured.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &(String, String)> {
        self.ratios.iter().filter(|(one, other)| self.subjects.contains(one) && self.subjects.contains(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_computed_within_each_round() {
        let mut results = Results::default();
        let pair = ("one".to_owned(), "other".to_owned());
        // The machine was half as fast in the second round: values spread, the ratio does not.
        for (round, one, other) in [(1, 100.0, 50.0), (2, 50.0, 25.0)] {
            results.add("one", round, Figures::from([(Figure::Rate, one)]));
            results.add("other", round, Figures::from([(Figure::Rate, other)]));
        }
        // A round that only one of them finished has no ratio.
        results.add("one", 3, Figures::from([(Figure::Rate, 7.0)]));
        assert_eq!(
            results.ratio(&pair, Figure::Rate),
            Some(Spread { least: 2.0, median: 2.0, greatest: 2.0, count: 2 })
        );
        let spread = results.spread("one", Figure::Rate);
        assert_eq!(spread, Some(Spread { least: 7.0, median: 50.0, greatest: 100.0, count: 3 }));
        assert_eq!(results.spread("one", Figure::Cpu), None);
    }

    #[test]
    fn two_visits_in_a_round_are_one_result() {
        let mut results = Results::default();
        results.add("one", 1, Figures::from([(Figure::Rate, 1.0)]));
        results.add("one", 1, Figures::from([(Figure::CommitP99, 2.0)]));
        assert_eq!(results.rounds().count(), 1);
        assert!(results.spread("one", Figure::CommitP99).is_some());
    }
}
