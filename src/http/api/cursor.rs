//! Where a list goes on: texts that only the server reads.

use super::super::problem::{Problem, Result};

/// The most of a list that an answer has.
pub(super) const LIMIT_MAX: u32 = 200;

/// How many are asked for; `usual` where nothing is said.
pub(super) fn limit(asked: Option<u32>, usual: u32) -> Result<usize> {
    match asked.unwrap_or(usual) {
        limit @ 1..=LIMIT_MAX => Ok(limit as usize),
        limit => Err(Problem::bad_request(format!("limit is {limit}: it is 1 to {LIMIT_MAX}"))),
    }
}

/// A height, below which a list of blocks goes on.
pub(super) fn height(cursor: &str) -> Result<u64> {
    cursor.parse().map_err(|_| unknown(cursor))
}

/// Where the postings of an account go on, and the text for it.
pub(super) fn posting(cursor: &str) -> Result<(u64, u32)> {
    let parts = cursor.split_once('.').and_then(|(height, index)| Some((height.parse().ok()?, index.parse().ok()?)));
    parts.ok_or_else(|| unknown(cursor))
}

fn unknown(cursor: &str) -> Problem {
    let shown: String = cursor.chars().take(32).collect();
    Problem::bad_request(format!(
        "`{shown}` is no cursor of this list: leave it out to begin, then give what `next` says"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_has_bounds_and_a_cursor_is_one_that_was_given() {
        assert_eq!(limit(None, 20).unwrap(), 20);
        assert!(limit(Some(0), 20).is_err() && limit(Some(201), 20).is_err() && limit(Some(200), 20).is_ok());
        assert_eq!(posting("7.3").unwrap(), (7, 3));
        assert_eq!(height("12").unwrap(), 12);
        for text in ["", "7", "7.", "a.b", "-1.0", "7.3.1"] {
            assert!(posting(text).is_err(), "{text}");
        }
    }
}
