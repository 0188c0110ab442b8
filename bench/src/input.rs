//! The records that are counted: keys drawn uniformly, values of random bytes, the same for every run and every seed.
//!
//! ```text
//! key    acct-NNNNNN            11 bytes, one of 100,000 unless told otherwise
//! value  100 random bytes
//! ```
//! Pure: how they get into a topic is not known here.

pub(crate) const VALUE_BYTES: usize = 100;

/// One key of the input.
pub(crate) type Key = [u8; 11];

/// `acct-000042` for 42.
pub(crate) fn key(number: u32) -> Key {
    let mut key = *b"acct-000000";
    let mut left = number;
    for digit in key[5..].iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    key
}

/// 42 for `acct-000042`.
fn number(key: &[u8]) -> Option<u32> {
    std::str::from_utf8(key).ok()?.strip_prefix("acct-")?.parse().ok()
}

/// SplitMix64: fast, and long known to pass the tests of randomness.
#[derive(Clone, Debug)]
pub(crate) struct Generator {
    state: u64,
    key_count: u32,
}

impl Generator {
    pub(crate) fn new(seed: u64, key_count: u32) -> Self {
        Self { state: seed, key_count }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The number of the next record's key, below the count of keys.
    pub(crate) fn key_number(&mut self) -> u32 {
        (((self.next() >> 32) * u64::from(self.key_count)) >> 32) as u32
    }

    /// The next record's value.
    pub(crate) fn value(&mut self) -> [u8; VALUE_BYTES] {
        let mut value = [0; VALUE_BYTES];
        for part in value.chunks_mut(8) {
            part.copy_from_slice(&self.next().to_be_bytes()[..part.len()]);
        }
        value
    }
}

/// What a correct application writes: for each record in turn, its key and how often that key came so far. Where there
/// are several partitions, nothing orders records of different keys.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    keys: &'a [u32],
    is_ordered: bool,
    counts: Vec<u64>,
    checked: usize,
}

impl<'a> Expected<'a> {
    /// For the records with these key numbers, in this order.
    pub(crate) fn new(keys: &'a [u32], partitions: i32) -> Self {
        let key_count = keys.iter().max().map_or(0, |most| *most as usize + 1);
        Self { keys, is_ordered: partitions == 1, counts: vec![0; key_count], checked: 0 }
    }

    /// Compares the next output; with `is_counted`, its count too. `Err` says how it differs.
    pub(crate) fn check(&mut self, output_key: &[u8], value: &[u8], is_counted: bool) -> Result<(), String> {
        let at = self.checked;
        let Some(next) = self.keys.get(at) else { return Err(format!("more than {at} records of output")) };
        let number = if self.is_ordered { Some(*next) } else { number(output_key) };
        let got = || String::from_utf8_lossy(output_key);
        let Some((number, count)) = number.and_then(|number| Some((number, self.counts.get_mut(number as usize)?)))
        else {
            return Err(format!("output {at} has the key {}, which the input has not", got()));
        };
        *count += 1;
        if output_key != key(number) {
            return Err(format!("output {at} has the key {}, the input acct-{number:06}", got()));
        }
        if is_counted && value != count.to_be_bytes() {
            return Err(format!("output {at} counts {value:?} for acct-{number:06}, of which {count} have come"));
        }
        self.checked += 1;
        Ok(())
    }

    /// How many outputs agreed so far.
    pub(crate) fn checked(&self) -> usize {
        self.checked
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.checked == self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_bears_its_number_in_six_digits() {
        assert_eq!(&key(42), b"acct-000042");
        assert_eq!(&key(987_654), b"acct-987654");
    }

    #[test]
    fn one_seed_gives_one_input_and_keys_stay_in_range() {
        let mut first = Generator::new(42, 10);
        let mut second = first.clone();
        for _ in 0..1_000 {
            let number = first.key_number();
            assert!(number < 10);
            assert_eq!(number, second.key_number());
            assert_eq!(first.value(), second.value());
        }
        assert_ne!(Generator::new(43, 10).value(), first.value());
    }

    #[test]
    fn only_running_counts_in_the_order_of_the_input_are_right() {
        let keys = [3, 1, 3];
        let mut expected = Expected::new(&keys, 1);
        expected.check(&key(3), &1_u64.to_be_bytes(), true).unwrap();
        expected.check(&key(1), &1_u64.to_be_bytes(), true).unwrap();
        assert!(!expected.is_complete());
        expected.check(&key(3), &2_u64.to_be_bytes(), true).unwrap();
        assert!(expected.is_complete());
        assert!(expected.check(&key(3), &3_u64.to_be_bytes(), true).unwrap_err().contains("more than 3"));
        assert!(
            Expected::new(&keys, 1).check(&key(1), &1_u64.to_be_bytes(), true).unwrap_err().contains("acct-000003")
        );
        assert!(
            Expected::new(&keys, 1).check(&key(3), &2_u64.to_be_bytes(), true).unwrap_err().contains("1 have come")
        );
        Expected::new(&keys, 1).check(&key(3), b"anything", false).unwrap();
    }

    #[test]
    fn of_several_partitions_each_keys_counts_must_be_in_order() {
        let keys = [3, 1, 3];
        let mut expected = Expected::new(&keys, 4);
        expected.check(&key(1), &1_u64.to_be_bytes(), true).unwrap();
        assert!(expected.check(&key(3), &2_u64.to_be_bytes(), true).is_err(), "before the first of it");
        let mut expected = Expected::new(&keys, 4);
        assert!(expected.check(&key(4), &1_u64.to_be_bytes(), true).unwrap_err().contains("which the input has not"));
    }
}
