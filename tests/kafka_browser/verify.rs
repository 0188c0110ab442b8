//! A proof is computed in the page, down to what was pinned; and one byte that is not as it was is noticed there.

use serde_json::{Value, json};

use crate::page::Page;
use crate::proxy::{Alteration, Proxy};
use crate::support::{Process, cairn};
use crate::world::World;

/// The checkpoint that `cairn checkpoint` makes of the topics, without asking a server.
fn checkpoint(world: &World) -> String {
    let chain = &world.chain;
    let mut command = cairn("checkpoint");
    command.args(["--brokers", chain.cluster.brokers(), "--blockchain", &chain.blockchain]);
    command.args(["--transactions", &chain.transactions, "--genesis-hash"]);
    command.arg(chain.blocks()[0]["header"]["genesis"].as_str().unwrap());
    let finished = Process::start(&mut command, chain.directory.path()).wait();
    assert!(finished.status.success(), "{finished}");
    finished.stdout
}

/// Pins it as a person does.
fn pin(page: &Page, checkpoint: &str) {
    page.open("/trust");
    page.eval("document.getElementById('pin-text').focus()");
    page.write(checkpoint);
    page.click("#pin-save");
    page.until("it is pinned", "document.querySelector('[data-pin=given]') !== null");
}

/// Presses the button of the page at a path; the verdict.
fn verify(page: &Page, path: &str) -> Value {
    page.open(path);
    page.until("the button", "document.getElementById('verify') !== null");
    page.click("#verify");
    page.until("a verdict", "document.getElementById('verify-result').dataset.verdict !== ''");
    page.eval("document.getElementById('verify-result').dataset.verdict")
}

/// The steps that are shown, with what came of each.
fn steps(page: &Page) -> Vec<(String, String)> {
    let found = page.eval(
        "[...document.querySelectorAll('#verify-steps .step')].map((step) => [step.dataset.step, step.dataset.state])",
    );
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(|step| (text(&step[0]), text(&step[1]))).collect()
}

/// A block, a transaction in it, and an account.
fn subjects(world: &World) -> [String; 3] {
    let entry = &world.chain.blocks()[2]["transactions"][0];
    ["/block/2".to_owned(), format!("/tx/{}:{}", entry["partition"], entry["offset"]), "/account/alice".to_owned()]
}

#[test]
fn a_block_a_transaction_and_a_balance_are_proved_in_the_page_against_a_checkpoint_from_elsewhere() {
    let Some(world) = World::new() else { return };
    let page = world.page("/");
    pin(&page, &checkpoint(&world));
    for path in subjects(&world) {
        let verdict = verify(&page, &path);
        assert_eq!(verdict, "holds", "{path}: {}", page.text("#verify-result"));
        let steps = steps(&page);
        for id in ["header", "genesis", "shown", "claim", "history", "checkpoint"] {
            assert!(steps.contains(&(id.to_owned(), "holds".to_owned())), "{path}: {id}: {steps:?}");
        }
        assert!(page.text("#verdict").contains("It rests on the checkpoint of"), "{}", page.text("#verdict"));
    }
    page.assert_content();
}

#[test]
fn without_a_pin_nothing_is_called_proved_until_the_server_is_trusted_on_first_use() {
    let Some(world) = World::new() else { return };
    let page = world.page("/block/2");
    page.click("#verify");
    page.until("the offer", "document.getElementById('first-use') !== null");
    assert_eq!(page.eval("document.getElementById('verify-result').dataset.verdict"), "");
    page.click("#pin-first-use");
    page.until("a verdict", "document.getElementById('verify-result').dataset.verdict !== ''");
    assert_eq!(page.eval("document.getElementById('verify-result').dataset.verdict"), "holds");
    assert!(page.text("#verdict").contains("on first use"), "{}", page.text("#verdict"));

    // A checkpoint of another chain: this one's proofs are broken.
    let other = checkpoint(&world).lines().map(str::to_owned).collect::<Vec<_>>();
    let other = format!("{}\n{}\n{}\n", other[0].replace('1', "2"), other[1], other[2]);
    pin(&page, &other);
    assert_eq!(verify(&page, "/block/2"), "broken");
    page.assert_content();
}

#[test]
fn a_proxy_that_alters_one_byte_makes_the_page_say_that_it_is_broken_and_where() {
    let Some(world) = World::new() else { return };
    let proxy = Proxy::before(world.client.address);
    let page = Page::new(world.chromium, &format!("http://{}", proxy.address));
    pin(&page, &checkpoint(&world));
    let subjects = subjects(&world);
    for path in &subjects {
        assert_eq!(verify(&page, path), "holds", "unaltered, {path}: {}", page.text("#verify-result"));
    }
    let altered = |path, behind| Alteration { path, behind };
    // What the page shows, and then what it is proved by.
    for (subject, alteration, step) in [
        (0, altered("/v1/blocks/2", "\"transactions\":[{"), "shown"),
        (0, altered("/v1/blocks/2", "\"state_root\":\""), "shown"),
        (0, altered("/v1/proofs/block", "\"state_root\":\""), "shown"),
        (0, altered("/v1/proofs/block", "\"path\":[\""), "history"),
        (1, altered("/v1/transactions/", "\"amount\":"), "shown"),
        (1, altered("/v1/proofs/transaction", "\"amount\":"), "shown"),
        (1, altered("/v1/proofs/transaction", "\"transactions_root\":\""), "claim"),
        (2, altered("/v1/accounts/alice", "\"balance\":"), "shown"),
        (2, altered("/v1/proofs/balance", "\"balance\":"), "shown"),
        (2, altered("/v1/proofs/balance", "\"state_root\":\""), "claim"),
        (2, altered("/v1/proofs/balance", "\"root\":\""), "history"),
    ] {
        proxy.alter(Some(alteration));
        let verdict = verify(&page, &subjects[subject]);
        assert!(proxy.altered_count() > 0, "{alteration:?}: nothing was altered");
        assert_eq!(verdict, "broken", "{alteration:?}: {}", page.text("#verify-result"));
        let steps = steps(&page);
        assert_eq!(steps.last(), Some(&(step.to_owned(), "broken".to_owned())), "{alteration:?}: {steps:?}");
        assert!(page.text("#verify-steps .step.broken").len() > 60, "the step stays, with its values");
    }
    proxy.alter(None);
    assert_eq!(verify(&page, &subjects[0]), json!("holds"));
}
