//! What a compiling process gives up: time, memory, files, the network, other processes.
//!
//! Owns the limits that the kernel enforces. Whoever breaks out of Cranelift finds a process that can read
//! one pipe, write another, and take memory until its limit.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use rustix::process::{Resource, Rlimit, Signal, getppid, nice, setrlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

use crate::CompileArgs;

/// Standard input, output and error.
const LAST_KEPT_FD: i32 = 2;
/// Between the signal that ends it and the one that cannot be caught, in seconds.
const GRACE: u64 = 2;
/// Requests go before compilations when both want the CPU, and what somebody waits for before what nobody does.
const NICE: i32 = 5;
const NICE_IN_BACKGROUND: i32 = 15;

/// Takes the limits upon itself, before any input is read.
pub(super) fn limit(args: &CompileArgs) -> io::Result<()> {
    // Nobody would take the answer of an orphan.
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid().map(|parent| parent.as_raw_nonzero().get()) != Some(args.parent) {
        return Err(io::Error::other("whoever started this compilation is gone"));
    }
    // If memory gets scarce all the same, the kernel takes this process and not the server.
    std::fs::write("/proc/self/oom_score_adj", "1000").ok();
    nice(if args.in_background { NICE_IN_BACKGROUND } else { NICE }).ok();
    close_inherited(Path::new("/proc/self/fd"))?;
    let seconds = args.cpu_seconds;
    for (resource, soft, hard) in [
        (Resource::Cpu, seconds, seconds.saturating_add(GRACE)),
        (Resource::As, args.memory_bytes, args.memory_bytes),
        // No core dump holds a stranger's component.
        (Resource::Core, 0, 0),
    ] {
        setrlimit(resource, Rlimit { current: Some(soft), maximum: Some(hard) })?;
    }
    Ok(())
}

/// Closes what this process was given by accident: files that whoever started the server left open.
fn close_inherited(open: &Path) -> io::Result<()> {
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir(open)? {
        if let Ok(fd) = entry?.file_name().to_string_lossy().parse::<i32>()
            && fd > LAST_KEPT_FD
        {
            inherited.push(fd);
        }
    }
    for fd in inherited {
        match nix::unistd::close(fd) {
            // The listing's own.
            Ok(()) | Err(nix::errno::Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Lets go of every system call but those that computing and answering need. Others do not exist any more
/// (ENOSYS), which is what C libraries know how to live with.
pub(super) fn seal() -> io::Result<()> {
    // No file is written, none is opened.
    for resource in [Resource::Fsize, Resource::Nofile] {
        setrlimit(resource, Rlimit { current: Some(0), maximum: Some(0) })?;
    }
    let program = filter().map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// Calls that are allowed with any arguments.
const ALLOWED: &[libc::c_long] = &[
    // The two pipes, and the words of a panic.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    // Memory.
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    // Locks, time and random numbers, as the standard library uses them.
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_rseq,
    libc::SYS_set_robust_list,
    // Signals: handlers for stack overflow, and abort.
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    // The end.
    libc::SYS_exit,
    libc::SYS_exit_group,
];

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
    // Memory, but never memory that can be executed: what is compiled here runs elsewhere.
    let executable = u64::from(libc::PROT_EXEC.cast_unsigned());
    for call in [libc::SYS_mmap, libc::SYS_mprotect] {
        let not_executable =
            SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![not_executable])?]);
    }
    // Threads, but never processes. `clone3`, whose flags a filter cannot see, does not exist: the C library then
    // asks for `clone`.
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    let is_thread =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(thread), thread)?;
    rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![is_thread])?]);
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    SeccompFilter::new(rules, missing, SeccompAction::Allow, arch)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_made_for_this_machine() {
        assert!(!filter().unwrap().is_empty());
    }
}
