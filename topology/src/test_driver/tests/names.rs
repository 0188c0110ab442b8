//! Names that are mistyped.

use super::*;
use crate::client::Config;
use crate::graph::{Repartition, Store};

/// `words` -> by key -> a count of each -> `totals`, or of long ones `long`.
fn counting() -> Topology {
    let builder = Builder::new();
    let by_key = Repartition::<str, [u8]>::new("by-key");
    builder.sub_topology("spreading").source::<str, [u8]>("words").repartition(&by_key);
    let counted = builder.sub_topology("counting").source_of(&by_key).count(&Store::memory("counts"));
    counted.sink_choosing(["totals", "long"], |record| usize::from(record.key.is_some_and(|key| key.len() > 9)));
    builder.build().unwrap()
}

fn read(driver: &TestDriver, topic: &str) -> crate::Result<usize> {
    Ok(driver.output::<[u8], [u8]>(topic).read()?.len())
}

#[test]
fn to_read_a_topic_that_nothing_writes_is_an_error_that_says_which_there_are() {
    let builder = Builder::new();
    builder.sub_topology("sub").source::<[u8], [u8]>("words").sink("totals");
    let driver = driver(&builder.build().unwrap());
    let there_are = "there are totals, words-dead-letters";
    for topic in ["totls", "words", "in-dead-letters"] {
        assert_eq!(error_of(read(&driver, topic)), format!("nothing writes topic '{topic}': {there_are}"));
    }
    assert!(error_of(driver.output::<[u8], [u8]>(("totls", 3)).read()).contains(there_are));
    assert_eq!(read(&driver, "totals").unwrap(), 0);
}

#[test]
fn every_topic_that_the_graph_can_write_can_be_read_before_anything_is_in_it() {
    let mut driver = driver(&counting());
    let written = [
        "totals",
        "long",
        "words-dead-letters",
        "app-by-key-repartition",
        "app-by-key-repartition-dead-letters",
        "app-counts-changelog",
    ];
    for topic in written {
        assert_eq!(read(&driver, topic).unwrap(), 0, "{topic}");
    }
    driver.input::<str, [u8]>("words").pipe("tea", b"").unwrap();
    driver.commit().unwrap();
    driver.commit().unwrap();
    assert_eq!((read(&driver, "totals").unwrap(), read(&driver, "long").unwrap()), (1, 0));
}

#[test]
fn what_an_earlier_version_wrote_can_be_read_after_a_restart() {
    let version = |sink: &str| {
        let builder = Builder::new();
        builder.sub_topology("sub").source::<[u8], i64>("in").sink(sink);
        builder.build().unwrap()
    };
    let mut driver = driver(&version("old"));
    append(&mut driver, [Some(1)]);
    driver.run().unwrap();
    driver.commit().unwrap();
    driver.restart(&version("new")).unwrap();
    assert_eq!((read(&driver, "old").unwrap(), read(&driver, "new").unwrap()), (1, 0));
}

#[test]
fn a_store_that_there_is_not_is_an_error_that_says_which_there_are() {
    let with_stores = driver(&counting());
    let mistyped: Store<str, i64> = Store::memory("m");
    assert_eq!(error_of(with_stores.store(&mistyped).map(drop)), "there is no store 'm': there are counts");
    assert_eq!(error_of(with_stores.store_of(&mistyped, 0).map(drop)), "there is no store 'm': there are counts");
    let without = driver(&through(|| each(|_, _| Ok(()))));
    assert_eq!(error_of(without.store(&mistyped).map(drop)), "there is no store 'm': the topology has none");
}

#[test]
fn an_application_id_that_a_client_refuses_is_refused_with_the_same_words() {
    let topology = through(|| each(|_, _| Ok(())));
    for id in ["", "my app/1", "ä", &"a".repeat(101)] {
        let expected = error_of(Config::new(id).check());
        assert!(expected.contains("cannot be an application id"), "{expected}");
        let by_hand = TestDriver::by_hand(&topology, id, 0);
        for made in [TestDriver::new(&topology, id, 0), TestDriver::with_topics(&topology, id, 0, &[]), by_hand] {
            assert_eq!(made.err().map(|error| error.to_string()), Some(expected.clone()), "{id}");
        }
    }
    assert!(TestDriver::new(&topology, &"a".repeat(100), 0).is_ok());
}
