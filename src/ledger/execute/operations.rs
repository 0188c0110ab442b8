//! What a block books apart from its transactions, and what that makes of the validators.

use std::borrow::Cow;

use crate::chain::{Amount, Name, Operation, Parameters, ValidatorId};
use crate::ledger::execute::Maker;
use crate::ledger::state::{Account, Changes, Table, ValidatorRecord, to_record};
use crate::ledger::validators::Validators;

/// The validators, as far as the block has come.
pub(super) struct Committee<'a> {
    before: &'a Validators,
    now: Cow<'a, [(ValidatorId, ValidatorRecord)]>,
}

impl<'a> Committee<'a> {
    pub(super) fn new(before: &'a Validators) -> Self {
        Self { before, now: Cow::Borrowed(before.records()) }
    }

    /// Where an unslashed validator stands.
    fn active(&self, id: &ValidatorId) -> Result<usize, String> {
        let at = self.now.binary_search_by(|(other, _)| other.cmp(id));
        let at = at.map_err(|_| format!("there is no validator {id}"))?;
        match self.now[at].1.slashed_at_height {
            Some(height) => Err(format!("validator {id} was slashed at height {height}")),
            None => Ok(at),
        }
    }

    fn active_mut(&mut self, id: &ValidatorId) -> Result<&mut ValidatorRecord, String> {
        let at = self.active(id)?;
        Ok(&mut self.now.to_mut()[at].1)
    }

    fn pairs(&self) -> impl Iterator<Item = (&ValidatorRecord, &(ValidatorId, ValidatorRecord))> {
        self.before.records().iter().map(|(_, record)| record).zip(self.now.iter())
    }

    /// By how much the sum of the stakes has changed.
    pub(super) fn change(&self) -> i128 {
        self.pairs().map(|(before, (_, now))| i128::from(now.stake) - i128::from(before.stake)).sum()
    }

    pub(super) fn write_changes(&self, changes: &mut Changes) {
        for (_, (id, record)) in self.pairs().filter(|(before, (_, now))| *before != now) {
            changes.put(Table::Validators, id.as_str().as_bytes(), &to_record(record));
        }
    }

    /// The validators after the block; `None` where they are those before.
    pub(super) fn into_changed(self) -> Option<Validators> {
        match self.now {
            Cow::Borrowed(_) => None,
            Cow::Owned(records) => Some(Validators::new(records)),
        }
    }
}

/// What a block books.
pub(super) struct Books<'a> {
    pub(super) height: u64,
    pub(super) parameters: &'a Parameters,
    /// Debited from senders and not yet credited to anybody.
    pub(super) fees: i128,
    /// Whether a transaction was applied: only then there is a reward.
    pub(super) is_active: bool,
    pub(super) minted: i128,
    pub(super) burnt: i128,
    pub(super) operations: Vec<Operation>,
}

impl Books<'_> {
    /// What became of the rounds before the one that is executed; then its proposer must still be a validator. A mined
    /// block has no rounds.
    pub(super) fn prior(&mut self, committee: &mut Committee<'_>, maker: Maker<'_>) -> Result<(), String> {
        let Maker::Proposer { proposer, round, prior } = maker else { return Ok(()) };
        if prior.len() as u64 != u64::from(round) {
            let count = prior.len();
            return Err(format!("round {round} comes after {count} recorded rounds: one operation is due for each"));
        }
        for (expected, operation) in (0u32..).zip(prior) {
            let round = match operation {
                Operation::Missed { round, validator } => {
                    let record = committee.active_mut(validator)?;
                    record.missed = record.missed.saturating_add(1);
                    *round
                }
                Operation::Slash { round, validator, amount, .. } => {
                    let record = committee.active_mut(validator)?;
                    if *amount != record.stake {
                        let stake = record.stake;
                        return Err(format!("a slash takes the whole stake of {validator}, {stake}, not {amount}"));
                    }
                    record.stake = 0;
                    record.slashed_at_height = Some(self.height);
                    self.burnt += i128::from(*amount);
                    *round
                }
                _ => return Err("fees and rewards are computed, not given".to_owned()),
            };
            if round != expected {
                return Err(format!("the operation of round {expected} says round {round}"));
            }
        }
        self.operations.extend_from_slice(prior);
        committee.active(proposer).map(drop)
    }

    /// Fees, then reward, to the block's maker. What its balance cannot take of the fees is burnt, of the reward not
    /// minted.
    pub(super) fn pay(&mut self, maker: Maker<'_>, name: &Name, account: &mut Account) {
        while let Some(amount) = credit(account, self.fees) {
            self.fees -= i128::from(amount.get());
            let (account, balance) = (name.clone(), account.balance);
            self.operations.push(match maker {
                Maker::Proposer { proposer, .. } => {
                    Operation::Fee { validator: proposer.clone(), account, amount, balance }
                }
                Maker::Miner(_) => Operation::MinerFee { account, amount, balance },
            });
        }
        self.burnt += self.fees;
        self.fees = 0;
        let reward = if self.is_active { self.parameters.reward } else { Amount::ZERO };
        if let Some(amount) = credit(account, i128::from(reward.get())) {
            self.minted += i128::from(amount.get());
            let (account, balance) = (name.clone(), account.balance);
            self.operations.push(match maker {
                Maker::Proposer { proposer, .. } => {
                    Operation::Reward { validator: proposer.clone(), account, amount, balance }
                }
                Maker::Miner(_) => Operation::MinerReward { account, amount, balance },
            });
        }
    }
}

/// Credits as much of the units as one operation and the account can take; `None` if that is nothing.
fn credit(account: &mut Account, units: i128) -> Option<Amount> {
    let room = i128::from(Account::BALANCE_MAX) - i128::from(account.balance);
    let part = units.min(room).min(i128::from(Amount::MAX.get()));
    let amount = u64::try_from(part).ok().filter(|part| *part > 0).and_then(Amount::new)?;
    account.balance = account.balance.checked_add(amount.signed())?;
    Some(amount)
}
