//! The cutter: the same log gives the same cuts, however it arrives, and `check` accepts these cuts and no others.

use proptest::prelude::*;

use super::world::{World, transfer};
use crate::chain::{Cut, Header, Parameters, TIMESTAMP_MS_MAX, Window};
use crate::ledger::cut::{Checked, CutError, Cutter, Item, Placing, Span, check};

fn at(timestamp_ms: i64, size_bytes: u64) -> Item {
    Item { timestamp_ms, size_bytes, is_transaction: true }
}

fn stub_at(timestamp_ms: i64, size_bytes: u64) -> Item {
    Item { timestamp_ms, size_bytes, is_transaction: false }
}

fn transaction_count(items: &[Item]) -> usize {
    items.iter().filter(|item| item.is_transaction).count()
}

fn parameters(transactions: u32, bytes: u32, window_ms: u64) -> Parameters {
    Parameters {
        block_max_transactions: transactions,
        block_max_bytes: bytes,
        block_window_ms: window_ms,
        ..Parameters::default()
    }
}

/// A closed block: where it starts and ends in the log, why it ends, what its header says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stretch {
    start: usize,
    end: usize,
    cut: Cut,
    span: Span,
}

/// Cuts a log that arrives in batches. Between batches the process may stop: then the cutter is made again from the
/// parent's time and the records held.
fn cut_all(parameters: &Parameters, items: &[Item], batches: &[usize], restarts: bool) -> Vec<Stretch> {
    let (mut stretches, mut start, mut parent_time_ms) = (Vec::new(), 0, 0);
    let mut cutter = Cutter::new(parameters, parent_time_ms);
    let mut close = |cutter: &mut Cutter, end: usize, cut, start: &mut usize, parent_time_ms: &mut i64| {
        let span = cutter.close();
        stretches.push(Stretch { start: *start, end, cut, span });
        (*start, *parent_time_ms) = (end, span.time_ms);
    };
    let mut next = 0;
    for size in batches.iter().copied().chain([items.len()]) {
        if restarts {
            cutter = Cutter::new(parameters, parent_time_ms);
            for held in &items[start..next] {
                assert_eq!(cutter.offer(held), Placing::Keep, "what was held is held again");
            }
        }
        for item in items.iter().skip(next).take(size) {
            if let Placing::CutBefore(cut) = cutter.offer(item) {
                close(&mut cutter, next, cut, &mut start, &mut parent_time_ms);
                // Offered again, as the first record of the next block.
                assert!(!matches!(cutter.offer(item), Placing::CutBefore(_)));
            }
            next += 1;
            if transaction_count(&items[start..next]) >= parameters.block_max_transactions as usize {
                close(&mut cutter, next, Cut::Transactions, &mut start, &mut parent_time_ms);
            }
        }
    }
    stretches
}

fn any_items() -> impl Strategy<Value = Vec<Item>> {
    let (min, max) = (-TIMESTAMP_MS_MAX, TIMESTAMP_MS_MAX);
    let timestamp = prop_oneof![20 => -50..500i64, 1 => Just(-1), 1 => Just(min), 1 => Just(max), 1 => min..=max];
    let size = prop_oneof![10 => 1..60u64, 1 => 90..300u64, 1 => Just(u64::MAX)];
    let item = (timestamp, size, prop::bool::weighted(0.7));
    let item =
        item.prop_map(|(timestamp_ms, size_bytes, is_transaction)| Item { timestamp_ms, size_bytes, is_transaction });
    proptest::collection::vec(item, 1..60)
}

fn any_parameters() -> impl Strategy<Value = Parameters> {
    let window = prop_oneof![Just(0), 1..100u64, Just(u64::MAX)];
    (1..8u32, prop_oneof![50..200u32, Just(u32::MAX)], window)
        .prop_map(|(transactions, bytes, window)| parameters(transactions, bytes, window))
}

