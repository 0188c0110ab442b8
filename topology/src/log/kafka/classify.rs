//! librdkafka's errors, classed by what the caller must do.
//!
//! librdkafka flags errors of transaction calls as fatal, abortable or retriable; what bears no flag counts as
//! "unknown". Elsewhere the code decides.

use rdkafka::error::{KafkaError, RDKafkaError};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::native;
use crate::log::{Error, Kind};

/// A human must act: no permission, wrong configuration, something this build cannot read.
fn needs_a_human(code: i32) -> bool {
    [
        Code::TopicAuthorizationFailed,
        Code::GroupAuthorizationFailed,
        Code::ClusterAuthorizationFailed,
        Code::TransactionalIdAuthorizationFailed,
        Code::DelegationTokenAuthorizationFailed,
        Code::SaslAuthenticationFailed,
        Code::UnsupportedSASLMechanism,
        Code::Authentication,
        Code::IllegalSASLState,
        Code::SSL,
        Code::InvalidTransactionTimeout,
        Code::InvalidSessionTimeout,
        Code::InvalidGroupId,
        Code::UnsupportedVersion,
        Code::UnsupportedFeature,
        Code::NotImplemented,
        Code::InvalidArgument,
        Code::InvalidConfig,
        Code::InvalidReplicationFactor,
        Code::InvalidPartitions,
        Code::InvalidTopic,
        Code::PolicyViolation,
        Code::SecurityDisabled,
        Code::GroupMaxSizeReached,
        Code::BadMessage,
        Code::BadCompression,
        Code::InvalidMessage,
        Code::InvalidMessageSize,
        Code::InvalidRecord,
    ]
    .iter()
    .any(|&known| known as i32 == code)
}

/// A broker, or what stands in for it, refused who we are. While brokers restart, connections that break off in the
/// midst of a login end the same way.
pub(super) fn is_login(code: i32) -> bool {
    is_any(code, &[Code::Authentication, Code::SaslAuthenticationFailed, Code::SSL])
}

fn is_any(code: i32, codes: &[Code]) -> bool {
    codes.iter().any(|&known| known as i32 == code)
}

const FENCED: &[Code] = &[Code::Fenced, Code::ProducerFenced, Code::InvalidProducerEpoch];
const NOT_A_MEMBER: &[Code] =
    &[Code::IllegalGeneration, Code::UnknownMemberId, Code::RebalanceInProgress, Code::FencedInstanceId];
/// Another member of the group shares partitions in another way. It may leave, so this passes; a human must hear of it
/// all the same.
pub(super) fn is_other_strategy(code: i32) -> bool {
    is_any(code, &[Code::InconsistentGroupProtocol])
}

/// What a broker says, or librdkafka for it, that cannot do KIP-848 as it is asked to.
pub(super) fn lacks_group_protocol(code: i32) -> bool {
    is_any(code, &[Code::UnsupportedVersion, Code::UnsupportedFeature, Code::UnsupportedAssignor])
}

/// With `auto.offset.reset=error`, and where the log was cut back behind what was read.
const OUT_OF_RANGE: &[Code] = &[Code::AutoOffsetReset, Code::LogTruncation, Code::OffsetOutOfRange];
const NO_SUCH_TOPIC: &[Code] = &[Code::UnknownTopic, Code::UnknownTopicOrPartition, Code::UnknownPartition];

/// No broker answered, or what answered did not take this client for one of its own.
pub(super) fn is_of_connection(code: i32) -> bool {
    const CODES: &[Code] = &[
        Code::BrokerTransportFailure,
        Code::AllBrokersDown,
        Code::OperationTimedOut,
        Code::Resolve,
        Code::UnsupportedFeature,
        Code::UnsupportedVersion,
        Code::UnsupportedSASLMechanism,
        Code::IllegalSASLState,
    ];
    is_any(code, CODES) || is_login(code)
}

/// The kind of an error that no transaction call brought: an administrative call, or fetching. What may pass is the
/// rule here, because librdkafka itself goes on trying.
pub(super) fn kind(code: i32) -> Kind {
    if is_any(code, NO_SUCH_TOPIC) {
        Kind::NoSuchTopic
    } else if is_any(code, OUT_OF_RANGE) {
        Kind::OutOfRange
    } else if needs_a_human(code) {
        Kind::Fatal
    } else if is_any(code, NOT_A_MEMBER) || code == Code::PollExceeded as i32 {
        Kind::NotMember
    } else {
        Kind::Retry
    }
}

