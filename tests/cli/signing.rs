//! A chain that asks for signatures, used with this program alone.

use crate::Cairn;

const LOG: &str = "--log embedded:log";

/// A chain with `signatures = "required"` on which `alice.key` holds money, and the names of alice's and bob's
/// accounts.
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
    let text = chain.cairn.run(&format!("submit {LOG} --sign-with alice.key day.jsonl")).done().stdout;
    assert!(
        text.contains("the same lines sent before are not paid again") && text.contains("sent is not applied"),
        "{text}"
    );
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
    // What shows only when it is signed for the chain.
    refused("{\"id\":null,\"to\":\"bob\",\"amount\":3}", &["line 2", "null"]);
    refused("{\"to\":\"bob\",\"amount\":3,\"valid_until\":0}", &["line 2: valid_until 0 is over"]);
    refused(
        "{\"to\":\"bob\",\"amount\":3,\"valid_until\":9007199254740991}",
        &["line 2: valid_until", "further ahead"],
    );
    let large = "x".repeat(cairn::chain::parse::VALUE_SIZE_BYTES_MAX - 100);
    refused(&format!("{{\"to\":\"bob\",\"amount\":3,\"x\":\"{large}\"}}"), &["line 2: too_large"]);

    chain.cairn.write("good.jsonl", &good);
    let submit = |words: &str| chain.cairn.run(&format!("submit {LOG} {words} good.jsonl"));
    submit("--sign-with none.key").refused(2, &["cannot read the key file none.key"]);
    submit("--sign-with good.jsonl").refused(2, &["good.jsonl", "cairn-account 1"]);
    submit("--sign-with alice.key --from alice").refused(2, &["cannot speak for alice"]);
    submit("--sign-with validators.keys").refused(2, &["$validator-1", "--from"]);
    submit("--sign-with alice.key --force").refused(2, &["--force"]);
    submit("--from alice").refused(2, &["--sign-with KEY_FILE"]);
    submit("--sign-with alice.key --blockchain none").refused(2, &["topic 'none' holds none yet"]);
    let far = submit("--sign-with alice.key --valid-until 1000000").refused(2, &["nothing was sent"]);
    assert!(far.stderr.contains("line 1: --valid-until 1000000 is further ahead"), "{}", far.stderr);
    let elsewhere = chain.cairn.run("submit --log embedded:typo --sign-with alice.key good.jsonl");
    elsewhere.refused(1, &["there is no embedded log in typo"]);
    assert!(!chain.cairn.path().join("typo").exists());
    submit("--sign-with alice.key --check").done();
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 0);
}

#[test]
fn a_whole_file_is_checked_against_the_chain_before_the_first_line_is_paid() {
    // Without ids, only a nonce keeps a payment from being repeated.
    let chain = Chain::new(&[("CAIRN_IDS_REMEMBER_BLOCKS", "0")]);
    let line = |nonce: u64| format!("{{\"to\":\"{}\",\"amount\":1,\"nonce\":{nonce}}}\n", chain.bob);
    // More than one chunk.
    let good: String = (0..5_000).map(line).collect();
    chain.cairn.write("many.jsonl", &(good + "{\"to\":\"bob\",\"amount\":1}\n"));
    let words = format!("submit {LOG} --sign-with alice.key many.jsonl");
    let ran = chain.cairn.run(&words).refused(2, &["nothing was sent"]);
    assert!(ran.stderr.contains("line 5001: needs a `nonce` of its own"), "{}", ran.stderr);
    assert_eq!(chain.cairn.run(&format!("verify {LOG} --json")).done().json()[0]["unsealed_records"], 0);

    // What is asked for goes into lines with a nonce, and is told only if it did.
    chain.cairn.write("few.jsonl", &(line(0) + &line(1)));
    let report = chain.submit("--sign-with alice.key --valid-until 7 few.jsonl");
    assert_eq!((&report["sent"], &report["valid_until"]), (&2.into(), &7.into()));
    let own = format!("{{\"to\":\"{}\",\"amount\":1,\"nonce\":2,\"valid_until\":5}}\n", chain.bob);
    chain.cairn.write("own.jsonl", &(own + &line(3)));
    assert_eq!(chain.submit("--sign-with alice.key own.jsonl")["valid_until"], 5, "the smallest that a line carries");
    chain.cairn.write("none.jsonl", &line(4));
    assert_eq!(chain.submit("--sign-with alice.key none.jsonl")["valid_until"], serde_json::Value::Null);
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 5);
}

