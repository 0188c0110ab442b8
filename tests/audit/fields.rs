//! Every field of every block of a chain: whatever stands there instead is found.
//!
//! The attacker has no keys. It puts another line of JSON in a block's place: one that says something else, canonically
//! rendered; one that says the same and is rendered otherwise; or one that says something else, with all hashes and
//! roots from there on made to agree with it.

use cairn::chain::{Block, Content, Genesis, Operation, Rendering};
use cairn::consensus;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use topology::test_driver::OwnedRecord;

use crate::attack::{Skill, altered, is_stub};
use crate::chain::{CHAIN, Chain, Topics, record};
use crate::json::{Json, Place};
use crate::replay::replay_on;
use crate::work::WORK;

/// Texts of which another one may stand in a place: each line is an enumeration of the format.
const ENUMERATIONS: &[&[&str]] = &[
    &["genesis", "transactions", "age", "window", "bytes", "end"],
    &["applied", "rejected"],
    &["genesis", "stake", "work"],
    &["transfer", "stake", "unstake", "delegate", "key", "parameter", "pending", "post", "void"],
    &["fee", "reward", "missed", "slash", "miner_fee", "miner_reward"],
    &["header", "classic"],
    &["equivocation", "refusal"],
    &["insufficient_funds", "duplicate", "zero_amount", "unexpected_field", "bad_nonce"],
    &["not_json", "not_utf8", "null_value", "missing_field"],
    &["off", "when_keyed", "required"],
    &["open", "strict"],
];

/// The beginning of the chain, up to where everything that a block can hold has been there.
fn beginning() -> Chain {
    let has = |count: usize| {
        let blocks = &CHAIN.blocks[..count];
        let operation = |is: fn(&Operation) -> bool| blocks.iter().flat_map(|block| &block.operations).any(is);
        let entry = |is: &dyn Fn(&cairn::chain::Entry) -> bool| blocks.iter().flat_map(|block| &block.entries).any(is);
        operation(|operation| matches!(operation, Operation::Slash { .. }))
            && operation(|operation| matches!(operation, Operation::Missed { .. }))
            && operation(|operation| matches!(operation, Operation::Fee { .. }))
            && operation(|operation| matches!(operation, Operation::Reward { .. }))
            && entry(&is_stub)
            && entry(&|entry| matches!(&entry.content, Content::Transaction { receipt, .. } if !receipt.is_applied()))
            && entry(
                &|entry| matches!(&entry.content, Content::Transaction { transaction, .. } if transaction.id.is_some()),
            )
    };
    let count = (1..=CHAIN.blocks.len()).find(|count| has(*count)).unwrap();
    let blocks = CHAIN.blocks[..count].to_vec();
    Chain { genesis: CHAIN.genesis.clone(), keys: CHAIN.keys.clone(), blocks, transactions: CHAIN.transactions.clone() }
}

fn generator(seed: u64) -> ChaCha8Rng {
    println!("seed {seed}");
    ChaCha8Rng::seed_from_u64(seed)
}

/// What may stand in the place of a value, other than itself.
fn others(value: &Json, random: &mut impl Rng) -> Vec<Json> {
    let mut others = match value {
        Json::Null => vec![Json::Number(0), Json::Text(String::new()), Json::List(vec![]), Json::Text("0".repeat(64))],
        Json::Bool(value) => vec![Json::Bool(!value)],
        Json::Number(number) => numbers(*number, random),
        Json::Text(text) => texts(text, random).into_iter().map(Json::Text).collect(),
        Json::List(items) => lists(items, random).into_iter().map(Json::List).collect(),
        Json::Object(fields) => objects(fields, random).into_iter().map(Json::Object).collect(),
        Json::Raw(_) => panic!("never read"),
    };
    others.push(Json::Null);
    others.retain(|other| other != value);
    others
}

fn numbers(number: i128, random: &mut impl Rng) -> Vec<Json> {
    let mut digits: Vec<u8> = number.unsigned_abs().to_string().into_bytes();
    let place = random.random_range(0..digits.len());
    digits[place] = b'0' + (digits[place] - b'0' + random.random_range(1..10_u8)) % 10;
    let digits: i128 = String::from_utf8(digits).unwrap().parse().unwrap();
    let numbers = [number + 1, digits, -number - 1, 1 << 53];
    numbers.map(Json::Number).into_iter().chain([Json::Text(number.to_string())]).collect()
}

