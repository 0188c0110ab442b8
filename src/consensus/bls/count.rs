//! How many signatures this thread made and checked: for tests that promise a cost.

use std::cell::Cell;

thread_local! {
    static SIGNED: Cell<u64> = const { Cell::new(0) };
    static VERIFIED: Cell<u64> = const { Cell::new(0) };
}

pub(super) fn sign() {
    SIGNED.set(SIGNED.get() + 1);
}

pub(super) fn verify() {
    VERIFIED.set(VERIFIED.get() + 1);
}

pub(in crate::consensus) fn reset() {
    SIGNED.set(0);
    VERIFIED.set(0);
}

pub(in crate::consensus) fn signed() -> u64 {
    SIGNED.get()
}

pub(in crate::consensus) fn verified() -> u64 {
    VERIFIED.get()
}
