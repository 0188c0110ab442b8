use super::*;
use crate::error::Result;
use crate::graph::{Builder, Repartition, Store};
use crate::log::TopicId;

fn description(partition_count: i32, cleanup_policy: &str, timestamp_type: &str) -> TopicDescription {
    TopicDescription {
        id: TopicId::from_bytes([1; 16]),
        partition_count,
        cleanup_policy: cleanup_policy.into(),
        timestamp_type: timestamp_type.into(),
        timestamp_before_max_ms: i64::MAX,
        timestamp_after_max_ms: 3_600_000,
        delete_retention_ms: 86_400_000,
        max_message_bytes: 1_048_588,
        replica_count: Some(1),
        settings: BTreeMap::new(),
    }
}

/// These topics are there, as a run makes them.
fn there(topics: &[(&str, i32)]) -> Found {
    let made = |name: &str, count| match name {
        _ if name.ends_with("-changelog") => description(count, "compact", "LogAppendTime"),
        _ if name.ends_with("-dead-letters") => description(count, "delete", "LogAppendTime"),
        _ => description(count, "delete", "CreateTime"),
    };
    topics.iter().map(|(name, count)| ((*name).to_owned(), made(name, *count))).collect()
}

fn plan(topology: &Topology, topics: &[(&str, i32)]) -> Result<Plan> {
    Plan::new(&topology.resolve("app", &[])?, "app", &there(topics))
}

/// How many partitions these topics have.
fn counts(topology: &Topology, topics: &[(&str, i32)]) -> BTreeMap<String, i32> {
    let plan = plan(topology, topics).unwrap();
    plan.topics().map(|topic| (topic.name().to_owned(), topic.partition_count().unwrap())).collect()
}

fn refusal(topology: &Topology, topics: &[(&str, i32)]) -> String {
    plan(topology, topics).err().map(|error| error.to_string()).unwrap_or_default()
}

fn mistakes(built: Result<Topology>) -> String {
    built.err().map(|error| error.to_string()).unwrap_or_default()
}

type Bytes = Repartition<[u8], [u8]>;

fn by(name: &str) -> Bytes {
    Repartition::new(name)
}

/// `words` -> repartition topic -> a count -> `totals`.
fn counting(by_word: &Bytes) -> Topology {
    let builder = Builder::new();
    builder.sub_topology("splitting").source::<[u8], [u8]>("words").repartition(by_word);
    builder.sub_topology("counting").source_of(by_word).count(&Store::memory("counts")).sink("totals");
    builder.build().unwrap()
}

const BY_WORD: &str = "app-by-word-repartition";

#[test]
fn a_repartition_topic_has_as_many_partitions_as_what_its_writer_reads_unless_it_is_there_or_says_otherwise() {
    let (unset, three) = (counting(&by("by-word")), counting(&by("by-word").partitions(3)));
    let cases: [(&Topology, &[(&str, i32)], i32); 6] = [
        (&unset, &[], 1),
        (&unset, &[("words", 4)], 4),
        (&unset, &[("words", 4), (BY_WORD, 2)], 2),
        (&three, &[], 3),
        (&three, &[("words", 4)], 3),
        (&three, &[("words", 4), (BY_WORD, 3)], 3),
    ];
    for (topology, topics, count) in cases {
        let counts = counts(topology, topics);
        let of = |name: &str| counts[name];
        assert_eq!((of(BY_WORD), of("app-counts-changelog"), of("totals")), (count, count, 1), "{topics:?}");
        assert_eq!(of("words"), if topics.is_empty() { 1 } else { 4 });
        assert_eq!((of("words-dead-letters"), of(&format!("{BY_WORD}-dead-letters"))), (1, 1));
    }
}

#[test]
fn the_planned_graph_says_how_many_partitions_each_topic_has_and_so_how_many_tasks_there_are() {
    let planned = plan(&counting(&by("by-word").partitions(3)), &[("words", 4), ("totals", 7)]).unwrap().topology;
    assert_eq!(planned.sub_topologies.iter().map(|sub| sub.partition_count()).collect::<Vec<_>>(), [4, 3]);
    let sinks: Vec<_> = planned.sink_topics().iter().map(|topic| (topic.name(), topic.partition_count())).collect();
    assert_eq!(sinks, [(BY_WORD, Some(3)), ("totals", Some(7))]);
}

