use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::chain::arbitrary as any_chain;
use crate::chain::{Cut, Hash, Id, Name, Parameters, merkle};
use crate::ledger::Tree;
use crate::ledger::state::{Account, CHUNK_SIZE_BYTES_MAX, Table, ValidatorRecord, id_key};

fn hashes() -> impl Strategy<Value = Vec<Hash>> {
    vec(any_chain::hash(), 0..4)
}

fn place() -> impl Strategy<Value = Place> {
    (any::<u64>(), hashes()).prop_map(|(index, path)| Place { index, path })
}

fn state_path() -> impl Strategy<Value = StatePath> {
    let other = option::of((any_chain::hash(), any_chain::hash()).prop_map(Box::new));
    (hashes(), other).prop_map(|(siblings, other)| StatePath { siblings, other })
}

fn record() -> impl Strategy<Value = ValidatorRecord> {
    (any::<[u8; 32]>(), any::<[u8; 16]>(), any::<u64>(), option::of(any::<u64>()), any::<u64>()).prop_map(
        |(ed25519, more, stake, slashed_at_height, missed)| {
            let (mut bls, mut possession) = ([0; 96], [0; 48]);
            bls[..16].copy_from_slice(&more);
            possession[32..].copy_from_slice(&more);
            ValidatorRecord { ed25519, bls, possession, stake, slashed_at_height, missed }
        },
    )
}

fn id() -> impl Strategy<Value = Id> {
    "[a-z\"\\\\é]{1,40}".prop_filter_map("id", |text| Id::new(&text).ok())
}

fn listed() -> impl Strategy<Value = ListedIds> {
    let chunk = (option::of(vec(any::<u8>(), 0..40)), state_path()).prop_map(|(record, path)| Chunk { record, path });
    (any_chain::parameters(), vec(vec(chunk, 1..3), 0..3))
        .prop_map(|(parameters, lists)| ListedIds { parameters, lists })
}

// Boxed, each: all of them in one value would not fit the stack of a test.
fn claim() -> BoxedStrategy<Claim> {
    let entry = || any_chain::entry().prop_map(Box::new).boxed();
    let validator = (any_chain::validator(), option::of(record().prop_map(Box::new)), state_path());
    prop_oneof![
        (entry(), place()).prop_map(|(entry, place)| Claim::Transaction { entry, place }),
        (entry(), place()).prop_map(|(entry, place)| Claim::IdUsed { entry, place }),
        (any_chain::name(), id(), listed())
            .prop_map(|(sender, id, listed)| Claim::IdUnused { sender, id, listed })
            .boxed(),
        (any_chain::name(), any::<i64>(), any::<u64>(), state_path()).prop_map(|(name, balance, nonce, path)| {
            Claim::Balance { name, account: Account { balance, nonce }, path }
        }),
        validator.prop_map(|(id, record, path)| Claim::Validator { id, record, path }).boxed(),
        Just(Claim::Block),
    ]
    .boxed()
}

fn sealed() -> BoxedStrategy<Sealed> {
    let slashes = vec(any_chain::operation().boxed(), 0..3);
    (any_chain::genesis().boxed(), slashes, option::of(any_chain::seal()))
        .prop_map(|(genesis, slashes, seal)| Sealed { genesis, slashes, seal })
        .boxed()
}

fn proof() -> impl Strategy<Value = Proof> {
    let history =
        (any::<u64>(), any_chain::hash(), hashes()).prop_map(|(size, root, path)| History { size, root, path });
    (claim(), any_chain::header().boxed(), history, option::of(sealed()))
        .prop_map(|(claim, header, history, sealed)| Proof { claim, header, history, sealed })
}

proptest! {
    #[test]
    fn a_proof_comes_back_from_its_file_and_no_other_file_is_one(proof in proof(), cut: prop::sample::Index) {
        let file = proof.to_file();
        prop_assert_eq!(Proof::parse(&file), Ok(proof));
        prop_assert!(Proof::parse(&file[..cut.index(file.len())]).is_err());
        let spaced = [&file[..cut.index(file.len())], b" ", &file[cut.index(file.len())..]].concat();
        // In a text a space is a character like others.
        prop_assert!(Proof::parse(&spaced).is_ok_and(|other| other.to_file() == spaced) || Proof::parse(&spaced).is_err());
    }
}

/// A state of one table, and the header over it.
struct World {
    parameters: Parameters,
    records: Vec<([u8; 12], Vec<u8>)>,
    active_height: u64,
}

fn list(ids: &[(&Name, &Id)], size_bytes: usize) -> Vec<u8> {
    let keys: Vec<Vec<u8>> = ids.iter().map(|(sender, id)| id_key(sender, id)).collect();
    let mut record = vec![1];
    let mut rest: Vec<u8> = Vec::new();
    let mut count = 0_u32;
    for key in &keys {
        rest.extend((key.len() as u32).to_le_bytes());
        rest.extend(key);
        rest.extend([7; 32]);
        count += 1;
    }
    // One more id, as long as it takes to fill the chunk up.
    if let Some(length) = size_bytes.checked_sub(5 + rest.len() + 36) {
        rest.extend((length as u32).to_le_bytes());
        rest.resize(rest.len() + length, b'x');
        rest.extend([7; 32]);
        count += 1;
    }
    record.extend(count.to_le_bytes());
    record.extend(rest);
    record
}

