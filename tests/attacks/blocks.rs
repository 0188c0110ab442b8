//! Who may write to the blockchain topic.

use crate::world::{BLOCKCHAIN, Kept, World};

/// The value with a piece replaced, which must be there once.
fn replaced(kept: &Kept, from: &str, to: &str) -> Kept {
    assert_eq!(kept.text().matches(from).count(), 1, "{from}");
    Kept { value: Some(kept.text().replace(from, to).into_bytes()), ..kept.clone() }
}

/// The piece between two others, the first one included.
fn piece<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let rest = &text[text.find(from).unwrap()..];
    &rest[..rest.find(to).unwrap()]
}

#[test]
fn a_last_block_that_is_not_as_it_was_is_refused_by_run_verify_and_replay() {
    let world = World::with_payments(6);
    let blocks = world.read(BLOCKCHAIN);
    let last = blocks.last().unwrap();
    let text = last.text();
    let body = piece(text, "\"transactions\":[", ",\"operations\"");
    let (version, algorithm) = ("{\"header\":{\"version\":1,", "\"hash_algorithm\":1,");
    let range = piece(text, "\"ranges\":[{", "]");
    let first = piece(body, "{", ",{\"partition\"");
    let mut array = range.replace('}', "]");
    for name in ["{\"partition\":", "\"first\":", "\"last\":", "\"count\":"] {
        array = array.replace(name, if name.starts_with('{') { "[" } else { "" });
    }
    let behind_version = |more: &str| replaced(last, version, &format!("{version}{more}"));
    let alterations = [
        ("emptied body", replaced(last, body, "\"transactions\":[]")),
        ("one record fewer", replaced(last, body, &body.replacen(&format!("{first},"), "", 1))),
        ("white space", behind_version(" ")),
        ("white space behind", Kept { value: Some(format!("{text}\n").into_bytes()), ..last.clone() }),
        ("an outcome in another form", {
            let body = body.replacen("\"outcome\":\"applied\"", "\"outcome\":{\"applied\":null}", 1);
            replaced(last, piece(text, "\"transactions\":[", ",\"operations\""), &body)
        }),
        ("a range as an array", replaced(last, range, &array)),
        ("fields in another order", {
            let swapped = "{\"header\":{\"hash_algorithm\":1,\"version\":1,";
            replaced(last, &format!("{version}{algorithm}"), swapped)
        }),
        ("a number in another form", replaced(last, version, "{\"header\":{\"version\":1e0,")),
        ("a field twice", behind_version("\"version\":1,")),
        ("a field that nobody knows", behind_version("\"note\":1,")),
        ("an escape that is none", replaced(last, "\"hash_algorithm\"", "\"hash\\u005falgorithm\"")),
        ("another time", replaced(last, piece(text, "\"time_ms\":", ",\"parent\""), "\"time_ms\":1")),
    ];
    for (what, altered) in &alterations {
        assert_ne!(altered, last, "{what}");
        // As compaction leaves it, and as it lies there until then.
        for behind in [false, true] {
            let mut records = blocks.clone();
            if !behind {
                records.pop();
            }
            records.push(altered.clone());
            world.rewrite(BLOCKCHAIN, "compact", &records);
            let reasons: &[&str] = if behind { &["overwritten", "form", "height"] } else { &["overwritten", "form"] };
            let broken = world.try_verify().broken(reasons);
            assert_eq!(broken["height"], 2, "{what}: {broken}");
            world.try_replay().broken(reasons);
            world.try_run().refused(1, &["blockchain", "cairn verify"]);
        }
    }
    world.rewrite(BLOCKCHAIN, "compact", &blocks);
    world.pay(3);
    world.run();
    assert_eq!(world.verify()["height"], 3);
}

#[test]
fn records_whose_key_is_no_height_stop_nobody_and_are_counted() {
    let world = World::with_payments(6);
    let keys: [&[u8]; 9] =
        [b"latest", b"", b"01", b"+3", b" 3", b"3.0", b"\xff\xfe", b"18446744073709551616", "\u{663}".as_bytes()];
    let mut records: Vec<Kept> = keys.iter().map(|key| Kept::new(key, "junk")).collect();
    records.push(Kept::new("newer", "{\"header\":{\"version\":9}}"));
    records.push(Kept { value: None, ..Kept::new("gone", "") });
    // More than is read at once from the end.
    records.extend((0..300).map(|_| Kept::new("x", "junk")));
    world.append(BLOCKCHAIN, &records);
    let (_, tip) = world.run();
    assert_eq!((&tip["height"], world.verify()["foreign_records"].as_u64()), (&2.into(), Some(records.len() as u64)));
    world.pay(3);
    assert_eq!(world.run().1["height"], 3);
    let (verified, replayed) = (world.verify(), world.try_replay().done().json());
    assert_eq!((&verified["height"], &verified["foreign_records"]), (&3.into(), &records.len().into()));
    assert_eq!((&replayed["height"], &replayed["foreign_records"]), (&3.into(), &records.len().into()));
    assert_eq!(world.inspect()["height"], 3);
    let text = world.cairn("verify --log embedded:log").done().stdout;
    assert!(text.contains("foreign     311 records"), "{text}");
}

