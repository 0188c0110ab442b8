//! Two SHA-256 compressions at a time, with the processor's own instructions (SHA-NI).
//!
//! Two rounds wait four cycles for the two before, and the unit could begin two every other cycle: one message alone
//! leaves it idle half of the time. Two messages that have nothing to do with each other fill the gaps, so two cost
//! hardly more than one. (Four would not fit the registers.)
//!
//! The only `unsafe` here is the call of a function for which the compiler was told to use instructions that not every
//! x86-64 has: [`Lanes`] exists only where the processor was asked for them. No pointer is made from anything here.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_cvtsi128_si64, _mm_extract_epi64, _mm_set_epi32,
    _mm_set_epi64x, _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::{Block, INITIAL, State};

/// How many at a time.
const LANES: usize = 2;

/// The processor can do it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lanes(());

impl Lanes {
    /// Asks the processor. (The answer is kept by the standard library.)
    #[inline]
    pub(super) fn detect() -> Option<Self> {
        let all =
            is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1");
        all.then_some(Self(()))
    }

    /// Takes a block into each state, as often as both have one.
    #[inline]
    pub(super) fn compress(self, states: &mut [State; LANES], blocks: [&[Block]; LANES]) {
        // SAFETY: there is a `Lanes`, so the processor has the instructions that `compress` is compiled to.
        unsafe { compress(states, blocks) }
    }

    /// The digests of messages of 80 bytes each: a tag, and two times 32 bytes.
    #[inline]
    pub(super) fn nodes(self, tag: &[u8; 16], pairs: [[&[u8; 32]; 2]; LANES]) -> [[u8; 32]; LANES] {
        // SAFETY: as above.
        unsafe { nodes(tag, pairs) }
    }
}

/// FIPS 180-4, 4.2.2: the constants of four rounds at a time.
const ROUND_CONSTANTS: [[u32; 4]; 16] = [
    [0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5],
    [0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5],
    [0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3],
    [0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174],
    [0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc],
    [0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da],
    [0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7],
    [0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967],
    [0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13],
    [0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85],
    [0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3],
    [0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070],
    [0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5],
    [0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3],
    [0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208],
    [0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2],
];

/// The eight words of a state, in the order in which the instructions take them.
#[derive(Clone, Copy)]
struct Registers {
    abef: __m128i,
    cdgh: __m128i,
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress(states: &mut [State; LANES], [one, two]: [&[Block]; LANES]) {
    let mut registers = [load(&states[0]), load(&states[1])];
    for (one, two) in one.iter().zip(two) {
        rounds(&mut registers, [block(one), block(two)]);
    }
    for (state, registers) in states.iter_mut().zip(registers) {
        let bytes = digest(registers);
        for (word, bytes) in state.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
    }
}

/// The two blocks of a node are put together in registers: all that is copied is what must be hashed.
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn nodes(tag: &[u8; 16], pairs: [[&[u8; 32]; 2]; LANES]) -> [[u8; 32]; LANES] {
    let (tag, zero) = (words(tag), _mm_setzero_si128());
    let (end, length) = (_mm_set_epi32(0, 0, 0, 0x80000000_u32.cast_signed()), _mm_set_epi32(640, 0, 0, 0));
    let (mut first, mut second) = ([[zero; 4]; LANES], [[zero; 4]; LANES]);
    for lane in 0..LANES {
        let [left, right] = pairs[lane];
        let (left, right) = (left.as_chunks::<16>().0, right.as_chunks::<16>().0);
        first[lane] = [tag, words(&left[0]), words(&left[1]), words(&right[0])];
        second[lane] = [words(&right[1]), end, zero, length];
    }
    let mut registers = [load(&INITIAL); LANES];
    rounds(&mut registers, first);
    rounds(&mut registers, second);
    let mut digests = [[0; 32]; LANES];
    for (bytes, registers) in digests.iter_mut().zip(registers) {
        *bytes = digest(registers);
    }
    digests
}

#[inline]
#[target_feature(enable = "ssse3")]
fn block(block: &Block) -> [__m128i; 4] {
    let (words_of, _) = block.as_chunks::<16>();
    [words(&words_of[0]), words(&words_of[1]), words(&words_of[2]), words(&words_of[3])]
}

/// Four words of a message, the first lowest.
#[inline]
#[target_feature(enable = "ssse3")]
fn words(bytes: &[u8; 16]) -> __m128i {
    let number = u128::from_le_bytes(*bytes);
    let raw = _mm_set_epi64x((number >> 64) as i64, number as i64);
    _mm_shuffle_epi8(raw, _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203))
}

