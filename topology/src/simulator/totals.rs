//! What many runs did.

use std::collections::BTreeMap;
use std::fmt;

use super::{Fault, Report};

/// The sums of many runs' reports: whether they met the faults that they were made for.
///
/// ```
/// use topology::simulator::Totals;
/// # use topology::graph::{Builder, Store};
/// # use topology::simulator::Simulation;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let builder = Builder::new();
/// # builder.sub_topology("counting").source::<str, ()>("words").count(&Store::memory("counts")).sink("totals");
/// # let simulation = Simulation::new(&builder.build()?, "app");
///
/// let mut totals = Totals::default();
/// for seed in 0..3 {
///     totals.add(&simulation.run(seed)?);
/// }
/// println!("{totals}"); // and, for each fault, how often it occurred
/// # assert_eq!(totals.seed_count, 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// How many runs.
    pub seed_count: u64,
    /// How many turns they took.
    pub turn_count: u64,
    /// How much time passed in them, ms of the simulation.
    pub virtual_ms: i64,
    /// How often each fault occurred.
    pub faults: BTreeMap<Fault, u64>,
}

impl Totals {
    /// One run more.
    pub fn add(&mut self, report: &Report) {
        self.seed_count += 1;
        self.turn_count += report.turn_count;
        self.virtual_ms += report.virtual_ms;
        for (fault, count) in &report.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed_count, turn_count, virtual_ms, faults } = self;
        write!(formatter, "{seed_count} seeds, {turn_count} turns, {} s of virtual time", virtual_ms / 1_000)?;
        faults.iter().try_for_each(|(fault, count)| write!(formatter, "\n{count:>9} {fault:?}"))
    }
}
