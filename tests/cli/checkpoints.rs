//! `checkpoint`, and `verify` with signatures: what others can hold a chain to.

use std::path::Path;

use cairn::checkpoint::SignedNote;

use crate::{Cairn, Ran};

/// Chains of one genesis, each on a log of its own: what the holder of the keys can make.
pub(crate) struct Chains {
    pub(crate) cairn: Cairn,
    pub(crate) genesis: String,
}

impl Chains {
    pub(crate) fn new() -> Self {
        let cairn = Cairn::new();
        let whole = [("CAIRN_BLOCK_WINDOW_MS", "0"), ("CAIRN_BLOCK_MAX_AGE_MS", "60000")];
        cairn.run("keys --output my.keys").done();
        cairn.run_with("genesis --keys my.keys --output my.toml", &whole).done();
        let text = std::fs::read_to_string(cairn.path().join("my.toml")).unwrap();
        let genesis = cairn::chain::Genesis::from_toml(&text).unwrap().hash().to_string();
        Self { cairn, genesis }
    }

    /// Seals a block more, of one payment, on a log.
    pub(crate) fn seal(&self, log: &str, amount: u32) {
        self.cairn.write("payment.jsonl", &format!("{{\"from\":\"alice\",\"to\":\"bob\",\"amount\":{amount}}}\n"));
        self.cairn.run(&format!("submit --log embedded:{log} payment.jsonl")).done();
        let words = format!(
            "run --log embedded:{log} --state-dir state-{log} --until-end --genesis my.toml --keys my.keys --json"
        );
        let data = self.cairn.path().join(format!("data-{log}"));
        self.cairn.run_with(&words, &[("XDG_DATA_HOME", data.to_str().unwrap())]).done();
    }

    /// Another log, that is now as this one.
    pub(crate) fn copy(&self, log: &str, other: &str) {
        copy(&self.cairn.path().join(log), &self.cairn.path().join(other));
    }

    /// The checkpoint of the chain on a log, in a file; how many blocks it has.
    pub(crate) fn checkpoint(&self, log: &str, words: &str, file: &str) -> u64 {
        let made = self.cairn.run(&format!("checkpoint --log embedded:{log} {words}")).done();
        self.cairn.write(file, &made.stdout);
        SignedNote::parse(made.stdout.as_bytes()).unwrap().checkpoint().size
    }

    pub(crate) fn verify(&self, words: &str) -> Ran {
        self.cairn.run(&format!("verify --log embedded:log {words}"))
    }

    pub(crate) fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.cairn.path().join(file)).unwrap()
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_checkpoint_is_three_lines_that_the_chain_can_be_held_to() {
    let chains = Chains::new();
    chains.seal("log", 1);
    let made = chains.cairn.run("checkpoint --log embedded:log").done();
    assert!(made.stderr.contains("unanchored"), "{}", made.stderr);
    let lines: Vec<&str> = made.stdout.lines().collect();
    assert_eq!((lines.len(), lines[0], lines[1]), (3, &*format!("cairn/{}", chains.genesis), "2"));
    let pinned = format!("checkpoint --log embedded:log --genesis-hash {}", chains.genesis);
    let quiet = chains.cairn.run(&pinned).done();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.contains("unanchored")), (made.stdout.as_str(), false));
    let report = chains.cairn.run(&format!("{pinned} --json")).done().json().remove(0);
    assert_eq!((&report["size"], report["text"].as_str().unwrap()), (&2.into(), made.stdout.as_str()));
    assert_eq!(report["genesis_hash"], chains.genesis.as_str());

    chains.cairn.write("kept.txt", &made.stdout);
    chains.copy("log", "old");
    chains.seal("log", 2);
    let report = chains.verify("--json --checkpoint kept.txt").done().json().remove(0);
    assert_eq!((&report["checkpoint_size"], &report["anchored"]), (&2.into(), &true.into()));
    // Unsigned, it has moved on to the chain as it is now, which the old one is not.
    assert_eq!(chains.text("kept.txt").lines().nth(1), Some("3"));
    let cut = chains.cairn.run("verify --log embedded:old --checkpoint kept.txt");
    assert_eq!(cut.code, 1, "{}{}", cut.stdout, cut.stderr);
    assert!(cut.stdout.contains("checkpoint") && cut.stdout.contains("its tail was cut"), "{}", cut.stdout);
    let text = chains.verify("--checkpoint kept.txt").done().stdout;
    assert!(text.contains("\ncheckpoint  3 blocks, all of this chain\n"), "{text}");
}

