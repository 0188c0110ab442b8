//! The explorer's checker, which is JavaScript, against the program's: the same verdict on real proofs of every kind,
//! and on altered ones. Node runs it, with the WebCrypto that browsers have.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use cairn::audit::prove::{Cover, Question};
use cairn::chain::{Hash, Rendering};
use cairn::checkpoint::Checkpoint;
use cairn::checkpoint::consistency;
use cairn::proof::{Proof, Trusted};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::proofs::{LONG, balance, checkpoint, id, long, prove_at, validator};

/// Fixed, so that a failure is found again; printed by every test that fails.
const SEED: u64 = 55;

/// A directory with the checker and proofs.
pub(crate) struct Page {
    directory: tempfile::TempDir,
    lines: Vec<Value>,
}

impl Page {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::create_dir(directory.path().join("verify")).unwrap();
        for file in std::fs::read_dir(root.join("explorer/verify")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), directory.path().join("verify").join(file.file_name())).unwrap();
        }
        std::fs::copy(root.join("tests/audit/page.mjs"), directory.path().join("page.mjs")).unwrap();
        // Says to Node what a page says by `type="module"`.
        std::fs::write(directory.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
        Self { directory, lines: Vec::new() }
    }

    /// Adds a case; its number.
    pub(crate) fn ask(&mut self, file: &[u8], trusted: Trusted<'_>, alterations: &[Alteration], more: Value) -> usize {
        let (number, path) = (self.lines.len(), format!("{}.json", self.lines.len()));
        std::fs::write(self.directory.path().join(&path), file).unwrap();
        let alterations: Vec<Value> =
            alterations.iter().map(|one| json!([one.place, one.removed, hex(&one.added)])).collect();
        let mut line = json!({ "file": path, "checkpoint": trusted.checkpoint.map(Checkpoint::to_string),
            "genesis": trusted.genesis.map(Hash::to_string), "expected": null, "alterations": alterations });
        more.as_object().into_iter().flatten().for_each(|(name, value)| line[name] = value.clone());
        self.lines.push(line);
        number
    }

    /// What it says to each case.
    pub(crate) fn answers(self) -> Vec<Vec<Value>> {
        let mut node = Command::new("node")
            .args([self.directory.path().join("page.mjs"), self.directory.path().to_owned()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("node (Debian's nodejs, 18 or later; scripts/install) cannot be run: {error}")
            });
        let mut input = node.stdin.take().unwrap();
        let lines: String = self.lines.iter().map(|line| format!("{line}\n")).collect();
        let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
        let output = node.wait_with_output().unwrap();
        writing.join().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Vec<Value>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), self.lines.len());
        answers
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// From a place on, so many bytes are taken out and others put in.
#[derive(Clone, Debug)]
pub(crate) struct Alteration {
    place: usize,
    removed: usize,
    added: Vec<u8>,
}

impl Alteration {
    /// A byte for another, mostly one that could stand there as well; a byte more, or fewer.
    fn random(file: &[u8], rng: &mut ChaCha8Rng) -> Self {
        let place = rng.random_range(0..file.len());
        let byte = file[place];
        match rng.random_range(0..10) {
            0 => Self { place, removed: 1, added: Vec::new() },
            1 => Self { place, removed: 0, added: vec![byte] },
            2 => Self { place, removed: 1, added: vec![byte ^ rng.random_range(1..=255)] },
            3 => Self { place, removed: file.len() - place, added: Vec::new() },
            _ => {
                let alike = match byte {
                    b'0'..=b'9' => b"0123456789",
                    b'a'..=b'f' => b"abcdefabcd",
                    _ => b"\"{},:- _zZ",
                };
                let others: Vec<u8> = alike.iter().copied().filter(|other| *other != byte).collect();
                Self { place, removed: 1, added: vec![others[rng.random_range(0..others.len())]] }
            }
        }
    }

    fn of(&self, file: &[u8]) -> Vec<u8> {
        [&file[..self.place], &self.added, &file[self.place + self.removed..]].concat()
    }

