//! The application from its genesis and keys.

use rand::Rng;
use topology::clock::SystemClock;
use topology::log::Log;

use super::error::{Error, Result};
use crate::chain::{Block, Hash, ValidatorId};
use crate::config::founding::Founding;
use crate::config::key_file;
use crate::consensus::sealer::Sealer;
use crate::consensus::validator::Fault;
use crate::reader::Reader;
use crate::sealing::{Application, Options, TopicTip};

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
    let Founding { genesis, keys, .. } = founding;
    let faults: Vec<(ValidatorId, Fault)> = malicious.iter().map(|one| (one.validator.clone(), one.fault)).collect();
    let sealer = Sealer::local(&genesis, keys, &faults).map_err(|error| Error::usage(error.to_string()))?;
    let topic_tip = Some(topic_tip(log.clone(), topics.blockchain.clone()));
    let Topics { transactions, blockchain } = topics;
    Ok(Application::new(Options { genesis, transactions, blockchain, sealer, entropy, topic_tip }))
}

fn topic_tip<L: Log>(log: L, blockchain: String) -> TopicTip {
    let clock = SystemClock::new();
    Box::new(move || {
        let tip = last_block(&Reader::new(&log, &clock, "cairn-tip"), &blockchain)?;
        Ok(tip.map(|block| (block.header.height, block.hash)))
    })
}

/// The last block of a blockchain topic; `None` where there is none.
pub(crate) fn last_block<L: Log>(reader: &Reader<'_, L>, blockchain: &str) -> topology::Result<Option<Block>> {
    let last = reader.last(blockchain, |record| Block::from_record(record.key, record.value))?;
    last.transpose().map_err(|error| {
        topology::Error::stop(format!(
            "topic '{blockchain}' does not end with a block ({error}): give the topic of a chain, or find out who else \
             writes to it"
        ))
    })
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
