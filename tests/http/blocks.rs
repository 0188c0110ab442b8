//! Blocks and transactions, recent ones and old ones.

use serde_json::Value;

use crate::Serving;

fn heights(page: &Value) -> Vec<u64> {
    page["blocks"].as_array().unwrap().iter().map(|block| block["height"].as_u64().unwrap()).collect()
}

#[test]
fn a_list_goes_on_where_it_ended_down_to_the_genesis_without_a_gap() {
    let serving = Serving::sealed("--rate 300", 9);
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = serving.json(&format!("/v1/blocks?limit=4{more}"));
        seen.extend(heights(&page));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let newest = seen[0];
    assert!(newest >= 9);
    assert_eq!(seen, (0..=newest).rev().collect::<Vec<_>>());
}

#[test]
fn a_block_is_the_same_by_height_and_hash_and_is_the_record_of_the_topic() {
    let serving = Serving::sealed("--rate 300", 3);
    let by_height = serving.get("/v1/blocks/2");
    assert_eq!(by_height.status, 200);
    let block = cairn::chain::Block::from_json(&by_height.body).unwrap();
    block.check().unwrap();
    assert_eq!(block.header.height, 2);
    let by_hash = serving.get(&format!("/v1/blocks/{}", block.hash));
    assert_eq!(by_hash.body, by_height.body);
    let offset: i64 = by_height.header("x-cairn-offset").unwrap().parse().unwrap();
    let listed = serving.json("/v1/blocks?limit=1&cursor=3")["blocks"][0].clone();
    assert_eq!((&listed["height"], &listed["offset"]), (&2.into(), &offset.into()));
    assert_eq!(listed["hash"], block.hash.to_string());
    assert_eq!(
        listed["applied"].as_u64().unwrap() as usize,
        block.entries.iter().filter(|entry| entry.is_applied()).count()
    );
    let latest = serving.get("/v1/blocks/latest");
    assert!(cairn::chain::Block::from_json(&latest.body).unwrap().header.height >= 3);
}

#[test]
fn what_is_no_block_and_what_is_no_list_is_told_from_what_is_not_there() {
    let serving = Serving::sealed("--rate 300", 1);
    serving.get("/v1/blocks/99999").refused(404, "there is no block 99999 yet");
    serving.get(&format!("/v1/blocks/{}", "0".repeat(64))).refused(404, "has the hash 000000");
    for what in ["latest2", "-1", "%00", "1.5", "18446744073709551616"] {
        serving.get(&format!("/v1/blocks/{what}")).refused(400, "neither a height nor a hash");
    }
    serving.get("/v1/blocks?limit=0").refused(400, "limit is 0: it is 1 to 200");
    serving.get("/v1/blocks?limit=x").refused(400, "");
    serving.get("/v1/blocks?cursor=x").refused(400, "`x` is no cursor of this list");
    serving.get("/v1/transactions/0/x").refused(400, "two numbers");
    serving.get("/v1/transactions/7/0").refused(404, "");
    serving.get("/v1/transactions/0/99999999").refused(404, "in no block yet");
    serving.get("/v1/nothing").refused(404, "nothing at this path");
}

#[test]
fn every_record_of_a_block_is_found_by_its_place_with_what_became_of_it() {
    let serving = Serving::sealed("--rate 100 --partitions 3", 3);
    let block = serving.json("/v1/blocks/2");
    let entries = block["transactions"].as_array().unwrap();
    assert!(entries.len() > 5);
    let partitions: std::collections::BTreeSet<_> = entries.iter().map(|entry| entry["partition"].as_i64()).collect();
    assert!(partitions.len() > 1, "{partitions:?}");
    for (index, entry) in entries.iter().enumerate() {
        let found = serving.json(&format!("/v1/transactions/{}/{}", entry["partition"], entry["offset"]));
        assert_eq!((&found["entry"], &found["height"], &found["index"]), (entry, &2.into(), &index.into()));
        assert_eq!(found["block_hash"], block["hash"]);
    }
}

#[test]
fn what_the_index_has_forgotten_is_read_back_from_the_topic() {
    // A megabyte is some thousand transfers: a few blocks of this.
    let serving = Serving::demo("--rate 1500 --http-memory-mib 1 --malicious none");
    serving
        .until("the index has forgotten", |client| client.json("/v1/status")["indexed_from_height"].as_u64() > Some(4));
    for height in [0_u64, 1, 2, 3] {
        assert_eq!(serving.json(&format!("/v1/blocks/{height}"))["header"]["height"], height);
    }
    assert_eq!(heights(&serving.json("/v1/blocks?limit=3&cursor=4")), [3, 2, 1]);
    // Across the end of the index.
    let first = serving.json("/v1/status")["indexed_from_height"].as_u64().unwrap();
    let page = serving.json(&format!("/v1/blocks?limit=200&cursor={}", first + 3));
    assert_eq!(heights(&page), (0..first + 3).rev().take(200).collect::<Vec<_>>());
    let old = serving.json("/v1/blocks/2");
    for entry in old["transactions"].as_array().unwrap().iter().step_by(97) {
        let found = serving.json(&format!("/v1/transactions/0/{}", entry["offset"]));
        assert_eq!((&found["entry"], &found["height"]), (entry, &2.into()));
    }
    let hash = old["hash"].as_str().unwrap();
    serving.get(&format!("/v1/blocks/{hash}")).refused(404, "older ones are found by height only");
}
