//! A small chain, the worked example of `docs/encoding.md`, and what is noticed when it is altered.

#[path = "../../tests/support/ranges.rs"]
mod ranges;

use super::*;

pub(crate) use ranges::ranges;

/// The genesis of the worked example: one validator whose keys are of no use.
pub(crate) fn genesis() -> Genesis {
    let validator = GenesisValidator {
        id: "validator-1".parse().unwrap(),
        ed25519: ed25519_zebra::VerificationKeyBytes::from(&ed25519_zebra::SigningKey::from([1; 32])).into(),
        bls: [0xb1; 96],
        possession: [0xb2; 48],
        stake: 2000,
    };
    Genesis {
        chain_id: DEFAULT_CHAIN_ID.to_owned(),
        created_ms: 0,
        accounts: vec![("carol".parse().unwrap(), 100)],
        validators: vec![validator],
        parameters: Parameters { block_max_transactions: 3, ..Parameters::default() },
    }
}

fn entries() -> Vec<Entry> {
    let value = br#"{"from":"alice","to":"bob","amount":3}"#;
    let transaction = parse(Some(value)).unwrap();
    let receipt = Receipt { outcome: Outcome::Applied, from_balance: -3, to_balance: 3 };
    let garbage = b"not a transaction";
    let memo = br#"{"from":"bob","to":"carol","amount":50,"id":"b-1","memo":"rent","valid_until":9}"#;
    let rejected =
        Receipt { outcome: Outcome::Rejected(ReasonCode::InsufficientFunds), from_balance: 3, to_balance: 100 };
    let entry = |offset, value: &[u8], content| Entry {
        origin: Origin { partition: 0, offset, timestamp_ms: 1_700_000_000_000 + offset },
        original: Hash::of(value),
        content,
    };
    vec![
        entry(0, value, Content::Transaction { transaction, receipt }),
        entry(1, garbage, Content::Stub { reason: RejectCode::NotJson, key: None }),
        entry(2, memo, Content::Transaction { transaction: parse(Some(memo)).unwrap(), receipt: rejected }),
    ]
}

/// Block 1 of the worked example. Its state root and seal are made up: nothing here executes or signs.
pub(crate) fn block() -> Block {
    let genesis = genesis().block(Hash::of(b"state after genesis"));
    let history = Frontier::default();
    let history = Parent::of(&genesis.header, genesis.hash, &history).next_history;
    let entries = entries();
    let operations = vec![
        Operation::Missed { round: 0, validator: "validator-2".parse().unwrap() },
        Operation::Reward {
            validator: "validator-1".parse().unwrap(),
            account: "$validator-1".parse().unwrap(),
            amount: Amount::new(1).unwrap(),
            balance: 1,
        },
    ];
    let header = Header {
        height: 1,
        active_height: 1,
        parent: genesis.hash,
        history,
        time_ms: 1_700_000_000_000,
        window: Some(Window { start_ms: 1_700_000_000_000, end_ms: 1_700_000_001_000 }),
        cut: Cut::Transactions,
        ranges: ranges(&entries),
        transactions_root: check::transactions_root(&entries),
        operations_root: check::operations_root(&operations),
        state_root: Hash::of(b"state after block 1"),
        author: Author::Stake(StakeAuthor {
            proposer: "validator-1".parse().unwrap(),
            round: 1,
            seed: Hash::of(b"a seed"),
        }),
        extensions: vec![Extension { id: 7, critical: false, value: vec![0xca, 0xfe] }],
        ..genesis.header
    };
    let seal = Seal::Stake(StakeSeal {
        signature: [0x51; 64],
        reveal: [0x52; 48],
        attestation: [0x53; 48],
        signers: [0, 2].into_iter().collect(),
    });
    Block { hash: header.hash(), header, seal: Some(seal), entries, operations, genesis: None }
}

