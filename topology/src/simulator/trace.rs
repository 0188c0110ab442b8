//! What happened, a line for each event.

use std::cell::RefCell;
use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::{Level, span};

use super::stage::{self, Who};

/// The lines, if anybody wants them.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: Option<RefCell<Vec<String>>>,
    /// Who plays now.
    on_stage: RefCell<Vec<Who>>,
    /// The last panic or error that was told.
    complaint: RefCell<Option<Complaint>>,
}

/// What may be why something does not go on.
#[derive(Debug)]
struct Complaint {
    line: String,
    /// It stays the last one beside those that weigh less.
    is_grave: bool,
}

impl Trace {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { lines: is_wanted.then(RefCell::default), ..Self::default() }
    }

    pub(super) fn note(&self, now_ms: i64, who: Option<Who>, what: impl FnOnce() -> String) {
        let Some(lines) = &self.lines else { return };
        let who = name(who);
        lines.borrow_mut().push(format!("{now_ms:>7} ms  {who:<14}  {}", what()));
    }

    /// Notes an error that keeps somebody from going on.
    pub(super) fn complain(&self, now_ms: i64, who: Option<Who>, is_grave: bool, what: &str) {
        self.note(now_ms, who, || what.to_owned());
        let mut last = self.complaint.borrow_mut();
        if self.lines.is_some() && (is_grave || last.as_ref().is_none_or(|last| !last.is_grave)) {
            let line = format!("at {now_ms} ms {} said: {what}", name(who));
            *last = Some(Complaint { line, is_grave });
        }
    }

    /// What was said before was of faults: whatever is said from now on weighs more.
    pub(super) fn excuse(&self) {
        self.complaint.borrow_mut().iter_mut().for_each(|last| last.is_grave = false);
    }

    /// The last complaint, as the end of a sentence; nothing where there was none, or nobody listened.
    pub(super) fn complaint(&self) -> String {
        self.complaint.borrow().as_ref().map_or_else(String::new, |last| format!("; {}", last.line))
    }

    pub(super) fn into_lines(self) -> Vec<String> {
        self.lines.map(RefCell::into_inner).unwrap_or_default()
    }

    /// Acts, with what the engine says of it among the lines.
    pub(super) fn listen<T>(&self, act: impl FnOnce() -> T) -> T {
        match self.lines {
            Some(_) => tracing::subscriber::with_default(Listener, act),
            None => act(),
        }
    }

    pub(super) fn enter(&self, who: Who) {
        if self.lines.is_some() {
            self.on_stage.borrow_mut().push(who);
        }
    }

    pub(super) fn leave(&self) {
        self.on_stage.borrow_mut().pop();
    }

    fn said(&self, now_ms: i64, level: Level, said: Said) {
        let who = self.on_stage.borrow().last().copied();
        let Said { message, fields, has_error } = said;
        let text = format!("{message}{fields}");
        // A task that panics is an error, a thread that tries again warns of one.
        match level == Level::ERROR || has_error {
            true => self.complain(now_ms, who, level == Level::ERROR, &text),
            false => self.note(now_ms, who, || text),
        }
    }
}

/// Who it is in a line.
fn name(who: Option<Who>) -> String {
    match who {
        Some(Who { instance, life, thread: 0 }) => format!("{instance}.{life} beside"),
        Some(Who { instance, life, thread: 1 }) => format!("{instance}.{life}"),
        Some(Who { instance, life, thread }) => format!("{instance}.{life} thread {thread}"),
        None => "-".to_owned(),
    }
}

/// Takes what the engine says, of the actor that plays.
struct Listener;

impl tracing::Subscriber for Listener {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= tracing::Level::INFO
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        let level = *event.metadata().level();
        stage::with(|stage| stage.trace.said(stage.now_ms(), level, said));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Said {
    message: String,
    fields: String,
    /// One of the fields is an error.
    has_error: bool,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.has_error |= field.name() == "error";
        // Writing to a string never fails.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, "  {name}={value:?}"),
        };
    }
}
