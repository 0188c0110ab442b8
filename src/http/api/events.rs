//! Each sealed block as it comes: server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::stream;
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::super::context::{Context, told};
use super::super::index::{BlockSummary, Offence};
use super::super::problem::{PROBLEM, Problem, Result};
use super::super::quota::Counted;
use super::asked::{Caller, FromQuery};

/// A sign of life, where nothing is sealed.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// The most blocks that a listener who comes back is told of.
const REPLAY_MAX: usize = 200;

#[derive(Deserialize)]
pub(super) struct Since {
    after: Option<u64>,
}

/// Sealed blocks, as they come (server-sent events)
///
/// Event `block` has a block in a few words (schema BlockSummary), with its height as id; `slash` an offence (schema
/// Offence) that it punishes. Who comes back with `Last-Event-ID` is told of the blocks since then, 200 at most; where
/// there were more, an event `gap` comes first.
#[utoipa::path(
    get,
    path = "/v1/events",
    params(
        ("Last-Event-ID" = Option<u64>, Header, description = "The height of the last block that was heard of"),
        ("after" = Option<u64>, Query, description = "The same, for those who cannot set a header"),
    ),
    responses(
        (status = 200, description = "A stream that ends with the server", body = String, content_type = "text/event-stream"),
        (status = 400, description = "No height", body = Problem, content_type = PROBLEM),
        (status = 503, description = "As many as there can be are listening", body = Problem, content_type = PROBLEM),
    )
)]
pub(super) async fn events(
    State(context): State<Arc<Context>>,
    Caller(peer): Caller,
    headers: HeaderMap,
    FromQuery(since): FromQuery<Since>,
) -> Result<Response> {
    let counted = context.streams.take(peer, 1);
    let counted =
        counted.ok_or_else(|| Problem::unavailable("as many are listening as can, or as can of your address"))?;
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse::<u64>().ok());
    let last = last.or(since.after);
    let listening = Listening::begin(&context, counted, last);
    Ok(Sse::new(listening.stream()).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// Somebody who listens.
struct Listening {
    context: Arc<Context>,
    blocks: broadcast::Receiver<Arc<BlockSummary>>,
    ending: watch::Receiver<bool>,
    /// The last block that was told.
    told: Option<u64>,
    waiting: VecDeque<Event>,
    _counted: Counted,
}

impl Listening {
    fn begin(context: &Arc<Context>, counted: Counted, last: Option<u64>) -> Self {
        // In this order: a block that comes in between is heard of twice, not never.
        let blocks = context.feed.events();
        let mut listening = Self {
            context: Arc::clone(context),
            blocks,
            ending: context.ending.clone(),
            told: None,
            waiting: VecDeque::new(),
            _counted: counted,
        };
        let Some(last) = last else { return listening };
        let missed: Vec<Arc<BlockSummary>> = {
            let index = context.feed.index();
            let behind = index.behind(last);
            let skipped = behind.len().saturating_sub(REPLAY_MAX);
            behind.skip(skipped).map(Arc::clone).collect()
        };
        let is_whole = missed.first().is_none_or(|first| Some(first.height) == last.checked_add(1));
        if !is_whole {
            listening.waiting.push_back(Event::default().event("gap").data("{}"));
        }
        missed.iter().for_each(|block| listening.tell(block));
        listening
    }

    fn tell(&mut self, block: &BlockSummary) {
        if self.told.is_some_and(|told| block.height <= told) {
            return;
        }
        self.told = Some(block.height);
        let event =
            |name: &str, data: serde_json::Result<String>| Event::default().event(name).data(data.unwrap_or_default());
        self.waiting.push_back(event("block", serde_json::to_string(block)).id(block.height.to_string()));
        if !block.slashed.is_empty() {
            let offences: Vec<Offence> = self
                .context
                .feed
                .index()
                .offences()
                .filter(|offence| offence.height == block.height)
                .cloned()
                .collect();
            self.waiting.extend(offences.iter().map(|offence| event("slash", serde_json::to_string(offence))));
        }
    }

    /// The next event; `None` where the stream ends: with the server, or because the listener is too far behind. A
    /// browser comes back then, and says what it heard of last.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let heard = tokio::select! {
                heard = self.blocks.recv() => heard,
                () = told(&mut self.ending) => return None,
            };
            match heard {
                Ok(block) => self.tell(&block),
                Err(RecvError::Lagged(_) | RecvError::Closed) => return None,
            }
        }
    }

    fn stream(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut listening| async move {
            let event = listening.next().await?;
            Some((Ok(event), listening))
        })
    }
}
