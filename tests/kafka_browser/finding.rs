//! What is looked for is found, and what it shows is what the chain holds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::page::Page;
use crate::world::{HOSTILE_NAME, World};

/// Looks for a text as people do: `/`, the text, Enter.
fn look_for(page: &Page, text: &str) {
    page.press("/");
    assert_eq!(page.eval("document.activeElement.id"), "q");
    // What was looked for before is marked, and gives way.
    page.write(text);
    assert_eq!(page.eval("document.activeElement.value"), text);
    page.press("Enter");
}

#[test]
fn search_finds_blocks_transactions_and_accounts_and_lists_what_a_text_may_mean() {
    let Some(world) = World::new() else { return };
    let block = world.chain.blocks().swap_remove(2);
    let (hash, entry) = (block["hash"].as_str().unwrap(), &block["transactions"][0]);
    let place = format!("{}:{}", entry["partition"], entry["offset"]);
    let page = world.page("/");
    for (text, path, heading) in [
        ("2", "/block/2", "Block 2"),
        (hash, "/block/2", "Block 2"),
        (&hash[..12], "/block/2", "Block 2"),
        (&place, &format!("/tx/{place}"), &format!("Transaction {place}")),
        (entry["original"].as_str().unwrap(), &format!("/tx/{place}"), &format!("Transaction {place}")),
        ("carol", "/account/carol", "Account carol"),
    ] {
        look_for(&page, text);
        page.until_at(path);
        assert_eq!(page.text("#main h1").trim(), heading, "{text}");
        assert!(page.eval("document.title").as_str().unwrap().starts_with(heading), "{}", page.eval("document.title"));
        page.eval("history.back()");
        page.until_at("/");
    }
    look_for(&page, "invoice-7");
    page.until_at("/search?q=invoice-7");
    let links = "[...document.querySelectorAll('.results a')].map((link) => link.innerText)";
    assert_eq!(page.eval(links).as_array().unwrap().len(), 2, "both transactions with this id");
    look_for(&page, "validator");
    page.until_at("/search?q=validator");
    let found = page.eval(links);
    assert!(found.as_array().unwrap().contains(&"Validator validator-1".into()), "{found}");
    look_for(&page, "zzz");
    page.until_at("/search?q=zzz");
    assert_eq!(page.text("#main h1"), "Nothing found");
    page.assert_content();
}

/// Balances of an account at each height where it moved, from receipts.
fn balances(blocks: &[Value], name: &str) -> BTreeMap<u64, i64> {
    let mut found = BTreeMap::new();
    for block in blocks {
        let height = block["header"]["height"].as_u64().unwrap();
        for entry in block["transactions"].as_array().unwrap() {
            for (side, balance) in [("from", "from_balance"), ("to", "to_balance")] {
                if entry[side] == name {
                    found.insert(height, entry["receipt"][balance].as_i64().unwrap());
                }
            }
        }
    }
    found
}

/// As the page writes it: groups of three, a true minus.
fn written(balance: i64) -> String {
    let digits = balance.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if balance < 0 { format!("\u{2212}{text}") } else { text }
}

#[test]
fn the_plot_of_an_account_has_its_balance_at_every_height_and_is_read_by_keyboard() {
    let Some(world) = World::new() else { return };
    let expected = balances(&world.chain.blocks(), "alice");
    assert!(expected.len() > 4, "{expected:?}");
    let page = world.page("/account/alice");
    page.until("the plot", "document.querySelector('.plot .line') !== null");
    assert_eq!(page.text(".facts .large"), written(*expected.values().last().unwrap()));
    let line = page.eval("document.querySelector('.plot .line').getAttribute('d')");
    assert!(line.as_str().unwrap().matches('V').count() >= expected.len() - 1, "{line}");

    page.eval("document.querySelector('.plot svg').focus()");
    page.press("Home");
    for (height, balance) in &expected {
        assert_eq!(page.text(".reading"), format!("Block {height}: {}", written(*balance)));
        page.press("ArrowRight");
    }
    // The table beside it has the same values, the newest first.
    let cells = page.eval("[...document.querySelectorAll('tbody tr')].map((row) => row.lastElementChild.innerText)");
    assert_eq!(cells[0], written(*expected.values().last().unwrap()));
    page.assert_content();
}

#[test]
fn what_strangers_wrote_is_text_and_what_cannot_be_seen_is_shown() {
    let Some(world) = World::new() else { return };
    let blocks = world.chain.blocks();
    let entry =
        blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap()).find(|one| one["id"] == "invoice-7");
    let entry = entry.unwrap();
    let page = world.page(&format!("/tx/{}:{}", entry["partition"], entry["offset"]));
    let memo = page.text(".memo");
    assert!(memo.contains("\\u202egnp.exe <img src=x") && memo.contains("\\u200b"), "{memo}");
    assert_eq!(page.eval("document.querySelectorAll('#main img').length"), 0);

    page.open(&format!("/account/{}", "%3Ci%3Emallory%3C%2Fi%3E"));
    assert_eq!(page.text("#main h1 bdi"), HOSTILE_NAME);
    page.open("/accounts?prefix=%3C");
    let names = page.eval("[...document.querySelectorAll('tbody bdi')].map((name) => name.innerText)");
    assert_eq!(names, json!([HOSTILE_NAME]));
    page.click("tbody a");
    page.until("its page", "document.querySelector('#main h1')?.innerText.startsWith('Account')");
    assert_eq!(page.text("#main h1 bdi"), HOSTILE_NAME, "the link in the list leads to it");
    page.assert_content();
}

#[test]
fn a_page_of_what_is_to_come_waits_for_it_and_then_shows_it() {
    let Some(world) = World::new() else { return };
    let height = world.height() + 1;
    let page = world.page(&format!("/block/{height}"));
    assert_eq!(page.text("#main h1"), format!("Block {height} is not there"));
    world.chain.produce(&crate::support::transfer("alice", "bob", 3));
    page.until("the block", &format!("document.querySelector('#main h1').innerText === 'Block {height}'"));
    page.until("its seal", "document.querySelector('.ring .signed') !== null");
}
