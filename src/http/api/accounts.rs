//! Accounts: one with what moved its balance lately, some by the beginning of their names, the largest.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use topology::clock::Clock;
use utoipa::{IntoParams, ToSchema};

use super::super::committed::{State as Ledger, Step};
use super::super::context::{Context, lock};
use super::super::index::{Posting, PostingKind};
use super::super::problem::{PROBLEM, Problem, Result};
use super::asked::{FromPath, FromQuery};
use super::{answer, cursor};
use crate::chain::Name;
use crate::ledger::state::{Account as Record, Table, account, tip};

/// Accounts that are looked at for the largest.
const LARGEST_OF_MAX: u64 = 1_000_000;
/// How many of the largest are kept.
const LARGEST_COUNT: usize = 100;
/// So long the largest of a moment ago will do, ms.
const LARGEST_AGE_MAX_MS: i64 = 5_000;
/// And so many times as long as it took to find them: a tenth of a processor at most is spent on it.
const LARGEST_PAUSE_FACTOR: i64 = 9;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many, 1 to 200 [default: 50]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// What `next` said
    cursor: Option<String>,
}

/// An account at the last committed block, and what moved its balance lately.
#[derive(Serialize, ToSchema)]
struct Account {
    name: String,
    /// At this height.
    height: u64,
    /// In minor units; below zero only where the chain allows it.
    balance: i64,
    /// The nonce that its next transaction with a nonce must carry.
    nonce: u64,
    /// Whether the chain keeps anything of it: an account with balance 0 and nonce 0 is the same as one that never was.
    is_kept: bool,
    /// Who may send from it: `key` (the one in its name), `validator` (the one it is named after), `anybody`, `nobody`.
    spendable_by: &'static str,
    /// What moved its balance or was to, the newest first; from height `indexed_from_height` on.
    transfers: Vec<Transfer>,
    /// The cursor of older ones; null at the end.
    next: Option<String>,
    /// The lowest height among the blocks that transfers are looked up in.
    indexed_from_height: u64,
}

/// What moved the account's balance, or was to.
#[derive(Serialize, ToSchema)]
struct Transfer {
    kind: PostingKind,
    height: u64,
    /// Where the record stands on the transactions topic; null for fees and rewards, which follow from the block.
    partition: Option<i32>,
    offset: Option<i64>,
    /// The record's time, ms since 1970 UTC.
    time_ms: i64,
    /// Who pays; null for fees and rewards.
    from: Option<String>,
    to: String,
    amount: u64,
    /// `applied` or `rejected`.
    outcome: &'static str,
    /// Why it was rejected.
    reason: Option<&'static str>,
    /// The account's own balance afterwards.
    balance: i64,
}

impl Transfer {
    fn of(posting: &Posting, account: &str) -> Self {
        let is_sender = &*posting.from == account;
        Self {
            kind: posting.kind,
            height: posting.height,
            partition: posting.origin.map(|(partition, _)| partition),
            offset: posting.origin.map(|(_, offset)| offset),
            time_ms: posting.time_ms,
            from: (posting.kind == PostingKind::Transfer).then(|| posting.from.to_string()),
            to: posting.to.to_string(),
            amount: posting.amount,
            outcome: if posting.rejected.is_none() { "applied" } else { "rejected" },
            reason: posting.rejected.map(|reason| reason.as_str()),
            balance: if is_sender { posting.from_balance } else { posting.to_balance },
        }
    }
}

