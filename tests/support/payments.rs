//! Payments that show what became of them: each sender's are numbered by their amounts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Chain, read, transfer};

const SENDERS: usize = 40;
const PATIENCE: Duration = Duration::from_secs(120);

/// The lines of these payments, to be submitted in their order.
pub(crate) fn payments(numbers: std::ops::Range<usize>) -> String {
    numbers.map(|n| transfer(&format!("sender-{}", n % SENDERS), "bob", (n / SENDERS + 1) as u64)).collect()
}

/// Waits until so many payments are in blocks.
pub(crate) fn until_sealed(chain: &Chain, count: usize) {
    let sealed =
        || -> usize { chain.blocks().iter().map(|block| block["transactions"].as_array().unwrap().len()).sum() };
    let start = Instant::now();
    while sealed() < count {
        assert!(start.elapsed() < PATIENCE, "{} of {count} are sealed", sealed());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Every payment is in one block, each sender's in their order, and no height was ever written with other bytes.
pub(crate) fn assert_one_chain(chain: &Chain, count: usize) {
    let report = chain.verify();
    assert_eq!((&report["compared_records"], &report["unsealed_records"]), (&Value::from(count), &Value::from(0)));
    assert_eq!(report["compared_from_height"], 1);
    let blocks = chain.blocks();
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    let mut places = BTreeSet::new();
    for (height, block) in blocks.iter().enumerate() {
        assert_eq!(block["header"]["height"], height, "each height is committed once, in order");
        for entry in block["transactions"].as_array().unwrap() {
            let place = (entry["partition"].as_i64().unwrap(), entry["offset"].as_i64().unwrap());
            assert!(places.insert(place), "{place:?} is in two blocks");
            let next = next.entry(entry["from"].as_str().unwrap().to_owned()).or_insert(1);
            assert_eq!(entry["amount"].as_u64().unwrap(), *next, "{entry}");
            *next += 1;
        }
    }
    assert_eq!(places.len(), count);
    // Those of transactions that were aborted too: two who sealed at the same time would have written something else.
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    for record in read(&chain.blockchain, "read_uncommitted") {
        let before = written.entry(record.key.clone()).or_insert_with(|| record.value.clone());
        assert!(*before == record.value, "height {}:\n{before}\n{}", record.key, record.value);
    }
    assert_eq!(chain.replay()["state_root"], report["state_root"]);
}
