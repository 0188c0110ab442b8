//! Proofs of what is there, for the holder of a checkpoint; made beside all else.

use std::io::Write;
use std::process::Stdio;

use cairn::checkpoint::{Checkpoint, consistency};
use cairn::proof::{Basis, Claim, Proof, Trusted};
use serde_json::Value;

use crate::Serving;

fn proof(serving: &Serving, path: &str) -> Proof {
    let mut response = serving.get(path);
    // It may have to read the chain first, and others may wait.
    for _ in 0..100 {
        if response.status != 503 {
            break;
        }
        assert_eq!(response.header("retry-after"), Some("1"), "{}", response.text());
        std::thread::sleep(crate::PAUSE);
        response = serving.get(path);
    }
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    Proof::parse(&response.body).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn checkpoint(serving: &Serving, query: &str) -> Checkpoint {
    let response = serving.get(&format!("/v1/checkpoint{query}"));
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
    Checkpoint::parse(&response.body).unwrap()
}

#[test]
fn every_kind_of_proof_holds_against_a_checkpoint_of_the_size_that_was_asked_for_and_by_its_seal() {
    let serving = Serving::sealed("--rate 200", 8);
    let pinned = checkpoint(&serving, "?size=6");
    let genesis = pinned.genesis().unwrap();
    assert_eq!(
        (pinned.size, genesis.to_string()),
        (6, serving.json("/v1/status")["genesis"].as_str().unwrap().to_owned())
    );
    let place = serving.json("/v1/blocks/3")["transactions"][2].clone();
    for (path, kind, height) in [
        ("block/0".to_owned(), "block", 0),
        ("block/4".to_owned(), "block", 4),
        (format!("transaction/0/{}", place["offset"]), "transaction", 3),
        ("balance/alice".to_owned(), "balance", 5),
        ("balance/nobody".to_owned(), "balance", 5),
        ("balance/%24validator-2".to_owned(), "balance", 5),
        ("validator/validator-1".to_owned(), "validator", 5),
        ("validator/nobody".to_owned(), "validator", 5),
        ("id/alice/never-used".to_owned(), "id_unused", 5),
    ] {
        let found = proof(&serving, &format!("/v1/proofs/{path}?checkpoint_size=6"));
        assert_eq!((found.claim.kind(), found.header.height, found.history.size), (kind, height, 6), "{path}");
        let both = found.check(Trusted { checkpoint: Some(&pinned), genesis: Some(&genesis) });
        assert_eq!(both.unwrap().basis, Basis::Checkpoint, "{path}");
        assert_eq!(found.check(Trusted { checkpoint: None, genesis: Some(&genesis) }).unwrap().basis, Basis::Genesis);
        let bare = proof(&serving, &format!("/v1/proofs/{path}?checkpoint_size=6&without_seal=true"));
        assert_eq!(bare, Proof { sealed: None, ..found }, "{path}");
    }
    assert_eq!(serving.end(), 0);
}

#[test]
fn what_an_account_holds_now_and_held_before_is_what_the_blocks_say() {
    let serving = Serving::sealed("--rate 200 --partitions 2", 6);
    let held = |path: &str| {
        let proof = proof(&serving, path);
        let Claim::Balance { account, .. } = proof.claim else { panic!("{path}: {:?}", proof.claim) };
        (proof.header.height, account.balance)
    };
    let (height, now) = held("/v1/proofs/balance/alice");
    assert!(height >= 6);
    // The last receipt at or below a height.
    let by_blocks = |height: u64| {
        (0..=height).rev().find_map(|height| {
            let block = serving.json(&format!("/v1/blocks/{height}"));
            let entries: Vec<Value> = block["transactions"].as_array().unwrap().clone();
            entries.iter().rev().find_map(|entry| {
                let side = ["from", "to"].into_iter().rev().find(|side| entry[side] == "alice")?;
                entry["receipt"][format!("{side}_balance")].as_i64()
            })
        })
    };
    assert_eq!(Some(now), by_blocks(height));
    for height in [2, 4] {
        assert_eq!(held(&format!("/v1/proofs/balance/alice?at_height={height}")), (height, by_blocks(height).unwrap()));
    }
}

#[test]
fn a_later_history_goes_on_from_every_earlier_one() {
    let serving = Serving::sealed("--rate 100 --malicious none", 9);
    let checkpoints: Vec<Checkpoint> = (1..=9).map(|size| checkpoint(&serving, &format!("?size={size}"))).collect();
    for old in &checkpoints {
        for new in checkpoints.iter().filter(|new| new.size >= old.size) {
            let found = serving.json(&format!("/v1/proofs/consistency/{}?size={}", old.size, new.size));
            let path: Vec<_> =
                found["path"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().parse().unwrap()).collect();
            assert!(consistency::shows(&path, (old.size, old.root), (new.size, new.root)), "{old:?} {new:?}");
            assert_eq!(found["root"], new.root.to_string());
        }
    }
    let tip = checkpoint(&serving, "");
    let goes_on = serving.json(&format!("/v1/proofs/consistency/3?size={}", tip.size));
    assert_eq!(goes_on["size"], tip.size);
}

#[test]
fn what_is_not_kept_of_the_hashes_of_a_long_chain_is_read_again() {
    let small_blocks = [("CAIRN_BLOCK_MAX_TRANSACTIONS", "3")];
    let serving = Serving::demo_in(tempfile::tempdir().unwrap(), "--rate 600 --malicious none", &small_blocks);
    serving.until("there are blocks", |client| client.json("/v1/status")["last"]["height"].as_u64() > Some(300));
    for size in [1, 63, 64, 65, 128, 200, 257, 300] {
        let pinned = checkpoint(&serving, &format!("?size={size}"));
        for height in [0, 1, 40, 63, 64, 100, 127, 128, 199, 256, size - 1] {
            if height < size {
                let path = format!("/v1/proofs/block/{height}?checkpoint_size={size}&without_seal=true");
                let trusted = Trusted { checkpoint: Some(&pinned), genesis: None };
                proof(&serving, &path).check(trusted).unwrap_or_else(|error| panic!("{path}: {error}"));
            }
        }
        let found = serving.json(&format!("/v1/proofs/consistency/{size}?size=300"));
        let hashes = found["path"].as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().parse().unwrap());
        let root = found["root"].as_str().unwrap().parse().unwrap();
        assert!(consistency::shows(&hashes.collect::<Vec<_>>(), (size, pinned.root), (300, root)), "{size}");
    }
}

