//! Whether a chain can start from a genesis.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::{Balances, Genesis, Parameters, ScheduledVersion, Work, WorkRule};
use crate::chain::amount::Amount;
use crate::chain::header::Header;
use crate::chain::validator::ValidatorId;
use crate::chain::{Error, Result, TIMESTAMP_MS_MAX};

/// The most validators a chain may have.
const VALIDATOR_COUNT_MAX: usize = 1024;
/// Bounds of `block.max_bytes`: the upper one leaves room for header, seal and evidence in a record of 8 MiB.
const BLOCK_BYTES: std::ops::RangeInclusive<u32> = 512..=7 * 1024 * 1024;
/// The most bytes that block 0 may give its genesis, for the same reason.
const GENESIS_SIZE_BYTES_MAX: usize = 7 * 1024 * 1024;
/// Bounds of `block.max_transactions`.
const BLOCK_TRANSACTIONS: std::ops::RangeInclusive<u32> = 1..=1_000_000;

fn refuse(field: impl Into<String>, detail: impl Display) -> Error {
    Error::Genesis { field: field.into(), detail: detail.to_string() }
}

impl Genesis {
    /// Whether a chain can start from this genesis; if not, which key is wrong and what to write instead. The proofs
    /// of possession are not looked at here: the consensus does that, which knows BLS.
    pub fn validate(&self) -> Result<()> {
        if ValidatorId::new(&self.chain_id).is_err() {
            return Err(refuse("chain_id", "write 1 to 64 characters of a-z 0-9 . _ -"));
        }
        if !(-TIMESTAMP_MS_MAX..=TIMESTAMP_MS_MAX).contains(&self.created_ms) {
            let created_ms = self.created_ms;
            let detail = format_args!("{created_ms} is out of bounds; write -{TIMESTAMP_MS_MAX} to {TIMESTAMP_MS_MAX}")
                .to_string();
            return Err(refuse("created_ms", detail));
        }
        self.parameters.validate()?;
        self.validate_accounts()?;
        self.validate_validators()?;
        self.validate_size()
    }

    fn validate_size(&self) -> Result<()> {
        let rendering = serde_json::to_string(self).map_err(|error| refuse("accounts", error))?;
        if rendering.len() > GENESIS_SIZE_BYTES_MAX {
            let (size_bytes, count) = (rendering.len(), self.accounts.len());
            let detail = format_args!(
                "with {count} of them block 0 takes {size_bytes} bytes; keep that within {GENESIS_SIZE_BYTES_MAX}, and give the \
                 others their balances in transactions"
            )
            .to_string();
            return Err(refuse("accounts", detail));
        }
        Ok(())
    }

    fn validate_accounts(&self) -> Result<()> {
        let balance_min = match self.parameters.balances {
            Balances::Strict => 0,
            Balances::Open { overdraft_max } => -overdraft_max.signed(),
        };
        for pair in self.accounts.windows(2) {
            if pair[0].0 >= pair[1].0 {
                return Err(refuse("accounts", format_args!("`{}` is listed twice, or not in order", pair[1].0)));
            }
        }
        for (name, balance) in &self.accounts {
            if self.parameters.consensus.is_nobody(name.as_str()) {
                return Err(refuse("accounts", format_args!("`{name}` stands for nobody under the classic rule")));
            }
            if name.is_system() {
                return Err(refuse("accounts", format_args!("`{name}`: names that start with $ are the system's")));
            }
            if *balance < balance_min || *balance > Amount::MAX.signed() {
                let detail = format_args!("`{name}` has {balance}; write {balance_min} to {}", Amount::MAX).to_string();
                return Err(refuse("accounts", detail));
            }
        }
        let (supply, supply_max) = (self.supply(), i128::from(Amount::MAX.get()));
        if !(0..=supply_max).contains(&supply) {
            return Err(refuse(
                "accounts",
                format_args!("balances add up to {supply}; keep that in 0 to {supply_max}"),
            ));
        }
        Ok(())
    }

