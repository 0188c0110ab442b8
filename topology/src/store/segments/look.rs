//! A look at committed state that lasts for longer than a call.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use self_cell::self_cell;

use super::committed::Committed;
use super::segment::List;
use crate::store::backends::Snapshot;
use crate::store::budget::LiveView;
use crate::store::changelog::Meta;
use crate::store::error::Result;

/// What one commit made of all stores of a task: it stays as it is, whatever is committed since. It can be taken away
/// at any moment between two reads, so it keeps no stores open.
pub(in crate::store) struct Look {
    seen: ArcSwapOption<Seen>,
    _live: LiveView,
}

/// A list of segments, and what lies below it.
pub(in crate::store) struct Layers<'a> {
    pub(in crate::store) list: Arc<List>,
    pub(in crate::store) snapshot: Box<dyn Snapshot + 'a>,
}

impl Layers<'_> {
    /// Where a store stands.
    pub(in crate::store) fn meta(&self, store: usize) -> Result<Option<Meta>> {
        match self.list.meta(store) {
            Some(meta) => Ok(Some(meta)),
            None => self.snapshot.meta(store),
        }
    }
}

self_cell!(
    struct Seen {
        owner: Arc<Committed>,
        #[covariant]
        dependent: Layers,
    }
);

impl Look {
    pub(super) fn at(committed: Arc<Committed>) -> Result<Self> {
        let live = LiveView::new(Arc::clone(committed.gauges()));
        let seen = Seen::try_new(committed, |committed| committed.read())?;
        Ok(Self { seen: ArcSwapOption::from_pointee(seen), _live: live })
    }

    /// Reads of it; `None` if it was taken away. Files stay open meanwhile: so it should be short, and calls nothing of
    /// a user's.
    pub(in crate::store) fn read<R>(&self, read: impl FnOnce(&Layers<'_>) -> R) -> Option<R> {
        let seen = self.seen.load();
        seen.as_ref().map(|seen| seen.with_dependent(|_, layers| read(layers)))
    }

    /// Who reads of it just now lets it go when it has read.
    pub(super) fn take_away(&self) {
        self.seen.store(None);
    }
}