    /// Whether all of it lies in what only BLS signatures vouch for: these, and who is said to have made them.
    fn is_in_bls(&self, file: &[u8]) -> bool {
        let text = std::str::from_utf8(file).unwrap();
        let sealed = text.find(",\"sealed\":").unwrap();
        let is_within = |name: &str, digits: Option<usize>| {
            text.match_indices(name).filter(|(at, _)| *at > sealed).any(|(at, _)| {
                let from = at + name.len();
                let length = text[from..].find('"').unwrap();
                digits.is_none_or(|digits| length == digits) && (from..from + length).contains(&self.place)
            })
        };
        is_within("\"reveal\":\"", None)
            || is_within("\"attestation\":\"", None)
            || is_within("\"signers\":\"", None)
            || is_within("\"signature\":\"", Some(96))
    }
}

fn holds(file: &[u8], trusted: Trusted<'_>) -> bool {
    Proof::parse(file).and_then(|proof| proof.check(trusted)).is_ok()
}

fn questions() -> [(Question, Option<u64>); 9] {
    [
        (balance("alice"), Some(12)),
        (balance("zoe"), Some(12)),
        (Question::Transaction { partition: 0, offset: 1 }, None),
        (id("bob", "order-30"), None),
        (id("bob", "order-99"), Some(6)),
        (validator("validator-1"), Some(12)),
        (validator("validator-9"), Some(30)),
        (Question::Block { height: 40 }, None),
        (Question::Block { height: 0 }, None),
    ]
}

fn proof(question: Question, at_height: Option<u64>, with_seal: bool) -> Proof {
    let proof = prove_at(&LONG, 50, question, at_height, Cover::Size(51)).unwrap();
    if with_seal { proof } else { Proof { sealed: None, ..proof } }
}

#[test]
fn the_page_says_of_every_altered_byte_what_the_program_says_against_a_checkpoint() {
    let own = checkpoint(&LONG, 51);
    let trusted = Trusted { checkpoint: Some(&own), genesis: None };
    let (mut page, mut rng, mut asked) = (Page::new(), ChaCha8Rng::seed_from_u64(SEED), Vec::new());
    for (question, at_height) in questions() {
        let file = proof(question, at_height, false).to_file();
        let alterations: Vec<_> = (0..300).map(|_| Alteration::random(&file, &mut rng)).collect();
        page.ask(&file, trusted, &alterations, json!({}));
        asked.push((file, alterations));
    }
    for ((file, alterations), answer) in asked.iter().zip(page.answers()) {
        assert_eq!(answer[0], "holds");
        for (alteration, verdict) in alterations.iter().zip(&answer[1..]) {
            let altered = alteration.of(file);
            let expected = altered == *file || holds(&altered, trusted);
            let shown = altered.escape_ascii();
            assert_eq!(verdict == "holds", expected, "seed {SEED}, {alteration:?}: {verdict}: {shown}");
        }
    }
}

#[test]
fn the_page_says_of_every_altered_byte_what_the_program_says_against_the_genesis_but_for_bls() {
    let genesis = LONG.genesis.hash();
    let trusted = Trusted { checkpoint: None, genesis: Some(&genesis) };
    let (mut page, mut rng, mut asked) = (Page::new(), ChaCha8Rng::seed_from_u64(SEED + 1), Vec::new());
    for (question, at_height) in questions() {
        let file = proof(question, at_height, true).to_file();
        let alterations: Vec<_> = (0..120).map(|_| Alteration::random(&file, &mut rng)).collect();
        page.ask(&file, trusted, &alterations, json!({}));
        asked.push((file, alterations));
    }
    let mut in_bls = 0;
    for ((file, alterations), answer) in asked.iter().zip(page.answers()) {
        let is_block_0 = Proof::parse(file).unwrap().header.height == 0;
        // Block 0 follows from the genesis; the seals of the others are not checked in full.
        let best = if is_block_0 { "holds" } else { "open" };
        assert_eq!(answer[0], best);
        for (alteration, verdict) in alterations.iter().zip(&answer[1..]) {
            let altered = alteration.of(file);
            let expected = altered == *file || holds(&altered, trusted);
            let shown = altered.escape_ascii();
            if expected {
                assert_eq!(verdict, best, "seed {SEED}, {alteration:?}: {shown}");
            } else if alteration.is_in_bls(file) {
                in_bls += 1;
                assert_ne!(verdict, "holds", "seed {SEED}, {alteration:?}: {shown}");
            } else {
                let is_refused = verdict == "broken" || verdict == "unfit";
                assert!(is_refused, "seed {SEED}, {alteration:?}: {verdict}: {shown}");
            }
        }
    }
    assert!(in_bls > 0, "some alterations lie where only BLS sees them");
}

