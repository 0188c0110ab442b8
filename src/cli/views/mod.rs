//! `cairn views`: rows of a chain on topics of their own.
//!
//! ```text
//! keep        keeps views up to date
//! beginning   whether a view's topic and its offset belong together
//! registry    schemas in a schema registry
//! reset       forgets views: a command below this one
//! ```

mod beginning;
mod keep;
mod registry;
mod reset;

use clap::{Args, Subcommand};

use super::error::{Exit, Result};
use super::shell::Shell;
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
`cairn views reset` has the next start make all rows anew.";

/// Keep rows of the chain on topics of their own: transfers, balances, validators
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    keep: keep::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    Reset(reset::Arguments),
}

impl Arguments {
    pub(crate) fn run(self, shell: &Shell) -> Result<Exit> {
        match self.command {
            Some(Command::Reset(arguments)) => arguments.run(shell),
            None => self.keep.run(shell),
        }
    }
}

/// A view by its name, as the command line has it.
fn view(name: &str) -> Result<View, String> {
    let named = View::ALL.into_iter().find(|view| view.as_str() == name);
    named.ok_or_else(|| match name {
        "reset" => "write `reset` before all else: cairn views reset balances".to_owned(),
        _ => format!("the views are {}", View::ALL.map(View::as_str).join(", ")),
    })
}

/// The views that are meant by their names, each once, in the order of [`View::ALL`]; none means all.
fn meant(named: &[View]) -> Vec<View> {
    View::ALL.into_iter().filter(|view| named.is_empty() || named.contains(view)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_named_in_any_order_and_none_means_all() {
        assert_eq!(meant(&[]), View::ALL);
        assert_eq!(meant(&[View::Validators, View::Transfers, View::Validators]), [View::Transfers, View::Validators]);
        assert_eq!(View::ALL.map(|known| view(known.as_str())), View::ALL.map(Ok));
        assert!(view("reset").unwrap_err().contains("`reset` before all else"));
        assert!(view("balance").unwrap_err().contains("transfers, balances, validators"));
    }
}
