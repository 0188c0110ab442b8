//! A page in a window of its own, with storage of its own: what it shows, what is typed and pressed, what it complains
//! of.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::chromium::{Chromium, Events, locked};

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(30);
/// As far as a screenshot looks down.
const SHOT_HEIGHT_MAX: u64 = 4_000;

pub(crate) struct Page {
    chromium: &'static Chromium,
    context: String,
    session: String,
    /// `http://127.0.0.1:PORT`
    pub(crate) origin: String,
    events: Events,
}

impl Page {
    /// An empty page, for the server at this address.
    pub(crate) fn new(chromium: &'static Chromium, origin: &str) -> Self {
        let ask = |method: &str, parameters: Value, field: &str| -> String {
            chromium.call(None, method, parameters).unwrap()[field].as_str().unwrap().to_owned()
        };
        let context = ask("Target.createBrowserContext", json!({}), "browserContextId");
        let target = json!({ "url": "about:blank", "browserContextId": context, "newWindow": true });
        let target = ask("Target.createTarget", target, "targetId");
        let session = ask("Target.attachToTarget", json!({ "targetId": target, "flatten": true }), "sessionId");
        let events = chromium.events(&session);
        let page = Self { chromium, context, session, origin: origin.trim_end_matches('/').to_owned(), events };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.call(&format!("{domain}.enable"), json!({}));
        }
        // Each page believes that it is the one in front.
        page.call("Emulation.setFocusEmulationEnabled", json!({ "enabled": true }));
        page.looked_at(1_600, "light");
        page
    }

    pub(crate) fn call(&self, method: &str, parameters: Value) -> Value {
        self.chromium.call(Some(&self.session), method, parameters).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Goes to a path and waits until the room is shown.
    pub(crate) fn open(&self, path: &str) {
        let answer = self.call("Page.navigate", json!({ "url": format!("{}{path}", self.origin) }));
        assert!(answer["errorText"].is_null(), "{path}: {answer}");
        self.until("the room is shown", SHOWN);
    }

    /// Waits until the room that the address names is shown, after a link or a search.
    pub(crate) fn until_at(&self, path: &str) {
        self.until(path, &format!("location.pathname + location.search === {} && {SHOWN}", json!(path)));
    }

    /// What an expression is worth on the page; a promise is waited for.
    #[track_caller]
    pub(crate) fn eval(&self, expression: &str) -> Value {
        self.try_eval(expression).unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    fn try_eval(&self, expression: &str) -> Result<Value, String> {
        let parameters = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let answer = self.chromium.call(Some(&self.session), "Runtime.evaluate", parameters)?;
        match &answer["exceptionDetails"] {
            Value::Null => Ok(answer["result"]["value"].clone()),
            details => Err(details["exception"]["description"].as_str().unwrap_or("an exception").to_owned()),
        }
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, expression: &str) {
        let start = Instant::now();
        // A page that is on its way to another one has nothing to say for a moment.
        while self.try_eval(&format!("Boolean({expression})")) != Ok(true.into()) {
            let shown = || self.try_eval("`${location.href}\n${document.body.innerText.slice(0, 2000)}`");
            assert!(
                start.elapsed() < PATIENCE,
                "never: {what}\n{}\n{:?}",
                shown().unwrap_or_default(),
                self.complaints()
            );
            std::thread::sleep(PAUSE);
        }
    }

    /// The text of the first element that a selector finds.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let found = self.eval(&format!("document.querySelector({})?.innerText ?? null", json!(selector)));
        found.as_str().unwrap_or_else(|| panic!("nothing is {selector}")).to_owned()
    }

    /// As wide as this, in these colours.
    pub(crate) fn looked_at(&self, width: u32, colours: &str) {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        // A row that is fading in has the contrast of no row.
        let features = [("prefers-color-scheme", colours), ("prefers-reduced-motion", "reduce")];
        let features = features.map(|(name, value)| json!({ "name": name, "value": value }));
        self.call("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// Presses a key.
    pub(crate) fn press(&self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            "Escape" => ("Escape", 27, ""),
            "Home" => ("Home", 36, ""),
            "ArrowLeft" => ("ArrowLeft", 37, ""),
            "ArrowRight" => ("ArrowRight", 39, ""),
            "/" => ("Slash", 191, "/"),
            other => panic!("what is the key {other}?"),
        };
        let mut event = json!({ "type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number });
        if !text.is_empty() {
            event["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        self.call("Input.dispatchKeyEvent", event);
    }

    /// Types a text where the focus is.
    pub(crate) fn write(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Moves the pointer to the middle of the first element that a selector finds.
    pub(crate) fn point_at(&self, selector: &str) -> (f64, f64) {
        let middle = self.eval(&format!(
            "(() => {{ const element = document.querySelector({}); element.scrollIntoView({{ block: 'center' }}); \
             const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        ));
        let (x, y) = (middle[0].as_f64().unwrap(), middle[1].as_f64().unwrap());
        self.pointer("mouseMoved", x, y);
        (x, y)
    }

    /// Clicks on it.
    pub(crate) fn click(&self, selector: &str) {
        let (x, y) = self.point_at(selector);
        self.pointer("mousePressed", x, y);
        self.pointer("mouseReleased", x, y);
    }

    pub(crate) fn pointer(&self, kind: &str, x: f64, y: f64) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// Writes what is shown, from top to bottom, into a PNG file.
    pub(crate) fn shoot(&self, file: &Path) {
        let size = self.eval("[innerWidth, document.documentElement.scrollHeight]");
        let height = size[1].as_u64().unwrap().clamp(900, SHOT_HEIGHT_MAX);
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": height, "scale": 1 });
        let shot = self.call("Page.captureScreenshot", json!({ "captureBeyondViewport": true, "clip": clip }));
        std::fs::write(file, BASE64_STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// Everything that was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        let events = locked(&self.events);
        let sent = events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        sent.map(|event| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What went wrong so far: errors and warnings of the console, exceptions, a crash, a request to somebody else.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let own = format!("{}/", self.origin);
        let elsewhere = self.asked().into_iter().filter(|url| !url.starts_with(&own) && url != "about:blank");
        let mut found: Vec<String> = elsewhere.map(|url| format!("asked for {url}")).collect();
        for event in locked(&self.events).iter() {
            let parameters = &event["params"];
            let (said, is_bad) = match event["method"].as_str().unwrap_or_default() {
                "Runtime.consoleAPICalled" => (&parameters["args"], is_bad(&parameters["type"])),
                "Log.entryAdded" => (&parameters["entry"], is_bad(&parameters["entry"]["level"])),
                "Runtime.exceptionThrown" => (&parameters["exceptionDetails"], true),
                "Inspector.targetCrashed" | "Network.webSocketCreated" => (event, true),
                _ => continue,
            };
            found.extend(is_bad.then(|| said.to_string()));
        }
        found
    }

    /// It has asked its server for its files and its data, no other for anything, and complains of nothing.
    #[track_caller]
    pub(crate) fn assert_content(&self) {
        let asked = self.asked();
        for path in ["/explorer/app.js", "/explorer/style.css", "/v1/status", "/v1/events"] {
            let url = format!("{}{path}", self.origin);
            assert!(asked.iter().any(|one| one.starts_with(&url)), "{path} was never asked for: {asked:?}");
        }
        assert_eq!(self.complaints(), Vec::<String>::new());
    }
}

/// A room is shown: not its skeleton, and the frame knows the chain.
const SHOWN: &str = "document.readyState === 'complete' && document.querySelector('#main h1') !== null \
    && document.querySelector('#chain bdi') !== null \
    && document.querySelector('#main .loading, #main .figures:empty, #main .blocks:empty') === null";

fn is_bad(level: &Value) -> bool {
    matches!(level.as_str(), Some("error" | "warning" | "assert"))
}

impl Drop for Page {
    fn drop(&mut self) {
        // Where Chromium is gone, the page is, too.
        let _ = self.chromium.call(None, "Target.disposeBrowserContext", json!({ "browserContextId": self.context }));
    }
}
