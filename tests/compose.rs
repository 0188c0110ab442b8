//! `docker-compose.yml` and `Dockerfile` fit the program: the options they set are ones it knows, the service as it is
//! configured there seals blocks, and the image holds the libraries that the program needs.

#![allow(clippy::unwrap_used)]
// Tests measure real time: what they wait for happens in another process.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use cairn::chain::genesis::PARAMETER_KEYS;
use support::{Process, cairn};
use test_cluster::{Cluster, unique};

const CAIRN: &str = env!("CARGO_BIN_EXE_cairn");

fn file(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The lines of the `cairn` service, and what they set in its environment.
fn service() -> (String, BTreeMap<String, String>) {
    let compose = file("docker-compose.yml");
    let service = compose.split("\n  cairn:\n").nth(1).unwrap();
    // It ends where the next line is indented as little as its name.
    let lines: Vec<&str> = service.lines().take_while(|line| line.is_empty() || line.starts_with("    ")).collect();
    let variable = |line: &&str| {
        let (name, value) = line.trim().split_once(": ")?;
        name.starts_with("CAIRN_").then(|| (name.to_owned(), value.to_owned()))
    };
    (lines.join("\n"), lines.iter().filter_map(variable).collect())
}

#[test]
fn the_variables_of_the_service_are_options_of_run() {
    let (lines, variables) = service();
    assert!(lines.contains(r#"command: ["run"]"#), "{lines}");
    let help = cairn("run").arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for name in variables.keys() {
        let words = name.trim_start_matches("CAIRN_").to_lowercase();
        let is_option = help.contains(&format!("--{} ", words.replace('_', "-")));
        let is_parameter = PARAMETER_KEYS.iter().any(|key| key.replace('.', "_") == words);
        assert!(is_option || is_parameter, "{name} is neither an option of `cairn run` nor a chain parameter:\n{help}");
    }
}

/// Stores return from Kafka; keys, and the note that the chain exists, must outlast the container.
#[test]
fn state_and_keys_are_on_the_volume_of_the_service_and_of_the_image() {
    let (lines, _) = service();
    let volume = lines.split("cairn-state:").nth(1).unwrap().lines().next().unwrap().to_owned();
    for name in ["CAIRN_STATE_DIR", "XDG_DATA_HOME"] {
        let of_service = lines.split(&format!("{name}: ")).nth(1).unwrap().lines().next().unwrap();
        assert!(of_service.starts_with(&format!("{volume}/")), "{name} = {of_service} is not on {volume}");
        let dockerfile = file("Dockerfile");
        let of_image = dockerfile.split(&format!("{name}=")).nth(1).unwrap().split_whitespace().next().unwrap();
        assert_eq!(of_image, of_service);
        assert!(dockerfile.contains(&format!("\nVOLUME {volume}\n")));
    }
}

#[test]
fn the_service_as_configured_seals_blocks_of_the_size_that_it_sets() {
    let cluster = Cluster::shared();
    let (_, mut variables) = service();
    let directory = tempfile::tempdir().unwrap();
    let (transactions, blockchain) = (unique("transactions"), unique("blockchain"));
    for (name, value) in [
        ("CAIRN_BROKERS", cluster.brokers().to_owned()),
        ("CAIRN_STATE_DIR", directory.path().join("state").display().to_string()),
        ("CAIRN_APPLICATION_ID", unique("compose")),
        ("CAIRN_TRANSACTIONS", transactions.clone()),
        ("CAIRN_BLOCKCHAIN", blockchain.clone()),
        // Any port: that of the service may be taken here.
        ("CAIRN_HTTP", "127.0.0.1:0".to_owned()),
    ] {
        assert!(variables.insert(name.to_owned(), value).is_some(), "{name} is not set in docker-compose.yml");
    }
    let block_size: usize = variables["CAIRN_BLOCK_MAX_TRANSACTIONS"].parse().unwrap();

    cluster.create_topic(&transactions, 1, &[]);
    let payments = "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}\n".repeat(2 * block_size + 1);
    cluster.kcat(&["-P", "-t", &transactions], payments.as_bytes());
    let data = directory.path().join("data");
    let mut run = cairn("run");
    run.arg("--until-end").envs(&variables).env("XDG_DATA_HOME", &data);
    let run = Process::start(&mut run, directory.path()).wait();
    assert!(run.status.success(), "{run}");
    let is_json = run.stderr.lines().next().is_some_and(|line| line.starts_with('{'));
    assert!(is_json, "no JSON, as CAIRN_LOG_FORMAT has it:\n{run}");

    let blocks = cluster.kcat(&["-C", "-t", &blockchain, "-e", "-q", "-X", "isolation.level=read_committed"], b"");
    let counts: Vec<usize> = blocks
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|block| block["header"]["height"] != 0)
        .map(|block| block["transactions"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [block_size, block_size, 1], "{blocks}");
}

#[test]
fn the_image_has_the_libraries_that_the_program_needs() {
    // The package of each library in Debian 12; the C library itself is in every image.
    let package = |library: &str| match library {
        "libssl.so.3" | "libcrypto.so.3" => Some("libssl3"),
        "libz.so.1" => Some("zlib1g"),
        "libstdc++.so.6" | "libgcc_s.so.1" => Some("libstdc++6"),
        "libc.so.6" | "libm.so.6" | "libpthread.so.0" | "libdl.so.2" | "librt.so.1" => Some("debian:bookworm-slim"),
        _ => None,
    };
    let dockerfile = file("Dockerfile");
    let image = dockerfile.split("\nFROM ").last().unwrap();
    let libraries = Command::new("ldd").arg(CAIRN).output().unwrap();
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    let names: Vec<&str> =
        libraries.lines().filter_map(|line| line.split_once(" => ")).map(|(name, _)| name.trim()).collect();
    assert!(names.len() > 3, "{libraries}");
    for name in names {
        let package =
            package(name).unwrap_or_else(|| panic!("{name}: in which package is it, and is that in the image?"));
        assert!(image.contains(package), "the image lacks {package}, for {name}");
    }
}

#[test]
fn compose_runs_the_kafka_that_the_tests_run_and_builds_with_the_rust_that_the_crates_need() {
    let between = |text: &str, before: &str, after: &str| {
        let rest = text.split(before).nth(1).unwrap_or_else(|| panic!("no {before}"));
        rest.split(after).next().unwrap().to_owned()
    };
    let tested = between(&file("tests/cluster/pom.xml"), "<kafka.version>", "<");
    assert_eq!(between(&file("docker-compose.yml"), "image: apache/kafka:", "\n"), tested);
    let needed = between(&file("Cargo.toml"), "rust-version = \"", "\"");
    assert_eq!(between(&file("Dockerfile"), "FROM rust:", "-bookworm"), needed);
}

#[test]
fn docker_compose_accepts_the_file() {
    let compose = |arguments: &[&str]| {
        let top = env!("CARGO_MANIFEST_DIR");
        Command::new("docker").arg("compose").args(arguments).current_dir(top).output().ok()
    };
    if !compose(&["version"]).is_some_and(|output| output.status.success()) {
        println!("SKIPPED: there is no `docker compose` on this machine");
        return;
    }
    let checked = compose(&["--profile", "producer", "--profile", "observe", "config", "--quiet"]).unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}
