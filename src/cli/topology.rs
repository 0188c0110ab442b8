//! `cairn topology`: what the graph is.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments;
use super::error::{Error, Exit, Result};
use super::graph::{self, Topics};
use super::shell::Shell;
use crate::config::genesis;

const EXAMPLES: &str = "\
Examples:
  cairn topology
  cairn topology --partitions 4
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

    /// Partitions of the topic of transactions
    #[arg(long, value_name = "N", env = "CAIRN_PARTITIONS", hide_env = true, value_parser = arguments::partitions())]
    partitions: Option<i32>,

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
        if shell.json && self.format == Format::Dot {
            return Err(Error::usage("--json and --format dot are two ways to write the graph: leave one of them out"));
        }
        let topics = Topics { transactions: self.transactions.transactions, blockchain: self.blockchain.blockchain };
        let partition_count = self.partitions.unwrap_or(1);
        let (graph, hash) = match &self.genesis {
            Some(path) => (graph::without_keys(genesis::read_file(path)?, topics, partition_count, None)?, None),
            None => {
                let genesis = graph::placeholder()?;
                let hash = genesis.hash().to_string();
                (graph::without_keys(genesis, topics, partition_count, None)?, Some(hash))
            }
        };
        let text = match self.format {
            Format::Text if shell.json => serde_json::json!(graph.describe()).to_string(),
            Format::Text => graph.to_string(),
            Format::Dot => graph.to_dot(),
        };
        // The placeholder's hash is no chain's.
        let text = hash.map_or_else(|| text.clone(), |hash| text.replace(&hash, "<genesis hash>"));
        shell.print(&text).map(|()| Exit::Done)
    }
}
