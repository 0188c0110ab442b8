use super::*;
use crate::graph::Output as SideOutput;

/// `in` -> split -> `even`, `odd`; `even` -> times ten -> `out`.
fn two_stages() -> Topology {
    let builder = Builder::new();
    let splitting = builder.sub_topology("splitting");
    let input = splitting.source::<[u8], i64>("in");
    let odd = SideOutput::<[u8], i64>::new("odd");
    let split = input.processor("split").with_output(&odd).process_fn::<[u8], i64>(|record, odd, context| {
        let same = record.with(record.key, record.value);
        if record.value.unwrap() % 2 == 0 { context.forward(same) } else { context.forward_to(odd, same) }
    });
    split.sink("even");
    splitting.side_output(&odd).sink("odd");
    let even = builder.sub_topology("multiplying").source::<[u8], i64>("even");
    even.map_values(|value| value * 10).sink("out");
    builder.build().unwrap()
}

#[test]
fn a_side_output_takes_what_is_sent_to_it_and_nothing_else() {
    let mut driver = driver(&two_stages());
    append(&mut driver, (1..=5).map(Some));
    driver.run().unwrap();
    driver.commit().unwrap();
    assert_eq!((numbers(driver.read("even")), numbers(driver.read("odd"))), (vec![2, 4], vec![1, 3, 5]));
}

#[test]
fn the_second_stage_reads_only_what_the_first_has_committed() {
    let mut driver = driver(&two_stages());
    append(&mut driver, [Some(2)]);
    driver.run().unwrap();
    assert_eq!(driver.committed_offset("even"), None);
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!((numbers(driver.read("even")), driver.read("out").len()), (vec![2], 0));
    driver.abort().unwrap();
    driver.commit().unwrap();
    assert_eq!((numbers(driver.read("even")), numbers(driver.read("out"))), (vec![2], vec![20]));
}

#[test]
fn the_end_of_input_reaches_the_last_stage() {
    let mut driver = driver(&two_stages());
    append(&mut driver, (1..=100).map(Some));
    driver.end_of_input().unwrap();
    assert_eq!(numbers(driver.read("out")), (1..=50).map(|value| value * 20).collect::<Vec<_>>());
    assert_eq!((driver.committed_offset("in"), driver.committed_offset("even")), (Some(100), Some(50)));
}
