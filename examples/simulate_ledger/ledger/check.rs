//! What must hold of a chain, whatever went wrong while it was sealed. Each is computed again from what was committed,
//! by the code of `cairn verify`.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;

use cairn::audit::Comparison;
use cairn::chain::{Block, Content, Entry, Hash, Operation, Read, Rendering};
use cairn::consensus::Fault;
use cairn::consensus::follow::Follower;
use cairn::ledger::state::{self, Table};
use cairn::ledger::{Begun, Changes, MemoryState};
use cairn::sealing::evidence_topic;
use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::simulator::Outcome;
use topology::test_driver::OwnedRecord;

use super::{BLOCKCHAIN, Chain, TRANSACTIONS, process};

type Checked<T = ()> = Result<T, String>;

pub(super) fn check(chain: &Chain, partitions: i32, outcome: &Outcome) -> Checked {
    let blocks = blocks(outcome.records(BLOCKCHAIN))?;
    check_nothing_is_signed_twice(outcome)?;
    let state = follow(chain, &blocks)?;
    check_input(partitions, &blocks, outcome)?;
    check_stores(&state, outcome)?;
    check_offences(chain, &blocks, outcome)
}

/// All records of the topic, each of which is a block that agrees with itself, byte for byte.
fn blocks(records: &[OwnedRecord]) -> Checked<Vec<Block>> {
    let block = |record: &OwnedRecord| {
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let read = Block::from_record(key, value).and_then(Read::block).map_err(text)?;
        let block = read.ok_or_else(|| format!("the record at offset {} is no block", record.offset))?;
        block.check().map_err(text)?;
        if Some(block.to_json().as_bytes()) != value {
            return Err(format!("block {} is rendered otherwise than it must be", block.header.height));
        }
        Ok(block)
    };
    records.iter().map(block).collect()
}

/// In no turn two headers were written, committed or not; and no validator signed two, in whichever processes.
fn check_nothing_is_signed_twice(outcome: &Outcome) -> Checked {
    let mut written: BTreeMap<(u64, u32), Hash> = BTreeMap::new();
    for block in blocks(outcome.written(BLOCKCHAIN))? {
        let (height, round) = (block.header.height, block.header.round());
        if *written.entry((height, round)).or_insert(block.hash) != block.hash {
            return Err(format!("two blocks were written for height {height} round {round}"));
        }
    }
    let mut known = BTreeMap::new();
    for signed in process::signed() {
        let turn = (signed.validator.clone(), signed.height, signed.round, signed.is_proposal);
        if *known.entry(turn).or_insert(signed.header) != signed.header {
            return Err(format!("validator {} signed twice: {signed:?}", signed.validator));
        }
    }
    Ok(())
}

/// One unbroken chain from block 0 on, each height once, of which each root and seal holds. The state that it leads to.
fn follow(chain: &Chain, blocks: &[Block]) -> Checked<MemoryState> {
    let (first, rest) = blocks.split_first().ok_or("there is no block")?;
    let Begun { replica, block, changes } = chain.begun.clone();
    if *first != block {
        return Err("block 0 is not what the genesis gives".to_owned());
    }
    let mut state = MemoryState::new();
    state.apply(&changes);
    // Reading and checking the validators' keys anew would cost a sixth of a run, of the same keys each time.
    let mut follower = Follower::resume_with(state, replica, chain.sealer.scheme(), StdRng::from_seed([1; 32]));
    let found = rest.iter().find_map(|block| follower.extend(block, None).err());
    let summary = follower.conclude(found).map_err(text)?.ok_or("there is no block")?;
    let (state, _) = follower.into_parts().ok_or("there is no state")?;
    let audited = state::audit(&state).map_err(text)?.ok_or("the state is empty")?;
    if (audited.tip, audited.supply) != (summary.tip, summary.supply) {
        return Err("the state is not what its tip and its supply say".to_owned());
    }
    Ok(state)
}

/// Each record of each partition is in one block, as it was, in the order of its partition; and nothing else is.
fn check_input(partitions: i32, blocks: &[Block], outcome: &Outcome) -> Checked {
    let mut comparison = Comparison::new(&vec![0; usize::try_from(partitions).unwrap_or(0)]);
    for partition in 0..partitions {
        let records = outcome.records(TRANSACTIONS).iter().filter(|record| record.partition == partition);
        let entry = |record: &OwnedRecord| {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            Entry::of_record(partition, record.offset, record.timestamp_ms, key, value).0
        };
        comparison.push(partition, records.map(entry).collect());
        comparison.end(partition);
    }
    for block in blocks {
        let compared: Result<_, Infallible> = comparison.check(block, |_| Ok(0));
        match compared {
            Ok(same) => same.map_err(text)?,
            Err(never) => match never {},
        }
    }
    match comparison.waiting_count() {
        0 => {}
        count => return Err(format!("{count} records are in no block, though all input is processed")),
    }
    let is_stub = |entry: &&Entry| matches!(entry.content, Content::Stub { .. });
    let stubs = blocks.iter().flat_map(|block| &block.entries).filter(is_stub).count();
    let letters = outcome.records(&format!("{TRANSACTIONS}-dead-letters")).len();
    if stubs == letters { Ok(()) } else { Err(format!("{stubs} records could not be read, and {letters} are kept")) }
}

/// The stores hold what the blocks lead to, and no decision about a height that is sealed.
fn check_stores(state: &MemoryState, outcome: &Outcome) -> Checked {
    let mut stored = MemoryState::new();
    for table in Table::ALL {
        let mut changes = Changes::new();
        let entries = outcome.stored(table.name()).map_err(text)?;
        entries.iter().for_each(|(key, value)| changes.put(table, key, value));
        stored.apply(&changes);
        if !stored.table(table).eq(state.table(table)) {
            return Err(format!("table {} is not what the blocks lead to", table.name()));
        }
    }
    Ok(())
}

/// A validator that cheats loses its stake, once, if its turn came; no other does. There is a proof of each offence.
fn check_offences(chain: &Chain, blocks: &[Block], outcome: &Outcome) -> Checked {
    let operations = || blocks.iter().flat_map(|block| &block.operations);
    let slashed = operations().filter(|operation| matches!(operation, Operation::Slash { .. })).count();
    let missed = operations().filter(|operation| matches!(operation, Operation::Missed { .. })).count();
    let slashed_max = usize::from(chain.fault.is_some_and(|fault| fault != Fault::Silent));
    if slashed > slashed_max {
        return Err(format!("{slashed} validators were slashed, of which {slashed_max} cheat"));
    }
    // Where records come in another order than before, a turn passes in which no validator was silent.
    if missed > 0 && chain.fault != Some(Fault::Silent) {
        return Err(format!("{missed} turns were missed, and nobody was silent"));
    }
    let proofs = outcome.records(&evidence_topic(BLOCKCHAIN)).len();
    if proofs == slashed { Ok(()) } else { Err(format!("{slashed} offences, and {proofs} proofs of them")) }
}

fn text(error: impl Display) -> String {
    error.to_string()
}
