//! Hints to the processor about what will be read soon.
//!
//! A block touches a thousand places that lie anywhere in hundreds of megabytes. The processor waits for each of them
//! unless it is told before; then it fetches some twenty at a time. A hint changes no result: on a processor that has
//! none, it is nothing.
#![allow(unsafe_code)]

/// Begins to bring what lies here into the cache: of more than 64 bytes, the first of them.
#[inline(always)]
pub(super) fn prefetch<T>(place: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is in every x86-64; it reads nothing, faults nowhere, and is given the address of a
    // reference.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(place).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
