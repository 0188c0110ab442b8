//! The table.

use std::fmt::Write;

use super::count::Measured;
use super::{Arguments, Way};

/// Medians, each with the least and the most of all rounds.
pub(crate) fn table(arguments: &Arguments, rounds: &[[Measured; 4]]) -> String {
    let Arguments { threads, per_second, records, keys, in_memory, brokers, .. } = arguments;
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let (store, log) =
        (if *in_memory { "memory" } else { "RocksDB" }, if brokers.is_some() { "Kafka" } else { "memory" });
    let mut text = format!(
        "{records} records over {keys} keys, store in {store}, log in {log}, {processors} processors, {} rounds; {threads} readers, \
         \"asked\": {per_second} questions a second each\n\n",
        rounds.len()
    );
    let head = ["", "records/s", "of alone", "answers/s", "stream thread", "readers", "between commits"];
    let mut rows = vec![head.map(str::to_owned)];
    for (at, way) in Way::ALL.into_iter().enumerate() {
        let of = |value: fn(&Measured) -> f64| rounds.iter().map(|round| value(&round[at])).collect::<Vec<_>>();
        let shares = rounds.iter().map(|round| round[at].records_per_s / round[0].records_per_s).collect();
        let asked = |text: String| if way == Way::Alone { "-".to_owned() } else { text };
        rows.push([
            way.name().to_owned(),
            spread(of(|measured| measured.records_per_s), 0),
            asked(spread(shares, 3)),
            asked(spread(of(|measured| measured.answers_per_s), 0)),
            spread(of(|measured| measured.stream_cpu), 2),
            asked(spread(of(|measured| measured.reader_cpu), 2)),
            spread(of(|measured| measured.commit_gap_ms), 0) + " ms",
        ]);
    }
    let widths: Vec<usize> =
        (0..head.len()).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text + "\nMedians (the least to the most). \"stream thread\" and \"readers\": how many processors they had, on average. \"between \
            commits\": the longest time from one commit to the next, which are to be 100 ms apart.\n"
}

fn spread(mut values: Vec<f64>, decimals: usize) -> String {
    values.sort_by(f64::total_cmp);
    let [Some(least), Some(middle), Some(most)] =
        [values.first(), values.get(values.len() / 2), values.last()].map(|value| value.copied())
    else {
        return String::new();
    };
    format!("{middle:.decimals$} ({least:.decimals$} to {most:.decimals$})")
}
