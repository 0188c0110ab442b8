//! A schema registry in memory, as far as its HTTP contract is needed: schemas are registered under subjects, known by
//! numbers, and read back.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::web::Request;

pub(crate) struct Registry {
    pub(crate) url: String,
    held: Arc<Mutex<Held>>,
}

#[derive(Default)]
struct Held {
    /// By their numbers, from 1: type and text.
    schemas: Vec<(String, String)>,
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

    /// Type and text.
    pub(crate) fn schema(&self, id: u64) -> (String, String) {
        self.held.lock().unwrap().schemas[id as usize - 1].clone()
    }

    pub(crate) fn authorization(&self) -> Option<String> {
        self.held.lock().unwrap().authorization.clone()
    }
}

/// One request, and then the connection is closed.
fn serve(mut stream: TcpStream, held: &Mutex<Held>) -> std::io::Result<()> {
    let Request { first_line, authorization, body } = Request::read(&stream)?;
    let mut words = first_line.split_whitespace();
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
            Some((kind, schema)) => ("200 OK", json!({ "schema": schema, "schemaType": kind })),
            None => ("404 Not Found", json!({ "error_code": 40403, "message": "Schema not found" })),
        },
        ("GET", ["subjects", subject, "versions", "latest"]) => match held.subjects.get(*subject) {
            Some(versions) => {
                let id = versions.last().copied().unwrap_or_default();
                let (kind, schema) = &held.schemas[id as usize - 1];
                let version = versions.len();
                (
                    "200 OK",
                    json!({ "subject": subject, "version": version, "id": id, "schema": schema, "schemaType": kind }),
                )
            }
            None => ("404 Not Found", json!({ "error_code": 40401, "message": "Subject not found" })),
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
    let text = |key| request[key].as_str().unwrap().to_owned();
    let schema = (text("schemaType"), text("schema"));
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
