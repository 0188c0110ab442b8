//! The validators, and what a block books apart from its transactions.

use crate::chain::{Amount, Hash, Name, Operation, Parameters, Signatures, ValidatorId, to_canonical, validators_hash};
use crate::ledger::Error;
use crate::ledger::execute::Candidate;
use crate::ledger::state::{self, Account, Changes, Table, ValidatorRecord, View};

struct Seat {
    id: ValidatorId,
    before: ValidatorRecord,
    now: ValidatorRecord,
}

/// The validators, in the order of their ids.
pub(super) struct Committee {
    seats: Vec<Seat>,
}

impl Committee {
    pub(super) fn load<V: View + ?Sized>(view: &V) -> Result<Self, Error<V::Error>> {
        let seat = |(id, record): (ValidatorId, ValidatorRecord)| Seat { id, before: record.clone(), now: record };
        Ok(Self { seats: state::validators(view)?.into_iter().map(seat).collect() })
    }

    /// The key that owns an account: the one in its name, or the key of the validator it is named like.
    pub(super) fn owner(&self, name: &Name, policy: Signatures) -> Option<[u8; 32]> {
        name.public_key().or_else(|| {
            let at = self.seats.binary_search_by(|seat| seat.id.as_str().cmp(name.as_str())).ok()?;
            (policy != Signatures::Off).then(|| self.seats[at].now.ed25519)
        })
    }

    fn active(&mut self, id: &ValidatorId) -> Result<&mut ValidatorRecord, String> {
        let at =
            self.seats.binary_search_by(|seat| seat.id.cmp(id)).map_err(|_| format!("there is no validator {id}"))?;
        let record = &mut self.seats[at].now;
        match record.slashed_at_height {
            Some(height) => Err(format!("validator {id} was slashed at height {height}")),
            None => Ok(record),
        }
    }

    /// By how much the sum of the stakes has changed.
    pub(super) fn change(&self) -> i128 {
        self.seats.iter().map(|seat| i128::from(seat.now.stake) - i128::from(seat.before.stake)).sum()
    }

    /// The hash of the set as it stands now: the one that decides on the block.
    pub(super) fn hash(&self) -> Hash {
        validators_hash(&self.seats.iter().map(|seat| seat.now.member(&seat.id)).collect::<Vec<_>>())
    }

    pub(super) fn write_changes(&self, changes: &mut Changes) {
        for seat in self.seats.iter().filter(|seat| seat.now != seat.before) {
            changes.put(Table::Validators, seat.id.as_str().as_bytes(), &to_canonical(&seat.now));
        }
    }
}

/// The account that a validator's fees and rewards go to: the one of its name.
pub(super) fn account_of(validator: &ValidatorId) -> Result<Name, String> {
    match Name::new(validator.as_str()) {
        Ok(name) if !name.is_system() => Ok(name),
        _ => Err(format!("{validator} proposes no block")),
    }
}

/// What a block books.
pub(super) struct Books<'a> {
    pub(super) height: u64,
    pub(super) parameters: &'a Parameters,
    /// Debited from senders and not yet credited to anybody.
    pub(super) fees: i128,
    pub(super) minted: i128,
    pub(super) burnt: i128,
    pub(super) operations: Vec<Operation>,
}

impl Books<'_> {
    /// What became of the rounds before the one that is executed; then its proposer must still be a validator.
    pub(super) fn prior(&mut self, committee: &mut Committee, candidate: &Candidate<'_>) -> Result<(), String> {
        if candidate.prior.len() as u64 != u64::from(candidate.round) {
            let (count, round) = (candidate.prior.len(), candidate.round);
            return Err(format!("round {round} comes after {count} recorded rounds: one operation is due for each"));
        }
        for (expected, operation) in (0u32..).zip(candidate.prior) {
            let round = match operation {
                Operation::Missed { round, validator } => {
                    let record = committee.active(validator)?;
                    record.missed = record.missed.saturating_add(1);
                    *round
                }
                Operation::Slash { round, validator, amount, .. } => {
                    let record = committee.active(validator)?;
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
        self.operations.extend_from_slice(candidate.prior);
        committee.active(candidate.proposer).map(drop)
    }

    /// Fees, then reward, to the proposer. What its balance cannot take of the fees is burnt, of the reward not minted.
    pub(super) fn pay(&mut self, proposer: &ValidatorId, name: &Name, account: &mut Account) {
        while let Some(amount) = credit(account, self.fees) {
            self.fees -= i128::from(amount.get());
            let (validator, account_name) = (proposer.clone(), name.clone());
            self.operations.push(Operation::Fee { validator, account: account_name, amount, balance: account.balance });
        }
        self.burnt += self.fees;
        self.fees = 0;
        if let Some(amount) = credit(account, i128::from(self.parameters.reward.get())) {
            self.minted += i128::from(amount.get());
            let (validator, account_name) = (proposer.clone(), name.clone());
            self.operations.push(Operation::Reward {
                validator,
                account: account_name,
                amount,
                balance: account.balance,
            });
        }
    }
}

/// Credits as much of the units as one operation and the account can take; `None` if that is nothing.
fn credit(account: &mut Account, units: i128) -> Option<Amount> {
    let room = i128::from(i64::MAX) - i128::from(account.balance);
    let part = units.min(room).min(i128::from(Amount::MAX.get()));
    let amount = u64::try_from(part).ok().filter(|part| *part > 0).and_then(Amount::new)?;
    account.balance = account.balance.checked_add(amount.signed())?;
    Some(amount)
}
