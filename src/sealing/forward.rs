//! What leaves the sealer: blocks, their classic blocks, and offences with their proof.

use topology::processor::{self, Context, Port, Record};

use crate::chain::{Block, Rendering};
use crate::consensus::Offence;

use super::classic::Series;
use super::input::at;

/// What leaves the sealer beside the blocks.
pub(super) struct Outputs {
    /// Offences.
    pub(super) evidence: Port<[u8], [u8]>,
    /// Classic blocks, where somebody wants them.
    pub(super) classic: Port<[u8], [u8]>,
}

impl Outputs {
    /// Sends a block on behalf of its last record, whose offset is given, and its classic block.
    pub(super) fn forward_block(
        &self,
        context: &mut Context<'_, [u8], [u8]>,
        series: Option<&mut Series>,
        block: &Block,
        offset: i64,
    ) -> processor::Result {
        let mut json = Vec::new();
        block.render(&mut json);
        let (key, timestamp_ms) = (block.key(), block.header.time_ms);
        context.forward(Record::new(at(offset), timestamp_ms, Some(key.as_bytes()), Some(&json[..])))?;
        let Some(value) = series.map(|series| series.next(block)) else { return Ok(()) };
        context.forward_to(&self.classic, Record::new(at(offset), timestamp_ms, None, Some(value.as_bytes())))
    }
}

/// Sends an offence together with the block that punishes it.
pub(super) fn forward_report(
    port: &Port<[u8], [u8]>,
    context: &mut Context<'_, [u8], [u8]>,
    report: &Offence,
    offset: i64,
    timestamp_ms: i64,
) -> processor::Result {
    tracing::warn!(height = report.height, round = report.round, validator = %report.validator, amount = report.amount, "slashed");
    let mut json = Vec::new();
    report.render(&mut json);
    let key = report.key();
    context.forward_to(port, Record::new(at(offset), timestamp_ms, Some(key.as_bytes()), Some(&json[..])))
}
