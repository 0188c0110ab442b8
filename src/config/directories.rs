//! Where things are kept on this machine.
//!
//! ```text
//! <state-dir>/                   --state-dir, $XDG_STATE_HOME/cairn, ~/.local/state/cairn
//!   <application id>/            may be deleted while no instance runs on it
//!     chain                      which chain it works for (`note`)
//!     ...                        stores, which return from their changelogs
//! $XDG_DATA_HOME/cairn/          else ~/.local/share/cairn
//!   <chain id>/                  of one chain. Not to be deleted: nothing brings keys back
//!     genesis.toml               what it starts from, if it was made here
//!     validators.keys            the committee's keys, mode 0600
//!     founding, founded          how far its beginning is (`note`)
//!     signed                     what its validators have signed last (`signed_turns`)
//! ```

use std::path::{Path, PathBuf};

use super::{Error, Result};

/// The directories of state and of data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directories {
    state: PathBuf,
    data: Option<PathBuf>,
}

impl Directories {
    /// The given state directory or the default one, and the data directory of this environment.
    pub fn new(state_dir: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let default = |name: &str, in_home: &str| {
            // The standard says that a path which is not absolute is to be ignored.
            let named = set(name).filter(|path| path.is_absolute());
            named.or_else(|| set("HOME").map(|home| home.join(in_home))).map(|base| base.join("cairn"))
        };
        let state = match state_dir {
            Some(given) => given.to_owned(),
            None => default("XDG_STATE_HOME", ".local/state")
                .ok_or_else(|| Error::new("there is no home directory to keep state in: give --state-dir DIR"))?,
        };
        Ok(Self { state, data: default("XDG_DATA_HOME", ".local/share") })
    }

    /// The state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The stores of an application.
    pub fn application(&self, application_id: &str) -> Result<PathBuf> {
        Ok(self.state.join(plain("an application id", application_id)?))
    }

    /// The directory of all chains; `None` where the environment names no home.
    pub fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Keys and genesis of a chain.
    pub fn chain(&self, chain_id: &str) -> Result<PathBuf> {
        let data = self.data.as_ref().ok_or_else(|| {
            Error::new(
                "there is no home directory to keep a chain's keys in: name the key file with --keys FILE, or a directory \
                 to keep it in with the variable XDG_DATA_HOME",
            )
        })?;
        Ok(data.join(plain("a chain's id", chain_id)?))
    }

    /// Where keys were kept before each chain had a directory of its own: by topic, in the state directory. They are
    /// found there to say how to move them, and never used.
    pub fn former_keys(&self, blockchain: &str) -> Result<PathBuf> {
        Ok(self.state.join("@keys").join(plain("a topic", blockchain)?).join("validators.keys"))
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

    fn directories(given: Option<&str>, variables: &[(&str, &str)]) -> Result<Directories> {
        let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Directories::new(given.map(Path::new), variable)
    }

    #[test]
    fn the_defaults_follow_the_base_directory_standard() {
        let state = |given, variables: &[_]| directories(given, variables).map(|found| found.state().to_owned());
        assert_eq!(state(Some("x"), &[("HOME", "/h")]).unwrap(), Path::new("x"));
        assert_eq!(state(None, &[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]).unwrap(), Path::new("/s/cairn"));
        assert_eq!(
            state(None, &[("XDG_STATE_HOME", "s"), ("HOME", "/h")]).unwrap(),
            Path::new("/h/.local/state/cairn")
        );
        assert!(state(None, &[("HOME", "")]).unwrap_err().to_string().contains("--state-dir"));

        let chain = |variables: &[_]| directories(Some("x"), variables).unwrap().chain("cairn-1");
        assert_eq!(chain(&[("XDG_DATA_HOME", "/d"), ("HOME", "/h")]).unwrap(), Path::new("/d/cairn/cairn-1"));
        assert_eq!(chain(&[("HOME", "/h")]).unwrap(), Path::new("/h/.local/share/cairn/cairn-1"));
    }

    #[test]
    fn without_any_home_keys_have_to_be_named() {
        let none = directories(Some("x"), &[("XDG_DATA_HOME", "relative")]).unwrap();
        assert_eq!(none.data(), None);
        let refusal = none.chain("cairn-1").unwrap_err().to_string();
        assert!(refusal.contains("--keys") && refusal.contains("XDG_DATA_HOME"), "{refusal}");
    }

    #[test]
    fn no_name_leads_out_of_its_directory() {
        let directories = directories(Some("s"), &[("XDG_DATA_HOME", "/d")]).unwrap();
        for name in ["", ".", "..", "a/b", "@keys", "a\0"] {
            assert!(directories.application(name).is_err(), "{name:?}");
            assert!(directories.chain(name).is_err(), "{name:?}");
            assert!(directories.former_keys(name).is_err(), "{name:?}");
        }
        assert_eq!(directories.former_keys("blockchain").unwrap(), Path::new("s/@keys/blockchain/validators.keys"));
    }
}
