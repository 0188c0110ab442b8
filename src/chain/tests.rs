//! A small chain, the worked example of `docs/encoding.md`, and what is noticed when it is altered.

use super::*;

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
    let memo = br#"{"from":"bob","to":"carol","amount":50,"id":"b-1","memo":"rent","valid_until_height":9}"#;
    let rejected =
        Receipt { outcome: Outcome::Rejected(ReasonCode::InsufficientFunds), from_balance: 3, to_balance: 100 };
    let entry = |offset, value: &[u8], content| Entry {
        origin: Origin { partition: 0, offset, timestamp_ms: 1_700_000_000_000 + offset },
        original: Hash::of(value),
        content,
    };
    vec![
        entry(0, value, Content::Transaction { transaction, receipt }),
        entry(1, garbage, Content::Stub { reason: RejectCode::NotJson, key: Hash::ZERO, value: Hash::of(garbage) }),
        entry(2, memo, Content::Transaction { transaction: parse(Some(memo)).unwrap(), receipt: rejected }),
    ]
}

pub(crate) fn header() -> Header {
    block().header
}

/// Block 1 of the worked example. Its state root and seal are made up: nothing here executes or signs.
pub(crate) fn block() -> Block {
    let genesis = genesis().block(Hash::of(b"state after genesis"));
    let entries = entries();
    let operations = vec![
        Operation::Missed { round: 0, validator: "validator-2".parse().unwrap() },
        Operation::Reward {
            validator: "validator-1".parse().unwrap(),
            account: "dave".parse().unwrap(),
            amount: Amount::new(1).unwrap(),
            balance: 1,
        },
    ];
    let header = Header {
        height: 1,
        parent: genesis.hash,
        time_ms: 1_700_000_000_000,
        window: Some(Window { start_ms: 1_700_000_000_000, end_ms: 1_700_000_001_000 }),
        cut: Cut::Transactions,
        ranges: check::ranges(&entries),
        transactions_root: check::transactions_root(&entries),
        operations_root: check::operations_root(&operations),
        state_root: Hash::of(b"state after block 1"),
        proposer: "validator-1".parse().unwrap(),
        round: 1,
        seed: Hash::of(b"a seed"),
        extensions: vec![Extension { id: 7, critical: false, value: vec![0xca, 0xfe] }],
        ..genesis.header
    };
    let seal = Seal {
        scheme: Seal::ED25519_BLS,
        signature: [0x51; 64],
        reveal: [0x52; 48],
        attestation: [0x53; 48],
        signers: [0, 2].into_iter().collect(),
    };
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
    assert_eq!(block().header.check_follows(&genesis.header), Ok(()));
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
    assert_eq!(breach(&altered(|block| block.header.round += 1)), "hash");
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
    assert_eq!(breach(&forged(|block| block.entries[1].original = Hash::ZERO)), "transactions.stub.value");
    assert_eq!(breach(&forged(|block| block.header.version = 2)), "header.version");
    assert_eq!(breach(&forged(|block| block.header.hash_algorithm = 2)), "header.hash_algorithm");
    assert_eq!(breach(&forged(|block| block.header.extensions[0].critical = true)), "header.extensions");
    assert_eq!(
        breach(&forged(|block| block.header.extensions.push(block.header.extensions[0].clone()))),
        "header.extensions"
    );
    assert_eq!(breach(&forged(|block| block.header.cut = Cut::Genesis)), "header.cut");
    let mut zero = genesis().block(Hash::ZERO);
    zero.genesis.as_mut().unwrap().accounts[0].1 = 101;
    assert_eq!(breach(&zero), "header.parent");
    zero.header.parent = zero.genesis.as_ref().unwrap().hash();
    zero.hash = zero.header.hash();
    assert_eq!(breach(&zero), "header");
}

