//! BLS12-381 signatures, minimal-signature-size variant: 48-byte signatures in G1, 96-byte public keys in G2.
//!
//! This file and `hash` alone name `blst`. Ciphersuite `BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_` of the IETF draft
//! `draft-irtf-cfrg-bls-signature`: signatures of several validators on one message add up to one signature, which is
//! sound only among keys whose owners proved that they hold the secret (the proof of possession); [`PublicKey`] values
//! that take part in an aggregate come from [`super::Roster`], which checks the proofs.
//!
//! Every signature is checked to be in the right subgroup when it is read, and never again afterwards. One in a
//! [`Claim`] is read when the claim is decided: reading costs a twelfth of a millisecond, which the caller may want to
//! spend elsewhere.

use std::collections::BTreeMap;
use std::fmt;

use blst::min_sig;
use blst::{BLST_ERROR, MultiPoint, Pairing, blst_fp12, blst_p1, blst_p1_affine, blst_p2_affine, p1_affines};
use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Bytes of a compressed signature (a point of G1).
pub const SIGNATURE_SIZE_BYTES: usize = 48;
/// Bytes of a compressed public key (a point of G2).
pub const PUBLIC_KEY_SIZE_BYTES: usize = 96;

/// Domain separation of every signature except proofs of possession.
pub const SIGNATURE_DST: &[u8] = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";
/// Domain separation of proofs of possession: no signature can pass for one, and no proof for a signature.
pub const POSSESSION_DST: &[u8] = b"BLS_POP_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

/// Bits of the random coefficients in [`verify_all`]: a batch with a bad signature passes with probability 2^-127.
const COEFFICIENT_BITS: usize = 128;

/// A secret key. Wiped from memory when dropped, never printed.
pub struct SecretKey(min_sig::SecretKey);

impl SecretKey {
    /// The key derived from 32 bytes of uniform key material (`KeyGen` of the draft, no key info). `None` cannot occur
    /// for 32 bytes; the type says so rather than a panic.
    pub fn from_material(material: &[u8; 32]) -> Option<SecretKey> {
        min_sig::SecretKey::key_gen(material, &[]).ok().map(SecretKey)
    }

    /// Reads the big-endian scalar that [`SecretKey::to_bytes`] wrote. `None`: zero, or not below the group's order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Option<SecretKey> {
        min_sig::SecretKey::from_bytes(bytes).ok().map(SecretKey)
    }

    /// The scalar, big-endian.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The same key once more.
    pub(super) fn duplicate(&self) -> SecretKey {
        SecretKey(self.0.clone())
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.0.sk_to_pk())
    }

    /// Signs `message`. One message has exactly one signature under a key.
    pub fn sign(&self, message: &[u8]) -> Signature {
        #[cfg(test)]
        count::sign();
        Signature(self.0.sign(message, SIGNATURE_DST, &[]))
    }

    /// Proof that this key's owner holds the secret: a signature over the public key's own 96 bytes.
    pub fn prove_possession(&self) -> Signature {
        Signature(self.0.sign(&self.public_key().to_bytes(), POSSESSION_DST, &[]))
    }

    /// The key whose signature on a message is the sum of the keys' signatures on it: their scalars added modulo the
    /// group's order. So the holder of several keys hashes a message to the curve, and multiplies, once for all of
    /// them. `None`: no keys, or they cancel out.
    pub fn sum<'k>(keys: impl IntoIterator<Item = &'k SecretKey>) -> Option<SecretKey> {
        let mut sum = Zeroizing::new([0u64; 4]);
        for key in keys {
            add_modulo_order(&mut sum, &limbs(&key.to_bytes()));
        }
        let mut bytes = Zeroizing::new([0; 32]);
        for (bytes, limb) in bytes.chunks_exact_mut(8).zip(sum.iter().rev()) {
            bytes.copy_from_slice(&limb.to_be_bytes());
        }
        SecretKey::from_bytes(&bytes)
    }
}

/// The order of the group, least significant limb first.
const ORDER: [u64; 4] = [0xffff_ffff_0000_0001, 0x53bd_a402_fffe_5bfe, 0x3339_d808_09a1_d805, 0x73ed_a753_299d_7d48];

fn limbs(big_endian: &[u8; 32]) -> Zeroizing<[u64; 4]> {
    let mut limbs = Zeroizing::new([0; 4]);
    let (words, _) = big_endian.as_chunks::<8>();
    for (limb, word) in limbs.iter_mut().zip(words.iter().rev()) {
        *limb = u64::from_be_bytes(*word);
    }
    limbs
}

