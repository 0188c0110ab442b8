//! A chain on the shared broker with something of everything in it, and the rooms in which the explorer shows it.

use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::client::Client;
use crate::page::Page;
use crate::support::{Chain, Process, transfer, until_sealed};

/// What a stranger may write: markup, an override of direction, a character without width.
pub(crate) const HOSTILE_MEMO: &str = "\u{202e}gnp.exe <img src=x onerror=\"document.title='owned'\"> \u{200b}";
pub(crate) const HOSTILE_NAME: &str = "<i>mallory</i>";

pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) run: Process,
    pub(crate) chromium: &'static Chromium,
    pub(crate) client: Client,
}

/// A page to look at.
pub(crate) struct Room {
    /// A word, for a file's name.
    pub(crate) name: &'static str,
    pub(crate) path: String,
    /// What must be on it.
    pub(crate) shows: &'static str,
}

impl World {
    /// Sealing, with some blocks; `None` without a Chromium.
    pub(crate) fn new() -> Option<Self> {
        let world = Self::empty()?;
        world.fill();
        Some(world)
    }

    /// Sealing, with no record yet.
    pub(crate) fn empty() -> Option<Self> {
        Self::served_at("127.0.0.1:0")
    }

    /// As [`World::empty`], at this address.
    pub(crate) fn served_at(address: &str) -> Option<Self> {
        let chromium = Chromium::shared()?;
        let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "10"), ("CAIRN_BLOCK_MAX_AGE_MS", "200")]);
        let mut run = chain.start(&["--http", address]);
        run.until_logged("running");
        let url = url_of(&run);
        Some(Self { chain, run, chromium, client: Client::of(&url) })
    }

    /// Sends something of everything, and waits until it is in blocks.
    pub(crate) fn fill(&self) {
        self.chain.produce(&lines());
        until_sealed(&self.chain, lines().lines().count());
    }

    /// A page that shows nothing yet.
    pub(crate) fn empty_page(&self) -> Page {
        Page::new(self.chromium, &format!("http://{}", self.client.address))
    }

    /// A page with the room at this path.
    pub(crate) fn page(&self, path: &str) -> Page {
        let page = self.empty_page();
        page.open(path);
        page
    }

    pub(crate) fn height(&self) -> u64 {
        self.client.json("/v1/status")["last"]["height"].as_u64().unwrap()
    }

    /// Every room there is, and each of its faces.
    pub(crate) fn rooms(&self) -> Vec<Room> {
        let room = |name, path: &str, shows| Room { name, path: path.to_owned(), shows };
        let of_kind = |is_it: &dyn Fn(&Value) -> bool| {
            let blocks = self.chain.blocks();
            let found =
                blocks.iter().flat_map(|block| block["transactions"].as_array().unwrap()).find(|entry| is_it(entry));
            let entry = found.expect("the chain has something of everything");
            format!("/tx/{}:{}", entry["partition"], entry["offset"])
        };
        vec![
            room("now", "/", ".blocks tbody tr"),
            room("block", "/block/1", ".ring .signed"),
            room("block-genesis", "/block/0", ".facts"),
            room("block-to-come", "/block/999", ".problem"),
            room("transaction", &of_kind(&|entry| entry["memo"].is_string()), ".outcome.applied"),
            room(
                "transaction-rejected",
                &of_kind(&|entry| entry["receipt"]["outcome"] == "rejected"),
                ".outcome.rejected",
            ),
            room("transaction-unreadable", &of_kind(&|entry| entry["stub"].is_object()), ".outcome.unreadable"),
            room("transaction-to-come", "/tx/0:99999", ".outcome.waiting"),
            room("account", "/account/alice", ".plot"),
            room("account-empty", "/account/nobody", ".empty"),
            room("accounts", "/accounts", "tbody tr"),
            room("accounts-by-prefix", "/accounts?prefix=a", "tbody tr"),
            room("validators", "/validators", "tbody tr"),
            room("validator", "/validators/validator-1", "tr.chosen"),
            room("search", "/search?q=validator", ".results a"),
            room("search-nothing", "/search?q=zzz", "h1"),
            room("trust", "/trust", "#pin-form"),
            room("about", "/about", ".facts"),
            room("nothing", "/block/", "h1"),
        ]
    }
}

/// Where a run says that it serves.
pub(crate) fn url_of(run: &Process) -> String {
    let said = run.stderr();
    let mut lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "serving HTTP").unwrap();
    line["url"].as_str().unwrap().to_owned()
}

fn lines() -> String {
    let names = ["alice", "bob", "carol", "dave", "Ærøskøbing Sparekasse"];
    let payments = (0..60).map(|at| transfer(names[at % 5], names[(at * 3 + 1) % 5], (at as u64 + 1) * 1_234_567));
    let special = [
        json!({ "from": "alice", "to": "bob", "amount": 7, "id": "invoice-7", "memo": HOSTILE_MEMO }),
        json!({ "from": "alice", "to": "bob", "amount": 7, "id": "invoice-7", "memo": HOSTILE_MEMO }),
        json!({ "from": HOSTILE_NAME, "to": "alice", "amount": 1 }),
        json!({ "from": "carol", "to": "ed25519:".to_owned() + &"ab".repeat(32), "amount": 5 }),
    ];
    let special = special.iter().map(|line| format!("{line}\n"));
    payments.chain(special).chain(["this is no transaction\n".to_owned()]).collect()
}
