//! What Linux knows of processes: CPU time and memory, read from `/proc`; and how one is told to end.
//!
//! Times come in ticks of 10 ms, so a difference of two is right to 20 ms.

use std::process::Command;

/// The kernel's `USER_HZ`, the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all threads of a process, those that have ended too, s. Of one that has ended and was not
/// waited for as well; `None` for one that is not there.
pub fn cpu_s(pid: u32) -> Option<f64> {
    process_cpu_s(&read(pid, "stat")?)
}

/// User and system time of the calling thread, s.
pub fn thread_cpu_s() -> Option<f64> {
    process_cpu_s(&std::fs::read_to_string("/proc/thread-self/stat").ok()?)
}

/// What all processors did for all processes, and what the host of a virtual machine took away, s.
pub fn machine_cpu_s() -> Option<f64> {
    busy_cpu_s(&std::fs::read_to_string("/proc/stat").ok()?)
}

/// The most memory that was resident at once, since the start of the process, bytes. `None` for one that has ended.
pub fn resident_max_bytes(pid: u32) -> Option<u64> {
    kilobytes(&read(pid, "status")?, "VmHWM:").map(|kilobytes| kilobytes << 10)
}

/// The memory that is resident now, bytes. `None` for a process that has ended.
pub fn resident_bytes(pid: u32) -> Option<u64> {
    kilobytes(&read(pid, "status")?, "VmRSS:").map(|kilobytes| kilobytes << 10)
}

/// Whether a process has ended. One that nobody has waited for yet is still in the kernel's table.
pub fn has_ended(pid: u32) -> bool {
    let stat = read(pid, "stat").unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, behind_name)| behind_name.starts_with(['Z', 'X']))
}

/// Sends SIGTERM to a process: one that the caller has started and not waited for, or its number may be another's.
pub fn terminate(pid: u32) -> std::io::Result<()> {
    // The shell has its own: the program `kill` is not on every machine.
    let command = format!("kill -TERM {pid}");
    let status = Command::new("sh").args(["-c", &command]).status()?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("{command}: {status}"))) }
}

fn read(pid: u32, file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{pid}/{file}")).ok()
}

/// A line of a process's status, `VmRSS:   1234 kB`.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
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
    fn a_line_of_the_status_is_found_by_its_name() {
        let status = "Name:\tx\nVmHWM:\t  20 kB\nVmRSS:\t  10 kB\n";
        assert_eq!((kilobytes(status, "VmRSS:"), kilobytes(status, "VmSwap:")), (Some(10), None));
    }

    #[test]
    fn idle_processors_are_not_busy_and_stolen_time_is_not_ours() {
        assert_eq!(busy_cpu_s("cpu  100 10 50 9999 9999 20 10 10 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n"), Some(2.0));
        assert_eq!(busy_cpu_s("cpu 1 2 3\n"), None);
    }

    #[test]
    fn this_process_has_used_time_and_memory() {
        crate::until("a tick of CPU time", || cpu_s(std::process::id()).unwrap() > 0.0 && thread_cpu_s().is_some());
        assert!(resident_max_bytes(std::process::id()).unwrap() > 500_000);
        assert!(machine_cpu_s().unwrap() > 0.0);
    }

    #[test]
    fn a_process_that_is_told_to_end_has_ended_before_and_after_it_is_waited_for() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        assert!(!has_ended(child.id()));
        terminate(child.id()).unwrap();
        crate::until("the end", || has_ended(child.id()));
        assert!(!child.wait().unwrap().success());
        assert!(has_ended(child.id()));
    }
}
