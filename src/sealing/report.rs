//! An offence as JSON, for the evidence topic: key = hash of the evidence in hex, value on one line:
//!
//! ```text
//! {"height":..,"round":..,"validator":"..","amount":..,"evidence":{..},"witness":null|{"transactions":[..],"operations":[..]}}
//! ```
//! `evidence` proves the offence by itself. The witness is what the offender proposed, where that differs from what executing
//! the input gives: with it and the transactions topic anybody can check a refusal again.

use crate::chain::Rendering;
use crate::consensus::sealer::Report;
use crate::consensus::validator::Body;

pub(super) fn render(report: &Report) -> Vec<u8> {
    let mut json = format!(
        r#"{{"height":{},"round":{},"validator":"{}","amount":{},"evidence":"#,
        report.height, report.round, report.validator, report.amount
    )
    .into_bytes();
    report.evidence.render(&mut json);
    json.extend_from_slice(br#","witness":"#);
    match &report.witness {
        Some(body) => render_body(body, &mut json),
        None => json.extend_from_slice(b"null"),
    }
    json.push(b'}');
    json
}

fn render_body(body: &Body, json: &mut Vec<u8>) {
    json.extend_from_slice(br#"{"transactions":["#);
    separated(json, body.entries.iter());
    json.extend_from_slice(br#"],"operations":["#);
    separated(json, body.operations.iter());
    json.extend_from_slice(b"]}");
}

fn separated<'a, R: Rendering + 'a>(json: &mut Vec<u8>, items: impl Iterator<Item = &'a R>) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        item.render(json);
    }
}