/// An account: its balance, its nonce, what moved it lately
#[utoipa::path(
    get,
    path = "/v1/accounts/{name}",
    params(("name" = String, Path, description = "The account's name"), Page),
    responses(
        (status = 200, description = "The account; every name has one", body = Account),
        (status = 400, description = "No name, cursor or limit", body = Problem, content_type = PROBLEM),
        (status = 421, description = "Another instance has the state", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The state cannot be read now", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn one(
    State(context): State<Arc<Context>>,
    FromPath(name): FromPath<String>,
    FromQuery(page): FromQuery<Page>,
) -> Result<Response> {
    let limit = cursor::limit(page.limit, 50)?;
    let behind = page.cursor.as_deref().map(cursor::posting).transpose()?;
    let name = Name::new(&name).map_err(|error| Problem::bad_request(format!("this is no account's name: {error}")))?;
    let asked = name.clone();
    let (height, found) =
        context.read(move |_, state| Ok((tip(state)?.map_or(0, |tip| tip.height), account(state, &asked)?))).await?;
    let index = context.feed.index();
    let mut postings = index.postings(name.as_str(), behind).peekable();
    let shown: Vec<&Posting> = postings.by_ref().take(limit).collect();
    let next = postings.peek().and(shown.last()).map(|last| format!("{}.{}", last.height, last.index));
    let transfers = shown.into_iter().map(|posting| Transfer::of(posting, name.as_str())).collect();
    let indexed_from_height = index.first().map_or(0, |first| first.height);
    Ok(answer(&Account {
        height,
        balance: found.balance,
        nonce: found.nonce,
        is_kept: found != Record::default(),
        spendable_by: spendable_by(&context, &name),
        transfers,
        next,
        indexed_from_height,
        name: name.as_str().to_owned(),
    }))
}

fn spendable_by(context: &Context, name: &Name) -> &'static str {
    use crate::chain::Signatures;
    let signatures = context.genesis.parameters.signatures;
    let validator = name.as_str().strip_prefix(Name::SYSTEM_PREFIX);
    let is_validators = validator.is_some_and(|id| context.genesis.validators.iter().any(|one| one.id.as_str() == id));
    match (name.public_key().is_some(), is_validators, signatures) {
        // Where signatures are not looked at, an owner cannot be told from anybody else.
        (true, ..) | (_, true, _) if signatures == Signatures::Off => "nobody",
        (true, ..) => "key",
        (_, true, _) => "validator",
        _ if name.is_system() => "nobody",
        (_, _, Signatures::Required) => "nobody",
        _ => "anybody",
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// How many, 1 to 200 [default: 50]
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// What `next` said; of accounts by name
    cursor: Option<String>,
    /// How their names begin
    prefix: Option<String>,
    /// `name` [default], or `balance`: the largest first, 100 at most, without cursor and prefix
    order: Option<String>,
}

/// An account of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Listed {
    name: String,
    balance: i64,
    nonce: u64,
}

/// Some accounts.
#[derive(Serialize, ToSchema)]
struct Accounts {
    /// At this height.
    height: u64,
    accounts: Vec<Listed>,
    /// The cursor of those behind; null at the end.
    next: Option<String>,
    /// Whether all accounts were looked at: of the largest, among a million at most.
    is_complete: bool,
}

/// The largest accounts of a moment ago.
#[derive(Clone, Debug)]
pub(in crate::http) struct Largest {
    good_until_ms: i64,
    height: u64,
    accounts: Vec<Listed>,
    is_complete: bool,
}

impl Largest {
    fn answer(mut self, limit: usize) -> Accounts {
        self.accounts.truncate(limit);
        Accounts { height: self.height, accounts: self.accounts, next: None, is_complete: self.is_complete }
    }
}