#[test]
fn a_pinned_submission_signs_for_no_other_chain() {
    let chain = Chain::new(&[]);
    let cairn = &chain.cairn;
    cairn.write("one.jsonl", &format!("{{\"to\":\"{}\",\"amount\":3}}\n", chain.bob));
    let report = cairn.run(&format!("verify {LOG} --json --checkpoint good.txt")).done().json().remove(0);
    let hash = report["genesis_hash"].as_str().unwrap().to_owned();
    let other = if hash.starts_with('0') { "1" } else { "0" }.repeat(64);
    let submit = |words: &str| cairn.run(&format!("submit {LOG} --json --sign-with alice.key {words} one.jsonl"));

    let refused = submit(&format!("--genesis-hash {other}")).refused(2, &[&hash, &other, "nothing was sent"]);
    assert_eq!(refused.stdout, "");
    cairn.run("keys --output other.keys").done();
    cairn.run("genesis --keys other.keys --output other.toml").done();
    submit("--genesis other.toml").refused(2, &["was pinned"]);
    let checkpoint = std::fs::read_to_string(cairn.path().join("good.txt")).unwrap();
    cairn.write("other.txt", &checkpoint.replace(&hash, &other));
    submit("--checkpoint other.txt").refused(2, &["was pinned"]);
    cairn.write("later.txt", &checkpoint.replace("\n1\n", "\n10\n"));
    submit("--checkpoint later.txt").refused(1, &["ends at height 0", "checkpoint has 10 blocks"]);
    cairn.write("else.txt", &checkpoint.replace("cairn/", "example.com/"));
    submit("--checkpoint else.txt").refused(2, &["else.txt is a checkpoint of no chain: example.com/"]);
    submit("--checkpoint none.txt").refused(2, &["there is no checkpoint none.txt"]);
    assert_eq!(cairn.run(&format!("verify {LOG} --json")).done().json()[0]["unsealed_records"], 0, "nothing was sent");

    for words in [format!("--genesis-hash {hash}"), "--genesis genesis.toml".into(), "--checkpoint good.txt".into()] {
        let report = submit(&words).done().json().remove(0);
        assert_eq!((report["genesis_hash"].as_str(), &report["anchored"]), (Some(&*hash), &true.into()));
    }
    let free = cairn.run(&format!("submit {LOG} --sign-with alice.key one.jsonl")).done().stdout;
    assert!(free.contains(&hash[..16]) && free.contains("unanchored"), "{free}");
}

#[test]
fn unsigned_payments_are_not_sent_to_a_chain_that_takes_signed_ones_only() {
    let chain = Chain::new(&[]);
    let line = "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n";
    chain.cairn.write("one.jsonl", line);
    let submit = format!("submit {LOG} --json");
    let file = chain.cairn.run(&format!("{submit} one.jsonl")).refused(2, &["nothing was sent", "--force"]);
    assert!(
        file.stderr.contains("line 1: is not signed") && file.stderr.contains("--sign-with KEY_FILE"),
        "{}",
        file.stderr
    );
    let pipe = chain.cairn.run_with_input(&submit, line).refused(2, &["line 1: is not signed", "--sign-with KEY_FILE"]);
    assert_eq!((file.stdout.as_str(), pipe.stdout.as_str()), ("", ""));
    let forced = chain.cairn.run(&format!("{submit} --force one.jsonl")).done().json();
    assert_eq!(forced[0]["sent"], 1);
}

#[test]
fn a_submission_that_is_repeated_later_is_the_same_though_it_is_signed_for_another_time() {
    let chain = Chain::new(&[]);
    let line = |amount| format!("{{\"to\":\"{}\",\"amount\":{amount}}}\n", chain.bob);
    chain.cairn.write("day.jsonl", &(line(3) + &line(4)));
    let words = "--sign-with alice.key --submission may day.jsonl";
    chain.submit(words);
    chain.run();
    chain.cairn.write("day.jsonl", &(line(3) + &line(4) + &line(5)));
    let again = chain.submit(words);
    assert_eq!((&again["sent"], &again["skipped"]), (&1.into(), &2.into()));
    chain.run();
    assert_eq!(chain.balance(&chain.bob), 12);
    chain.cairn.write("day.jsonl", &(line(9) + &line(4) + &line(5)));
    chain.cairn.run(&format!("submit {LOG} {words}")).refused(2, &["line 1 differs"]);
}