#[test]
fn the_key_of_a_chain_signs_for_it_alone_and_neither_a_fork_nor_an_old_state() {
    let chains = Chains::new();
    let cairn = &chains.cairn;
    chains.seal("log", 1);
    chains.copy("log", "old");
    chains.copy("log", "fork");
    chains.copy("state-log", "state-fork");
    chains.copy("data-log", "data-fork");
    chains.seal("log", 2);
    let key = cairn.run(&format!("keys --chain {} --output chain.key", chains.genesis)).done().stdout;
    assert!(key.starts_with(&format!("cairn/{}+", chains.genesis)), "{key}");
    assert_eq!(cairn.run("keys --show chain.key").done().stdout, key);
    assert_eq!(cairn.run("keys --show chain.key --json").done().json()[0]["verifier_key"], key.trim_end());
    let signed = |log: &str| cairn.run(&format!("checkpoint --log embedded:{log} --sign-with chain.key"));
    let first = signed("log").done();
    assert!(!first.stderr.contains("unanchored"), "the key says which chain it is: {}", first.stderr);
    let (text, line) = first.stdout.split_once("\n\n").unwrap();
    assert_eq!(text.lines().nth(1), Some("3"));
    assert!(line.starts_with(&format!("\u{2014} cairn/{} ", chains.genesis)), "{line}");
    assert_eq!(signed("log").done().stdout, first.stdout, "the same again is no contradiction");

    let shorter = signed("old");
    let shorter = shorter.refused(1, &["its tail was cut"]);
    assert_eq!(shorter.stdout, "");
    chains.seal("fork", 7);
    let forked = signed("fork").refused(1, &["not vouched for", "height 2: checkpoint"]);
    assert_eq!(forked.stdout, "");
    chains.seal("log", 3);
    assert_eq!(signed("log").done().stdout.lines().nth(1), Some("4"));

    let other = if chains.genesis.starts_with('0') { "1" } else { "0" }.repeat(64);
    let words = format!("checkpoint --log embedded:log --sign-with chain.key --genesis-hash {other}");
    cairn.run(&words).refused(2, &["which one is meant?"]);
    cairn.run(&format!("keys --chain {other} --output other.key")).done();
    cairn.run("checkpoint --log embedded:log --sign-with other.key").refused(1, &["height 0: anchor"]);
    cairn.run("keys --witness-name w/1 --output w1.key").done();
    cairn.run("checkpoint --log embedded:log --sign-with w1.key").refused(2, &["cairn keys --chain"]);
    cairn.run("checkpoint --log embedded:log --sign-with my.keys").refused(2, &["my.keys is no key that signs"]);
    cairn.run("keys --chain 12 --output x.key").refused_by_clap("64 hexadecimal digits");
    cairn.run("keys --account --witness-name w --output x.key").refused(2, &["leave all but one out"]);
}

impl Ran {
    /// What the command line's own parser says.
    #[track_caller]
    pub(crate) fn refused_by_clap(self, says: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (2, ""));
        assert!(self.stderr.contains(says), "{}", self.stderr);
    }
}

#[test]
fn nobody_vouches_for_a_chain_that_is_broken_or_cannot_be_looked_at() {
    let chains = Chains::new();
    let cairn = &chains.cairn;
    chains.seal("log", 1);
    cairn.run(&format!("keys --chain {} --output chain.key", chains.genesis)).done();
    let words = "checkpoint --log embedded:log --sign-with chain.key";
    let ran = cairn.run(&format!("{words} --transactions elsewhere")).done();
    assert!(ran.stderr.contains("compared with nothing: there is no topic 'elsewhere'"), "{}", ran.stderr);
    cairn.run(&format!("{words} --blockchain elsewhere")).refused(3, &["there is no topic 'elsewhere'"]);
    cairn.run(&format!("{words} --since 3")).refused(2, &["has 2 blocks"]);
    cairn.forge("blockchain", Some("1"), "{}", &[]);
    for words in [words.to_owned(), format!("{words} --since 1")] {
        let broken = cairn.run(&words).refused(1, &["not vouched for", "broken at height 1"]);
        assert_eq!(broken.stdout, "");
    }
}