fn header(stretch: &Stretch) -> Header {
    let mut world = World::new(Parameters::default(), &[]);
    let mut header = world.seal(vec![transfer("a", "b", 1)]).header.clone();
    (header.cut, header.window, header.time_ms) = (stretch.cut, stretch.span.window, stretch.span.time_ms);
    header
}

proptest! {
    #[test]
    fn the_cuts_do_not_depend_on_batches_nor_on_restarts(
        parameters in any_parameters(),
        items in any_items(),
        batches in proptest::collection::vec(0..9usize, 0..20),
    ) {
        let at_once = cut_all(&parameters, &items, &[], false);
        prop_assert_eq!(&cut_all(&parameters, &items, &batches, false), &at_once);
        prop_assert_eq!(&cut_all(&parameters, &items, &batches, true), &at_once);
    }

    #[test]
    fn every_record_is_in_one_block_and_no_bound_is_passed(parameters in any_parameters(), items in any_items()) {
        let stretches = cut_all(&parameters, &items, &[], false);
        let mut next = 0;
        for stretch in &stretches {
            prop_assert_eq!(stretch.start, next);
            prop_assert!(stretch.end > stretch.start);
            let block = &items[stretch.start..stretch.end];
            let size = block.iter().fold(0u64, |size, item| size.saturating_add(item.size_bytes));
            prop_assert!(block.len() == 1 || size <= u64::from(parameters.block_max_bytes));
            prop_assert!(transaction_count(block) <= parameters.block_max_transactions as usize);
            if let Some(Window { start_ms, end_ms }) = stretch.span.window {
                let time_ms = stretch.span.time_ms;
                prop_assert!(start_ms <= time_ms && (time_ms < end_ms || end_ms == TIMESTAMP_MS_MAX));
                prop_assert!(start_ms >= -TIMESTAMP_MS_MAX && end_ms <= TIMESTAMP_MS_MAX, "numbers that JSON can hold");
                prop_assert!(block.iter().all(|item| item.timestamp_ms <= time_ms));
            }
            next = stretch.end;
        }
    }

    #[test]
    fn check_accepts_exactly_the_cutters_cuts(
        parameters in any_parameters(),
        items in any_items(),
        from in any::<prop::sample::Index>(),
        length in 1..9usize,
        cut in prop::sample::select(vec![Cut::Window, Cut::Transactions, Cut::Bytes]),
    ) {
        let stretches = cut_all(&parameters, &items, &[], false);
        let mut parent_time_ms = 0;
        let mut parents = vec![];
        for stretch in &stretches {
            let (header, block) = (header(stretch), &items[stretch.start..stretch.end]);
            let next = items.get(stretch.end);
            prop_assert_eq!(check(&parameters, parent_time_ms, &header, block, next), Ok(Checked::Proved));
            let without_next = check(&parameters, parent_time_ms, &header, block, None);
            let expected = if stretch.cut == Cut::Transactions { Checked::Proved } else { Checked::NeedsNext };
            prop_assert_eq!(without_next, Ok(expected));
            let mut other_time = header.clone();
            other_time.time_ms = other_time.time_ms.wrapping_add(1);
            let refused = check(&parameters, parent_time_ms, &other_time, block, next);
            prop_assert!(matches!(refused, Err(CutError::Span { .. })), "{refused:?}");
            parents.push((stretch.start, parent_time_ms));
            parent_time_ms = stretch.span.time_ms;
        }
        // A block that starts where a block starts, but ends elsewhere or for another reason.
        prop_assume!(!parents.is_empty());
        let (start, parent_time_ms) = parents[from.index(parents.len())];
        let end = (start + length).min(items.len());
        let mut cutter = Cutter::new(&parameters, parent_time_ms);
        for item in &items[start..end] {
            cutter.offer(item);
        }
        let claimed = Stretch { start, end, cut, span: cutter.span() };
        let accepted = check(&parameters, parent_time_ms, &header(&claimed), &items[start..end], items.get(end));
        let real = stretches.iter().any(|stretch| (stretch.start, stretch.end, stretch.cut) == (start, end, cut));
        prop_assert_eq!(accepted == Ok(Checked::Proved), real, "{:?} {:?}", claimed, accepted);
    }

    #[test]
    fn a_recorded_cut_is_accepted_wherever_the_rules_had_not_cut(parameters in any_parameters(), items in any_items()) {
        let mut cutter = Cutter::new(&parameters, 0);
        for end in 1..=items.len() {
            let verdict = cutter.offer(&items[end - 1]);
            let claimed = Stretch { start: 0, end, cut: Cut::Age, span: cutter.span() };
            let answer = check(&parameters, 0, &header(&claimed), &items[..end], items.get(end));
            if verdict != Placing::Keep {
                prop_assert!(answer.is_err());
                break;
            }
            prop_assert_eq!(answer, Ok(Checked::Recorded));
        }
    }
}

