//! What happens appears by itself.

use std::net::TcpListener;

use crate::support::{transfer, until_sealed};
use crate::world::World;

const ROW: &str = ".blocks tbody tr";

#[test]
fn a_block_that_is_sealed_appears_on_the_page_without_a_reload() {
    let Some(world) = World::new() else { return };
    let page = world.page("/");
    // A page that is loaded anew forgets this.
    page.eval("window.stays = true");
    let before = world.height();
    page.until("the last block is there", &format!("document.querySelector('[data-height=\"{before}\"]') !== null"));
    world.chain.produce(&transfer("alice", "bob", 3).repeat(2));
    let height = before + 1;
    page.until("the next one", &format!("document.querySelector('{ROW}').dataset.height === '{height}'"));

    let block = world.chain.blocks().swap_remove(height as usize);
    let hash = block["hash"].as_str().unwrap();
    let shown = page.eval(&format!("document.querySelector('{ROW} td:last-child [title]').title"));
    assert_eq!(shown, hash, "the row is the block's");
    let cells =
        page.eval(&format!("[...document.querySelectorAll('{ROW}:first-child td')].map((cell) => cell.innerText)"));
    assert_eq!((&cells[0], &cells[2], &cells[3]), (&height.to_string().into(), &"2".into(), &"0".into()), "{cells}");
    page.until("the figure follows", &format!("document.querySelector('.figure .large').innerText === '{height}'"));
    assert_eq!(page.eval("window.stays"), true);
    page.assert_content();
}

#[test]
fn the_first_block_of_a_chain_takes_the_place_of_the_word_that_there_is_none() {
    let Some(world) = World::empty() else { return };
    let page = world.page("/");
    page.until("block 0", &format!("document.querySelector('{ROW}').dataset.height === '0'"));
    assert_eq!(page.text("#state-text"), "sealing");
    world.chain.produce(&transfer("alice", "bob", 3));
    page.until("block 1", &format!("document.querySelector('{ROW}').dataset.height === '1'"));
    page.assert_content();
}

#[test]
fn older_blocks_stand_below_the_latest_and_no_height_between_is_lost_when_more_are_sealed() {
    let Some(world) = World::empty() else { return };
    world.chain.produce(&transfer("alice", "bob", 3).repeat(300));
    until_sealed(&world.chain, 300);
    let page = world.page("/");
    page.until(
        "the last block is there",
        &format!("document.querySelector('{ROW}').dataset.height === '{}'", world.height()),
    );
    page.click(".more-line button");
    page.until("older ones", "document.querySelector('.continued') !== null");
    let before = world.height();
    world.chain.produce(&transfer("alice", "bob", 3).repeat(30));
    page.until("newer ones", &format!("document.querySelector('{ROW}').dataset.height >= {}", before + 3));
    let heights =
        page.eval("[...document.querySelectorAll('.blocks tbody tr')].map((row) => Number(row.dataset.height))");
    let heights: Vec<u64> = serde_json::from_value(heights).unwrap();
    assert!(heights.len() > 30 && heights.windows(2).all(|pair| pair[0] == pair[1] + 1), "{heights:?}");
    page.assert_content();
}

#[test]
fn rows_stay_where_they_are_under_the_pointer_and_the_page_says_how_many_wait() {
    let Some(world) = World::new() else { return };
    let page = world.page("/");
    let before = world.height();
    page.until("the last block is there", &format!("document.querySelector('{ROW}').dataset.height === '{before}'"));
    page.point_at(&format!("{ROW}:nth-child(2) td:nth-child(3)"));
    page.until(
        "the row knows of the pointer",
        &format!("document.querySelector('{ROW}:nth-child(2)').matches(':hover')"),
    );
    world.chain.produce(&transfer("alice", "bob", 3));
    page.until("one waits", "document.querySelector('.waiting-blocks').innerText === '1 new block: show'");
    assert_eq!(page.eval(&format!("document.querySelector('{ROW}').dataset.height")), before.to_string());
    page.click(".waiting-blocks");
    page.until("it is shown", &format!("document.querySelector('{ROW}').dataset.height === '{}'", before + 1));
    page.assert_content();
}

#[test]
fn a_server_that_goes_away_is_said_to_be_gone_and_the_page_goes_on_by_itself_when_it_is_back() {
    // The kernel does not give out a port like this one by itself, so that it is still free later.
    let ports = (0..2_000).map(|number| 30_000 + (std::process::id() + number) % 2_000);
    let free = ports.map(|port| format!("127.0.0.1:{port}")).find(|address| TcpListener::bind(address).is_ok());
    let address = free.expect("a free port");
    let Some(mut world) = World::served_at(&address) else { return };
    world.fill();
    let page = world.page("/");
    page.eval("window.stays = true");
    page.until("it seals", "document.getElementById('state-text').innerText === 'sealing'");
    world.run.terminate();
    page.until("gone", "document.getElementById('state-text').innerText.startsWith('offline: reconnecting')");
    assert_eq!(page.eval("document.body.classList.contains('stale')"), true);
    assert!(
        page.eval(&format!("document.querySelectorAll('{ROW}').length")).as_u64().unwrap() > 3,
        "what it shows stays"
    );
    world.run.until_ended();

    world.run = world.chain.start(&["--http", &address]);
    world.run.until_logged("running");
    page.until("back", "document.getElementById('state-text').innerText === 'sealing'");
    let height = world.chain.blocks().len();
    world.chain.produce(&transfer("alice", "bob", 3));
    page.until("a new block", &format!("document.querySelector('{ROW}').dataset.height >= {height}"));
    assert_eq!(page.eval("window.stays && !document.body.classList.contains('stale')"), true);
}
