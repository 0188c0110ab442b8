//! A headless Chromium, told what to do by the DevTools protocol over two pipes: no port that another could take, and
//! it ends with the process that holds the pipes, however that one ends.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

/// Nothing that is asked of it takes so long, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Its home is its profile, new and gone with it. Its pipes are 3 and 4, which Rust's standard library cannot hand
/// over.
const SCRIPT: &str = r#"
trap '' INT
HOME=$(mktemp -d) || exit
export HOME
exec 3<&0 4>&1 </dev/null >&2
"$0" --user-data-dir="$HOME" "$@" about:blank
rm -rf "$HOME"
"#;

/// Nothing of its own asks anything of anybody: of the whole network it knows 127.0.0.1 alone. A page that is not in
/// front is drawn like one that is.
const OPTIONS: &[&str] = &[
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--lang=en-US",
];

/// What the page's session was told of.
pub(crate) type Events = Arc<Mutex<Vec<Value>>>;

pub(crate) struct Chromium {
    orders: Mutex<ChildStdin>,
    shared: Arc<Mutex<Shared>>,
    // It ends when `orders` is closed, by the kernel where nothing else does it.
    _child: Child,
}

#[derive(Default)]
struct Shared {
    last_id: u64,
    /// Who waits for which answer.
    waiting: HashMap<u64, Sender<Value>>,
    events: HashMap<String, Events>,
    /// What it said last, once it is gone.
    last_words: Option<String>,
}

impl Chromium {
    /// The one that all tests share; `None` where there is none and none can be installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Chromium>> = OnceLock::new();
        SHARED.get_or_init(|| program().map(|program| Self::start(&program))).as_ref()
    }

    fn start(program: &str) -> Self {
        let mut said = tempfile::tempfile().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, program]).args(OPTIONS).env("TZ", "Europe/Zurich");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said.try_clone().unwrap()).process_group(0);
        let mut child = command.spawn().unwrap();
        let orders = Mutex::new(child.stdin.take().unwrap());
        let shared = Arc::new(Mutex::new(Shared::default()));
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let of_reader = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while matches!(answers.read_until(0, &mut bytes), Ok(1..)) {
                let message = serde_json::from_slice(bytes.strip_suffix(&[0]).unwrap_or(&bytes));
                message.into_iter().for_each(|message| locked(&of_reader).take(message));
                bytes.clear();
            }
            let mut text = String::new();
            let _ = said.rewind().and_then(|()| said.read_to_string(&mut text));
            let mut shared = locked(&of_reader);
            shared.last_words = Some(text);
            // Those who wait are told by the end of their channels.
            shared.waiting.clear();
        });
        Self { orders, shared, _child: child }
    }

    /// Asks for something, of a session or of the browser, and waits for the answer.
    pub(crate) fn call(&self, session: Option<&str>, method: &str, parameters: Value) -> Result<Value, String> {
        let (sender, receiver) = channel();
        let id = {
            let mut shared = locked(&self.shared);
            shared.last_id += 1;
            let id = shared.last_id;
            shared.waiting.insert(id, sender);
            id
        };
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let written =
            self.orders.lock().unwrap_or_else(PoisonError::into_inner).write_all(format!("{message}\0").as_bytes());
        let answer = written.ok().and_then(|()| receiver.recv_timeout(PATIENCE).ok()).ok_or_else(|| {
            let last_words = locked(&self.shared).last_words.clone();
            format!("{method}: no answer from Chromium; it said last:\n{}", last_words.unwrap_or_default())
        })?;
        match &answer["error"] {
            Value::Null => Ok(answer["result"].clone()),
            error => Err(format!("{method}: {error}")),
        }
    }

    /// What a session is told of, from its beginning on.
    pub(crate) fn events(&self, session: &str) -> Events {
        Arc::clone(locked(&self.shared).events.entry(session.to_owned()).or_default())
    }
}

impl Shared {
    fn take(&mut self, message: Value) {
        if let Some(id) = message["id"].as_u64() {
            // One who no longer waits has failed already.
            let _ = self.waiting.remove(&id).map(|sender| sender.send(message));
        } else if let Some(session) = message["sessionId"].as_str() {
            locked(self.events.entry(session.to_owned()).or_default()).push(message);
        }
    }
}

/// What a test that failed left behind is as good as before.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where it is; `None`, with a line that says so, where it cannot be had.
fn program() -> Option<String> {
    let is_there = |name: &str| {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&paths).any(|path| path.join(name).is_file())
    };
    if let Some(name) = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| is_there(name)) {
        return Some(name.to_owned());
    }
    let must_be = is_there("apt-get") || std::env::var_os("CI").is_some();
    assert!(!must_be, "there is no chromium; scripts/install installs it");
    eprintln!("SKIPPED: there is no chromium here, and no apt-get to install it with");
    None
}