#[test]
fn the_page_names_what_it_left_unchecked_and_the_step_that_is_broken() {
    let (own, genesis) = (checkpoint(&LONG, 51), LONG.genesis.hash());
    let by = |checkpoint, genesis| Trusted { checkpoint, genesis };
    let all = json!({ "all": true });
    let mut page = Page::new();
    let file = proof(balance("alice"), Some(12), true).to_file();
    page.ask(&file, by(None, Some(&genesis)), &[], all.clone());
    page.ask(&file, by(Some(&own), None), &[], all.clone());
    // Of another chain, of a fork, of another size, of nothing.
    let (other, fork) = (long(22, 1), long(21, 2));
    let (other, forked, smaller) = (other.genesis.hash(), checkpoint(&fork, 51), checkpoint(&LONG, 40));
    page.ask(&file, by(None, Some(&other)), &[], all.clone());
    page.ask(&file, by(Some(&forked), None), &[], all.clone());
    page.ask(&file, by(Some(&smaller), None), &[], all.clone());
    page.ask(&file, by(None, None), &[], all.clone());
    let newer = [b"{\"proof\":2", &file[b"{\"proof\":1".len()..]].concat();
    page.ask(&newer, by(Some(&own), None), &[], all.clone());
    let unsealed = proof(balance("alice"), Some(12), false).to_file();
    page.ask(&unsealed, by(None, Some(&genesis)), &[], all);
    let answers: Vec<Value> = page.answers().into_iter().map(|answer| answer[0].clone()).collect();
    let verdicts: Vec<&Value> = answers.iter().map(|answer| &answer["verdict"]).collect();
    assert_eq!(verdicts, ["open", "holds", "broken", "broken", "unfit", "unfit", "unfit", "unfit"], "{answers:#?}");
    for at in ["open", "asides"] {
        let named = answers[usize::from(at == "asides")][at].to_string();
        for what in ["attestation", "reveal", "refused a block of validator-1"] {
            assert!(named.contains(what), "{at}: {named}");
        }
    }
    assert_eq!(answers[0]["steps"].as_array().unwrap().len(), 6, "{}", answers[0]);
    assert_eq!((&answers[2]["part"], &answers[3]["part"]), (&json!("genesis"), &json!("checkpoint")));
}

