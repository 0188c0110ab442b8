//! A genesis and its file.

use proptest::prelude::*;

use super::*;
use crate::chain::tests::genesis;
use crate::chain::{Amount, Error, arbitrary};

fn field_of(result: Result<impl std::fmt::Debug, Error>) -> String {
    match result {
        Err(Error::Genesis { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_gives_back_the_same_genesis() {
    let genesis = genesis();
    let file = genesis.to_toml();
    assert_eq!(Genesis::from_toml(&file).unwrap(), genesis, "{file}");
    let strict =
        Genesis { parameters: Parameters { balances: Balances::Strict, ..genesis.parameters.clone() }, ..genesis };
    assert_eq!(Genesis::from_toml(&strict.to_toml()).unwrap(), strict);
}

#[test]
fn what_a_file_leaves_out_has_its_default_and_order_does_not_matter() {
    let mut file = String::from("[block]\nmax_transactions = 3\n[[accounts]]\nname = \"zoe\"\nbalance = 5\n");
    file += "[[accounts]]\nname = \"a \\\"b\\\"\"\nbalance = -5\n";
    for id in ["b", "a"] {
        let seed = id.as_bytes()[0];
        let key = ed25519_zebra::VerificationKeyBytes::from(&ed25519_zebra::SigningKey::from([seed; 32]));
        let (key, bls, proof) = (hex::encode(<[u8; 32]>::from(key)), hex::encode([seed; 96]), hex::encode([seed; 48]));
        file += &format!(
            "[[validators]]\nid=\"{id}\"\nstake=1\ned25519=\"{key}\"\nbls=\"{bls}\"\npossession=\"{proof}\"\n"
        );
    }
    let genesis = Genesis::from_toml(&file).unwrap();
    assert_eq!(genesis.chain_id, DEFAULT_CHAIN_ID);
    assert_eq!(genesis.parameters, Parameters { block_max_transactions: 3, ..Parameters::default() });
    assert_eq!(genesis.parameters.versions, versions(&[(1, 0)]));
    assert_eq!(genesis.accounts.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a \"b\"", "zoe"]);
    assert_eq!(genesis.validators.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(Genesis::from_toml(&genesis.to_toml()).unwrap().hash(), genesis.hash());
}

#[test]
fn strict_balances_have_no_overdraft() {
    let genesis = genesis();
    let file =
        Genesis { parameters: Parameters { balances: Balances::Strict, ..genesis.parameters.clone() }, ..genesis }
            .to_toml();
    let both = file.replacen("balances = \"strict\"\n", "balances = \"strict\"\noverdraft_max = 7\n", 1);
    assert_ne!(both, file);
    assert_eq!(field_of(Genesis::from_toml(&both)), "overdraft_max");
}

#[test]
fn a_wrong_genesis_names_the_key_to_change() {
    let refused = |alter: &dyn Fn(&mut Genesis)| {
        let mut genesis = genesis();
        alter(&mut genesis);
        field_of(genesis.validate())
    };
    assert_eq!(refused(&|genesis| genesis.chain_id.clear()), "chain_id");
    assert_eq!(refused(&|genesis| genesis.chain_id = "My Chain".to_owned()), "chain_id");
    assert_eq!(refused(&|genesis| genesis.accounts.push(genesis.accounts[0].clone())), "accounts");
    assert_eq!(refused(&|genesis| genesis.accounts[0].0 = "$system".parse().unwrap()), "accounts");
    assert_eq!(refused(&|genesis| genesis.accounts[0].1 = -1), "accounts");
    assert_eq!(refused(&|genesis| genesis.accounts[0].1 = i64::MAX), "accounts");
    // Block 0 has to fit a record of 8 MiB.
    let many = |count| (0..count).map(|n| (format!("{n:06}{}", "x".repeat(100)).parse().unwrap(), 0)).collect();
    assert_eq!(refused(&|genesis| genesis.accounts = many(60_000)), "accounts");
    let fits = Genesis { accounts: many(50_000), ..genesis() };
    assert_eq!(fits.validate(), Ok(()));
    assert_eq!(refused(&|genesis| genesis.validators.clear()), "validators");
    assert_eq!(refused(&|genesis| genesis.validators[0].stake = 0), "validators");
    assert_eq!(refused(&|genesis| genesis.validators[0].stake = u64::MAX), "validators");
    assert_eq!(refused(&|genesis| genesis.validators.push(genesis.validators[0].clone())), "validators");
    type Schedule = &'static [(u16, u64)];
    let schedules: [Schedule; 6] =
        [&[], &[(1, 1)], &[(0, 0)], &[(1, 0), (1, 5)], &[(1, 0), (2, 0)], &[(1, 0), (2, 1 << 53)]];
    for schedule in schedules {
        assert_eq!(refused(&|genesis| genesis.parameters.versions = versions(schedule)), "versions", "{schedule:?}");
    }
    assert_eq!(refused(&|genesis| genesis.parameters.block_max_transactions = 0), "block.max_transactions");
    assert_eq!(refused(&|genesis| genesis.parameters.block_max_bytes = u32::MAX), "block.max_bytes");
    assert_eq!(refused(&|genesis| genesis.parameters.block_max_age_ms = 0), "block.max_age_ms");
    assert_eq!(refused(&|genesis| genesis.parameters.block_window_ms = u64::MAX), "block.window_ms");
    let open = |overdraft_max| Balances::Open { overdraft_max };
    let mut genesis = genesis();
    genesis.accounts.insert(0, ("bob".parse().unwrap(), -7));
    assert_eq!(genesis.validate(), Ok(()));
    genesis.parameters.balances = open(Amount::new(6).unwrap());
    assert_eq!(field_of(genesis.validate()), "accounts");
    assert_eq!(field_of(Genesis::from_toml("chain_id = 3")), "file");
    assert_eq!(field_of(Genesis::from_toml("block.max_transaction = 3")), "file");
    assert_eq!(field_of(Genesis::from_toml("")), "validators");
}

fn versions(schedule: &[(u16, u64)]) -> Vec<ScheduledVersion> {
    let scheduled =
        |(version, from_height): &(u16, u64)| ScheduledVersion { version: *version, from_height: *from_height };
    schedule.iter().map(scheduled).collect()
}

#[test]
fn a_schedule_says_which_version_a_header_has_and_what_only_a_newer_program_knows() {
    let mut genesis = genesis();
    genesis.parameters.versions = versions(&[(1, 0), (2, 10), (7, 12)]);
    assert_eq!(genesis.validate(), Ok(()), "versions to come need not be known yet");
    assert_eq!(Genesis::from_toml(&genesis.to_toml()).unwrap(), genesis);
    let parameters = &genesis.parameters;
    let at = [0, 9, 10, 11, 12, u64::MAX].map(|height| parameters.version_at(height));
    assert_eq!(at, [1, 1, 2, 2, 7, 7]);
    let check =
        |height, version| parameters.check_version(&Header { height, version, ..crate::chain::tests::block().header });
    assert_eq!(check(9, 1), Ok(()));
    assert!(matches!(check(9, 0), Err(Error::Block { height: 9, field: "header.version", .. })));
    // A header that says less than the schedule hides nothing: from this height on the rules are not known here.
    for (height, version) in [(10, 1), (10, 2), (9, 2), (12, 7)] {
        let error = check(height, version).unwrap_err();
        assert!(matches!(error, Error::Newer { height: of, .. } if of == height), "{error}");
    }
    genesis.parameters.versions = versions(&[(2, 0)]);
    for error in [genesis.validate(), Genesis::from_toml(&genesis.to_toml()).map(drop)] {
        assert!(matches!(error, Err(Error::Newer { height: 0, .. })), "{error:?}");
    }
}

#[test]
fn whoever_holds_a_third_is_named_with_the_share() {
    let with = |stakes: &[u64]| {
        let mut genesis = genesis();
        let one = genesis.validators[0].clone();
        let named = |(place, stake): (usize, &u64)| GenesisValidator {
            id: format!("v{place}").parse().unwrap(),
            stake: *stake,
            ..one.clone()
        };
        genesis.validators = stakes.iter().enumerate().map(named).collect();
        genesis.holder_of_a_third().map(|(id, percent)| (id.to_string(), percent))
    };
    assert_eq!(with(&[1]), Some(("v0".to_owned(), 100)));
    assert_eq!(with(&[100, 101, 101]), Some(("v2".to_owned(), 33)));
    assert_eq!(with(&[1, 2, 6]), Some(("v2".to_owned(), 66)));
    assert_eq!(with(&[33, 33, 33, 1]), None);
    assert_eq!(with(&[u64::MAX, u64::MAX, u64::MAX]), Some(("v2".to_owned(), 33)));
    assert_eq!(with(&[]), None);
}

#[test]
fn no_default_validator_holds_a_third() {
    let total: u64 = DEFAULT_VALIDATORS.iter().map(|(_, stake)| stake).sum();
    assert!(DEFAULT_VALIDATORS.iter().all(|(id, stake)| ValidatorId::new(id).is_ok() && stake * 3 < total));
}

#[test]
fn parameters_can_be_set_by_the_names_they_are_reported_under() {
    let mined = Parameters { consensus: Consensus::Work(Work::default()), ..Parameters::default() };
    for default in [Parameters::default(), mined] {
        let mut parameters = default.clone();
        for key in PARAMETER_KEYS {
            match parameters.get(key) {
                Some(text) => parameters.set(key, &text).unwrap(),
                // It belongs to the other kind of consensus.
                None => assert_eq!(field_of(parameters.set(key, "0")), key),
            }
            assert_eq!(field_of(parameters.set(key, "no such value")), key);
        }
        assert_eq!(parameters, default);
    }
    let mut parameters = Parameters::default();
    assert_eq!(field_of(parameters.set("block.colour", "3")), "block.colour");
    parameters.set("balances", "strict").unwrap();
    assert_eq!(parameters.get("overdraft_max"), None);
    assert_eq!(field_of(parameters.set("fee", "9007199254740992")), "fee");
}

fn mined(work: Work) -> Genesis {
    let parameters = Parameters {
        consensus: Consensus::Work(work),
        block_window_ms: 0,
        block_max_age_ms: 400,
        ..genesis().parameters
    };
    Genesis { validators: Vec::new(), parameters, ..genesis() }
}

#[test]
fn a_genesis_of_work_has_no_validators_and_survives_its_file_and_block_0() {
    let classic = Work { rule: WorkRule::Classic, leading_zero_bits: 20, target_interval_ms: 0 };
    let adjusted = Work { rule: WorkRule::Header, leading_zero_bits: 9, target_interval_ms: 900 };
    for work in [Work::default(), classic, adjusted] {
        let genesis = mined(work);
        assert_eq!(genesis.validate(), Ok(()));
        assert_eq!(Genesis::from_toml(&genesis.to_toml()).unwrap(), genesis, "{}", genesis.to_toml());
        let json = serde_json::to_string(&genesis).unwrap();
        assert_eq!(serde_json::from_str::<Genesis>(&json).unwrap(), genesis);
        assert!(!json.contains("committee") && json.contains("\"consensus\":\"work\",\"work\":{\"rule\":"), "{json}");
        let both = genesis.to_toml().replacen("consensus = ", "committee = \"local\"\nconsensus = ", 1);
        assert_eq!(field_of(Genesis::from_toml(&both)), "committee");
    }
    let both = genesis().to_toml() + "\n[work]\nrule = \"header\"\n";
    assert_eq!(field_of(Genesis::from_toml(&both)), "work");
    let bare = Genesis::from_toml("consensus = \"work\"").unwrap();
    assert_eq!(bare.parameters.consensus, Consensus::Work(Work::default()));
}

#[test]
fn work_that_cannot_be_what_it_is_said_to_be_is_refused_by_its_key() {
    let refused = |work: Work, alter: &dyn Fn(&mut Genesis)| {
        let mut genesis = mined(work);
        alter(&mut genesis);
        field_of(genesis.validate())
    };
    let (header, adjusted) = (Work::default(), Work { target_interval_ms: 800, ..Work::default() });
    let classic = Work { rule: WorkRule::Classic, ..Work::default() };
    let with = |bits, work: Work| Work { leading_zero_bits: bits, ..work };
    let (bits, target) = ("work.leading_zero_bits", "work.target_interval_ms");
    assert_eq!(refused(with(0, header), &|_| ()), bits);
    assert_eq!(refused(with(37, header), &|_| ()), bits);
    assert_eq!(refused(with(18, classic), &|_| ()), bits);
    assert_eq!(refused(with(7, adjusted), &|_| ()), bits);
    assert_eq!(refused(Work { target_interval_ms: 86_400_001, ..header }, &|_| ()), target);
    assert_eq!(refused(Work { target_interval_ms: 800, ..classic }, &|_| ()), target);
    assert_eq!(refused(adjusted, &|genesis| genesis.parameters.block_window_ms = 1_000), target);
    assert_eq!(refused(adjusted, &|genesis| genesis.parameters.block_max_age_ms = 401), target);
    assert_eq!(refused(header, &|other| other.validators = genesis().validators), "validators");
    let nobody = |genesis: &mut Genesis| genesis.accounts.insert(0, ("0".parse().unwrap(), 1));
    assert_eq!(refused(classic, &nobody), "accounts");
    let mut anybody = mined(header);
    nobody(&mut anybody);
    assert_eq!(anybody.validate(), Ok(()));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z_=\\[\\]\" .0-9\n]{0,200}") {
        let _ = Genesis::from_toml(&text);
    }

    #[test]
    fn parameters_survive_their_text(parameters in arbitrary::parameters()) {
        // The schedule of versions is no one value, and has no key.
        let mut copy = Parameters { versions: parameters.versions.clone(), ..Parameters::default() };
        for key in PARAMETER_KEYS {
            if let Some(text) = parameters.get(key) {
                copy.set(key, &text).unwrap();
            }
        }
        prop_assert_eq!(copy, parameters);
    }
}
