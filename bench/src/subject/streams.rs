//! Building Kafka Streams' program with Maven, and starting it with Java.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Doing, Error, Result};

/// The Java program, compiled, with the jars that it needs beside it.
#[derive(Debug)]
pub(crate) struct Built {
    directory: PathBuf,
    java_options: String,
}

impl Built {
    /// Compiles it; Maven brings what is missing from Maven Central. An error says what is missing here.
    pub(crate) fn new(java_options: &str) -> Result<Self> {
        // Beside this executable: what was built together stays together.
        let executable = std::env::current_exe().doing("looking for this executable")?;
        let directory = executable.parent().unwrap_or(Path::new(".")).join("bench-streams");
        for (tool, package) in [("java", "default-jdk-headless"), ("javac", "default-jdk-headless"), ("mvn", "maven")] {
            if !is_there(tool) {
                return Err(Error::new(format!("{tool} is missing: Debian has it in the package {package}")));
            }
        }
        let mut maven = Command::new("mvn");
        maven.args(["--quiet", "--batch-mode", "-Dstyle.color=never", "--file"]);
        maven.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("streams").join("pom.xml"));
        maven.arg(format!("-Dbench.directory={}", directory.display())).arg("package");
        let output = maven.stdin(Stdio::null()).output().doing("running mvn")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            let why = said.lines().find(|line| line.contains("ERROR")).unwrap_or("it says nothing").to_owned();
            return Err(Error::new(format!("mvn could not build it (it needs the network the first time): {why}")));
        }
        Ok(Self { directory, java_options: java_options.to_owned() })
    }

    /// Starts it with these options of the JVM, or else those of the user.
    pub(super) fn command(&self, java_options: Option<&str>) -> Command {
        let mut command = Command::new(java());
        command.args(java_options.unwrap_or(&self.java_options).split_whitespace());
        command.arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn").arg("-cp");
        let directory = self.directory.display();
        command.arg(format!("{directory}/bench-streams.jar:{directory}/lib/*")).arg("bench.Count");
        command
    }
}

fn java() -> String {
    std::env::var("JAVA_HOME").map_or_else(|_| "java".to_owned(), |home| format!("{home}/bin/java"))
}

fn is_there(tool: &str) -> bool {
    let program = match tool {
        "java" => java(),
        "javac" => format!("{}c", java()),
        other => other.to_owned(),
    };
    // All of them know this option, and need a second for it at most.
    let option = if tool == "mvn" { "--version" } else { "-version" };
    Command::new(program).arg(option).stdin(Stdio::null()).output().is_ok_and(|output| output.status.success())
}
