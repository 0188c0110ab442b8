//! So many requests of each address: a bucket of tokens for each, which fills with time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// Tokens of a full bucket: so many requests may come at once.
const BURST: f64 = 400.0;
/// Tokens per millisecond: 200 requests a second.
const FILL_PER_MS: f64 = 0.2;
/// Addresses that are remembered; full buckets are forgotten when there are more.
const ADDRESSES_MAX: usize = 4_096;

/// The buckets.
#[derive(Debug, Default)]
pub(super) struct Rate {
    buckets: HashMap<IpAddr, Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled_ms: i64,
}

impl Bucket {
    fn at(self, now_ms: i64) -> Self {
        let passed_ms = now_ms.saturating_sub(self.filled_ms).max(0) as f64;
        Self { tokens: (self.tokens + passed_ms * FILL_PER_MS).min(BURST), filled_ms: now_ms }
    }
}

impl Rate {
    /// Takes a token for a request of this address; false: there is none.
    pub(super) fn allow(&mut self, address: IpAddr, now_ms: i64) -> bool {
        if self.buckets.len() >= ADDRESSES_MAX {
            self.buckets.retain(|_, bucket| bucket.at(now_ms).tokens < BURST);
            if self.buckets.len() >= ADDRESSES_MAX {
                // More addresses at once than anybody honest has: they share what is left.
                self.buckets.clear();
            }
        }
        let full = Bucket { tokens: BURST, filled_ms: now_ms };
        let bucket = self.buckets.entry(network(address)).or_insert(full);
        *bucket = bucket.at(now_ms);
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

/// An owner of one IPv6 address has the 2^64 beside it, too.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => IpAddr::V4(mapped),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_allowed_then_so_many_a_second_and_another_address_has_its_own() {
        let mut rate = Rate::default();
        let (one, other): (IpAddr, IpAddr) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        assert_eq!((0..1_000).filter(|_| rate.allow(one, 5)).count(), 400);
        assert!(rate.allow(other, 5));
        assert_eq!((0..1_000).filter(|_| rate.allow(one, 1_005)).count(), 200);
        assert_eq!((0..1_000).filter(|_| rate.allow(one, 0)).count(), 0, "a clock that goes back gives nothing");
    }

    #[test]
    fn addresses_of_one_network_share_a_bucket_and_the_table_is_bounded() {
        let mut rate = Rate::default();
        let address = |low: u64| IpAddr::V6(Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) | u128::from(low)));
        assert_eq!((0..1_000).filter(|low| rate.allow(address(*low), 0)).count(), 400);
        for number in 0..20_000_u32 {
            rate.allow(IpAddr::V4(number.into()), 0);
        }
        assert!(rate.buckets.len() <= ADDRESSES_MAX);
    }
}
