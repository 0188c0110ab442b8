//! One answer of the log after the other, against what was known at the start.
//!
//! ```text
//! all there, same ids and partition counts   the same
//! another id, another partition count        another, at once: no broker that is behind can make these up
//! not there                                  may be a broker that is behind; after 10 s and five such answers, gone
//! ```
//! One broker can be behind so far that it still shows a topic of the time before the run. Then the run stops for
//! nothing, and can be started again: better than to go on with a topic that may be another.

use crate::error::Error;
use crate::log::TopicIdentity;

use super::Known;

/// What an answer shows.
#[derive(Debug)]
pub(super) enum Verdict {
    /// The topics are the ones known.
    Same,
    /// Some are not to be seen, which may pass; what to say of it.
    NotSeen(String),
    /// They are others: an error of class stop.
    Others(Error),
}

/// Judges answers in the order in which they come.
#[derive(Debug)]
pub(super) struct Judge {
    known: Known,
    gone_after_ms: i64,
    /// For each topic: since when it was not to be seen, and in how many answers.
    missing: Vec<Option<Missing>>,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    since_ms: i64,
    answer_count: u32,
}

/// So many answers without a topic, at least, before it counts as gone.
const GONE_ANSWERS: u32 = 5;

impl Judge {
    pub(super) fn new(known: Known, gone_after_ms: i64) -> Self {
        let missing = vec![None; known.names().len()];
        Self { known, gone_after_ms, missing }
    }

    pub(super) fn known(&self) -> &Known {
        &self.known
    }

    pub(super) fn names(&self) -> &[String] {
        self.known.names()
    }

    /// Takes an answer in: for each topic, in the order known, what has its name now (monotonic ms).
    pub(super) fn judge(&mut self, found: &[Option<TopicIdentity>], now_ms: i64) -> Verdict {
        for (missing, found) in self.missing.iter_mut().zip(found) {
            *missing = match (found, *missing) {
                (Some(_), _) => None,
                (None, None) => Some(Missing { since_ms: now_ms, answer_count: 1 }),
                (None, Some(before)) => Some(Missing { answer_count: before.answer_count.saturating_add(1), ..before }),
            };
        }
        let changed: Vec<Changed> = self.known.iter().zip(found).filter_map(changed).collect();
        let gone: Vec<&str> = self.those_missing(|missing| self.is_gone(missing, now_ms)).collect();
        let unseen: Vec<&str> = self.those_missing(|_| true).collect();
        if changed.is_empty() && gone.is_empty() {
            return match unseen[..] {
                [] => Verdict::Same,
                _ => Verdict::NotSeen(format!("no topic {} is to be seen right now", quoted(&unseen))),
            };
        }
        let count = self.known.names().len();
        // One topic that is another is one topic; where none is left, it is not the topics that changed.
        let other_count = changed.iter().filter(|changed| !changed.is_wider).count();
        if count > 1 && other_count + unseen.len() == count {
            return Verdict::Others(Error::stop(format!(
                "none of the {count} topics is the one that this run knew: the brokers were made anew, or others answer at \
                 their address. Nothing that was read since was committed. Connect to the brokers that have the topics, \
                 or bring the records back, or reset the application; then start again ({})",
                changed.first().map_or_else(|| format!("gone: {}", quoted(&unseen)), |changed| changed.what.clone())
            )));
        }
        let others = changed.iter().find(|changed| !changed.is_wider);
        let what = match others.or(changed.first()) {
            Some(Changed { what, is_wider: true }) => {
                return Verdict::Others(Error::stop(format!(
                    "{what}. Nothing that was read since was committed. Start again: a new run knows all of them"
                )));
            }
            Some(Changed { what, .. }) => what.clone(),
            None => {
                let seconds = self.gone_after_ms / 1_000;
                format!("topic {} is gone: for {seconds} s no answer of the brokers has shown it", quoted(&gone))
            }
        };
        Verdict::Others(Error::stop(format!(
            "{what}. Nothing that was read since was committed. Bring back the topic as it was, or reset the application; \
             then start again"
        )))
    }

    fn is_gone(&self, missing: Missing, now_ms: i64) -> bool {
        missing.answer_count >= GONE_ANSWERS && now_ms.saturating_sub(missing.since_ms) >= self.gone_after_ms
    }

    fn those_missing(&self, which: impl Fn(Missing) -> bool) -> impl Iterator<Item = &str> {
        let missing = self.known.names().iter().zip(&self.missing);
        missing.filter(move |(_, missing)| missing.is_some_and(&which)).map(|(name, _)| name.as_str())
    }
}

