//! What happened, a line for each event.

use std::cell::RefCell;
use std::fmt::{self, Write};

use tracing::field::{Field, Visit};
use tracing::span;

use super::stage::{self, Who};

/// The lines, if anybody wants them.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: Option<RefCell<Vec<String>>>,
    /// Who plays now.
    on_stage: RefCell<Vec<Who>>,
}

impl Trace {
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { lines: is_wanted.then(RefCell::default), on_stage: RefCell::default() }
    }

    pub(super) fn note(&self, now_ms: i64, who: Option<Who>, what: impl FnOnce() -> String) {
        let Some(lines) = &self.lines else { return };
        let who = match who {
            Some(Who { instance, life, thread: 0 }) => format!("{instance}.{life} beside"),
            Some(Who { instance, life, thread: 1 }) => format!("{instance}.{life}"),
            Some(Who { instance, life, thread }) => format!("{instance}.{life} thread {thread}"),
            None => "-".to_owned(),
        };
        lines.borrow_mut().push(format!("{now_ms:>7} ms  {who:<14}  {}", what()));
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

    fn said(&self, now_ms: i64, text: String) {
        let who = self.on_stage.borrow().last().copied();
        self.note(now_ms, who, || text);
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
        let Said { message, fields } = said;
        stage::with(|stage| stage.trace.said(stage.now_ms(), format!("{message}{fields}")));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Said {
    message: String,
    fields: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string never fails.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, "  {name}={value:?}"),
        };
    }
}
