//! Strategies for values of the chain, for property tests.

use proptest::array::{uniform8, uniform32};
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;

pub(crate) fn hash() -> impl Strategy<Value = Hash> {
    uniform32(any::<u8>()).prop_map(Hash)
}

fn bytes<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    (any::<u8>(), any::<u8>()).prop_map(|(first, rest)| {
        let mut bytes = [rest; N];
        bytes[0] = first;
        bytes
    })
}

pub(crate) fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![0..100_u64, 0..=Amount::MAX.get(), Just(Amount::MAX.get())].prop_filter_map("amount", Amount::new)
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        "[a-z$\"\\\\ é😀]{1,12}".prop_filter_map("name", |text| text.parse().ok()),
        "\\PC{1,40}".prop_filter_map("name", |text| text.parse().ok()),
        uniform32(any::<u8>()).prop_map(|key| Name::keyed(&key)),
    ]
}

pub(crate) fn validator() -> impl Strategy<Value = ValidatorId> {
    "[a-z0-9._-]{1,64}".prop_filter_map("id", |text| text.parse().ok())
}

pub(crate) fn bitmap() -> impl Strategy<Value = Bitmap> {
    btree_set(0_u16..70, 0..6).prop_map(|places| places.into_iter().collect())
}

fn code<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

prop_compose! {
    pub(crate) fn transaction()(
        kind in code(Kind::ALL), asset in prop_oneof![Just(0), any::<u32>()], from in name(), to in name(),
        amount in amount(), fee in option::of(amount()),
        id in option::of("[a-z\"é]{1,40}".prop_filter_map("id", |text| Id::new(&text).ok())),
        numbers in (option::of(amount()), option::of(amount()), option::of(amount())),
        memo in option::of(any::<String>().prop_filter_map("memo", |text| Memo::new(&text).ok())),
        (validator, reference) in (option::of(validator()), option::of(hash())),
        authorization in option::of((bytes(), bytes())),
    ) -> Transaction {
        let [nonce, valid_until, timeout_ms] = <[_; 3]>::from(numbers).map(|number| number.map(Amount::get));
        let authorization = authorization.map(|(public_key, signature)| Authorization { public_key, signature });
        let version = Transaction::VERSION;
        Transaction {
            version, kind, asset, from, to, amount, fee, id, nonce, valid_until, memo, validator, timeout_ms, reference,
            authorization,
        }
    }
}

pub(crate) fn receipt() -> impl Strategy<Value = Receipt> {
    let outcome = prop_oneof![Just(Outcome::Applied), code(ReasonCode::ALL).prop_map(Outcome::Rejected)];
    (outcome, any::<i64>(), any::<i64>()).prop_map(|(outcome, from_balance, to_balance)| Receipt {
        outcome,
        from_balance,
        to_balance,
    })
}

pub(crate) fn entry() -> impl Strategy<Value = Entry> {
    let content = prop_oneof![
        3 => (transaction(), receipt()).prop_map(|(transaction, receipt)| Content::Transaction { transaction, receipt }),
        1 => (code(RejectCode::ALL), option::of(hash())).prop_map(|(reason, key)| Content::Stub { reason, key }),
    ];
    (any::<i32>(), any::<i64>(), any::<i64>(), hash(), content).prop_map(
        |(partition, offset, timestamp_ms, original, content)| Entry {
            origin: Origin { partition, offset, timestamp_ms },
            original,
            content,
        },
    )
}

fn author() -> impl Strategy<Value = Author> {
    let stake = (validator(), any::<u32>(), hash());
    let work = (name(), any::<u64>(), any::<u64>());
    prop_oneof![
        1 => Just(Author::Genesis),
        4 => stake.prop_map(|(proposer, round, seed)| Author::Stake(StakeAuthor { proposer, round, seed })),
        4 => work.prop_map(|(miner, difficulty, last_proof)| Author::Work(WorkAuthor { miner, difficulty, last_proof })),
    ]
}

prop_compose! {
    pub(crate) fn header()(
        heights in (any::<u64>(), any::<u64>()), time_ms in any::<i64>(),
        hashes in uniform8(hash()),
        window in option::of((any::<i64>(), any::<i64>()).prop_map(|(start_ms, end_ms)| Window { start_ms, end_ms })),
        cut in code(Cut::ALL),
        ranges in vec((any::<i32>(), any::<i64>(), any::<i64>(), any::<u64>()), 0..3),
        author in author(),
        extensions in vec((any::<u16>(), any::<bool>(), vec(any::<u8>(), 0..40)), 0..3),
    ) -> Header {
        let range = |(partition, first, last, count)| Range { partition, first, last, count };
        let extension = |(id, critical, value)| Extension { id, critical, value };
        let [genesis, parent, history, transactions_root, operations_root, state_root, validators, parameters] = hashes;
        Header {
            version: Header::VERSION, hash_algorithm: Header::SHA_256, genesis, height: heights.0, active_height: heights.1,
            time_ms, parent, history, window, cut,
            ranges: ranges.into_iter().map(range).collect(),
            transactions_root, operations_root, state_root, validators, parameters, author,
            extensions: extensions.into_iter().map(extension).collect(),
        }
    }
}

