//! The curve arithmetic, against itself and against what forgers try.

use super::*;

fn key(tag: u8) -> SecretKey {
    SecretKey::from_material(&[tag; 32]).unwrap()
}

fn claim(tag: u8, message: &[u8]) -> Claim {
    Claim { key: key(tag).public_key(), message: message.to_vec(), signature: key(tag).sign(message).to_bytes() }
}

#[test]
fn the_sum_of_signatures_verifies_under_the_sum_of_keys_only() {
    let (a, b) = (key(1), key(2));
    let sum = Signature::aggregate([&a.sign(b"m"), &b.sign(b"m")]).unwrap();
    let keys = PublicKey::aggregate([&a.public_key(), &b.public_key()]).unwrap();
    assert!(sum.verify(&keys, b"m"));
    assert!(!sum.verify(&keys, b"n"));
    assert!(!sum.verify(&a.public_key(), b"m"));
    assert!(!a.sign(b"m").verify(&keys, b"m"));
}

#[test]
fn a_signature_never_passes_for_a_proof_of_possession() {
    let a = key(1);
    let public = a.public_key();
    assert!(public.possession_is_proved_by(&a.prove_possession()));
    assert!(!public.possession_is_proved_by(&a.sign(&public.to_bytes())));
    assert!(!a.prove_possession().verify(&public, &public.to_bytes()));
    assert!(!public.possession_is_proved_by(&key(2).prove_possession()));
}

#[test]
fn bytes_that_are_no_point_of_the_group_are_not_read() {
    assert_eq!(Signature::from_bytes(&[0xff; 48]), None);
    assert_eq!(Signature::from_bytes(&[0; 48]), None);
    let mut infinity = [0; 48];
    infinity[0] = 0xc0;
    assert_eq!(Signature::from_bytes(&infinity), None, "no key signs with the identity");
    let mut infinity = [0; 96];
    infinity[0] = 0xc0;
    assert_eq!(PublicKey::from_bytes(&infinity), None, "the identity is no key");
    assert_eq!(PublicKey::from_bytes(&[0xff; 96]), None);
    // On the curve but outside the subgroup: x = 4 is the first such abscissa in the compressed encoding of G1.
    let outside = (0u8..=255).map(|x| {
        let mut bytes = [0; 48];
        bytes[0] = 0x80;
        bytes[47] = x;
        bytes
    });
    let decodable = outside.filter(|bytes| min_sig::Signature::from_bytes(bytes).is_ok());
    assert!(decodable.map(|bytes| assert_eq!(Signature::from_bytes(&bytes), None)).count() > 50);
}

#[test]
fn hashing_to_the_curve_gives_the_point_that_is_signed() {
    // The secret key 1 signs a message with its hash.
    let one = SecretKey::from_bytes(&std::array::from_fn(|at| u8::from(at == 31))).unwrap();
    for length in [0, 1, 48, 300] {
        let message = vec![7; length];
        let hashed = p1_affines::from(&[hash::to_curve(&message, SIGNATURE_DST)]);
        assert_eq!(hashed[0], blst_p1_affine::from(one.sign(&message).0), "{length} bytes");
    }
}

#[test]
fn a_batch_holds_exactly_when_every_claim_holds() {
    // Some keys sign once, others several times.
    let good: Vec<Claim> = (1..=20u8).map(|tag| claim(tag.min(9) / 2 + 1, &[tag, 7])).collect();
    assert!(verify_all([]));
    assert!(verify_all(&good));
    for bad in 0..good.len() {
        let mut claims = good.clone();
        claims[bad].message.push(0);
        assert!(!verify_all(&claims), "claim {bad}");
        let mut claims = good.clone();
        claims[bad].signature = [0xff; 48];
        assert!(!verify_all(&claims) && !claims[bad].holds(), "claim {bad}");
    }
}

#[test]
fn errors_that_cancel_in_a_plain_sum_do_not_cancel_in_a_batch() {
    // Two signatures exchanged: their plain sum is unchanged, and both claims are false.
    let (mut a, mut b) = (claim(1, b"m"), claim(2, b"m"));
    std::mem::swap(&mut a.signature, &mut b.signature);
    assert!(!verify_all(&[a, b]));
}

#[test]
fn the_sum_of_keys_signs_what_the_keys_together_sign() {
    for count in 1..40u8 {
        let keys: Vec<SecretKey> = (1..=count).map(key).collect();
        let together = Signature::aggregate(&keys.iter().map(|key| key.sign(b"m")).collect::<Vec<_>>()).unwrap();
        assert_eq!(SecretKey::sum(&keys).unwrap().sign(b"m"), together, "{count} keys");
    }
    assert!(SecretKey::sum([]).is_none());
    // One and order - 1 cancel out.
    let one = SecretKey::from_bytes(&std::array::from_fn(|at| u8::from(at == 31))).unwrap();
    let mut last = [0; 32];
    for (bytes, limb) in last.chunks_exact_mut(8).zip(ORDER.iter().rev()) {
        bytes.copy_from_slice(&limb.to_be_bytes());
    }
    assert!(SecretKey::from_bytes(&last).is_none(), "the order itself is no key");
    last[31] -= 1;
    let last = SecretKey::from_bytes(&last).unwrap();
    assert!(SecretKey::sum([&one, &last]).is_none());
    assert_eq!(SecretKey::sum([&one, &one, &last]).unwrap().public_key(), one.public_key());
}

#[test]
fn a_secret_key_survives_its_bytes_and_never_prints_itself() {
    let a = key(9);
    let bytes = a.to_bytes();
    assert_eq!(SecretKey::from_bytes(&bytes).unwrap().public_key(), a.public_key());
    assert_eq!(format!("{a:?}"), "SecretKey(..)");
    assert!(SecretKey::from_bytes(&[0; 32]).is_none());
    assert!(SecretKey::from_bytes(&[0xff; 32]).is_none());
}
