//! What there is to measure. The names are those of the JSON output; the headings, those of the tables.

use std::collections::BTreeMap;

use crate::arguments::Scenario;

/// What one run measured.
pub(crate) type Figures = BTreeMap<Figure, f64>;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    Rate,
    Cpu,
    BrokerCpu,
    ResidentMax,
    Start,
    ChangelogShare,
    Others,
    Restart,
    Restore,
    RestoreRate,
    RestoreCpu,
    CommitMedian,
    CommitP99,
    CommitMax,
    Pause,
    RecordMedian,
    RecordP99,
    SteadyCpu,
    Late,
    SteadyOthers,
}

/// How a figure is shown.
pub(crate) struct About {
    pub(crate) scenario: Scenario,
    /// In the JSON output, with its unit.
    pub(crate) name: &'static str,
    /// Of its column.
    pub(crate) heading: &'static str,
    pub(crate) decimals: usize,
    /// What the table divides by: thousands are easier to read.
    pub(crate) scale: f64,
    /// Whether a ratio between two subjects says anything.
    pub(crate) has_ratio: bool,
}

impl Figure {
    pub(crate) const ALL: [Figure; 20] = [
        Figure::Rate,
        Figure::Cpu,
        Figure::BrokerCpu,
        Figure::ResidentMax,
        Figure::Start,
        Figure::ChangelogShare,
        Figure::Others,
        Figure::Restart,
        Figure::Restore,
        Figure::RestoreRate,
        Figure::RestoreCpu,
        Figure::CommitMedian,
        Figure::CommitP99,
        Figure::CommitMax,
        Figure::Pause,
        Figure::RecordMedian,
        Figure::RecordP99,
        Figure::SteadyCpu,
        Figure::Late,
        Figure::SteadyOthers,
    ];

    pub(crate) fn about(self) -> About {
        let about = |scenario, name, heading, decimals, scale, has_ratio| About {
            scenario,
            name,
            heading,
            decimals,
            scale,
            has_ratio,
        };
        let (count, restore, latency) = (Scenario::Count, Scenario::Restore, Scenario::Latency);
        match self {
            Figure::Rate => about(count, "records_per_s", "k records/s", 0, 1e3, true),
            Figure::Cpu => about(count, "cpu_s_per_million", "CPU-s/M", 2, 1.0, true),
            Figure::BrokerCpu => about(count, "broker_cpu_s_per_million", "broker CPU-s/M", 2, 1.0, true),
            Figure::ResidentMax => about(count, "resident_max_mib", "peak RSS MiB", 0, 1.0, true),
            Figure::Start => about(count, "start_s", "start s", 1, 1.0, false),
            Figure::ChangelogShare => about(count, "changelog_per_record", "changelog/record", 2, 1.0, false),
            Figure::Others => about(count, "others_share", "others %", 1, 0.01, false),
            Figure::Restart => about(restore, "restart_s", "restart s", 2, 1.0, true),
            Figure::Restore => about(restore, "restore_s", "restore s", 2, 1.0, true),
            Figure::RestoreRate => about(restore, "restored_per_s", "k restored/s", 0, 1e3, true),
            Figure::RestoreCpu => about(restore, "restore_cpu_s_per_million", "CPU-s/M", 2, 1.0, true),
            Figure::CommitMedian => about(latency, "commit_p50_ms", "commit p50 ms", 1, 1.0, true),
            Figure::CommitP99 => about(latency, "commit_p99_ms", "p99", 1, 1.0, true),
            Figure::CommitMax => about(latency, "commit_max_ms", "max", 1, 1.0, true),
            Figure::Pause => about(latency, "longest_pause_ms", "longest pause ms", 0, 1.0, true),
            Figure::RecordMedian => about(latency, "record_p50_ms", "record p50 ms", 0, 1.0, true),
            Figure::RecordP99 => about(latency, "record_p99_ms", "p99", 0, 1.0, true),
            Figure::SteadyCpu => about(latency, "steady_cpu_s_per_million", "CPU-s/M", 2, 1.0, true),
            Figure::Late => about(latency, "sender_late_max_ms", "sender late ms", 0, 1.0, false),
            Figure::SteadyOthers => about(latency, "steady_others_share", "others %", 1, 0.01, false),
        }
    }
}
