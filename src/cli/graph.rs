//! The application from its genesis and keys.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use topology::clock::SystemClock;
use topology::graph::Topology;
use topology::log::Log;

use super::error::{Error, Result};
use crate::chain::{Block, DEFAULT_CHAIN_ID, Genesis, Hash, ValidatorId};
use crate::config::founding::{Founding, Notes};
use crate::config::{ChainParameters, genesis, key_file, keys, topic};
use crate::consensus::{Fault, Sealer};
use crate::reader::Reader;
use crate::sealing::{Application, BlockchainTopic, Notary, Options};

/// The names of the topics an application reads and writes.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    pub(crate) transactions: String,
    pub(crate) blockchain: String,
}

/// A validator that misbehaves: `ID` or `ID=FAULT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malicious {
    pub(crate) validator: ValidatorId,
    pub(crate) fault: Fault,
}

impl std::str::FromStr for Malicious {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id, fault) = text.split_once('=').map_or((text, None), |(id, fault)| (id, Some(fault)));
        let validator = ValidatorId::new(id).map_err(|error| error.to_string())?;
        let known = || Fault::ALL.map(Fault::as_str).join(", ");
        let fault = match fault {
            None => Fault::AlterAmount,
            Some(name) => Fault::ALL
                .into_iter()
                .find(|fault| fault.as_str() == name)
                .ok_or_else(|| format!("there is no fault `{name}`; write one of {}", known()))?,
        };
        Ok(Self { validator, fault })
    }
}

/// `ID`, `ID=FAULT`, or `none`.
pub(crate) fn malicious(text: &str) -> Result<Option<Malicious>, String> {
    if text == "none" { Ok(None) } else { text.parse().map(Some) }
}

/// The application of a genesis, sealing with its keys. It looks at the tip of the blockchain topic whenever it takes the
/// chain over.
pub(crate) fn application<L: Log>(
    log: &L,
    founding: Founding,
    topics: Topics,
    malicious: &[Malicious],
) -> Result<Application> {
    let mut entropy = [0; 32];
    key_file::system_rng()?.fill_bytes(&mut entropy);
    let Founding { genesis, keys, notes, .. } = founding;
    let faults: Vec<(ValidatorId, Fault)> = malicious.iter().map(|one| (one.validator.clone(), one.fault)).collect();
    let sealer = Sealer::local(&genesis, keys, &faults).map_err(|error| Error::usage(error.to_string()))?;
    let topic = OnLog { log: log.clone(), clock: SystemClock::new(), blockchain: topics.blockchain.clone() };
    let topic = Some(Box::new(topic) as Box<dyn BlockchainTopic>);
    let notary = notes.map(|notes| Box::new(InNotes(notes)) as Box<dyn Notary>);
    let Topics { transactions, blockchain } = topics;
    Ok(Application::new(Options { genesis, transactions, blockchain, sealer, entropy, topic, notary }))
}

/// Keeps what the sealer has noted in the notes of a run.
struct InNotes(Notes);

impl Notary for InNotes {
    fn founding(&self) -> topology::Result<()> {
        self.0.founding().map_err(|error| topology::Error::stop(error.to_string()))
    }

    fn founded(&self) -> topology::Result<()> {
        self.0.founded().map_err(|error| topology::Error::stop(error.to_string()))
    }
}

/// The blockchain topic on a log.
struct OnLog<L> {
    log: L,
    clock: SystemClock,
    blockchain: String,
}

impl<L: Log> OnLog<L> {
    fn reader(&self) -> Reader<'_, L> {
        Reader::new(&self.log, &self.clock, "cairn-tip")
    }
}

impl<L: Log> BlockchainTopic for OnLog<L> {
    fn last_block(&self) -> topology::Result<Option<Block>> {
        Ok(topic::last_block(&self.reader(), &self.blockchain)?)
    }

    fn blocks(&self, visit: &mut dyn FnMut(Block) -> bool) -> topology::Result<()> {
        Ok(topic::blocks(&self.reader(), &self.blockchain, visit)?)
    }
}

/// The graph of a genesis, to be looked at and not to be run: it needs no validator's keys.
pub(crate) fn without_keys(genesis: Genesis, topics: Topics) -> Result<Topology> {
    let sealer = Sealer::new(&genesis, std::iter::empty()).map_err(|error| Error::usage(error.to_string()))?;
    let Topics { transactions, blockchain } = topics;
    let options = Options { genesis, transactions, blockchain, sealer, entropy: [0; 32], topic: None, notary: None };
    Ok(Application::new(options).topology()?)
}

/// The graph with these topics, whatever the chain.
pub(crate) fn any_chain(topics: Topics) -> Result<Topology> {
    without_keys(placeholder()?, topics)
}

/// A genesis of which only the shape matters.
pub(crate) fn placeholder() -> Result<Genesis> {
    let keys = keys::default(&mut StdRng::from_seed([0; 32]))?;
    Ok(genesis::default(DEFAULT_CHAIN_ID.to_owned(), &keys, &ChainParameters::default())?)
}

/// A graph's fingerprint: stores of another chain are refused.
pub(crate) fn fingerprint(genesis: Hash) -> [u8; 32] {
    genesis.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malicious_validator_alters_amounts_unless_another_fault_is_named() {
        let parse = |text: &str| text.parse::<Malicious>();
        assert_eq!(parse("validator-1").unwrap().fault, Fault::AlterAmount);
        for fault in Fault::ALL {
            assert_eq!(parse(&format!("v={}", fault.as_str())).unwrap().fault, fault);
        }
        assert!(parse("v=lazy").unwrap_err().contains("alter-amount, drop-transaction, equivocate, silent"));
        assert!(parse("V").unwrap_err().contains("a validator's id"));
    }
}
