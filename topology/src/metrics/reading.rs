//! Metrics that are asked for when they are read: what others count already.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::exported::Labels;

/// Counters and gauges that another part of the program keeps.
pub(crate) trait Readings: fmt::Debug + Send + Sync + 'static {
    /// All of them, as they are now.
    fn read(&self) -> Vec<Reading>;
}

/// The metrics of one name; one that ends in `_total` is a counter's.
#[derive(Debug)]
pub(crate) struct Reading {
    name: &'static str,
    help: &'static str,
    rows: Vec<(Labels, Value)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// Of what is counted, or measured in whole bytes.
    Whole(u64),
    /// A time.
    Seconds(f64),
}

impl Reading {
    /// One metric without labels.
    pub(crate) fn one(name: &'static str, help: &'static str, value: u64) -> Self {
        Self { name, help, rows: vec![(Labels::new(), Value::Whole(value))] }
    }

    /// One for each row, told apart by labels; `None` where there are no rows.
    pub(crate) fn of(
        name: &'static str,
        help: &'static str,
        rows: impl Iterator<Item = (Labels, Value)>,
    ) -> Option<Self> {
        let rows: Vec<_> = rows.collect();
        (!rows.is_empty()).then_some(Self { name, help, rows })
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let counted = self.name.strip_suffix("_total");
        let kind = if counted.is_some() { MetricType::Counter } else { MetricType::Gauge };
        let mut all = encoder.encode_descriptor(counted.unwrap_or(self.name), self.help, None, kind)?;
        self.rows.iter().try_for_each(|(labels, value)| match labels.is_empty() {
            true => value.encode(&mut all, counted.is_some()),
            false => value.encode(&mut all.encode_family(labels)?, counted.is_some()),
        })
    }
}

impl Value {
    fn encode(self, encoder: &mut MetricEncoder<'_>, is_counted: bool) -> fmt::Result {
        match (self, is_counted) {
            (Self::Whole(value), true) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
            (Self::Seconds(value), true) => encoder.encode_counter::<NoLabelSet, _, f64>(&value, None),
            (Self::Whole(value), false) => encoder.encode_gauge(&value),
            (Self::Seconds(value), false) => encoder.encode_gauge(&value),
        }
    }
}

/// Reads when it is asked.
#[derive(Debug)]
pub(super) struct Read<G>(pub(super) G);

impl<G: Readings> Collector for Read<G> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.read().iter().try_for_each(|reading| reading.encode(&mut encoder))
    }
}
