//! Punctuations: regular calls of a processor, by stream time or by the wall clock.

/// When to punctuate.
///
/// ```
/// # use topology::graph::Builder;
/// # use topology::log::Headers;
/// # use topology::processor::{self, Context, Processor, Punctuation, Record, Schedule};
/// # use topology::test_driver::TestDriver;
/// /// Says when event time has reached another minute.
/// struct Minutes;
///
/// impl Processor for Minutes {
/// #    type Key = [u8];
/// #    type Value = [u8];
/// #    type KeyOut = [u8];
/// #    type ValueOut = i64;
///     fn init(&mut self, context: &mut Context<'_, [u8], i64>) -> processor::Result {
///         context.schedule(Schedule::StreamTime { interval_ms: 60_000 });
///         Ok(())
///     }
///
///     fn punctuate(&mut self, due: Punctuation, context: &mut Context<'_, [u8], i64>) -> processor::Result {
///         let (timestamp_ms, minute) = (due.timestamp_ms, due.timestamp_ms / 60_000);
///         context.forward(Record::new(None, timestamp_ms, None, Some(minute)))
///     }
/// #    fn process(&mut self, _: &Record<'_, [u8], [u8]>, _: &mut Context<'_, [u8], i64>) -> processor::Result { Ok(()) }
/// }
/// # let builder = Builder::new();
/// # let words = builder.sub_topology("telling").source::<[u8], [u8]>("words");
/// # words.processor("tell").supply(|()| Minutes).sink("minutes");
/// # let mut driver = TestDriver::new(&builder.build()?, "app", 0)?;
/// # for timestamp_ms in [1_000, 59_000, 60_000, 61_000] {
/// #     driver.pipe("words", None, Some(b"word"), timestamp_ms)?;
/// # }
/// # driver.commit()?;
/// # assert_eq!(driver.read("minutes").len(), 1);
/// # Ok::<(), topology::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Each time stream time passes a multiple of this many ms; at most once for one record, however far it jumps.
    /// Driven by the input alone, so a replay punctuates at the same records.
    ///
    /// A punctuation falls behind the record that moves stream time past the multiple, and its timestamp is stream
    /// time then, not the multiple: with an interval of 10, records of 3, 12 and 47 have two, at 12 and at 47. Stream
    /// time begins at the first record, which passes nothing. It is committed beside the input's offset, so that a
    /// restart neither repeats nor leaves out a punctuation.
    StreamTime {
        /// Interval in ms, at least 1.
        interval_ms: i64,
    },
    /// About every this many ms of wall-clock time, whether input comes or not.
    WallClock {
        /// Interval in ms, at least 1.
        interval_ms: i64,
    },
}

/// Names a schedule of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PunctuationId(usize);

/// A punctuation that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Punctuation {
    /// Which schedule.
    pub id: PunctuationId,
    /// Stream time or wall-clock time, in ms, by the schedule's kind.
    pub timestamp_ms: i64,
}

/// The schedules of one task.
#[derive(Debug, Default)]
pub struct Schedules {
    all: Vec<Scheduled>,
    /// Nodes that do nothing where a punctuation is due.
    silent: Vec<usize>,
    /// What a node asked for that cannot be, until the call of it returns that did.
    mistake: Option<(usize, String)>,
}

#[derive(Debug)]
struct Scheduled {
    node: usize,
    /// `None` once it is cancelled. Its place stays: it is its id.
    schedule: Option<Schedule>,
    /// Wall clock only.
    due_ms: i64,
}

impl Schedules {
    pub(super) fn add(&mut self, node: usize, schedule: Schedule, now_ms: i64) -> PunctuationId {
        let due_ms = match schedule {
            Schedule::WallClock { interval_ms } => now_ms.saturating_add(interval_ms.max(1)),
            Schedule::StreamTime { .. } => 0,
        };
        if let Some(mistake) = self.mistake_of(node, schedule) {
            self.mistake.get_or_insert((node, mistake));
        }
        self.all.push(Scheduled { node, schedule: Some(schedule), due_ms });
        PunctuationId(self.all.len() - 1)
    }

    fn mistake_of(&self, node: usize, schedule: Schedule) -> Option<String> {
        let (Schedule::StreamTime { interval_ms } | Schedule::WallClock { interval_ms }) = schedule;
        if interval_ms < 1 {
            return Some(format!("schedules every {interval_ms} ms: 1 at least"));
        }
        self.silent
            .contains(&node)
            .then(|| "schedules but has no punctuate: give it one, or do not schedule".to_owned())
    }

