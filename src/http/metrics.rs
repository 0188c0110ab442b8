//! The chain's metrics, beside the engine's, in the text of OpenMetrics.
//!
//! | Name | Labels |
//! |---|---|
//! | `cairn_height`, `cairn_last_block_age_seconds` | |
//! | `cairn_blocks_total`, `cairn_slashes_total`, `cairn_missed_turns_total` | |
//! | `cairn_transactions_total` | outcome: `applied`, or why not |
//! | `cairn_unreadable_records_total` | reason |
//! | `cairn_seal_latency_seconds` | |
//! | `cairn_quorum_stake`, `cairn_quorum_needed_stake` | |
//! | `cairn_lag_offsets` | partition |
//! | `cairn_ready` | |
//! | `cairn_http_ended_threads` | |

use std::collections::HashSet;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use super::index::Totals;

/// What is written down at one moment.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) height: Option<u64>,
    pub(super) last_block_age_ms: Option<i64>,
    pub(super) totals: Totals,
    pub(super) waiting_for_quorum: Option<(u64, u64)>,
    pub(super) lags: Vec<(i32, i64)>,
    pub(super) is_ready: bool,
    pub(super) ended_threads: u64,
}

/// The engine's text with the chain's behind it.
pub(super) fn write(engine: &str, values: Values) -> String {
    let mut written = engine.trim_end_matches("# EOF\n").to_owned();
    let mut registry = Registry::with_prefix("cairn");
    registry.register_collector(Box::new(values));
    // Writing to a string fails nowhere.
    let _ = text::encode(&mut written, &registry);
    written
}

/// The same in the text format from before OpenMetrics, for those who ask for that: counters are called by their whole
/// names, and there are neither units nor an end.
pub(super) fn as_text_format(open_metrics: &str) -> String {
    let typed = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"));
    let counters: HashSet<&str> = typed.collect();
    let mut written = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("UNIT" | "EOF"), ..) => continue,
            (Some("#"), Some(what @ ("TYPE" | "HELP")), Some(name), Some(rest)) if counters.contains(name) => {
                written += &format!("# {what} {name}_total {rest}");
            }
            _ => written += line,
        }
        written.push('\n');
    }
    written
}

impl Collector for Values {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let to = &mut encoder;
        if let Some(height) = self.height {
            gauge(to, "height", "Height of the last sealed block", height)?;
        }
        if let Some(age_ms) = self.last_block_age_ms {
            let age = ConstGauge::new(age_ms as f64 / 1_000.0);
            let help = "Time since the log took the last block";
            age.encode(to.encode_descriptor("last_block_age", help, Some(&Unit::Seconds), age.metric_type())?)?;
        }
        let totals = &self.totals;
        counter(to, "blocks", "Blocks seen since the start", totals.blocks)?;
        counter(to, "slashes", "Validators that lost their stake, since the start", totals.slashes)?;
        counter(to, "missed_turns", "Turns of validators that were silent, since the start", totals.missed)?;
        let help = "Transactions in blocks since the start, by what became of them";
        let rejected = totals.rejected.iter().map(|(reason, count)| (*reason, *count));
        counters(to, "transactions", help, "outcome", std::iter::once(("applied", totals.applied)).chain(rejected))?;
        let help = "Records in blocks since the start that are no transactions, by why not";
        let unreadable = totals.unreadable.iter().map(|(reason, count)| (*reason, *count));
        counters(to, "unreadable_records", help, "reason", unreadable)?;
        self.latency(to)?;
        let (have, need) = self.waiting_for_quorum.unwrap_or_default();
        gauge(to, "quorum_stake", "Stake that signs, while a block waits for a quorum; else 0", have)?;
        gauge(to, "quorum_needed_stake", "Stake that is needed, while a block waits for it; else 0", need)?;
        self.lag(to)?;
        gauge(to, "ready", "Whether state is restored and input is processed", u64::from(self.is_ready))?;
        let help =
            "Threads of the HTTP server that ended by a fault: it answers in part until the instance is started again";
        gauge(to, "http_ended_threads", help, self.ended_threads)
    }
}

impl Values {
    fn latency(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        use super::index::LATENCY_BOUNDS_MS;
        let bounds = LATENCY_BOUNDS_MS.iter().map(|bound| *bound as f64 / 1_000.0).chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(self.totals.latency_counts).collect();
        let (sum, count) = (self.totals.latency_sum_ms as f64 / 1_000.0, self.totals.latency_counts.iter().sum());
        let help = "From a block's last record to the block, by the log's clock";
        let mut metric =
            encoder.encode_descriptor("seal_latency", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn lag(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        if self.lags.is_empty() {
            return Ok(());
        }
        let help = "Offsets of the transactions topic from the first record on that is in no block yet";
        let mut family = encoder.encode_descriptor("lag_offsets", help, None, MetricType::Gauge)?;
        for (partition, lag) in &self.lags {
            let labels = [("partition", partition.to_string())];
            let metric: MetricEncoder<'_> = family.encode_family(&labels)?;
            ConstGauge::new(*lag).encode(metric)?;
        }
        Ok(())
    }
}

fn gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)
}

fn counters<'l>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: impl Iterator<Item = (&'l str, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (value, count) in values {
        ConstCounter::new(count).encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_older_format_counters_are_told_of_by_their_whole_names() {
        let open = "# HELP a Of a.\n# TYPE a counter\na_total{b=\"c d\"} 1\n# TYPE e_seconds gauge\n# UNIT e_seconds seconds\ne_seconds 2\n# EOF\n";
        let expected =
            "# HELP a_total Of a.\n# TYPE a_total counter\na_total{b=\"c d\"} 1\n# TYPE e_seconds gauge\ne_seconds 2\n";
        assert_eq!(as_text_format(open), expected);
    }

    #[test]
    fn the_chains_metrics_stand_behind_the_engines_and_the_text_ends_once() {
        let mut totals = Totals { blocks: 3, applied: 7, ..Totals::default() };
        totals.rejected.insert("duplicate", 2);
        totals.latency_counts[1] = 3;
        totals.latency_sum_ms = 60;
        let values = Values {
            height: Some(9),
            last_block_age_ms: Some(1_500),
            totals,
            waiting_for_quorum: Some((5, 7)),
            lags: vec![(0, 4)],
            is_ready: true,
            ended_threads: 0,
        };
        let text = write("# TYPE topology_x counter\ntopology_x_total 1\n# EOF\n", values);
        assert!(text.starts_with("# TYPE topology_x") && text.ends_with("# EOF\n"));
        assert_eq!(text.matches("# EOF").count(), 1);
        for line in [
            "cairn_height 9",
            "cairn_last_block_age_seconds 1.5",
            "cairn_blocks_total 3",
            "cairn_transactions_total{outcome=\"applied\"} 7",
            "cairn_transactions_total{outcome=\"duplicate\"} 2",
            "cairn_seal_latency_seconds_bucket{le=\"0.01\"} 0",
            "cairn_seal_latency_seconds_bucket{le=\"0.025\"} 3",
            "cairn_seal_latency_seconds_bucket{le=\"+Inf\"} 3",
            "cairn_seal_latency_seconds_sum 0.06",
            "cairn_quorum_stake 5",
            "cairn_lag_offsets{partition=\"0\"} 4",
            "cairn_ready 1",
            "cairn_http_ended_threads 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
