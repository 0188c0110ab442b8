//! That the validators of the genesis sealed the block: the way from its header back to the genesis hash without any
//! other block.
//!
//! ```text
//! genesis        its hash is the one that the header carries; it has the validators' keys and the stakes they began with
//! slashes        each with evidence that convicts by itself, in the order of the chain: those who stand here have no stake left
//!                  ──► the set that the header names by its hash
//! seal           signatures of the proposer, and of more than two thirds of what stake is left, over the block's hash
//! ```
//! Whether the proposer was the one drawn is not asked: its seed follows from the block before.

use super::refusal::{Part, Refusal};
use crate::chain::{Genesis, Hash, Header, Operation, Seal, validators_hash};
use crate::consensus;
use crate::consensus::roster::{Roster, Stakes};
use crate::consensus::stake::{evidence, seal};

/// What leads from the header back to the genesis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The genesis.
    pub genesis: Genesis,
    /// The slashes of the chain up to the block, this one included.
    pub slashes: Vec<Operation>,
    /// The block's seal; block 0 alone has none, for it follows from the genesis.
    pub seal: Option<Seal>,
}

impl Sealed {
    /// Whether the block with this header and hash is block 0 of the genesis, or sealed by its validators. Costs about
    /// 3 ms, and 2 ms for each validator.
    pub(super) fn check(&self, header: &Header, hash: &Hash) -> Result<(), Refusal> {
        let wrong = |detail: String| Err(Refusal::wrong(Part::Seal, detail));
        let found = self.genesis.hash();
        if found != header.genesis {
            return wrong(format!("the genesis has the hash {found}, the header names {}", header.genesis));
        }
        self.genesis.validate().map_err(|error| Refusal::of_chain(Part::Seal, error))?;
        self.genesis.parameters.check_version(header).map_err(|error| Refusal::of_chain(Part::Seal, error))?;
        match (&self.seal, header.height) {
            (None, 0) if self.slashes.is_empty() => self.check_block_0(hash),
            (Some(seal), 1..) => self.check_seal(header, hash, seal),
            _ => wrong("every block but block 0 has a seal".to_owned()),
        }
    }

    fn check_block_0(&self, hash: &Hash) -> Result<(), Refusal> {
        let begun = consensus::begin(&self.genesis).map_err(|error| Refusal::wrong(Part::Seal, error))?;
        if begun.block.hash == *hash {
            return Ok(());
        }
        Err(Refusal::wrong(Part::Seal, format!("the genesis begins with block {}, not with {hash}", begun.block.hash)))
    }

    fn check_seal(&self, header: &Header, hash: &Hash, sealed: &Seal) -> Result<(), Refusal> {
        let unknown = || Refusal::wrong(Part::Seal, "it is not one of a chain whose validators hold stakes");
        let sealed = sealed.stake().ok_or_else(unknown)?;
        let refused = |error: &dyn std::fmt::Display| Refusal::wrong(Part::Seal, error);
        let roster = Roster::new(&self.genesis.validators).map_err(|error| refused(&error))?;
        let mut members = self.genesis.members();
        let mut stakes = roster.stakes(&members).map_err(|error| refused(&error))?;
        let mut turn = None;
        for slash in &self.slashes {
            let (place, next) = convicted(slash, header, &roster, &mut stakes)?;
            if turn >= Some(next) {
                return Err(refused(&"the slashes are not in the order of the chain"));
            }
            turn = Some(next);
            members.get_mut(place).into_iter().for_each(|member| member.stake = 0);
        }
        let found = validators_hash(&members);
        if found != header.validators {
            let expected = header.validators;
            let detail = format!("genesis and slashes leave the validators {found}, the header names {expected}");
            return Err(refused(&detail));
        }
        let standing =
            seal::Standing { genesis: &header.genesis, height: header.height, roster: &roster, stakes: &stakes };
        seal::verify(&standing, header, hash, sealed).map_err(|flaw| refused(&flaw))
    }
}

/// Who is convicted by a slash of the chain up to a block, and in which turn: its stake is taken.
fn convicted(
    slash: &Operation,
    header: &Header,
    roster: &Roster,
    stakes: &mut Stakes,
) -> Result<(usize, (u64, u32)), Refusal> {
    let wrong = |detail: String| Refusal::wrong(Part::Seal, detail);
    let Operation::Slash { round, validator, amount, evidence } = slash else {
        return Err(wrong("there is an operation that slashes no validator".to_owned()));
    };
    let offence = evidence::verify(evidence, &header.genesis, roster, stakes)
        .map_err(|flaw| wrong(format!("the slash of {validator}: {flaw}")))?;
    // A block has the slashes of the rounds before its own.
    let is_of = |named: &evidence::Offence| {
        roster.place(validator) == Some(named.place)
            && named.round == *round
            && (named.height, named.round) < (header.height, header.round())
    };
    if !is_of(&offence) || stakes.take(offence.place) != *amount {
        return Err(wrong(format!("the evidence against {validator} is about something else than the slash")));
    }
    Ok((offence.place, (offence.height, offence.round)))
}
