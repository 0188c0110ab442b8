//! Views: the rows of a chain on topics, each once, whatever dies; none of what is no chain.

use cairn::audit::Anchor;
use cairn::chain::{Block, Hash, Pruned, Rendering};
use cairn::rows::avro;
use cairn::views::{Encoding, Progress, Source, View};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use topology::graph::Topology;
use topology::test_driver::{OwnedRecord, TestDriver};

use crate::attack::Skill::{ExecutesAndSeals, Hashes};
use crate::attack::{altered, full};
use crate::chain::{BLOCKCHAIN, CHAIN, record};
use crate::rows::rows;

type Row = (String, String);

/// What a view's topic holds of these blocks: key and value.
fn expected(view: View, blocks: &[Block]) -> Vec<Row> {
    let mut all = Vec::new();
    for rows in rows(blocks).0 {
        match view {
            View::Transfers => {
                all.extend(rows.transfers.iter().map(|row| (format!("{}:{}", row.height, row.index), json(row))));
            }
            View::Balances => all.extend(rows.balances.iter().map(|row| (row.name.to_owned(), json(row)))),
            View::Validators => all.extend(rows.validators.iter().map(|row| (row.id.to_owned(), json(row)))),
        }
    }
    all
}

fn json(row: &impl Serialize) -> String {
    serde_json::to_string(row).unwrap()
}

/// A view that runs.
struct Running {
    view: View,
    driver: TestDriver,
    progress: Progress,
}

fn topology(view: View, anchor: Anchor, progress: &Progress) -> Topology {
    let source = Source { blockchain: BLOCKCHAIN.to_owned(), anchor, encoding: Encoding::Json };
    view.topology(&source, progress).unwrap()
}

impl Running {
    fn new(view: View) -> Self {
        let progress = Progress::default();
        let graph = topology(view, Anchor::None, &progress);
        let id = view.application_id(BLOCKCHAIN);
        let driver = TestDriver::with_topics(&graph, &id, 0, &[BLOCKCHAIN]).unwrap();
        Self { view, driver, progress }
    }

    fn pipe(&mut self, record: &OwnedRecord) -> topology::Result<()> {
        self.driver.pipe_record(BLOCKCHAIN, record.clone())
    }

    /// Until one is refused.
    fn pipe_all(&mut self, blocks: &[Block]) -> topology::Result<()> {
        blocks.iter().try_for_each(|block| self.pipe(&record(block)))?;
        self.driver.commit()
    }

    fn rows(&self) -> Vec<Row> {
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap()).unwrap();
        let records = self.driver.read(&self.view.topic(BLOCKCHAIN)).iter();
        records.map(|record| (text(&record.key), text(&record.value))).collect()
    }

    /// The next process.
    fn restart(&mut self) {
        self.driver.restart(&topology(self.view, Anchor::None, &self.progress)).unwrap();
    }

    /// The next process, which meets the same.
    fn restart_refused(&mut self) {
        let graph = topology(self.view, Anchor::None, &self.progress);
        let met = self.driver.restart(&graph).and_then(|()| self.driver.commit());
        assert!(met.unwrap_err().to_string().contains("cairn verify"));
    }
}

#[test]
fn the_topic_of_each_view_holds_the_rows_of_the_chain() {
    for view in View::ALL {
        let mut running = Running::new(view);
        assert_eq!(running.progress.height(), None);
        // Records of others lie between the blocks.
        running.driver.pipe(BLOCKCHAIN, Some(b"note"), Some(b"hello"), 0).unwrap();
        running.pipe_all(&CHAIN.blocks).unwrap();
        let expected = expected(view, &CHAIN.blocks);
        assert_eq!(running.rows(), expected, "{}", view.as_str());
        assert_eq!(running.progress.height(), Some(CHAIN.blocks.len() as u64 - 1));
        assert_eq!(running.progress.row_count(), expected.len() as u64);
    }
}

