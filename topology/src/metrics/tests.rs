use super::*;

#[derive(Debug)]
struct Fixed;

impl Readings for Fixed {
    fn read(&self) -> Vec<Reading> {
        let label = |broker: &str| vec![("broker", broker.to_owned())];
        let rows = [(label("1"), Value::Seconds(0.5)), (label("2"), Value::Whole(2))];
        let none = Reading::of("nothing", "Nothing", std::iter::empty());
        let some = Reading::of("latency_seconds", "Latency", rows.into_iter());
        let one = [Reading::one("state_segment_bytes", "Segments", 7), Reading::one("state_wait_total", "Waits", 3)];
        one.into_iter().chain(none).chain(some).collect()
    }
}

fn lines(metrics: &Metrics, with: &str) -> Vec<String> {
    let text = metrics.exported().to_text();
    let found = text.lines().filter(|line| !line.starts_with('#') && line.contains(with));
    let mut found: Vec<String> = found.map(str::to_owned).collect();
    // The rows of a name come in no order.
    if !with.contains("bucket") {
        found.sort();
    }
    found
}

#[test]
fn what_threads_and_tasks_count_is_written_down_under_their_names() {
    let metrics = Metrics::default();
    let (first, second) = (metrics.exported().thread(1), metrics.exported().thread(2));
    first.add_records(5);
    second.add_records(7);
    first.add_commit(3);
    let task = first.task("counting_0", [("words", 0)].into_iter());
    task.add_records(5);
    task.add_bytes(55);
    task.set_lag(0, 12);
    assert_eq!(
        lines(&metrics, "thread_process_total"),
        ["topology_thread_process_total{thread=\"01\"} 5", "topology_thread_process_total{thread=\"02\"} 7"]
    );
    assert_eq!(
        lines(&metrics, "record_lag"),
        ["topology_task_record_lag{thread=\"01\",task=\"counting_0\",topic=\"words\",partition=\"0\"} 12"]
    );
    assert_eq!(
        lines(&metrics, "consumed_bytes"),
        ["topology_task_consumed_bytes_total{thread=\"01\",task=\"counting_0\"} 55"]
    );
    let mut latency = lines(&metrics, "commit_latency_seconds_bucket");
    latency.retain(|line| line.contains("thread=\"01\""));
    assert!(
        latency[2].contains("le=\"0.004\"") && latency[2].ends_with("} 1") && latency[1].ends_with("} 0"),
        "{latency:?}"
    );
}

#[test]
fn the_rows_of_a_task_go_with_it_and_its_number_stays_in_what_its_thread_counts() {
    let metrics = Metrics::default();
    let thread = metrics.exported().thread(1);
    drop(thread.task("counting_0", [("words", 0)].into_iter()));
    assert!(lines(&metrics, "counting_0").is_empty());
    assert_eq!(lines(&metrics, "task_created_total"), ["topology_thread_task_created_total{thread=\"01\"} 1"]);
    assert_eq!(lines(&metrics, "task_closed_total"), ["topology_thread_task_closed_total{thread=\"01\"} 1"]);
}

#[test]
fn what_others_count_is_asked_for_when_it_is_read() {
    let metrics = Metrics::default();
    metrics.exported().register_readings(Fixed);
    assert_eq!(lines(&metrics, "state_segment"), ["topology_state_segment_bytes 7"]);
    assert_eq!(lines(&metrics, "state_wait"), ["topology_state_wait_total 3"]);
    let rows = ["topology_latency_seconds{broker=\"1\"} 0.5", "topology_latency_seconds{broker=\"2\"} 2"];
    assert_eq!(lines(&metrics, "latency_seconds{"), rows);
    assert!(!metrics.exported().to_text().contains("nothing"));
}