#[test]
fn an_id_that_was_used_is_proved_by_the_transaction_that_used_it() {
    let directory = tempfile::tempdir().unwrap();
    let run = |words: &str, lines: &str| {
        let mut child =
            crate::command(directory.path(), words).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{words}");
    };
    run("demo --dir d --blocks 3 --http off", "");
    run("submit --log embedded:d/log", "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":1,\"id\":\"rent/1\"}\n");
    let serving = Serving::demo_in(directory, "--rate 100", &[]);
    serving.until("it is sealed", |client| client.json("/v1/search?q=rent/1")["results"][0]["kind"] == "transaction");
    let found = proof(&serving, "/v1/proofs/id/alice/rent%2F1");
    let (Claim::IdUsed { entry, .. }, height) = (&found.claim, found.header.height) else {
        panic!("{:?}", found.claim)
    };
    let shown = serving.json(&format!("/v1/transactions/0/{}", entry.origin.offset));
    assert_eq!((&shown["height"], &shown["entry"]["id"]), (&height.into(), &"rent/1".into()));
    assert!(found.check(Trusted { checkpoint: None, genesis: Some(&found.header.genesis) }).is_ok());
    assert_eq!(proof(&serving, "/v1/proofs/id/bob/rent%2F1").claim.kind(), "id_unused");
}

#[test]
fn what_cannot_be_proved_says_why() {
    let serving = Serving::sealed("--rate 200", 3);
    let ask = |path: &str| serving.get(&format!("/v1/proofs/{path}"));
    ask("block/99999").refused(404, "there is no block 99999 yet");
    ask("block/-1").refused(400, "by its height");
    ask("block/2?checkpoint_size=2").refused(400, "does not cover height 2");
    ask("block/2?checkpoint_size=0").refused(400, "covers nothing");
    ask("block/2?checkpoint_size=x").refused(400, "");
    ask("block/2?checkpoint_size=999999").refused(404, "is it a checkpoint of this chain?");
    ask("transaction/0/99999999").refused(404, "in no block yet");
    ask("transaction/0/x").refused(400, "two numbers");
    ask("transaction/9/0").refused(404, "");
    ask("balance/alice?at_height=2&checkpoint_size=2").refused(400, "does not cover height 2");
    ask("balance/alice?at_height=999999").refused(400, "does not cover");
    ask("balance/a%00").refused(400, "no account's name");
    ask("validator/A").refused(400, "no validator's id");
    ask("id/alice/%0a").refused(400, "no transaction's id");
    ask("consistency/0").refused(400, "not of 0");
    ask("consistency/3?size=2").refused(400, "1 to 2, not of 3");
    serving.get("/v1/checkpoint?size=999999").refused(404, "is it a checkpoint of this chain?");
}

#[test]
fn many_who_ask_for_proofs_wait_or_are_told_to_come_again_and_keep_nobody_else_waiting() {
    let serving = Serving::sealed("--rate 2000 --malicious none", 5);
    let proofs: Vec<u16> = std::thread::scope(|scope| {
        let ask = |number: u64| {
            let client = &serving.client;
            // Each of a state that must be followed to.
            move || client.get(&format!("/v1/proofs/balance/alice?at_height={}", 1 + number % 4)).status
        };
        let asked: Vec<_> = (0..40).map(|number| scope.spawn(ask(number))).collect();
        // Others are answered meanwhile.
        let before = serving.json("/v1/status")["last"]["height"].as_u64().unwrap();
        serving.until("it seals on", |client| client.json("/v1/status")["last"]["height"].as_u64() > Some(before + 1));
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let (made, refused) = (
        proofs.iter().filter(|status| **status == 200).count(),
        proofs.iter().filter(|status| **status == 503).count(),
    );
    assert_eq!(made + refused, 40, "{proofs:?}");
    // One is made and three wait: the last place is for another address.
    assert!(made >= 4 && refused >= 1, "{proofs:?}");
    let pinned = checkpoint(&serving, "?size=5");
    let after = proof(&serving, "/v1/proofs/block/3?checkpoint_size=5");
    assert!(after.check(Trusted { checkpoint: Some(&pinned), genesis: None }).is_ok());
    assert_eq!(serving.end(), 0);
}
