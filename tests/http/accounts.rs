//! Accounts, validators, search, and what only the demo takes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Serving;

fn rows<'v>(page: &'v Value, name: &str) -> &'v Vec<Value> {
    page[name].as_array().unwrap()
}

/// A sum, which is text.
fn amount(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn balances_and_stakes_sum_up_to_the_supply_page_by_page() {
    let serving = Serving::sealed("--rate 40", 3);
    let (mut balances, mut cursor): (BTreeMap<String, i64>, _) = (BTreeMap::new(), None::<String>);
    loop {
        let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = serving.json(&format!("/v1/accounts?limit=3{more}"));
        for row in rows(&page, "accounts") {
            let name = row["name"].as_str().unwrap().to_owned();
            assert!(balances.last_key_value().is_none_or(|(last, _)| *last < name), "{name}");
            balances.insert(name, row["balance"].as_i64().unwrap());
        }
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.replace('$', "%24")),
            None => break,
        }
    }
    for name in ["alice", "heidi", "$validator-2"] {
        assert!(balances.contains_key(name), "{name}");
    }
    // What is of one height is compared: a block may come in between, and then once more.
    let sums = || {
        let before = serving.json("/v1/validators");
        let accounts = serving.json("/v1/accounts?limit=200");
        let supply = serving.json("/v1/status")["supply"].clone();
        let after = serving.json("/v1/validators");
        let sum = |page: &Value, list: &str, field: &str| -> i64 {
            rows(page, list).iter().map(|row| row[field].as_i64().unwrap()).sum()
        };
        let is_still = before["height"] == after["height"] && before["height"] == accounts["height"];
        let found = sum(&accounts, "accounts", "balance") + sum(&before, "validators", "stake");
        is_still.then(|| (found, amount(&supply["current"]), supply))
    };
    let (found, current, supply) = (0..200).find_map(|_| sums()).unwrap();
    assert_eq!(found, current, "{supply}");
    let of = |name: &str| amount(&supply[name]);
    assert_eq!(current, of("genesis") + of("minted") - of("burnt"));
}

#[test]
fn the_largest_come_first_and_a_prefix_is_a_prefix() {
    let serving = Serving::sealed("--rate 300", 2);
    let largest = serving.json("/v1/accounts?order=balance&limit=5");
    let balances: Vec<i64> = rows(&largest, "accounts").iter().map(|row| row["balance"].as_i64().unwrap()).collect();
    assert!(balances.len() == 5 && balances.is_sorted_by(|a, b| a >= b), "{balances:?}");
    assert_eq!(largest["is_complete"], true);
    let found = serving.json("/v1/accounts?prefix=%24validator");
    assert!(rows(&found, "accounts").iter().all(|row| row["name"].as_str().unwrap().starts_with("$validator")));
    serving.get("/v1/accounts?order=balance&prefix=a").refused(400, "neither cursor nor prefix");
    serving.get("/v1/accounts?order=age").refused(400, "order is");
}

