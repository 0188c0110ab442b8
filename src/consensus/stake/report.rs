//! What goes to the evidence topic: an offence, its proof and its witness.
//!
//! ```text
//! key    the evidence's identity, H(tag Evidence || canonical bytes), in hex
//! value  {"height":..,"round":..,"validator":"..","amount":..,"evidence":{..},
//!         "witness":{"transactions":[..],"operations":[..]}}        one line; witness null where the evidence needs none
//! ```

use super::turn::Body;
use crate::chain::{Evidence, Rendering, ValidatorId};

/// An offence that a block punishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    /// The height at which it was committed and punished.
    pub height: u64,
    /// The round.
    pub round: u32,
    /// The offender.
    pub validator: ValidatorId,
    /// The stake it lost, in minor units.
    pub amount: u64,
    /// The proof.
    pub evidence: Box<Evidence>,
    /// What the offender proposed, where it was something else than executing the input gives: with it anybody can
    /// check the refusal again.
    pub witness: Option<Body>,
}

impl Offence {
    /// The key of its record.
    #[must_use]
    pub fn key(&self) -> String {
        self.evidence.hash().to_string()
    }
}

impl Rendering for Offence {
    fn render(&self, json: &mut Vec<u8>) {
        let Offence { height, round, validator, amount, evidence, witness } = self;
        // Ids of validators have no character that JSON escapes.
        let head =
            format!(r#"{{"height":{height},"round":{round},"validator":"{validator}","amount":{amount},"evidence":"#);
        json.extend_from_slice(head.as_bytes());
        evidence.render(json);
        json.extend_from_slice(b",\"witness\":");
        match witness {
            None => json.extend_from_slice(b"null"),
            Some(body) => {
                json.extend_from_slice(b"{\"transactions\":");
                body.entries.render(json);
                json.extend_from_slice(b",\"operations\":");
                body.operations.render(json);
                json.push(b'}');
            }
        }
        json.push(b'}');
    }
}
