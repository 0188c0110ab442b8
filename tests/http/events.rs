//! Server-sent events: each block as it comes, and what was missed.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::Serving;
use crate::client::Client;

/// An open stream of events.
struct Listening {
    lines: std::io::Lines<BufReader<TcpStream>>,
}

impl Listening {
    fn to(client: &Client, path: &str, lines: &str) -> Self {
        let mut stream = client.connect();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n{lines}\r\n", client.address).unwrap();
        Self { lines: BufReader::new(stream).lines() }
    }

    /// The next event with its name and data; `None` when the stream has ended.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let line = self.lines.next()?.ok()?;
            if let Some(event) = line.strip_prefix("event: ") {
                name = event.to_owned();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }

    fn heights(&mut self, count: usize) -> Vec<u64> {
        let mut heights = Vec::new();
        while heights.len() < count {
            let (name, data) = self.next().unwrap();
            if name == "block" {
                heights.push(data["height"].as_u64().unwrap());
            }
        }
        heights
    }
}

#[test]
fn each_block_is_told_once_as_it_comes_and_with_it_who_was_slashed() {
    let serving = Serving::demo("--rate 300");
    let mut listening = Listening::to(&serving.client, "/v1/events?after=0", "");
    let (mut heights, mut slashed) = (Vec::new(), None);
    while slashed.is_none() || heights.len() < 6 {
        match listening.next().unwrap() {
            (name, data) if name == "block" => {
                heights.push((data["height"].as_u64().unwrap(), data["slashed"].clone()))
            }
            (name, data) if name == "slash" => slashed = Some(data),
            (name, _) => assert_eq!(name, "gap"),
        }
    }
    let first = heights[0].0;
    assert!(heights.iter().map(|(height, _)| *height).eq(first..first + heights.len() as u64), "{heights:?}");
    let slashed = slashed.unwrap();
    assert_eq!(slashed["validator"], "validator-1");
    let (_, named) = heights.iter().find(|(height, _)| slashed["height"] == *height).unwrap();
    assert_eq!(*named, serde_json::json!(["validator-1"]));
}

#[test]
fn who_comes_back_is_told_what_was_missed() {
    let serving = Serving::sealed("--rate 300", 6);
    for (path, lines) in [("/v1/events?after=3", ""), ("/v1/events", "last-event-id: 3\r\n")] {
        assert_eq!(Listening::to(&serving.client, path, lines).heights(4), [4, 5, 6, 7]);
    }
    serving.get("/v1/events?after=x").refused(400, "");
    // A height that no chain reaches: there is nothing since, and what comes is told.
    for (path, lines) in
        [("/v1/events?after=18446744073709551615", ""), ("/v1/events", "last-event-id: 18446744073709551615\r\n")]
    {
        assert!(Listening::to(&serving.client, path, lines).heights(1)[0] >= 6);
    }
}

#[test]
fn one_address_has_so_many_listeners_at_once_and_one_that_leaves_makes_room() {
    let serving = Serving::sealed("--rate 100", 1);
    let mut listening: Vec<_> = (0..64).map(|_| Listening::to(&serving.client, "/v1/events?after=0", "")).collect();
    listening.iter_mut().for_each(|one| drop(one.heights(1)));
    serving.get("/v1/events").refused(503, "of your address");
    listening.clear();
    serving.until("there is room again", |client| {
        let mut stream = client.connect();
        write!(stream, "GET /v1/events HTTP/1.1\r\nhost: {}\r\n\r\n", client.address).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.contains("200")
    });
}

#[test]
fn the_program_ends_at_once_with_listeners_and_their_streams_end_with_it() {
    let serving = Serving::sealed("--rate 100", 1);
    let mut listening = Listening::to(&serving.client, "/v1/events?after=0", "");
    listening.heights(1);
    let reader = std::thread::spawn(move || while listening.next().is_some() {});
    assert_eq!(serving.end(), 0);
    reader.join().unwrap();
}
