//! What several commands say of a chain: its tip, or where it breaks.

use rand::rngs::StdRng;

use super::error::{Exit, Result};
use super::output::counted;
use super::progress::Heights;
use super::shell::Shell;
use crate::audit::Broken;
use crate::audit::verify::Verified;
use crate::chain::{Block, Hash};
use crate::config::key_file;
use crate::ledger::state::Tip;

/// Walks over a chain and says what came of it: of an intact one what `tell` says, which is given the chain's id, of a
/// broken one where it breaks.
pub(crate) fn walk<T>(
    shell: &Shell,
    doing: &'static str,
    work: impl FnOnce(StdRng, &mut dyn FnMut(&Block)) -> topology::Result<Result<T, Broken>>,
    tell: impl FnOnce(T, &str) -> Result<String>,
) -> Result<Exit> {
    let mut heights = Heights::new(doing, &shell.clock);
    let mut chain_id = String::new();
    let found = work(key_file::system_rng()?, &mut |block| {
        if let Some(genesis) = &block.genesis {
            chain_id.clone_from(&genesis.chain_id);
        }
        heights.pass(block.header.height);
    });
    drop(heights);
    let (text, exit) = match found? {
        Ok(intact) => (tell(intact, &chain_id)?, Exit::Done),
        Err(broken) => (tell_broken(&broken, shell), Exit::Failed),
    };
    shell.print(&text)?;
    Ok(exit)
}

/// The tip of a state.
pub(crate) fn tell_tip(tip: &Tip, shell: &Shell) -> String {
    tell(tip.height, &tip.hash, &tip.state_root, shell)
}

/// The last block of a topic.
pub(crate) fn tell_block(block: &Block, shell: &Shell) -> String {
    tell(block.header.height, &block.hash, &block.header.state_root, shell)
}

fn tell(height: u64, hash: &Hash, root: &Hash, shell: &Shell) -> String {
    if shell.json {
        serde_json::json!({ "height": height, "block_hash": hash, "state_root": root }).to_string()
    } else {
        format!("height      {height}\nblock hash  {hash}\nstate root  {root}")
    }
}

/// How much was compared with the transactions topic, or why nothing was.
pub(crate) fn compared(report: &Verified, transactions: &str) -> std::result::Result<String, String> {
    match report.compared_from_height {
        _ if !report.has_transactions_topic => Err(format!("there is no topic '{transactions}'")),
        Some(height) => Ok(format!("{}, from height {height} on", counted(report.compared_count, "record"))),
        None if report.summary.record_count == 0 => Err("no record is sealed yet".to_owned()),
        None => Err(format!("topic '{transactions}' does not hold the records of the last block")),
    }
}

/// A line about records that are not the chain's; nothing where there are none.
pub(crate) fn foreign(count: u64) -> String {
    match count {
        0 => String::new(),
        _ => format!(
            "foreign     {} whose key is no height: somebody else writes to this topic\n",
            counted(count, "record")
        ),
    }
}

/// Where a chain breaks, and why.
pub(crate) fn tell_broken(broken: &Broken, shell: &Shell) -> String {
    let Broken { height, reason, detail } = broken;
    if shell.json {
        let reason = reason.as_str();
        return serde_json::json!({ "result": "broken", "height": height, "reason": reason, "detail": detail })
            .to_string();
    }
    format!("{} at height {height}: {reason}: {detail}", shell.paint.red("broken"))
}
