//! The alerts: promtool takes them, each has fired in a test, and each leads to a place in the docs.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::prometheus::{promtool, tools};
use crate::{text, yaml};

/// The alerts, in the order of their file.
pub(crate) fn alerts() -> Vec<Value> {
    let file = yaml("deploy/prometheus/cairn.rules.yml").remove(0);
    let groups = file["groups"].as_array().unwrap().clone();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn promtool_takes_settings_and_rules_and_what_must_fire_fires() {
    let Some(tools) = tools() else { return };
    for words in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "cairn.rules.yml"],
        &["test", "rules", "cairn.rules.test.yml"],
    ] {
        let output = promtool(&tools, words, "");
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "promtool {}: {said}", words.join(" "));
    }
}

#[test]
fn every_alert_is_seen_firing_in_a_test_of_the_rules() {
    let tests = yaml("deploy/prometheus/cairn.rules.test.yml").remove(0);
    let mut fired = BTreeSet::new();
    for test in tests["tests"].as_array().unwrap() {
        let cases = |key: &str| test[key].as_array().cloned().unwrap_or_default();
        for case in cases("promql_expr_test").iter().filter(|case| !case["exp_samples"].is_null()) {
            let expression = case["expr"].as_str().unwrap();
            fired.insert(expression.split("alertname=\"").nth(1).unwrap().split('"').next().unwrap().to_owned());
        }
        for case in cases("alert_rule_test")
            .iter()
            .filter(|case| case["exp_alerts"].as_array().is_some_and(|all| !all.is_empty()))
        {
            fired.insert(case["alertname"].as_str().unwrap().to_owned());
        }
    }
    let alerts: BTreeSet<String> = alerts().iter().map(|alert| alert["alert"].as_str().unwrap().to_owned()).collect();
    assert_eq!(alerts, fired);
}

/// A heading's anchor, as it is made where Markdown is shown: lower case, without what is no letter, digit, space or
/// hyphen, and with hyphens for spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect();
    kept.replace(' ', "-")
}

#[test]
fn every_alert_says_what_to_do_and_leads_to_a_heading_of_the_docs() {
    for alert in alerts() {
        let (name, annotations) = (alert["alert"].as_str().unwrap(), &alert["annotations"]);
        assert!(annotations["summary"].as_str().is_some_and(|text| text.len() > 10), "{name}");
        assert!(annotations["description"].as_str().is_some_and(|text| text.len() > 40), "{name}");
        assert!(matches!(alert["labels"]["severity"].as_str(), Some("critical" | "warning" | "info")), "{name}");
        let (file, wanted) = annotations["runbook"].as_str().unwrap().split_once('#').unwrap();
        let page = text(file);
        let mut headings =
            page.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#')));
        assert!(headings.any(|found| found == wanted), "{name}: {file} has no heading #{wanted}");
    }
}