#[test]
fn an_account_has_its_balance_and_what_moved_it_page_by_page() {
    let serving = Serving::sealed("--rate 300", 4);
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = serving.json(&format!("/v1/accounts/alice?limit=7{more}"));
        seen.extend(rows(&page, "transfers").iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert!(seen.len() > 20);
    assert!(seen.iter().all(|one| one["from"] == "alice" || one["to"] == "alice"));
    let order: Vec<_> = seen.iter().map(|one| (one["height"].as_u64(), one["offset"].as_i64())).collect();
    assert!(order.is_sorted_by(|newer, older| newer > older), "each once, the newest first");
    // Each balance follows from the one before it: the fee of the demo's chain is 1, and goes with what the sender
    // pays.
    for pair in seen.windows(2) {
        let [newer, older] = pair else { unreachable!() };
        let amount = newer["amount"].as_i64().unwrap();
        let moved = match (newer["outcome"].as_str().unwrap(), newer["from"] == "alice", newer["to"] == "alice") {
            ("applied", true, true) => -1,
            ("applied", true, false) => -amount - 1,
            ("applied", false, true) => amount,
            _ => 0,
        };
        assert_eq!(newer["balance"].as_i64().unwrap() - older["balance"].as_i64().unwrap(), moved, "{newer} {older}");
    }
    let nobody = serving.json("/v1/accounts/nobody");
    assert_eq!(
        (&nobody["balance"], &nobody["is_kept"], &nobody["spendable_by"]),
        (&0.into(), &false.into(), &"anybody".into())
    );
    assert_eq!(serving.json("/v1/accounts/%24validator-2")["spendable_by"], "validator");
    let keyed = format!("/v1/accounts/ed25519:{}", "ab".repeat(32));
    assert_eq!(serving.json(&keyed)["spendable_by"], "key");
    serving.get("/v1/accounts/ed25519:ab").refused(400, "64 lower-case hex digits");
    serving.get("/v1/accounts/a%00b").refused(400, "control character");
    serving.get("/v1/accounts/alice?cursor=1").refused(400, "no cursor");
}

#[test]
fn a_transfer_from_the_page_is_in_a_block_with_what_became_of_it() {
    let serving = Serving::sealed("--rate 50 --partitions 2", 1);
    let sent = serving
        .client
        .post("/v1/transfers", &json!({ "from": "alice", "to": "bob", "amount": 7, "memo": "<b>\u{202e}" }));
    assert_eq!(sent.status, 202, "{}", sent.text());
    let place = sent.json();
    let path = format!("/v1/transactions/{}/{}", place["partition"], place["offset"]);
    serving.until("it is in a block", |client| client.get(&path).status == 200);
    let found = serving.json(&path);
    assert_eq!((&found["entry"]["from"], &found["entry"]["amount"]), (&"alice".into(), &7.into()));
    assert_eq!(found["entry"]["memo"], "<b>\u{202e}");
    assert_eq!(found["entry"]["receipt"]["outcome"], "applied");
    for (body, says) in [
        (json!({ "from": "", "to": "bob", "amount": 1 }), "`from` is no account's name"),
        (json!({ "from": "a", "to": "b\n", "amount": 1 }), "`to` is no account's name"),
        (json!({ "from": "a", "to": "b", "amount": 1_u64 << 53 }), "at most 9007199254740991"),
        (json!({ "from": "a", "to": "b", "amount": 1, "memo": "x".repeat(257) }), "memo"),
    ] {
        serving.client.post("/v1/transfers", &body).refused(400, says);
    }
    for body in [
        json!({ "from": "a", "to": "b", "amount": -1 }),
        json!({ "from": "a", "to": "b" }),
        json!({ "from": "a", "to": "b", "amount": 1, "x": 1 }),
    ] {
        serving.client.post("/v1/transfers", &body).refused(422, "");
    }
}

#[test]
fn a_validator_that_is_told_to_cheat_is_caught_and_loses_its_stake() {
    let serving = Serving::sealed("--rate 300 --malicious none", 1);
    assert_eq!(serving.client.post("/v1/cheats", &json!({ "validator": "validator-9" })).status, 400);
    assert_eq!(serving.client.post("/v1/cheats", &json!({ "validator": "validator-1" })).status, 204);
    let again = serving.client.post("/v1/cheats", &json!({ "validator": "validator-2" }));
    again.refused(429, "a moment ago");
    serving.until("it is caught", |client| !rows(&client.json("/v1/offences"), "offences").is_empty());
    let offence = serving.json("/v1/offences")["offences"][0].clone();
    assert_eq!((&offence["validator"], &offence["amount"]), (&"validator-1".into(), &2_000.into()));
    assert_eq!(offence["offence"], "does_not_follow_from_the_input");
    let validators = serving.json("/v1/validators");
    let first = &validators["validators"][0];
    assert_eq!(
        (&first["status"], &first["stake"], &first["genesis_stake"]),
        (&"slashed".into(), &0.into(), &2_000.into())
    );
    assert_eq!((&first["slashed_at_height"], &validators["total_stake"]), (&offence["height"], &6_000.into()));
    let block = serving.json(&format!("/v1/blocks/{}", offence["height"]));
    let slash = rows(&block, "operations").iter().find(|operation| operation["kind"] == "slash").unwrap();
    assert_eq!(slash["validator"], "validator-1");
}

#[test]
fn a_search_finds_what_a_text_may_mean() {
    let serving = Serving::sealed("--rate 300", 2);
    let block = serving.json("/v1/blocks/2");
    let kinds = |text: &str| -> Vec<(String, String)> {
        let found = serving.json(&format!("/v1/search?q={text}"));
        let hit = |hit: &Value| (hit["kind"].as_str().unwrap().to_owned(), hit["key"].as_str().unwrap().to_owned());
        rows(&found, "results").iter().map(hit).collect()
    };
    let pair = |kind: &str, key: &str| (kind.to_owned(), key.to_owned());
    assert_eq!(kinds("2"), [pair("block", "2")]);
    assert_eq!(kinds("alice"), [pair("account", "alice")]);
    assert_eq!(kinds("al"), [pair("account", "alice")]);
    assert_eq!(kinds("0:5"), [pair("transaction", "0/5")]);
    assert_eq!(kinds("validator-3"), [pair("validator", "validator-3")]);
    let hash = block["hash"].as_str().unwrap();
    assert_eq!(kinds(hash), [pair("block", "2")]);
    assert_eq!(kinds(&hash[..10]), [pair("block", "2")]);
    let transfer = rows(&block, "transactions").iter().find(|entry| entry["receipt"].is_object()).unwrap();
    let place = format!("{}/{}", transfer["partition"], transfer["offset"]);
    assert!(kinds(transfer["original"].as_str().unwrap()).contains(&pair("transaction", &place)));
    assert!(kinds("nothing-is-called-so").is_empty());
    serving.get("/v1/search?q=").refused(400, "1 to 256 bytes");
    serving.get("/v1/search").refused(400, "");
}
