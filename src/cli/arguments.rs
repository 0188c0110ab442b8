//! What several commands take.

use std::path::PathBuf;

use clap::builder::{BoolishValueParser, RangedI64ValueParser};
use clap::{Args, ValueEnum};

use super::graph::Topics;

const COMMON: &str = "Common options";

/// Taken by every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Settings file [default: cairn.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE", env = "CAIRN_CONFIG", hide_env = true, help_heading = COMMON)]
    pub(crate) config: Option<PathBuf>,

    /// Report in lines of JSON
    #[arg(long, global = true, env = "CAIRN_JSON", hide_env = true, value_parser = BoolishValueParser::new(), help_heading = COMMON)]
    pub(crate) json: bool,

    /// How log lines are written to stderr
    #[arg(long, global = true, env = "CAIRN_LOG_FORMAT", hide_env = true, value_name = "FORMAT", default_value = "text", help_heading = COMMON)]
    pub(crate) log_format: LogFormat,

    /// Log more, and show what caused an error
    #[arg(short, long, global = true, env = "CAIRN_VERBOSE", hide_env = true, value_parser = BoolishValueParser::new(), help_heading = COMMON)]
    pub(crate) verbose: bool,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For machines
    Json,
}

/// Which log.
#[derive(Debug, Args)]
pub(crate) struct Log {
    /// Some brokers of the Kafka cluster
    #[arg(long, value_name = "HOST:PORT[,..]", env = "CAIRN_BROKERS", hide_env = true)]
    pub(crate) brokers: Option<String>,

    /// A log on this machine instead of a cluster: embedded:DIR
    #[arg(long, value_name = "embedded:DIR", env = "CAIRN_LOG", hide_env = true)]
    pub(crate) log: Option<String>,

    /// Property of librdkafka, such as -X sasl.mechanism=PLAIN; also the table [kafka], and CAIRN_KAFKA_SASL_MECHANISM
    #[arg(short = 'X', value_name = "PROPERTY=VALUE", value_parser = property)]
    pub(crate) property: Vec<(String, String)>,
}

fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.to_owned())),
        _ => Err("write PROPERTY=VALUE".to_owned()),
    }
}

/// A chain: on which log, from which topic, to which topic.
#[derive(Debug, Args)]
pub(crate) struct Chain {
    #[command(flatten)]
    pub(crate) log: Log,
    #[command(flatten)]
    pub(crate) transactions: Transactions,
    #[command(flatten)]
    pub(crate) blockchain: Blockchain,
}

impl Chain {
    /// The names of its topics.
    pub(crate) fn topics(&self) -> Topics {
        Topics { transactions: self.transactions.transactions.clone(), blockchain: self.blockchain.blockchain.clone() }
    }
}

/// The topic that transactions come from.
#[derive(Debug, Args)]
pub(crate) struct Transactions {
    /// Topic of transactions
    #[arg(long, value_name = "TOPIC", env = "CAIRN_TRANSACTIONS", hide_env = true, default_value = "transactions")]
    pub(crate) transactions: String,
}

/// How many partitions the topic of transactions may be said to have.
pub(crate) fn partitions() -> RangedI64ValueParser<i32> {
    clap::value_parser!(i32).range(1..=10_000)
}

/// The topic that blocks go to.
#[derive(Debug, Args)]
pub(crate) struct Blockchain {
    /// Topic of sealed blocks
    #[arg(long, value_name = "TOPIC", env = "CAIRN_BLOCKCHAIN", hide_env = true, default_value = "blockchain")]
    pub(crate) blockchain: String,
}

/// A height of a chain.
pub(crate) fn height(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a height is a whole number from 0 on, such as 100".to_owned())
}

/// How many of something, at least one.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err("write a whole number from 1 on, such as 10".to_owned()),
    }
}
