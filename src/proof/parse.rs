//! The file of a proof, read: what was read is rendered again and compared, so that a proof has one file and every byte
//! of it counts.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Proof;
use super::bounded::{AtMost, ListsOfChunks, Other};
use super::claim::{Claim, Place, StatePath};
use super::history::History;
use super::ids::ListedIds;
use super::refusal::{Part, Refusal};
use super::sealed::Sealed;
use crate::chain::{self, Entry, Hash, Header, Operation, Seal, ValidatorId, from_canonical, hex_array};
use crate::ledger::state::{Account, ValidatorRecord};

type Result<T> = std::result::Result<T, Refusal>;

/// The most hashes of a path in a tree whose leaves are counted in 64 bits.
const PATH_MAX: usize = 64;
/// The most hashes of a path in the state tree: one for each bit of a key.
const SIBLINGS_MAX: usize = 256;
/// A validator loses its stake once, and a genesis has no more of them.
const SLASHES_MAX: usize = 1024;
/// Of a larger file it is not asked whether another program wrote it anew: that takes a second one in memory.
const REWRITTEN_SIZE_BYTES_MAX: usize = 1 << 20;

/// The fields of the file.
#[derive(Deserialize)]
struct File<'f> {
    #[serde(borrow)]
    claim: &'f RawValue,
    #[serde(borrow)]
    shown: &'f RawValue,
    #[serde(borrow)]
    header: &'f RawValue,
    history: HistoryFields,
    #[serde(borrow)]
    sealed: Option<SealedFields<'f>>,
}

#[derive(Deserialize)]
struct HistoryFields {
    size: u64,
    root: Hash,
    path: AtMost<PATH_MAX, Hash>,
}

#[derive(Deserialize)]
struct SealedFields<'f> {
    #[serde(borrow)]
    genesis: &'f RawValue,
    #[serde(borrow)]
    slashes: AtMost<SLASHES_MAX, &'f RawValue>,
    #[serde(borrow)]
    seal: Option<&'f RawValue>,
}

impl Proof {
    /// Reads a file. Errors: it is not the one rendering of a proof, or a newer program made it.
    pub fn parse(file: &[u8]) -> Result<Self> {
        if file.len() > Self::SIZE_BYTES_MAX {
            return Err(form(format!("it has {} bytes, a proof at most {}", file.len(), Self::SIZE_BYTES_MAX)));
        }
        let text = std::str::from_utf8(file).map_err(|error| form(format!("it is not UTF-8: {error}")))?;
        match Self::of_text(text) {
            Err(Refusal::Wrong { part: Part::Form, .. }) if is_rewritten(text) => Err(form(
                "it holds the values of a proof, and another program has written them anew, with other spaces and line breaks: a \
                 proof is to be kept byte for byte as cairn prove wrote it. Get it again, or try what jq -c . FILE makes of it",
            )),
            Err(Refusal::Wrong { part: Part::Form, detail }) if check_format(text).is_ok() => {
                Err(form(format!("{detail}. A proof is to be kept byte for byte as cairn prove wrote it")))
            }
            read => read,
        }
    }

    fn of_text(text: &str) -> Result<Self> {
        check_format(text)?;
        let File { claim, shown, header, history, sealed } = read(text)?;
        let header = Header::from_json(header.get()).map_err(of_chain)?;
        let HistoryFields { size, root, path } = history;
        let proof = Self {
            claim: claim_of(claim.get(), shown.get())?,
            header,
            history: History { size, root, path: path.0 },
            sealed: sealed.map(sealed_of).transpose()?,
        };
        check_rendering(&proof, text.as_bytes())?;
        Ok(proof)
    }
}

fn form(detail: impl std::fmt::Display) -> Refusal {
    Refusal::wrong(Part::Form, detail)
}

fn of_chain(error: chain::Error) -> Refusal {
    Refusal::of_chain(Part::Form, error)
}

/// A text as a value of this shape. The error names the place and no more: what stands there is a stranger's.
fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        let what =
            error.to_string().chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        form(format!("it is not a proof: {what}"))
    })
}

/// The format is asked for before anything else: a later one may differ in everything else.
fn check_format(text: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Format {
        proof: u64,
    }
    match read::<Format>(text)?.proof {
        Proof::FORMAT => Ok(()),
        newer if newer > Proof::FORMAT => Err(Refusal::Newer(format!(
            "the proof was made by a newer program: it has the format {newer}, this program knows {}",
            Proof::FORMAT
        ))),
        other => Err(form(format!("there is no format {other} of a proof"))),
    }
}

fn check_rendering(proof: &Proof, file: &[u8]) -> Result<()> {
    let rendering = proof.to_file_of(file.len());
    if rendering == file {
        return Ok(());
    }
    let same = rendering.iter().zip(file).take_while(|(wanted, found)| wanted == found).count();
    let show = |bytes: &[u8]| bytes.iter().skip(same).take(24).copied().collect::<Vec<u8>>().escape_ascii().to_string();
    let (found, wanted) = (show(file), show(&rendering));
    Err(form(format!("it is not the one rendering of its proof: from byte {same} on it has `{found}`, not `{wanted}`")))
}

