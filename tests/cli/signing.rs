//! A chain that asks for signatures, used with this program alone.

use crate::Cairn;

const LOG: &str = "--log embedded:log";

/// A chain with `signatures = "required"` on which `alice.key` holds money, and the names of alice's and bob's accounts.
struct Chain {
    cairn: Cairn,
    alice: String,
    bob: String,
}

impl Chain {
    fn new(variables: &[(&str, &str)]) -> Self {
        let cairn = Cairn::new();
        let account = |name: &str| {
            let words = format!("keys --account --output {name}.key");
            let account = cairn.run(&words).done().stdout.trim().to_owned();
            assert_eq!(cairn.run(&format!("keys --show {name}.key")).done().stdout.trim(), account);
            account
        };
        let (alice, bob) = (account("alice"), account("bob"));
        cairn.run("keys").done();
        let variables: Vec<_> =
            [("CAIRN_SIGNATURES", "required"), ("CAIRN_BALANCES", "strict")].iter().chain(variables).copied().collect();
        let genesis = cairn.run_with("genesis --keys validators.keys", &variables).done().stdout;
        let funded = format!("\n[[accounts]]\nname = \"{alice}\"\nbalance = 1000000\n");
        cairn.write("genesis.toml", &(genesis + &funded));
        let chain = Self { cairn, alice, bob };
        chain.run();
        chain
    }

    fn run(&self) {
        let run = format!("run {LOG} --state-dir state --until-end --genesis genesis.toml --keys validators.keys");
        self.cairn.run(&run).done();
    }

    fn submit(&self, words: &str) -> serde_json::Value {
        self.cairn.run(&format!("submit {LOG} --json {words}")).done().json().remove(0)
    }

    /// What an account holds.
    fn balance(&self, account: &str) -> i64 {
        let state = self.cairn.run("inspect --state-dir state --json").done().json().remove(0);
        let accounts = state["accounts"].as_array().unwrap();
        let found = accounts.iter().find(|one| one["name"] == account);
        found.map_or(0, |one| one["balance"].as_i64().unwrap())
    }

    fn verify(&self) {
        let report = self.cairn.run(&format!("verify {LOG} --json")).done().json().remove(0);
        assert_eq!((&report["result"], &report["unsealed_records"]), (&"intact".into(), &0.into()), "{report}");
    }
}

#[test]
fn signed_payments_are_applied_and_the_same_file_again_pays_nothing_twice() {
    let chain = Chain::new(&[]);
    let line = |amount| format!("{{\"to\":\"{}\",\"amount\":{amount}}}\n", chain.bob);
    // Two lines that say the same are two payments.
    chain.cairn.write("day.jsonl", &(line(3) + &line(3) + &line(4)));
    let report = chain.submit("--sign-with alice.key day.jsonl");
    assert_eq!((&report["sent"], &report["account"]), (&3.into(), &chain.alice.clone().into()));
    chain.run();
    assert_eq!((chain.balance(&chain.alice), chain.balance(&chain.bob)), (999_990, 10));

    // The tip has moved, so the lines are valid for another time now, and are the same payments all the same.
    let again = chain.submit("--sign-with alice.key day.jsonl");
    assert!(again["valid_until"].as_u64() > report["valid_until"].as_u64(), "{again}");
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 10);
    // A line that was added is new.
    chain.cairn.write("day.jsonl", &(line(3) + &line(3) + &line(4) + &line(5)));
    chain.submit("--sign-with alice.key day.jsonl");
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 15);
    // Meant to be paid again, it has another name.
    chain.submit("--sign-with alice.key --submission june day.jsonl");
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 30);
    chain.verify();
}

