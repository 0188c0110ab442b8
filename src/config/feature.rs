//! What a build has, or was left out of it.

use super::{Error, Result};

/// A part of the program that a build can be without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Chains on a Kafka cluster.
    Kafka,
    /// Chains on a log in a directory.
    Embedded,
    /// Exports as Apache Parquet.
    Parquet,
    /// The client of a schema registry.
    SchemaRegistry,
}

impl Feature {
    /// Its name in `Cargo.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Embedded => "embedded",
            Self::Parquet => "parquet",
            Self::SchemaRegistry => "schema-registry",
        }
    }

    /// Whether this program has it.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Kafka => cfg!(feature = "kafka"),
            Self::Embedded => cfg!(feature = "embedded"),
            Self::Parquet => cfg!(feature = "parquet"),
            Self::SchemaRegistry => cfg!(feature = "schema-registry"),
        }
    }

    /// Refuses what needs it, where this program was built without it.
    pub fn require(self) -> Result<()> {
        if self.is_built_in() { Ok(()) } else { Err(self.left_out()) }
    }

    /// What to do about a program without it.
    #[must_use]
    pub fn left_out(self) -> Error {
        let what = match self {
            Self::Kafka => "Kafka",
            Self::Embedded => "the log in a directory",
            Self::Parquet => "Parquet",
            Self::SchemaRegistry => "the client of a schema registry",
        };
        Error::new(format!(
            "this cairn was built without {what}: build it again with its default features, or with --features {}",
            self.name()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_refused_with_the_feature_that_has_it() {
        for feature in [Feature::Kafka, Feature::Embedded, Feature::Parquet, Feature::SchemaRegistry] {
            let manifest = include_str!("../../Cargo.toml");
            assert!(manifest.contains(&format!("\n{} = [", feature.name())), "{feature:?}");
            assert!(feature.left_out().to_string().ends_with(&format!("--features {}", feature.name())));
            assert_eq!(feature.require().is_ok(), feature.is_built_in());
        }
    }
}
