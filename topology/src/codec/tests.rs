use proptest::prelude::*;

use super::*;

/// The item that the bytes of `item` decode to.
fn again<C>(item: C) -> C
where
    C: for<'a> Codec<Item<'a> = C>,
{
    let mut bytes = b"before".to_vec();
    C::encode(&item, &mut bytes).unwrap();
    C::decode(&bytes[6..]).unwrap()
}

proptest! {
    #[test]
    fn decoding_what_was_encoded_gives_an_equal_item(
        text: String, bytes: Vec<u8>, numbers: (i64, u64, i32, u8, i128), list: Vec<Option<String>>,
    ) {
        prop_assert_eq!(again(text.clone()), text.clone());
        prop_assert_eq!(again(bytes.clone()), bytes);
        prop_assert_eq!(again(numbers.0), numbers.0);
        prop_assert_eq!(again(numbers.1), numbers.1);
        prop_assert_eq!(again(numbers.2), numbers.2);
        prop_assert_eq!(again(numbers.3), numbers.3);
        prop_assert_eq!(again(numbers.4), numbers.4);
        prop_assert_eq!(again(Json(list.clone())), Json(list));
        prop_assert_eq!(str::decode(text.as_bytes()).unwrap(), text.as_str());
    }

    #[test]
    fn no_bytes_make_a_decoder_panic_and_a_number_takes_its_own_length_alone(bytes: Vec<u8>) {
        prop_assert_eq!(i64::decode(&bytes).is_ok(), bytes.len() == 8);
        prop_assert_eq!(<()>::decode(&bytes).is_ok(), bytes.is_empty());
        prop_assert_eq!(str::decode(&bytes).is_ok(), String::decode(&bytes).is_ok());
        let _ = Json::<Vec<i32>>::decode(&bytes);
    }

    #[test]
    fn unsigned_numbers_sort_as_their_bytes_do(one: u64, other: u64) {
        let bytes = |number: u64| {
            let mut bytes = Vec::new();
            u64::encode(&number, &mut bytes).unwrap();
            bytes
        };
        prop_assert_eq!(bytes(one).cmp(&bytes(other)), one.cmp(&other));
    }
}
