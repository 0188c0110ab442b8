//! A proof as its file: one line of JSON, and a line break. There is one rendering of a proof.

use super::Proof;
use super::claim::{Claim, Place, StatePath};
use super::history::History;
use super::ids::{Chunk, ListedIds};
use super::sealed::Sealed;
use crate::chain::{Hash, Rendering, hex_array, to_canonical};
use crate::ledger::state::ValidatorRecord;

impl Proof {
    /// The bytes of the file, with the line break at their end.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        self.to_file_of(8192)
    }

    /// The same, where it is about so large.
    pub(super) fn to_file_of(&self, size_bytes: usize) -> Vec<u8> {
        let Self { claim, header, history, sealed } = self;
        let mut json = Vec::with_capacity(size_bytes);
        put(&mut json, &format!("{{\"proof\":{},\"claim\":{{\"kind\":\"{}\"", Self::FORMAT, claim.kind()));
        statement(&mut json, claim);
        put(&mut json, "},\"shown\":");
        shown(&mut json, claim);
        put(&mut json, ",\"header\":");
        header.render(&mut json);
        self::history(&mut json, history);
        put(&mut json, ",\"sealed\":");
        match sealed {
            Some(sealed) => self::sealed(&mut json, sealed),
            None => put(&mut json, "null"),
        }
        put(&mut json, "}\n");
        json
    }
}

fn put(json: &mut Vec<u8>, text: &str) {
    json.extend_from_slice(text.as_bytes());
}

/// A text in quotes, with the escapes that a block has. Writing to memory does not fail.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn hashes(json: &mut Vec<u8>, hashes: &[Hash]) {
    put(json, "[");
    for (place, hash) in hashes.iter().enumerate() {
        put(json, &format!("{}\"{hash}\"", if place > 0 { "," } else { "" }));
    }
    put(json, "]");
}

/// What is claimed, behind its kind.
fn statement(json: &mut Vec<u8>, claim: &Claim) {
    match claim {
        Claim::Transaction { entry, .. } | Claim::IdUsed { entry, .. } => {
            put(json, ",\"entry\":");
            entry.render(json);
        }
        Claim::IdUnused { sender, id, .. } => {
            put(json, &format!(",\"sender\":{},\"id\":{}", quoted(sender.as_str()), quoted(id.as_str())));
        }
        Claim::Balance { name, account, .. } => {
            let (balance, nonce) = (account.balance, account.nonce);
            put(json, &format!(",\"name\":{},\"balance\":{balance},\"nonce\":{nonce}", quoted(name.as_str())));
        }
        Claim::Validator { id, record, .. } => {
            let record = record.as_ref().map_or_else(|| "null".to_owned(), |record| validator(record));
            put(json, &format!(",\"id\":\"{id}\",\"record\":{record}"));
        }
        Claim::Block => {}
    }
}

fn validator(record: &ValidatorRecord) -> String {
    let ValidatorRecord { ed25519, bls, possession, stake, slashed_at_height, missed } = record;
    let (ed25519, bls, possession) =
        (hex_array::encode(ed25519), hex_array::encode(bls), hex_array::encode(possession));
    let slashed = slashed_at_height.map_or_else(|| "null".to_owned(), |height| height.to_string());
    format!(
        "{{\"ed25519\":\"{ed25519}\",\"bls\":\"{bls}\",\"possession\":\"{possession}\",\"stake\":{stake},\
         \"slashed_at_height\":{slashed},\"missed\":{missed}}}"
    )
}

/// What shows the claim by the header.
fn shown(json: &mut Vec<u8>, claim: &Claim) {
    match claim {
        Claim::Transaction { place, .. } | Claim::IdUsed { place, .. } => {
            let Place { index, path } = place;
            put(json, &format!("{{\"index\":{index},\"path\":"));
            hashes(json, path);
            put(json, "}");
        }
        Claim::Balance { path, .. } | Claim::Validator { path, .. } => {
            put(json, "{");
            state_path(json, path);
        }
        Claim::IdUnused { listed, .. } => listed_ids(json, listed),
        Claim::Block => put(json, "null"),
    }
}

/// The last two fields of an object, and its end.
fn state_path(json: &mut Vec<u8>, StatePath { siblings, other }: &StatePath) {
    put(json, "\"siblings\":");
    hashes(json, siblings);
    match other.as_deref() {
        Some((path, value)) => put(json, &format!(",\"other\":{{\"path\":\"{path}\",\"value\":\"{value}\"}}}}")),
        None => put(json, ",\"other\":null}"),
    }
}

fn listed_ids(json: &mut Vec<u8>, ListedIds { parameters, lists }: &ListedIds) {
    put(json, &format!("{{\"parameters\":\"{}\",\"lists\":[", hex_array::encode(&to_canonical(parameters))));
    for (place, list) in lists.iter().enumerate() {
        put(json, if place > 0 { ",[" } else { "[" });
        for (number, Chunk { record, path }) in list.iter().enumerate() {
            put(json, if number > 0 { ",{\"record\":" } else { "{\"record\":" });
            match record {
                Some(record) => put(json, &format!("\"{}\",", hex_array::encode(record))),
                None => put(json, "null,"),
            }
            state_path(json, path);
        }
        put(json, "]");
    }
    put(json, "]}");
}

fn history(json: &mut Vec<u8>, History { size, root, path }: &History) {
    put(json, &format!(",\"history\":{{\"size\":{size},\"root\":\"{root}\",\"path\":"));
    hashes(json, path);
    put(json, "}");
}

fn sealed(json: &mut Vec<u8>, Sealed { genesis, slashes, seal }: &Sealed) {
    // Writing to memory does not fail, and a genesis has no map with other keys than text.
    put(json, &format!("{{\"genesis\":{},\"slashes\":", serde_json::to_string(genesis).unwrap_or_default()));
    slashes.render(json);
    put(json, ",\"seal\":");
    match seal {
        Some(seal) => seal.render(json),
        None => put(json, "null"),
    }
    put(json, "}");
}
