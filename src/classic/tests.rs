//! Classic blocks, byte by byte as Python writes them.

use super::json;
use super::{Kind, Link, render};
use crate::chain::{
    Amount, Author, Block, Consensus, Content, Hash, Operation, Outcome, Parameters, ReasonCode, Receipt, Seal,
    Transaction, Work, WorkAuthor, WorkRule, WorkSeal,
};

fn written(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

#[test]
fn texts_and_times_are_written_as_python_writes_them() {
    // json.dumps of each, from Python 3.
    for (text, expected) in [
        ("alice", r#""alice""#),
        ("a \"b\" \\ /", r#""a \"b\" \\ /""#),
        ("é", r#""\u00e9""#),
        ("😀~\u{7f}", r#""\ud83d\ude00~\u007f""#),
        ("\n\r\t\u{8}\u{c}\u{1}", r#""\n\r\t\b\f\u0001""#),
    ] {
        assert_eq!(written(|out| json::text(out, text)), expected);
    }
    for (time_ms, expected) in [
        (0, "0.0"),
        (1, "0.001"),
        (-1, "-0.001"),
        (1_700_000_000_000, "1700000000.0"),
        (1_700_000_000_123, "1700000000.123"),
        (1_700_000_000_100, "1700000000.1"),
        (9_007_199_254_740_991, "9007199254740.99"),
        (-9_007_199_254_740_991, "-9007199254740.99"),
    ] {
        assert_eq!(written(|out| json::seconds(out, time_ms)), expected, "{time_ms}");
    }
}

fn transfer(from: &str, amount: u64, outcome: Outcome) -> Content {
    let transaction =
        Transaction::transfer(from.parse().unwrap(), "bob".parse().unwrap(), Amount::new(amount).unwrap());
    Content::Transaction { transaction, receipt: Receipt { outcome, from_balance: 0, to_balance: 0 } }
}

fn mined() -> Block {
    let mut block = crate::chain::tests::block();
    let entry = block.entries[0].clone();
    let contents = [
        transfer("alice", 3, Outcome::Applied),
        transfer("carol", 4, Outcome::Rejected(ReasonCode::InsufficientFunds)),
        transfer("zoë", 5, Outcome::Applied),
    ];
    block.entries = contents.map(|content| crate::chain::Entry { content, ..entry.clone() }).to_vec();
    let (account, amount) = ("ann".parse().unwrap(), Amount::new(1).unwrap());
    block.operations = vec![Operation::MinerReward { account, amount, balance: 1 }];
    block.header.height = 1;
    block.header.time_ms = 1_700_000_000_123;
    let (miner, difficulty, last_proof) = ("ann".parse().unwrap(), 65_536, 100);
    block.header.author = Author::Work(WorkAuthor { miner, difficulty, last_proof });
    block.seal = Some(Seal::Work(WorkSeal { proof: 35_293 }));
    block
}

fn classic() -> Parameters {
    let work = Work { rule: WorkRule::Classic, ..Work::default() };
    Parameters { consensus: Consensus::Work(work), ..Parameters::default() }
}

#[test]
fn a_chain_begins_as_the_one_in_python_does_and_goes_on_by_its_hashes() {
    let mut genesis = crate::chain::tests::genesis();
    (genesis.created_ms, genesis.parameters) = (0, classic());
    let first = render(Kind::Work, None, &genesis.block(Hash::ZERO));
    assert_eq!(first, r#"{"index": 1, "previous_hash": 1, "proof": 100, "timestamp": 0.0, "transactions": []}"#);
    let link = Link::read(Kind::Work, first.as_bytes()).unwrap();
    // hashlib.sha256(json.dumps({"index": 1, ...}, sort_keys=True).encode()).hexdigest()
    let hash = "81a44a59637be5d464b5b6b5dba3a1c3613a6ae8f7bdd417876417a2cd3179fd";
    assert_eq!((link.height, link.hash.to_string().as_str()), (0, hash));
    let second = render(Kind::Work, Some(&link), &mined());
    assert_eq!(
        second,
        format!(
            r#"{{"index": 2, "previous_hash": "{hash}", "proof": 35293, "timestamp": 1700000000.123, "transactions": [{{"amount": 3, "recipient": "bob", "sender": "alice"}}, {{"amount": 5, "recipient": "bob", "sender": "zo\u00eb"}}, {{"amount": 1, "recipient": "ann", "sender": "0"}}]}}"#
        )
    );
    assert_eq!(Link::read(Kind::Work, second.as_bytes()).unwrap().height, 1);
}

#[test]
fn a_block_of_stake_names_its_proposer_and_hides_nothing_in_a_sum() {
    let block = crate::chain::tests::block();
    let proposer = block.header.proposer().unwrap();
    let link = Link { height: 0, hash: Hash::of(b"before") };
    let rendered = render(Kind::Stake, Some(&link), &block);
    let (height, time_ms, hash) = (block.header.height, block.header.time_ms, link.hash);
    let head = format!(r#"{{"Index": {height}, "PreviousHash": "{hash}", "Timestamp": {time_ms}, "Transactions": ["#);
    assert!(rendered.starts_with(&head), "{rendered}");
    assert!(rendered.ends_with(&format!(r#"], "Validator": "{proposer}"}}"#)), "{rendered}");
    let first = render(Kind::Stake, None, &crate::chain::tests::genesis().block(Hash::ZERO));
    assert!(first.starts_with(r#"{"Index": 0, "PreviousHash": "0", "Timestamp": "#), "{first}");
    assert!(first.ends_with(r#""Transactions": [], "Validator": null}"#), "{first}");

    let mut swapped = mined();
    let (amount, other) = (Amount::new(3).unwrap(), Amount::new(5).unwrap());
    for (place, amount) in [(0, other), (2, amount)] {
        let Content::Transaction { transaction, .. } = &mut swapped.entries[place].content else { panic!() };
        transaction.amount = amount;
    }
    let hash = |block| Link::read(Kind::Stake, render(Kind::Stake, Some(&link), block).as_bytes()).unwrap().hash;
    assert_ne!(hash(&swapped), hash(&mined()), "the sum is the same");
}

#[test]
fn proofs_over_headers_make_no_classic_blocks() {
    assert_eq!(Kind::of(&classic()), Ok(Kind::Work));
    let header = Parameters { consensus: Consensus::Work(Work::default()), ..Parameters::default() };
    let refused = Kind::of(&header).unwrap_err().to_string();
    assert!(refused.contains("--classic-topic") && !refused.contains('\n'), "{refused}");
}

#[test]
fn a_classic_block_never_grows_larger_than_its_topic_takes() {
    let mut block = mined();
    block.entries.truncate(1);
    // The longest escapes, and what is said of a transfer beside its names: as little as can be in the chain, as much
    // in a classic block.
    let (from, to) = ("\u{e9}".repeat(64), "\u{fc}".repeat(64));
    block.entries[0].content = transfer(&from, 1, Outcome::Applied);
    let Content::Transaction { transaction, .. } = &mut block.entries[0].content else { panic!() };
    (transaction.to, transaction.amount) = (to.parse().unwrap(), Amount::MAX);
    let origin = &mut block.entries[0].origin;
    (origin.partition, origin.offset, origin.timestamp_ms) = (0, 0, 0);
    let counted = block.entries[0].rendered_size_bytes();
    for kind in [Kind::Work, Kind::Stake] {
        let size = |block: &Block| render(kind, None, block).len();
        // With the comma before the reward.
        let in_classic = size(&block) - size(&Block { entries: Vec::new(), ..block.clone() });
        assert!(in_classic * 10 <= counted * 16, "{in_classic} bytes of a transfer that counts {counted}");
    }
    let at_most = |block_max_bytes| Parameters { block_max_bytes, ..classic() };
    assert_eq!(Kind::of(&at_most(4 << 20)), Ok(Kind::Work));
    let refused = Kind::of(&at_most((4 << 20) + 1)).unwrap_err().to_string();
    assert!(refused.contains("block.max_bytes is 4194305") && refused.contains("at most 4194304"), "{refused}");
}

#[test]
fn what_is_no_classic_block_links_to_nothing() {
    for other in ["", "{}", "[]", r#"{"index": -1}"#, r#"{"index": "1"}"#, r#"{"index": 0}"#, "\u{0}"] {
        assert_eq!(Link::read(Kind::Work, other.as_bytes()), None, "{other}");
    }
}
