//! Servers as processes: tied to a processor, in a group of their own, paused while others are measured,
//! and gone with the bench.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{Error, SERVER_CPU, machine};

/// Where a process may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// On the servers' processor alone.
    ServerCpu,
    /// Anywhere: for preparation that is not measured.
    Anywhere,
}

/// A running server, with whatever it started.
pub struct Process {
    child: Child,
    group: Pid,
    name: String,
}

/// Memory of a process.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Resident bytes.
    pub resident: u64,
    /// Resident bytes that are in no file.
    pub anonymous: u64,
}

impl Process {
    /// Starts a program. Its standard error goes nowhere, and so does its output, unless `configure` says
    /// otherwise.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        name: &str,
        program: &Path,
        place: Place,
        configure: impl FnOnce(&mut Command),
    ) -> Result<Process, Error> {
        use std::os::unix::process::CommandExt as _;
        let mut words: Vec<&str> = Vec::new();
        if tool("setpriv", &["--pdeathsig", "KILL", "true"]) {
            words.extend(["setpriv", "--pdeathsig", "KILL"]);
        }
        let every = machine::processors();
        let processors = if place == Place::ServerCpu { SERVER_CPU } else { &every };
        if tool("taskset", &["-c", processors, "true"]) {
            words.extend(["taskset", "-c", processors]);
        }
        let mut command = match words.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        configure(&mut command);
        let child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
        let group = Pid::from_child(&child);
        Ok(Process { child, group, name: name.to_owned() })
    }

    /// Reads the addresses that the server prints on lines that begin with these words, in their order. Its
    /// output must be piped.
    ///
    /// # Errors
    /// When it ends first.
    pub fn announced<const N: usize>(&mut self, words: [&str; N]) -> Result<[SocketAddr; N], Error> {
        let stdout = self.child.stdout.as_mut().ok_or("the server's output is not piped")?;
        let mut found = words.map(|_| None);
        for line in BufReader::new(Unbuffered(stdout)).lines() {
            let line = line?;
            for (word, found) in words.iter().zip(&mut found) {
                let rest = line.strip_prefix(word).map(str::trim);
                let address = rest.and_then(|rest| rest.split_once("://"));
                if let Some(("http" | "https", address)) = address {
                    *found = Some(address.parse::<SocketAddr>()?);
                }
            }
            if found.iter().all(Option::is_some) {
                return Ok(found.map(|address| address.unwrap_or(SocketAddr::from(([0; 4], 0)))));
            }
        }
        Err(format!("{} ended before it opened its port", self.name).into())
    }

    /// Waits until a port answers.
    ///
    /// # Errors
    /// When it does not within a minute, or the process ends.
    pub fn opens(&mut self, address: SocketAddr) -> Result<(), Error> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if TcpStream::connect(address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended: {status}", self.name).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{} did not open {address}", self.name).into())
    }

    /// Stops it from running: what waits beside a measurement must not take part in it.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn end(mut self) -> Result<(), Error> {
        self.signal(Signal::TERM);
        self.child.wait()?;
        Ok(())
    }

    /// CPU time of all its threads that live, and of those of all processes that it started.
    pub fn cpu(&self) -> Duration {
        let mut nanoseconds = 0;
        for process in self.members() {
            let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { continue };
            for thread in threads.flatten() {
                let text = std::fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
                nanoseconds += text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
            }
        }
        Duration::from_nanos(nanoseconds)
    }

    /// Bytes that the disk was read for by all processes of the group.
    pub fn read_bytes(&self) -> u64 {
        let of = |process| {
            let text = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("read_bytes: "));
            line.and_then(|line| line.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        self.members().into_iter().map(of).sum()
    }

    /// Memory of all processes of the group.
    pub fn memory(&self) -> Memory {
        let mut memory = Memory { resident: 0, anonymous: 0 };
        for process in self.members() {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            memory.resident += kilobytes(&status, "VmRSS:") * 1024;
            memory.anonymous += kilobytes(&status, "RssAnon:") * 1024;
        }
        memory
    }

    fn members(&self) -> Vec<u32> {
        let group = self.group.as_raw_nonzero().get().to_string();
        let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
        let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // After the name in brackets: state, parent, group.
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(2)) == Some(&group)
        })
        .collect()
    }

    fn signal(&self, signal: Signal) {
        // It may have ended by itself: whoever talks to it next will say so.
        kill_process_group(self.group, signal).ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().ok();
    }
}

/// A figure of `/proc/PID/status`.
pub fn kilobytes(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Runs a helper to its end and returns its output.
///
/// # Errors
/// When it fails, with what it said.
pub fn run(command: &mut Command) -> Result<String, Error> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{command:?}: {}\n{text}{}", output.status, String::from_utf8_lossy(&output.stderr)).into())
}

/// Whether a program of the system can be used like this.
fn tool(name: &'static str, arguments: &[&str]) -> bool {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    static TASKSET: OnceLock<bool> = OnceLock::new();
    let known = if name == "setpriv" { &SETPRIV } else { &TASKSET };
    *known.get_or_init(|| Command::new(name).args(arguments).status().is_ok_and(|status| status.success()))
}

/// Reads a byte at a time: what comes after the lines that are wanted stays in the pipe.
struct Unbuffered<'a, R>(&'a mut R);

impl<R: Read> Read for Unbuffered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = buffer.len().min(1);
        self.0.read(buffer.get_mut(..end).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_cpu_time_and_memory_and_ends_with_its_owner() {
        let process = Process::start("sh", Path::new("sh"), Place::Anywhere, |command| {
            command.args(["-c", "while :; do :; done"]);
        })
        .unwrap();
        let begun = Instant::now();
        while process.cpu() < Duration::from_millis(5) {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not run");
        }
        assert!(process.memory().resident > 100_000);
        let group = process.group;
        drop(process);
        assert!(kill_process_group(group, Signal::CONT).is_err(), "nothing of the group is left");
    }

    #[test]
    fn addresses_are_read_from_what_a_server_prints() {
        let mut process = Process::start("sh", Path::new("sh"), Place::Anywhere, |command| {
            command.stdout(Stdio::piped());
            command.args(["-c", "echo hello; echo 'api http://127.0.0.1:2'; echo 'web  http://127.0.0.1:1'"]);
        })
        .unwrap();
        let addresses = process.announced(["web", "api"]).unwrap();
        assert_eq!(addresses.map(|address| address.port()), [1, 2]);
        assert!(process.announced(["other"]).is_err(), "it has ended");
    }

    #[test]
    fn figures_of_status_are_found_by_name() {
        assert_eq!(kilobytes("VmRSS:\t   123 kB\nRssAnon:\t 7 kB\n", "RssAnon:"), 7);
        assert_eq!(kilobytes("", "RssAnon:"), 0);
    }
}
