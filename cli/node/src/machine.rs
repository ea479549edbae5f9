//! What this machine can give, against what the configuration may ask of it: memory, mappings, open files,
//! address space. Says what was lowered and what to raise, and never starts anything.

use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wasmyard_namespaces::ByteSize;
use wasmyard_runtime::address_space;

use crate::config::{Fault, ResolvedConfig};

/// The part of the machine's memory that guests may hold together; the rest is for everything else.
const GUESTS_PART: (u64, u64) = (3, 4);
/// What a process can address on the processors that we run on, less what is not the pool's.
const ADDRESS_SPACE: u64 = (1 << 47) - (1 << 42);
/// Mappings of everything that is no slot of the pool: threads, libraries, and a few thousand scripts with three each.
const OTHER_MAPPINGS: u64 = 10_000;
/// The least of them without which nothing runs.
const LEAST_OTHER_MAPPINGS: u64 = 1_000;
/// Files beside connections of visitors and scripts: compiled code, the registry, assets, and the API's connections up
/// to a half of them.
const OTHER_FILES: u64 = 1_024;
const API_FILES: u64 = OTHER_FILES / 2;
/// Fewer visitors' connections are no service: browsers keep several each, and a single client may take up a part.
const LEAST_CONNECTIONS: u32 = 256;

/// What there is. Nothing is known where a field is none, and nothing is checked then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// Bytes of memory: the machine's, or what the control groups of this process leave of it.
    pub memory: Option<u64>,
    /// Bytes of swap space, which tenants' memory may be written to.
    pub swap: Option<u64>,
    /// Mappings that a process may have.
    pub mappings: Option<u64>,
    /// Files that this process may have open.
    pub files: Option<u64>,
    /// Bytes of address space that this process may reserve, where that is bounded.
    pub address_space: Option<u64>,
}

impl Machine {
    /// Looks at the machine on which this process runs.
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).ok();
        let meminfo = read("/proc/meminfo");
        let total = meminfo.as_deref().and_then(|text| meminfo_bytes(text, "MemTotal:"));
        let groups = read("/proc/self/cgroup").unwrap_or_default();
        let allowed = group_limit(Path::new("/sys/fs/cgroup"), &groups);
        Self {
            memory: [total, allowed].into_iter().flatten().min(),
            swap: meminfo.as_deref().and_then(|text| meminfo_bytes(text, "SwapTotal:")),
            mappings: read("/proc/sys/vm/max_map_count").and_then(|text| text.trim().parse().ok()),
            files: getrlimit(Resource::Nofile).maximum,
            address_space: getrlimit(Resource::As).current,
        }
    }
}

/// Raises the number of files that may be open to what the system allows. Where that fails it stays.
pub fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        tracing::warn!(%error, "the number of files that may be open could not be raised");
    }
}

/// What holds on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Bytes that guests may hold together.
    pub guest_memory: u64,
    /// Visitors' connections, as many as there can be files for.
    pub max_connections: u32,
    /// The same for people, in one sentence.
    pub shown: String,
}

/// Compares a configuration with a machine. Errors among the findings mean that it cannot run here.
pub fn capacity(config: &ResolvedConfig, machine: &Machine) -> (Capacity, Vec<Fault>) {
    let mut findings = Vec::new();
    addresses(config, machine, &mut findings);
    mappings(config, machine, &mut findings);
    let max_connections = files(config, machine, &mut findings);
    let guest_memory = memory(config, machine, &mut findings);
    swap(machine, &mut findings);
    let slots = u64::from(config.server.max_invocations);
    let each = config.limits.memory_bytes;
    let at_ceiling = (guest_memory / each.max(1)).min(slots);
    let shown = format!(
        "guests may hold {} together: {at_ceiling} of {slots} invocations at their ceiling of {}; beyond that new \
         ones are refused with 503",
        size(guest_memory),
        size(each),
    );
    (Capacity { guest_memory, max_connections, shown }, findings)
}