#[test]
fn a_record_under_a_height_that_is_not_that_block_is_called_overwritten_and_refused() {
    let world = World::with_payments(6);
    let blocks = world.read(BLOCKCHAIN);
    let junk: [Option<&[u8]>; 4] = [Some(b"junk"), None, Some(b""), blocks[1].value.as_deref()];
    for (key, height) in [("2", 2), ("0", 0), ("3", 3), ("18446744073709551615", 3)] {
        for value in junk {
            let value = value.map(<[u8]>::to_vec);
            let records = [blocks.clone(), vec![Kept { value, ..Kept::new(key, "") }]].concat();
            world.rewrite(BLOCKCHAIN, "compact", &records);
            let broken = world.try_verify().broken(&["overwritten"]);
            assert_eq!(broken["height"], height, "{key}: {broken}");
            world.try_replay().broken(&["overwritten"]);
            world.try_run().refused(1, &["blockchain", "cairn verify", "Recovery"]);
        }
    }
    // A genuine block at a place that is not its own.
    for block in [&blocks[1], &blocks[2], &blocks[0]] {
        world.rewrite(BLOCKCHAIN, "compact", &[blocks.clone(), vec![block.clone()]].concat());
        world.try_verify().broken(&["height"]);
        world.try_replay().broken(&["height"]);
    }
    // The older ones are told from a chain that ends with them.
    world.try_run().refused(1, &["ends with height 0", "cairn verify"]);
    for gone in [0, 1] {
        let mut records = blocks.clone();
        records.remove(gone);
        world.rewrite(BLOCKCHAIN, "compact", &records);
        world.try_verify().broken(&["height"]);
    }
    // Without block 0 it is no chain that a run could know.
    world.rewrite(BLOCKCHAIN, "compact", &blocks[1..]);
    world.try_run().refused(1, &["does not begin with block 0"]);
    // A shorter one lost what was signed.
    world.rewrite(BLOCKCHAIN, "compact", &blocks[..2]);
    world.pay(3);
    world.try_run().refused(1, &["ends with height 1", "lost blocks"]);
    world.rewrite(BLOCKCHAIN, "compact", &blocks);
    world.run();
    assert_eq!(world.verify()["height"], 3);
}

/// By the next version's rules, with a field that this one does not know, sealed or not, whole or not.
#[test]
fn a_block_of_a_newer_version_is_left_alone_with_exit_code_3() {
    let world = World::with_payments(6);
    let blocks = world.read(BLOCKCHAIN);
    let newer = |block: &Kept, height: u64| {
        let version =
            replaced(block, "{\"header\":{\"version\":1,", "{\"header\":{\"version\":2,\"weather\":{\"sun\":[true]},");
        let text = version.text().replace("\"height\":2,", &format!("\"height\":{height},"));
        Kept::new(height.to_string(), text)
    };
    let next = newer(&blocks[2], 3);
    let bare = Kept::new("3", "{\"header\":{\"version\":65535,\"height\":3}}");
    for records in [
        [blocks.clone(), vec![next]].concat(),
        [blocks.clone(), vec![bare]].concat(),
        [blocks[..2].to_vec(), vec![newer(&blocks[2], 2)]].concat(),
    ] {
        world.rewrite(BLOCKCHAIN, "compact", &records);
        let says = ["newer program"];
        assert_eq!(world.try_verify().refused(3, &says).stdout, "");
        assert_eq!(world.try_replay().refused(3, &says).stdout, "");
        assert_eq!(world.try_run().refused(3, &says).stdout, "");
    }
    // Nothing was made of it.
    world.rewrite(BLOCKCHAIN, "compact", &blocks);
    world.pay(3);
    world.run();
    assert_eq!(world.verify()["height"], 3);
}

#[test]
fn a_block_without_its_body_is_neither_intact_nor_broken() {
    let world = World::with_payments(9);
    let blocks = world.read(BLOCKCHAIN);
    let pruned = |block: &Kept| {
        let text = block.text();
        let header = piece(text, "{\"header\"", ",\"transactions\"").to_owned();
        Kept { value: Some(format!("{header}}}").into_bytes()), ..block.clone() }
    };
    for height in [2, 3] {
        let mut records = blocks.clone();
        records[height] = pruned(&blocks[height]);
        world.rewrite(BLOCKCHAIN, "compact", &records);
        let says = format!("the body of block {height} was pruned");
        world.try_verify().refused(3, &[&says]);
        world.try_replay().refused(3, &[&says]);
        if height == 3 {
            world.try_run().refused(3, &["block 3", "pruned"]);
        }
    }
}

/// As the operations manual has it: of each height the oldest record goes to a new topic, and the run goes on with
/// that.
#[test]
fn a_chain_with_an_overwritten_height_goes_on_from_its_oldest_records_on_another_topic() {
    let mut world = World::with_payments(6);
    let blocks = world.read(BLOCKCHAIN);
    world.append(BLOCKCHAIN, &[Kept::new("1", "junk"), Kept::new("2", "junk"), blocks[2].clone()]);
    world.try_verify().broken(&["overwritten"]);
    world.create("blockchain-2", "compact");
    world.append("blockchain-2", &blocks);
    world.pay(3);
    world.options = "--blockchain blockchain-2".to_owned();
    let (_, tip) = world.run();
    assert_eq!(tip["height"], 3);
    let report = world.cairn("verify --log embedded:log --blockchain blockchain-2 --json").done().json();
    assert_eq!((&report["result"], &report["block_hash"]), (&"intact".into(), &tip["block_hash"]));
}
