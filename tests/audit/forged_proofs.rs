//! Headers that no chain has, in proofs that lead to them: what one checker refuses all three refuse.
//!
//! A checkpoint over such a header is a lie to begin with. But whoever lies must not find a checker that says less than
//! the others.

use cairn::audit::prove::Cover;
use cairn::chain::merkle::leaf;
use cairn::chain::{
    Amount, Content, Domain, Entry, Hash, Header, Kind, Outcome, Parameters, Range, ReasonCode, Receipt, RejectCode,
    Transaction, hash, hex_array, merkle, to_canonical,
};
use cairn::checkpoint::Checkpoint;
use cairn::ledger::Tree;
use cairn::ledger::state::Table;
use cairn::proof::{Chunk, Claim, History, ListedIds, Place, Proof, StatePath, Trusted};
use serde_json::json;

use crate::page::Page;
use crate::proofs::{LONG, balance, name, prove_at, stranger};

/// A proof about a header that stands behind block 0, and the checkpoint over both.
fn about(claim: Claim, header: Header) -> (Proof, Checkpoint) {
    let header = Header { height: 1, ..header };
    let (first, second) = (leaf(LONG.blocks[0].hash.as_bytes()), leaf(header.hash().as_bytes()));
    let root = merkle::root(vec![first, second]);
    let history = History { size: 2, root, path: vec![first] };
    let checkpoint = Checkpoint { origin: Checkpoint::origin_of(&header.genesis), size: 2, root };
    (Proof { claim, header, history, sealed: None }, checkpoint)
}

fn header() -> Header {
    LONG.blocks[1].header.clone()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1][..], &left.0, &right.0].concat())
}

/// An entry at place 0 of as many as two ranges count together, with a path of so many hashes.
fn counted(counts: [u64; 2], steps: usize) -> (Proof, Checkpoint) {
    let entry = LONG.blocks[1].entries[0].clone();
    let path: Vec<Hash> = (0..steps).map(|step| Hash([step as u8; 32])).collect();
    let transactions_root = path.iter().fold(leaf(&to_canonical(&entry)), |found, beside| node(&found, beside));
    let range = |partition, count| Range { partition, first: 0, last: i64::MAX, count };
    let ranges = vec![range(0, counts[0]), range(1, counts[1])];
    let claim = Claim::Transaction { entry: Box::new(entry), place: Place { index: 0, path } };
    about(claim, Header { ranges, transactions_root, ..header() })
}

/// An id that is on no list, of an empty state.
fn unused(active_height: u64, remember: u64) -> (Proof, Checkpoint) {
    let parameters = Parameters { ids_remember_blocks: remember, ..LONG.genesis.parameters.clone() };
    let state_root = Hash::ZERO;
    let header = Header { active_height, parameters: parameters.hash(), state_root, ..header() };
    let nothing = || Chunk { record: None, path: StatePath { siblings: Vec::new(), other: None } };
    let count = active_height.min(remember);
    let lists = (0..count).map(|_| vec![nothing()]).collect();
    let id = "order-1".parse().unwrap();
    about(Claim::IdUnused { sender: name("bob"), id, listed: ListedIds { parameters, lists } }, header)
}

/// The same, where the one list has one chunk with this record.
fn listing(record: &[u8]) -> (Proof, Checkpoint) {
    let (proof, _) = unused(1, 1);
    let Claim::IdUnused { sender, id, listed } = proof.claim else { unreachable!() };
    let key = [&3_u64.to_be_bytes()[..], &0_u32.to_be_bytes()].concat();
    let tree = Tree::from_leaves(vec![Table::Expiries.leaf(&key, record)]).unwrap();
    let path = StatePath { siblings: Vec::new(), other: None };
    let lists = vec![vec![Chunk { record: Some(record.to_vec()), path }]];
    let listed = ListedIds { lists, ..listed };
    about(Claim::IdUnused { sender, id, listed }, Header { state_root: tree.root(), ..proof.header })
}

