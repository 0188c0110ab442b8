//! The table of stakes: who has how much, and how much decides.

use super::Error;
use crate::chain::Bitmap;

/// Stakes by place; zero for a validator that was slashed. The sum fits 64 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stakes {
    stakes: Vec<u64>,
}

impl Stakes {
    /// Errors: the sum does not fit 64 bits.
    pub fn new(stakes: Vec<u64>) -> Result<Stakes, Error> {
        let sum = stakes.iter().try_fold(0u64, |sum, stake| sum.checked_add(*stake));
        sum.map(|_| Stakes { stakes }).ok_or(Error::StakeOverflow)
    }

    /// By place.
    #[must_use]
    pub fn as_slice(&self) -> &[u64] {
        &self.stakes
    }

    /// The stake at a place; zero where there is no validator.
    #[must_use]
    pub fn at(&self, place: usize) -> u64 {
        self.stakes.get(place).copied().unwrap_or(0)
    }

    /// Takes the whole stake at a place, now and for good; how much it was.
    pub fn take(&mut self, place: usize) -> u64 {
        self.stakes.get_mut(place).map(std::mem::take).unwrap_or(0)
    }

    /// All stake that is not slashed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.stakes.iter().sum()
    }

    /// The stake of a set of places.
    #[must_use]
    pub fn of(&self, signers: &Bitmap) -> u64 {
        signers.places().map(|place| self.at(place)).sum()
    }

    /// The least stake that seals a block: strictly more than two thirds of what is not slashed.
    #[must_use]
    pub fn quorum(&self) -> u64 {
        more_than_two_thirds(self.total())
    }

    /// The least stake that convicts the validator at `accused`: strictly more than two thirds of what the others hold.
    #[must_use]
    pub fn quorum_against(&self, accused: usize) -> u64 {
        more_than_two_thirds(self.total() - self.at(accused))
    }
}

/// The least integer strictly above two thirds of `total`: `floor(2 total / 3) + 1`.
fn more_than_two_thirds(total: u64) -> u64 {
    // Twice the total may pass 64 bits; two thirds of it never do.
    let third = total / 3;
    third * 2 + (total % 3) * 2 / 3 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_strictly_more_than_two_thirds() {
        for total in (0..1000).chain([u64::MAX - 2, u64::MAX - 1, u64::MAX]) {
            let need = u128::from(more_than_two_thirds(total));
            let total = u128::from(total);
            assert!(3 * need > 2 * total && 3 * (need - 1) <= 2 * total, "{total}");
        }
    }

    #[test]
    fn the_accused_has_no_part_in_the_quorum_against_it() {
        let stakes = Stakes::new(vec![2000, 100, 100, 100]).unwrap();
        assert_eq!(stakes.quorum(), 1534);
        assert_eq!(stakes.quorum_against(0), 201, "also a validator that holds most of the stake can be convicted");
    }
}
