//! What people and machines really send, and what hostile ones do.

mod frames;
mod measure;

use proptest::prelude::*;

use super::*;
use crate::chain::{Amount, Name};

fn code(value: impl AsRef<[u8]>) -> RejectCode {
    match parse(Some(value.as_ref())) {
        Ok(transaction) => panic!("taken: {transaction:?}"),
        Err(reject) => reject.code,
    }
}

fn with_amount(amount: &str) -> String {
    format!(r#"{{"from":"alice","to":"bob","amount":{amount}}}"#)
}

fn with(field: &str) -> String {
    format!(r#"{{"from":"alice","to":"bob","amount":3,{field}}}"#)
}

fn simple() -> Transaction {
    Transaction::transfer("alice".parse().unwrap(), "bob".parse().unwrap(), Amount::new(3).unwrap())
}

#[test]
fn what_the_two_seed_systems_send_is_taken() {
    for value in [
        r#"{"from": "alice", "to": "bob", "amount": 3}"#,
        r#"{"sender":"alice","recipient":"bob","amount":3}"#,
        r#"{"Amount":3,"Recipient":"bob","Sender":"alice"}"#,
        " \t\r\n{ \"from\" : \"alice\" , \"to\" : \"bob\" , \"amount\" : 3 } \n",
        r#"{"from":"\u0061lice","t\u006f":"bob","amount":3}"#,
        r#"{"from":"alice","to":"bob","amount":3,"Index":7,"note":{"a":[1,2.5e-3,{}],"b":null},"ok":true}"#,
        r#"{"from":"alice","to":"bob","amount":3,"fee":null,"memo":null,"signature":null,"kind":"transfer","asset":0}"#,
        r#"{"from":"alice","to":"bob","amount":3,"From":"x","FROM":"y","":1,"":2,"x":"\ud83d\ude00"}"#,
    ] {
        assert_eq!(parse(Some(value.as_bytes())), Ok(simple()), "{value}");
        for frame in [&frames::CONFLUENT[..], &frames::GLUE] {
            let framed = [frame, value.as_bytes()].concat();
            assert_eq!(parse(Some(&framed)), Ok(simple()), "framed {value}");
        }
    }
}

#[test]
fn optional_fields_are_read() {
    let (key, signature) = ("aB".repeat(32), "0c".repeat(64));
    let value = format!(
        r#"{{"from":"älice \"q\"","to":"b\\ob","amount":9007199254740991,"fee":1,"id":"x-1","nonce":0,"memo":"a\nb\u0000",
        "valid_until":12,"validator":"v-1","timeout_ms":5,"reference":"{key}","public_key":"{key}","signature":"{signature}","version":1,"kind":"stake","asset":4294967295}}"#
    );
    let transaction = parse(Some(value.as_bytes())).unwrap();
    assert_eq!(transaction.from.as_str(), "älice \"q\"");
    assert_eq!(transaction.to.as_str(), "b\\ob");
    assert_eq!(transaction.amount, Amount::MAX);
    assert_eq!(transaction.fee, Amount::new(1));
    assert_eq!(transaction.id.unwrap().as_str(), "x-1");
    assert_eq!(transaction.nonce, Some(0));
    assert_eq!(transaction.memo.unwrap().as_str(), "a\nb\0");
    assert_eq!(transaction.valid_until, Some(12));
    assert_eq!(transaction.validator.unwrap().as_str(), "v-1");
    assert_eq!((transaction.timeout_ms, transaction.reference), (Some(5), Some(crate::chain::Hash([0xab; 32]))));
    assert_eq!(transaction.authorization.unwrap().public_key, [0xab; 32]);
    assert_eq!(transaction.authorization.unwrap().signature, [0x0c; 64]);
    assert_eq!((transaction.kind, transaction.asset), (crate::chain::Kind::Stake, u32::MAX));
}

