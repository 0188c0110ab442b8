//! The description names every endpoint, and every answer is as it says.

use serde_json::{Value, json};

use crate::Serving;
use crate::schema::breaches;

/// Something to ask of each path that is described.
fn examples(path: &str) -> Vec<String> {
    let text = |path: &str| vec![path.to_owned()];
    match path {
        "/v1/blocks/{block}" => {
            vec!["/v1/blocks/1".to_owned(), "/v1/blocks/0".to_owned(), "/v1/blocks/latest".to_owned()]
        }
        "/v1/transactions/{partition}/{offset}" => text("/v1/transactions/0/3"),
        "/v1/accounts/{name}" => {
            ["alice", "$validator-2", "nobody"].map(|name| format!("/v1/accounts/{name}")).to_vec()
        }
        "/v1/accounts" => vec![path.to_owned(), "/v1/accounts?order=balance".to_owned()],
        "/v1/proofs/block/{height}" => text("/v1/proofs/block/2"),
        "/v1/proofs/transaction/{partition}/{offset}" => text("/v1/proofs/transaction/0/3"),
        "/v1/proofs/balance/{name}" => text("/v1/proofs/balance/alice"),
        "/v1/proofs/validator/{id}" => text("/v1/proofs/validator/validator-2"),
        "/v1/proofs/id/{sender}/{id}" => text("/v1/proofs/id/alice/a"),
        "/v1/proofs/consistency/{old_size}" => text("/v1/proofs/consistency/2"),
        "/v1/search" => ["3", "alice", "0:3", "validator", "zzz"].map(|text| format!("{path}?q={text}")).to_vec(),
        other => text(other),
    }
}

fn problem_of(description: &Value, operation: &Value, status: &str, response: &crate::client::Response) {
    let described = &operation["responses"][status];
    assert!(described.is_object(), "{status} is not described: {operation}");
    let schema = &described["content"][response.header("content-type").unwrap()]["schema"];
    assert!(schema.is_object(), "{described}");
    assert_eq!(breaches(description, schema, &response.json()), Vec::<String>::new(), "{}", response.text());
}

#[test]
fn every_endpoint_is_described_and_every_answer_is_as_described() {
    let serving = Serving::sealed("--rate 300", 4);
    let description = serving.json("/v1/openapi.json");
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"), "{}", description["openapi"]);
    let paths = description["paths"].as_object().unwrap();
    let mut known: Vec<&str> = paths.keys().map(String::as_str).collect();
    known.sort_unstable();
    assert_eq!(
        known,
        [
            "/healthz",
            "/metrics",
            "/readyz",
            "/v1/accounts",
            "/v1/accounts/{name}",
            "/v1/blocks",
            "/v1/blocks/{block}",
            "/v1/cheats",
            "/v1/checkpoint",
            "/v1/events",
            "/v1/offences",
            "/v1/openapi.json",
            "/v1/proofs/balance/{name}",
            "/v1/proofs/block/{height}",
            "/v1/proofs/consistency/{old_size}",
            "/v1/proofs/id/{sender}/{id}",
            "/v1/proofs/transaction/{partition}/{offset}",
            "/v1/proofs/validator/{id}",
            "/v1/search",
            "/v1/status",
            "/v1/transactions/{partition}/{offset}",
            "/v1/transfers",
            "/v1/validators",
        ]
    );
    for (path, item) in paths {
        let operation = &item["get"];
        if path == "/v1/events" || !operation.is_object() {
            continue;
        }
        for example in examples(path) {
            let response = serving.get(&example);
            assert_eq!(response.status, 200, "{example}: {}", response.text());
            let described = &operation["responses"]["200"]["content"];
            let kind = response.header("content-type").unwrap();
            assert!(described[kind].is_object(), "{example}: {kind} is not described");
            if kind == "application/json" {
                let found = breaches(&description, &described[kind]["schema"], &response.json());
                assert_eq!(found, Vec::<String>::new(), "{example}: {}", response.text());
            }
        }
    }
    // What is written and what is refused are described, too.
    let transfers = &paths["/v1/transfers"]["post"];
    let sent = serving.client.post("/v1/transfers", &json!({ "from": "alice", "to": "bob", "amount": 1 }));
    problem_of(&description, transfers, "202", &sent);
    let refused = serving.client.post("/v1/transfers", &json!({ "from": "", "to": "bob", "amount": 1 }));
    problem_of(&description, transfers, "400", &refused);
    let missing = serving.get("/v1/blocks/999999999");
    problem_of(&description, &paths["/v1/blocks/{block}"]["get"], "404", &missing);
}

#[test]
fn every_reference_of_the_description_leads_somewhere_and_every_parameter_in_a_path_is_described() {
    let serving = Serving::demo("--rate 50");
    let description = serving.json("/v1/openapi.json");
    fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 20, "{}", found.len());
    for reference in found {
        assert!(description.pointer(&reference[1..]).is_some(), "{reference} leads nowhere");
    }
    for (path, item) in description["paths"].as_object().unwrap() {
        let operation = if item["get"].is_object() { &item["get"] } else { &item["post"] };
        let parameters: Vec<&str> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["in"] == "path")
            .filter_map(|one| one["name"].as_str())
            .collect();
        let in_path: Vec<&str> = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(parameters, in_path, "{path}");
        assert!(operation["summary"].is_string() && operation["operationId"].is_string(), "{path}");
    }
}
