//! CPU time of this process's threads, from /proc.

use std::collections::BTreeMap;
use std::fs;

/// By thread, its name and how long it has run, s.
pub(crate) struct CpuTimes(BTreeMap<String, (String, f64)>);

impl CpuTimes {
    pub(crate) fn now() -> Self {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let of = |entry: fs::DirEntry| {
            let read = |file: &str| fs::read_to_string(entry.path().join(file)).ok();
            let name = read("comm")?.trim().to_owned();
            // Nanoseconds on a processor, nanoseconds in line for one, turns.
            let nanoseconds: f64 = read("schedstat")?.split_whitespace().next()?.parse().ok()?;
            Some((entry.file_name().to_string_lossy().into_owned(), (name, nanoseconds / 1e9)))
        };
        Self(threads.filter_map(of).collect())
    }

    /// What was used since then, by the threads that are there now.
    pub(crate) fn since(self, before: &Self) -> Self {
        let used = self.0.into_iter().map(|(id, (name, seconds))| {
            let earlier = before.0.get(&id).map_or(0.0, |(_, seconds)| *seconds);
            (id, (name, seconds - earlier))
        });
        Self(used.collect())
    }

    /// Of the threads whose names begin so, together, s.
    pub(crate) fn of(&self, name: &str) -> f64 {
        self.0.values().filter(|(own, _)| own.starts_with(name)).map(|(_, seconds)| seconds).sum()
    }
}
