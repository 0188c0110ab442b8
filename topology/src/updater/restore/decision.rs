//! Whether a store may read on from where it stood, or must be rebuilt from the beginning of its changelog.

use std::fmt;

use crate::log::Offset;
use crate::store::changelog::Origin;
use crate::store::{Error, Fingerprint, Kind, Meta, Result};

/// Everything that the decision depends on.
#[derive(Clone, Debug)]
pub(crate) struct Situation<'a> {
    /// The store's name.
    pub store: &'a str,
    /// Its changelog topic.
    pub topic: &'a str,
    /// Where the store says it stands.
    pub meta: Option<Meta>,
    /// The application's.
    pub fingerprint: Fingerprint,
    /// The changelog's first record; `None` if the changelog holds nothing committed.
    pub origin: Option<Origin>,
    /// The changelog's high watermark.
    pub end: Offset,
    /// `delete.retention.ms` of the changelog.
    pub delete_retention_ms: i64,
    /// Wall clock time, ms since 1970.
    pub now_ms: i64,
}

/// What to do with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Read on from here.
    Continue(Offset),
    /// Empty the store and read from the beginning.
    Rebuild(Reason),
    /// Empty the store: its changelog is empty too, and the next commit begins it.
    Begin,
}

/// Why a store is rebuilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The store is new here, or its memory ended with the process.
    NoPosition,
    /// The position is beyond the end of the changelog, which must have lost records.
    BeyondEnd {
        /// Where the store stands.
        position: Offset,
        /// Where the changelog ends.
        end: Offset,
    },
    /// The changelog is not the one that the position is of: it was deleted and made again.
    OtherIncarnation,
    /// The changelog may have dropped tombstones that the store has not seen.
    TooOld {
        /// How long ago the store was up to date, ms.
        age_ms: i64,
        /// How long it may be, ms: half of `delete.retention.ms`.
        age_ms_max: i64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::NoPosition => f.write_str("it has no position yet"),
            Reason::BeyondEnd { position, end } => {
                write!(f, "its position {position} is beyond the changelog's end {end}")
            }
            Reason::OtherIncarnation => f.write_str("the changelog was deleted and made again"),
            Reason::TooOld { age_ms, age_ms_max } => {
                write!(
                    f,
                    "it was up to date {age_ms} ms ago, and deletions are certain to be found for {age_ms_max} ms"
                )
            }
        }
    }
}

/// Decides. State or a changelog of another application is an error: nothing is deleted that is not ours.
pub(crate) fn decide(situation: &Situation<'_>) -> Result<Decision> {
    refuse_foreign(situation)?;
    let Some(origin) = situation.origin else { return Ok(Decision::Begin) };
    let Some(meta) = &situation.meta else { return Ok(Decision::Rebuild(Reason::NoPosition)) };
    if meta.incarnation != origin.incarnation {
        return Ok(Decision::Rebuild(Reason::OtherIncarnation));
    }
    if meta.position > situation.end {
        return Ok(Decision::Rebuild(Reason::BeyondEnd { position: meta.position, end: situation.end }));
    }
    // A time in the future tells as little as one long ago: the clock was set.
    let age_ms = situation.now_ms.saturating_sub(meta.applied_at_ms).saturating_abs();
    let age_ms_max = situation.delete_retention_ms / 2;
    if age_ms > age_ms_max {
        return Ok(Decision::Rebuild(Reason::TooOld { age_ms, age_ms_max }));
    }
    Ok(Decision::Continue(meta.position))
}

