//! Where state is kept.
//!
//! ```text
//! <state-dir>/
//!   <application id>/     stores; may be deleted, they return from their changelogs
//!   @keys/<topic>/        of the chain on that blockchain topic. Not to be deleted: nothing brings keys back
//!     genesis.toml        what the chain starts from
//!     validators.keys     the committee's keys, mode 0600
//!     founded             block 0 was seen on the topic
//! ```
//! An application id cannot start with `@`, so neither can be taken for the other.

use std::path::{Path, PathBuf};

use super::{Error, Result};

/// The directories of a state directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    state: PathBuf,
}

impl Directories {
    /// The given one, or the default: `$XDG_STATE_HOME/cairn`, `~/.local/state/cairn`.
    pub fn new(state_dir: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let state = match state_dir {
            Some(given) => given.to_owned(),
            // The standard says that a path which is not absolute is to be ignored.
            None => set("XDG_STATE_HOME")
                .filter(|path| path.is_absolute())
                .or_else(|| set("HOME").map(|home| home.join(".local/state")))
                .map(|base| base.join("cairn"))
                .ok_or_else(|| Error::new("there is no home directory to keep state in: give --state-dir DIR"))?,
        };
        Ok(Self { state })
    }

    /// The state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The stores of an application.
    pub fn application(&self, application_id: &str) -> Result<PathBuf> {
        Ok(self.state.join(plain("an application id", application_id)?))
    }

    /// The keys and the genesis of the chain on a blockchain topic.
    pub fn keys(&self, blockchain: &str) -> Result<PathBuf> {
        Ok(self.state.join("@keys").join(plain("a topic", blockchain)?))
    }
}

/// A name that leads nowhere else when it is part of a path.
fn plain<'n>(what: &str, name: &'n str) -> Result<&'n str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if (1..=249).contains(&name.len()) && name.bytes().all(allowed) && name != "." && name != ".." {
        return Ok(name);
    }
    Err(Error::new(format!("{name:?} cannot be {what}: use 1 to 249 of a-z A-Z 0-9 . _ -")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(given: Option<&str>, variables: &[(&str, &str)]) -> Result<PathBuf> {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Directories::new(given.map(Path::new), variable).map(|directories| directories.state().to_owned())
    }

    #[test]
    fn the_default_follows_the_base_directory_standard() {
        assert_eq!(state(Some("x"), &[("HOME", "/h")]).unwrap(), Path::new("x"));
        assert_eq!(state(None, &[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]).unwrap(), Path::new("/s/cairn"));
        assert_eq!(
            state(None, &[("XDG_STATE_HOME", "s"), ("HOME", "/h")]).unwrap(),
            Path::new("/h/.local/state/cairn")
        );
        assert!(state(None, &[("HOME", "")]).unwrap_err().to_string().contains("--state-dir"));
    }

    #[test]
    fn no_name_leads_out_of_the_state_directory() {
        let directories = Directories::new(Some(Path::new("s")), |_| None).unwrap();
        for name in ["", ".", "..", "a/b", "@keys", "a\0"] {
            assert!(directories.application(name).is_err(), "{name:?}");
            assert!(directories.keys(name).is_err(), "{name:?}");
        }
        assert_eq!(directories.keys("blockchain").unwrap(), Path::new("s/@keys/blockchain"));
    }
}
