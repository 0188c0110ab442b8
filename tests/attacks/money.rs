//! Who may send any transaction: nobody's money moves but the sender's, and no balance leaves its bounds.

use serde_json::Value;

use crate::world::{World, transfer};

const MAX: u64 = (1 << 53) - 1;

fn reasons(world: &World) -> Vec<String> {
    let reason = |entry: &Value| entry["receipt"]["reason"].as_str().unwrap_or("applied").to_owned();
    world.entries().iter().map(reason).collect()
}

#[test]
fn no_balance_leaves_the_numbers_that_json_can_hold() {
    let world = World::new(&[]);
    let sent = [
        (transfer("alice", "bob", MAX), "applied"),
        (transfer("carol", "bob", 1), "balance_overflow"),
        (transfer("alice", "dave", 1), "insufficient_funds"),
        (transfer("bob", "bob", MAX), "applied"),
        (transfer("bob", "carol", 1), "applied"),
        (transfer("carol", "bob", 1), "applied"),
        (transfer("carol", "bob", 1), "balance_overflow"),
        (transfer("bob", "carol", MAX), "applied"),
        (transfer("bob", "carol", MAX), "balance_overflow"),
    ];
    world.send(&sent.iter().map(|(line, _)| line.clone()).collect::<Vec<_>>());
    world.run();
    assert_eq!(reasons(&world), sent.iter().map(|(_, reason)| *reason).collect::<Vec<_>>());
    let max = i64::try_from(MAX).unwrap();
    assert_eq!((world.balance("alice"), world.balance("bob"), world.balance("carol")), (-max, 0, max));
    world.verify();
}

#[test]
fn a_validators_earnings_are_filled_by_nobody_and_spent_by_nobody_without_its_key() {
    for signatures in ["off", "when_keyed", "required"] {
        let world = World::new(&[("CAIRN_FEE", "2"), ("CAIRN_REWARD", "3"), ("CAIRN_SIGNATURES", signatures)]);
        let anyone = if signatures == "required" { "signature_required" } else { "applied" };
        let sent = [
            (transfer("alice", "bob", 1), anyone),
            (transfer("mallory", "$validator-1", 1), "reserved_name"),
            (transfer("mallory", "$validator-9", 1), "reserved_name"),
            (transfer("mallory", "$", 1), "reserved_name"),
            (transfer("$validator-1", "mallory", 1), "signature_required"),
            (transfer("$validator-2", "$validator-1", 1), "reserved_name"),
            (transfer("$validator-9", "mallory", 1), "reserved_name"),
            (transfer("$validator-1", "$validator-1", 1), "reserved_name"),
            (transfer("$", "mallory", 1), "reserved_name"),
        ];
        world.send(&sent.iter().map(|(line, _)| line.clone()).collect::<Vec<_>>());
        world.run();
        assert_eq!(reasons(&world), sent.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), "{signatures}");
        let proposer = world.blocks()[1].header.proposer().unwrap().as_str().to_owned();
        let earned = if anyone == "applied" { 2 + 3 } else { 0 };
        assert_eq!(world.balance(&format!("${proposer}")), earned, "{signatures}: fee and reward");
        assert_eq!((world.balance("mallory"), world.balance(&proposer)), (0, 0));
        world.verify();
    }
}

/// The plain name is anybody's: it has nothing to do with the validator, and where nobody signs it is as good as any.
#[test]
fn the_plain_name_of_a_validator_holds_nothing_of_its_earnings() {
    let strict = [("CAIRN_FEE", "2"), ("CAIRN_REWARD", "3"), ("CAIRN_SIGNATURES", "off"), ("CAIRN_BALANCES", "strict")];
    let mut world = World::new(&strict);
    world.cairn("keys --output validators.keys").done();
    let genesis = world.cairn("genesis --keys validators.keys").done().stdout;
    let funded = format!("{genesis}\n[[accounts]]\nname = \"alice\"\nbalance = 100\n");
    std::fs::write(world.path().join("genesis.toml"), funded).unwrap();
    world.options = "--genesis genesis.toml --keys validators.keys".to_owned();
    let validators = (1..=5).map(|n| format!("validator-{n}"));
    let mut lines = vec![transfer("alice", "bob", 10)];
    for validator in validators.clone() {
        lines.push(transfer(&validator, "mallory", 1));
        lines.push(transfer(&format!("${validator}"), "mallory", 1));
    }
    lines.push(transfer("alice", "bob", 10));
    world.send(&lines);
    world.run();
    let reasons = reasons(&world);
    assert_eq!((&reasons[0][..], &reasons[11][..]), ("applied", "applied"));
    assert!(reasons[1..11].chunks(2).all(|pair| pair == ["insufficient_funds", "signature_required"]), "{reasons:?}");
    let earned: i64 = validators.map(|validator| world.balance(&format!("${validator}"))).sum();
    assert_eq!((earned, world.balance("alice"), world.balance("mallory")), (2 * (2 + 3), 76, 0));
    world.verify();
}
