//! A state that is not at hand: the chain is followed to it, where that does not take long.

use axum::http::StatusCode;
use topology::clock::Clock;
use topology::log::Log;

use super::Wanted;
use super::history::unread;
use super::maker::{FILE_BYTES_MAX, Maker, behind, checked, too_large};
use crate::audit::Anchor;
use crate::audit::prove::{self, Cover, Options, Question, Unproved};
use crate::config::key_file;
use crate::http::problem::{Problem, Result};
use crate::proof::Proof;

/// What is asked, after which height, and whether with the seal.
pub(super) type Followed = (Question, u64, bool);

impl<L: Log> Maker<L> {
    /// Follows the chain to a height whose state is not at hand, where that does not take long.
    pub(super) fn follow(&mut self, wanted: &Wanted) -> Result<Proof> {
        let size = self.history.size(wanted.size)?;
        let height = wanted.at_height.unwrap_or(size - 1);
        if height >= size {
            return Err(behind(height, size));
        }
        if !self.history.may_be_followed(height) {
            return Err(Problem::unprovable(format!(
                "the state after block {height} is not at hand, and the chain is too long to be followed to it here: ask without \
                 at_height for the last block, or use cairn prove"
            )));
        }
        let asked = (wanted.question.clone(), height, wanted.with_seal);
        if let Some((_, proof)) = self.followed.as_ref().filter(|(known, _)| *known == asked) {
            let proof = proof.clone();
            return self.lead(proof, size);
        }
        let options = Options {
            blockchain: self.blockchain.clone(),
            anchor: Anchor::Genesis(self.genesis.hash()),
            question: wanted.question.clone(),
            at_height: Some(height),
            // No block behind it is read: what leads on from there is known.
            cover: Cover::Size(height + 1),
            with_seal: wanted.with_seal,
            size_bytes_max: FILE_BYTES_MAX,
        };
        let rng = key_file::system_rng().map_err(|error| Problem::unavailable(error.to_string()))?;
        let begun_ms = self.clock.monotonic_ms();
        self.budget.check(begun_ms)?;
        let proved = prove::prove(&self.log, &self.clock, &options, rng, &mut |_| {});
        self.budget.spend(begun_ms, self.clock.monotonic_ms());
        match proved.map_err(unread)? {
            Ok(proof) => {
                // One of all ids may be large.
                if !matches!(asked.0, Question::Id { .. }) {
                    self.followed = Some((asked, proof.clone()));
                }
                self.lead(proof, size)
            }
            Err(Unproved::NotThere(why) | Unproved::Beyond(why)) => Err(Problem::not_found(why)),
            Err(Unproved::Large(why)) => Err(too_large(why)),
            Err(broken @ Unproved::Broken(_)) => {
                Err(Problem::new(StatusCode::BAD_GATEWAY, format!("{broken}: run cairn verify")))
            }
        }
    }

    /// A proof, led to the history of so many blocks.
    fn lead(&mut self, proof: Proof, size: u64) -> Result<Proof> {
        let history = self.history.of(proof.header.height, size)?;
        checked(Proof { history, ..proof })
    }
}
