//! What only a demo has: a transfer from the page, and a validator that is told to cheat.

use serde_json::{Value, json};

use crate::chromium::Chromium;
use crate::looks::looks;
use crate::page::Page;
use crate::support::{Process, cairn};

struct Demo {
    _process: Process,
    _directory: tempfile::TempDir,
    page: Page,
}

impl Demo {
    fn new() -> Option<Self> {
        let chromium = Chromium::shared()?;
        let directory = tempfile::tempdir().unwrap();
        let mut command = cairn("demo");
        command.args(["--json", "--blocks", "0", "--rate", "50", "--http", "127.0.0.1:0", "--dir"]);
        command.arg(directory.path().join("demo")).env("HOME", directory.path());
        let mut process = Process::start(&mut command, directory.path());
        process.until("the demo says where it serves", |process| process.stdout().contains('\n'));
        let first: Value = serde_json::from_str(process.stdout().lines().next().unwrap()).unwrap();
        let page = Page::new(chromium, first["http"].as_str().unwrap());
        page.open("/");
        Some(Self { _process: process, _directory: directory, page })
    }
}

#[test]
fn a_transfer_sent_from_the_page_is_followed_to_its_block() {
    let Some(demo) = Demo::new() else { return };
    let page = &demo.page;
    page.until("the form", "document.querySelector('.demo form') !== null");
    for (field, value) in [("from", "alice"), ("to", "page-receiver"), ("amount", "1")] {
        page.eval(&format!("document.querySelector('.demo [name={field}]').select()"));
        page.write(value);
    }
    page.click(".demo button[type=submit]");
    page.until("it is sent", "document.querySelector('.demo .said a') !== null");
    page.click(".demo .said a");
    page.until("it is sealed", "document.querySelector('#main .sentence') !== null");
    let sentence = page.text("#main .sentence");
    assert!(sentence.contains("alice paid page-receiver 1."), "{sentence}");
    page.click("#main .facts a");
    page.until("its sender", "document.querySelector('#main h1').innerText.startsWith('Account alice')");
    // The look at a transaction that was in no block yet is answered 404, which a console notes.
    let others: Vec<String> = page
        .complaints()
        .into_iter()
        .filter(|line| !(line.contains("404") && line.contains("/v1/transactions/")))
        .collect();
    assert_eq!(others, Vec::<String>::new());
}

#[test]
fn a_validator_that_cheats_is_seen_being_caught_and_the_evidence_is_in_its_block() {
    let Some(demo) = Demo::new() else { return };
    let page = &demo.page;
    page.until("the button", "document.querySelector('.demo .danger') !== null");
    page.click(".demo .danger");
    page.until("it is told", "/will alter an amount/.test(document.querySelector('.demo').innerText)");
    page.until("it is caught", "/was caught: /.test(document.querySelector('.demo').innerText)");
    // Those that the demo itself has cheat may be in the list, too.
    let offence = "[...document.querySelectorAll('.offences li')].map((one) => [one.querySelector('a').innerText, \
                   one.querySelector('a.mono').getAttribute('href')]).at(-1)";
    page.until("the offence is listed", &format!("{offence} !== undefined"));
    let offence = page.eval(offence);
    let (cheat, block) = (offence[0].as_str().unwrap(), offence[1].as_str().unwrap());
    looks(page, "demo", "/", ".offences li");
    looks(page, "block-slashing", block, ".sentences .slashed");
    let operations = page.text(".sentences");
    assert!(operations.contains(&format!("{cheat} loses its whole stake")), "{operations}");
    page.click(".evidence summary");
    assert!(page.text(".evidence").contains("State root"));
    page.open(&format!("/validators/{cheat}"));
    let row = page.text("tr.chosen");
    assert!(row.contains(cheat) && row.contains("slashed"), "{row}");
    page.assert_content();
    assert_eq!(page.eval("location.pathname"), json!(format!("/validators/{cheat}")));
}
