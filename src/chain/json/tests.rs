//! A block comes back from its line, with its hashes; a wrong line names its field.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::chain::{
    Balances, Block, Content, Entry, Error, Genesis, Hash, Memo, Origin, Parameters, RejectCode, arbitrary, check,
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
    fn strings_are_rendered_as_another_writer_renders_them(text in any::<String>().prop_filter_map("memo", |text| Memo::new(&text).ok())) {
        let mut entry = crate::chain::tests::block().entries.remove(0);
        if let Content::Transaction { transaction, .. } = &mut entry.content {
            transaction.memo = Some(text.clone());
        }
        let expected = format!("\"memo\":{},", serde_json::to_string(text.as_str()).unwrap());
        prop_assert!(entry.to_json().contains(&expected));
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
    fn no_other_line_is_read_as_the_same_block(block in arbitrary::block(), at: Index, byte: u8) {
        let line = block.to_json();
        let mut other = line.clone().into_bytes();
        let at = at.index(other.len());
        if other[at] != byte {
            other[at] = byte;
            if let Ok(read) = Block::from_json(&other) {
                prop_assert_ne!(&read, &block);
                prop_assert_eq!(read.to_json().into_bytes(), other);
            }
        }
        let shortened = [&line.as_bytes()[..at], &line.as_bytes()[at + 1..]].concat();
        prop_assert!(Block::from_json(&shortened) != Ok(block.clone()));
        // As another program writes it: fields by their names, or spread over lines.
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        prop_assert!(Block::from_json(value.to_string().as_bytes()).is_err());
        prop_assert!(Block::from_json(serde_json::to_string_pretty(&value).unwrap().as_bytes()).is_err());
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
    assert_eq!(with("\"time_ms\":1700000000000,", ""), "header.parent", "what stands there instead");
    assert_eq!(with(",\"amount\":3", ""), "transactions.0.receipt", "what stands there instead");
    assert_eq!(with(",\"to_balance\":3", ""), "transactions.0.receipt.to_balance");
    let window = "\"window\":{\"start_ms\":1700000000000,\"end_ms\":1700000001000},";
    assert_eq!(with(window, ""), "header.cut", "in place of the window");
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
fn an_error_stays_short_and_quotes_nothing_that_a_terminal_would_obey() {
    let line = crate::chain::tests::block().to_json();
    let far = "x".repeat(1_000_000);
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    for (from, to) in [
        ("\"cut\":\"transactions\"", format!("\"cut\":\"\\u001b[2J{far}\"")),
        ("\"from\":\"alice\"", format!("\"from\":\"alice\",\"\u{9b}{far}\":3")),
        ("\"from\":\"alice\"", format!("\"from\":\"alice\",\"x\":{deep}")),
        ("\"hash\":\"", format!("\"hash\":\"{far}")),
        ("}]}", format!("}}],\"x\":{}", "[".repeat(1_000_000))),
    ] {
        let other = line.replacen(from, &to, 1);
        assert_ne!(other, line);
        let error = Block::from_json(other.as_bytes()).unwrap_err().to_string();
        assert!(error.chars().count() < 2_000 && !error.contains(char::is_control), "{error}");
    }
}

/// Other lines with the same meaning, for a reader that is less strict.
const OTHERS: &[(&str, &str)] = &[
    ("{\"header\"", " {\"header\""),
    ("{\"header\":", "{\"header\": "),
    ("\"version\":1,\"hash_algorithm\":1", "\"hash_algorithm\":1,\"version\":1"),
    ("\"version\":1,", "\"version\":1,\"chain_id\":\"cairn\","),
    ("\"window\":{\"start_ms\":1700000000000,\"end_ms\":1700000001000}", "\"window\":[1700000000000,1700000001000]"),
    ("[{\"partition\":0,\"first\":0,\"last\":2,\"count\":3}]", "[[0,0,2,3]]"),
    ("\"count\":3", "\"count\":3,\"count\":3"),
    ("\"count\":3", "\"count\":3.0"),
    ("\"count\":3", "\"count\":3e0"),
    ("\"kind\":\"stake\",\"proposer\":\"validator-1\"", "\"proposer\":\"validator-1\",\"kind\":\"stake\""),
    ("\"cut\":\"transactions\"", "\"cut\":\"transaction\\u0073\""),
    ("\"critical\":false", "\"critical\":null"),
    ("\"cafe\"", "\"CAFE\""),
    ("\"cafe\"", "\"caf\\u0065\""),
    ("\"from\":\"alice\"", "\"from\":\"\\u0061lice\""),
    ("\"from\":\"alice\"", "\"kind\":\"transfer\",\"from\":\"alice\""),
    ("\"from\":\"alice\"", "\"version\":1,\"from\":\"alice\""),
    ("\"from\":\"alice\"", "\"asset\":0,\"from\":\"alice\""),
    ("\"from\":\"alice\",\"to\":\"bob\"", "\"to\":\"bob\",\"from\":\"alice\""),
    ("\"amount\":3", "\"amount\":3,\"fee\":null"),
    ("\"amount\":3", "\"amount\":3,\"nonce\":null"),
    ("\"amount\":3", "\"amount\":3,\"public_key\":null,\"signature\":null"),
    ("\"amount\":3", "\"amount\":3,\"stub\":null"),
    ("\"amount\":3", "\"amount\":03"),
    ("\"outcome\":\"applied\"", "\"outcome\":{\"applied\":null}"),
    ("\"outcome\":\"applied\"", "\"outcome\":\"applied\",\"reason\":null"),
    ("\"outcome\":\"applied\"", "\"outcome\":\"applied\",\"reason\":\"expired\""),
    ("{\"outcome\":\"applied\",\"from_balance\":-3,\"to_balance\":3}", "[\"applied\",null,-3,3]"),
    ("\"stub\":{\"reason\":\"not_json\",\"key\":null}", "\"stub\":{\"reason\":\"not_json\"}"),
    ("\"stub\":{\"reason\":\"not_json\",\"key\":null}", "\"stub\":[\"not_json\",null]"),
    ("\"stub\":", "\"from\":\"alice\",\"stub\":"),
    ("\"memo\":\"rent\"", "\"memo\":\"ren\\u0074\""),
    ("{\"kind\":\"missed\"", "{\"account\":\"x\",\"kind\":\"missed\""),
    ("\"round\":0,\"validator\":\"validator-2\"", "\"validator\":\"validator-2\",\"round\":0"),
    ("}]}", "}],\"genesis\":null}"),
    ("}]}", "}]} "),
    ("}]}", "}]}\n"),
];

#[test]
fn only_the_one_rendering_of_a_block_is_taken() {
    let line = crate::chain::tests::block().to_json();
    for (from, to) in OTHERS {
        let other = line.replacen(from, to, 1);
        assert_ne!(other, line, "{from}");
        let error = Block::from_json(other.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Json { .. }), "{to}: {error}");
    }
    let rows: Vec<serde_json::Value> = ["header", "hash", "seal", "transactions", "operations"]
        .map(|field| serde_json::from_str::<serde_json::Value>(&line).unwrap()[field].clone())
        .to_vec();
    assert!(Block::from_json(serde_json::to_string(&rows).unwrap().as_bytes()).is_err(), "an array for the block");
}

#[test]
fn the_first_byte_that_is_not_the_renderings_is_named() {
    let line = crate::chain::tests::block().to_json();
    let other = line.replacen("\"from\":\"alice\"", "\"from\":\"\\u0061lice\"", 1);
    let at = line.find("alice").unwrap();
    let Err(Error::Json { field, detail }) = Block::from_json(other.as_bytes()) else { panic!() };
    assert_eq!(field, "transactions.0.from");
    assert!(detail.starts_with(&format!("not the one rendering of the block: from byte {at} on it has `")), "{detail}");
    assert!(detail.ends_with(", the rendering `a`"), "{detail}");
}

#[test]
fn what_a_newer_program_made_is_told_before_anything_strict_is_asked() {
    let line = crate::chain::tests::block().to_json();
    let newer = |lines: &[(&str, &str)]| {
        let other = lines.iter().fold(line.clone(), |line, (from, to)| {
            assert!(line.contains(from), "{from}");
            line.replacen(from, to, 1)
        });
        match Block::from_record(Some(b"1"), Some(other.as_bytes())) {
            Err(Error::Newer { height: 1, field, found, .. }) => (field, found),
            other => panic!("{other:?}"),
        }
    };
    let version = ("header.version", "2".to_owned());
    assert_eq!(newer(&[("\"version\":1", "\"version\":2")]), version);
    // A newer format may have any shape.
    let shapes = [
        ("\"author\":{", "\"author\":7,\"x\":{"),
        ("\"seal\":{", "\"seal\":[[\"x\"]],\"y\":{"),
        ("\"version\":1", "\"version\":2"),
    ];
    assert_eq!(newer(&shapes), version);
    let strange =
        [("\"version\":1", "\"color\":[{\"x\":[]}],\"version\":2"), ("\"parent\":\"", "\"parent\":7,\"x\":\"")];
    assert_eq!(newer(&strange), version);
    let elsewhere = [("\"version\":1,", ""), ("\"extensions\"", "\"version\":65536,\"extensions\"")];
    assert_eq!(newer(&elsewhere), ("header.version", "65536".to_owned()));
    let author = newer(&[("\"author\":{\"kind\":\"stake\"", "\"author\":{\"kind\":\"luck\"")]);
    assert_eq!(author, ("header.author.kind", "luck".to_owned()));
    let seal = newer(&[("\"seal\":{\"kind\":\"stake\"", "\"seal\":{\"kind\":\"luck\"")]);
    assert_eq!(seal, ("seal.kind", "luck".to_owned()));
    // Neither what is no version nor a version below this one is newer.
    for other in ["\"version\":\"2\"", "\"version\":2.5", "\"version\":-2", "\"version\":null", "\"version\":[2]"] {
        let other = line.replacen("\"version\":1", other, 1);
        let error = Block::from_record(Some(b"1"), Some(other.as_bytes())).unwrap_err();
        assert!(matches!(error, Error::Overwritten { height: 1, .. }), "{error}");
    }
}

#[test]
fn a_block_without_its_body_is_told_apart() {
    let block = crate::chain::tests::block();
    let Block { header, hash, seal: Some(seal), .. } = block.clone() else { panic!() };
    let pruned = Pruned { header, hash, seal };
    let line = pruned.to_json();
    assert!(block.to_json().starts_with(line.strip_suffix('}').unwrap()));
    let read = Block::from_record(Some(b"1"), Some(line.as_bytes())).unwrap();
    assert_eq!(read, Read::Pruned(Box::new(pruned.clone())));
    assert_eq!(read.block(), Err(Error::Pruned { height: 1 }));
    let breach = |alter: fn(&mut Pruned)| {
        let mut altered = pruned.clone();
        alter(&mut altered);
        altered.check()
    };
    assert_eq!(breach(|_| ()), Ok(()));
    assert!(matches!(breach(|pruned| pruned.header.time_ms += 1), Err(Error::Block { field: "hash", .. })));
    assert!(matches!(breach(|pruned| pruned.header.version = 2), Err(Error::Newer { .. })));
    let zero = breach(|pruned| {
        (pruned.header.height, pruned.header.cut) = (0, crate::chain::Cut::Genesis);
        pruned.header.author = crate::chain::Author::Genesis;
    });
    assert!(matches!(zero, Err(Error::Block { field: "transactions", .. })), "{zero:?}");
    assert_eq!(Block::from_json(line.as_bytes()), Err(Error::Pruned { height: 1 }));
    assert!(matches!(Block::from_record(Some(b"2"), Some(line.as_bytes())), Err(Error::Overwritten { height: 2, .. })));
    // Half a body is none, and neither is a form that no writer makes.
    let full = block.to_json();
    let (head, operations) = full.split_once(",\"operations\":").unwrap();
    let transactions = head.split_once(",\"transactions\":").unwrap().1;
    let bare = line.strip_suffix('}').unwrap();
    for (other, field) in [
        (format!("{head}}}"), "operations"),
        (format!("{bare},\"operations\":{operations}"), "operations"),
        (format!("{bare},\"transactions\":null,\"operations\":null}}"), "transactions"),
        (format!("{bare},\"transactions\":{transactions},\"operations\":null}}"), "operations"),
        (format!("{bare} }}"), "seal"),
    ] {
        assert_eq!(field_of(&other), field, "{other}");
    }
    // Block 0 holds what everything follows from.
    let zero = crate::chain::tests::genesis().block(Hash::ZERO).to_json();
    let bare = zero.split_once(",\"transactions\"").unwrap().0;
    assert_eq!(field_of(&format!("{bare}}}")), "transactions");
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
    // The field that stands there instead.
    assert_eq!(field(&open, "\"fee\":0,", ""), "genesis.reward");
    assert_eq!(field(&open, "\"max_age_ms\":1000,", ""), "genesis.block.window_ms");
    assert_eq!(field(&open, "\"overdraft_max\":9007199254740991,", ""), "genesis.signatures");
    assert_eq!(field(&open, "\"ids\":{\"remember_blocks\":10000},", ""), "genesis.accounts");
    assert_eq!(field(&open, "\"versions\":[{\"version\":1,\"from_height\":0}],", ""), "genesis.balances");
    assert_eq!(
        field(&strict, "\"balances\":\"strict\",", "\"balances\":\"strict\",\"overdraft_max\":null,"),
        "genesis.overdraft_max"
    );
    let pair = "\"balances\":\"strict\",\"overdraft_max\":7,";
    assert!(field(&strict, "\"balances\":\"strict\",", pair).starts_with("genesis"));
}

#[test]
fn a_record_has_its_height_as_its_key() {
    let block = crate::chain::tests::block();
    let line = block.to_json();
    assert_eq!(Block::from_record(Some(b"1"), Some(line.as_bytes())), Ok(Read::Block(Box::new(block))));
    for key in [None, Some(&b"01"[..]), Some(b""), Some(b"1 "), Some(b"-1"), Some(b"18446744073709551616")] {
        assert_eq!(Block::from_record(key, Some(line.as_bytes())), Ok(Read::Foreign));
        assert_eq!(Block::from_record(key, None), Ok(Read::Foreign));
    }
    for (key, value) in [("1", None), ("2", Some(line.as_bytes())), ("1", Some(b"{}"))] {
        let error = Block::from_record(Some(key.as_bytes()), value).unwrap_err();
        assert!(matches!(error, Error::Overwritten { height, .. } if height.to_string() == key), "{error}");
    }
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
        content: Content::Stub { reason: RejectCode::NotJson, key: None },
    };
    assert_eq!(
        stub.to_json(),
        format!(
            r#"{{"partition":0,"offset":1,"timestamp_ms":-1,"original":"{x}","stub":{{"reason":"not_json","key":null}}}}"#,
            x = Hash::of(b"x"),
        )
    );
    let line = block.to_json();
    let order = [
        "{\"header\":{\"version\":1,\"hash_algorithm\":1,\"genesis\":",
        ",\"hash\":",
        ",\"seal\":{\"kind\":\"stake\",",
        ",\"transactions\":[",
        ",\"operations\":[",
    ];
    let places: Vec<_> = order.iter().map(|part| line.find(part).unwrap()).collect();
    assert!(places.is_sorted(), "{line}");
}
