//! Least, median and greatest of a few values.

/// How values spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    /// Of an even number of values, the mean of the two in the middle.
    pub(crate) median: f64,
    pub(crate) greatest: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// `None` of no values.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, greatest, count) = (*values.first()?, *values.last()?, values.len());
        let median = (values[(count - 1) / 2] + values[count / 2]) / 2.0;
        Some(Self { least, median, greatest, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0]), Some(Spread { least: 3.0, median: 3.0, greatest: 3.0, count: 1 }));
        assert_eq!(of(&[9.0, 1.0, 2.0]), Some(Spread { least: 1.0, median: 2.0, greatest: 9.0, count: 3 }));
        assert_eq!(of(&[4.0, 1.0, 9.0, 2.0]), Some(Spread { least: 1.0, median: 3.0, greatest: 9.0, count: 4 }));
    }
}
