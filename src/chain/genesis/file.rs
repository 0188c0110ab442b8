//! A genesis as a file (TOML, commented) and inside block 0 (JSON): one shape for both.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::{
    Balances, Committee, Consensus, ConsensusKind, DEFAULT_CHAIN_ID, Genesis, GenesisValidator, Parameters,
    ScheduledVersion, Signatures, Work, WorkRule,
};
use crate::chain::amount::Amount;
use crate::chain::name::Name;
use crate::chain::{Error, Result, hex_array};

/// The name of a balances policy in a file.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Strict,
    Open,
}

/// The shape. What a file leaves out has its default; block 0 leaves nothing out.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    chain_id: String,
    created_ms: i64,
    versions: Vec<ScheduledVersion>,
    balances: Mode,
    /// Of open balances alone, where it is what fits if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overdraft_max: Option<Amount>,
    signatures: Signatures,
    fee: Amount,
    reward: Amount,
    consensus: ConsensusKind,
    /// Of stake alone, where it is the only one there is if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    committee: Option<Committee>,
    /// Of work alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    work: Option<WorkTable>,
    block: BlockTable,
    ids: IdsTable,
    accounts: Vec<AccountRow>,
    validators: Vec<GenesisValidator>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorkTable {
    rule: WorkRule,
    leading_zero_bits: u8,
    target_interval_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BlockTable {
    max_transactions: u32,
    max_bytes: u32,
    max_age_ms: u64,
    window_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct IdsTable {
    remember_blocks: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountRow {
    name: Name,
    balance: i64,
}

impl From<Work> for WorkTable {
    fn from(work: Work) -> Self {
        let Work { rule, leading_zero_bits, target_interval_ms } = work;
        Self { rule, leading_zero_bits, target_interval_ms }
    }
}

impl Default for WorkTable {
    fn default() -> Self {
        Work::default().into()
    }
}

impl Default for BlockTable {
    fn default() -> Self {
        File::default().block
    }
}

impl Default for IdsTable {
    fn default() -> Self {
        File::default().ids
    }
}

impl Default for File {
    fn default() -> Self {
        Self::from(Genesis {
            chain_id: DEFAULT_CHAIN_ID.to_owned(),
            created_ms: 0,
            accounts: Vec::new(),
            validators: Vec::new(),
            parameters: Parameters::default(),
        })
    }
}

impl From<Genesis> for File {
    fn from(genesis: Genesis) -> Self {
        let parameters = genesis.parameters;
        let (balances, overdraft_max) = match parameters.balances {
            Balances::Strict => (Mode::Strict, None),
            Balances::Open { overdraft_max } => (Mode::Open, Some(overdraft_max)),
        };
        Self {
            chain_id: genesis.chain_id,
            created_ms: genesis.created_ms,
            versions: parameters.versions,
            balances,
            overdraft_max,
            signatures: parameters.signatures,
            fee: parameters.fee,
            reward: parameters.reward,
            consensus: parameters.consensus.kind(),
            committee: parameters.consensus.committee(),
            work: parameters.consensus.work().map(WorkTable::from),
            block: BlockTable {
                max_transactions: parameters.block_max_transactions,
                max_bytes: parameters.block_max_bytes,
                max_age_ms: parameters.block_max_age_ms,
                window_ms: parameters.block_window_ms,
            },
            ids: IdsTable { remember_blocks: parameters.ids_remember_blocks },
            accounts: genesis.accounts.into_iter().map(|(name, balance)| AccountRow { name, balance }).collect(),
            validators: genesis.validators,
        }
    }
}

impl File {
    fn into_genesis(self) -> Result<Genesis> {
        let balances = match (self.balances, self.overdraft_max) {
            (Mode::Strict, None) => Balances::Strict,
            (Mode::Strict, Some(_)) => {
                let detail = "strict balances have no overdraft: leave it out, or write balances = \"open\"".to_owned();
                return Err(Error::Genesis { field: "overdraft_max".to_owned(), detail });
            }
            (Mode::Open, overdraft_max) => Balances::Open { overdraft_max: overdraft_max.unwrap_or(Amount::MAX) },
        };
        let consensus = consensus(self.consensus, self.committee, self.work)?;
        Ok(Genesis {
            chain_id: self.chain_id,
            created_ms: self.created_ms,
            accounts: self.accounts.into_iter().map(|row| (row.name, row.balance)).collect(),
            validators: self.validators,
            parameters: Parameters {
                versions: self.versions,
                block_max_transactions: self.block.max_transactions,
                block_max_bytes: self.block.max_bytes,
                block_max_age_ms: self.block.max_age_ms,
                block_window_ms: self.block.window_ms,
                balances,
                signatures: self.signatures,
                fee: self.fee,
                reward: self.reward,
                ids_remember_blocks: self.ids.remember_blocks,
                consensus,
            },
        })
    }
}

fn consensus(kind: ConsensusKind, committee: Option<Committee>, work: Option<WorkTable>) -> Result<Consensus> {
    let misplaced =
        |field: &str, detail: &str| Err(Error::Genesis { field: field.to_owned(), detail: detail.to_owned() });
    match (kind, committee, work) {
        (ConsensusKind::Stake, committee, None) => {
            Ok(Consensus::Stake { committee: committee.unwrap_or(Committee::Local) })
        }
        (ConsensusKind::Work, None, work) => {
            let WorkTable { rule, leading_zero_bits, target_interval_ms } = work.unwrap_or_default();
            Ok(Consensus::Work(Work { rule, leading_zero_bits, target_interval_ms }))
        }
        (ConsensusKind::Stake, _, Some(_)) => misplaced(
            "work",
            "nothing is mined on a chain of stake: leave the table out, or write consensus = \"work\"",
        ),
        (ConsensusKind::Work, Some(_), _) => misplaced("committee", "a chain of work has none: leave it out"),
    }
}

/// What belongs to a kind of consensus, as lines of a file.
fn of_consensus(consensus: Consensus) -> String {
    match consensus {
        Consensus::Stake { committee } => format!(include_str!("stake.toml"), committee = committee),
        Consensus::Work(Work { rule, leading_zero_bits, target_interval_ms }) => format!(
            include_str!("work.toml"),
            rule = rule,
            leading_zero_bits = leading_zero_bits,
            target_interval_ms = target_interval_ms
        ),
    }
}

/// What is wrong with a file, with the line it is about, unless that line is too long to be read.
fn detail(error: &toml::de::Error) -> String {
    const SHOWN_COUNT: usize = 1000;
    let text = error.to_string();
    if text.chars().count() <= SHOWN_COUNT {
        return text.trim().to_owned();
    }
    let place: String = text.lines().next().unwrap_or_default().chars().take(SHOWN_COUNT).collect();
    let message: String = error.message().chars().take(SHOWN_COUNT).collect();
    format!("{place}: {message}")
}

impl Serialize for Genesis {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        File::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Genesis {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        File::deserialize(deserializer)?.into_genesis().map_err(serde::de::Error::custom)
    }
}

impl Genesis {
    /// The genesis of a file, validated. The file may list accounts and validators in any order; what it leaves out has
    /// its default, but for the validators, without whose keys there is no chain.
    pub fn from_toml(text: &str) -> Result<Self> {
        let mut genesis = toml::from_str::<File>(text)
            .map_err(|error| Error::Genesis { field: "file".to_owned(), detail: detail(&error) })?
            .into_genesis()?;
        genesis.accounts.sort();
        genesis.validators.sort_by(|one, other| one.id.cmp(&other.id));
        genesis.validate()?;
        Ok(genesis)
    }

    /// The genesis as a commented file, from which [`Genesis::from_toml`] makes the same genesis.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let parameters = &self.parameters;
        let balances = match parameters.balances {
            Balances::Strict => "balances = \"strict\"\n".to_owned(),
            Balances::Open { overdraft_max } => format!(
                "balances = \"open\"\n# Only with balances = \"open\": no balance falls below minus this.\noverdraft_max = {overdraft_max}\n"
            ),
        };
        let versions: Vec<_> = parameters
            .versions
            .iter()
            .map(|ScheduledVersion { version, from_height }| {
                format!("{{ version = {version}, from_height = {from_height} }}")
            })
            .collect();
        let mut file = format!(
            include_str!("template.toml"),
            chain_id = self.chain_id,
            created_ms = self.created_ms,
            balances = balances,
            signatures = parameters.signatures,
            fee = parameters.fee,
            reward = parameters.reward,
            versions = versions.join(", "),
            consensus = parameters.consensus.kind(),
            of_consensus = of_consensus(parameters.consensus),
            max_transactions = parameters.block_max_transactions,
            max_bytes = parameters.block_max_bytes,
            max_age_ms = parameters.block_max_age_ms,
            window_ms = parameters.block_window_ms,
            remember_blocks = parameters.ids_remember_blocks,
        );
        // Writing to a string does not fail.
        for (name, balance) in &self.accounts {
            let name = toml::Value::from(name.as_str());
            let _ = write!(file, "\n[[accounts]]\nname = {name}\nbalance = {balance}\n");
        }
        for validator in &self.validators {
            let (id, stake) = (&validator.id, validator.stake);
            let ed25519 = hex_array::encode(&validator.ed25519);
            let bls = hex_array::encode(&validator.bls);
            let possession = hex_array::encode(&validator.possession);
            let _ = write!(
                file,
                "\n[[validators]]\nid = \"{id}\"\nstake = {stake}\ned25519 = \"{ed25519}\"\nbls = \"{bls}\"\n\
                 possession = \"{possession}\"\n"
            );
        }
        file
    }
}
