//! What the manifests ask of Strimzi, on a broker that allows nothing else: topics as they are described there, a user
//! with those permissions, and a run that lacks nothing.

use std::process::Command;

use serde_json::Value;
use test_cluster::{Cluster, Secure};
use topology::log::kafka::{KafkaLog, Options};
use topology::log::{Log, TopicSpec};

use crate::support::{Process, cairn, transfer};
use crate::yaml;

const AUTHORIZER: &str = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";

/// The topics of the manifests, for a cluster of one broker.
fn topics() -> Vec<TopicSpec> {
    let topic = |topic: Value| {
        let config = topic["spec"]["config"].as_object().unwrap().iter();
        let config = config.map(|(name, value)| match value {
            Value::String(text) => (name.clone(), text.clone()),
            other => (name.clone(), other.to_string()),
        });
        TopicSpec {
            name: topic["metadata"]["name"].as_str().unwrap().to_owned(),
            partition_count: i32::try_from(topic["spec"]["partitions"].as_i64().unwrap()).unwrap(),
            replication_factor: Some(1),
            config: config.filter(|(name, _)| name != "min.insync.replicas").collect(),
        }
    };
    yaml("deploy/kubernetes/strimzi/topics.yaml").into_iter().map(topic).collect()
}

/// Grants a user what the manifest lists; but for what is left out.
fn grant(cluster: &Cluster, but: Option<&str>) {
    let user = yaml("deploy/kubernetes/strimzi/user.yaml").remove(0);
    let principal = format!("User:{}", Secure::USER);
    for acl in user["spec"]["authorization"]["acls"].as_array().unwrap() {
        let resource = &acl["resource"];
        let kind = match resource["type"].as_str().unwrap() {
            "transactionalId" => "--transactional-id".to_owned(),
            kind => format!("--{kind}"),
        };
        let pattern = match resource["patternType"].as_str().unwrap() {
            "prefix" => "prefixed",
            pattern => pattern,
        };
        let name = resource["name"].as_str().unwrap();
        let mut words = vec!["--add", "--allow-principal", &principal, &kind, name, "--resource-pattern-type", pattern];
        let operations: Vec<&str> =
            acl["operations"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        let operations: Vec<&&str> = operations.iter().filter(|operation| Some(**operation) != but).collect();
        words.extend(operations.iter().flat_map(|operation| ["--operation", **operation]));
        if !operations.is_empty() {
            cluster.tool("org.apache.kafka.tools.AclCommand", &words);
        }
    }
}

/// A command of the user's.
fn secured(subcommand: &str, secure: &Secure) -> Command {
    let mut command = cairn(subcommand);
    command.args(["--log-format", "json", "--brokers", &secure.brokers]);
    for property in [
        "security.protocol=SASL_SSL",
        "sasl.mechanism=SCRAM-SHA-256",
        &format!("sasl.username={}", Secure::USER),
        &format!("ssl.ca.location={}", secure.ca.display()),
        // The certificate is for a name, `localhost`, which is two addresses; the broker listens on one.
        "broker.address.family=v4",
    ] {
        command.args(["-X", property]);
    }
    command.env("CAIRN_KAFKA_SASL_PASSWORD", Secure::PASSWORD);
    command
}

/// A run up to the end of what is there, and what it was refused.
fn refusals(secure: &Secure, directory: &std::path::Path) -> Vec<String> {
    let mut run = secured("run", secure);
    run.args(["--until-end", "--http", "127.0.0.1:0", "--state-dir"]).arg(directory.join("state"));
    let finished = Process::start(run.env("XDG_DATA_HOME", directory.join("data")), directory).wait();
    assert!(finished.status.success(), "{finished}");
    let lines = finished.stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let warnings = lines.filter(|line| line["level"] == "WARN").map(|line| line.to_string());
    warnings.filter(|warning| warning.to_lowercase().contains("authoriz")).collect()
}

fn submit(cluster: &Cluster, directory: &std::path::Path) {
    let file = directory.join("payments.jsonl");
    let payments = (0..40).map(|number| transfer(&format!("sender-{number}"), "bob", 3));
    std::fs::write(&file, payments.collect::<String>()).unwrap();
    let mut submit = cairn("submit");
    let finished = Process::start(submit.args(["--brokers", cluster.brokers()]).arg(file), directory).wait();
    assert!(finished.status.success(), "{finished}");
}

#[test]
fn the_topics_are_those_of_a_run_and_the_permissions_are_enough_and_none_is_left_over() {
    let cluster = Cluster::start_with(&[AUTHORIZER, "super.users=User:ANONYMOUS"]);
    let secure = cluster.secure().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let topics = topics();
    KafkaLog::new(Options::new(cluster.brokers())).unwrap().create_topics(&topics).unwrap();
    grant(&cluster, Some("Delete"));

    let mut check = secured("topics", &secure);
    let finished = Process::start(check.args(["--check", "--json"]), directory.path()).wait();
    assert!(finished.status.success(), "{finished}");
    let told: Vec<Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told.iter().all(|topic| topic["state"] == "there"), "{finished}");
    let names = |names: &mut Vec<&str>| names.sort_unstable();
    let mut wanted: Vec<&str> = told.iter().map(|topic| topic["topic"].as_str().unwrap()).collect();
    let mut described: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
    names(&mut wanted);
    names(&mut described);
    assert_eq!(wanted, described);

    // Deletion comes after the commit, and a run that is through does not wait for it.
    let is_refused = (0..10).any(|_| {
        submit(&cluster, directory.path());
        !refusals(&secure, directory.path()).is_empty()
    });
    assert!(is_refused, "without Delete, what is sealed stays on the topic of admitted records: is it needed?");
    grant(&cluster, None);
    for _ in 0..3 {
        submit(&cluster, directory.path());
        assert_eq!(refusals(&secure, directory.path()), Vec::<String>::new());
    }
    let mut verify = secured("verify", &secure);
    let finished = Process::start(verify.arg("--json"), directory.path()).wait();
    assert!(finished.status.success(), "{finished}");
}