fn refuse_foreign(situation: &Situation<'_>) -> Result<()> {
    let Situation { store, topic, meta, fingerprint, origin, .. } = situation;
    let short =
        |fingerprint: &Fingerprint| fingerprint[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let ours = short(fingerprint);
    if let Some(meta) = meta.as_ref().filter(|meta| meta.fingerprint != *fingerprint) {
        let message = format!(
            "the state of store {store} belongs to application fingerprint {}.., this one is {ours}..: give another \
             --state-dir, or start with what that state was made for",
            short(&meta.fingerprint)
        );
        return Err(Error::new(Kind::Foreign, message));
    }
    if let Some(origin) = origin.filter(|origin| origin.fingerprint != *fingerprint) {
        let message = format!(
            "changelog topic {topic} belongs to application fingerprint {}.., this one is {ours}..: give another \
             application id, or start with what that topic was made for",
            short(&origin.fingerprint)
        );
        return Err(Error::new(Kind::Foreign, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Covered;

    const HALF_DAY_MS: i64 = 43_200_000;

    fn usual() -> Situation<'static> {
        Situation {
            store: "counts",
            topic: "app-counts-changelog",
            meta: Some(Meta {
                fingerprint: [1; 32],
                incarnation: [2; 16],
                position: 10,
                applied_at_ms: 1_000_000,
                covered: Covered::default(),
            }),
            fingerprint: [1; 32],
            origin: Some(Origin { incarnation: [2; 16], fingerprint: [1; 32] }),
            end: 12,
            delete_retention_ms: 2 * HALF_DAY_MS,
            now_ms: 1_000_000,
        }
    }

    fn with_meta(change: impl FnOnce(&mut Meta)) -> Situation<'static> {
        let mut situation = usual();
        if let Some(meta) = &mut situation.meta {
            change(meta);
        }
        situation
    }

    #[test]
    fn each_situation_has_its_decision() {
        let too_old = |age_ms| Decision::Rebuild(Reason::TooOld { age_ms, age_ms_max: HALF_DAY_MS });
        let beyond = |position, end| Decision::Rebuild(Reason::BeyondEnd { position, end });
        let later = |ms: i64| Situation { now_ms: 1_000_000 + ms, ..usual() };
        let table = [
            ("as usual", usual(), Decision::Continue(10)),
            ("at the end", Situation { end: 10, ..usual() }, Decision::Continue(10)),
            ("beyond the end", Situation { end: 9, ..usual() }, beyond(10, 9)),
            ("no meta", Situation { meta: None, ..usual() }, Decision::Rebuild(Reason::NoPosition)),
            (
                "topic made again",
                Situation { origin: Some(Origin { incarnation: [9; 16], fingerprint: [1; 32] }), ..usual() },
                Decision::Rebuild(Reason::OtherIncarnation),
            ),
            ("topic made again and empty", Situation { origin: None, end: 0, ..usual() }, Decision::Begin),
            ("only aborted records", Situation { origin: None, meta: None, ..usual() }, Decision::Begin),
            ("nothing at all", Situation { origin: None, meta: None, end: 0, ..usual() }, Decision::Begin),
            ("just young enough", later(HALF_DAY_MS), Decision::Continue(10)),
            ("just too old", later(HALF_DAY_MS + 1), too_old(HALF_DAY_MS + 1)),
            ("clock set back a little", later(-5_000), Decision::Continue(10)),
            ("clock set back far", later(-HALF_DAY_MS - 1), too_old(HALF_DAY_MS + 1)),
            ("no retention at all", Situation { delete_retention_ms: 0, ..usual() }, Decision::Continue(10)),
            (
                "times at the rim of what fits",
                Situation { now_ms: i64::MAX, ..with_meta(|meta| meta.applied_at_ms = i64::MIN) },
                too_old(i64::MAX),
            ),
        ];
        for (name, situation, expected) in table {
            assert_eq!(decide(&situation), Ok(expected), "{name}");
        }
    }

    #[test]
    fn foreign_state_and_foreign_changelogs_are_refused_and_both_fingerprints_named() {
        let state = decide(&with_meta(|meta| meta.fingerprint = [0xEE; 32])).unwrap_err();
        let origin = Some(Origin { incarnation: [2; 16], fingerprint: [0xEE; 32] });
        let topic = decide(&Situation { origin, ..usual() }).unwrap_err();
        for (error, what, advice) in
            [(state, "store counts", "--state-dir"), (topic, "app-counts-changelog", "application id")]
        {
            assert_eq!((error.kind(), error.class()), (Kind::Foreign, crate::Class::Stop));
            for part in [what, advice, "eeeeeeeeeeeeeeee", "0101010101010101"] {
                assert!(error.to_string().contains(part), "{error} lacks {part}");
            }
        }
    }
}