    fn validate_validators(&self) -> Result<()> {
        let field = "validators";
        if self.parameters.consensus.work().is_some() {
            return match self.validators.len() {
                0 => Ok(()),
                count => {
                    Err(refuse(field, format_args!("{count} are listed; a chain of work has none: leave them out")))
                }
            };
        }
        if self.validators.is_empty() || self.validators.len() > VALIDATOR_COUNT_MAX {
            let count = self.validators.len();
            return Err(refuse(field, format_args!("{count} are listed; list 1 to {VALIDATOR_COUNT_MAX}")));
        }
        for pair in self.validators.windows(2) {
            if pair[0].id >= pair[1].id {
                return Err(refuse(field, format_args!("`{}` is listed twice, or not in order", pair[1].id)));
            }
        }
        let (mut ed25519, mut bls, mut total) = (BTreeSet::new(), BTreeSet::new(), 0_u128);
        for validator in &self.validators {
            let id = &validator.id;
            if validator.stake == 0 {
                return Err(refuse(field, format_args!("`{id}` has no stake; give it one, or leave it out")));
            }
            if !ed25519.insert(validator.ed25519) || !bls.insert(validator.bls) {
                return Err(refuse(field, format_args!("`{id}` has another validator's key; give it its own")));
            }
            if ed25519_zebra::VerificationKey::try_from(validator.ed25519).is_err() {
                return Err(refuse(field, format_args!("`{id}`: ed25519 is no public key; copy it from the key file")));
            }
            total += u128::from(validator.stake);
        }
        if total > u128::from(Amount::MAX.get()) {
            return Err(refuse(field, format_args!("stakes add up to {total}; keep that within {}", Amount::MAX)));
        }
        Ok(())
    }
}

impl Parameters {
    /// Whether every parameter is within its bounds.
    pub fn validate(&self) -> Result<()> {
        self.validate_versions()?;
        let bounds = |key, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(refuse(key, format_args!("{value} is out of bounds; write {low} to {high}")))
            }
        };
        let (low, high) = (*BLOCK_TRANSACTIONS.start(), *BLOCK_TRANSACTIONS.end());
        bounds("block.max_transactions", self.block_max_transactions.into(), low.into(), high.into())?;
        let (low, high) = (*BLOCK_BYTES.start(), *BLOCK_BYTES.end());
        bounds("block.max_bytes", self.block_max_bytes.into(), low.into(), high.into())?;
        // A day and a hundred years: more is a mistake, and up to there sums of times stay within 64 bits.
        bounds("block.max_age_ms", self.block_max_age_ms, 1, 86_400_000)?;
        bounds("block.window_ms", self.block_window_ms, 0, 3_155_760_000_000)?;
        bounds("ids.remember_blocks", self.ids_remember_blocks, 0, Amount::MAX.get())?;
        let Some(work) = self.consensus.work() else { return Ok(()) };
        bounds("work.leading_zero_bits", work.leading_zero_bits.into(), 1, 36)?;
        bounds("work.target_interval_ms", work.target_interval_ms, 0, 86_400_000)?;
        self.validate_work(work)
    }

    /// Whether the rule can be what it is said to be, and whether header times can say anything of the work.
    fn validate_work(&self, work: Work) -> Result<()> {
        let Work { rule, leading_zero_bits, target_interval_ms } = work;
        let (bits, target) = ("work.leading_zero_bits", "work.target_interval_ms");
        if rule == WorkRule::Classic && !leading_zero_bits.is_multiple_of(4) {
            let detail = "the classic rule counts zeros among hexadecimal digits: write a multiple of 4";
            return Err(refuse(bits, format_args!("{leading_zero_bits}: {detail}")));
        }
        if target_interval_ms == 0 {
            return Ok(());
        }
        if rule == WorkRule::Classic {
            return Err(refuse(
                target,
                "the classic rule asks for the same zeros always: write 0, or rule = \"header\"",
            ));
        }
        if leading_zero_bits < 8 {
            return Err(refuse(bits, "a difficulty that is adjusted moves by sixteenths: write 8 or more"));
        }
        if self.block_window_ms != 0 {
            return Err(refuse(
                target,
                "blocks that end with event-time windows say nothing of the work: write block.window_ms = 0",
            ));
        }
        if self.block_max_age_ms > target_interval_ms / 2 {
            let age_ms = self.block_max_age_ms;
            return Err(refuse(
                target,
                format_args!(
                    "blocks wait {age_ms} ms for records: write a block.max_age_ms of at most half of {target_interval_ms}"
                ),
            ));
        }
        Ok(())
    }

    /// Whether the schedule covers every height, in order. Versions that this program does not know may follow later.
    fn validate_versions(&self) -> Result<()> {
        let field = "versions";
        if self.versions.first().is_none_or(|first| first.from_height != 0) {
            return Err(refuse(field, "the first one must be from height 0: write from_height = 0"));
        }
        if self.versions.iter().any(|scheduled| scheduled.version == 0 || scheduled.from_height > Amount::MAX.get()) {
            return Err(refuse(field, format_args!("versions count from 1, heights to {}", Amount::MAX)));
        }
        let ascend =
            |pair: &[ScheduledVersion]| pair[0].version < pair[1].version && pair[0].from_height < pair[1].from_height;
        if !self.versions.windows(2).all(ascend) {
            return Err(refuse(field, "list them in ascending order, of versions and of heights"));
        }
        match self.version_at(0) {
            ..=Header::VERSION => Ok(()),
            newer => Err(Error::newer_version(0, u64::from(newer))),
        }
    }
}
