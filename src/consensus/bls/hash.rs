//! Hashing to the curve, which `blst` offers to C alone. (Its Rust part hashes only what it signs or verifies at once.)
#![allow(unsafe_code)]

use blst::{blst_hash_to_g1, blst_p1};

/// `H(message)` of the ciphersuite under a domain separation: a point of the right subgroup.
pub(super) fn to_curve(message: &[u8], dst: &[u8]) -> blst_p1 {
    let mut point = blst_p1::default();
    // SAFETY: each pointer comes with the length of the slice that it is of, and is only read from; an augmentation of
    // no bytes is not read at all. `point` is a whole point to be written.
    unsafe {
        blst_hash_to_g1(&mut point, message.as_ptr(), message.len(), dst.as_ptr(), dst.len(), std::ptr::null(), 0);
    }
    point
}
