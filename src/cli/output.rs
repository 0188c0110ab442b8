//! Tables, colours, lines of JSON on stdout, and what is told on stderr.

use std::io::{IsTerminal, Write};

use super::terminal;

/// Below it, a rate says more of the machine's mood than of what was done.
const RATE_TIME_MIN_MS: u64 = 1_000;

/// Whether something is to be done if it is asked for, is about to be done, or was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tense {
    Would,
    Will,
    Done,
}

impl Tense {
    /// A verb in it.
    pub(crate) fn of(self, infinitive: &str, past: &str) -> String {
        match self {
            Self::Would => format!("would {infinitive}"),
            Self::Will => format!("will {infinitive}"),
            Self::Done => past.to_owned(),
        }
    }
}

/// Colours, where they are wanted: on a terminal, unless `NO_COLOR` is set or the terminal is a dumb one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    enabled: bool,
}

impl Paint {
    /// The colours of a stream.
    pub(crate) fn of(stream: &impl IsTerminal) -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|terminal| terminal == "dumb");
        Self { enabled: stream.is_terminal() && set("NO_COLOR").is_none() && !dumb }
    }

    /// No colours.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { enabled: false }
    }

    /// Whether there are any.
    pub(crate) fn is_enabled(self) -> bool {
        self.enabled
    }

    /// Something went wrong, or somebody did wrong.
    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// All is well.
    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// Of less weight.
    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.enabled { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Stderr. Its reader may have gone away (`cairn run 2>&1 | tee log`, where Ctrl-C ends `tee` first), or its disk may
/// be full: what cannot be said there is dropped, for it must end no command and change no exit code.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stderr;

impl Stderr {
    /// Says a line, which may quote others.
    pub(crate) fn line(mut self, text: &str) {
        // Cannot fail; in one piece, so that lines of several threads do not mix.
        let _ = self.write_all(format!("{}\n", terminal::lines(text)).as_bytes());
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = std::io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Which side a column's texts keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of texts in aligned columns, two spaces apart.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these headings.
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; texts beyond the last column are dropped.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().take(self.columns.len());
        self.rows.push(cells.map(|cell| terminal::quoted(&cell).into_owned()).collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let headings: Vec<String> = self.columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
        let lines = || std::iter::once(&headings).chain(&self.rows);
        let width = |column: usize| lines().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| width(column).unwrap_or(0)).collect();
        for row in lines() {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.columns) {
                line += &match align {
                    Align::Left => format!("{cell:<width$}  "),
                    Align::Right => format!("{cell:>width$}  "),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 line`, `2,000 lines`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(number))
}

/// A time as log lines have it, in UTC.
pub(crate) fn utc(time_ms: i64) -> String {
    const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
    let (year, month, day) = date(time_ms.div_euclid(DAY_MS));
    let of_day_ms = time_ms.rem_euclid(DAY_MS);
    let (of_day_s, ms) = (of_day_ms / 1_000, of_day_ms % 1_000);
    let (hour, minute, second) = (of_day_s / 3_600, of_day_s / 60 % 60, of_day_s % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Year, month and day of the Gregorian calendar, so many days after the first of 1970. Years are counted from March
/// on, so that the day that some of them have more is their last; all repeats after 400 of them.
fn date(days: i64) -> (i64, i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let days = days + 719_468;
    let (cycle, of_cycle) = (days.div_euclid(DAYS_OF_400_YEARS), days.rem_euclid(DAYS_OF_400_YEARS));
    let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let is_of_next_year = i64::from(month >= 10);
    (cycle * 400 + year + is_of_next_year, month + 3 - 12 * is_of_next_year, day)
}

/// How many there were per second; `None` where the time was too short to say.
pub(crate) fn per_second(count: u64, took_ms: i64) -> Option<u64> {
    let took_ms = u64::try_from(took_ms).ok().filter(|took_ms| *took_ms >= RATE_TIME_MIN_MS)?;
    Some(u64::try_from(u128::from(count) * 1_000 / u128::from(took_ms)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let mut table = Table::new(&[("name", Align::Left), ("balance", Align::Right)]);
        table.row(["alice".to_owned(), "7".to_owned()]);
        table.row(["Jürgen".to_owned(), "-1,000".to_owned()]);
        assert_eq!(table.to_string(), "name    balance\nalice         7\nJürgen   -1,000\n");
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0_i64, "0"), (999, "999"), (1_000, "1,000"), (-1_234_567, "-1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(grouped(i64::MIN), "-9,223,372,036,854,775,808");
    }

    #[test]
    fn a_time_is_told_by_the_calendar() {
        for (time_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_764_417_600_123, "2025-11-29T12:00:00.123Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (i64::MIN, "-292275055-05-16T16:47:04.192Z"),
            (i64::MAX, "292278994-08-17T07:12:55.807Z"),
        ] {
            assert_eq!(utc(time_ms), text);
        }
    }

    #[test]
    fn one_is_singular_and_a_rate_needs_time() {
        assert_eq!([0, 1, 2_000].map(|n| counted(n, "line")), ["0 lines", "1 line", "2,000 lines"]);
        assert_eq!([999, 1_000, 2_000].map(|ms| per_second(5_000, ms)), [None, Some(5_000), Some(2_500)]);
    }

    #[test]
    fn without_a_terminal_there_is_no_colour() {
        assert_eq!(Paint::none().red("x"), "x");
        assert!(!Paint::of(&tempfile::tempfile().unwrap()).is_enabled());
    }
}