/// What is wrong with a block, by its field.
fn breach(block: &Block) -> &'static str {
    match block.check() {
        Err(Error::Block { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

/// The block altered, with roots, ranges and hash left as they were.
fn altered(alter: impl FnOnce(&mut Block)) -> Block {
    let mut block = block();
    alter(&mut block);
    block
}

#[test]
fn an_honest_block_agrees_with_itself_and_with_its_parent() {
    let genesis = genesis().block(Hash::of(b"state after genesis"));
    assert_eq!(genesis.check(), Ok(()));
    assert_eq!(block().check(), Ok(()));
    assert_eq!(block().check_follows(&Parent::of(&genesis.header, genesis.hash, &Frontier::default())), Ok(()));
}

/// The Java seed system hashed the sum of the amounts: transactions could be swapped or altered in pairs.
#[test]
fn swapping_or_altering_transactions_that_keep_the_sum_is_noticed() {
    let swapped = altered(|block| {
        let (first, last) = (block.entries[0].content.clone(), block.entries[2].content.clone());
        (block.entries[0].content, block.entries[2].content) = (last, first);
    });
    assert_eq!(breach(&swapped), "header.transactions_root");
    let moved = altered(|block| {
        for (entry, amount) in [(0, 2), (2, 51)] {
            if let Content::Transaction { transaction, .. } = &mut block.entries[entry].content {
                transaction.amount = Amount::new(amount).unwrap();
            }
        }
    });
    assert_eq!(breach(&moved), "header.transactions_root");
}

#[test]
fn every_part_of_a_block_is_covered() {
    assert_eq!(breach(&altered(|block| drop(block.entries.pop()))), "header.transactions_root");
    assert_eq!(breach(&altered(|block| drop(block.operations.pop()))), "header.operations_root");
    assert_eq!(breach(&altered(|block| block.header.state_root = Hash::ZERO)), "hash");
    assert_eq!(breach(&altered(|block| block.header.stake_mut().unwrap().round += 1)), "hash");
    assert_eq!(breach(&altered(|block| block.seal = None)), "seal");
    assert_eq!(breach(&altered(|block| block.genesis = Some(genesis()))), "seal");
    let receipt = altered(|block| {
        if let Content::Transaction { receipt, .. } = &mut block.entries[0].content {
            receipt.from_balance += 1;
        }
    });
    assert_eq!(breach(&receipt), "header.transactions_root");
}

/// The block altered by its proposer, who computes roots and hash again.
fn forged(alter: impl FnOnce(&mut Block)) -> Block {
    let mut block = altered(alter);
    block.header.transactions_root = check::transactions_root(&block.entries);
    block.header.operations_root = check::operations_root(&block.operations);
    block.hash = block.header.hash();
    block
}

#[test]
fn what_no_honest_proposer_makes_is_noticed_though_its_hashes_fit() {
    assert_eq!(breach(&forged(|block| block.entries.swap(0, 2))), "transactions.offset");
    assert_eq!(breach(&forged(|block| block.entries[2].origin.offset = 1)), "transactions.offset");
    let below = |place: fn(&mut Origin)| forged(|block| place(&mut block.entries[0].origin));
    assert_eq!(breach(&below(|origin| origin.offset = -1)), "transactions.offset");
    assert_eq!(breach(&below(|origin| origin.partition = -1)), "transactions.offset");
    assert_eq!(breach(&forged(|block| drop(block.entries.remove(1)))), "header.ranges");
    assert_eq!(breach(&forged(|block| block.header.ranges[0].count = 2)), "header.ranges");
    let far = |timestamp_ms| forged(|block| block.entries[0].origin.timestamp_ms = timestamp_ms);
    assert_eq!(breach(&far(TIMESTAMP_MS_MAX + 1)), "transactions.timestamp_ms");
    assert_eq!(breach(&far(i64::MIN)), "transactions.timestamp_ms");
    assert_eq!(far(-TIMESTAMP_MS_MAX).check(), Ok(()));
    assert_eq!(breach(&forged(|block| block.header.version = 0)), "header.version");
    assert_eq!(breach(&forged(|block| block.header.author = Author::Genesis)), "header.author");
    assert_eq!(
        breach(&forged(|block| block.header.extensions.push(block.header.extensions[0].clone()))),
        "header.extensions"
    );
    assert_eq!(breach(&forged(|block| block.header.cut = Cut::Genesis)), "header.cut");
    let mut zero = genesis().block(Hash::ZERO);
    zero.genesis.as_mut().unwrap().accounts[0].1 = 101;
    assert_eq!(breach(&zero), "header.genesis");
    zero.header.genesis = zero.genesis.as_ref().unwrap().hash();
    zero.hash = zero.header.hash();
    assert_eq!(zero.check(), Ok(()), "it is block 0 of another chain");
    for alter in [
        |header: &mut Header| header.parent = Hash::of(b"a parent"),
        |header: &mut Header| header.history = Hash::ZERO,
        |header: &mut Header| header.active_height = 1,
        |header: &mut Header| header.time_ms += 1,
        |header: &mut Header| header.extensions.push(Extension { id: 1, critical: false, value: Vec::new() }),
    ] {
        let mut altered = zero.clone();
        alter(&mut altered.header);
        altered.hash = altered.header.hash();
        assert_eq!(breach(&altered), "header");
    }
}

#[test]
fn what_a_newer_program_made_is_not_called_broken() {
    let newer = |alter: fn(&mut Block)| match forged(alter).check() {
        Err(Error::Newer { height: 1, field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(newer(|block| block.header.version = 2), "header.version");
    assert_eq!(newer(|block| block.header.hash_algorithm = 2), "header.hash_algorithm");
    assert_eq!(newer(|block| block.header.extensions[0].critical = true), "header.extensions");
}

#[test]
fn blocks_follow_each_other_in_height_hash_chain_history_and_offsets() {
    let (first, mut second) = (block(), block());
    let before = Frontier::default().with(merkle::leaf(first.header.parent.as_bytes()));
    let parent = Parent::of(&first.header, first.hash, &before);
    second.header.height = 2;
    second.header.parent = first.hash;
    second.header.active_height = 2;
    second.header.history =
        merkle::root(vec![merkle::leaf(first.header.parent.as_bytes()), merkle::leaf(first.hash.as_bytes())]);
    assert_eq!(second.check_follows(&parent), Ok(()));
    let breach = |alter: &dyn Fn(&mut Block)| {
        let mut block = second.clone();
        alter(&mut block);
        match block.check_follows(&parent) {
            Err(Error::Block { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(breach(&|block| block.header.height = 3), "header.height");
    assert_eq!(breach(&|block| block.header.parent = Hash::ZERO), "header.parent");
    assert_eq!(breach(&|block| block.header.genesis = Hash::ZERO), "header.genesis");
    assert_eq!(breach(&|block| block.header.history = first.header.history), "header.history");
    for active_height in [0, 1, 3] {
        assert_eq!(breach(&|block| block.header.active_height = active_height), "header.active_height");
    }
    let idle = |block: &mut Block| block.entries.retain(|entry| !entry.is_applied());
    assert_eq!(breach(&idle), "header.active_height");
    let mut quiet = second.clone();
    idle(&mut quiet);
    quiet.header.active_height = 1;
    assert_eq!(quiet.check_follows(&parent), Ok(()));
}

const REFERENCE: &str = "\"reference\":\"00000000000000000000000000000000000000000000000000000000000000aA\"";

#[test]
fn the_body_hash_leaves_out_the_signature_and_nothing_else() {
    let transaction = parse(Some(br#"{"from":"bob","to":"carol","amount":50,"id":"b-1"}"#)).unwrap();
    let signed = transaction.clone().signed(&genesis().hash(), &ed25519_zebra::SigningKey::from([3; 32]));
    assert_eq!(signed.body_hash(), transaction.body_hash());
    for field in [
        "\"fee\":0",
        "\"nonce\":1",
        "\"memo\":\"\"",
        "\"valid_until\":0",
        "\"asset\":1",
        "\"kind\":\"key\"",
        "\"validator\":\"v\"",
        "\"timeout_ms\":0",
        REFERENCE,
    ] {
        let other = format!(r#"{{"from":"bob","to":"carol","amount":50,"id":"b-1",{field}}}"#);
        assert_ne!(parse(Some(other.as_bytes())).unwrap().body_hash(), transaction.body_hash(), "{field}");
    }
}

#[test]
fn every_record_becomes_one_entry_and_its_timestamp_one_that_every_reader_of_json_can_hold() {
    let value = br#"{"from":"alice","to":"bob","amount":3}"#;
    let (entry, reject) = Entry::of_record(2, 7, i64::MAX, Some(b"key"), Some(value));
    assert_eq!(reject, None);
    assert_eq!(entry.origin, Origin { partition: 2, offset: 7, timestamp_ms: (1 << 53) - 1 });
    assert_eq!(entry.original, Hash::of(value));
    let transaction = parse(Some(value)).unwrap();
    assert_eq!(entry.content, Content::Transaction { transaction, receipt: Receipt::UNDECIDED });

    let keys = [(None, None), (Some(&b""[..]), Some(Hash::of(b""))), (Some(b"key"), Some(Hash::of(b"key")))];
    for (key, hashed) in keys {
        let (entry, reject) = Entry::of_record(0, 0, i64::MIN, key, None);
        assert_eq!(reject.unwrap().code, RejectCode::NullValue);
        assert_eq!(entry.origin.timestamp_ms, 1 - (1 << 53));
        assert_eq!(entry.original, Hash::ZERO);
        assert_eq!(entry.content, Content::Stub { reason: RejectCode::NullValue, key: hashed });
    }
}

const PAGE: &str = include_str!("../../docs/encoding.md");

/// What the worked example shows, line by line, in the order of the page.
fn example() -> Vec<String> {
    let (genesis, block) = (genesis(), block());
    let first = genesis.block(Hash::of(b"state after genesis"));
    let hex = |bytes: &[u8]| hex_array::encode(bytes);
    let mut lines = vec![
        first.to_json(),
        block.to_json(),
        hex(&to_canonical(&genesis.parameters)),
        genesis.parameters.hash().to_string(),
        hex(&to_canonical(&genesis.members())),
        validators_hash(&genesis.members()).to_string(),
        hex(&to_canonical(&genesis)),
        genesis.hash().to_string(),
        hex(&to_canonical(&first.header)),
        first.hash.to_string(),
    ];
    for (leaf, entry) in merkle::leaves(&block.entries).iter().zip(&block.entries) {
        lines.extend([hex(&to_canonical(entry)), leaf.to_string()]);
    }
    let transaction = parse(Some(br#"{"from":"alice","to":"bob","amount":3}"#)).unwrap();
    lines.push(format!("Its body hash is `{}`.", transaction.body_hash()));
    for (leaf, operation) in merkle::leaves(&block.operations).iter().zip(&block.operations) {
        lines.extend([hex(&to_canonical(operation)), leaf.to_string()]);
    }
    lines.extend([hex(&to_canonical(&block.header)), block.hash.to_string()]);
    let signed = transaction.signed(&genesis.hash(), &ed25519_zebra::SigningKey::from([1; 32]));
    let Authorization { public_key, signature } = signed.authorization.unwrap();
    lines.extend([hex(&signed.signing_bytes(&genesis.hash(), &public_key)), hex(&signature)]);
    lines
}

#[test]
fn the_worked_example_of_the_page_is_what_the_code_makes() {
    let missing: Vec<_> = example().into_iter().filter(|line| !PAGE.lines().any(|shown| shown == line)).collect();
    assert!(missing.is_empty(), "docs/encoding.md does not have these lines, in this order:\n{}", missing.join("\n"));
}

#[test]
fn the_entry_that_the_page_takes_apart_is_the_first_one() {
    let (_, apart) = PAGE.split_once("taken apart:\n\n```text\n").unwrap();
    let (apart, _) = apart.split_once("```").unwrap();
    let is_hex = |word: &&str| {
        word.len().is_multiple_of(2) && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let words: String = apart.lines().flat_map(|line| line.split_whitespace().take_while(is_hex)).collect();
    assert_eq!(words, hex_array::encode(&to_canonical(&block().entries[0])));
}

#[test]
fn the_page_lists_every_code_with_its_byte() {
    // However its lines are wrapped.
    let page = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    let list = |codes: Vec<(u8, &str)>| {
        let list: Vec<_> = codes.iter().map(|(byte, text)| format!("{byte} `{text}`")).collect();
        assert!(page.contains(&list.join(", ")), "docs/encoding.md does not have the list\n{}", list.join(", "));
    };
    list(RejectCode::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(ReasonCode::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(Cut::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(Kind::ALL.iter().skip(1).map(|code| (*code as u8, code.as_str())).collect());
    list(Signatures::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(Committee::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
}