#[test]
fn a_late_record_joins_the_open_block_and_a_window_ends_when_stream_time_passes_it() {
    let mut cutter = Cutter::new(&parameters(100, u32::MAX, 100), 0);
    assert_eq!(cutter.offer(&at(250, 1)), Placing::Keep);
    assert_eq!(cutter.offer(&at(10, 1)), Placing::Keep, "late");
    assert_eq!(cutter.offer(&at(299, 1)), Placing::Keep);
    assert_eq!(cutter.offer(&at(300, 1)), Placing::CutBefore(Cut::Window));
    let span = cutter.close();
    assert_eq!(span, Span { window: Some(Window { start_ms: 200, end_ms: 300 }), time_ms: 299 });
    assert_eq!(cutter.offer(&at(300, 1)), Placing::Keep);
    assert_eq!(cutter.close().window, Some(Window { start_ms: 300, end_ms: 400 }));
    assert_eq!(cutter.offer(&at(20, 1)), Placing::Keep, "late for the block before, in the open one all the same");
    assert_eq!(cutter.close().window, Some(Window { start_ms: 300, end_ms: 400 }));
}

#[test]
fn a_record_that_overflows_is_cut_before_and_one_that_fits_nowhere_stands_alone() {
    let mut cutter = Cutter::new(&parameters(100, 100, 0), 0);
    assert_eq!(cutter.offer(&at(0, 60)), Placing::Keep);
    assert_eq!(cutter.offer(&at(0, 40)), Placing::Keep, "the bound itself is allowed");
    assert_eq!(cutter.offer(&at(0, 1)), Placing::CutBefore(Cut::Bytes));
    cutter.close();
    assert_eq!(cutter.offer(&at(0, 1000)), Placing::Keep);
    assert_eq!(cutter.offer(&at(0, 1)), Placing::CutBefore(Cut::Bytes));
}

#[test]
fn records_that_are_no_transactions_end_a_block_by_their_bytes_alone() {
    let mut cutter = Cutter::new(&parameters(2, 100, 0), 0);
    for _ in 0..100 {
        assert_eq!(cutter.offer(&stub_at(0, 1)), Placing::Keep);
    }
    assert_eq!(cutter.offer(&stub_at(0, 1)), Placing::CutBefore(Cut::Bytes));
    cutter.close();
    assert_eq!(cutter.offer(&at(0, 1)), Placing::Keep);
    assert_eq!(cutter.offer(&stub_at(0, 1)), Placing::Keep);
    assert_eq!(cutter.offer(&at(0, 1)), Placing::CutAfter(Cut::Transactions));
}

#[test]
fn block_0_and_an_empty_block_are_no_cuts() {
    let span = Cutter::new(&parameters(2, 100, 0), 0).span();
    let header = header(&Stretch { start: 0, end: 1, cut: Cut::Genesis, span });
    let parameters = parameters(2, 100, 0);
    assert_eq!(check(&parameters, 0, &header, &[], None), Err(CutError::Empty));
    let refused = Err(CutError::Reason { expected: None, found: Cut::Genesis });
    assert_eq!(check(&parameters, 0, &header, &[at(0, 1)], None), refused);
}
