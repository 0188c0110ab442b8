//! Chain parameters, as far as the settings file or the environment ask for them.
//!
//! They belong to the genesis: they set what a new chain starts from, and on a chain that exists they can only agree.

use std::collections::BTreeMap;

use super::environment::parameter_variable;
use super::{Environment, Error, File, Result};
use crate::chain::genesis::PARAMETER_KEYS;
use crate::chain::{ConsensusKind, Parameters};

/// Chain parameters that were asked for, each with where. What is not here is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainParameters {
    asked: BTreeMap<&'static str, Asked>,
    /// Variables that are none, each with the parameter's that it is nearest to.
    misspelt: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    text: String,
    /// `CAIRN_FEE`, or `cairn.toml:3`.
    source: String,
}

impl ChainParameters {
    /// What file and environment ask for; the environment wins. Refuses values that no chain could have.
    pub fn collect(file: &File, environment: &Environment) -> Result<Self> {
        let mut asked = BTreeMap::new();
        for (key, value) in file.parameters() {
            let known = PARAMETER_KEYS.into_iter().find(|known| *known == key);
            if let (Some(key), [text]) = (known, value.texts.as_slice()) {
                let source = format!("{}:{}", file.path().display(), value.line);
                asked.insert(key, Asked { text: text.clone(), source });
            }
        }
        for (key, text) in environment.parameters() {
            asked.insert(key, Asked { text: text.to_owned(), source: parameter_variable(key) });
        }
        let parameters = Self { asked, misspelt: environment.misspelt_parameters() };
        parameters.apply(&mut Parameters::default())?;
        Ok(parameters)
    }

    /// To be asked where a genesis is being made: refuses variables that look like a parameter's and are none. A chain
    /// could never be given what was meant afterwards.
    pub fn refuse_misspelt(&self) -> Result<()> {
        match self.misspelt.first() {
            Some((found, near)) => Err(Error::new(format!(
                "{found} means nothing; did you mean {near}? Chain parameters are fixed when a chain is made: mend the variable, \
                 or unset it"
            ))),
            None => Ok(()),
        }
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.asked.is_empty()
    }

    /// Sets what was asked for.
    pub fn apply(&self, parameters: &mut Parameters) -> Result<()> {
        if let (Some(balances), Some(overdraft)) = (self.asked.get("balances"), self.asked.get("overdraft_max"))
            && balances.text == "strict"
        {
            return Err(Error::new(format!(
                "{}: strict balances have no overdraft; remove overdraft_max ({})",
                balances.source, overdraft.source
            )));
        }
        // First the kind of consensus: others have a meaning under one kind only.
        let (kind, others): (Vec<_>, Vec<_>) = self.asked.iter().partition(|(key, _)| **key == "consensus");
        for (key, asked) in kind.into_iter().chain(others) {
            parameters
                .set(key, &asked.text)
                .map_err(|error| Error::new(format!("{}: {}", asked.source, without_kind(&error))))?;
        }
        parameters.validate().map_err(|error| Error::new(without_kind(&error)))
    }

    /// The kind of consensus of a new chain.
    pub fn consensus(&self) -> Result<ConsensusKind> {
        let mut parameters = Parameters::default();
        self.apply(&mut parameters)?;
        Ok(parameters.consensus.kind())
    }

    /// What is asked for and differs from the parameters of a chain that exists, in one line; `None` if they agree.
    pub fn conflict_with(&self, parameters: &Parameters) -> Option<String> {
        self.asked.iter().find_map(|(key, asked)| {
            let mut wanted = parameters.clone();
            let agrees = wanted.set(key, &asked.text).is_ok() && wanted == *parameters;
            (!agrees).then(|| {
                let has = parameters.get(key).unwrap_or_else(|| "not set".to_owned());
                format!(
                    "the chain exists with {key} = {has}, and {} asks for {}: parameters are fixed when a chain is created; \
                     remove the setting, or start another chain on another --blockchain topic, with another --application-id",
                    asked.source, asked.text
                )
            })
        })
    }
}

/// The chain speaks of a genesis; here none was written.
fn without_kind(error: &crate::chain::Error) -> String {
    match error {
        crate::chain::Error::Genesis { field, detail } => format!("{field}: {detail}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::chain::{Amount, Balances};

    fn collect(file: &str, variables: &[(&str, &str)]) -> Result<ChainParameters> {
        let file = File::parse(Path::new("cairn.toml"), file, &[])?;
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ChainParameters::collect(&file, &Environment::new(pairs))
    }

    #[test]
    fn the_environment_wins_over_the_file_and_the_rest_keeps_its_default() {
        let asked = collect("fee = 5\nreward = 1\n", &[("CAIRN_FEE", "7")]).unwrap();
        let mut parameters = Parameters::default();
        asked.apply(&mut parameters).unwrap();
        let expected =
            Parameters { fee: Amount::new(7).unwrap(), reward: Amount::new(1).unwrap(), ..Parameters::default() };
        assert_eq!(parameters, expected);
    }

    #[test]
    fn a_value_that_no_chain_could_have_is_refused_by_where_it_stands() {
        let file = collect("\nfee = -1\n", &[]).unwrap_err().to_string();
        assert!(file.starts_with("cairn.toml:2: fee: `-1`"), "{file}");
        let variable = collect("", &[("CAIRN_SIGNATURES", "maybe")]).unwrap_err().to_string();
        assert!(variable.starts_with("CAIRN_SIGNATURES: signatures:"), "{variable}");
        let bounds = collect("", &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "0")]).unwrap_err().to_string();
        assert!(bounds.contains("block.max_transactions: 0 is out of bounds"), "{bounds}");
        let both = collect("balances = 'strict'\noverdraft_max = 5\n", &[]).unwrap_err().to_string();
        assert!(both.contains("strict balances have no overdraft"), "{both}");
    }

    #[test]
    fn a_misspelt_parameter_of_the_environment_makes_no_genesis() {
        let refused = |name: &str| collect("", &[(name, "3")]).unwrap().refuse_misspelt();
        for name in ["CAIRN_FEEE", "CAIRN_BLOCK_MAX_TRANSACTION", "CAIRN_SIGNATURE"] {
            let said = refused(name).unwrap_err().to_string();
            assert!(said.contains(name) && said.contains("did you mean"), "{said}");
        }
        for name in ["CAIRN_FEE", "CAIRN_IMAGE", "CAIRN_BROKERS", "CAIRN_THREADS", "CAIRN_TEST_FEE", "FEEE"] {
            assert_eq!(refused(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn on_an_existing_chain_the_same_values_agree_and_another_is_refused_in_one_line() {
        let chain = Parameters { block_max_transactions: 3, ..Parameters::default() };
        let same = collect("", &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "3"), ("CAIRN_BALANCES", "open")]).unwrap();
        assert_eq!(same.conflict_with(&chain), None);
        let other = collect("", &[("CAIRN_BLOCK_MAX_TRANSACTIONS", "4")]).unwrap();
        let conflict = other.conflict_with(&chain).unwrap();
        assert!(conflict.starts_with("the chain exists with block.max_transactions = 3"), "{conflict}");
        assert!(conflict.contains("CAIRN_BLOCK_MAX_TRANSACTIONS asks for 4") && !conflict.contains('\n'), "{conflict}");
        let strict = Parameters { balances: Balances::Strict, ..Parameters::default() };
        assert!(collect("overdraft_max = 5", &[]).unwrap().conflict_with(&strict).is_some());
    }
}
