//! What Linux knows of processes: CPU time and memory, read from `/proc`.
//!
//! Times come in ticks of 10 ms, so a difference of two is right to 20 ms.

use std::time::Instant;

/// The kernel's `USER_HZ`, the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

#[allow(clippy::disallowed_methods, reason = "a measurement is about real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// User and system time of all threads of a process, those that have ended too, s. Of one that has ended and was not waited
/// for as well; `None` for one that is not there.
pub(crate) fn cpu_s(pid: u32) -> Option<f64> {
    process_cpu_s(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// What all processors did for all processes, and what the host of a virtual machine took away, s.
pub(crate) fn machine_cpu_s() -> Option<f64> {
    busy_cpu_s(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// The most memory that was resident at once, since the start of the process, MiB. `None` for one that has ended.
pub(crate) fn resident_max_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

/// `pid (name) state ...`: the times are the twelfth and thirteenth field behind the name, which may hold anything.
fn process_cpu_s(stat: &str) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// `cpu user nice system idle iowait irq softirq steal ...`, without idle and iowait.
fn busy_cpu_s(stat: &str) -> Option<f64> {
    let fields: Vec<f64> =
        stat.lines().next()?.split_whitespace().skip(1).map_while(|field| field.parse().ok()).collect();
    let [user, nice, system, _, _, irq, softirq, steal, ..] = fields[..] else { return None };
    Some((user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_are_found_behind_a_name_with_blanks_and_brackets() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 1 0 5 6 7";
        assert_eq!(process_cpu_s(stat), Some(3.0));
        assert_eq!(process_cpu_s("7 (a) S 1"), None);
    }

    #[test]
    fn idle_processors_are_not_busy_and_stolen_time_is_not_ours() {
        assert_eq!(busy_cpu_s("cpu  100 10 50 9999 9999 20 10 10 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"), Some(2.0));
        assert_eq!(busy_cpu_s("cpu 1 2 3\n"), None);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        let begun = now();
        while cpu_s(std::process::id()).unwrap() == 0.0 {
            assert!(begun.elapsed().as_secs() < 60, "no tick of CPU time in a minute of work");
        }
        assert!(resident_max_mib(std::process::id()).unwrap() > 0.5);
        assert!(machine_cpu_s().unwrap() > 0.0);
    }
}
