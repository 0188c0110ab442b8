//! Who may write to the transactions topic, which is everybody.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::{BLOCKCHAIN, Kept, START_MS, TRANSACTIONS, World, transfer};

const SAFE: i64 = (1 << 53) - 1;

fn reason(entry: &Value) -> &str {
    entry["receipt"]["reason"].as_str().or_else(|| entry["stub"]["reason"].as_str()).unwrap_or_default()
}

fn invoice() -> String {
    "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":100,\"id\":\"invoice-1\"}".to_owned()
}

/// Every number on a topic can be read by every JSON reader.
fn assert_safe_numbers(world: &World) {
    fn walk(value: &Value) {
        match value {
            Value::Number(number) => assert!(number.as_i64().is_some_and(|n| (-SAFE..=SAFE).contains(&n)), "{number}"),
            Value::Array(items) => items.iter().for_each(walk),
            Value::Object(fields) => fields.values().for_each(walk),
            _ => {}
        }
    }
    for record in world.read(BLOCKCHAIN) {
        walk(&serde_json::from_str(record.text()).unwrap());
    }
}

#[test]
fn a_flood_of_rubbish_between_two_sends_of_an_invoice_does_not_have_it_paid_twice() {
    const COUNT: usize = 30_000;
    let world = World::new(&[("CAIRN_REWARD", "1"), ("CAIRN_IDS_REMEMBER_BLOCKS", "2")]);
    let mut records = vec![Kept::of(invoice(), START_MS)];
    records.extend((0..COUNT).map(|_| Kept::of("x", START_MS)));
    records.push(Kept::of(invoice(), START_MS));
    world.append(TRANSACTIONS, &records);
    let (_, tip) = world.run();
    assert_eq!(world.balance("bob"), 100);
    let report = world.verify();
    assert_eq!(report["minted"], "1", "a reward for the block with the payment, and for no other: {report}");
    let blocks = world.read(BLOCKCHAIN);
    let size_bytes: usize = blocks.iter().map(|block| block.value.as_ref().unwrap().len()).sum();
    println!("{COUNT} stubs: {} blocks, {size_bytes} bytes", blocks.len());
    assert!(size_bytes < COUNT * 400, "{size_bytes}");
    assert!(blocks.len() <= 2 + size_bytes / 500_000, "{} blocks, tip {tip}", blocks.len());
    let entries = world.entries();
    assert_eq!(entries.iter().filter(|entry| reason(entry) == "duplicate").count(), 1);
    assert_eq!(entries.len(), COUNT + 2);
}

/// Transactions that are rejected fill blocks, but move no horizon and mint nothing either.
#[test]
fn a_flood_of_rejected_transactions_between_two_sends_does_not_have_it_paid_twice() {
    let world = World::new(&[("CAIRN_REWARD", "1"), ("CAIRN_IDS_REMEMBER_BLOCKS", "2")]);
    let mut lines = vec![invoice()];
    lines.extend((0..600).map(|_| transfer("mallory", "mallory2", 0)));
    lines.push(invoice());
    world.send(&lines);
    assert_eq!(world.run().1["height"], 201);
    assert_eq!((world.balance("bob"), &world.verify()["minted"]), (100, &"1".into()));
}

#[test]
fn names_made_up_for_nothing_leave_no_accounts() {
    const COUNT: usize = 30_000;
    let strict = [("CAIRN_BALANCES", "strict"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "10000")];
    let world = World::new(&strict);
    let line = |n: usize| match n % 3 {
        0 => format!("{{\"from\":\"a{n}\",\"to\":\"b{n}\",\"amount\":0,\"nonce\":0}}"),
        1 => format!("{{\"from\":\"a{n}\",\"to\":\"a{n}\",\"amount\":1,\"nonce\":0}}"),
        _ => format!("{{\"from\":\"a{n}\",\"to\":\"b{n}\",\"amount\":1,\"id\":\"i\",\"nonce\":0}}"),
    };
    world.send(&(0..COUNT).map(line).collect::<Vec<_>>());
    world.run();
    assert_eq!(world.inspect()["accounts"].as_array().unwrap().len(), 0);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    world.entries().iter().for_each(|entry| *reasons.entry(reason(entry).to_owned()).or_default() += 1);
    let expected = [("insufficient_funds", COUNT / 3 * 2), ("zero_amount", COUNT / 3)];
    assert_eq!(reasons, expected.map(|(reason, count)| (reason.to_owned(), count)).into());
    world.verify();
}

