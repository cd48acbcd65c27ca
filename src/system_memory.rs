//! The memory that the system gives this process, and what it took from others for lack of it.
//!
//! Linux alone tells; elsewhere nothing is known.

use std::fs;
use std::path::Path;

/// Bytes of memory that the process may use: the machine's, or the least limit of a control group around it.
pub fn room() -> Option<f64> {
    let whole = total(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let own = own_groups();
    let groups = groups(&own);
    let files = groups.iter().flat_map(Group::limits);
    let limits = files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok());
    Some(limits.fold(whole, f64::min))
}

/// Processes that the system has killed for lack of memory, in this process's control group and in all of the
/// machine; `None` where it does not tell.
pub fn killed_processes() -> Option<u64> {
    let own = own_groups();
    let groups = groups(&own);
    let files = groups.iter().map(Group::events);
    let files = files.chain(["/proc/vmstat".to_string()]);
    let counts = files.filter_map(|file| counted(&fs::read_to_string(file).ok()?, "oom_kill"));
    counts.reduce(|sum, count| sum + count)
}

/// `1.5 GiB`, `20 MiB`.
pub fn gib(bytes: f64) -> String {
    let mib = bytes / f64::from(1 << 20);
    match mib < 1000.0 {
        true => format!("{:.0} MiB", mib.max(1.0)),
        false => format!("{:.1} GiB", mib / 1024.0),
    }
}

fn own_groups() -> String {
    fs::read_to_string("/proc/self/cgroup").unwrap_or_default()
}

/// A control group that counts memory, by the version of its files.
enum Group<'a> {
    One(&'a str),
    Two(&'a str),
}

impl Group<'_> {
    /// Files with the limits of the group and of those that it is in.
    fn limits(&self) -> Vec<String> {
        let (root, path, file) = match self {
            Group::One(path) => ("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"),
            Group::Two(path) => ("/sys/fs/cgroup", path, "memory.max"),
        };
        let inside = Path::new(path).ancestors();
        let limits = inside.map(|group| {
            let group = group.display().to_string();
            format!("{root}{}/{file}", group.trim_end_matches('/'))
        });
        limits.collect()
    }

    /// The file that counts killed processes.
    fn events(&self) -> String {
        match self {
            Group::One(path) => format!("/sys/fs/cgroup/memory{path}/memory.oom_control"),
            Group::Two(path) => format!("/sys/fs/cgroup{path}/memory.events"),
        }
    }
}

/// The groups of a process, as `/proc/PID/cgroup` has them.
fn groups(text: &str) -> Vec<Group<'_>> {
    let of_line = |line| {
        let (_, rest): (_, &str) = str::split_once(line, ':')?;
        match rest.split_once(':')? {
            ("", path) => Some(Group::Two(path)),
            ("memory", path) => Some(Group::One(path)),
            _ => None,
        }
    };
    text.lines().filter_map(of_line).collect()
}

/// The bytes of `MemTotal`, which the kernel gives in KiB.
fn total(text: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let number: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(number * 1024.0)
}

/// The number after a name, in a text of `name number` lines.
fn counted(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, number) = lines.find(|(found, _)| *found == name)?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_counters_are_read_by_their_whole_names() {
        let events = "low 0\nhigh 0\nmax 41\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(counted(events, "oom_kill"), Some(2));
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n";
        assert_eq!(counted(control, "oom_kill"), Some(7));
        assert_eq!(counted("oom 3\n", "oom_kill"), None);
    }

    #[test]
    fn limits_of_all_groups_around_the_process_count() {
        let limits =
            |text| -> Vec<String> { groups(text).iter().flat_map(Group::limits).collect() };
        assert_eq!(
            limits("0::/a.slice/b\n"),
            [
                "/sys/fs/cgroup/a.slice/b/memory.max",
                "/sys/fs/cgroup/a.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        assert_eq!(
            limits("3:cpu:/x\n2:memory:/x\n1:name=systemd:/\n"),
            [
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            ]
        );
    }

    #[test]
    fn killed_processes_are_counted_in_the_groups_own_file() {
        let events = |text| -> Vec<String> { groups(text).iter().map(Group::events).collect() };
        assert_eq!(
            events("0::/a.slice/b\n2:memory:/x\n"),
            [
                "/sys/fs/cgroup/a.slice/b/memory.events",
                "/sys/fs/cgroup/memory/x/memory.oom_control",
            ]
        );
    }

    #[test]
    fn the_kernel_tells_the_machines_memory_in_kibibytes() {
        assert_eq!(
            total("MemFree: 1 kB\nMemTotal:       16 kB\n"),
            Some(16384.0)
        );
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }
}