#[test]
fn each_row_is_there_once_whatever_dies_and_whenever() {
    for (view, seed) in View::ALL.into_iter().flat_map(|view| (0..8).map(move |seed| (view, seed))) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut running = Running::new(view);
        for block in &CHAIN.blocks {
            running.pipe(&record(block)).unwrap();
            match random.random_range(0..6) {
                0 => running.driver.abort().unwrap(),
                1 => running.restart(),
                2 | 3 => running.driver.commit().unwrap(),
                _ => {}
            }
        }
        running.driver.end_of_input().unwrap();
        assert_eq!(running.rows(), expected(view, &CHAIN.blocks), "{}, seed {seed}", view.as_str());
    }
}

#[test]
fn no_row_of_an_altered_block_is_ever_seen_and_the_error_says_what_to_do() {
    let height = full();
    // Nothing of it is in a row.
    let original = |blocks: &mut Vec<Block>| blocks[height].entries[0].original = Hash([7; 32]);
    for view in View::ALL {
        // The seals do not hold: found when a commit is about to be made.
        let forged = altered(&CHAIN, height, Hashes, original);
        let mut running = Running::new(view);
        running.pipe_all(&forged[..height]).unwrap();
        let refusal = running.pipe_all(&forged[height..]).unwrap_err().to_string();
        for part in ["topic 'blockchain'", &format!("height {height}: seal"), "cairn verify", "cairn views reset"] {
            assert!(refusal.contains(part), "{part} is not in: {refusal}");
        }
        assert_eq!(running.rows(), expected(view, &CHAIN.blocks[..height]));
        // Nor does the next process, or one that has to read it all again.
        running.restart_refused();
        assert_eq!(running.rows(), expected(view, &CHAIN.blocks[..height]));

        // A chain that goes on with another block: found at once.
        let other = altered(&CHAIN, height, ExecutesAndSeals, original);
        let mut running = Running::new(view);
        running.pipe_all(&CHAIN.blocks[..=height]).unwrap();
        let refusal = running.pipe(&record(&other[height + 1])).unwrap_err().to_string();
        assert!(refusal.contains(&format!("height {}: parent", height + 1)), "{refusal}");
        assert_eq!(running.rows(), expected(view, &CHAIN.blocks[..=height]));
    }
}

#[test]
fn of_a_forged_seal_that_was_not_looked_at_yet_and_a_later_breach_the_seal_is_told() {
    let height = full();
    let forged =
        altered(&CHAIN, height, Hashes, |blocks: &mut Vec<Block>| blocks[height].entries[0].original = Hash([7; 32]));
    for view in View::ALL {
        let mut running = Running::new(view);
        running.pipe_all(&forged[..height]).unwrap();
        running.pipe(&record(&forged[height])).unwrap();
        let later = [record(&forged[height + 2]), OwnedRecord { value: None, ..record(&forged[height + 1]) }];
        for breach in later {
            let refusal = running.pipe(&breach).unwrap_err().to_string();
            assert!(refusal.contains(&format!("height {height}: seal")), "{refusal}");
            running = Running::new(view);
            running.pipe_all(&forged[..height]).unwrap();
            running.pipe(&record(&forged[height])).unwrap();
        }
    }
}

#[test]
fn what_is_no_next_block_stops_a_view() {
    let refusal = |spoil: &dyn Fn(&mut OwnedRecord)| {
        let mut running = Running::new(View::Transfers);
        running.pipe_all(&CHAIN.blocks[..4]).unwrap();
        let mut next = record(&CHAIN.blocks[4]);
        spoil(&mut next);
        let refusal = running.pipe(&next).unwrap_err().to_string();
        assert_eq!(running.rows(), expected(View::Transfers, &CHAIN.blocks[..4]));
        refusal
    };
    let says = |refusal: String, part: &str| assert!(refusal.contains(part), "{part} is not in: {refusal}");
    says(refusal(&|record| record.value = None), "height 4: overwritten");
    says(refusal(&|record| record.value.as_mut().unwrap().push(b' ')), "height 4: overwritten");
    says(refusal(&|next| *next = record(&CHAIN.blocks[3])), "height 3 comes where 4 must");
    says(refusal(&|next| *next = record(&CHAIN.blocks[5])), "height 5 comes where 4 must");
    says(
        refusal(&|next| {
            let block = &CHAIN.blocks[4];
            let seal = block.seal.clone().unwrap();
            let pruned = Pruned { header: block.header.clone(), hash: block.hash, seal };
            let mut json = Vec::new();
            pruned.render(&mut json);
            next.value = Some(json);
        }),
        "the body of block 4 was pruned",
    );
    says(
        refusal(&|next| {
            let text = String::from_utf8(next.value.take().unwrap()).unwrap();
            next.value = Some(text.replacen("\"version\":1", "\"version\":2", 1).into_bytes());
        }),
        "made by a newer program",
    );
}

