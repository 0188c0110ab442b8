//! What is too large, too much, too slow or from somewhere else costs nobody else anything.

use std::io::{Read, Write};
use std::net::TcpStream;

use tokio::net::TcpSocket;

use crate::Serving;
use crate::client::Client;

/// Connections from another address of this machine.
fn connected_from(client: &Client, last: u8, count: usize) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..count {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 0, last], 0).into()).unwrap();
            let stream = socket.connect(client.address).await.unwrap().into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            streams.push(stream);
        }
        streams
    })
}

/// The status of the answer to a request on this connection.
fn status_on(stream: &mut TcpStream, client: &Client, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", client.address);
    let mut text = String::new();
    // One that was let go may be reset.
    let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut text));
    text.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn what_is_too_large_or_not_for_here_is_refused() {
    let serving = Serving::sealed("--rate 50", 1);
    let client = &serving.client;
    client.get(&format!("/v1/search?q={}", "a".repeat(3_000))).refused(414, "at most 2048 bytes");
    let huge = client.ask("GET", "/healthz", &[&format!("x: {}", "a".repeat(40_000))], "");
    assert_eq!(huge.status, 431);
    let body = format!("{{\"from\":\"{}\"}}", "a".repeat(20_000));
    assert_eq!(client.ask("POST", "/v1/transfers", &["content-type: application/json"], &body).status, 413);
    client.ask("POST", "/v1/transfers", &["content-type: text/plain"], "{}").refused(415, "");
    client.ask("POST", "/v1/status", &[], "").refused(405, "POST means nothing here");
    client.ask("DELETE", "/v1/blocks/1", &[], "").refused(405, "");
    for path in ["/v1/accounts/%ff", "/v1/blocks/%ff", "/v1/transactions/0/%ff"] {
        client.get(path).refused(400, "Invalid UTF-8");
    }
    let broken = client.send(b"GET / HTTP/9.9\r\n\r\n");
    assert_eq!(broken.status, 400);
}

#[test]
fn a_page_of_another_origin_can_neither_read_nor_write() {
    let serving = Serving::sealed("--rate 50", 1);
    let client = &serving.client;
    // A name that was made to lead to this machine.
    client
        .send(b"GET /v1/status HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n")
        .refused(421, "localhost");
    client.send(b"GET /v1/status HTTP/1.0\r\n\r\n").refused(421, "localhost");
    let body = r#"{"from":"alice","to":"bob","amount":1}"#;
    let lines = ["content-type: application/json", "origin: http://evil.example"];
    client.ask("POST", "/v1/transfers", &lines, body).refused(403, "another origin");
    for site in ["cross-site", "same-site"] {
        let lines = ["content-type: application/json", &format!("sec-fetch-site: {site}")];
        client.ask("POST", "/v1/transfers", &lines, body).refused(403, "another origin");
        client.ask("POST", "/v1/cheats", &lines, "{}").refused(403, "another origin");
    }
    let own = ["content-type: application/json", "sec-fetch-site: same-origin"];
    assert_eq!(client.ask("POST", "/v1/transfers", &own, body).status, 202);
    let own = format!("origin: http://{}", client.address);
    assert_eq!(client.ask("POST", "/v1/transfers", &["content-type: application/json", &own], body).status, 202);
    let asked = client.ask("OPTIONS", "/v1/status", &["origin: http://evil.example"], "");
    let read = client.ask("GET", "/v1/status", &["origin: http://evil.example"], "");
    for response in [asked, read] {
        assert_eq!(response.header("access-control-allow-origin"), None);
        assert!(response.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("cross-origin-resource-policy"), Some("same-origin"));
    }
}

