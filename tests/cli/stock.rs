//! What cairn writes is read by packages that others read checkpoints with, and what they write by cairn:
//! `golang.org/x/mod/sumdb` and `github.com/transparency-dev`, in the Go program beside this file.

use std::path::{Path, PathBuf};
use std::process::Command;

use cairn::chain::merkle;

use crate::checkpoints::Chains;

/// The Go program, made in this directory; `None`, and why: Go is not here, or its packages cannot be fetched.
fn program(directory: &Path) -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/stock");
    let go = |words: &[&str]| Command::new("go").args(words).current_dir(&source).output();
    let fetched = go(&["mod", "download"]).map_err(|error| format!("there is no Go here ({error})"))?;
    if !fetched.status.success() {
        let said = String::from_utf8_lossy(&fetched.stderr).into_owned();
        return Err(format!("Go is here and cannot fetch the packages: {said}"));
    }
    let program = directory.join("stock");
    let built = go(&["build", "-o", program.to_str().unwrap(), "."]).unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Ok(program)
}

#[test]
fn stock_packages_read_checkpoints_cosignatures_and_proofs_and_are_read() {
    let chains = Chains::new();
    let cairn = &chains.cairn;
    let program = match program(cairn.path()) {
        Ok(program) => program,
        Err(why) => {
            println!("SKIPPED: {why}");
            return;
        }
    };
    (1..7).for_each(|amount| chains.seal("log", amount));
    let mut keys = cairn.run(&format!("keys --chain {} --output chain.key", chains.genesis)).done().stdout;
    let size = chains.checkpoint("log", "--sign-with chain.key", "signed.txt");
    assert_eq!(size, 7);
    let (mut from, mut policy) = ("signed.txt".to_owned(), format!("log {keys}"));
    for name in ["w1", "w2"] {
        let key = cairn.run(&format!("keys --witness-name example.org/{name} --output {name}.key")).done().stdout;
        policy += &format!("witness {name} {} https://example.org/{name}\n", key.trim_end());
        keys += &key;
        let words = format!("--begin --genesis-hash {} {from}", chains.genesis);
        let words = format!("witness --log embedded:log --sign-with {name}.key {words}");
        from = format!("{name}.txt");
        cairn.write(&from, &cairn.run(&words).done().stdout);
    }
    cairn.write("cosigned.txt", &chains.text("w2.txt"));
    cairn.write("keys.txt", &keys);
    cairn.write("policy.txt", &format!("{policy}group both all w1 w2\nquorum both\n"));
    let words = "checkpoint --log embedded:log --sign-with chain.key --since 3";
    cairn.write("request.txt", &cairn.run(words).done().stdout);
    let blocks: Vec<String> = cairn
        .run("blocks --log embedded:log --json")
        .done()
        .json()
        .iter()
        .map(|block| block["hash"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(blocks.len(), 7);
    cairn.write("blocks.txt", &blocks.join("\n"));
    let leaves: Vec<_> = blocks.iter().map(|hash| merkle::leaf(&hex::decode(hash).unwrap())).collect();
    let mut path = "4\n".to_owned();
    for hash in merkle::prove(&leaves, 4).unwrap().path {
        path += &format!("{}\n", base64(&hash.0));
    }
    cairn.write("path.txt", &path);

    let checked = Command::new(program).arg(cairn.path()).output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success() && said == "ok\n", "{said}{errors}");

    // The other way round: a cosignature of Go's is one here.
    let policy = chains
        .text("policy.txt")
        .replace("group both all w1 w2", &format!("witness go {}\ngroup both all w1 w2 go", chains.text("go-key.txt")));
    cairn.write("policy-with-go.txt", &policy);
    let report = chains.verify("--json --checkpoint go.txt --policy policy-with-go.txt").done().json().remove(0);
    assert_eq!(report["witnesses"].as_array().unwrap().len(), 3);
    assert_eq!(report["witnesses"][2]["name"], "go.example/w");
}

fn base64(bytes: &[u8]) -> String {
    // As a checkpoint writes it.
    let checkpoint = cairn::checkpoint::Checkpoint {
        origin: "x".to_owned(),
        size: 1,
        root: cairn::chain::Hash(bytes.try_into().unwrap()),
    };
    checkpoint.to_string().lines().nth(2).unwrap().to_owned()
}