#[test]
fn a_keyed_sender_need_not_repeat_its_key() {
    let name = Name::keyed(&[7; 32]);
    let value = format!(r#"{{"from":"{name}","to":"bob","amount":3,"signature":"{}"}}"#, "00".repeat(64));
    assert_eq!(parse(Some(value.as_bytes())).unwrap().authorization.unwrap().public_key, [7; 32]);
}

#[test]
fn amounts_are_judged_by_their_text() {
    for (amount, expected) in [
        ("-1", RejectCode::AmountNegative),
        ("-0", RejectCode::AmountNegative),
        ("-0.5", RejectCode::AmountNegative),
        ("0.5", RejectCode::AmountNotAnInteger),
        ("3.0", RejectCode::AmountNotAnInteger),
        ("1e400", RejectCode::AmountNotAnInteger),
        ("3E0", RejectCode::AmountNotAnInteger),
        ("9007199254740992", RejectCode::AmountTooLarge),
        ("18446744073709551616", RejectCode::AmountTooLarge),
        (&"9".repeat(10_000), RejectCode::AmountTooLarge),
        ("\"3\"", RejectCode::AmountNotANumber),
        ("null", RejectCode::AmountNotANumber),
        ("true", RejectCode::AmountNotANumber),
        ("[3]", RejectCode::AmountNotANumber),
        ("{}", RejectCode::AmountNotANumber),
        ("03", RejectCode::NotJson),
        ("+3", RejectCode::NotJson),
        (".5", RejectCode::NotJson),
        ("3.", RejectCode::NotJson),
        ("3e", RejectCode::NotJson),
        ("0x3", RejectCode::NotJson),
        ("NaN", RejectCode::NotJson),
        ("Infinity", RejectCode::NotJson),
        ("", RejectCode::NotJson),
        ("3_000", RejectCode::NotJson),
        ("-", RejectCode::NotJson),
    ] {
        assert_eq!(code(with_amount(amount)), expected, "{amount}");
    }
    for amount in ["0", "9007199254740991"] {
        assert!(parse(Some(with_amount(amount).as_bytes())).is_ok(), "{amount}");
    }
    assert_eq!(code(with("\"fee\":-1")), RejectCode::AmountNegative);
    assert_eq!(code(with("\"fee\":\"1\"")), RejectCode::AmountNotANumber);
}

#[test]
fn what_is_not_json_has_one_code() {
    for value in [
        &b""[..],
        b" ",
        b"hello",
        b"{",
        b"{\"from\":\"alice\",\"to\":\"bob\",\"amou",
        b"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3",
        b"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}}",
        b"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3} x",
        b"{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3,}",
        b"{\"from\":\"alice\" \"to\":\"bob\"}",
        b"{'from':'alice'}",
        b"{from:\"alice\"}",
        b"{\"a\":[1,]}",
        b"{\"a\":[1}",
        b"{\"a\":{\"b\":1]}",
        b"{\"a\":{\"b\"}}",
        b"{\"a\":{,}}",
        b"{\"a\":nul}",
        b"{\"a\":truE}",
        b"{\"a\":\"\\x\"}",
        b"{\"a\":\"\\u12g4\"}",
        b"{\"a\":\"line\nbreak\"}",
        b"{\"a\":1}{\"a\":1}",
        b"\xef\xbb\xbf{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}",
        b"\0",
        b"\0\0\0\0\x01",
        b"\0\0\0\0\x01\0\0\0\0\x01{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}",
    ] {
        assert_eq!(code(value), RejectCode::NotJson, "{}", String::from_utf8_lossy(value));
    }
    for value in ["[]", "3", "\"text\"", "null", " true ", "[{\"from\":\"alice\",\"to\":\"bob\",\"amount\":3}]"] {
        assert_eq!(code(value), RejectCode::NotAnObject, "{value}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_wherever_they_stand() {
    assert_eq!(parse(None).unwrap_err().code, RejectCode::NullValue);
    assert_eq!(code(b"{\"from\":\"\xff\",\"to\":\"bob\",\"amount\":3}"), RejectCode::NotUtf8);
    assert_eq!(code(b"{\"from\":\"a\",\"to\":\"bob\",\"amount\":3,\"x\":\"\xc0\x80\"}"), RejectCode::NotUtf8);
    assert_eq!(code(b"\xff\xfe{\0"), RejectCode::NotUtf8);
    for half in [r"\ud800", r"\udc00", r"\ud800\ud800", r"\ud800x", r"\ud800\n", r"\udc00\ud800"] {
        assert_eq!(code(with(&format!("\"memo\":\"{half}\""))), RejectCode::LoneSurrogate, "{half}");
        assert_eq!(code(with(&format!("\"{half}\":1"))), RejectCode::LoneSurrogate, "{half}");
        assert_eq!(code(with(&format!("\"x\":[{{\"y\":\"{half}\"}}]"))), RejectCode::LoneSurrogate, "{half}");
    }
}

#[test]
fn large_deep_and_wide_values_cost_no_more_than_their_bytes() {
    let wide: String = (0..5_000).map(|index| format!("\"f{index}\":0,")).collect();
    assert!(parse(Some(with(&format!("{wide}\"z\":0")).as_bytes())).is_ok());
    let huge = with(&format!("\"x\":\"{}\"", "x".repeat(900_000)));
    assert_eq!(code(huge), RejectCode::TooLarge);
    let largest = VALUE_SIZE_BYTES_MAX - with("\"x\":\"\"").len();
    assert!(parse(Some(with(&format!("\"x\":\"{}\"", "x".repeat(largest))).as_bytes())).is_ok());
    assert_eq!(code(with(&format!("\"x\":\"{}\"", "x".repeat(largest + 1)))), RejectCode::TooLarge);

    let nested = |depth: usize| with(&format!("\"x\":{}1{}", "[".repeat(depth), "]".repeat(depth)));
    assert!(parse(Some(nested(63).as_bytes())).is_ok());
    assert_eq!(code(nested(64)), RejectCode::NestedTooDeep);
    assert_eq!(code(nested(10_000)), RejectCode::NestedTooDeep);
    assert_eq!(code("[".repeat(10_000)), RejectCode::NestedTooDeep);
    assert_eq!(code("{\"a\":".repeat(10_000)), RejectCode::NestedTooDeep);
    let mixed = with(&format!("\"x\":{}{}{}", "[{\"a\":".repeat(31), "[]", "}]".repeat(31)));
    assert!(parse(Some(mixed.as_bytes())).is_ok());
}

#[test]
fn names_and_other_texts_keep_their_bounds() {
    let from = |name: &str| format!(r#"{{"from":"{name}","to":"bob","amount":3}}"#);
    assert_eq!(code(from("")), RejectCode::NameEmpty);
    assert_eq!(code(from(&"x".repeat(10_000))), RejectCode::NameTooLong);
    assert_eq!(code(from(&"x".repeat(129))), RejectCode::NameTooLong);
    assert_eq!(code(from(&"é".repeat(65))), RejectCode::NameTooLong);
    assert!(parse(Some(from(&"é".repeat(64)).as_bytes())).is_ok());
    for control in [r"a\u0000", r"\n", r"\u007f", r"\u0085", "\u{85}", "\u{7f}"] {
        assert_eq!(code(from(control)), RejectCode::NameControlCharacter, "{control:?}");
    }
    assert_eq!(code(from("ed25519:abcd")), RejectCode::NameBadKey);
    assert_eq!(code(from(&format!("ed25519:{}", "AB".repeat(32)))), RejectCode::NameBadKey);
    assert!(parse(Some(from(&format!("ed25519:{}", "ab".repeat(32))).as_bytes())).is_ok());
    for other in ["null", "3", "[]", "{}", "true"] {
        assert_eq!(code(format!(r#"{{"from":{other},"to":"bob","amount":3}}"#)), RejectCode::WrongType, "{other}");
    }
    assert_eq!(code(with("\"id\":\"\"")), RejectCode::BadId);
    assert_eq!(code(with(&format!("\"id\":\"{}\"", "x".repeat(129)))), RejectCode::BadId);
    assert_eq!(code(with("\"id\":7")), RejectCode::WrongType);
    assert_eq!(code(with(&format!("\"memo\":\"{}\"", "x".repeat(257)))), RejectCode::BadMemo);
    assert!(parse(Some(with(&format!("\"memo\":\"{}\"", "x".repeat(256))).as_bytes())).is_ok());
    for bad in ["\"\"", "\"A\"", "\"$validator\""] {
        assert_eq!(code(with(&format!("\"validator\":{bad}"))), RejectCode::BadValidator, "{bad}");
    }
    assert_eq!(code(with("\"validator\":7")), RejectCode::WrongType);
    assert_eq!(code(with("\"reference\":7")), RejectCode::WrongType);
    assert_eq!(code(with(&format!("\"reference\":\"{}\"", "ab".repeat(31)))), RejectCode::BadReference);
    assert_eq!(code(with(&format!("\"reference\":\"{}\"", "xy".repeat(32)))), RejectCode::BadReference);
    for bad in ["-1", "1.0", "\"1\"", "9007199254740992", "1e2"] {
        assert_eq!(code(with(&format!("\"timeout_ms\":{bad}"))), RejectCode::BadInteger, "{bad}");
        assert_eq!(code(with(&format!("\"nonce\":{bad}"))), RejectCode::BadInteger, "{bad}");
        assert_eq!(code(with(&format!("\"valid_until\":{bad}"))), RejectCode::BadInteger, "{bad}");
        assert_eq!(code(with(&format!("\"asset\":{bad}"))), RejectCode::BadAsset, "{bad}");
        assert_eq!(code(with(&format!("\"version\":{bad}"))), RejectCode::UnknownVersion, "{bad}");
        assert_eq!(code(with(&format!("\"kind\":{bad}"))), RejectCode::UnknownKind, "{bad}");
    }
    assert_eq!(code(with("\"kind\":\"mint\"")), RejectCode::UnknownKind);
    let (key, signature) = ("ab".repeat(32), "cd".repeat(64));
    for bad in [
        format!("\"public_key\":\"{key}\""),
        format!("\"signature\":\"{signature}\""),
        format!("\"public_key\":\"{key}0\",\"signature\":\"{signature}\""),
        format!("\"public_key\":\"{key}\",\"signature\":\"{}\"", "zz".repeat(64)),
    ] {
        assert_eq!(code(with(&bad)), RejectCode::BadAuthorization, "{bad}");
    }
}

#[test]
fn names_and_ids_that_would_pass_for_others_are_refused_and_memos_are_not() {
    let from = |name: &str| format!(r#"{{"from":"{name}","to":"bob","amount":3}}"#);
    for forbidden in
        ["a\u{200b}", r"a\u200b", "\u{202e}a", r"\udb40\udc41", "\u{fe0f}", "\u{e000}", r"\u0378", "\u{2028}"]
    {
        assert_eq!(code(from(forbidden)), RejectCode::NameForbiddenCharacter, "{forbidden:?}");
        assert_eq!(code(with(&format!("\"id\":\"{forbidden}\""))), RejectCode::BadId, "{forbidden:?}");
    }
    for decomposed in ["zoe\u{301}", r"zoe\u0301", "\u{1112}\u{1161}", "\u{212b}", r"q\u0307\u0323"] {
        assert_eq!(code(from(decomposed)), RejectCode::NameNotNormalized, "{decomposed:?}");
        assert_eq!(code(with(&format!("\"id\":\"{decomposed}\""))), RejectCode::BadId, "{decomposed:?}");
        assert!(parse(Some(with(&format!("\"memo\":\"{decomposed}\"")).as_bytes())).is_ok(), "{decomposed:?}");
    }
    assert_eq!(code(from(r"e\u0301\u200d\n")), RejectCode::NameForbiddenCharacter);
    assert_eq!(code(from(r"e\u0301\n\u200d")), RejectCode::NameControlCharacter);
    assert_eq!(code(from("ed25519:e\u{301}")), RejectCode::NameNotNormalized);
    let detail = parse(Some(from("zoë\u{200d}").as_bytes())).unwrap_err().detail;
    assert_eq!(detail, "`from`: it contains U+200D at byte 4, a format character: remove it");
}

#[test]
fn a_field_given_twice_is_refused_under_whichever_names() {
    for field in [
        "\"from\":\"alice\"",
        "\"sender\":\"mallory\"",
        "\"Sender\":null",
        "\"s\\u0065nder\":\"mallory\"",
        "\"recipient\":\"x\"",
        "\"Amount\":4",
        "\"amount\":3",
        "\"fee\":1,\"fee\":1",
        "\"memo\":null,\"memo\":\"x\"",
    ] {
        assert_eq!(code(with(field)), RejectCode::DuplicateField, "{field}");
    }
    assert_eq!(code("{}"), RejectCode::MissingField);
    assert_eq!(code(r#"{"from":"alice","to":"bob"}"#), RejectCode::MissingField);
    assert_eq!(code(r#"{"From":"alice","to":"bob","amount":3}"#), RejectCode::MissingField);
}

#[test]
fn codes_keep_their_bytes_and_texts() {
    let listed: Vec<String> = RejectCode::ALL.iter().map(|code| format!("{}={code}", *code as u8)).collect();
    assert_eq!(
        listed.join(" "),
        "1=null_value 2=too_large 3=not_utf8 4=not_json 5=not_an_object 6=nested_too_deep 7=lone_surrogate \
         8=duplicate_field 9=missing_field 10=wrong_type 11=amount_not_a_number 12=amount_negative \
         13=amount_not_an_integer 14=amount_too_large 15=name_empty 16=name_too_long 17=name_control_character \
         18=name_bad_key 19=bad_id 20=bad_memo 21=bad_integer 22=bad_authorization 23=unknown_version \
         24=unknown_kind 25=bad_asset 26=name_not_normalized 27=name_forbidden_character 28=compressed_frame \
         29=bad_validator 30=bad_reference"
    );
    for code in RejectCode::ALL {
        assert_eq!(code.as_str().parse(), Ok(*code));
    }
}

/// JSON-like text: mostly well-formed pieces in any order.
fn json_soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d800", "\\ud83d", "\\ude00", "null", "true", "false", "-",
            "0", "12", ".", "e", "E+5", " ", "\n", "\"from\"", "\"to\"", "\"amount\"", "\"a\"", "\"b\":", "1,",
            "{\"from\":\"a\",\"to\":\"b\",\"amount\":1", "\u{feff}", "\u{0}", "é",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn syntax_holds(text: &str) -> bool {
    let mut ignored = 0;
    scan::Scanner::new(text).object(|_, _| ignored += 1).is_ok()
}

proptest! {
    #[test]
    fn any_bytes_have_an_answer(value in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(Some(&value));
    }

    #[test]
    fn an_escaped_name_has_the_verdict_of_the_name(name in any::<String>()) {
        let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let value = format!(r#"{{"from":"alice","to":"{escaped}","amount":3}}"#);
        let verdict = parse(Some(value.as_bytes())).map(|transaction| transaction.to);
        prop_assert_eq!(verdict.is_ok(), Name::new(&name).is_ok());
        if let (Err(reject), Err(error)) = (verdict, Name::new(&name)) {
            prop_assert_eq!(reject.detail, format!("`to`: {error}"));
        }
    }

    #[test]
    fn the_scanner_agrees_with_another_reader_on_what_is_json(text in json_soup()) {
        let other = serde_json::from_str::<serde_json::Value>(&text);
        // Numbers beyond an f64 are JSON all the same; the other reader refuses them.
        prop_assume!(!other.as_ref().is_err_and(|error| error.to_string().contains("out of range")));
        match scan::Scanner::new(&text).object(|_, _| {}) {
            Ok(()) => prop_assert!(other.is_ok_and(|value| value.is_object()), "{}", text),
            Err(Reject { code: RejectCode::NotAnObject, .. }) => prop_assert!(other.is_ok_and(|value| !value.is_object())),
            Err(_) => prop_assert!(!other.is_ok_and(|value| value.is_object()), "{}", text),
        }
    }

    #[test]
    fn every_object_of_another_writer_is_read(value in json_value(), cut: prop::sample::Index) {
        let object = serde_json::json!({ "x": value });
        let text = object.to_string();
        prop_assert!(syntax_holds(&text), "{}", text);
        let cut = cut.index(text.len());
        if let Some(half) = text.get(..cut) {
            prop_assert!(!syntax_holds(half), "{}", half);
        }
        prop_assert!(syntax_holds(&serde_json::to_string_pretty(&object).unwrap()));
    }

    #[test]
    fn strings_resolve_as_another_reader_resolves_them(name in any::<String>(), escaped in any::<bool>()) {
        let text = if escaped {
            name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
        } else {
            serde_json::to_string(&name).unwrap().trim_matches('"').to_owned()
        };
        prop_assume!(serde_json::from_str::<String>(&format!("\"{text}\"")).is_ok_and(|read| read == name));
        let object = format!("{{\"k\":\"{text}\"}}");
        let mut seen = None;
        scan::Scanner::new(&object).object(|_, value| seen = Some(value)).unwrap();
        let Some(scan::Token::Text(raw)) = seen else { panic!("no text") };
        prop_assert_eq!(raw.resolve(), name);
    }
}