fn addresses(config: &ResolvedConfig, machine: &Machine, findings: &mut Vec<Fault>) {
    let slots = u64::from(config.server.max_invocations);
    let each = address_space(1).saturating_sub(address_space(0));
    let most = ADDRESS_SPACE.saturating_sub(address_space(0)) / each.max(1);
    if slots > most {
        let text =
            format!("each reserves {} of address space, and a process has room for {most}", size(each));
        findings.push(invocations(slots, &text).remedy(format!("lower it to {most} or less")));
    }
    let needed = address_space(slots);
    if let Some(allowed) = machine.address_space.filter(|allowed| *allowed < needed) {
        let text = format!(
            "they reserve {} of address space, and this process may have {}",
            size(needed),
            size(allowed)
        );
        findings.push(
            invocations(slots, &text).remedy("lift the limit with `ulimit -v unlimited` or LimitAS=infinity"),
        );
    }
}

fn mappings(config: &ResolvedConfig, machine: &Machine, findings: &mut Vec<Fault>) {
    let slots = u64::from(config.server.max_invocations);
    let pool = wasmyard_runtime::mappings(slots);
    let needed = pool.saturating_add(OTHER_MAPPINGS);
    let Some(allowed) = machine.mappings.filter(|allowed| *allowed < needed) else { return };
    let text =
        format!("they and some thousand scripts need {needed} mappings, and vm.max_map_count is {allowed}");
    let fault = invocations(slots, &text)
        .remedy(format!("raise it with `sysctl -w vm.max_map_count={needed}`, or lower max_invocations"));
    let impossible = pool.saturating_add(LEAST_OTHER_MAPPINGS) > allowed;
    findings.push(if impossible { fault } else { fault.warning() });
}

fn files(config: &ResolvedConfig, machine: &Machine, findings: &mut Vec<Fault>) -> u32 {
    let wanted = config.server.max_connections;
    let outgoing = config.egress.max_connections.saturating_add(config.origins.max_connections);
    let outgoing = u64::try_from(outgoing).unwrap_or(u64::MAX);
    let api = u64::from(config.server.api_max_connections).saturating_sub(API_FILES);
    let others = outgoing.saturating_add(OTHER_FILES).saturating_add(api);
    let needed = others.saturating_add(wanted.into());
    let Some(allowed) = machine.files.filter(|allowed| *allowed < needed) else { return wanted };
    let left = u32::try_from(allowed.saturating_sub(others)).unwrap_or(u32::MAX);
    let remedy = format!("raise the hard limit with `ulimit -Hn {needed}` or LimitNOFILE={needed}");
    if left < LEAST_CONNECTIONS.min(wanted) {
        let text = format!(
            "{left} would be left: connections of scripts and to origins, and files of our own, need {others} open files, and \
             this process may have {allowed}"
        );
        let fault = Fault::new(0, "server.max_connections", text).value(wanted.to_string());
        findings
            .push(fault.remedy(format!("{remedy}, or lower `max_connections` under [egress] or [origins]")));
        return left;
    }
    let text = format!(
        "lowered to {left}: with connections of scripts and to origins, and files of our own, {needed} files would be open, \
         and this process may have {allowed}"
    );
    let fault = Fault::new(0, "server.max_connections", text).value(wanted.to_string());
    findings.push(fault.remedy(remedy).warning());
    left
}

fn memory(config: &ResolvedConfig, machine: &Machine, findings: &mut Vec<Fault>) -> u64 {
    let (numerator, denominator) = GUESTS_PART;
    let usual = machine.memory.map_or(u64::MAX, |memory| memory / denominator * numerator);
    let budget = config.server.guest_memory.unwrap_or(usual);
    let key = "server.guest_memory";
    if let Some(memory) = machine.memory.filter(|memory| budget > *memory) {
        let text = format!("there are {} of memory: the kernel would end the process before", size(memory));
        let fault = Fault::new(0, key, text).value(size(budget));
        findings.push(fault.remedy(format!("lower it to {}, or leave it out", size(usual))));
    }
    let one = config.limits.memory_bytes;
    if budget < one {
        let text = format!("a single invocation may hold {}, which is more", size(one));
        let fault = Fault::new(0, key, text).value(size(budget));
        findings.push(fault.remedy("raise it, or lower `memory` under [limits]").warning());
    }
    budget
}