/// `sum = (sum + term) mod order`, for both below the order, in the same steps whatever the values are.
fn add_modulo_order(sum: &mut Zeroizing<[u64; 4]>, term: &[u64; 4]) {
    // Twice the order is below 2^256: the last carry is always zero.
    let mut carry = false;
    for (limb, term) in sum.iter_mut().zip(term) {
        (*limb, carry) = limb.carrying_add(*term, carry);
    }
    let mut reduced = Zeroizing::new(**sum);
    let mut borrow = false;
    for (limb, order) in reduced.iter_mut().zip(ORDER) {
        (*limb, borrow) = limb.borrowing_sub(order, borrow);
    }
    let keep = 0u64.wrapping_sub(u64::from(borrow));
    for (limb, reduced) in sum.iter_mut().zip(reduced.iter()) {
        *limb = (*limb & keep) | (*reduced & !keep);
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey(..)")
    }
}

/// A public key, known to be a point of the right subgroup and not the identity.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(min_sig::PublicKey);

impl PublicKey {
    /// Reads a compressed public key. `None`: not a point, not in the subgroup, or the identity.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_SIZE_BYTES]) -> Option<PublicKey> {
        min_sig::PublicKey::key_validate(bytes).ok().map(PublicKey)
    }

    /// The compressed form.
    pub fn to_bytes(&self) -> [u8; PUBLIC_KEY_SIZE_BYTES] {
        self.0.to_bytes()
    }

    /// Whether `proof` shows that the owner of this key holds its secret.
    pub fn possession_is_proved_by(&self, proof: &Signature) -> bool {
        verify_one(self, &self.to_bytes(), proof, POSSESSION_DST)
    }

    /// The key under which the sum of the keys' signatures on one message verifies. `None` for no keys, or for keys
    /// that cancel each other out.
    pub fn aggregate<'k>(keys: impl IntoIterator<Item = &'k PublicKey>) -> Option<PublicKey> {
        let mut keys = keys.into_iter();
        let mut sum = min_sig::AggregatePublicKey::from_public_key(&keys.next()?.0);
        for key in keys {
            // Cannot fail: the group check is switched off, it was done when the key was read.
            sum.add_public_key(&key.0, false).ok()?;
        }
        let key = PublicKey(sum.to_public_key());
        // Keys that cancel each other out sum up to the identity, under which nothing verifies.
        let is_identity = key.to_bytes()[0] & 0x40 != 0;
        (!is_identity).then_some(key)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", hex::encode(self.to_bytes()))
    }
}

/// A signature or the sum of several on one message, known to be a point of the right subgroup.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(min_sig::Signature);

impl Signature {
    /// Reads a compressed signature. `None`: not a point, not in the subgroup, or the identity (which no key signs).
    pub fn from_bytes(bytes: &[u8; SIGNATURE_SIZE_BYTES]) -> Option<Signature> {
        min_sig::Signature::sig_validate(bytes, true).ok().map(Signature)
    }

    /// The compressed form.
    pub fn to_bytes(&self) -> [u8; SIGNATURE_SIZE_BYTES] {
        self.0.to_bytes()
    }

    /// Whether `key` signed `message`.
    pub fn verify(&self, key: &PublicKey, message: &[u8]) -> bool {
        verify_one(key, message, self, SIGNATURE_DST)
    }

    /// The sum of signatures on one message. `None` for none.
    pub fn aggregate<'s>(signatures: impl IntoIterator<Item = &'s Signature>) -> Option<Signature> {
        let mut signatures = signatures.into_iter();
        let mut sum = min_sig::AggregateSignature::from_signature(&signatures.next()?.0);
        for signature in signatures {
            // Cannot fail: the group check is switched off, it was done when the signature was read or made.
            sum.add_signature(&signature.0, false).ok()?;
        }
        Some(Signature(sum.to_signature()))
    }
}

impl BorshSerialize for Signature {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(&self.to_bytes(), writer)
    }
}

impl BorshDeserialize for Signature {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Signature> {
        let outside = || borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, "no point of the group");
        Signature::from_bytes(&<[u8; SIGNATURE_SIZE_BYTES]>::deserialize_reader(reader)?).ok_or_else(outside)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({})", hex::encode(self.to_bytes()))
    }
}

/// One claim: `key` signed `message`, as `signature` shows.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The signer's key, or the sum of the signers' keys.
    pub key: PublicKey,
    /// What was signed.
    pub message: Vec<u8>,
    /// The signature, or the sum of signatures, compressed. Bytes that are none show nothing.
    pub signature: [u8; SIGNATURE_SIZE_BYTES],
}

