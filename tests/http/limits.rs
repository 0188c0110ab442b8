//! What is too large, too much, too slow or from somewhere else costs nobody else anything.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::Serving;

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
fn one_who_asks_too_often_is_told_to_wait() {
    let serving = Serving::sealed("--rate 50", 1);
    let mut stream = serving.client.connect();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n\r\n", serving.client.address);
    let last = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", serving.client.address);
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
    serving.until("there are tokens again", |client| client.get("/healthz").status == 200);
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
    // One address alone does not get all connections there are: those above its quota are closed.
    let many: Vec<TcpStream> = (0..200).map(|_| serving.client.connect()).collect();
    let mut last = many.last().unwrap();
    assert_eq!(last.read(&mut [0]).unwrap(), 0);
    drop(many);
    serving.until("there is room again", |client| {
        let mut stream = client.connect();
        let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", client.address);
        let mut text = String::new();
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_to_string(&mut text).is_ok()
            && text.starts_with("HTTP/1.1 200")
    });
    let before = serving.json("/v1/status")["last"]["height"].as_u64().unwrap();
    serving.until("it goes on", |client| client.json("/v1/status")["last"]["height"].as_u64() >= Some(before + 4));
    assert_eq!(serving.get("/").status, 200);
    drop((silent, half, deaf));
    assert_eq!(serving.end(), 0);
}