    /// This node does nothing where a punctuation is due: that it schedules one is a mistake.
    pub(super) fn note_silent(&mut self, node: usize) {
        self.silent.push(node);
    }

    /// What is wrong with what this node scheduled since the last call. One of another node is that one's to tell.
    pub(super) fn take_mistake(&mut self, node: usize) -> Option<String> {
        self.mistake.take_if(|(of, _)| *of == node).map(|(_, mistake)| mistake)
    }

    /// Whether any is by stream time.
    pub fn any_by_stream_time(&self) -> bool {
        self.all.iter().any(|scheduled| matches!(scheduled.schedule, Some(Schedule::StreamTime { .. })))
    }

    /// Whether stream time would pass a punctuation by moving to `to_ms`, or begin: what comes behind its beginning may
    /// pass one.
    pub fn crosses(&self, from_ms: Option<i64>, to_ms: i64) -> bool {
        match from_ms {
            None => to_ms >= 0 && self.any_by_stream_time(),
            Some(from_ms) => to_ms > from_ms && self.all.iter().any(|scheduled| scheduled.crosses(from_ms, to_ms)),
        }
    }

    /// What is due because stream time moved, with the nodes.
    pub fn due_by_stream_time(&self, from_ms: Option<i64>, to_ms: Option<i64>) -> Vec<(usize, Punctuation)> {
        let (Some(from_ms), Some(to_ms)) = (from_ms, to_ms) else { return Vec::new() };
        self.due(|scheduled| scheduled.crosses(from_ms, to_ms), to_ms)
    }

    /// What is due by the wall clock, with the nodes; each is due again one interval from now.
    pub fn due_by_wall_clock(&mut self, now_ms: i64) -> Vec<(usize, Punctuation)> {
        let due = self.due(|scheduled| scheduled.again_ms(now_ms).is_some(), now_ms);
        for scheduled in &mut self.all {
            scheduled.due_ms = scheduled.again_ms(now_ms).unwrap_or(scheduled.due_ms);
        }
        due
    }

    /// When the next one is due by the wall clock, ms since 1970.
    pub fn next_wall_clock_ms(&self) -> Option<i64> {
        let wall_clock = |scheduled: &&Scheduled| matches!(scheduled.schedule, Some(Schedule::WallClock { .. }));
        self.all.iter().filter(wall_clock).map(|scheduled| scheduled.due_ms).min()
    }

    /// Ends a schedule of this node. Returns whether it went on.
    pub(super) fn cancel(&mut self, node: usize, id: PunctuationId) -> bool {
        let found = self.all.get_mut(id.0).filter(|scheduled| scheduled.node == node);
        found.is_some_and(|scheduled| scheduled.schedule.take().is_some())
    }

    /// Whether it still goes on: a punctuation may be due that one before it cancelled.
    pub(crate) fn goes_on(&self, id: PunctuationId) -> bool {
        self.all.get(id.0).is_some_and(|scheduled| scheduled.schedule.is_some())
    }

    fn due(&self, is_due: impl Fn(&Scheduled) -> bool, timestamp_ms: i64) -> Vec<(usize, Punctuation)> {
        let due = self.all.iter().enumerate().filter(|(_, scheduled)| is_due(scheduled));
        due.map(|(index, scheduled)| (scheduled.node, Punctuation { id: PunctuationId(index), timestamp_ms })).collect()
    }
}

impl Scheduled {
    fn crosses(&self, from_ms: i64, to_ms: i64) -> bool {
        let Some(Schedule::StreamTime { interval_ms }) = self.schedule else { return false };
        from_ms.div_euclid(interval_ms.max(1)) < to_ms.div_euclid(interval_ms.max(1))
    }

    /// If it is due by the wall clock: when it is due again.
    fn again_ms(&self, now_ms: i64) -> Option<i64> {
        let Some(Schedule::WallClock { interval_ms }) = self.schedule else { return None };
        let next_ms = now_ms.saturating_add(interval_ms.max(1));
        // Later than one interval from now: the clock was set back.
        (self.due_ms <= now_ms || self.due_ms > next_ms).then_some(next_ms)
    }
}