fn signed_header() -> impl Strategy<Value = SignedHeader> {
    (header(), bytes()).prop_map(|(header, signature)| SignedHeader { header, signature })
}

pub(crate) fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        (signed_header(), signed_header()).prop_map(|(first, second)| Evidence::Equivocation { first, second }),
        (signed_header(), code(RefusalReason::ALL), bytes(), bitmap()).prop_map(
            |(header, reason, signature, signers)| { Evidence::Refusal { header, reason, signature, signers } }
        ),
    ]
}

pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        (validator(), name(), amount(), any::<i64>())
            .prop_map(|(validator, account, amount, balance)| Operation::Fee { validator, account, amount, balance }),
        (validator(), name(), amount(), any::<i64>()).prop_map(|(validator, account, amount, balance)| {
            Operation::Reward { validator, account, amount, balance }
        }),
        (name(), amount(), any::<i64>()).prop_map(|(account, amount, balance)| Operation::MinerFee {
            account,
            amount,
            balance
        }),
        (name(), amount(), any::<i64>()).prop_map(|(account, amount, balance)| Operation::MinerReward {
            account,
            amount,
            balance
        }),
        (any::<u32>(), validator()).prop_map(|(round, validator)| Operation::Missed { round, validator }),
        (any::<u32>(), validator(), any::<u64>(), evidence()).prop_map(|(round, validator, amount, evidence)| {
            Operation::Slash { round, validator, amount, evidence: Box::new(evidence) }
        }),
    ]
}

fn consensus() -> impl Strategy<Value = Consensus> {
    let work = (code(WorkRule::ALL), any::<u8>(), any::<u64>());
    prop_oneof![
        Just(Consensus::Stake { committee: Committee::Local }),
        work.prop_map(|(rule, leading_zero_bits, target_interval_ms)| {
            Consensus::Work(Work { rule, leading_zero_bits, target_interval_ms })
        }),
    ]
}

prop_compose! {
    pub(crate) fn parameters()(
        block in (any::<u32>(), any::<u32>(), any::<u64>(), any::<u64>()),
        balances in option::of(amount()), signatures in code(Signatures::ALL), fee in amount(), reward in amount(),
        ids_remember_blocks in any::<u64>(), versions in vec((any::<u16>(), any::<u64>()), 0..3),
        consensus in consensus(),
    ) -> Parameters {
        let (block_max_transactions, block_max_bytes, block_max_age_ms, block_window_ms) = block;
        let scheduled = |(version, from_height)| ScheduledVersion { version, from_height };
        Parameters {
            versions: versions.into_iter().map(scheduled).collect(), block_max_transactions, block_max_bytes, block_max_age_ms, block_window_ms,
            balances: balances.map_or(Balances::Strict, |overdraft_max| Balances::Open { overdraft_max }),
            signatures, fee, reward, ids_remember_blocks, consensus,
        }
    }
}

pub(crate) fn genesis() -> impl Strategy<Value = Genesis> {
    let validator = (validator(), bytes(), bytes(), bytes(), any::<u64>())
        .prop_map(|(id, ed25519, bls, possession, stake)| GenesisValidator { id, ed25519, bls, possession, stake });
    ("\\PC{0,20}", any::<i64>(), vec((name(), any::<i64>()), 0..3), vec(validator, 0..3), parameters()).prop_map(
        |(chain_id, created_ms, accounts, validators, parameters)| Genesis {
            chain_id,
            created_ms,
            accounts,
            validators,
            parameters,
        },
    )
}

pub(crate) fn seal() -> impl Strategy<Value = Seal> {
    prop_oneof![
        (bytes(), bytes(), bytes(), bitmap()).prop_map(|(signature, reveal, attestation, signers)| {
            Seal::Stake(StakeSeal { signature, reveal, attestation, signers })
        }),
        any::<u64>().prop_map(|proof| Seal::Work(WorkSeal { proof })),
    ]
}

pub(crate) fn block() -> impl Strategy<Value = Block> {
    (header(), option::of(seal()), vec(entry(), 0..4), vec(operation(), 0..3), option::of(genesis())).prop_map(
        |(header, seal, entries, operations, genesis)| Block {
            hash: header.hash(),
            header,
            seal,
            entries,
            operations,
            genesis,
        },
    )
}