/// Nothing of a tenant is shown to another by way of the swap space. But it lies on a disk there, in clear.
fn swap(machine: &Machine, findings: &mut Vec<Fault>) {
    if let Some(swap) = machine.swap.filter(|swap| *swap > 0) {
        let text = "tenants' memory, secrets in it, can be written to the machine's swap space";
        let fault = Fault::new(0, "swap", text).value(size(swap));
        let remedy = "turn it off with `swapoff -a`, or keep this process out of it with MemorySwapMax=0";
        findings.push(fault.remedy(remedy).warning());
    }
}

fn invocations(slots: u64, text: &str) -> Fault {
    Fault::new(0, "server.max_invocations", text).value(slots.to_string())
}

/// Rounded down to whole mebibytes, where it has any.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    let shown = if bytes >= MIB { bytes / MIB * MIB } else { bytes };
    if bytes == u64::MAX { "any amount".to_owned() } else { ByteSize(shown).to_string() }
}

fn meminfo_bytes(meminfo: &str, name: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The tightest memory limit of the control groups that a process is in, of either version, up to their root.
fn group_limit(root: &Path, groups: &str) -> Option<u64> {
    let mut tightest: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (folder, file) = if controllers.is_empty() {
            (root.to_owned(), "memory.max")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            (root.join("memory"), "memory.limit_in_bytes")
        } else {
            continue;
        };
        // Inside a container the group's own path may not be there: its parents are.
        for group in Path::new(group.trim_start_matches('/')).ancestors() {
            let limit = std::fs::read_to_string(folder.join(group).join(file)).ok();
            let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
            tightest = [tightest, limit].into_iter().flatten().min();
        }
    }
    tightest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, ConfigSource, Purpose, Severity};

    const GIB: u64 = 1 << 30;

    fn config(text: &str) -> ResolvedConfig {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wasmyard.toml");
        std::fs::write(&file, text).unwrap();
        let source = ConfigSource::find(Some(&file), folder.path()).unwrap();
        config::load(source, Purpose::Check).unwrap().0
    }

    fn large() -> Machine {
        Machine {
            memory: Some(64 * GIB),
            swap: Some(0),
            mappings: Some(1_000_000),
            files: Some(1_000_000),
            address_space: None,
        }
    }

    #[track_caller]
    fn only(findings: &[Fault]) -> (Severity, String) {
        let [finding] = findings else { panic!("{findings:?}") };
        (finding.severity, finding.at("f").to_string())
    }

    #[test]
    fn a_large_machine_and_an_unknown_one_have_no_findings() {
        let (capacity_here, findings) = capacity(&config(""), &large());
        assert_eq!((capacity_here.guest_memory, findings.len()), (48 * GIB, 0));
        assert_eq!(capacity_here.max_connections, 8_192);
        assert!(capacity_here.shown.contains("384 of 1000 invocations at their ceiling of 128MiB"));
        let (unknown, findings) = capacity(&config(""), &Machine::default());
        assert_eq!((unknown.guest_memory, findings.len()), (u64::MAX, 0));
    }

    #[test]
    fn more_guest_memory_than_there_is_is_refused() {
        let config = config("[server]\nguest_memory = \"16GiB\"\n");
        let (_, findings) = capacity(&config, &Machine { memory: Some(8 * GIB), ..large() });
        let (severity, text) = only(&findings);
        assert_eq!(severity, Severity::Error);
        assert!(text.contains("server.guest_memory = 16GiB") && text.contains("lower it to 6GiB"), "{text}");
    }

    #[test]
    fn less_than_one_invocation_may_hold_is_a_warning() {
        let (found, findings) = capacity(&config("[server]\nguest_memory = \"64MiB\"\n"), &large());
        assert_eq!(found.guest_memory, 64 << 20);
        assert_eq!(only(&findings).0, Severity::Warning);
    }

    #[test]
    fn swap_space_is_a_warning() {
        let (_, findings) = capacity(&config(""), &Machine { swap: Some(2 * GIB), ..large() });
        let (severity, text) = only(&findings);
        assert_eq!(severity, Severity::Warning);
        assert!(text.contains("swap = 2GiB") && text.contains("MemorySwapMax=0"), "{text}");
    }

    #[test]
    fn too_few_mappings_are_told_with_the_number_that_is_needed() {
        let config = config("[server]\nmax_invocations = 5000\n");
        let (_, findings) = capacity(&config, &Machine { mappings: Some(30_000), ..large() });
        let (severity, text) = only(&findings);
        assert_eq!(severity, Severity::Warning);
        assert!(text.contains("vm.max_map_count=35000"), "{text}");
        let (_, findings) = capacity(&config, &Machine { mappings: Some(20_000), ..large() });
        assert_eq!(only(&findings).0, Severity::Error);
    }

    #[test]
    fn connections_are_lowered_to_what_there_are_files_for() {
        let (found, findings) = capacity(&config(""), &Machine { files: Some(5_120), ..large() });
        assert_eq!(found.max_connections, 2_048);
        let (severity, text) = only(&findings);
        assert_eq!(severity, Severity::Warning);
        assert!(text.contains("lowered to 2048") && text.contains("LimitNOFILE=11264"), "{text}");
    }

    #[test]
    fn a_machine_with_files_for_next_to_nobody_is_refused() {
        for files in [40, 1_024, 1_100, 3_073, 3_327] {
            let (_, findings) = capacity(&config(""), &Machine { files: Some(files), ..large() });
            let (severity, text) = only(&findings);
            assert_eq!(severity, Severity::Error, "{files}");
            assert!(text.contains("LimitNOFILE=11264"), "{text}");
        }
        let (found, findings) = capacity(&config(""), &Machine { files: Some(3_328), ..large() });
        assert_eq!((found.max_connections, only(&findings).0), (256, Severity::Warning));
        // Who wants few is content with few.
        let few = config("[server]\nmax_connections = 10\n");
        let (found, findings) = capacity(&few, &Machine { files: Some(3_084), ..large() });
        assert_eq!((found.max_connections, findings.len()), (10, 0));
        // The API's count as well.
        let many = config("[server]\napi_max_connections = 2512\n");
        let (found, _) = capacity(&many, &Machine { files: Some(11_264), ..large() });
        assert_eq!(found.max_connections, 6_192);
    }

    #[test]
    fn more_slots_than_there_is_address_space_for_are_refused() {
        let (_, findings) = capacity(&config("[server]\nmax_invocations = 40000\n"), &large());
        let (severity, text) = only(&findings);
        assert_eq!(severity, Severity::Error);
        assert!(text.contains("lower it to"), "{text}");
        let bounded = Machine { address_space: Some(GIB), ..large() };
        assert!(only(&capacity(&config(""), &bounded).1).1.contains("ulimit -v"));
    }

    #[test]
    fn the_tightest_control_group_counts_in_either_version() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(group_limit(root.path(), "0::/a/b\n"), None);
        write("memory.max", "max\n");
        write("a/memory.max", "1000\n");
        write("a/b/memory.max", "2000\n");
        assert_eq!(group_limit(root.path(), "0::/a/b\n"), Some(1_000));
        write("memory/memory.limit_in_bytes", "500\n");
        let groups = "4:cpu,memory:/not/there\n1:cpu:/x\n0::/a/b\n";
        assert_eq!(group_limit(root.path(), groups), Some(500));
    }

    #[test]
    fn this_machine_can_be_read() {
        let here = Machine::here();
        assert!(here.memory.is_some_and(|memory| memory > 1 << 20));
        let meminfo = "MemTotal:       2048 kB\nMemFree: 1 kB\nSwapTotal:             0 kB\n";
        assert_eq!(meminfo_bytes(meminfo, "MemTotal:"), Some(2 << 20));
        assert_eq!(meminfo_bytes(meminfo, "SwapTotal:"), Some(0));
    }
}