fn texts(text: &str, random: &mut impl Rng) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for enumeration in ENUMERATIONS.iter().filter(|enumeration| enumeration.contains(&text)) {
        texts.extend(enumeration.iter().map(|other| (*other).to_owned()));
    }
    if !text.is_empty() && text.is_ascii() {
        let place = random.random_range(0..text.len());
        let mut bytes = text.as_bytes().to_vec();
        // Of a hash another digit, of a name another letter.
        bytes[place] = if bytes[place] == b'a' { b'b' } else { b'a' };
        texts.push(String::from_utf8(bytes).unwrap());
        texts.push(text[..text.len() - 1].to_owned());
        texts.push(text.to_uppercase());
    }
    texts.extend([String::new(), format!("{text}0"), format!("{text}00")]);
    texts
}

fn lists(items: &[Json], random: &mut impl Rng) -> Vec<Vec<Json>> {
    let mut lists = vec![[items, &[Json::Null]].concat()];
    if let Some(item) = items.choose(random) {
        lists.push([items, std::slice::from_ref(item)].concat());
        lists.push(Vec::new());
        lists.push(items.iter().rev().cloned().collect());
        let mut fewer = items.to_vec();
        fewer.remove(random.random_range(0..items.len()));
        lists.push(fewer);
    }
    lists
}

fn objects(fields: &[(String, Json)], random: &mut impl Rng) -> Vec<Vec<(String, Json)>> {
    let mut objects = vec![[fields, &[("extra".to_owned(), Json::Number(0))]].concat()];
    for index in 0..fields.len() {
        let mut fewer = fields.to_vec();
        fewer.remove(index);
        objects.push(fewer);
    }
    if let Some(field) = fields.choose(random) {
        objects.push([fields, std::slice::from_ref(field)].concat());
        let mut moved = fields.to_vec();
        moved.rotate_left(random.random_range(0..fields.len()));
        objects.push(moved);
    }
    objects
}

/// The chain's records, with another line in a height's place.
fn with_line(chain: &Chain, height: usize, line: &str) -> Topics {
    let mut records: Vec<OwnedRecord> = chain.blocks.iter().map(record).collect();
    records[height].value = Some(line.as_bytes().to_vec());
    Topics::of_records(&records, &chain.transactions)
}

/// The chain with what a line says in a height's place, and everything that can be computed from there on made to agree
/// with it. `None`: the line says nothing that a block can say, or what it says follows from the rest.
fn agreeing(chain: &Chain, height: usize, line: &str) -> Option<Vec<Block>> {
    let mut block = Block::from_json(line.as_bytes()).ok()?;
    if let (0, Some(genesis)) = (height, &block.genesis) {
        block = begun(genesis)?;
    }
    if block == chain.blocks[height] {
        return None;
    }
    let genesis = (height == 0).then_some(block.header.genesis);
    let blocks = altered(chain, height, Skill::Hashes, |blocks| {
        blocks[height] = block;
        if let Some(genesis) = genesis {
            blocks.iter_mut().for_each(|block| block.header.genesis = genesis);
        }
    });
    (blocks != chain.blocks).then_some(blocks)
}

fn begun(genesis: &Genesis) -> Option<Block> {
    genesis.validate().ok()?;
    Some(consensus::begin(genesis).ok()?.block)
}

/// What says which program reads a block, and may so say that this one is too old.
fn names_a_version(place: &Place) -> bool {
    let names = place.names();
    names.starts_with(&["genesis", "versions"])
        || matches!(names[..], ["header", "version" | "hash_algorithm"])
        || matches!(names[..], ["header", "author", "kind"] | ["seal", "kind"])
        || names.ends_with(&["extensions"])
}

/// Checks that a chain in which something stands in a place is found broken at a height between these.
#[track_caller]
fn assert_found(topics: &Topics, place: &Place, heights: std::ops::RangeInclusive<usize>, what: &str) {
    let tell = || format!("height {} {place}: {}", heights.start(), what.chars().take(300).collect::<String>());
    match topics.verify_on(&topics.log) {
        Ok(Ok(_)) => panic!("called intact: {}", tell()),
        Ok(Err(broken)) => assert!(heights.contains(&(broken.height as usize)), "{broken}: {}", tell()),
        Err(error) => {
            assert!(error.to_string().contains("newer program") && names_a_version(place), "{error}: {}", tell());
        }
    }
}

