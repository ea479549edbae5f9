//! What the figures were made on, and what was measured: figures without these say nothing.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{kilobytes, run};
use crate::root;

/// The machine, the source and the binary.
pub fn facts(binary: &Path) -> Value {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let git = |arguments: &[&str]| {
        let text = run(Command::new("git").arg("-C").arg(root()).args(arguments));
        text.map(|text| text.trim().to_owned()).unwrap_or_default()
    };
    let date = run(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"])).unwrap_or_default();
    json!({
        "date": date.trim(),
        "cpu": cpu.trim_start_matches([' ', '\t', ':']),
        "processors": processors(),
        "memory_mib": kilobytes(&read("/proc/meminfo"), "MemTotal:") / 1024,
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "max_map_count": read("/proc/sys/vm/max_map_count").trim().parse::<u64>().ok(),
        "commit": git(&["rev-parse", "--short=12", "HEAD"]),
        "changed": !git(&["status", "--porcelain", "--untracked-files=no"]).is_empty(),
        "profile": profile(binary),
        "binary_bytes": std::fs::metadata(binary).map(|file| file.len()).ok(),
    })
}

/// The profile that a binary was built in: the folder that Cargo put it into.
pub fn profile(binary: &Path) -> String {
    let folder = binary.parent().and_then(Path::file_name);
    folder.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The processors that are there, as `taskset` takes them: this process itself may be tied to one.
pub fn processors() -> String {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    if online.trim().is_empty() { "0".to_owned() } else { online.trim().to_owned() }
}
