//! Topics that were made since the run began, and that it would read had they been there.

use std::collections::BTreeMap;

use super::Known;

/// How often it is said of one, ms.
const SAY_EVERY_MS: i64 = 300_000;

/// Which of them were told, and when.
#[derive(Debug, Default)]
pub(super) struct Newcomers {
    said_ms: BTreeMap<String, i64>,
}

impl Newcomers {
    /// Of all topics there are (monotonic ms) those that are to be told of now.
    pub(super) fn look<'n>(&mut self, known: &Known, names: &'n [String], now_ms: i64) -> Vec<&'n str> {
        // One that is gone is news again if it comes back.
        self.said_ms.retain(|name, _| names.contains(name));
        let is_due = |name: &String| {
            let said = self.said_ms.get(name);
            said.is_none_or(|said| now_ms.saturating_sub(*said) >= SAY_EVERY_MS)
        };
        let new = names.iter().filter(|name| known.wants(name) && !known.names().contains(name));
        let due: Vec<&String> = new.filter(|name| is_due(name)).collect();
        self.said_ms.extend(due.iter().map(|name| ((*name).clone(), now_ms)));
        due.into_iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::{TopicId, TopicIdentity};

    #[test]
    fn each_new_topic_is_told_at_once_and_again_after_a_while() {
        let mut known = Known::new();
        known.add("in-a", TopicIdentity { id: TopicId::from_bytes([1; 16]), partition_count: 1 });
        known.want(Arc::new(|name| name.starts_with("in-")));
        let mut newcomers = Newcomers::default();
        let mut look = |names: &[&str], now_ms| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            newcomers.look(&known, &names, now_ms).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(look(&["in-a", "out"], 0).is_empty());
        assert_eq!(look(&["in-a", "in-b", "in-c", "out"], 1), ["in-b", "in-c"]);
        assert_eq!(look(&["in-a", "in-b", "in-c", "in-d"], 2), ["in-d"]);
        assert_eq!(look(&["in-b", "in-c"], SAY_EVERY_MS + 1), ["in-b", "in-c"]);
        assert!(look(&["in-b"], SAY_EVERY_MS + 2).is_empty());
        assert_eq!(look(&["in-b", "in-c"], SAY_EVERY_MS + 3), ["in-c"], "it was gone");
    }
}