#[inline]
#[target_feature(enable = "ssse3,sse4.1")]
fn load(state: &State) -> Registers {
    let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
    Registers { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
}

#[inline]
#[target_feature(enable = "ssse3,sse4.1")]
fn digest(Registers { abef, cdgh }: Registers) -> [u8; 32] {
    let feba = _mm_shuffle_epi32(abef, 0x1b);
    let dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    let dcba = _mm_blend_epi16(feba, dchg, 0xf0);
    let hgfe = _mm_alignr_epi8(dchg, feba, 8);
    let swap = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (first, second) = (_mm_shuffle_epi8(dcba, swap), _mm_shuffle_epi8(hgfe, swap));
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&_mm_cvtsi128_si64(first).to_le_bytes());
    digest[8..16].copy_from_slice(&_mm_extract_epi64(first, 1).to_le_bytes());
    digest[16..24].copy_from_slice(&_mm_cvtsi128_si64(second).to_le_bytes());
    digest[24..].copy_from_slice(&_mm_extract_epi64(second, 1).to_le_bytes());
    digest
}

/// The 64 rounds over one block of each lane, and the sum with the states before.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn rounds(registers: &mut [Registers; LANES], mut words: [[__m128i; 4]; LANES]) {
    let before = *registers;
    let (unscheduled, scheduled) = ROUND_CONSTANTS.split_at(4);
    // Written out, so that it is known where each word stands: counted through, all words would lie in memory.
    four_rounds(registers, &words, 0, &unscheduled[0]);
    four_rounds(registers, &words, 1, &unscheduled[1]);
    four_rounds(registers, &words, 2, &unscheduled[2]);
    four_rounds(registers, &words, 3, &unscheduled[3]);
    for constants in scheduled.as_chunks::<4>().0 {
        schedule(&mut words, 0);
        four_rounds(registers, &words, 0, &constants[0]);
        schedule(&mut words, 1);
        four_rounds(registers, &words, 1, &constants[1]);
        schedule(&mut words, 2);
        four_rounds(registers, &words, 2, &constants[2]);
        schedule(&mut words, 3);
        four_rounds(registers, &words, 3, &constants[3]);
    }
    for (registers, before) in registers.iter_mut().zip(before) {
        registers.abef = _mm_add_epi32(registers.abef, before.abef);
        registers.cdgh = _mm_add_epi32(registers.cdgh, before.cdgh);
    }
}

/// Four rounds of each lane, in turns.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn four_rounds(registers: &mut [Registers; LANES], words: &[[__m128i; 4]; LANES], now: usize, constants: &[u32; 4]) {
    let [k0, k1, k2, k3] = constants.map(u32::cast_signed);
    let constants = _mm_set_epi32(k3, k2, k1, k0);
    for (Registers { abef, cdgh }, words) in registers.iter_mut().zip(words) {
        let low = _mm_add_epi32(words[now], constants);
        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, low);
        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(low, 0x0e));
    }
}

/// The next four words of each lane's message schedule, from its last sixteen.
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn schedule(words: &mut [[__m128i; 4]; LANES], now: usize) {
    for words in words {
        let (w0, w1, w2, w3) = (words[now], words[(now + 1) % 4], words[(now + 2) % 4], words[(now + 3) % 4]);
        let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
        words[now] = _mm_sha256msg2_epu32(sum, w3);
    }
}
