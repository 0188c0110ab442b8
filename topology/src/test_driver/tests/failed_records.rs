//! What lies behind a record on which a processor failed.

use super::*;
use crate::graph::Store;
use crate::processor::{Reaction, Schedule};

#[test]
fn what_a_punctuation_writes_behind_a_failed_record_is_laid_to_no_other_input() {
    let builder = Builder::new();
    builder.on_processing_error(|_| Reaction::GoOn);
    let last: Store<i64, i64> = Store::memory("last");
    let input = builder.sub_topology("sub").source::<[u8], i64>(["a", "b"]);
    let functions = input.processor("ticks").with_store(&last).functions::<[u8], i64>();
    let functions = functions.init(|_, context| {
        context.schedule(Schedule::StreamTime { interval_ms: 10 });
        Ok(())
    });
    let functions = functions.punctuate(|due, last, _| Ok(last.put(&0, &due.timestamp_ms)?));
    functions.process(|record, _, _| if record.value == Some(0) { Err("zero")? } else { Ok(()) }).sink("out");
    let mut driver = driver(&builder.build().unwrap());
    for _ in 0..20 {
        driver.pipe("b", None, Some(&1_i64.to_be_bytes()), 1).unwrap();
    }
    // It fails, and stream time passes 10 and 20.
    driver.pipe("a", None, Some(&0_i64.to_be_bytes()), 25).unwrap();
    driver.commit().unwrap();
    assert!(driver.store(&last).unwrap().get(&0).unwrap().is_some());
}