/// What changed of a topic.
#[derive(Debug)]
struct Changed {
    what: String,
    /// It is the same topic, with more partitions.
    is_wider: bool,
}

/// What changed of a topic that is there.
fn changed(((name, known), found): ((&str, TopicIdentity), &Option<TopicIdentity>)) -> Option<Changed> {
    let found = (*found)?;
    if found.id != known.id {
        let (before, now) = (known.id, found.id);
        let what = format!(
            "topic '{name}' was deleted and made anew while this run used it (its id was {before}, it is {now} now)"
        );
        return Some(Changed { what, is_wider: false });
    }
    let (now, before) = (found.partition_count, known.partition_count);
    (now != before).then(|| {
        let what = format!(
            "topic '{name}' has {now} partitions now, {before} when this run began: the others would not be read"
        );
        Changed { what, is_wider: now > before }
    })
}

fn quoted(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Class;
    use crate::log::TopicId;

    fn identity(id: u8, partition_count: i32) -> TopicIdentity {
        TopicIdentity { id: TopicId::from_bytes([id; 16]), partition_count }
    }

    fn judge() -> Judge {
        let mut known = Known::new();
        known.add("in", identity(1, 1));
        known.add("out", identity(2, 3));
        Judge::new(known, 10_000)
    }

    fn message(verdict: Verdict) -> String {
        let Verdict::Others(error) = verdict else { panic!("{verdict:?}") };
        assert_eq!(error.class(), Class::Stop);
        error.to_string()
    }

    #[test]
    fn the_same_answer_is_the_same_for_ever() {
        let mut judge = judge();
        for now_ms in 0..100 {
            let verdict = judge.judge(&[Some(identity(1, 1)), Some(identity(2, 3))], now_ms);
            assert!(matches!(verdict, Verdict::Same), "{verdict:?}");
        }
    }

    #[test]
    fn another_id_or_partition_count_counts_at_once_and_is_named() {
        let anew = message(judge().judge(&[Some(identity(9, 1)), Some(identity(2, 3))], 0));
        assert!(anew.contains("topic 'in' was deleted and made anew"), "{anew}");
        let more = message(judge().judge(&[Some(identity(1, 2)), Some(identity(2, 3))], 0));
        assert!(more.contains("topic 'in' has 2 partitions now, 1 when this run began"), "{more}");
        assert!(more.ends_with("Start again: a new run knows all of them"), "{more}");
        let both = message(judge().judge(&[Some(identity(1, 2)), Some(identity(8, 3))], 0));
        assert!(both.contains("topic 'out' was deleted and made anew"), "{both}");
    }

    #[test]
    fn a_topic_is_gone_only_after_a_while_and_several_answers() {
        let mut judge = judge();
        let without = [None, Some(identity(2, 3))];
        for now_ms in [0, 1, 2, 3, 9_999] {
            assert!(matches!(judge.judge(&without, now_ms), Verdict::NotSeen(_)), "{now_ms}");
        }
        assert!(message(judge.judge(&without, 10_000)).contains("topic 'in' is gone"));

        let mut rarely = self::judge();
        for now_ms in [0, 10_000, 20_000, 30_000] {
            assert!(matches!(rarely.judge(&without, now_ms), Verdict::NotSeen(_)), "{now_ms}");
        }
        message(rarely.judge(&without, 40_000));
    }

    #[test]
    fn a_topic_that_is_seen_again_was_never_gone() {
        let mut judge = judge();
        let all = [Some(identity(1, 1)), Some(identity(2, 3))];
        for now_ms in 0..50 {
            let now_ms = now_ms * 1_000;
            assert!(matches!(judge.judge(&[None, all[1]], now_ms), Verdict::NotSeen(_)), "{now_ms}");
            if now_ms % 5_000 == 0 {
                assert!(matches!(judge.judge(&all, now_ms), Verdict::Same), "{now_ms}");
            }
        }
    }

    #[test]
    fn brokers_that_have_none_of_the_topics_are_told_from_a_topic_that_changed() {
        let mut judge = judge();
        for now_ms in 0..5 {
            assert!(matches!(judge.judge(&[None, None], now_ms), Verdict::NotSeen(_)));
        }
        let empty = message(judge.judge(&[None, None], 10_000));
        assert!(empty.contains("none of the 2 topics") && empty.contains("brokers were made anew"), "{empty}");
        let made = message(self::judge().judge(&[Some(identity(8, 1)), Some(identity(9, 3))], 0));
        assert!(made.contains("none of the 2 topics"), "{made}");
        let half = message(self::judge().judge(&[Some(identity(8, 1)), None], 0));
        assert!(half.contains("none of the 2 topics"), "{half}");
    }
}
