//! So much for each address, and so much for all: one that takes all it can get leaves some for the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::context::lock;
use super::rate::network;

/// What there is of something, and how much of it each address has.
#[derive(Clone, Debug)]
pub(super) struct Quota(Arc<Limits>);

#[derive(Debug)]
struct Limits {
    /// The most for one address: much of it, because a proxy has one address.
    of_one: u64,
    of_all: u64,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    by_address: HashMap<IpAddr, u64>,
    all: u64,
}

/// Something that counts, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    quota: Quota,
    address: IpAddr,
    amount: u64,
}

impl Quota {
    /// So much for one address, and for all of them together.
    pub(super) fn new(of_one: u64, of_all: u64) -> Self {
        Self(Arc::new(Limits { of_one, of_all, taken: Mutex::default() }))
    }

    /// Counts so much more for this address; `None` where that is more than it may have, or than there is. What is
    /// larger than either is given to an address that has nothing while nothing else is taken.
    pub(super) fn take(&self, address: IpAddr, amount: u64) -> Option<Counted> {
        let address = network(address);
        let mut taken = lock(&self.0.taken);
        let of_one = taken.by_address.get(&address).copied().unwrap_or(0);
        let fits = |taken: u64, most: u64| taken == 0 || taken.saturating_add(amount) <= most;
        if !fits(of_one, self.0.of_one) || !fits(taken.all, self.0.of_all) {
            return None;
        }
        taken.by_address.insert(address, of_one.saturating_add(amount));
        taken.all = taken.all.saturating_add(amount);
        Some(Counted { quota: self.clone(), address, amount })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = lock(&self.quota.0.taken);
        taken.all = taken.all.saturating_sub(self.amount);
        let left = taken.by_address.get(&self.address).map_or(0, |of_one| of_one.saturating_sub(self.amount));
        if left == 0 {
            taken.by_address.remove(&self.address);
        } else {
            taken.by_address.insert(self.address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_much_others_their_own_and_what_is_given_back_leaves_nothing() {
        let quota = Quota::new(384, 512);
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut held: Vec<Counted> = (0..1_000).filter_map(|_| quota.take(one, 1)).collect();
        assert_eq!(held.len(), 384);
        let others: Vec<Counted> = (0..1_000).filter_map(|_| quota.take(other, 1)).collect();
        assert_eq!(others.len(), 128, "what there is");
        drop(others);
        held.pop();
        held.extend(quota.take(one, 1));
        assert_eq!(held.len(), 384);
        drop(held);
        let taken = lock(&quota.0.taken);
        assert!(taken.by_address.is_empty() && taken.all == 0);
    }

    #[test]
    fn what_is_larger_than_all_there_is_goes_alone() {
        let quota = Quota::new(10, 20);
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let large = quota.take(one, 99);
        assert!(large.is_some() && quota.take(one, 1).is_none() && quota.take(other, 1).is_none());
        drop(large);
        assert!(quota.take(other, 10).is_some());
    }
}
