//! Compaction on the disk, against the same model.

use proptest::prelude::*;
use topology::log::embedded::{EmbeddedLog, Options};

use crate::local::ManualClock;
use crate::local::compaction::{Compacting, check, steps};

impl Compacting for EmbeddedLog {
    fn compact_now(&self, topic: &str) {
        self.compact(topic).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 15, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_embedded_log_holds_the_latest_of_each_key(steps in steps()) {
        let clock = ManualClock::default();
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(dir.path(), &Options::default(), clock.clock()).unwrap();
        check(&log, &clock, &steps);
    }
}