#[test]
fn names_that_look_like_others_are_no_names_and_go_to_the_dead_letters() {
    let world = World::new(&[]);
    let names = [
        ("ali\u{200b}ce", "name_forbidden_character"),
        ("\u{202e}ecila", "name_forbidden_character"),
        ("alice\u{2066}", "name_forbidden_character"),
        ("alice\u{feff}", "name_forbidden_character"),
        ("alice\u{fe0f}", "name_forbidden_character"),
        ("alice\u{e0041}", "name_forbidden_character"),
        ("alice\u{3164}", "name_forbidden_character"),
        ("alice\u{2028}", "name_forbidden_character"),
        ("alice\u{e000}", "name_forbidden_character"),
        ("alice\u{10ffff}", "name_forbidden_character"),
        ("zoe\u{308}", "name_not_normalized"),
        ("\u{212b}ngstrom", "name_not_normalized"),
        ("alice\u{0}", "name_control_character"),
    ];
    let mut records = Vec::new();
    for (name, _) in names {
        let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        records.push(Kept::of(transfer(&escaped, "bob", 1), START_MS));
        records.push(Kept::of(transfer("bob", &escaped, 1), START_MS));
        if !name.contains('\0') {
            records.push(Kept::of(transfer(name, "bob", 1), START_MS));
        }
    }
    // A name of its own is one, in its one form.
    records.push(Kept::of(transfer("zo\u{eb}", "\u{c5}ngstrom", 1), START_MS));
    world.append(TRANSACTIONS, &records);
    world.run();
    let (entries, letters) = (world.entries(), world.read("transactions-dead-letters"));
    let expected = names.iter().flat_map(|(name, why)| vec![*why; if name.contains('\0') { 2 } else { 3 }]);
    let expected: Vec<&str> = expected.collect();
    assert_eq!((entries.len(), letters.len()), (expected.len() + 1, expected.len()));
    for (place, why) in expected.iter().enumerate() {
        let sent = &records[place];
        assert_eq!(reason(&entries[place]), *why, "{}", sent.text());
        assert_eq!(letters[place].value, sent.value);
    }
    assert_eq!(entries[expected.len()]["receipt"]["outcome"], "applied");
    assert_eq!(world.inspect()["accounts"].as_array().unwrap().len(), 2);
    world.verify();
}

#[test]
fn a_time_far_in_the_future_forgets_no_ids_and_stays_a_number_that_json_can_hold() {
    for window_ms in ["0", "1000"] {
        let world = World::new(&[("CAIRN_BLOCK_WINDOW_MS", window_ms), ("CAIRN_IDS_REMEMBER_BLOCKS", "2")]);
        let times = [START_MS, SAFE, SAFE + 1, i64::MAX - 1, i64::MAX, 0, -1, 4_102_444_800_000, START_MS];
        let mut records = Vec::new();
        for time_ms in times {
            records.push(Kept::of(invoice(), time_ms));
            records.push(Kept::of("no transaction", time_ms));
            // Rejected, so it moves nothing.
            records.push(Kept::of(transfer("x", "y", 0), time_ms));
        }
        world.append(TRANSACTIONS, &records);
        world.run();
        assert_eq!(world.balance("bob"), 100, "window {window_ms}");
        assert_safe_numbers(&world);
        world.verify();
        // It goes on afterwards, in its usual blocks.
        let height = world.blocks().len();
        world.pay(3);
        world.run();
        assert!(world.blocks().len() > height);
        assert_safe_numbers(&world);
        world.verify();
        assert_eq!(world.balance("bob"), 103, "window {window_ms}");
        // And without any state of its own.
        std::fs::remove_dir_all(world.state()).unwrap();
        world.append(TRANSACTIONS, &[Kept::of(invoice(), START_MS)]);
        world.run();
        assert_eq!(world.balance("bob"), 103, "window {window_ms}");
    }
}
