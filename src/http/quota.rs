//! So many connections of each address: one that takes all it can get leaves some for the others, and for an
//! operator's probe.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use super::context::lock;
use super::rate::network;

/// Connections of one address at once, of the 512 that there are: many, because a proxy has one address.
const OF_ONE_MAX: usize = 384;

/// How many connections each address has.
#[derive(Clone, Debug, Default)]
pub(super) struct Quota(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection that counts, until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    quota: Quota,
    address: IpAddr,
}

impl Quota {
    /// Counts one more of this address; `None` where it has as many as it may.
    pub(super) fn take(&self, address: IpAddr) -> Option<Counted> {
        let address = network(address);
        let mut counts = lock(&self.0);
        let count = counts.entry(address).or_default();
        if *count >= OF_ONE_MAX {
            return None;
        }
        *count += 1;
        Some(Counted { quota: self.clone(), address })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = lock(&self.quota.0);
        let left = counts.get(&self.address).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            counts.remove(&self.address);
        } else {
            counts.insert(self.address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_so_many_others_their_own_and_what_is_given_back_leaves_nothing() {
        let quota = Quota::default();
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        let mut held: Vec<Counted> = (0..1_000).filter_map(|_| quota.take(one)).collect();
        assert_eq!(held.len(), OF_ONE_MAX);
        assert!(quota.take(other).is_some());
        held.pop();
        held.extend(quota.take(one));
        assert_eq!(held.len(), OF_ONE_MAX);
        drop(held);
        assert!(lock(&quota.0).is_empty());
    }
}
