//! Python with packages of PyPI, for tests that read what cairn writes as somebody else does.

use std::path::{Path, PathBuf};
use std::process::Command;

/// An interpreter that has these packages; `None`, and why: Python is not here, or the packages cannot be fetched. It
/// is made once for each list of packages.
pub(crate) fn with_packages(packages: &[&str]) -> Result<PathBuf, String> {
    let name: String = packages.concat().chars().filter(char::is_ascii_alphanumeric).collect();
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let (python, done) = (home.join("bin/python"), home.join("done"));
    // Tests run side by side, in one process and in several: one makes it, the others wait.
    let lock = std::fs::File::create(home.with_extension("lock")).and_then(|file| file.lock().map(|()| file));
    let _held = lock.map_err(|error| error.to_string())?;
    if done.exists() {
        return Ok(python);
    }
    let run = |what: &str, command: &mut Command| match command.output() {
        Err(error) => Err(format!("{what}: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    };
    run("there is no Python here", Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    run("the packages cannot be fetched", Command::new(&python).args(install).args(packages))?;
    std::fs::write(done, "").map_err(|error| error.to_string())?;
    Ok(python)
}