/// Accounts by name or by balance
#[utoipa::path(
    get,
    path = "/v1/accounts",
    params(Which),
    responses(
        (status = 200, description = "Accounts that the chain keeps", body = Accounts),
        (status = 400, description = "No such cursor, limit or order", body = Problem, content_type = PROBLEM),
        (status = 421, description = "Another instance has the state", body = Problem, content_type = PROBLEM),
        (status = 503, description = "The state cannot be read now", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn list(State(context): State<Arc<Context>>, FromQuery(which): FromQuery<Which>) -> Result<Response> {
    let limit = cursor::limit(which.limit, 50)?;
    let found = match which.order.as_deref() {
        None | Some("name") => context.read(move |_, state| by_name(state, &which, limit)).await?,
        Some("balance") if which.cursor.is_some() || which.prefix.is_some() => {
            return Err(Problem::bad_request("the largest accounts have neither cursor nor prefix"));
        }
        Some("balance") => largest(&context).await?.answer(limit),
        Some(_) => return Err(Problem::bad_request("order is `name` or `balance`")),
    };
    Ok(answer(&found))
}

fn by_name(state: &Ledger, which: &Which, limit: usize) -> Result<Accounts> {
    let prefix = which.prefix.as_deref().unwrap_or_default().as_bytes();
    let mut walked = Walked::default();
    let behind = which.cursor.as_deref().map(str::as_bytes);
    state.walk(Table::Accounts, prefix, behind, |key, value| {
        if walked.accounts.len() == limit {
            walked.has_more = true;
            return Step::Enough;
        }
        walked.take(key, value)
    })?;
    let height = tip(state)?.map_or(0, |tip| tip.height);
    let accounts = walked.done()?;
    let next = accounts.last().filter(|_| walked.has_more).map(|last| last.name.clone());
    Ok(Accounts { height, accounts, next, is_complete: true })
}

/// What a walk over accounts has found.
#[derive(Default)]
struct Walked {
    accounts: Vec<Listed>,
    has_more: bool,
    broken: Option<crate::ledger::state::StateError>,
}

impl Walked {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Step {
        match Record::from_record(key, value) {
            Ok(record) => {
                let name = String::from_utf8_lossy(key).into_owned();
                self.accounts.push(Listed { name, balance: record.balance, nonce: record.nonce });
                Step::On
            }
            Err(error) => {
                self.broken = Some(error);
                Step::Enough
            }
        }
    }

    fn done(&mut self) -> Result<Vec<Listed>> {
        match self.broken.take() {
            Some(error) => Err(crate::ledger::Error::from(error).into()),
            None => Ok(std::mem::take(&mut self.accounts)),
        }
    }
}

/// One at a time looks at all accounts, and only that one keeps others from reading. Meanwhile the rest take what was
/// found before or, where nothing was, wait without being in the way.
async fn largest(context: &Arc<Context>) -> Result<Largest> {
    let known = || lock(&context.largest).clone();
    let is_fresh = |known: &Largest| context.clock.monotonic_ms() < known.good_until_ms;
    let before = known();
    if let Some(fresh) = before.clone().filter(is_fresh) {
        return Ok(fresh);
    }
    let turn = match (Arc::clone(&context.largest_turn).try_lock_owned(), before) {
        (Ok(turn), _) => turn,
        (Err(_), Some(before)) => return Ok(before),
        (Err(_), None) => Arc::clone(&context.largest_turn).lock_owned().await,
    };
    // Another may have found them while this one waited.
    if let Some(fresh) = known().filter(is_fresh) {
        return Ok(fresh);
    }
    let look = move |context: &Context, state: &Ledger| {
        // The turn ends with the work: a request that is given up leaves it running.
        let _turn = turn;
        let begun_ms = context.clock.monotonic_ms();
        let found = find_largest(state)?;
        let now_ms = context.clock.monotonic_ms();
        let pause_ms = now_ms.saturating_sub(begun_ms).saturating_mul(LARGEST_PAUSE_FACTOR).max(LARGEST_AGE_MAX_MS);
        let found = Largest { good_until_ms: now_ms.saturating_add(pause_ms), ..found };
        *lock(&context.largest) = Some(found.clone());
        Ok(found)
    };
    context.read(look).await
}

fn find_largest(state: &Ledger) -> Result<Largest> {
    // By balance, and by name where that is the same: the smallest of those kept lies on top.
    let mut kept: BinaryHeap<Reverse<(i64, Reverse<Vec<u8>>, u64)>> = BinaryHeap::new();
    let (mut count, mut broken) = (0_u64, None);
    state.walk(Table::Accounts, &[], None, |key, value| {
        if count == LARGEST_OF_MAX {
            count += 1;
            return Step::Enough;
        }
        count += 1;
        match Record::from_record(key, value) {
            Ok(record) => {
                let is_smaller = kept.peek().is_some_and(|Reverse((least, ..))| record.balance <= *least);
                if kept.len() < LARGEST_COUNT || !is_smaller {
                    kept.push(Reverse((record.balance, Reverse(key.to_vec()), record.nonce)));
                }
                if kept.len() > LARGEST_COUNT {
                    kept.pop();
                }
                Step::On
            }
            Err(error) => {
                broken = Some(error);
                Step::Enough
            }
        }
    })?;
    if let Some(error) = broken {
        return Err(crate::ledger::Error::from(error).into());
    }
    let listed = |Reverse((balance, Reverse(name), nonce)): Reverse<(i64, Reverse<Vec<u8>>, u64)>| Listed {
        name: String::from_utf8_lossy(&name).into_owned(),
        balance,
        nonce,
    };
    let accounts = kept.into_sorted_vec().into_iter().map(listed).collect();
    let height = tip(state)?.map_or(0, |tip| tip.height);
    Ok(Largest { good_until_ms: i64::MIN, height, accounts, is_complete: count <= LARGEST_OF_MAX })
}
