//! What every log promises: one suite, run against each.
//!
//! A backend joins by one line, `contract!(name, fixture)`, where `fixture` makes a [`harness::Fixture`]. The claims
//! are also true of a real cluster, so none takes for granted that offsets are contiguous across transactions, that a
//! commit is visible the moment it returns, or that anything happens within less than [`harness::PATIENCE`].

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop where it stands")]

mod consuming;
mod deleting;
mod end_of_partition;
mod group_offsets;
mod groups;
mod harness;
#[cfg(feature = "kafka")]
mod kafka;
mod local;
#[cfg(feature = "embedded")]
mod on_disk;
mod records;
mod topics;
mod transactions;
mod without_transactions;

/// Runs the whole suite against a log. More attributes, such as `ignore`, may follow the fixture.
macro_rules! contract {
    ($backend:ident, $fixture:expr $(, $attribute:meta)*) => {
        mod $backend {
            $crate::contract! { @claims $fixture, [$($attribute),*]
                consuming: [
                    a_poll_hands_over_at_most_what_was_asked_for
                    a_partition_that_begins_paused_goes_on_where_it_is_sought
                    a_poll_wakes_up_when_something_arrives
                    a_position_below_the_first_record_starts_at_the_first
                    a_position_beyond_the_end_starts_at_the_beginning
                    a_position_outside_the_log_is_an_error_where_that_is_asked_for
                    an_assignment_replaces_the_one_before
                    pausing_and_resuming_loses_nothing
                    records_deleted_before_they_were_read_are_an_error_where_that_is_asked_for
                    reading_starts_at_the_given_offset
                    seeking_back_reads_again_and_seeking_on_skips
                ]
                deleting: [
                    a_deletion_beyond_the_end_is_an_error_and_the_others_come_to_pass
                    a_deletion_that_is_begun_comes_to_pass_in_all_its_partitions
                    a_deletion_that_nobody_asks_about_comes_to_pass
                    a_reader_that_is_behind_none_of_what_is_deleted_notices_nothing
                    deleted_records_are_gone_and_the_low_watermark_says_so
                ]
                end_of_partition: [
                    the_end_is_behind_aborted_records
                    the_end_is_behind_the_commit_marker
                    the_end_is_told_again_only_after_it_has_moved
                    the_end_of_a_committed_read_is_before_an_open_transaction
                    the_end_of_an_empty_partition_is_told
                ]
                group_offsets: [
                    offsets_appear_with_the_commit
                    offsets_of_an_aborted_transaction_vanish
                    offsets_that_are_pending_are_not_told
                    offsets_come_in_the_order_asked_with_their_metadata
                ]
                groups: [
                    a_group_is_deleted_only_without_members
                    a_group_tells_who_is_in_it_and_what_each_has
                    a_member_that_has_left_cannot_commit_offsets
                    a_member_without_partitions_knows_that_it_has_none
                    a_second_static_member_of_the_same_id_fences_the_first
                    a_stale_generation_cannot_commit_offsets
                    a_static_member_that_returns_takes_its_partitions_back
                    members_are_counted
                    members_of_the_consumer_protocol_are_counted
                    only_what_moves_is_taken_away_and_the_rest_is_read_on
                    partitions_of_the_same_number_land_together
                    the_one_that_stays_takes_over_after_a_leave
                ]
                records: [
                    a_batch_arrives_as_its_records_would_one_by_one
                    a_batch_with_a_record_that_is_too_large_is_refused
                    a_keyed_record_goes_where_the_java_client_puts_it
                    a_null_is_not_an_empty_key_or_value
                    a_partition_below_zero_is_refused
                    a_record_that_is_too_large_is_refused_and_the_next_transaction_commits
                    delivered_offsets_of_tracked_topics_are_told
                    headers_and_timestamps_are_preserved
                    a_topic_that_stamps_its_records_takes_any_time_of_theirs
                    records_come_in_order_with_their_offsets
                    sending_to_a_topic_that_does_not_exist_fails_and_creates_nothing
                ]
                topics: [
                    a_topic_that_is_given_partitions_keeps_its_id_and_its_records
                    a_created_topic_is_described_as_it_was_asked_for
                    a_deleted_topic_is_gone_and_deleting_it_again_is_no_error
                    asking_for_a_missing_partition_says_so
                    creating_a_topic_twice_is_no_error_and_changes_nothing
                    all_topics_are_listed_and_none_that_is_gone
                    topics_are_identified_in_the_order_asked_and_made_by_nobody
                    a_topic_keeps_its_id_and_one_made_anew_has_another
                ]
                transactions: [
                    a_new_producer_aborts_what_a_dead_one_left_open
                    a_second_producer_with_the_same_id_fences_the_first
                    a_transaction_is_all_or_nothing_over_topics
                    a_transaction_that_took_too_long_is_aborted_and_its_producer_fenced
                    aborted_records_are_seen_by_uncommitted_reads_only
                    an_empty_transaction_can_be_ended
                    records_of_an_open_transaction_are_not_committed
                ]
                without_transactions: [
                    a_member_commits_offsets_by_itself_as_long_as_it_is_one
                    calls_that_only_transactions_have_are_refused
                    it_lies_behind_an_open_transaction_of_another_until_that_ends
                    what_is_flushed_can_be_read_and_its_offsets_are_told
                ]
            }
        }
    };
    (@claims $fixture:expr, $attributes:tt $($module:ident: [$($claim:ident)*])*) => {
        $( mod $module { $( $crate::contract! { @claim $fixture, $attributes, $module, $claim } )* } )*
    };
    (@claim $fixture:expr, [$($attribute:meta),*], $module:ident, $claim:ident) => {
        #[test]
        $(#[$attribute])*
        fn $claim() {
            $crate::$module::$claim(&$fixture().log);
        }
    };
}
pub(crate) use contract;

contract!(memory, crate::local::memory);
#[cfg(feature = "embedded")]
contract!(embedded, crate::on_disk::fixture);
#[cfg(feature = "kafka")]
contract!(real, crate::kafka::fixture);
