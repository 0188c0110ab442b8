//! What went wrong, and the exit code for it.

use std::error::Error as _;
use std::process::ExitCode;

use super::output::Stderr;
use super::terminal;
use crate::{chain, config};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done; the chain is intact.
    Done,
    /// 1: the run failed; the chain is broken.
    Failed,
    /// 2: wrong usage or settings; nothing was done.
    Usage,
    /// 3: what was to be checked or gone on with could not be judged, and nothing is known to be wrong.
    Undone,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => ExitCode::SUCCESS,
            Exit::Failed => ExitCode::from(1),
            Exit::Usage => ExitCode::from(2),
            Exit::Undone => ExitCode::from(3),
        }
    }
}

/// An error for the person at the terminal: one line that says what to do, and what caused it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    exit: Exit,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// Something failed on the way.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::ended(Exit::Failed, message)
    }

    /// Something was asked for that cannot be done.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::ended(Exit::Usage, message)
    }

    /// A check came to this end.
    pub(crate) fn ended(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), source: None }
    }

    /// Keeps what caused it, to be shown with `-v`.
    pub(crate) fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Of a check: what failed on the way says nothing about what was to be checked.
    pub(crate) fn undone(mut self) -> Self {
        if self.exit == Exit::Failed {
            self.exit = Exit::Undone;
        }
        self
    }

    /// Whether it came from a log whose brokers could not be talked to, so that their addresses may tell more.
    pub(crate) fn is_of_connection(&self) -> bool {
        causes(self).any(|cause| cause.downcast_ref().is_some_and(topology::log::Error::is_of_connection))
    }

    /// Says something else; what it said before is its cause.
    pub(crate) fn explained_by(self, message: String) -> Self {
        Self { exit: self.exit, message, source: Some(Box::new(self)) }
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Writes `error: ...` to stderr; with `causes`, one line more for each cause that says something new.
    pub(crate) fn report(&self, causes: bool) {
        let mut said = terminal::line(&self.message).into_owned();
        Stderr.line(&format!("error: {said}"));
        let mut source = if causes { self.source() } else { None };
        while let Some(cause) = source {
            let line = terminal::line(&cause.to_string()).into_owned();
            if line != said {
                Stderr.line(&format!("  caused by: {line}"));
            }
            said = line;
            source = cause.source();
        }
    }
}

impl From<config::Error> for Error {
    fn from(error: config::Error) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<config::log::OpenError> for Error {
    fn from(error: config::log::OpenError) -> Self {
        match error {
            config::log::OpenError::Setting(error) => error.into(),
            config::log::OpenError::Log(error) => error.into(),
        }
    }
}

impl From<config::topic::Error> for Error {
    fn from(error: config::topic::Error) -> Self {
        match error {
            config::topic::Error::Log(error) => error.into(),
            config::topic::Error::Broken(_) => Self::failed(error.to_string()),
            config::topic::Error::Unknown { .. } => Self { exit: Exit::Undone, ..Self::failed(error.to_string()) },
        }
    }
}

impl From<topology::Error> for Error {
    fn from(error: topology::Error) -> Self {
        // What a newer program made cannot be judged by this one, whichever command met it.
        let exit = if is_newer(&error) { Exit::Undone } else { Exit::Failed };
        let text = error.to_string();
        Self { exit, ..Self::failed(unreachable(&text).unwrap_or(text)) }.caused_by(error)
    }
}

fn is_newer(error: &topology::Error) -> bool {
    causes(error).any(|cause| matches!(cause.downcast_ref(), Some(chain::Error::Newer { .. })))
}

/// What caused an error, and what caused that.
fn causes<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'e (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

impl From<topology::log::Error> for Error {
    fn from(error: topology::log::Error) -> Self {
        let text = error.to_string();
        Self::failed(unreachable(&text).unwrap_or(text)).caused_by(error)
    }
}

/// What to do where no broker answered, from what the log says of that: `.. (brokers B, waited up to N s; last error:
/// E)`. `None` of any other error, and where a broker did answer: with a certificate, or with a refusal.
fn unreachable(text: &str) -> Option<String> {
    let (what, rest) = text.split_once(" (brokers ")?;
    let (brokers, rest) = rest.split_once(", waited up to ")?;
    let (seconds, last) = rest.trim_end_matches(')').split_once(" s")?;
    let reason = [
        ("Connection refused", "connection refused"),
        ("Failed to resolve", "there is no such host"),
        ("No route to host", "no route to that host"),
        ("unreachable", "the network is unreachable"),
    ];
    let reason = reason.into_iter().find(|(sign, _)| last.contains(sign)).map(|(_, reason)| reason);
    if !what.contains("Timed out")
        || last.contains("SASL")
        || last.contains("SSL")
        || (reason.is_none() && !last.is_empty())
    {
        return None;
    }
    let reason = reason.map(|reason| format!("{reason}; ")).unwrap_or_default();
    Some(format!(
        "no broker answers at {brokers} ({reason}waited {seconds} s). Is Kafka running there? Check --brokers and \
         security.protocol"
    ))
}

/// A result of a command.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_that_do_not_answer_are_told_in_plain_words_and_what_a_broker_answered_as_it_is() {
        let text = |last: &str| {
            format!("cannot describe topic t: Local: Timed out (brokers a:1,b:1, waited up to 10 s{last})")
        };
        let refused =
            unreachable(&text("; last error: a:1/bootstrap: Connect to ipv4#1.2.3.4:1 failed: Connection refused"));
        let expected = "no broker answers at a:1,b:1 (connection refused; waited 10 s). Is Kafka running there? Check --brokers \
                        and security.protocol";
        assert_eq!(refused.as_deref(), Some(expected));
        assert!(unreachable(&text("")).unwrap().contains("(waited 10 s)"));
        for other in [
            "; last error: SASL authentication error: no",
            "; last error: a:1: SSL handshake failed",
            "; last error: odd",
        ] {
            assert_eq!(unreachable(&text(other)), None);
        }
        assert_eq!(unreachable("cannot commit"), None);
    }
}