#[test]
fn a_repartition_topic_is_made_as_kafka_streams_makes_it() {
    let plan = plan(&counting(&by("by-word").config("max.message.bytes", "9000")), &[]).unwrap();
    let topic = plan.topics().find(|topic| topic.name() == BY_WORD).unwrap();
    for (name, value) in [
        ("cleanup.policy", "delete"),
        ("retention.ms", "-1"),
        ("segment.bytes", "52428800"),
        ("message.timestamp.type", "CreateTime"),
        ("max.message.bytes", "9000"),
    ] {
        assert_eq!(topic.setting(name), Some(value));
    }
}

/// `a` and `b` -> first -> second -> `out`, each a repartition topic.
fn chained(first: &Bytes, second: &Bytes) -> Topology {
    let builder = Builder::new();
    // Drawn from behind.
    builder.sub_topology("last").source_of(second).sink("out");
    builder.sub_topology("middle").source_of(first).repartition(second);
    builder.sub_topology("from-b").source::<[u8], [u8]>("b").repartition(first);
    builder.sub_topology("from-a").source::<[u8], [u8]>("a").repartition(first);
    builder.build().unwrap()
}

#[test]
fn sub_topologies_that_are_chained_hand_the_largest_number_on() {
    let of = |topology: &Topology, topics: &[(&str, i32)]| {
        let counts = counts(topology, topics);
        (counts["app-first-repartition"], counts["app-second-repartition"])
    };
    let unset = chained(&by("first"), &by("second"));
    assert_eq!(of(&unset, &[("a", 2), ("b", 5)]), (5, 5));
    assert_eq!(of(&unset, &[("a", 6), ("b", 5)]), (6, 6));
    assert_eq!(of(&unset, &[("a", 6), ("b", 5), ("app-first-repartition", 3)]), (3, 3));
    assert_eq!(of(&chained(&by("first").partitions(2), &by("second")), &[("a", 6)]), (2, 2));
    assert_eq!(of(&chained(&by("first"), &by("second").partitions(9)), &[("a", 6)]), (6, 9));
}

#[test]
fn topics_that_are_read_together_have_as_many_partitions_as_the_one_of_which_it_is_known() {
    let joining = |moved: &Bytes, other: &str| {
        let builder = Builder::new();
        builder.sub_topology("moving").source::<[u8], [u8]>("orders").repartition(moved);
        let joining = builder.sub_topology("joining");
        let _ = joining.source_of(moved).merge(&joining.source(other)).sink("out");
        builder.build().unwrap()
    };
    let unset = joining(&by("moved"), "customers");
    assert_eq!(counts(&unset, &[("orders", 4), ("customers", 6)])["app-moved-repartition"], 6);
    // Neither is there: both are made as what is moved is.
    assert_eq!(counts(&unset, &[("orders", 4)])["customers"], 4);
    let two = joining(&by("moved").partitions(2), "customers");
    assert_eq!(counts(&two, &[("orders", 4)])["customers"], 2);
    let error = refusal(&two, &[("orders", 4), ("customers", 6)]);
    let both = "'joining' reads topic 'app-moved-repartition' with 2 partitions and topic 'customers' with 6";
    assert!(error.contains(both), "{error}");
    let error = refusal(&unset, &[("orders", 4), ("customers", 6), ("app-moved-repartition", 4)]);
    assert!(error.contains("'app-moved-repartition' with 4 partitions and topic 'customers' with 6"), "{error}");
}

#[test]
fn a_circle_has_as_many_partitions_as_what_comes_into_it_and_one_that_nothing_comes_into_is_a_mistake() {
    let circle = |again: &Bytes, forth: &Bytes, with_input: bool| {
        let builder = Builder::new();
        let (one, two) = (builder.sub_topology("one"), builder.sub_topology("two"));
        let back = one.source_of(again);
        back.repartition(forth);
        two.source_of(forth).repartition(again);
        if with_input {
            builder.sub_topology("input").source::<[u8], [u8]>("in").repartition(again);
        }
        builder.build()
    };
    let fed = circle(&by("again"), &by("forth"), true).unwrap();
    assert_eq!(fed.sub_topology_names().collect::<Vec<_>>(), ["input", "one", "two"]);
    let counts = counts(&fed, &[("in", 5)]);
    assert_eq!((counts["app-again-repartition"], counts["app-forth-repartition"]), (5, 5));
    let error = mistakes(circle(&by("again"), &by("forth"), false));
    assert!(
        error.contains("how many partitions sub-topology 'one' reads: repartition topic 'again' is written"),
        "{error}"
    );
    assert!(circle(&by("again").partitions(2), &by("forth"), false).is_ok());
}