impl World {
    fn tree(&self) -> Tree {
        let leaves = self.records.iter().map(|(key, record)| Table::Expiries.leaf(key, record)).collect();
        Tree::from_leaves(leaves).unwrap()
    }

    fn header(&self) -> Header {
        let genesis = crate::chain::tests::genesis();
        let mut header = genesis.block(self.tree().root()).header;
        (header.active_height, header.parameters, header.cut) = (self.active_height, self.parameters.hash(), Cut::End);
        header
    }

    /// What a prover shows who shows so many chunks of each list.
    fn listed(&self, chunk_count: u32) -> ListedIds {
        let tree = self.tree();
        let (first, last) = remembered(self.active_height, &self.parameters).unwrap();
        let chunk = |used_at, number| {
            let key = chunk_key(used_at, number, &self.parameters).unwrap();
            let record = self.records.iter().find(|(found, _)| *found == key).map(|(_, record)| record.clone());
            Chunk { record, path: StatePath::of(&tree, Table::Expiries, &key) }
        };
        let list = |used_at| (0..chunk_count).map(|number| chunk(used_at, number)).collect();
        ListedIds { parameters: self.parameters.clone(), lists: (first..=last).map(list).collect() }
    }
}

#[test]
fn a_list_ends_with_a_chunk_that_has_room_for_one_id_more_or_with_one_that_is_not_there() {
    let (alice, used, free) = ("alice".parse::<Name>().unwrap(), Id::new("used").unwrap(), Id::new("free").unwrap());
    let parameters = Parameters { ids_remember_blocks: 1, ..Parameters::default() };
    let key = |chunk| chunk_key(5, chunk, &parameters).unwrap();
    let room = CHUNK_SIZE_BYTES_MAX - 293;
    let check = |sizes: &[usize], chunk_count| {
        let records: Vec<_> =
            (0..).zip(sizes).map(|(number, size)| (key(number), list(&[(&alice, &used)], *size))).collect();
        let world = World { parameters: parameters.clone(), records, active_height: 5 };
        world.listed(chunk_count).check(&alice, &free, &world.header()).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(check(&[room], 1), Ok(()));
    for (sizes, chunk_count) in [(&[room][..], 2), (&[room + 1], 1), (&[room + 1, 100], 1), (&[room + 1, 100], 3)] {
        let refused = check(sizes, chunk_count).unwrap_err();
        assert!(refused.contains("does not end where it must"), "{sizes:?} {chunk_count}: {refused}");
    }
    assert_eq!(check(&[room + 1], 2), Ok(()), "the second is shown not to be there");
    assert_eq!(check(&[room + 1, 100], 2), Ok(()));
    assert_eq!(check(&[], 1), Ok(()), "no ids were used");
    // An id of the second chunk is found, too.
    let records = vec![(key(0), list(&[], room + 1)), (key(1), list(&[(&alice, &free)], 0))];
    let world = World { parameters: parameters.clone(), records, active_height: 5 };
    let refused = world.listed(2).check(&alice, &free, &world.header()).unwrap_err().to_string();
    assert!(refused.contains("was used at active height 5"), "{refused}");
}

#[test]
fn only_ids_that_the_next_block_still_knows_are_remembered() {
    let parameters = |ids_remember_blocks| Parameters { ids_remember_blocks, ..Parameters::default() };
    assert_eq!(remembered(0, &parameters(10)), None);
    assert_eq!(remembered(7, &parameters(0)), None);
    assert_eq!(remembered(7, &parameters(10)), Some((1, 7)));
    assert_eq!(remembered(17, &parameters(10)), Some((8, 17)));
    assert_eq!(chunk_key(u64::MAX, 0, &parameters(0)), None);
}

#[test]
fn active_heights_at_the_end_of_64_bits_are_refused_like_others() {
    let (alice, id) = ("alice".parse::<Name>().unwrap(), Id::new("order-1").unwrap());
    for (active_height, ids_remember_blocks, says) in [
        (u64::MAX, 1, "no list can be of active height 18446744073709551615"),
        (u64::MAX - 1, 1, "no list can be of active height 18446744073709551614"),
        (u64::MAX, u64::MAX, "it has lists of 1 active heights"),
    ] {
        let parameters = Parameters { ids_remember_blocks, ..Parameters::default() };
        let world = World { parameters: parameters.clone(), records: Vec::new(), active_height };
        let path = StatePath { siblings: Vec::new(), other: None };
        let listed = ListedIds { parameters, lists: vec![vec![Chunk { record: None, path }]] };
        let refused = listed.check(&alice, &id, &world.header()).unwrap_err().to_string();
        assert!(refused.contains(says), "{refused}");
    }
}

#[test]
fn an_entry_is_shown_at_its_own_place_only() {
    let leaves: Vec<Hash> = (0..5_u8).map(|byte| merkle::leaf(&[byte])).collect();
    // In the trees over 2 and over 3 leaves one path leads from two places: the number of entries in the header tells
    // them apart.
    let last = merkle::prove(&leaves[..3], 2).unwrap();
    let root = merkle::root(leaves[..3].to_vec());
    assert!(last.shows(&leaves[2], &root));
    assert!(merkle::Proof { index: 1, count: 2, ..last }.shows(&leaves[2], &root));
}