#[test]
fn a_view_of_a_pinned_chain_takes_no_other() {
    let pinned = |anchor, progress: &Progress| topology(View::Balances, anchor, progress);
    let (own, other) = (Anchor::Genesis(CHAIN.genesis.hash()), Anchor::Genesis(Hash([7; 32])));
    let mut running = Running::new(View::Balances);
    running.driver.restart(&pinned(other, &running.progress)).unwrap();
    let refusal = running.pipe(&record(&CHAIN.blocks[0])).unwrap_err().to_string();
    assert!(refusal.contains("was pinned"), "{refusal}");
    assert!(running.rows().is_empty());

    let mut running = Running::new(View::Balances);
    running.driver.restart(&pinned(own, &running.progress)).unwrap();
    running.pipe_all(&CHAIN.blocks).unwrap();
    // One that was begun without a pin is looked at as well.
    let refusal = running.driver.restart(&pinned(other, &running.progress)).unwrap_err().to_string();
    assert!(refusal.contains("was pinned"), "{refusal}");
}

#[test]
fn rows_of_a_topic_are_written_alike() {
    let written = |encoding, progress: &Progress| {
        let source = Source { blockchain: BLOCKCHAIN.to_owned(), anchor: Anchor::None, encoding };
        View::Validators.topology(&source, progress).unwrap()
    };
    let mut as_avro = Vec::new();
    for rows in rows(&CHAIN.blocks).0 {
        as_avro.extend(rows.validators.iter().map(|row| {
            let mut bytes = Vec::new();
            avro::write(row, &mut bytes).unwrap();
            bytes
        }));
    }
    let as_json: Vec<Vec<u8>> =
        expected(View::Validators, &CHAIN.blocks).into_iter().map(|(_, json)| json.into_bytes()).collect();
    let (json, avro) = (Encoding::RegisteredJson, Encoding::RegisteredAvro);
    let encodings = [(json as fn(u32) -> Encoding, &as_json, avro as fn(u32) -> Encoding), (avro, &as_avro, json)];
    for (encoding, expected, other) in encodings {
        let mut running = Running::new(View::Validators);
        running.driver.restart(&written(encoding(0x0102_0304), &running.progress)).unwrap();
        running.pipe_all(&CHAIN.blocks[..5]).unwrap();
        // A later schema has another number.
        running.driver.restart(&written(encoding(9), &running.progress)).unwrap();
        running.pipe_all(&CHAIN.blocks[5..]).unwrap();
        let topic = View::Validators.topic(BLOCKCHAIN);
        let values = running.driver.read(&topic).iter().map(|record| record.value.clone().unwrap());
        let (frames, found): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
            values.map(|value| (value[..5].to_vec(), value[5..].to_vec())).unzip();
        assert_eq!(found, *expected);
        assert_eq!((&frames[0][..], &frames.last().unwrap()[..]), (&[0, 1, 2, 3, 4][..], &[0, 0, 0, 0, 9][..]));
        for (wrong, option) in [(Encoding::Json, "with --schema-registry and --format"), (other(9), "--format")] {
            let refusal = running.driver.restart(&written(wrong, &running.progress)).unwrap_err().to_string();
            assert!(refusal.contains(option) && refusal.contains("cairn views reset"), "{refusal}");
        }
    }
}