#[test]
fn a_single_writer_reads_one_partition_or_is_refused_with_what_to_do() {
    let sealing = |moved: Option<&Bytes>| {
        let builder = Builder::new();
        let sealing = builder.sub_topology("sealing");
        sealing.single_writer("sealer");
        let input = match moved {
            None => sealing.source::<[u8], [u8]>("in"),
            Some(moved) => {
                builder.sub_topology("admitting").source::<[u8], [u8]>("in").repartition(moved);
                sealing.source_of(moved)
            }
        };
        input.sink("out");
        builder.build()
    };
    assert_eq!(counts(&sealing(None).unwrap(), &[])["in"], 1);
    let error = refusal(&sealing(None).unwrap(), &[("in", 4)]);
    let what = "sub-topology 'sealing' is a single writer, so each topic that it reads has exactly one partition, and topic 'in' has 4";
    assert!(error.contains(what) && error.contains("bring its records into a repartition topic"), "{error}");
    assert_eq!(counts(&sealing(Some(&by("all"))).unwrap(), &[("in", 4)])["app-all-repartition"], 1);
    let several = mistakes(sealing(Some(&by("all").partitions(2))));
    assert!(several.contains("single writer") && several.contains("repartition topic 'all' has 2"), "{several}");
}

#[test]
fn topics_that_are_missing_are_made_in_stages_so_that_what_follows_from_their_partitions_comes_later() {
    let topology = counting(&by("by-word"));
    let missing = |topics: &[(&str, i32)]| {
        let plan = plan(&topology, topics).unwrap();
        plan.missing().iter().map(|topic| topic.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(missing(&[]), ["words", "totals"]);
    assert_eq!(missing(&[("words", 2)]), ["totals"]);
    assert_eq!(missing(&[("words", 2), ("totals", 1)]), [BY_WORD]);
    let last = ["words-dead-letters", "app-by-word-repartition-dead-letters", "app-counts-changelog"];
    assert_eq!(missing(&[("words", 2), ("totals", 1), (BY_WORD, 2)]), last);
    let all = [("words", 2), ("totals", 1), (BY_WORD, 2), (last[0], 1), (last[1], 1), (last[2], 2)];
    assert!(missing(&all).is_empty());
}

#[test]
fn a_topic_that_must_be_there_is_missed_by_name_before_anything_else() {
    let builder = Builder::new();
    let input = builder.sub_topology("copying").source::<[u8], [u8]>(Topic::new("in").must_exist());
    input.sink(Topic::new("out").must_exist());
    let topology = builder.build().unwrap();
    assert_eq!(
        refusal(&topology, &[]),
        "there is no topic 'in': create it first; there is no topic 'out': create it first"
    );
    assert_eq!(refusal(&topology, &[("in", 3)]), "there is no topic 'out': create it first");
    assert_eq!(counts(&topology, &[("in", 3), ("out", 2)])["out"], 2);
}

#[test]
fn a_topic_that_is_there_with_other_partitions_policy_or_time_is_refused_by_name() {
    let builder = Builder::new();
    let topic = |name: &str| Topic::new(name).partitions(1).config("cleanup.policy", "compact");
    let input = builder.sub_topology("copying").source::<[u8], [u8]>(topic("in"));
    input.count(&Store::memory("counts")).sink(topic("out").config("message.timestamp.type", "LogAppendTime"));
    let topology = builder.build().unwrap().resolve("app", &[]).unwrap();
    let refusal = |name: &str, found: TopicDescription| {
        let found = Found::from([(name.to_owned(), found)]);
        Plan::new(&topology, "app", &found).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert_eq!(refusal("in", description(1, "compact", "CreateTime")), "");
    let partitions = refusal("in", description(3, "compact", "CreateTime"));
    assert!(partitions.starts_with("topic 'in' has 3 partitions, 1 needed"), "{partitions}");
    let policy = refusal("in", description(1, "delete", "CreateTime"));
    assert!(policy.contains("topic 'in' has cleanup.policy=delete, compact needed"), "{policy}");
    let time = refusal("out", description(1, "compact", "CreateTime"));
    assert!(time.contains("'out' has message.timestamp.type=CreateTime, LogAppendTime needed"), "{time}");
    let changelog = refusal("app-counts-changelog", description(2, "compact", "LogAppendTime"));
    assert!(changelog.contains("has 2 partitions, 1 needed, as many as sub-topology 'copying' reads"), "{changelog}");
}

#[test]
fn input_that_was_widened_under_state_is_refused_and_what_a_repartition_topic_is_between_goes_on() {
    let topology = counting(&by("by-word"));
    let made = [("words", 8), (BY_WORD, 4), ("app-counts-changelog", 4)];
    assert_eq!(counts(&topology, &made)[BY_WORD], 4);
    let builder = Builder::new();
    builder.sub_topology("counting").source::<[u8], [u8]>("words").count(&Store::memory("counts")).sink("totals");
    let error = refusal(&builder.build().unwrap(), &[("words", 8), ("app-counts-changelog", 4)]);
    assert!(error.contains("'app-counts-changelog' has 4 partitions, 8 needed") && error.contains("reset"), "{error}");
}

#[test]
fn a_plan_says_for_each_sub_topology_what_it_reads_writes_and_keeps_and_why_in_so_many_partitions() {
    let plan = plan(&counting(&by("by-word")), &[("words", 4), ("totals", 2)]).unwrap();
    assert_eq!(
        plan.to_string(),
        "sub-topology splitting, 4 tasks: reads words (4); writes app-by-word-repartition (4, new, as many as 'splitting' reads)\n\
         sub-topology counting, 4 tasks: reads app-by-word-repartition (4, new, as many as 'splitting' reads); \
         writes totals (2); keeps app-counts-changelog (4, new)"
    );
}

#[test]
fn a_topic_between_two_stages_is_asked_for_once_with_what_both_want() {
    let builder = Builder::new();
    let copy = |name: &str, from: Topic, to: Topic| {
        builder.sub_topology(name).source::<[u8], [u8]>(from).sink(to);
    };
    copy("one", Topic::new("in"), Topic::new("in-dead-letters").config("cleanup.policy", "delete"));
    copy("two", Topic::new("in-dead-letters"), Topic::new("out"));
    let topology = builder.build().unwrap();
    let plan = plan(&topology, &[]).unwrap();
    let both: Vec<&Topic> = plan.topics().filter(|topic| topic.name() == "in-dead-letters").collect();
    let [both] = both[..] else { panic!("{both:?}") };
    assert_eq!((both.partition_count(), both.setting("retention.ms")), (Some(1), Some("-1")));
    assert_eq!(
        (both.setting("cleanup.policy"), both.setting("message.timestamp.type")),
        (Some("delete"), Some("LogAppendTime"))
    );
    // Dead letters have one partition.
    let error = refusal(&topology, &[("in-dead-letters", 3)]);
    assert!(error.contains("'in-dead-letters' is asked for with partition count 1 and 3"), "{error}");
}

#[test]
fn wishes_for_a_repartition_topic_that_would_lose_records_are_mistakes() {
    let built = |topic: &Bytes| {
        let builder = Builder::new();
        builder.sub_topology("one").source::<[u8], [u8]>("in").repartition(topic);
        builder.sub_topology("two").source_of(topic).sink("out");
        mistakes(builder.build())
    };
    assert_eq!(built(&by("moved").config("segment.bytes", "1000000")), "");
    let policy = built(&by("moved").config("cleanup.policy", "compact"));
    assert!(policy.contains("repartition topic 'moved' cannot have cleanup.policy=delete and cleanup.policy=compact"));
    assert!(built(&by("moved").config("retention.ms", "1000")).contains("retention.ms=-1 and retention.ms=1000"));
    assert!(built(&by("moved").partitions(0)).contains("cannot have 0 partitions"));
}
