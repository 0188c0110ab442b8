//! Tables in Markdown, aligned for a terminal too.

use super::{Results, Spread};
use crate::arguments::Scenario;
use crate::measure::figure::Figure;

/// One table of figures and one of ratios for each scenario that was measured, and what failed.
pub(crate) fn tables(results: &Results) -> String {
    let mut text = String::new();
    for (scenario, title) in [
        (Scenario::Count, "Count: as fast as it goes"),
        (Scenario::Restore, "Restore: from the start of the process to its first commit"),
        (Scenario::Latency, "Latency: at a steady rate"),
    ] {
        let figures: Vec<Figure> =
            Figure::ALL.into_iter().filter(|figure| figure.about().scenario == scenario).collect();
        let values = rows(
            &results.subjects,
            |subject| subject.clone(),
            &figures,
            |subject, figure| {
                let about = figure.about();
                Some(shown(results.spread(subject, figure)?, about.scale, about.decimals))
            },
        );
        let Some(values) = values else { continue };
        let with_ratio: Vec<Figure> = figures.into_iter().filter(|figure| figure.about().has_ratio).collect();
        let pairs: Vec<&(String, String)> = results.pairs().collect();
        let ratios = rows(
            &pairs,
            |(one, other)| format!("{one} / {other}"),
            &with_ratio,
            |pair, figure| Some(shown(results.ratio(pair, figure)?, 1.0, 2)),
        );
        text.push_str(&format!("\n{title}\n\n{values}"));
        if let Some(ratios) = ratios {
            text.push_str(&format!("\nRatios, each computed within a round\n\n{ratios}"));
        }
    }
    for failure in &results.failures {
        text.push_str(&format!("\n{failure}\n"));
    }
    text
}

/// `median (least to greatest)`; a value that was measured once stands alone.
fn shown(spread: Spread, scale: f64, decimals: usize) -> String {
    let value = |value: f64| format!("{:.decimals$}", value / scale);
    let (least, greatest) = (value(spread.least), value(spread.greatest));
    match spread.count {
        1 => value(spread.median),
        _ => format!("{} ({least} to {greatest})", value(spread.median)),
    }
}

/// A table with a row for each item and a column for each figure; those without a value are left out. `None` where
/// there is no value at all.
fn rows<T>(
    items: &[T],
    name: impl Fn(&T) -> String,
    figures: &[Figure],
    cell: impl Fn(&T, Figure) -> Option<String>,
) -> Option<String> {
    let measured: Vec<Figure> =
        figures.iter().copied().filter(|figure| items.iter().any(|item| cell(item, *figure).is_some())).collect();
    let mut lines = vec![vec![String::new()]];
    lines[0].extend(measured.iter().map(|figure| figure.about().heading.to_owned()));
    for item in items {
        let cells: Vec<Option<String>> = measured.iter().map(|figure| cell(item, *figure)).collect();
        if cells.iter().any(Option::is_some) {
            let filled = cells.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            lines.push(std::iter::once(name(item)).chain(filled).collect());
        }
    }
    (lines.len() > 1).then(|| aligned(&lines))
}

/// The first line is the head.
fn aligned(lines: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0))
        .collect();
    let row = |line: &[String]| {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |"));
        format!("|{}\n", cells.collect::<String>())
    };
    let rule: String = widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect();
    let body: String = lines[1..].iter().map(|line| row(line)).collect();
    format!("{}|{rule}\n{body}", row(&lines[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::figure::Figures;

    #[test]
    fn a_table_shows_the_spread_and_leaves_out_what_was_not_measured() {
        let mut results = Results {
            subjects: vec!["pipe".to_owned(), "topology".to_owned()],
            ratios: vec![("topology".to_owned(), "pipe".to_owned()), ("topology".to_owned(), "streams".to_owned())],
            failures: vec!["streams: javac is missing".to_owned()],
            ..Results::default()
        };
        for (round, pipe, topology) in [(1, 800_000.0, 400_000.0), (2, 1_000_000.0, 600_000.0)] {
            results.add("pipe", round, Figures::from([(Figure::Rate, pipe)]));
            results.add("topology", round, Figures::from([(Figure::Rate, topology), (Figure::Cpu, 1.25)]));
        }
        let expected = "
Count: as fast as it goes

|          | k records/s       | CPU-s/M             |
|----------|-------------------|---------------------|
| pipe     | 900 (800 to 1000) | -                   |
| topology | 500 (400 to 600)  | 1.25 (1.25 to 1.25) |

Ratios, each computed within a round

|                 | k records/s         |
|-----------------|---------------------|
| topology / pipe | 0.55 (0.50 to 0.60) |

streams: javac is missing
";
        assert_eq!(tables(&results), expected);
    }
}