#[test]
fn a_server_that_was_given_names_answers_to_these_and_to_this_machines() {
    let serving = Serving::demo("--rate 50 --http-names cairn.test,other.test");
    let asked = |host: &str| {
        let request = format!("GET /v1/status HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        serving.client.send(request.as_bytes()).status
    };
    assert_eq!([asked("cairn.test:80"), asked("OTHER.test"), asked("localhost")], [200; 3]);
    assert_eq!([asked("evil.test"), asked("a.cairn.test"), asked("0.0.0.0:80")], [421; 3]);
}

/// Whoever stands between may read such bytes otherwise than this server: no answer may depend on which of two readings
/// is meant.
#[test]
fn what_can_be_read_in_two_ways_is_refused_or_read_in_one() {
    let serving = Serving::sealed("--rate 50", 1);
    let client = &serving.client;
    let host = format!("host: {}", client.address);
    // The server drops a connection whose other end closes before its answer.
    let answers = |bytes: &str, then_close: bool| -> Vec<u16> {
        let mut stream = client.connect();
        let _ = stream.write_all(bytes.as_bytes());
        if then_close {
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut found = Vec::new();
        let _ = stream.read_to_end(&mut found);
        let text = String::from_utf8_lossy(&found);
        text.split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].parse().unwrap()).collect()
    };
    let statuses = |bytes: &str| answers(bytes, true);
    let inner = format!("GET /healthz HTTP/1.1\r\n{host}\r\n\r\n");
    for (what, bytes) in [
        (
            "two lengths",
            format!("POST /v1/status HTTP/1.1\r\n{host}\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n{inner}"),
        ),
        ("a length that is none", format!("POST /v1/status HTTP/1.1\r\n{host}\r\ncontent-length: +5\r\n\r\n{inner}")),
        (
            "a coding that is none",
            format!("POST /v1/status HTTP/1.1\r\n{host}\r\ntransfer-encoding: xchunked\r\n\r\n{inner}"),
        ),
        (
            "chunks that are not the last coding",
            format!("POST /v1/status HTTP/1.1\r\n{host}\r\ntransfer-encoding: chunked, x\r\n\r\n{inner}"),
        ),
        ("a space before the colon", format!("GET /v1/status HTTP/1.1\r\n{host}\r\ncontent-length : 5\r\n\r\n{inner}")),
        ("two hosts", format!("GET /v1/status HTTP/1.1\r\n{host}\r\nhost: localhost\r\nconnection: close\r\n\r\n")),
        ("a folded line", format!("GET /v1/status HTTP/1.1\r\n{host}\r\nx: a\r\n b\r\n\r\n{inner}")),
        ("a null in a header", format!("GET /v1/status HTTP/1.1\r\n{host}\r\nx: a\0b\r\n\r\n{inner}")),
        (
            "a carriage return alone",
            format!("GET /v1/status HTTP/1.1\r\n{host}\r\nx: a\rcontent-length: 5\r\n\r\n{inner}"),
        ),
    ] {
        let found = statuses(&bytes);
        assert!(matches!(found[..], [400..=499] | []), "{what}: {found:?}");
    }
    // A length beside chunks: what comes behind the chunks is no answer to anybody else, for the connection ends.
    let both = format!(
        "POST /v1/status HTTP/1.1\r\n{host}\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
    );
    let found = statuses(&both);
    assert!(found.len() <= 1, "{found:?}");
    // Requests for a proxy, which this is not.
    for first in ["CONNECT evil.example:80", "GET http://evil.example/v1/status", "OPTIONS *"] {
        let found = answers(&format!("{first} HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"), false);
        assert!(matches!(found[..], [400..=499]), "{first}: {found:?}");
    }
    let many = format!("GET /healthz HTTP/1.1\r\n{host}\r\n{}\r\n", "a: b\r\n".repeat(300));
    assert_eq!(answers(&many, false), [431]);
    assert_eq!(serving.get("/healthz").status, 200);
}

#[test]
fn odd_paths_and_cursors_are_the_askers_fault() {
    let serving = Serving::sealed("--rate 50", 1);
    let nines = "9".repeat(1_500);
    for path in [
        "/v1/accounts/%00",
        "/v1/accounts/%e2%80%ae",
        "/v1/accounts/%c0%80",
        &format!("/v1/accounts/{nines}"),
        &format!("/v1/accounts/a?cursor={nines}.0"),
        "/v1/accounts/a?cursor=1.99999999999",
        "/v1/accounts/a?cursor=-1.-1",
        "/v1/accounts?limit=-1",
        &format!("/v1/accounts?limit={nines}"),
        &format!("/v1/blocks?cursor={nines}"),
        "/v1/blocks?cursor=%00",
        &format!("/v1/blocks/{nines}"),
        "/v1/blocks/..%2f..%2fetc%2fpasswd",
        &format!("/v1/transactions/0/{nines}"),
        "/v1/transactions/-1/0",
        "/v1/transactions/4294967296/0",
        &format!("/v1/events?after={nines}"),
        "/v1/search?q=%00%00",
        "/v1/search?q=",
        "//v1/status",
        "/explorer/..%2fCargo.toml",
    ] {
        let status = serving.get(path).status;
        assert!((400..500).contains(&status) || path.contains("search?q=%00"), "{path}: {status}");
    }
    // Behind any block there may be, and before all of them.
    assert_eq!(serving.json("/v1/accounts/alice?cursor=18446744073709551615.4294967295")["name"], "alice");
    assert_eq!(serving.json("/v1/accounts/alice?cursor=0.0")["transfers"], serde_json::json!([]));
    assert!(serving.json("/v1/blocks?cursor=18446744073709551615")["blocks"].as_array().unwrap().len() > 1);
    assert_eq!(serving.json("/v1/blocks?cursor=0")["next"], serde_json::Value::Null);
}

