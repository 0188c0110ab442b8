use super::*;
use crate::graph::Output as SideOutput;
use crate::processor::Port;

/// Even numbers go on, odd ones to the side.
struct Split {
    odd: Port<Bytes, I64>,
}

impl Processor for Split {
    type Key = Bytes;
    type Value = I64;
    type KeyOut = Bytes;
    type ValueOut = I64;

    fn process(&mut self, record: &Input<'_>, context: &mut Output<'_>) -> Result {
        let same = record.with(record.key, record.value);
        if record.value.unwrap() % 2 == 0 { context.forward(same) } else { context.forward_to(&self.odd, same) }
    }
}

/// `in` -> split -> `even`, `odd`; `even` -> times ten -> `out`.
fn two_stages() -> Topology {
    let mut builder = Builder::new();
    let mut splitting = builder.sub_topology("splitting");
    let input = splitting.source("input", Topic::new("in"), Bytes, I64);
    let odd = SideOutput::new("odd");
    let for_processor = odd.clone();
    let even = splitting
        .processor("split", &input)
        .with_output(&odd)
        .supply(move |wiring| Ok(Split { odd: wiring.output(&for_processor)? }));
    splitting.sink("to-even", &even, Topic::new("even"), Bytes, I64);
    let odd = splitting.side_output(&odd);
    splitting.sink("to-odd", &odd, Topic::new("odd"), Bytes, I64);
    let mut multiplying = builder.sub_topology("multiplying");
    let even = multiplying.source("even", Topic::new("even"), Bytes, I64);
    let multiplied = multiplying.processor("times-ten", &even).supply(|_| {
        Ok(each(|record, context| context.forward(record.with(record.key, record.value.map(|value| value * 10)))))
    });
    multiplying.sink("to-out", &multiplied, Topic::new("out"), Bytes, I64);
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