impl Claim {
    /// Whether this claim alone holds.
    pub fn holds(&self) -> bool {
        Signature::from_bytes(&self.signature).is_some_and(|signature| signature.verify(&self.key, &self.message))
    }
}

/// Whether every claim holds, in one multi-pairing.
///
/// Each claim is weighted by a 128-bit coefficient `c` drawn from the SHA-256 of *all* claims, so an author of claims
/// cannot choose them so that errors cancel; no random source is needed and the answer is the same everywhere. With `H`
/// for hashing to the curve:
///
/// ```text
/// product over distinct keys K of  e( sum of c * H(message) over the claims under K, K )  =  e( sum of c * signature, G2 )
/// ```
///
/// One pairing for each *distinct* key: a committee that signs many heights costs little more than hashing the
/// messages. True for no claims.
pub fn verify_all<'c, I: IntoIterator<Item = &'c Claim, IntoIter: Clone>>(claims: I) -> bool {
    #[cfg(test)]
    count::verify();
    let claims = claims.into_iter();
    let commitment = commit_to(claims.clone());
    let (mut signatures, mut coefficients, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    let mut by_key: BTreeMap<[u8; PUBLIC_KEY_SIZE_BYTES], (PublicKey, Vec<usize>)> = BTreeMap::new();
    for (index, claim) in claims.enumerate() {
        let Some(signature) = Signature::from_bytes(&claim.signature) else { return false };
        signatures.push(signature.0);
        coefficients.push(coefficient(&commitment, index));
        hashes.push(hash::to_curve(&claim.message, SIGNATURE_DST));
        by_key.entry(claim.key.to_bytes()).or_insert_with(|| (claim.key, Vec::new())).1.push(index);
    }
    if signatures.is_empty() {
        return true;
    }
    let sum = min_sig::AggregateSignature::aggregate_with_randomness(
        &signatures,
        coefficients.as_flattened(),
        COEFFICIENT_BITS,
        false,
    );
    let Ok(sum) = sum else { return false };
    let hashes = p1_affines::from(&hashes);
    let sums: Vec<blst_p1> =
        by_key.values().map(|(_, indexes)| weighted_sum(hashes.as_slice(), &coefficients, indexes)).collect();
    let mut pairing = Pairing::new(true, SIGNATURE_DST);
    for ((key, _), sum) in by_key.values().zip(p1_affines::from(&sums).as_slice()) {
        pairing.raw_aggregate(&key.0.into(), sum);
    }
    pairing.commit();
    let mut right = blst_fp12::default();
    Pairing::aggregated(&mut right, &blst_p1_affine::from(sum.to_signature()));
    pairing.finalverify(Some(&right))
}

/// The sum of `c * H(message)` over some of the claims.
fn weighted_sum(hashes: &[blst_p1_affine], coefficients: &[[u8; 16]], indexes: &[usize]) -> blst_p1 {
    let points: Vec<blst_p1_affine> = indexes.iter().map(|index| hashes[*index]).collect();
    let coefficients: Vec<[u8; 16]> = indexes.iter().map(|index| coefficients[*index]).collect();
    points.mult(coefficients.as_flattened(), COEFFICIENT_BITS)
}

fn verify_one(key: &PublicKey, message: &[u8], signature: &Signature, dst: &[u8]) -> bool {
    #[cfg(test)]
    count::verify();
    let (key, signature) = points(key, signature);
    let mut pairing = Pairing::new(true, dst);
    if pairing.aggregate(&key, false, &signature, false, message, &[]) != BLST_ERROR::BLST_SUCCESS {
        return false;
    }
    pairing.commit();
    pairing.finalverify(None)
}

fn points(key: &PublicKey, signature: &Signature) -> (blst_p2_affine, blst_p1_affine) {
    (key.0.into(), signature.0.into())
}

fn commit_to<'c>(claims: impl Iterator<Item = &'c Claim>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"cairn/batch/bls/1");
    for claim in claims {
        hasher.update(claim.key.to_bytes());
        hasher.update(claim.signature);
        hasher.update((claim.message.len() as u64).to_be_bytes());
        hasher.update(&claim.message);
    }
    hasher.finalize().into()
}

/// Never zero: the lowest bit is set, which costs one bit of the 128.
fn coefficient(commitment: &[u8; 32], index: usize) -> [u8; 16] {
    let mut hasher = Sha256::new();
    hasher.update(commitment);
    hasher.update((index as u64).to_be_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let mut coefficient = [0; 16];
    coefficient.copy_from_slice(&digest[..16]);
    coefficient[0] |= 1;
    coefficient
}

#[cfg(test)]
pub(super) mod count;
mod hash;
#[cfg(test)]
mod tests;
