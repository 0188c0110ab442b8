//! A schema registry in memory, as far as its HTTP contract is needed: schemas are registered under subjects, known by numbers, and
//! read back.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

pub(crate) struct Registry {
    pub(crate) url: String,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    /// By their numbers, from 1.
    schemas: Vec<String>,
    subjects: BTreeMap<String, Vec<u64>>,
    /// Refuses all that is not there already.
    refuses: bool,
    /// What came with the last request that registers.
    authorization: Option<String>,
}

impl Registry {
    /// Serves until the process ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let held = Arc::<Mutex<Held>>::default();
        let shared = Arc::clone(&held);
        std::thread::spawn(move || {
            // One that closes early has what it wanted.
            listener.incoming().for_each(|stream| drop(serve(stream.unwrap(), &shared)));
        });
        Self { url, held }
    }

    pub(crate) fn refuse(&self) {
        self.held.lock().unwrap().refuses = true;
    }

    /// The numbers of a subject's schemas, in the order of its versions.
    pub(crate) fn versions(&self, subject: &str) -> Vec<u64> {
        self.held.lock().unwrap().subjects.get(subject).cloned().unwrap_or_default()
    }

    pub(crate) fn schema(&self, id: u64) -> String {
        self.held.lock().unwrap().schemas[id as usize - 1].clone()
    }

    pub(crate) fn authorization(&self) -> Option<String> {
        self.held.lock().unwrap().authorization.clone()
    }
}

/// One request, and then the connection is closed.
fn serve(mut stream: TcpStream, held: &Mutex<Held>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let (mut size_bytes, mut authorization) = (0, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => size_bytes = value.parse().unwrap(),
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => authorization = Some(value.to_owned()),
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; size_bytes];
    reader.read_exact(&mut body)?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let mut held = held.lock().unwrap();
    let (status, answer) = match (method, &parts[..]) {
        ("POST", ["subjects", subject, "versions"]) => {
            held.authorization = authorization;
            register(&mut held, subject, &serde_json::from_slice(&body).unwrap())
        }
        ("GET", ["schemas", "ids", id]) => match held.schemas.get(id.parse::<usize>().unwrap() - 1) {
            Some(schema) => ("200 OK", json!({ "schema": schema, "schemaType": "JSON" })),
            None => ("404 Not Found", json!({ "error_code": 40403, "message": "Schema not found" })),
        },
        _ => ("404 Not Found", json!({ "error_code": 404, "message": "HTTP 404 Not Found" })),
    };
    let text = answer.to_string();
    let kind = "application/vnd.schemaregistry.v1+json";
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn register(held: &mut Held, subject: &str, request: &Value) -> (&'static str, Value) {
    assert_eq!(request["schemaType"], "JSON");
    let schema = request["schema"].as_str().unwrap().to_owned();
    let known = held.schemas.iter().position(|known| *known == schema);
    if known.is_none() && held.refuses {
        let message = "Schema being registered is incompatible with an earlier schema";
        return ("409 Conflict", json!({ "error_code": 409, "message": message }));
    }
    let place = known.unwrap_or_else(|| {
        held.schemas.push(schema);
        held.schemas.len() - 1
    });
    let id = place as u64 + 1;
    let versions = held.subjects.entry(subject.to_owned()).or_default();
    if !versions.contains(&id) {
        versions.push(id);
    }
    ("200 OK", json!({ "id": id }))
}
