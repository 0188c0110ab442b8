//! Every page at three widths, in both colours, for the eye, the keyboard and a screen reader.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::page::Page;
use crate::world::{Room, World};

const WIDTHS: [u32; 3] = [390, 1_024, 1_600];
const COLOURS: [&str; 2] = ["light", "dark"];

/// Names a directory into which every page is drawn.
const SCREENSHOTS: &str = "CAIRN_TEST_SCREENSHOTS";

/// axe-core, as one script; fetched on first use.
fn axe() -> String {
    let fetch = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka_browser/fetch-axe");
    let output = Command::new(fetch).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{fetch}: {}; it says above what is missing", output.status);
    std::fs::read_to_string(String::from_utf8(output.stdout).unwrap().trim_end()).unwrap()
}

/// What axe-core finds on a page that is serious or worse: the rule, and where.
fn faults(page: &Page) -> Vec<String> {
    let found = page.eval(
        "axe.run(document, { resultTypes: ['violations'] }).then(({ violations, passes }) => ({ passed: passes.length, violations: \
         violations.filter((one) => /serious|critical/.test(one.impact)).map((one) => `${one.id}: ${one.help}: ` \
         + one.nodes.map((node) => `${node.html} ${node.any.map((check) => check.message).join(' ')}`).join(' | ')) }))",
    );
    assert!(found["passed"].as_u64().unwrap() > 10, "axe-core looked at nothing: {found}");
    found["violations"].as_array().unwrap().iter().map(Value::to_string).collect()
}

/// What sticks out of the page to the right, if it can be scrolled there.
fn overhang(page: &Page, width: u32) -> Value {
    page.eval(&format!(
        "document.documentElement.scrollWidth <= {width} && innerWidth <= {width} ? [] : [document.documentElement.scrollWidth, \
         ...[...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > {width}) \
         .map((one) => one.outerHTML.slice(0, 120))]"
    ))
}

/// Looks at a path in each way: it fits, has no serious fault, and is drawn where somebody wants to see it.
#[track_caller]
pub(crate) fn looks(page: &Page, name: &str, path: &str, shows: &str) {
    let directory = std::env::var_os(SCREENSHOTS).map(PathBuf::from);
    let (axe, mut found) = (axe(), Vec::new());
    for width in WIDTHS {
        page.looked_at(width, COLOURS[0]);
        page.open(path);
        page.until(path, &format!("document.querySelector('#main {shows}') !== null"));
        page.eval(&format!("{axe}\n;undefined"));
        for colours in COLOURS {
            page.looked_at(width, colours);
            assert_eq!(overhang(page, width), Value::Array(Vec::new()), "{path} at {width}");
            if let Some(directory) = &directory {
                std::fs::create_dir_all(directory).unwrap();
                page.shoot(&directory.join(format!("{name}-{width}-{colours}.png")));
            }
            found.extend(faults(page).into_iter().map(|fault| format!("at {width}, {colours}: {fault}")));
        }
    }
    assert_eq!(found, Vec::<String>::new(), "{path}");
}

#[test]
fn every_page_fits_every_width_has_no_serious_fault_by_the_rules_of_axe_core_and_complains_of_nothing() {
    let Some(world) = World::new() else { return };
    for Room { name, path, shows } in world.rooms() {
        let page = world.empty_page();
        looks(&page, name, &path, shows);
        // What is not there is answered 404, which a console notes.
        let is_expected = |line: &String| line.contains("404") && name.ends_with("-to-come");
        let complaints: Vec<String> = page.complaints().into_iter().filter(|line| !is_expected(line)).collect();
        assert_eq!(complaints, Vec::<String>::new(), "{path}");
    }
    // The rules do find a fault where there is one, and what sticks out is noticed.
    let page = world.page("/");
    page.eval(&format!("{}\n;document.querySelector('label[for=q]').remove()", axe()));
    page.eval("document.getElementById('q').removeAttribute('placeholder')");
    assert!(faults(&page).iter().any(|fault| fault.contains("label")), "{:?}", faults(&page));
    page.eval("document.getElementById('main').append('x'.repeat(5000)); document.body.style.overflowWrap = 'normal'");
    assert_ne!(overhang(&page, 1_600), Value::Array(Vec::new()));
}

#[test]
fn search_and_every_link_are_reached_and_followed_by_keyboard_alone() {
    let Some(world) = World::new() else { return };
    let page = world.page("/block/1");
    // In the order of the page, each with an outline that can be seen.
    let mut reached: Vec<String> = Vec::new();
    loop {
        page.press("Tab");
        let focused = page.eval(
            "(() => { const at = document.activeElement; const style = getComputedStyle(at); \
             return [at === document.body ? null : at.getAttribute('href') ?? at.id ?? '', at.matches(':focus-visible') \
             && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1]; })()",
        );
        let Some(name) = focused[0].as_str().filter(|_| reached.len() < 500) else { break };
        assert_eq!(focused[1], true, "{name} shows that it is focused");
        reached.push(name.to_owned());
    }
    let order = [
        "#main",
        "/",
        "theme",
        "/accounts",
        "/validators",
        "/about",
        "q",
        "/block/0",
        "/block/2",
        "/validators/validator-1",
    ];
    let mut rest = reached.iter();
    for name in order {
        assert!(rest.any(|one| one == name), "{name} is not reached in its place: {reached:?}");
    }
    let links = page.eval("[...document.querySelectorAll('a[href]')].map((link) => link.getAttribute('href'))");
    for link in links.as_array().unwrap() {
        assert!(reached.iter().any(|one| link == one), "{link} is not reached: {reached:?}");
    }

    // The first one leaps over the frame; Enter follows a link; what is shown then has the focus.
    page.open("/block/1");
    page.press("Tab");
    page.press("Enter");
    page.press("Tab");
    assert_eq!(page.eval("document.activeElement.getAttribute('href')"), "/block/0");
    page.press("Enter");
    page.until_at("/block/0");
    assert_eq!(page.eval("document.activeElement.id"), "main");
    page.press("/");
    assert_eq!(page.eval("document.activeElement.id"), "q");
    page.press("Escape");
    assert_eq!(page.eval("document.activeElement === document.body"), true);
    page.assert_content();
}

#[test]
fn colours_are_the_systems_until_somebody_chooses_and_stay_as_they_were_chosen() {
    let Some(world) = World::empty() else { return };
    let page = world.page("/");
    // Red, green and blue of the background, added up.
    let brightness = "getComputedStyle(document.documentElement).backgroundColor.match(/[\\d.]+/g).slice(0, 3).reduce((sum, one) => sum + Number(one), 0)";
    let is_dark = |page: &Page| page.eval(brightness).as_f64().unwrap() < 150.0;
    for (colours, dark) in [("dark", true), ("light", false)] {
        page.looked_at(1_024, colours);
        assert_eq!(is_dark(&page), dark, "{colours}");
    }
    page.click("#theme");
    page.click("#theme");
    assert!(is_dark(&page), "{}", page.text("#theme"));
    page.open("/about");
    assert!(is_dark(&page), "it is remembered");
    page.click("#theme");
    assert!(!is_dark(&page), "as the system again");
    page.assert_content();
}