/// A chain whose checkpoint of 2 blocks is signed by its own key in `signed.txt`, by the first of three witnesses, too,
/// in `one.txt`, and by the third in `two.txt`. The verifier keys of the witnesses; `policy` asks for the chain's and
/// two of theirs.
fn cosigned() -> (Chains, Vec<String>) {
    let chains = Chains::new();
    let cairn = &chains.cairn;
    chains.seal("log", 1);
    let mut keys = Vec::new();
    for place in 1..=3 {
        let words = format!("keys --witness-name w/{place} --output w{place}.key");
        keys.push(cairn.run(&words).done().stdout.trim_end().to_owned());
    }
    let log_key = cairn.run(&format!("keys --chain {} --output chain.key", chains.genesis)).done().stdout;
    chains.checkpoint("log", "--sign-with chain.key", "signed.txt");
    for (key, from, to) in [("w1", "signed.txt", "one.txt"), ("w3", "one.txt", "two.txt")] {
        let words = format!("witness --log embedded:log --sign-with {key}.key --begin --genesis-hash");
        cairn.write(to, &cairn.run(&format!("{words} {} {from}", chains.genesis)).done().stdout);
    }
    let witnesses: String = keys.iter().enumerate().map(|(place, key)| format!("witness {place} {key}\n")).collect();
    cairn.write("policy", &format!("log {log_key}{witnesses}group some 2 0 1 2\nquorum some\n"));
    (chains, keys)
}

#[test]
fn verify_goes_by_a_checkpoint_with_the_signatures_that_a_policy_asks_for_and_by_no_other() {
    let (chains, _) = cosigned();
    let cairn = &chains.cairn;
    let report = chains.verify("--json --checkpoint two.txt --policy policy").done().json().remove(0);
    assert_eq!((&report["checkpoint_size"], &report["anchored"]), (&2.into(), &true.into()));
    let names: Vec<&str> =
        report["witnesses"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["w/1", "w/3"]);
    let text = chains.verify("--checkpoint two.txt --policy policy").done().stdout;
    assert!(text.contains("\nwitnesses   w/1 (") && !text.contains("unanchored"), "{text}");

    for (file, says) in [("one.txt", "w/1 signed, w/2, w/3 did not"), ("signed.txt", "nobody signed")] {
        let refused = chains.verify(&format!("--checkpoint {file} --policy policy")).refused(3, &[file, says]);
        assert_eq!(refused.stdout, "");
    }
    let text = chains.text("two.txt");
    cairn.write("altered.txt", &text.replacen("\n2\n", "\n1\n", 1));
    chains.verify("--checkpoint altered.txt --policy policy").refused(3, &["does not verify", "altered"]);
    cairn.write("bare.txt", text.split_once("\n\n").unwrap().0);
    chains.verify("--checkpoint bare.txt --policy policy").refused(2, &["bare.txt is no checkpoint"]);
    chains.verify("--policy policy").refused(2, &["--checkpoint FILE"]);
    chains.verify("--checkpoint none.txt --policy policy").refused(2, &["there is no checkpoint none.txt"]);
    chains.verify("--checkpoint two.txt --policy two.txt").refused(2, &["two.txt is no policy: line 1"]);

    // A signed note is never written over.
    chains.seal("log", 2);
    let ran = chains.verify("--checkpoint two.txt").done();
    assert!(ran.stderr.contains("two.txt is signed and stays as it is"), "{}", ran.stderr);
    chains.verify("--checkpoint two.txt --policy policy").done();
    assert_eq!(chains.text("two.txt"), text);
}

#[test]
fn witnesses_and_how_many_of_them_can_be_named_without_a_file() {
    let (chains, keys) = cosigned();
    let of = |quorum: &str, which: &[usize]| {
        let named: Vec<String> = which.iter().map(|place| format!("--witness {}", keys[*place])).collect();
        chains.verify(&format!("--json --checkpoint two.txt {} {quorum}", named.join(" ")))
    };
    // Witnesses alone do not say which chain is meant.
    assert_eq!(of("", &[0, 2]).done().json()[0]["anchored"], false);
    assert_eq!(of(&format!("--genesis-hash {}", chains.genesis), &[0, 2]).done().json()[0]["anchored"], true);
    let named = format!("--checkpoint two.txt --witness {}", keys[0]);
    let text = chains.verify(&named).done().stdout;
    assert!(text.starts_with("intact\nunanchored: witnesses do not say which chain"), "{text}");
    of("", &[0, 1]).refused(3, &["w/1 signed, w/2 did not"]);
    of("--witness-quorum 1", &[0, 1]).done();
    of("--witness-quorum 3", &[0, 1]).refused(2, &["1 to 2"]);
    of("--policy policy", &[0]).refused(2, &["leave --witness"]);
    of("--witness-quorum 1", &[]).refused(2, &["--witness"]);
    of("", &[0, 0]).refused(2, &["named twice"]);
    let bad = chains.verify(&format!("--checkpoint two.txt --witness {}x", keys[0]));
    bad.refused_by_clap("a verifier key is");
    let listed = format!("{},{}", keys[0], keys[2]);
    let variable = [("CAIRN_WITNESS", listed.as_str())];
    let report = chains.cairn.run_with("verify --log embedded:log --json --checkpoint two.txt", &variable).done();
    assert_eq!(report.json()[0]["witnesses"].as_array().unwrap().len(), 2);
}
