use super::super::options::Options;
use super::*;
use crate::log::{Isolation, OutOfRange};

/// A cluster that is not there.
fn nowhere() -> Admin {
    Admin::new(Options::new("127.0.0.1:1"))
}

/// A consumer of a cluster that is not there.
fn consumer() -> KafkaConsumer {
    consumer_of(&nowhere())
}

fn consumer_of(admin: &Admin) -> KafkaConsumer {
    let options = ConsumerOptions {
        group: None,
        isolation: Isolation::ReadCommitted,
        client_id: "c".to_owned(),
        batch_records: 10,
        prefetch_bytes: 1 << 20,
        out_of_range: OutOfRange::Earliest,
    };
    KafkaConsumer::new(admin, &options, None).unwrap()
}

#[test]
fn a_refused_login_needs_a_human_only_where_none_has_ever_succeeded() {
    for code in [RDKafkaErrorCode::Authentication, RDKafkaErrorCode::SaslAuthenticationFailed, RDKafkaErrorCode::SSL] {
        let (admin, refused) = (nowhere(), KafkaError::Global(code));
        let (one, other) = (consumer_of(&admin), consumer_of(&admin));
        assert_eq!(one.judge(&refused).unwrap_err().kind(), Kind::Fatal, "{code:?}");
        other.login.note_good();
        for consumer in [one, other, consumer_of(&admin)] {
            assert_eq!(consumer.judge(&refused).unwrap_err().kind(), Kind::Retry, "{code:?}");
        }
    }
}

#[test]
fn a_partition_that_could_not_be_resumed_stays_paused_until_it_is() {
    let mut consumer = consumer();
    let partition = TopicPartition::new("t", 0);
    let partitions = std::slice::from_ref(&partition);
    consumer.assign(&[(partition.clone(), Start::At(5))]).unwrap();
    consumer.pause(partitions).unwrap();
    let patience = std::mem::replace(&mut consumer.request_timeout, Duration::ZERO);
    for _ in 0..2 {
        assert_eq!(consumer.resume(partitions).unwrap_err().kind(), Kind::Retry);
        assert!(consumer.assigned.iter().all(|assigned| assigned.is_paused()));
    }
    consumer.request_timeout = patience;
    consumer.resume(partitions).unwrap();
    assert!(consumer.assigned.iter().all(|assigned| !assigned.is_paused()));
}

#[test]
fn an_answer_is_given_once_though_what_stays_cannot_go_on_yet() {
    let mut consumer = consumer();
    let [a, b, c] = [0, 1, 2].map(|partition| TopicPartition::new("t", partition));
    consumer.incremental_assign(&[(a.clone(), Start::At(5)), (b.clone(), Start::At(5))]).unwrap();
    let patience = std::mem::replace(&mut consumer.request_timeout, Duration::ZERO);
    consumer.incremental_assign(&[(c.clone(), Start::At(5))]).unwrap();
    consumer.incremental_unassign(std::slice::from_ref(&b)).unwrap();
    assert_eq!(consumer.go_on().unwrap_err().kind(), Kind::Retry, "the seeks are late");
    consumer.request_timeout = patience;
    consumer.go_on().unwrap();
    let assigned: Vec<_> =
        consumer.assigned.iter().map(|assigned| (&assigned.partition, assigned.is_held_up)).collect();
    assert_eq!(assigned, [(&a, false), (&c, false)]);
}

#[test]
fn a_fatal_error_is_never_passed_over() {
    let consumer = consumer();
    for code in [
        RDKafkaErrorCode::InvalidRequest,
        RDKafkaErrorCode::UnreleasedInstanceId,
        RDKafkaErrorCode::UnknownMemberId,
        RDKafkaErrorCode::Fail,
    ] {
        let error = consumer.judge(&KafkaError::MessageConsumptionFatal(code)).unwrap_err();
        assert_eq!(error.kind(), Kind::Fatal, "{code:?}");
    }
    let replaced = KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId);
    assert_eq!(consumer.judge(&replaced).unwrap_err().kind(), Kind::NotMember);
}
