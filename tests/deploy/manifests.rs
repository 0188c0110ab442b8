//! The manifests of Kubernetes, the compose file and the dashboard, by the Go program beside this file: rendered as
//! `kustomize build` does, and decoded strictly into the types of those who read them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Process, cairn};
use crate::{help_of_run, is_setting, path, text};

/// What `fetch-go` says where Go cannot be had here.
const CANNOT: i32 = 69;

/// The program; `None`, and why: Go or its packages are not here and cannot be fetched.
fn program(directory: &Path) -> Option<std::path::PathBuf> {
    let source = path("tests/deploy/manifests");
    let skipped = |why: &str| {
        println!("SKIPPED: {}", why.trim());
        None
    };
    let fetched = Command::new(path("tests/deploy/fetch-go")).output().unwrap();
    let said = String::from_utf8_lossy(&fetched.stderr);
    if fetched.status.code() == Some(CANNOT) {
        return skipped(&said);
    }
    assert!(fetched.status.success(), "{said}");
    let go = String::from_utf8(fetched.stdout).unwrap();
    let go = |words: &[&str]| Command::new(go.trim()).args(words).current_dir(&source).output().unwrap();
    let downloaded = go(&["mod", "download"]);
    if !downloaded.status.success() {
        return skipped(&format!("Go cannot fetch its packages: {}", String::from_utf8_lossy(&downloaded.stderr)));
    }
    let program = directory.join("manifests");
    let built = go(&["build", "-o", program.to_str().unwrap(), "."]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    Some(program)
}

fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The kustomizations, with keys and a genesis that the program has made as their first lines say.
fn copied(directory: &Path) -> std::path::PathBuf {
    let copy = directory.join("kubernetes");
    let copied = Command::new("cp").arg("-r").arg(path("deploy/kubernetes")).arg(&copy).status().unwrap();
    assert!(copied.success());
    for words in ["keys --output validators.keys", "genesis --keys validators.keys --output genesis.toml"] {
        let mut words = words.split(' ');
        let made = cairn(words.next().unwrap()).args(words).current_dir(copy.join("keys")).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    copy
}

const KUSTOMIZATIONS: [&str; 3] = ["base", "keys", "overlays/three-instances"];

/// The objects of each kustomization.
fn rendered(program: &Path, kubernetes: &Path) -> Output {
    Command::new(program).arg("kubernetes").args(KUSTOMIZATIONS).current_dir(kubernetes).output().unwrap()
}

fn objects(program: &Path, kubernetes: &Path) -> [Vec<Value>; 3] {
    let lines = told(&rendered(program, kubernetes));
    let lists: Vec<Vec<Value>> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lists.try_into().unwrap()
}

fn of<'o>(objects: &'o [Value], kind: &str) -> &'o Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    found.next().unwrap_or_else(|| panic!("there is no {kind}"))
}