#[test]
fn the_page_takes_no_proof_of_something_else_than_it_shows() {
    let own = checkpoint(&LONG, 51);
    let trusted = Trusted { checkpoint: Some(&own), genesis: None };
    let alice = proof(balance("alice"), Some(12), false);
    let cairn::proof::Claim::Balance { account, .. } = &alice.claim else { panic!("{:?}", alice.claim) };
    let (held, nonce) = (account.balance, account.nonce);
    let block = &LONG.blocks[40];
    let text = block.to_json();
    let whole: Value = serde_json::from_str(&text).unwrap();
    let between = |from: &str, to: &str| {
        let start = text.find(from).unwrap() + from.len();
        text[start..start + text[start..].find(to).unwrap()].to_owned()
    };
    let shown = json!({ "kind": "block", "height": 40, "hash": whole["hash"], "header": between("{\"header\":", ",\"hash\":"),
        "transactions": between(",\"transactions\":", ",\"operations\":"), "operations": format!("{}]", between(",\"operations\":", "]}")) });
    let mut altered = shown.clone();
    let transactions = shown["transactions"].as_str().unwrap();
    altered["transactions"] = transactions.replacen("\"amount\":1,", "\"amount\":2,", 1).into();
    assert_ne!(altered, shown);
    let entry = LONG.blocks[1].entries[1].to_json();
    let place = |offset: i64, entry: &str| json!({ "kind": "transaction", "partition": 0, "offset": offset, "height": 1, "entry": entry });
    let of = |name: &str, balance: i64| json!({ "kind": "balance", "name": name, "height": 12, "balance": balance, "nonce": nonce });
    let transaction = proof(Question::Transaction { partition: 0, offset: 1 }, None, false);
    let mut page = Page::new();
    for (made, expected) in [
        (proof(Question::Block { height: 40 }, None, false), shown),
        (alice.clone(), of("alice", held)),
        (transaction.clone(), place(1, &entry)),
        (proof(Question::Block { height: 40 }, None, false), altered),
        (proof(Question::Block { height: 40 }, None, false), json!({ "kind": "block", "height": 39 })),
        (alice.clone(), of("alice", held + 1)),
        (alice, of("bob", held)),
        (transaction.clone(), place(2, &entry)),
        (transaction, place(1, &entry.replacen("\"from\":\"bob\"", "\"from\":\"eve\"", 1))),
    ] {
        page.ask(&made.to_file(), trusted, &[], json!({ "expected": expected, "all": true }));
    }
    for (number, answer) in page.answers().iter().enumerate() {
        if number < 3 {
            assert_eq!(answer[0]["verdict"], "holds", "{number}: {}", answer[0]);
        } else {
            assert_eq!((&answer[0]["verdict"], &answer[0]["part"]), (&json!("broken"), &json!("shown")), "{number}");
        }
    }
}

#[test]
fn a_balance_that_is_shown_after_another_block_than_the_proof_s_is_not_said_to_hold() {
    let own = checkpoint(&LONG, 51);
    let trusted = Trusted { checkpoint: Some(&own), genesis: None };
    let alice = proof(balance("alice"), Some(12), false);
    let mut page = Page::new();
    for (height, units) in [(13, 999), (11, 999), (12, 999)] {
        let shown = json!({ "kind": "balance", "name": "alice", "height": height, "balance": units, "nonce": 0 });
        page.ask(&alice.to_file(), trusted, &[], json!({ "expected": shown, "all": true }));
    }
    let answers: Vec<Value> = page.answers().into_iter().map(|answer| answer[0].clone()).collect();
    for answer in &answers[..2] {
        assert_eq!(answer["verdict"], "open", "{answer}");
        assert!(answer["open"].to_string().contains("the proof is of block 12"), "{answer}");
        assert!(answer["steps"].as_array().unwrap().contains(&json!(["shown", "open"])), "{answer}");
    }
    assert_eq!(answers[2]["verdict"], "broken");
}

#[test]
fn a_history_that_goes_on_from_the_checkpoint_covers_what_the_checkpoint_covers_and_no_more() {
    let old = checkpoint(&LONG, 20);
    let trusted = Trusted { checkpoint: Some(&old), genesis: None };
    let mut prover = consistency::Prover::new(20, 51);
    LONG.blocks.iter().for_each(|block| prover.append(cairn::chain::merkle::leaf(block.hash.as_bytes())));
    let path: Vec<String> = prover.proof().unwrap().iter().map(Hash::to_string).collect();
    let mut altered = path.clone();
    altered[1] = altered[0].clone();
    let fork = checkpoint(&long(21, 2), 20);
    let mut page = Page::new();
    let (before, behind) =
        (proof(balance("alice"), Some(12), false), proof(Question::Block { height: 40 }, None, false));
    let goes_on = json!({ "continued": { "path": path } });
    page.ask(&before.to_file(), trusted, &[], goes_on.clone());
    page.ask(&behind.to_file(), trusted, &[], goes_on.clone());
    page.ask(&before.to_file(), trusted, &[], json!({ "continued": { "path": altered } }));
    page.ask(&before.to_file(), trusted, &[], json!({ "continued": { "path": path[1..] } }));
    page.ask(&before.to_file(), Trusted { checkpoint: Some(&fork), genesis: None }, &[], goes_on);
    let verdicts: Vec<Value> = page.answers().into_iter().map(|answer| answer[0].clone()).collect();
    assert_eq!(verdicts, ["holds", "open", "broken", "broken", "broken"]);
}
