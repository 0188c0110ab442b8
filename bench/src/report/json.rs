//! The same for programs: every value of every round, spreads and ratios, in plain units.

use serde_json::{Map, Value, json};

use super::{Results, Spread};
use crate::arguments::Options;
use crate::measure::figure::{Figure, Figures};

/// One object:
///
/// ```text
/// {"settings": {..},
///  "rounds":   [{"subject": "..", "round": 1, "records_per_s": .., ..}, ..],
///  "spreads":  [{"subject": "..", "figure": "records_per_s", "least": .., "median": .., "greatest": .., "count": ..}, ..],
///  "ratios":   [{"subject": "..", "over": "..", "figure": "..", "least": .., "median": .., "greatest": .., "count": ..}, ..],
///  "failures": [".."]}
/// ```
pub(crate) fn json(results: &Results, options: &Options) -> Value {
    let mut spreads = Vec::new();
    for subject in &results.subjects {
        for figure in Figure::ALL {
            let found = results.spread(subject, figure);
            spreads.extend(found.map(|found| with(found, json!({"subject": subject, "figure": figure.about().name}))));
        }
    }
    let mut ratios = Vec::new();
    for pair in results.pairs() {
        for figure in Figure::ALL.into_iter().filter(|figure| figure.about().has_ratio) {
            let about = json!({"subject": pair.0, "over": pair.1, "figure": figure.about().name});
            ratios.extend(results.ratio(pair, figure).map(|found| with(found, about)));
        }
    }
    json!({
        "settings": settings(options),
        "rounds": results.rounds().map(|(subject, round, figures)| of_round(subject, round, figures)).collect::<Vec<_>>(),
        "spreads": spreads,
        "ratios": ratios,
        "failures": results.failures,
    })
}

fn settings(options: &Options) -> Value {
    json!({
        "rounds": options.rounds,
        "records": options.records,
        "keys": options.keys,
        "seed": options.seed,
        "warm_up_share": options.warm_up,
        "commit_interval_ms": options.commit_interval_ms,
        "compression": options.compression,
        "java_options": options.java_options,
        "rate_per_s": options.rate,
        "latency_s": options.latency_s,
        "latency_warm_up_s": options.latency_warm_up_s,
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
    })
}

fn of_round(subject: &str, round: u32, figures: &Figures) -> Value {
    let mut object = Map::new();
    object.insert("subject".to_owned(), json!(subject));
    object.insert("round".to_owned(), json!(round));
    object.extend(figures.iter().map(|(figure, value)| (figure.about().name.to_owned(), json!(value))));
    Value::Object(object)
}

fn with(spread: Spread, mut about: Value) -> Value {
    if let Some(object) = about.as_object_mut() {
        let Spread { least, median, greatest, count } = spread;
        object.extend(
            [("least", least), ("median", median), ("greatest", greatest)].map(|(k, v)| (k.to_owned(), json!(v))),
        );
        object.insert("count".to_owned(), json!(count));
    }
    about
}
