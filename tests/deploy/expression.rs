//! What an expression of PromQL names: metrics, and labels of theirs.

use std::collections::BTreeSet;

/// What an expression, or a legend, names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) metrics: BTreeSet<String>,
    pub(crate) labels: BTreeSet<String>,
}

/// Before a list of labels.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Reads an expression: a word before a bracket or an operator is a metric unless it is a function; within braces, and
/// in lists behind `by` and its like, words are labels.
pub(crate) fn named(expression: &str) -> Named {
    let mut named = Named::default();
    let (mut rest, mut is_in_braces, mut is_list, mut before) = (expression, false, false, String::new());
    while let Some(first) = rest.chars().next() {
        let is_of_word = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | ':');
        if matches!(first, '"' | '\'') {
            let end = rest[1..].find(first).expect("a text ends");
            rest = &rest[end + 2..];
        } else if first.is_ascii_digit() || matches!(first, '[' | '$') {
            // A number, a range with its unit, or a variable of Grafana.
            let end = rest[1..].find(|character: char| !is_of_word(character) && character != '.' && character != '$');
            rest = &rest[end.map_or(rest.len(), |end| end + 1)..];
        } else if is_of_word(first) {
            let end = rest.find(|character| !is_of_word(character)).unwrap_or(rest.len());
            let word = &rest[..end];
            rest = &rest[end..];
            let follows = rest.trim_start().chars().next();
            if is_in_braces || is_list {
                named.labels.insert(word.to_owned());
            } else if follows != Some('(') && !is_keyword(word) {
                named.metrics.insert(word.to_owned());
            }
            before = word.to_owned();
        } else {
            match first {
                '{' => is_in_braces = true,
                '}' => is_in_braces = false,
                '(' => is_list = BEFORE_LABELS.contains(&before.as_str()),
                ')' => is_list = false,
                _ => {}
            }
            if !first.is_whitespace() {
                before.clear();
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    named
}

fn is_keyword(word: &str) -> bool {
    BEFORE_LABELS.contains(&word)
        || matches!(word, "and" | "or" | "unless" | "bool" | "offset" | "sum" | "max" | "min" | "count")
}

/// The labels in a text such as `{{instance}} thread {{thread}}`, or `{{ $labels.instance }}`.
pub(crate) fn labels_in(text: &str) -> BTreeSet<String> {
    let parts = text.split("{{").skip(1).filter_map(|part| part.split("}}").next());
    let names = parts.filter_map(|part| match part.trim().strip_prefix("$labels.") {
        Some(label) => Some(label.to_owned()),
        None => (!part.trim().starts_with('$')).then(|| part.trim().to_owned()),
    });
    names.collect()
}

#[test]
fn metrics_and_labels_are_told_from_functions_numbers_texts_and_variables() {
    let set = |words: &str| words.split_whitespace().map(str::to_owned).collect::<BTreeSet<_>>();
    let of = |expression: &str| {
        let Named { metrics, labels } = named(expression);
        (metrics, labels)
    };
    assert_eq!(
        of(
            r#"histogram_quantile(0.99, max by (job, le) (rate(a_bucket{job="$job", x=~"b.*"}[$__rate_interval]))) > 1e3"#
        ),
        (set("a_bucket"), set("job le x"))
    );
    assert_eq!(of("max(a) - on (job) group_right () min by (job) (b) > 100"), (set("a b"), set("job")));
    assert_eq!(of("deriv(sum by (job) (c)[15m:1m]) > 0 and on (job) d"), (set("c d"), set("job")));
    assert_eq!(labels_in("{{instance}} thread {{thread}}"), set("instance thread"));
    assert_eq!(labels_in("{{ $labels.instance }} takes {{ $value }} s"), set("instance"));
}
