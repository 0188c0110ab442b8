//! `cairn topology`: what the graph is.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::arguments;
use super::error::{Error, Exit, Result};
use super::shell::Shell;
use crate::chain::Genesis;
use crate::config::{ChainParameters, founding};
use crate::consensus::sealer::Sealer;
use crate::sealing::{Application, Options};

const EXAMPLES: &str = "\
Examples:
  cairn topology
  cairn topology --format dot | dot -Tsvg > topology.svg";

/// Show the graph: sources, processors, stores, sinks
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    transactions: arguments::Transactions,
    #[command(flatten)]
    blockchain: arguments::Blockchain,

    /// How the graph is written
    #[arg(long, value_name = "FORMAT", env = "CAIRN_FORMAT", hide_env = true, default_value = "text")]
    format: Format,

    /// Genesis file of the chain: its hash is part of the sealer's name
    #[arg(long, value_name = "FILE", env = "CAIRN_GENESIS", hide_env = true)]
    genesis: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For Graphviz
    Dot,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let (transactions, blockchain) = (self.transactions.transactions, self.blockchain.blockchain);
        let (graph, hash) = match &self.genesis {
            Some(path) => (build(founding::read_file(path)?, transactions, blockchain)?, None),
            None => {
                let genesis = placeholder()?;
                let hash = genesis.hash().to_string();
                (build(genesis, transactions, blockchain)?, Some(hash))
            }
        };
        let text = match self.format {
            Format::Text => graph.to_string(),
            Format::Dot => graph.to_dot(),
        };
        // Nobody's genesis has nobody's hash.
        let text = hash.map_or_else(|| text.clone(), |hash| text.replace(&hash, "<genesis hash>"));
        if shell.json {
            shell.print(&serde_json::json!({ "topology": text }).to_string())?;
        } else {
            shell.print(&text)?;
        }
        Ok(Exit::Done)
    }
}

/// The graph of a genesis, which nobody runs: nobody needs the validators' keys for it.
fn build(genesis: Genesis, transactions: String, blockchain: String) -> Result<::topology::graph::Topology> {
    let sealer = Sealer::new(&genesis, std::iter::empty()).map_err(|error| Error::usage(error.to_string()))?;
    let options = Options { genesis, transactions, blockchain, sealer, entropy: [0; 32], topic_tip: None };
    Ok(Application::new(options).topology()?)
}

/// The graph with these topics, whatever the chain.
pub(super) fn any_chain(transactions: String, blockchain: String) -> Result<::topology::graph::Topology> {
    build(placeholder()?, transactions, blockchain)
}

/// A genesis of which only the shape matters.
fn placeholder() -> Result<Genesis> {
    let keys = founding::default_keys(&mut StdRng::from_seed([0; 32]))?;
    Ok(founding::default_genesis(&keys, &ChainParameters::default())?)
}
