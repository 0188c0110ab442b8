//! Counts words, in two stages that scale apart from each other.
//!
//! ```text
//!   lines ──> split ──> by-word ──> count ──> totals
//!             one task per          │  one task per partition of by-word: each word is always counted by the same one
//!             partition of lines    └─ store: counts
//!
//! cargo run -p topology --no-default-features --example word_count
//! ```

mod in_memory;

use in_memory::Result;
use topology::graph::{Builder, Repartition, Store, Topology};

fn word_count() -> topology::Result<Topology> {
    let builder = Builder::new();
    let by_word = Repartition::<str, ()>::new("by-word").partitions(3);
    let lines = builder.sub_topology("splitting").source::<str, str>("lines");
    lines
        .flat_map::<str, ()>(|line, out| {
            line.value.unwrap_or_default().split_whitespace().for_each(|word| out.emit(word, ()))
        })
        .repartition(&by_word);
    // Each new count is a record of its own: the last one of a word holds.
    builder.sub_topology("counting").source_of(&by_word).count(&Store::rocksdb("counts")).sink("totals");
    builder.build()
}

fn main() -> Result {
    let log = in_memory::log();
    in_memory::write::<str>(&log, "lines", &[("1", "to be or not to be", 0), ("2", "to do is to be", 1)])?;
    in_memory::run(&word_count()?, &log, "word-count")?;
    for (word, count) in in_memory::read::<i64>(&log, "totals")? {
        println!("{word}: {count}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn words_are_counted_across_lines_and_across_runs() {
        let log = in_memory::log();
        for run in 1..=2 {
            in_memory::write::<str>(&log, "lines", &[("1", "to be or not to be", 0), ("2", "to do", 1)]).unwrap();
            in_memory::run(&word_count().unwrap(), &log, "word-count").unwrap();
            let totals = in_memory::read::<i64>(&log, "totals").unwrap();
            assert_eq!(totals.len(), run * 8, "one record for each word");
            let last: BTreeMap<_, _> = totals.into_iter().collect();
            let expected = [("be", 2), ("do", 1), ("not", 1), ("or", 1), ("to", 3)];
            assert_eq!(last, expected.map(|(word, count)| (word.to_owned(), count * run as i64)).into());
        }
    }
}