#[test]
fn blocks_follow_each_other_in_height_hash_chain_and_offsets() {
    let (first, mut second) = (block(), block());
    second.header.height = 2;
    second.header.parent = first.hash;
    assert_eq!(second.header.check_follows(&first.header), Ok(()));
    let breach = |header: Header| match header.check_follows(&first.header) {
        Err(Error::Block { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    assert_eq!(breach(Header { height: 3, ..second.header.clone() }), "header.height");
    assert_eq!(breach(Header { parent: Hash::ZERO, ..second.header.clone() }), "header.parent");
    assert_eq!(breach(Header { chain_id: "other".to_owned(), ..second.header.clone() }), "header.chain_id");

    let mut coverage = Coverage::default();
    assert_eq!(coverage.extend(&first.header), Ok(()));
    assert_eq!(coverage.last(0), Some(2));
    assert!(coverage.extend(&second.header).is_err());
    assert_eq!(coverage.last(0), Some(2));
    second.header.ranges[0] = Range { partition: 0, first: 4, last: 5, count: 2 };
    assert_eq!(coverage.extend(&second.header), Ok(()));
    assert_eq!((coverage.last(0), coverage.last(1)), (Some(5), None));
}

#[test]
fn the_body_hash_leaves_out_the_signature_and_nothing_else() {
    let transaction = parse(Some(br#"{"from":"bob","to":"carol","amount":50,"id":"b-1"}"#)).unwrap();
    let signed = transaction.clone().signed("cairn", &ed25519_zebra::SigningKey::from([3; 32]));
    assert_eq!(signed.body_hash(), transaction.body_hash());
    for field in
        ["\"fee\":0", "\"nonce\":1", "\"memo\":\"\"", "\"valid_until_height\":0", "\"asset\":1", "\"kind\":\"key\""]
    {
        let other = format!(r#"{{"from":"bob","to":"carol","amount":50,"id":"b-1",{field}}}"#);
        assert_ne!(parse(Some(other.as_bytes())).unwrap().body_hash(), transaction.body_hash(), "{field}");
    }
}
/// A line of the page that is nothing but this text.
fn documented(line: &str) {
    let page = include_str!("../../docs/encoding.md");
    assert!(page.lines().any(|documented| documented == line), "docs/encoding.md does not have the line\n{line}");
}

#[test]
fn the_worked_example_of_the_page_is_what_the_code_makes() {
    let hex = |value: &dyn Fn() -> Vec<u8>| documented(&hex_array::encode(&value()));
    let (genesis, block) = (genesis(), block());
    let first = genesis.block(Hash::of(b"state after genesis"));
    documented(&first.to_json());
    documented(&block.to_json());
    hex(&|| to_canonical(&genesis.parameters));
    hex(&|| to_canonical(&genesis.members()));
    hex(&|| to_canonical(&genesis));
    hex(&|| to_canonical(&first.header));
    hex(&|| to_canonical(&block.header));
    let hashes =
        [genesis.parameters.hash(), validators_hash(&genesis.members()), genesis.hash(), first.hash, block.hash];
    hashes.iter().for_each(|hash| documented(&hash.to_string()));
    for (leaf, entry) in merkle::leaves(&block.entries).iter().zip(&block.entries) {
        hex(&|| to_canonical(entry));
        documented(&leaf.to_string());
    }
    for (leaf, operation) in merkle::leaves(&block.operations).iter().zip(&block.operations) {
        hex(&|| to_canonical(operation));
        documented(&leaf.to_string());
    }
    let transaction = parse(Some(br#"{"from":"alice","to":"bob","amount":3}"#)).unwrap();
    documented(&format!("Its body hash is `{}`.", transaction.body_hash()));
    let signed = transaction.signed("cairn", &ed25519_zebra::SigningKey::from([1; 32]));
    let Authorization { public_key, signature } = signed.authorization.unwrap();
    hex(&|| signed.signing_bytes("cairn", &public_key));
    hex(&|| signature.to_vec());
}

#[test]
fn the_page_lists_every_code_with_its_byte() {
    let page = include_str!("../../docs/encoding.md");
    let list = |codes: Vec<(u8, &str)>| {
        let list: Vec<_> = codes.iter().map(|(byte, text)| format!("{byte} `{text}`")).collect();
        assert!(page.contains(&list.join(", ")), "{list:?}");
    };
    list(RejectCode::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(ReasonCode::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(Cut::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(Kind::ALL.iter().skip(1).map(|code| (*code as u8, code.as_str())).collect());
    list(Signatures::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
    list(Committee::ALL.iter().map(|code| (*code as u8, code.as_str())).collect());
}