/// Tries every block with other values in all of its places. `attempt` is told the height, the place, the value, and
/// the line that has it there; it answers whether the value could be tried. Returns how many were.
fn with_others_everywhere(
    chain: &Chain,
    seed: u64,
    mut attempt: impl FnMut(usize, &Place, &Json, &str) -> bool,
) -> usize {
    let mut random = generator(seed);
    let mut count = 0;
    for height in 0..chain.blocks.len() {
        let block = Json::parse(chain.blocks[height].to_json().as_bytes());
        for place in block.places() {
            for other in others(block.at(&place), &mut random) {
                let line = block.with(&place, other.clone()).render();
                count += usize::from(attempt(height, &place, &other, &line));
            }
        }
    }
    println!("{count} alterations of {} blocks", chain.blocks.len());
    count
}

#[test]
fn another_value_in_any_place_is_found_at_its_height() {
    for chain in [beginning(), WORK.clone()] {
        let count = with_others_everywhere(&chain, 11, |height, place, other, line| {
            assert_found(&with_line(&chain, height, line), place, height..=height, &other.render());
            true
        });
        assert!(count > 2_000, "{count}");
    }
}

#[test]
fn another_value_in_any_place_is_found_although_all_hashes_agree_with_it() {
    for chain in [beginning(), WORK.clone()] {
        let count = with_others_everywhere(&chain, 12, |height, place, other, line| {
            let Some(blocks) = agreeing(&chain, height, line) else { return false };
            let topics = Topics::new(&blocks, &chain.transactions);
            // Another genesis begins another chain, which nobody has sealed. Who gives a block another height gives its
            // record another key: it is found in a place where it does not belong.
            let lowest = if place.names() == ["header", "height"] { 0 } else { height };
            assert_found(&topics, place, lowest..=height.max(1), &other.render());
            true
        });
        assert!(count > 300, "{count}");
    }
}

#[test]
fn another_rendering_of_the_same_value_is_no_block() {
    let chain = beginning();
    let height = chain.blocks.iter().position(|block| block.entries.iter().any(is_stub)).unwrap();
    for height in [0, height] {
        let block = Json::parse(chain.blocks[height].to_json().as_bytes());
        let mut renderings =
            vec![format!("{} ", block.render()), format!("{}\n", block.render()), format!(" {}", block.render())];
        for place in block.places() {
            let written: Vec<String> = match block.at(&place) {
                Json::Number(number) => {
                    vec![format!("{number}.0"), format!("{number}e0"), format!(" {number}"), format!("{number}E+0")]
                }
                Json::Text(text) => {
                    let escaped = |character: char| format!("\\u{:04x}", u32::from(character));
                    let all: String = text.chars().map(escaped).collect();
                    vec![format!("\"{all}\""), format!("\"{text}\" ")]
                }
                Json::Object(fields) if fields.len() > 1 => {
                    let mut fields = fields.clone();
                    fields.swap(0, 1);
                    vec![Json::Object(fields).render()]
                }
                Json::List(items) if items.is_empty() => vec!["[ ]".to_owned()],
                _ => vec![],
            };
            renderings.extend(written.into_iter().map(|raw| block.with(&place, Json::Raw(raw)).render()));
        }
        for line in renderings.iter().filter(|line| *line != &block.render()) {
            let topics = with_line(&chain, height, line);
            let broken = topics.verify().expect_err(line);
            assert_eq!(broken.height, height as u64, "{broken}: {line}");
            let replayed = replay_on(&topics).unwrap().expect_err(line);
            assert_eq!((replayed.height, replayed.reason), (broken.height, broken.reason), "{replayed}: {line}");
        }
        println!("{} renderings of block {height}", renderings.len());
    }
}

#[test]
fn replaying_finds_what_verifying_finds() {
    let mut random = generator(13);
    for _ in 0..150 {
        let height = random.random_range(0..CHAIN.blocks.len());
        let block = Json::parse(CHAIN.blocks[height].to_json().as_bytes());
        let place = block.places().choose(&mut random).unwrap().clone();
        let Some(other) = others(block.at(&place), &mut random).choose(&mut random).cloned() else { continue };
        let line = block.with(&place, other.clone()).render();
        let mut chains = vec![with_line(&CHAIN, height, &line)];
        chains.extend(agreeing(&CHAIN, height, &line).map(|blocks| Topics::new(&blocks, &CHAIN.transactions)));
        for topics in chains {
            let verified = topics.verify_on(&topics.log).map_err(|error| error.to_string());
            let replayed = replay_on(&topics).map_err(|error| error.to_string());
            let (verified, replayed) = (verified.map(Result::err), replayed.map(Result::err));
            assert_eq!(verified, replayed, "height {height} {place}: {}", other.render());
            assert_ne!(verified, Ok(None), "height {height} {place}: {}", other.render());
        }
    }
}