#[test]
fn base_keys_and_overlay_render_and_are_what_kubernetes_and_strimzi_know() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = program(directory.path()) else { return };
    let kubernetes = copied(directory.path());
    let [base, keys, three] = objects(&program, &kubernetes);
    assert_eq!(of(&base, "StatefulSet")["spec"]["replicas"], 1);
    assert_eq!(of(&three, "StatefulSet")["spec"]["replicas"], 3);
    assert!(
        base.iter().all(|object| !object["kind"].as_str().unwrap().starts_with("Kafka")),
        "the base needs no Strimzi"
    );

    let help = help_of_run();
    for objects in [&base, &three] {
        let pod = &of(objects, "StatefulSet")["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(container["image"], format!("cairn:{}", env!("CARGO_PKG_VERSION")));
        let settings = of(objects, "ConfigMap")["data"].as_object().unwrap();
        let variables = container["env"].as_array().unwrap().iter().map(|variable| variable["name"].as_str().unwrap());
        let own = ["XDG_DATA_HOME", "POD_NAME"];
        for name in settings.keys().map(String::as_str).chain(variables).filter(|name| !own.contains(name)) {
            assert!(is_setting(name, &help), "{name} is no setting of `cairn run`");
        }
        // Every file that a setting names is under a mount.
        let mounts: Vec<&str> = container["volumeMounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mount| mount["mountPath"].as_str().unwrap())
            .collect();
        for (name, value) in settings.iter().filter(|(_, value)| value.as_str().unwrap().starts_with('/')) {
            let value = value.as_str().unwrap();
            assert!(
                mounts.iter().any(|mount| value.starts_with(&format!("{mount}/"))),
                "{name}={value} is on no volume"
            );
        }
        let port = settings["CAIRN_HTTP"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        assert_eq!(container["ports"][0]["containerPort"].to_string(), port);
        // As long as in the compose file and the unit.
        let seconds = pod["terminationGracePeriodSeconds"].to_string();
        assert!(text("docker-compose.yml").contains(&format!("stop_grace_period: {seconds}s\n")));
        assert!(text("deploy/systemd/cairn.service").contains(&format!("\nTimeoutStopSec={seconds}\n")));
    }
    // The files are those that were made, and a chain begins with them.
    let encoded = of(&keys, "Secret")["data"]["validators.keys"].as_str().unwrap();
    let made = std::fs::read(kubernetes.join("keys/validators.keys")).unwrap();
    assert_eq!(encoded, base64::Engine::encode(&base64::engine::general_purpose::STANDARD, made));
    let mut run = cairn("run");
    run.args(["--log", "embedded:log", "--until-end", "--genesis", "kubernetes/keys/genesis.toml"]);
    run.args(["--keys", "kubernetes/keys/validators.keys", "--state-dir", "state"]).current_dir(directory.path());
    let finished = Process::start(run.env("XDG_DATA_HOME", directory.path().join("data")), directory.path()).wait();
    assert!(finished.status.success(), "{finished}");
}

#[test]
fn a_slip_in_a_manifest_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = program(directory.path()) else { return };
    let kubernetes = copied(directory.path());
    for (file, from, to, says) in [
        ("base/stateful-set.yaml", "drop: [ALL]", "drop: []", "unrestricted capabilities"),
        ("base/stateful-set.yaml", "periodSeconds: 10", "periodsSeconds: 10", "unknown field"),
        ("base/stateful-set.yaml", "secretName: cairn-keys", "secretName: cairn-key", "there is no Secret cairn-key"),
        (
            "base/stateful-set.yaml",
            "- name: keys\n              mountPath",
            "- name: key\n              mountPath",
            "no volume key",
        ),
        ("base/services.yaml", "targetPort: http", "targetPort: web", "no port web"),
        ("base/network-policy.yaml", "component: instance", "component: instances", "does not select the pods"),
        ("strimzi/user.yaml", "operations: [Delete]", "operations: [Remove]", "no operation"),
        ("strimzi/topics.yaml", "partitions: 6", "partition: 6", "unknown field"),
    ] {
        let whole = std::fs::read_to_string(kubernetes.join(file)).unwrap();
        assert!(whole.contains(from), "{file} has no {from}");
        std::fs::write(kubernetes.join(file), whole.replacen(from, to, 1)).unwrap();
        let output = rendered(&program, &kubernetes);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(says), "{from} -> {to}: {said}");
        std::fs::write(kubernetes.join(file), whole).unwrap();
    }
    objects(&program, &kubernetes);
}

#[test]
fn the_dashboard_is_one_that_grafana_knows_and_the_compose_file_has_both_with_pinned_images() {
    let directory = tempfile::tempdir().unwrap();
    let Some(program) = program(directory.path()) else { return };
    let run = |kind: &str, name: &str| {
        told(&Command::new(&program).args([kind, path(name).to_str().unwrap()]).output().unwrap())
    };
    assert!(run("dashboard", "deploy/grafana/dashboards/cairn.json").ends_with(" panels\n"));
    let compose: Value = serde_json::from_str(&run("compose", "docker-compose.yml")).unwrap();
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services.iter().filter(|(_, service)| service.get("build").is_none()) {
        let (_, tag) =
            service["image"].as_str().unwrap().split_once(':').unwrap_or_else(|| panic!("{name} is not pinned"));
        assert!(tag.contains('.') && tag.chars().any(|digit| digit.is_ascii_digit()), "{name}: {tag}");
    }
    for name in ["prometheus", "grafana"] {
        assert_eq!(services[name]["profiles"], serde_json::json!(["observe"]), "{name}");
        for port in services[name]["ports"].as_array().unwrap() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name} is for this machine");
        }
    }
}