/// Whether a text that is no proof is one but for the spaces and line breaks between its parts: other programs put them
/// there.
fn is_rewritten(text: &str) -> bool {
    if text.len() > REWRITTEN_SIZE_BYTES_MAX {
        return false;
    }
    let (mut bare, mut in_string, mut is_escaped) = (String::with_capacity(text.len()), false, false);
    for character in text.chars() {
        if !in_string && matches!(character, ' ' | '\t' | '\r' | '\n') {
            continue;
        }
        in_string ^= character == '"' && !is_escaped;
        is_escaped = in_string && character == '\\' && !is_escaped;
        bare.push(character);
    }
    bare.push('\n');
    bare != text && Proof::of_text(&bare).is_ok()
}

fn claim_of(claim: &str, shown: &str) -> Result<Claim> {
    #[derive(Deserialize)]
    struct Kind {
        kind: String,
    }
    #[derive(Deserialize)]
    struct OfEntry<'c> {
        #[serde(borrow)]
        entry: &'c RawValue,
    }
    let entry = || {
        let OfEntry { entry } = read(claim)?;
        Entry::from_json(entry.get()).map(Box::new).map_err(of_chain)
    };
    match read::<Kind>(claim)?.kind.as_str() {
        "transaction" => Ok(Claim::Transaction { entry: entry()?, place: place(shown)? }),
        "id_used" => Ok(Claim::IdUsed { entry: entry()?, place: place(shown)? }),
        "id_unused" => id_unused(claim, shown),
        "balance" => balance(claim, shown),
        "validator" => validator(claim, shown),
        "block" => Ok(Claim::Block),
        _ => Err(form(format!("the claim is not one of {}", Claim::KINDS.join(", ")))),
    }
}

fn place(shown: &str) -> Result<Place> {
    #[derive(Deserialize)]
    struct Fields {
        index: u64,
        path: AtMost<PATH_MAX, Hash>,
    }
    let Fields { index, path } = read(shown)?;
    Ok(Place { index, path: path.0 })
}

fn state_path(shown: &str) -> Result<StatePath> {
    #[derive(Deserialize)]
    struct Fields {
        siblings: AtMost<SIBLINGS_MAX, Hash>,
        other: Option<Other>,
    }
    let Fields { siblings, other } = read(shown)?;
    Ok(StatePath { siblings: siblings.0, other: other.map(Other::boxed) })
}

fn balance(claim: &str, shown: &str) -> Result<Claim> {
    #[derive(Deserialize)]
    struct Fields {
        name: String,
        balance: i64,
        nonce: u64,
    }
    let Fields { name, balance, nonce } = read(claim)?;
    let name = name.parse().map_err(|error| form(format!("the account's name: {error}")))?;
    Ok(Claim::Balance { name, account: Account { balance, nonce }, path: state_path(shown)? })
}

fn validator(claim: &str, shown: &str) -> Result<Claim> {
    #[derive(Deserialize)]
    struct Fields {
        id: ValidatorId,
        record: Option<Record>,
    }
    #[derive(Deserialize)]
    struct Record {
        #[serde(with = "hex_array")]
        ed25519: [u8; 32],
        #[serde(with = "hex_array")]
        bls: [u8; 96],
        #[serde(with = "hex_array")]
        possession: [u8; 48],
        stake: u64,
        slashed_at_height: Option<u64>,
        missed: u64,
    }
    let Fields { id, record } = read(claim)?;
    let record = record.map(|Record { ed25519, bls, possession, stake, slashed_at_height, missed }| {
        Box::new(ValidatorRecord { ed25519, bls, possession, stake, slashed_at_height, missed })
    });
    Ok(Claim::Validator { id, record, path: state_path(shown)? })
}

fn id_unused(claim: &str, shown: &str) -> Result<Claim> {
    #[derive(Deserialize)]
    struct Fields {
        sender: String,
        id: String,
    }
    #[derive(Deserialize)]
    struct Shown {
        parameters: String,
        lists: ListsOfChunks<SIBLINGS_MAX>,
    }
    let Fields { sender, id } = read(claim)?;
    let sender = sender.parse().map_err(|error| form(format!("the sender: {error}")))?;
    let id = id.parse().map_err(|error| form(format!("the id: {error}")))?;
    let Shown { parameters, lists } = read(shown)?;
    let parameters = from_canonical(&bytes(&parameters)?).map_err(of_chain)?;
    Ok(Claim::IdUnused { sender, id, listed: ListedIds { parameters, lists: lists.0 } })
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    hex_array::decode_all(digits).ok_or_else(|| form("bytes are written as lower-case hex digits, two for each"))
}

fn sealed_of(SealedFields { genesis, slashes, seal }: SealedFields<'_>) -> Result<Sealed> {
    fn owned<T: DeserializeOwned>(text: &RawValue) -> Result<T> {
        read(text.get())
    }
    Ok(Sealed {
        genesis: owned(genesis)?,
        slashes: slashes
            .0
            .iter()
            .map(|slash| Operation::from_json(slash.get()).map_err(of_chain))
            .collect::<Result<_>>()?,
        seal: seal.map(|seal| Seal::from_json(seal.get()).map_err(of_chain)).transpose()?,
    })
}