/// A transaction call, for the wording and for what its failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Init,
    Begin,
    SendOffsets,
    Commit,
    Abort,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::Init => "initialise transactions",
            Call::Begin => "begin the transaction",
            Call::SendOffsets => "add offsets to the transaction",
            Call::Commit => "commit the transaction",
            Call::Abort => "abort the transaction",
        }
    }
}

/// What librdkafka says of a failed transaction call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) code: i32,
    pub(super) fatal: bool,
    pub(super) requires_abort: bool,
    pub(super) retriable: bool,
}

impl Flags {
    pub(super) fn of(error: &RDKafkaError) -> Self {
        Self {
            code: native::code_of(error),
            fatal: error.is_fatal(),
            requires_abort: error.txn_requires_abort(),
            retriable: error.is_retriable(),
        }
    }
}

/// The kind of a failed transaction call that is not to be, or no longer, repeated.
pub(super) fn transaction_kind(call: Call, flags: Flags) -> Kind {
    let Flags { code, fatal, requires_abort, .. } = flags;
    let fenced = is_any(code, FENCED);
    match call {
        _ if fenced => Kind::Fenced,
        // Opening is local, and repeating it harms nothing: what is wrong there is wrong for good or may pass.
        Call::Init if fatal || needs_a_human(code) => Kind::Fatal,
        Call::Init => Kind::Retry,
        Call::Begin if fatal => Kind::Fenced,
        Call::Begin => Kind::Fatal,
        Call::SendOffsets if is_any(code, NOT_A_MEMBER) => Kind::NotMember,
        Call::SendOffsets if needs_a_human(code) => Kind::Fatal,
        Call::SendOffsets | Call::Commit if requires_abort && !fatal => Kind::Abort,
        Call::SendOffsets | Call::Commit | Call::Abort if fatal && needs_a_human(code) => Kind::Fatal,
        // An unflagged error, a time-out, or a fatal one that is no fencing: the outcome is anybody's guess.
        Call::SendOffsets | Call::Commit | Call::Abort => Kind::Unknown,
    }
}

/// A failed transaction call as an error.
pub(super) fn transaction_error(call: Call, flags: Flags, text: &str) -> Error {
    let kind = transaction_kind(call, flags);
    let hint = match kind {
        Kind::Fenced => " (another producer took over this transactional id, or the transaction timed out)",
        Kind::NotMember => " (the group has moved on without this member)",
        Kind::Unknown => " (the outcome is unknown)",
        _ => "",
    };
    Error::new(kind, format!("cannot {}: {text}{hint}", call.name())).of_connection(is_of_connection(flags.code))
}

/// What to do about an error that does not say it.
pub(super) fn hint(code: i32) -> &'static str {
    if is_any(code, &[Code::BadCompression, Code::BadMessage]) {
        ": if a batch there is larger than 133 MB unpacked, set the client property receive.message.max.bytes to four times \
         its size; else it is damaged"
    } else {
        ""
    }
}

/// The kind of a record's failed delivery, or of a fatal state of the producer.
pub(super) fn delivery_kind(code: i32) -> Kind {
    if is_any(code, &[Code::MessageSizeTooLarge, Code::MessageBatchTooLarge]) {
        Kind::TooLarge
    } else if is_any(code, FENCED) || code == Code::Fatal as i32 {
        Kind::Fenced
    } else if is_any(code, NO_SUCH_TOPIC) {
        Kind::NoSuchTopic
    } else if needs_a_human(code) || code == Code::InvalidTimestamp as i32 {
        Kind::Fatal
    } else {
        Kind::Abort
    }
}

/// The code of any error of the wrapper, where it bears one.
pub(super) fn code_of(error: &KafkaError) -> Option<i32> {
    match error {
        KafkaError::AdminOp(code) => Some(*code as i32),
        other => other.rdkafka_error_code().map(|code| code as i32),
    }
}

/// An error that concerns no transaction, with what was being done.
pub(super) fn error(doing: &str, error: &KafkaError) -> Error {
    match code_of(error) {
        Some(code) => from_code(doing, code),
        // Without a code it is a refusal on this side: a bad argument, a name with a zero byte, a bad setting.
        None => Error::new(Kind::Fatal, format!("{doing}: {error}")),
    }
}

