//! The ledger where everything goes wrong that can: what it is, and how each process of it is made.
//!
//! ```text
//! mod         chains, and a simulation of one
//! process     what a process has: keys, the topics as it reads them, notes on its disk
//! input       transfers, and what is none
//! check       what must hold of the blocks, whatever went wrong
//! ```
//! The production code runs: the graph of `cairn run`, on the engine's simulator.

mod check;
mod input;
mod process;

use std::sync::LazyLock;

use cairn::chain::{Amount, Balances, Genesis, Hash, Name, Parameters, ValidatorId};
use cairn::config::account::AccountKey;
use cairn::consensus::{Fault, KeySet, Sealer, begin};
use cairn::ledger::Begun;
use rand::SeedableRng;
use rand::rngs::StdRng;
use topology::client::{Config, OnPanic};
use topology::simulator::Simulation;
use topology::{Error, Result};

pub(crate) const TRANSACTIONS: &str = "transactions";
pub(crate) const BLOCKCHAIN: &str = "blockchain";
const APPLICATION_ID: &str = "cairn";

/// A chain to be sealed. Its keys are made and checked once, and its block 0 is made once: that costs more than a run.
pub(crate) struct Chain {
    /// What is said of it on the command line.
    pub(crate) name: &'static str,
    genesis: Genesis,
    genesis_hash: Hash,
    begun: Begun,
    sealer: Sealer,
    /// Can send from an account that needs a signature.
    account: AccountKey,
    fault: Option<Fault>,
}

/// Of which chain, from a topic with how many partitions, on how many instances.
#[derive(Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) chain: &'static Chain,
    pub(crate) partitions: i32,
    pub(crate) instances: usize,
}

/// Chains that differ in their rules and their committees.
pub(crate) static CHAINS: LazyLock<[Chain; 4]> = LazyLock::new(|| {
    let amount = |units| Amount::new(units).unwrap_or(Amount::ZERO);
    let common = Parameters { block_max_age_ms: 300, ids_remember_blocks: 3, ..Parameters::default() };
    let open = Parameters {
        block_max_transactions: 4,
        block_window_ms: 0,
        balances: Balances::Open { overdraft_max: amount(500) },
        fee: amount(2),
        reward: amount(1),
        ..common.clone()
    };
    let strict = Parameters {
        block_max_transactions: 100,
        block_max_bytes: 1_200,
        block_window_ms: 1_000,
        balances: Balances::Strict,
        ..common
    };
    let three = [("north", 40), ("south", 35), ("west", 25)];
    [
        Chain::new("open", open.clone(), &[("north", 60), ("south", 40)], None),
        Chain::new("strict", strict.clone(), &three, None),
        Chain::new("silent", open, &[("north", 50), ("south", 45), ("west", 5)], Some(("west", Fault::Silent))),
        Chain::new("cheat", strict, &three, Some(("south", Fault::AlterAmount))),
    ]
});

impl Chain {
    fn new(
        name: &'static str,
        parameters: Parameters,
        committee: &[(&str, u64)],
        fault: Option<(&str, Fault)>,
    ) -> Self {
        let mut random = StdRng::from_seed([7; 32]);
        let account = AccountKey::generate(&mut random);
        let ids = committee.iter().map(|(id, _)| ValidatorId::new(id).expect("a validator's id"));
        let keys = KeySet::generate(ids, &mut random).expect("each id once");
        let stakes = committee.iter().map(|(_, stake)| *stake);
        let validators = keys.pairs().iter().zip(stakes).map(|(pair, stake)| pair.genesis_validator(stake)).collect();
        let mut accounts: Vec<(Name, i64)> = [("alice", 300), ("bob", 40)]
            .map(|(name, balance)| (Name::new(name).expect("a name"), balance))
            .into_iter()
            .chain([(account.name().clone(), 100)])
            .collect();
        accounts.sort();
        let genesis = Genesis { chain_id: name.to_owned(), created_ms: 0, accounts, validators, parameters };
        genesis.validate().expect("a genesis that a chain can start from");
        let faults: Vec<_> = fault.iter().map(|(id, fault)| (ValidatorId::new(id).expect("an id"), *fault)).collect();
        let sealer = Sealer::local(&genesis, keys, &faults).expect("all keys are there");
        let begun = begin(&genesis).expect("a block 0");
        let fault = fault.map(|(_, fault)| fault);
        Self { name, genesis_hash: genesis.hash(), genesis, begun, sealer, account, fault }
    }

    pub(crate) fn of_name(name: &str) -> Option<&'static Self> {
        CHAINS.iter().find(|chain| chain.name == name)
    }
}

/// A simulation of the ledger.
pub(crate) fn ledger(setting: Setting) -> Result<Simulation> {
    let Setting { chain, partitions, instances } = setting;
    let plan = process::application(chain, partitions, None)?.topology()?;
    let config = move |config| Config {
        fingerprint: chain.genesis_hash.0,
        // What panics is a fault of the program.
        on_panic: OnPanic::Stop,
        ..config
    };
    let again = format!(
        "cargo run --release --locked --example simulate_ledger -- --chain {} --partitions {partitions} --instances {instances} \
         --seed {{seed}}",
        chain.name
    );
    Ok(Simulation::new(&plan, APPLICATION_ID)
        .instances(instances)
        .config(move |_, given| config(given))
        .input(move |random, input| {
            process::begin_run();
            input::write(chain, partitions, random, input);
            Ok(())
        })
        .each_process(move |beginning| process::begin(chain, partitions, beginning)?.topology())
        .check(move |outcome| check::check(chain, partitions, outcome).map_err(Error::stop))
        .replayed_by(&again))
}
