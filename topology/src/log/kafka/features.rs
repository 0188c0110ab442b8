//! Ways to log in that librdkafka has only in builds with a feature of this crate: what is asked for in vain is told
//! with the feature's name.

/// Property, value, feature, and whether this build has it.
const FEATURES: [(&str, &str, &str, bool); 2] = [
    ("sasl.mechanism", "GSSAPI", "gssapi", cfg!(feature = "gssapi")),
    ("sasl.oauthbearer.method", "oidc", "oidc", cfg!(feature = "oidc")),
];

/// The feature that a property of this value takes, if this build lacks it.
pub(super) fn lacking(property: &str, value: &str) -> Option<&'static str> {
    let mut asked = FEATURES.iter().filter(|(name, of, ..)| *name == property && of.eq_ignore_ascii_case(value));
    asked.find(|(.., is_there)| !is_there).map(|(.., feature, _)| *feature)
}

#[cfg(test)]
mod tests {
    use super::super::options::Options;
    use super::super::properties;
    use super::*;

    #[test]
    fn what_the_build_lacks_is_refused_with_the_feature_that_it_takes() {
        let check = |name: &str, value: &str| {
            let properties = vec![(name.to_owned(), value.to_owned())];
            properties::check(&Options { properties, ..Options::new("127.0.0.1:9092") })
        };
        for (name, value, feature, is_there) in FEATURES {
            let refused = check(name, value).err().map(|error| error.to_string());
            assert_eq!(refused.is_none(), is_there, "{name}={value}: {refused:?}");
            assert!(refused.is_none_or(|said| said.contains(&format!("--features {feature}"))));
        }
        assert!(check("sasl.mechanisms", "SCRAM-SHA-512").is_ok());
    }
}