/// As [`error`], from a bare code.
pub(super) fn from_code(doing: &str, code: i32) -> Error {
    Error::new(kind(code), format!("{doing}: {}", native::describe(code))).of_connection(is_of_connection(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(code: Code) -> Flags {
        Flags { code: code as i32, fatal: false, requires_abort: false, retriable: false }
    }

    #[test]
    fn an_error_of_the_connection_is_told_from_what_a_broker_answered() {
        for code in [Code::BrokerTransportFailure, Code::OperationTimedOut, Code::SSL, Code::Authentication] {
            assert!(from_code("x", code as i32).is_of_connection(), "{code:?}");
            assert!(transaction_error(Call::Init, flags(code), "x").is_of_connection(), "{code:?}");
        }
        for code in [Code::TopicAuthorizationFailed, Code::UnknownTopicOrPartition, Code::NotCoordinator] {
            assert!(!from_code("x", code as i32).is_of_connection(), "{code:?}");
        }
    }

    #[test]
    fn a_timeout_of_commit_or_send_offsets_is_an_unknown_outcome() {
        for call in [Call::SendOffsets, Call::Commit, Call::Abort] {
            let timed_out = Flags { retriable: true, ..flags(Code::OperationTimedOut) };
            assert_eq!(transaction_kind(call, timed_out), Kind::Unknown, "{call:?}");
            assert_eq!(transaction_kind(call, flags(Code::Fail)), Kind::Unknown, "{call:?}");
        }
        assert_eq!(transaction_kind(Call::Init, flags(Code::OperationTimedOut)), Kind::Retry);
    }

    #[test]
    fn fenced_is_fenced_in_every_call() {
        for call in [Call::Init, Call::Begin, Call::SendOffsets, Call::Commit, Call::Abort] {
            for code in FENCED {
                let kind = transaction_kind(call, Flags { fatal: true, ..flags(*code) });
                assert_eq!(kind, Kind::Fenced, "{call:?} {code:?}");
            }
        }
    }

    #[test]
    fn a_lost_membership_is_told_from_other_abortable_errors() {
        let abortable = |code| Flags { requires_abort: true, ..flags(code) };
        for code in [Code::IllegalGeneration, Code::UnknownMemberId, Code::FencedInstanceId] {
            assert_eq!(transaction_kind(Call::SendOffsets, abortable(code)), Kind::NotMember);
        }
        assert_eq!(transaction_kind(Call::SendOffsets, abortable(Code::MessageTimedOut)), Kind::Abort);
        assert_eq!(transaction_kind(Call::Commit, abortable(Code::MessageSizeTooLarge)), Kind::Abort);
        assert_eq!(transaction_kind(Call::SendOffsets, abortable(Code::GroupAuthorizationFailed)), Kind::Fatal);
    }

    #[test]
    fn what_may_pass_is_retried_and_what_needs_a_human_is_not() {
        for code in [Code::BrokerTransportFailure, Code::AllBrokersDown, Code::OperationTimedOut, Code::NotCoordinator]
        {
            assert_eq!(kind(code as i32), Kind::Retry, "{code:?}");
        }
        for code in [Code::TopicAuthorizationFailed, Code::NotImplemented, Code::InvalidSessionTimeout] {
            assert_eq!(kind(code as i32), Kind::Fatal, "{code:?}");
        }
        assert_eq!(kind(Code::UnknownTopicOrPartition as i32), Kind::NoSuchTopic);
        for code in OUT_OF_RANGE {
            assert_eq!(kind(*code as i32), Kind::OutOfRange, "{code:?}");
        }
        assert_eq!(kind(31_999), Kind::Retry, "a code of a broker newer than this client");
        assert!(from_code("x", 31_999).to_string().contains("31999"));
    }

    #[test]
    fn a_record_that_is_too_large_is_told_from_one_that_was_not_delivered() {
        for (code, kind) in [
            (Code::MessageSizeTooLarge, Kind::TooLarge),
            (Code::MessageTimedOut, Kind::Abort),
            (Code::InvalidProducerEpoch, Kind::Fenced),
            (Code::UnknownTopic, Kind::NoSuchTopic),
            (Code::TopicAuthorizationFailed, Kind::Fatal),
            (Code::InvalidTimestamp, Kind::Fatal),
        ] {
            assert_eq!(delivery_kind(code as i32), kind, "{code:?}");
        }
    }
}
