//! Views behind a schema registry: whatever that answers, and how rows are written.

use std::io::Write;
use std::net::TcpListener;

use crate::Cairn;
use crate::views::{VIEWS, seal, topics, values};
use crate::web::Request;

/// The URL of a server that answers each request with these bytes, and closes the connection.
fn answering(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A client that has seen enough closes early.
            let _ = Request::read(&stream).and_then(|_| stream.write_all(&answer));
        }
    });
    format!("http://me:secret@{address}")
}

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn whatever_a_registry_answers_no_view_begins_and_the_error_says_what_it_was() {
    let cairn = Cairn::new();
    seal(&cairn, 1);
    let garbage = |status: &str, body: &[u8]| http(status, "", body);
    let away = "Location: http://elsewhere.example/subjects/blockchain-transfers-value/versions\r\n";
    let answers: [(Vec<u8>, &[&str]); 12] = [
        (
            garbage("200 OK", b"<html>a page</html>"),
            &["did not register subject 'blockchain-transfers-value'", "status 200"],
        ),
        (garbage("200 OK", br#"{"id":-1}"#), &["did not register"]),
        (garbage("200 OK", br#"{"id":4294967296}"#), &["did not register"]),
        (garbage("200 OK", &[0xff; 64]), &["did not register"]),
        (garbage("200 OK", &vec![b' '; 1 << 21]), &["more than 1048576 bytes", "Is it one?"]),
        (garbage("500 Internal Server Error", br#"{"id":1}"#), &["status 500"]),
        (garbage("401 Unauthorized", br#"{"error_code":401,"message":"who \u001b[2J are you?"}"#), &["401", "who"]),
        (
            garbage("409 Conflict", br#"{"error_code":409,"message":"other fields"}"#),
            &["refuses the schema", "other fields"],
        ),
        (http("301 Moved Permanently", away, b""), &["redirects to http://elsewhere.example:"]),
        (http("307 Temporary Redirect", away, b""), &["redirects to http://elsewhere.example:"]),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), &["cannot reach the schema registry"]),
        (garbage("200 OK", br#"{"id":7}"#)[..60].to_vec(), &["cannot reach the schema registry"]),
    ];
    for (answer, parts) in answers {
        let url = answering(answer);
        let refused = cairn.run_with(&format!("{VIEWS} --until-end"), &[("CAIRN_SCHEMA_REGISTRY", &url)]);
        assert!(!refused.stderr.contains("secret") && !refused.stderr.contains('\u{1b}'), "{}", refused.stderr);
        refused.refused(1, parts);
    }
    assert_eq!(topics(&cairn), [false; 3]);
}

#[test]
fn avro_is_behind_a_registry_or_nowhere_and_rows_stay_as_they_began() {
    let cairn = Cairn::new();
    seal(&cairn, 4);
    cairn.run(&format!("{VIEWS} --until-end --format avro")).refused(2, &["--format avro needs --schema-registry"]);
    let registry = answering(http("200 OK", "", br#"{"id":7,"version":1,"guid":"x"}"#));
    let with = [("CAIRN_SCHEMA_REGISTRY", &*registry)];
    cairn.run_with(&format!("{VIEWS} --until-end --format avro"), &with).done();
    let transfers = values(&cairn, "blockchain-transfers");
    assert!(transfers.iter().all(|value| value.starts_with(&[0, 0, 0, 0, 7])), "{transfers:?}");
    seal(&cairn, 2);
    cairn.run(&format!("{VIEWS} --until-end")).refused(1, &["Avro", "--schema-registry and --format avro"]);
    cairn.run_with(&format!("{VIEWS} --until-end"), &with).refused(1, &["--format avro"]);
    cairn.run_with(&format!("{VIEWS} --until-end"), &[with[0], ("CAIRN_VIEWS_FORMAT", "avro")]).done();
    let grown = values(&cairn, "blockchain-transfers");
    assert_eq!((&grown[..transfers.len()], grown.len() > transfers.len()), (&transfers[..], true));
}
