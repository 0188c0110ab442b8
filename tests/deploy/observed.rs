//! Two instances of a chain, and what is observed of them: every metric and label that the dashboard and the alerts
//! name is served, promtool finds no fault in what is served, and a Prometheus that scrapes it has an answer to every
//! panel.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::Client;
use crate::expression::{labels_in, named};
use crate::prometheus::{Prometheus, promtool, tools};
use crate::rules::alerts;
use crate::support::{Chain, Process, create_topic, payments};
use crate::text;

/// Put to every series by Prometheus, and what it serves of its own.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];
const SERIES_OF_PROMETHEUS: [(&str, &[&str]); 2] = [("ALERTS", &["alertname", "alertstate", "severity"]), ("up", &[])];

/// The labels of each metric, by the name of its samples.
type Served = BTreeMap<String, BTreeSet<String>>;

fn served(scrape: &str) -> Served {
    let mut served = Served::new();
    for line in scrape.lines().filter(|line| !line.starts_with('#')) {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap());
        let labels = rest.strip_prefix('{').map_or("", |rest| rest.rsplit_once('}').unwrap().0);
        // No value of a label has a comma or an equals sign in it.
        let labels = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name.to_owned());
        served.entry(name.to_owned()).or_default().extend(labels);
    }
    served
}

/// An expression, what is said beside it, and where it stands.
struct Said {
    place: String,
    expression: String,
    beside: String,
}

/// The expressions of the dashboard's panels.
fn panels() -> Vec<Said> {
    let board: Value = serde_json::from_str(&text("deploy/grafana/dashboards/cairn.json")).unwrap();
    let panels = board["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| {
        let place = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| Said {
            place: place.clone(),
            expression: target["expr"].as_str().unwrap().to_owned(),
            beside: target["legendFormat"].as_str().unwrap().to_owned(),
        })
    });
    let annotation = board["annotations"]["list"][0].clone();
    let annotation = Said {
        place: "annotation".to_owned(),
        expression: annotation["expr"].as_str().unwrap().to_owned(),
        beside: annotation["titleFormat"].as_str().unwrap().to_owned(),
    };
    targets.chain([annotation]).collect()
}

fn of_alerts() -> Vec<Said> {
    let said = |alert: Value| Said {
        place: alert["alert"].as_str().unwrap().to_owned(),
        expression: alert["expr"].as_str().unwrap().to_owned(),
        beside: format!("{}{}", alert["annotations"]["summary"], alert["annotations"]["description"]),
    };
    alerts().into_iter().map(said).collect()
}

/// What of dashboard and alerts is not served.
fn missing(served: &Served) -> Vec<String> {
    let known = |name: &str| {
        let of_prometheus = SERIES_OF_PROMETHEUS.iter().find(|(series, _)| *series == name);
        let labels = of_prometheus.map(|(_, labels)| labels.iter().map(|label| (*label).to_owned()).collect());
        labels.or_else(|| served.get(name).cloned())
    };
    let mut missing = Vec::new();
    for Said { place, expression, beside } in panels().into_iter().chain(of_alerts()) {
        let named = named(&expression);
        assert!(!named.metrics.is_empty(), "{place}: {expression} names nothing");
        let mut labels: BTreeSet<String> = OF_PROMETHEUS.iter().map(|label| (*label).to_owned()).collect();
        for metric in &named.metrics {
            match known(metric) {
                Some(of_metric) => labels.extend(of_metric),
                None => missing.push(format!("{place}: there is no metric {metric}")),
            }
        }
        for label in named.labels.union(&labels_in(&beside)).filter(|label| !labels.contains(*label)) {
            missing.push(format!("{place}: no metric of {expression} has the label {label}"));
        }
    }
    missing
}

/// Where an instance serves HTTP, once it says so.
fn address(process: &mut Process) -> Client {
    process.until_logged("serving HTTP");
    let lines = process.stderr();
    let mut lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "serving HTTP").unwrap();
    Client::of(line["url"].as_str().unwrap())
}

#[test]
fn every_metric_and_label_of_dashboard_and_alerts_is_served_and_prometheus_answers_every_panel() {
    let chain = Chain::new(&[("CAIRN_BLOCK_MAX_TRANSACTIONS", "50"), ("CAIRN_BLOCK_MAX_AGE_MS", "200")]);
    create_topic(&chain.transactions, 3, &[]);
    let options = ["--http", "127.0.0.1:0", "--standby-replicas", "1"];
    let mut first = chain.start(&options);
    first.until_logged("running");
    let mut second =
        Process::start(&mut chain.run_in(&chain.directory.path().join("other"), &options), chain.directory.path());
    let clients = [address(&mut first), address(&mut second)];

    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Good ones, one that is there twice, and one that is none.
            let twice = "{\"from\":\"alice\",\"to\":\"bob\",\"amount\":1,\"id\":\"one\"}\n".repeat(2);
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                chain.produce(&format!("{}{twice}not json\n", payments(number..number + 100)));
                number += 100;
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        // Also where it fails: the other thread must end.
        let observed = std::panic::catch_unwind(|| {
            let scrapes = until_all_is_served(&clients);
            with_prometheus(&clients, &scrapes);
        });
        is_over.store(true, Ordering::Relaxed);
        if let Err(failed) = observed {
            std::panic::resume_unwind(failed);
        }
    });
}

/// Scrapes until there is something of everything; the last scrapes, in the older format.
fn until_all_is_served(clients: &[Client]) -> Vec<String> {
    let start = Instant::now();
    loop {
        let mut all = Served::new();
        for client in clients {
            for (name, labels) in served(&client.get("/metrics").text()) {
                all.entry(name).or_default().extend(labels);
            }
        }
        let missing = missing(&all);
        if missing.is_empty() {
            let older = |client: &Client| client.ask("GET", "/metrics", &["accept: text/plain"], "").text();
            return clients.iter().map(older).collect();
        }
        assert!(start.elapsed() < Duration::from_secs(60), "{}", missing.join("\n"));
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn with_prometheus(clients: &[Client], scrapes: &[String]) {
    let Some(tools) = tools() else { return };
    for scrape in scrapes {
        let output = promtool(&tools, &["check", "metrics"], scrape);
        assert!(output.status.success(), "{}\n{scrape}", String::from_utf8_lossy(&output.stderr));
    }
    let directory = tempfile::tempdir().unwrap();
    let targets: Vec<String> = clients.iter().map(|client| client.address.to_string()).collect();
    let mut prometheus = Prometheus::start(&tools, directory.path(), &targets);
    for Said { place, expression, .. } in panels() {
        let expression = expression
            .replace("$job", "cairn")
            .replace("$instance", ".*")
            .replace("$__rate_interval", "10s")
            .replace("$__range", "1m");
        let rows = prometheus.query(&expression);
        // Whether something fires is another matter.
        assert!(!rows.is_empty() || place == "annotation", "{place}: no answer to {expression}");
    }
    let rules = prometheus.rules();
    assert_eq!(rules.len(), alerts().len());
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}