#[test]
fn many_payments_with_ids_of_their_own_are_applied_once_however_often_they_are_sent() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "100")]);
    let line = |n| format!("{{\"id\":\"payment-{n}\",\"to\":\"{}\",\"amount\":1}}\n", chain.bob);
    chain.cairn.write("many.jsonl", &(0..305).map(line).collect::<String>());
    for _ in 0..2 {
        assert_eq!(chain.submit("--sign-with alice.key many.jsonl")["sent"], 305);
        chain.run();
        assert_eq!(chain.balance(&chain.bob), 305);
    }
    // In the other order, and without a block in between.
    chain.cairn.write("many.jsonl", &(0..305).rev().map(line).collect::<String>());
    chain.submit("--sign-with alice.key many.jsonl");
    chain.submit("--sign-with alice.key many.jsonl");
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 305);
    chain.verify();
}

#[test]
fn with_a_fixed_end_of_validity_lines_are_not_paid_again_even_when_their_ids_are_forgotten() {
    let chain = Chain::new(&[("CAIRN_IDS_REMEMBER_BLOCKS", "2"), ("CAIRN_BLOCK_MAX_TRANSACTIONS", "1")]);
    chain.cairn.write("rent.jsonl", &format!("{{\"to\":\"{}\",\"amount\":100}}\n", chain.bob));
    chain.submit("--sign-with alice.key --valid-until 2 rent.jsonl");
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 100);
    // Three more blocks in which something is applied, and nothing of the rent is remembered.
    for amount in 1..=3 {
        let line = format!("{{\"to\":\"{}\",\"amount\":{amount}}}\n", chain.bob);
        chain.cairn.run_with_input(&format!("submit {LOG} --sign-with alice.key"), &line).done();
        chain.run();
    }
    assert_eq!(chain.balance(&chain.bob), 106);
    let refused = chain.cairn.run(&format!("submit {LOG} --sign-with alice.key --valid-until 2 rent.jsonl"));
    refused.refused(2, &["--valid-until 2 is over", "nothing was sent"]);
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 106);
    // Without it, it is a new payment by now.
    chain.submit("--sign-with alice.key rent.jsonl");
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 206);
}

#[test]
fn what_cannot_be_signed_is_refused_before_anything_is_sent() {
    let chain = Chain::new(&[]);
    let good = format!("{{\"to\":\"{}\",\"amount\":3}}\n", chain.bob);
    let refused = |line: &str, says: &[&str]| {
        chain.cairn.write("bad.jsonl", &format!("{good}{line}\n"));
        let ran = chain.cairn.run(&format!("submit {LOG} --sign-with alice.key bad.jsonl"));
        let ran = ran.refused(2, &["nothing was sent"]);
        for part in says {
            assert!(ran.stderr.contains(part), "{part} is not in: {}", ran.stderr);
        }
        assert_eq!(ran.stdout, "");
    };
    refused("{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}", &["line 2", "alice is not the account that signs"]);
    refused("{\"amount\":3}", &["line 2: missing_field"]);
    let signature = "0".repeat(128);
    let signed = format!("{{\"from\":\"{}\",\"to\":\"b\",\"amount\":3,\"signature\":\"{signature}\"}}", chain.alice);
    refused(&signed, &["line 2: is signed already"]);

    chain.cairn.write("good.jsonl", &good);
    let submit = |words: &str| chain.cairn.run(&format!("submit {LOG} {words} good.jsonl"));
    submit("--sign-with none.key").refused(2, &["cannot read the key file none.key"]);
    submit("--sign-with good.jsonl").refused(2, &["good.jsonl", "cairn-account 1"]);
    submit("--sign-with alice.key --from alice").refused(2, &["cannot speak for alice"]);
    submit("--sign-with validators.keys").refused(2, &["$validator-1", "--from"]);
    submit("--sign-with alice.key --force").refused(2, &["--force"]);
    submit("--from alice").refused(2, &["--sign-with KEY_FILE"]);
    submit("--sign-with alice.key --blockchain none").refused(2, &["topic 'none' holds none yet"]);
    submit("--sign-with alice.key --valid-until 1000000").refused(2, &["further ahead"]);
    submit("--sign-with alice.key --check").done();
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 0);
}
