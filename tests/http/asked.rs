//! All that the description allows to be asked, and much that it does not: schemathesis makes requests of it, and looks
//! at the answers.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Serving;

/// Its settings, and the script that brings it.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/schemathesis");
/// The exit code of `fetch` where schemathesis cannot be had.
const CANNOT: i32 = 69;

/// The Python that has schemathesis; `None`, with a line that says so, where it cannot be had.
fn python() -> Option<String> {
    let fetch = Path::new(FOLDER).join("fetch");
    let output = Command::new(&fetch).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    let must_be = std::env::var_os("CI").is_some();
    if output.status.code() == Some(CANNOT) && !must_be {
        eprintln!("SKIPPED: there is no schemathesis here, and it cannot be had");
        return None;
    }
    assert!(output.status.success(), "{}: {}; it says above why", fetch.display(), output.status);
    Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
}

#[test]
fn no_request_has_a_server_error_or_an_answer_off_the_description() {
    let Some(python) = python() else { return };
    let serving = Serving::sealed("--rate 300", 4);
    let directory = tempfile::tempdir().unwrap();
    // Another seed, or more, for who looks for faults.
    let more = std::env::var("CAIRN_TEST_SCHEMATHESIS").unwrap_or_default();
    let output = Command::new(python)
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(Path::new(FOLDER).join("schemathesis.toml"))
        // Below what one address may ask for.
        .args(["run", "--no-color", "--seed", "1", "--max-examples", "40", "--rate-limit", "150/s"])
        .args(more.split_whitespace())
        .arg(format!("http://{}/v1/openapi.json", serving.client.address))
        .current_dir(directory.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert_eq!(serving.get("/healthz").status, 200);
}
