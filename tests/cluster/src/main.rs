//! `test-cluster COMMAND [ARGUMENT]...`: runs a command with a broker.
//!
//! The command finds the broker in `CAIRN_TEST_BROKERS`; where that is set already, no broker is started. Ends with the
//! command's exit code, and the broker ends with it.

use std::process::{Command, ExitCode};

use test_cluster::{BROKER_PID, BROKERS, CA, Cluster, SECURE_BROKERS};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: test-cluster COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let cluster = Cluster::shared();
    let mut command = Command::new(&program);
    command.args(arguments).env(BROKERS, cluster.brokers());
    if let Some(pid) = cluster.broker_pid() {
        command.env(BROKER_PID, pid.to_string());
    }
    if let Some(secure) = cluster.secure() {
        command.env(SECURE_BROKERS, secure.brokers).env(CA, secure.ca);
    }
    match command.status() {
        Ok(status) => match status.code() {
            Some(code) => ExitCode::from(code as u8),
            None => {
                eprintln!("test-cluster: {}: {status}", program.display());
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            eprintln!("test-cluster: {}: {error}", program.display());
            ExitCode::from(127)
        }
    }
}