#[test]
fn what_no_chain_holds_is_refused_by_all_three_checkers_or_by_none() {
    let as_file = |(proof, checkpoint): (Proof, Checkpoint)| (proof.to_file(), checkpoint);
    // The parameters hash to what the header has, and are none: something stands behind their end.
    let longer = {
        let (mut proof, _) = unused(0, 1);
        let bytes = [&to_canonical(&LONG.genesis.parameters)[..], &[0]].concat();
        proof.header.parameters = hash(Domain::Parameters, &[&bytes]);
        let (proof, checkpoint) = about(proof.claim, proof.header);
        let text = String::from_utf8(proof.to_file()).unwrap();
        let (from, to) = ("\"parameters\":\"", "\",\"lists\"");
        let (start, end) = (text.find("\"shown\"").unwrap(), text.find(to).unwrap());
        let at = start + text[start..].find(from).unwrap() + from.len();
        ([&text[..at], &hex_array::encode(&bytes), &text[end..]].concat().into_bytes(), checkpoint)
    };
    let half = 1 << 63;
    let id =
        |count: u32, more: &[u8]| [&[1], &count.to_le_bytes()[..], &1_u32.to_le_bytes(), b"x", &[7; 32], more].concat();
    let whole = prove_at(&LONG, 50, balance("alice"), Some(12), Cover::Size(51)).unwrap();
    let cases = [
        ("a proof of a chain", as_file((whole.clone(), crate::proofs::checkpoint(&LONG, 51))), true),
        ("so many entries as 64 bits count", as_file(counted([half, half - 1], 64)), true),
        ("one more, with a path of one hash more", as_file(counted([half, half], 64)), false),
        ("one more, with the path of one fewer", as_file(counted([half, half + 1], 64)), false),
        ("ids that are remembered for one block", as_file(unused(7, 1)), true),
        ("a list that would be forgotten behind 2^64", as_file(unused(u64::MAX, 1)), false),
        ("a list that would be forgotten at 2^64", as_file(unused(u64::MAX - 1, 1)), false),
        ("parameters with a byte behind them", longer, false),
        ("a list with another id", as_file(listing(&id(1, &[]))), true),
        ("a list that counts 2^32 - 1", as_file(listing(&id(u32::MAX, &[]))), false),
        ("a list that counts none and has one", as_file(listing(&id(0, &[]))), false),
        ("a list with a byte behind it", as_file(listing(&id(1, &[0]))), false),
    ];
    let mut page = Page::new();
    for (_, (file, checkpoint), _) in &cases {
        page.ask(file, Trusted { checkpoint: Some(checkpoint), genesis: None }, &[], json!({}));
    }
    for ((what, (file, checkpoint), holds), answer) in cases.iter().zip(page.answers()) {
        let trusted = Trusted { checkpoint: Some(checkpoint), genesis: None };
        let checked = Proof::parse(file).and_then(|proof| proof.check(trusted));
        let (code, says) = stranger(file, Some(checkpoint), &Hash::ZERO);
        let found = (checked.is_ok(), code == Some(0), answer[0] == "holds");
        assert_eq!(found, (*holds, *holds, *holds), "{what}: {checked:?}; {says}; {}", answer[0]);
        assert!(!says.contains("Traceback"), "{what}: {says}");
    }
}

#[test]
fn a_seal_of_very_many_signers_and_a_genesis_of_very_many_accounts_are_answered() {
    let genesis = LONG.genesis.hash();
    let trusted = Trusted { checkpoint: None, genesis: Some(&genesis) };
    let text =
        String::from_utf8(prove_at(&LONG, 50, balance("alice"), Some(12), Cover::Size(51)).unwrap().to_file()).unwrap();
    let at = text.rfind("\"signers\":\"").unwrap() + "\"signers\":\"".len();
    let signers = [&text[..at], &"ff".repeat(4 << 20), &text[at..]].concat();
    let accounts: String = (0..200_000).map(|number| format!("{{\"name\":\"a{number:06}\",\"balance\":0}},")).collect();
    let from = "\"accounts\":[";
    let rich = text.replacen(from, &format!("{from}{accounts}"), 1);
    let mut page = Page::new();
    page.ask(signers.as_bytes(), trusted, &[], json!({ "all": true }));
    page.ask(rich.as_bytes(), trusted, &[], json!({ "all": true }));
    let answers = page.answers();
    assert_eq!(
        (&answers[0][0]["verdict"], &answers[0][0]["part"]),
        (&json!("broken"), &json!("seal")),
        "{}",
        answers[0][0]
    );
    let why = answers[1][0]["why"].as_str().unwrap();
    assert!(why.contains("the genesis is not the one that the header names"), "{why}");
}

/// A block with this entry alone.
fn holding(content: Content) -> (Proof, Checkpoint) {
    let entry = Entry { content, ..LONG.blocks[1].entries[0].clone() };
    let transactions_root = leaf(&to_canonical(&entry));
    let ranges = vec![Range { partition: 0, first: 0, last: 0, count: 1 }];
    let claim = Claim::Transaction { entry: Box::new(entry), place: Place { index: 0, path: Vec::new() } };
    about(claim, Header { ranges, transactions_root, ..header() })
}

#[test]
fn all_three_checkers_know_every_kind_of_transaction_every_rejection_and_every_stub() {
    let transaction = || Transaction::transfer(name("alice"), name("bob"), Amount::new(3).unwrap());
    let receipt = |outcome| Receipt { outcome, from_balance: -3, to_balance: 3 };
    let kinds = Kind::ALL.iter().map(|kind| {
        let transaction = Transaction { kind: *kind, ..transaction() };
        let outcome =
            if *kind == Kind::Transfer { Outcome::Applied } else { Outcome::Rejected(ReasonCode::UnknownKind) };
        (kind.to_string(), Content::Transaction { transaction, receipt: receipt(outcome) })
    });
    let rejections = ReasonCode::ALL.iter().map(|reason| {
        let receipt = receipt(Outcome::Rejected(*reason));
        (reason.to_string(), Content::Transaction { transaction: transaction(), receipt })
    });
    let stubs = RejectCode::ALL.iter().map(|reason| {
        (reason.to_string(), Content::Stub { reason: *reason, key: Some(Hash::of(reason.as_str().as_bytes())) })
    });
    let cases: Vec<_> = kinds.chain(rejections).chain(stubs).map(|(what, content)| (what, holding(content))).collect();
    let mut page = Page::new();
    for (_, (proof, checkpoint)) in &cases {
        page.ask(&proof.to_file(), Trusted { checkpoint: Some(checkpoint), genesis: None }, &[], json!({}));
    }
    for ((what, (proof, checkpoint)), answer) in cases.iter().zip(page.answers()) {
        proof.check(Trusted { checkpoint: Some(checkpoint), genesis: None }).unwrap();
        let (code, says) = stranger(&proof.to_file(), Some(checkpoint), &Hash::ZERO);
        assert_eq!((code, &answer[0]), (Some(0), &json!("holds")), "{what}: {says}");
    }
}
