//! What must hold of the blockchain topic of a driver, whatever happened.

use std::collections::BTreeMap;

use topology::test_driver::TestDriver;

/// No height was ever written with two different bytes, aborted writes included.
pub(crate) fn assert_never_two_blocks_at_one_height(driver: &TestDriver) {
    let mut by_height: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let aborted = driver.aborted().iter().filter(|(topic, _)| topic == "blockchain").map(|(_, record)| record);
    for record in driver.read("blockchain").iter().chain(aborted) {
        let (key, value) = (record.key.clone().unwrap(), record.value.clone().unwrap());
        let known = by_height.entry(key.clone()).or_insert_with(|| value.clone());
        assert_eq!(known, &value, "height {}", String::from_utf8_lossy(&key));
    }
}
