//! `cairn views`: rows of a chain on topics of their own.
//!
//! ```text
//! keep        keeps views up to date
//! beginning   whether a view's topic and its offset belong together
//! registry    schemas in a schema registry
//! reset       forgets views
//! ```

mod beginning;
mod keep;
mod registry;
mod reset;

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::error::{Error, Exit, Result};
use super::pin::PinnedChain;
use super::shell::Shell;
use super::shutdown::Supervisor;
use crate::config::Directories;
use crate::views::View;

const EXAMPLES: &str = "\
Examples:
  cairn views --brokers localhost:9092                    all three, for as long as it runs
  cairn views balances --brokers localhost:9092           one of them
  cairn views --log embedded:./log --until-end            what is there now; no Kafka
  cairn views --format avro --schema-registry http://localhost:8081
  cairn views reset transfers --brokers localhost:9092    forget one, with its topic

Of a chain on the topic `blockchain`, blockchain-transfers gets a row for each record, fee, reward and slash, \
blockchain-balances the accounts and blockchain-validators the validators that a block changed, by name. Rows are flat \
JSON; docs/schemas has a JSON Schema of each. Each view is an application of its own (blockchain-view-transfers and so \
on) and exactly-once: a row is written once, whatever is killed. More instances stand by.

Each block must go on from the one before, and its seal must hold: else no rows are made of it, and the command fails. \
With `reset` the view's topic, changelogs, offsets and stores on this machine are deleted; the next start makes all \
rows anew. Refused while an instance runs.";

/// Keep rows of the chain on topics of their own: transfers, balances, validators
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Which views [default: all]; behind `reset`, those that are forgotten
    #[arg(value_name = "VIEW")]
    words: Vec<Word>,

    #[command(flatten)]
    chain: PinnedChain,

    /// Where stores are kept [default: $XDG_STATE_HOME/cairn, ~/.local/state/cairn]
    #[arg(long, value_name = "DIR", env = "CAIRN_STATE_DIR", hide_env = true)]
    state_dir: Option<PathBuf>,

    /// Make the rows of what is there now, commit and end; for a single instance
    #[arg(long, env = "CAIRN_UNTIL_END", hide_env = true, value_parser = BoolishValueParser::new())]
    until_end: bool,

    /// How rows are written; Avro needs a schema registry
    // `format` alone is what `cairn topology` is written in, and a key has one meaning in all commands.
    #[arg(
        long,
        visible_alias = "format",
        value_name = "FORMAT",
        env = "CAIRN_VIEWS_FORMAT",
        hide_env = true,
        default_value = "json"
    )]
    views_format: Format,

    /// Register the rows' schemas there, and write before each row the number that its schema has got, as the registry's
    /// deserializers want it; from a view's beginning on, or never
    #[arg(long, value_name = "URL", env = "CAIRN_SCHEMA_REGISTRY", hide_env = true, hide_env_values = true)]
    schema_registry: Option<String>,

    /// On how many other instances stores are kept warm, so that one of them can go on at once; costs them memory and disk
    #[arg(long, value_name = "N", env = "CAIRN_STANDBY_REPLICAS", hide_env = true, default_value = "0")]
    standby_replicas: usize,

    /// Memory for stores and prefetched input of all views together, in MiB
    #[arg(long, value_name = "MIB", env = "CAIRN_MEMORY_MIB", hide_env = true, default_value = "256", value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    memory_mib: u32,

    /// Replicas of topics that are created [default: the cluster's]
    #[arg(long, value_name = "N", env = "CAIRN_REPLICATION_FACTOR", hide_env = true)]
    replication_factor: Option<i32>,

    /// With reset: only say what would be done
    #[arg(long, env = "CAIRN_DRY_RUN", hide_env = true, value_parser = BoolishValueParser::new())]
    dry_run: bool,

    /// With reset: do not ask
    #[arg(short, long, env = "CAIRN_YES", hide_env = true, value_parser = BoolishValueParser::new())]
    yes: bool,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
    Avro,
}

/// What stands behind `views`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Word {
    Transfers,
    Balances,
    Validators,
    Reset,
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        let (is_reset, views) = asked(&self.words)?;
        let directories = Directories::new(self.state_dir.as_deref(), |name| std::env::var(name).ok())?;
        let supervisor = Supervisor::new()?;
        match is_reset {
            true => reset::run(&self, &views, &directories, shell, supervisor),
            false => keep::run(&self, &views, &directories, shell, supervisor),
        }
    }
}

/// Whether views are to be forgotten, and which are meant: each once, in the order of [`View::ALL`].
fn asked(words: &[Word]) -> Result<(bool, Vec<View>)> {
    let (is_reset, named) = match words {
        [Word::Reset, rest @ ..] => (true, rest),
        all => (false, all),
    };
    if named.contains(&Word::Reset) {
        return Err(Error::usage("write `reset` before the views that it is to forget: cairn views reset balances"));
    }
    let is_named = |view: &View| {
        let word = match view {
            View::Transfers => Word::Transfers,
            View::Balances => Word::Balances,
            View::Validators => Word::Validators,
        };
        named.is_empty() || named.contains(&word)
    };
    Ok((is_reset, View::ALL.into_iter().filter(is_named).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_named_in_any_order_and_none_means_all() {
        assert_eq!(asked(&[]).unwrap(), (false, View::ALL.to_vec()));
        assert_eq!(asked(&[Word::Reset]).unwrap(), (true, View::ALL.to_vec()));
        let named = [Word::Validators, Word::Transfers, Word::Validators];
        assert_eq!(asked(&named).unwrap(), (false, vec![View::Transfers, View::Validators]));
        assert!(asked(&[Word::Balances, Word::Reset]).unwrap_err().to_string().contains("`reset` before"));
    }
}