#[test]
fn one_who_asks_too_often_is_told_to_wait() {
    let serving = Serving::sealed("--rate 50", 1);
    let mut stream = serving.client.connect();
    let request = format!("GET /explorer/icon.svg HTTP/1.1\r\nhost: {}\r\n\r\n", serving.client.address);
    let last = request.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    let mut writer = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        (0..2_000).for_each(|_| writer.write_all(request.as_bytes()).unwrap());
        writer.write_all(last.as_bytes()).unwrap();
    });
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    sending.join().unwrap();
    let (fine, refused) = (text.matches("HTTP/1.1 200").count(), text.matches("HTTP/1.1 429").count());
    assert!(fine >= 100 && refused >= 100 && fine + refused == 2_001, "{fine} {refused}");
    assert!(text.contains("retry-after: 1"));
    serving.until("there are tokens again", |client| client.get("/explorer/icon.svg").status == 200);
}

#[test]
fn a_probe_is_answered_whoever_asks_too_often_from_the_same_address() {
    let serving = Serving::sealed("--rate 50", 1);
    let (client, stop) = (serving.client, std::sync::atomic::AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let goes_on = || !stop.load(std::sync::atomic::Ordering::Relaxed);
            (0..50_000).take_while(|_| goes_on()).for_each(|_| drop(client.get("/explorer/icon.svg")));
        });
        serving.until("it is too much", |client| client.get("/explorer/icon.svg").status == 429);
        let probes: Vec<u16> = (0..500).map(|at| client.get(["/healthz", "/readyz"][at % 2]).status).collect();
        assert!(probes.iter().all(|status| *status == 200), "{probes:?}");
        serving.until("it is too much all the same", |client| client.get("/explorer/icon.svg").status == 429);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn those_who_say_nothing_or_stop_reading_keep_nobody_else_waiting() {
    let serving = Serving::sealed("--rate 3000 --malicious none", 3);
    let silent: Vec<TcpStream> = (0..150).map(|_| serving.client.connect()).collect();
    // Half a request.
    let half: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = serving.client.connect();
            stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: ").unwrap();
            stream
        })
        .collect();
    // Whole blocks, again and again, and events, and never a look at what comes.
    let deaf: Vec<TcpStream> = (0..50)
        .map(|number| {
            let mut stream = serving.client.connect();
            let path = if number % 2 == 0 { "/v1/blocks/2" } else { "/v1/events?after=0" };
            let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", serving.client.address);
            stream.write_all(request.repeat(8).as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(serving.get("/healthz").status, 200);
    let before = serving.json("/v1/status")["last"]["height"].as_u64().unwrap();
    serving.until("it goes on", |client| client.json("/v1/status")["last"]["height"].as_u64() >= Some(before + 4));
    assert_eq!(serving.get("/").status, 200);
    drop((silent, half, deaf));
    assert_eq!(serving.end(), 0);
}

#[test]
fn where_all_connections_are_taken_one_more_gets_in_and_the_oldest_of_who_has_most_goes() {
    let serving = Serving::sealed("--rate 50", 1);
    let client = &serving.client;
    // More than there are, of two addresses; each keeps some.
    let mut greedy = connected_from(client, 2, 500);
    let mut other = connected_from(client, 3, 200);
    assert_eq!(greedy[0].read(&mut [0]).unwrap(), 0, "the oldest was let go");
    let mut probe = connected_from(client, 4, 1).remove(0);
    assert_eq!(status_on(&mut probe, client, "/healthz"), "200");
    let last = greedy.last_mut().unwrap();
    assert_eq!(status_on(last, client, "/healthz"), "200", "its newest are served");
    assert_eq!(status_on(&mut other[0], client, "/healthz"), "200", "who has few keeps its oldest");
    assert_eq!(serving.end(), 0);
}
