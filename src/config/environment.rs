//! The environment: what of it concerns this program and is no option.
//!
//! ```text
//! CAIRN_<OPTION>           an option: read where options are, on the command line's behalf
//! CAIRN_KAFKA_<PROPERTY>   a property of librdkafka in upper case, `_` for `.`: CAIRN_KAFKA_SASL_PASSWORD
//! CAIRN_<PARAMETER>        a chain parameter in upper case, `_` for `.`: CAIRN_BLOCK_MAX_TRANSACTIONS
//! ```

use std::collections::BTreeMap;

use super::nearest;
use crate::chain::genesis::PARAMETER_KEYS;

/// What every variable of this program starts with.
pub const PREFIX: &str = "CAIRN_";
const KAFKA_PREFIX: &str = "CAIRN_KAFKA_";

/// The variables that start with `CAIRN_`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// Keeps the variables that concern this program. One that is empty is taken for one that is not set: so a compose
    /// file can pass on what may not be there.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = |(name, value): &(String, String)| name.starts_with(PREFIX) && !value.is_empty();
        Self { variables: variables.into_iter().filter(ours).collect() }
    }

    /// The process's own. A variable that is not text is none of ours.
    pub fn of_process() -> Self {
        Self::new(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    /// Properties of librdkafka by name.
    pub fn properties(&self) -> impl Iterator<Item = (String, &str)> {
        self.variables.iter().filter(|(name, _)| !is_of_a_service(name)).filter_map(|(name, value)| {
            let property = name.strip_prefix(KAFKA_PREFIX)?;
            Some((property.to_lowercase().replace('_', "."), value.as_str()))
        })
    }

    /// Chain parameters by key.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        PARAMETER_KEYS.into_iter().filter_map(|key| Some((key, self.variables.get(&parameter_variable(key))?.as_str())))
    }

    /// Variables that mean nothing to this program, each with the one that may have been meant. `options` are the
    /// variables of options. What a cluster sets by itself for its services is left out.
    pub fn unknown(&self, options: &[String]) -> Vec<(&str, Option<String>)> {
        let known: Vec<String> =
            options.iter().cloned().chain(PARAMETER_KEYS.into_iter().map(parameter_variable)).collect();
        self.variables
            .keys()
            .map(String::as_str)
            .filter(|name| !name.starts_with(KAFKA_PREFIX) && !is_of_a_service(name) && !is_of_a_script(name))
            .filter(|name| !known.iter().any(|known| known == name))
            .map(|name| (name, nearest_variable(name, &known)))
            .collect()
    }

    /// Variables that are no parameter's, each with the one that it is nearest to.
    pub fn misspelt_parameters(&self) -> Vec<(String, String)> {
        let known: Vec<String> = PARAMETER_KEYS.into_iter().map(parameter_variable).collect();
        let unknown = self.unknown(&known);
        unknown.into_iter().filter_map(|(name, near)| Some((name.to_owned(), near?))).collect()
    }
}

/// The known variable that may have been meant. What all of them begin with says nothing about it.
fn nearest_variable(name: &str, known: &[String]) -> Option<String> {
    let rest = |name: &str| name.strip_prefix(PREFIX).map_or_else(|| name.to_owned(), str::to_owned);
    let rests: Vec<String> = known.iter().map(|name| rest(name)).collect();
    nearest(&rest(name), rests.iter().map(String::as_str)).map(|near| format!("{PREFIX}{near}"))
}

/// Whether a cluster sets it by itself, for a service named `cairn` or `cairn-kafka`: `CAIRN_KAFKA_SERVICE_HOST`,
/// `CAIRN_KAFKA_PORT_9092_TCP`. No option, parameter or property has such a name.
fn is_of_a_service(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|part| match name.split_once(part) {
        Some((_, rest)) => rest.is_empty() || rest.starts_with('_'),
        None => false,
    })
}

/// Whether it is a setting of the scripts that build and test: a developer may have exported it for good.
fn is_of_a_script(name: &str) -> bool {
    name == "CAIRN_CACHE" || name.starts_with("CAIRN_TEST_")
}

/// The variable of a chain parameter: `block.max_bytes` is `CAIRN_BLOCK_MAX_BYTES`.
pub fn parameter_variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn properties_and_parameters_are_found_under_their_variables() {
        let found = environment(&[
            ("CAIRN_KAFKA_SASL_PASSWORD", "secret"),
            ("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"),
            ("CAIRN_FEE", "7"),
            ("CAIRN_BROKERS", "a:1"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(found.properties().collect::<Vec<_>>(), [("sasl.password".to_owned(), "secret")]);
        assert_eq!(found.parameters().collect::<Vec<_>>(), [("block.max_transactions", "3"), ("fee", "7")]);
    }

    #[test]
    fn a_misspelt_variable_is_noticed_and_one_of_a_cluster_is_not() {
        let found = environment(&[
            ("CAIRN_BROKER", "a:1"),
            ("CAIRN_BLOCK_MAX_TRANSACTION", "3"),
            ("CAIRN_SERVICE_HOST", "10.0.0.1"),
            ("CAIRN_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("CAIRN_KAFKA_ANYTHING", "1"),
            ("CAIRN_RATE", ""),
            ("CAIRN_BROKERS", "a:1"),
        ]);
        assert_eq!(
            found.unknown(&["CAIRN_BROKERS".to_owned()]),
            [
                ("CAIRN_BLOCK_MAX_TRANSACTION", Some("CAIRN_BLOCK_MAX_TRANSACTIONS".to_owned())),
                ("CAIRN_BROKER", Some("CAIRN_BROKERS".to_owned())),
            ]
        );
    }

    #[test]
    fn what_a_cluster_says_of_its_kafka_is_no_property() {
        let found = environment(&[
            ("CAIRN_KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("CAIRN_KAFKA_SERVICE_PORT", "9092"),
            ("CAIRN_KAFKA_SERVICE_PORT_CLIENTS", "9092"),
            ("CAIRN_KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("CAIRN_KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("CAIRN_KAFKA_SASL_KERBEROS_SERVICE_NAME", "kafka"),
            ("CAIRN_KAFKA_SSL_CA_LOCATION", ""),
        ]);
        assert_eq!(found.properties().collect::<Vec<_>>(), [("sasl.kerberos.service.name".to_owned(), "kafka")]);
        assert_eq!(found.unknown(&[]), []);
    }
}
