//! A block comes back from its line, with its hashes; a wrong line names its field.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::chain::{
    Balances, Block, Content, Entry, Error, Genesis, Hash, Origin, Parameters, RejectCode, arbitrary, check,
};

fn field_of(line: &str) -> String {
    match Block::from_json(line.as_bytes()) {
        Err(Error::Json { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn a_block_comes_back_from_its_line_with_its_hashes(block in arbitrary::block()) {
        let line = block.to_json();
        prop_assert!(!line.contains('\n'));
        let read = Block::from_json(line.as_bytes()).unwrap();
        prop_assert_eq!(&read, &block);
        prop_assert_eq!(read.header.hash(), block.hash);
        prop_assert_eq!(check::transactions_root(&read.entries), check::transactions_root(&block.entries));
        prop_assert_eq!(check::operations_root(&read.operations), check::operations_root(&block.operations));
        prop_assert_eq!(read.genesis.map(|genesis| genesis.hash()), block.genesis.map(|genesis| genesis.hash()));
    }

    #[test]
    fn strings_are_rendered_as_another_writer_renders_them(text in any::<String>()) {
        let mut header = crate::chain::tests::header();
        header.chain_id = text;
        let expected = format!("\"chain_id\":{},", serde_json::to_string(&header.chain_id).unwrap());
        prop_assert!(header.to_json().contains(&expected));
    }

    #[test]
    fn any_line_is_read_or_refused(block in arbitrary::block(), at: Index, byte: u8, cut: Index) {
        let mut line = block.to_json().into_bytes();
        let at = at.index(line.len());
        line[at] = byte;
        let _ = Block::from_json(&line);
        let _ = Block::from_json(&line[..cut.index(line.len())]);
    }

    #[test]
    fn an_entry_never_takes_more_than_its_size(entry in arbitrary::entry()) {
        let rendered = entry.to_json().len() + 1;
        let size = entry.rendered_size_bytes();
        prop_assert!(rendered <= size && size <= rendered + ENTRY_RECEIPT_SIZE_BYTES_MAX);
        // It does not depend on what became of the transaction.
        if let Content::Transaction { transaction, mut receipt } = entry.content {
            receipt = crate::chain::Receipt { from_balance: i64::MIN, ..receipt };
            let other = Entry { content: Content::Transaction { transaction, receipt }, ..entry };
            prop_assert_eq!(other.rendered_size_bytes(), size);
        }
    }
}

#[test]
fn the_longest_receipt_takes_exactly_what_is_reserved_for_it() {
    let longest = crate::chain::ReasonCode::ALL.iter().max_by_key(|reason| reason.as_str().len()).unwrap();
    let receipt = crate::chain::Receipt {
        outcome: crate::chain::Outcome::Rejected(*longest),
        from_balance: i64::MIN,
        to_balance: i64::MIN,
    };
    let mut entry = crate::chain::tests::block().entries.remove(0);
    if let Content::Transaction { receipt: kept, .. } = &mut entry.content {
        *kept = receipt;
    }
    assert_eq!(entry.to_json().len() + 1, entry.rendered_size_bytes());
}

#[test]
fn a_wrong_line_names_its_field() {
    let line = crate::chain::tests::block().to_json();
    let with = |from: &str, to: &str| {
        assert!(line.contains(from), "{from} is not in {line}");
        field_of(&line.replacen(from, to, 1))
    };
    assert_eq!(with("\"height\":1", "\"height\":\"1\""), "header.height");
    assert_eq!(with("\"height\":1", "\"height\":1.0"), "header.height");
    assert_eq!(with("\"height\":1", "\"height\":-1"), "header.height");
    assert_eq!(with("\"time_ms\":1700000000000,", ""), "header.time_ms");
    assert_eq!(with(",\"amount\":3", ""), "transactions.0.amount");
    assert_eq!(with(",\"to_balance\":3", ""), "transactions.0.receipt.to_balance");
    let window = "\"window\":{\"start_ms\":1700000000000,\"end_ms\":1700000001000},";
    assert_eq!(with(window, ""), "header.window");
    assert_eq!(with("\"cut\":\"transactions\"", "\"cut\":\"whim\""), "header.cut");
    assert_eq!(with("\"first\":0", "\"first\":null"), "header.ranges.0.first");
    assert_eq!(with("\"amount\":3", "\"amount\":3.0"), "transactions.0.amount");
    assert_eq!(with("\"amount\":3", "\"amount\":9007199254740992"), "transactions.0.amount");
    assert_eq!(with("\"amount\":3", "\"amount\":3,\"amount\":3"), "transactions.0.amount");
    assert_eq!(with("\"amount\":3", "\"amount\":3,\"fee\":null"), "transactions.0.fee");
    assert_eq!(with("\"from\":\"alice\"", "\"from\":\"\""), "transactions.0.from");
    assert_eq!(with("\"from\":\"alice\"", "\"from\":\"alice\",\"color\":1"), "transactions.0.color");
    assert_eq!(with("\"outcome\":\"applied\"", "\"outcome\":\"perhaps\""), "transactions.0.receipt.outcome");
    assert_eq!(with("\"reason\":\"not_json\"", "\"reason\":\"whim\""), "transactions.1.stub.reason");
    assert_eq!(with("\"operations\":[", "\"operations\":[{\"kind\":\"gift\"},"), "operations.0.kind");
    assert_eq!(with("\"hash\":\"", "\"hash\":\"00"), "hash");
    assert_eq!(field_of("3"), "");
    assert_eq!(field_of(""), "");
    assert!(Block::from_json("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn a_genesis_in_a_block_leaves_nothing_out_and_does_not_contradict_itself() {
    let open = crate::chain::tests::genesis();
    let strict = Parameters { balances: Balances::Strict, ..open.parameters.clone() };
    let strict = Genesis { parameters: strict, ..open.clone() };
    let read = |line: &str| Block::from_json(line.as_bytes()).map(|_| ());
    let field = |genesis: &Genesis, from: &str, to: &str| {
        let line = genesis.block(Hash::ZERO).to_json();
        assert_eq!(read(&line), Ok(()));
        let other = line.replacen(from, to, 1);
        assert_ne!(other, line);
        field_of(&other)
    };
    assert_eq!(field(&open, "\"fee\":0,", ""), "genesis.fee");
    assert_eq!(field(&open, "\"max_age_ms\":1000,", ""), "genesis.block.max_age_ms");
    assert_eq!(field(&open, "\"overdraft_max\":9007199254740991,", ""), "genesis.overdraft_max");
    assert_eq!(field(&open, "\"ids\":{\"remember_blocks\":10000},", ""), "genesis.ids");
    assert_eq!(
        field(&strict, "\"balances\":\"strict\",", "\"balances\":\"strict\",\"overdraft_max\":null,"),
        "genesis"
    );
    let pair = "\"balances\":\"strict\",\"overdraft_max\":7,";
    assert!(field(&strict, "\"balances\":\"strict\",", pair).starts_with("genesis"));
}

#[test]
fn a_record_has_its_height_as_its_key() {
    let block = crate::chain::tests::block();
    let line = block.to_json();
    assert_eq!(Block::from_record(Some(b"1"), Some(line.as_bytes())), Ok(block));
    for key in [None, Some(&b"01"[..]), Some(b"2"), Some(b"")] {
        assert!(Block::from_record(key, Some(line.as_bytes())).is_err());
    }
    assert!(Block::from_record(Some(b"1"), None).is_err());
}

#[test]
fn an_entry_is_rendered_in_the_documented_order() {
    let block = crate::chain::tests::block();
    let original = Hash::of(br#"{"from":"alice","to":"bob","amount":3}"#);
    assert_eq!(
        block.entries[0].to_json(),
        format!(
            r#"{{"partition":0,"offset":0,"timestamp_ms":1700000000000,"original":"{original}","from":"alice","to":"bob","amount":3,"receipt":{{"outcome":"applied","from_balance":-3,"to_balance":3}}}}"#
        )
    );
    let stub = Entry {
        origin: Origin { partition: 0, offset: 1, timestamp_ms: -1 },
        original: Hash::of(b"x"),
        content: Content::Stub { reason: RejectCode::NotJson, key: Hash::ZERO, value: Hash::of(b"x") },
    };
    assert_eq!(
        stub.to_json(),
        format!(
            r#"{{"partition":0,"offset":1,"timestamp_ms":-1,"original":"{x}","stub":{{"reason":"not_json","key":"{zero}","value":"{x}"}}}}"#,
            x = Hash::of(b"x"),
            zero = "0".repeat(64)
        )
    );
    let line = block.to_json();
    let order = [
        "{\"header\":{\"height\":1,\"parent\":",
        ",\"hash\":",
        ",\"seal\":{\"scheme\":1,",
        ",\"transactions\":[",
        ",\"operations\":[",
    ];
    let places: Vec<_> = order.iter().map(|part| line.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}
