//! `wrk`, where it is installed: a client that others know. It sleeps in the kernel when it has nothing to
//! read, so that its figures hold the server's cost of waking it.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::Aim;
use crate::{Error, scratch};

/// How to get it.
pub const REMEDY: &str = "apt-get install wrk";

/// Whether it is installed.
pub fn installed() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| Command::new("wrk").arg("-v").output().is_ok())
}

/// Requests per second over `connections`, for whole seconds.
///
/// # Errors
/// When it fails, or an answer was not a 200.
pub fn wrk(aim: &Aim, connections: usize, time: Duration) -> Result<f64, Error> {
    let mut command = Command::new("wrk");
    let seconds = time.as_secs().max(1);
    command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")]);
    match aim.hosts.as_ref() {
        [host] => command.args(["-H", &format!("Host: {host}")]),
        hosts => {
            let script = scratch()?.join("rotation.lua");
            std::fs::write(&script, rotation(hosts, &aim.path))?;
            command.arg("-s").arg(script)
        }
    };
    let output = command.arg(format!("http://{}{}", aim.address, aim.path)).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse(&text).ok_or_else(|| format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Every request made beforehand: nothing is left to do while it counts.
fn rotation(hosts: &[String], path: &str) -> String {
    let names: Vec<String> = hosts.iter().map(|host| format!("{host:?}")).collect();
    format!(
        "local hosts = {{{}}}\nlocal requests, at = {{}}, 0\n\
         init = function() for i, host in ipairs(hosts) do \
         requests[i] = wrk.format(\"GET\", {path:?}, {{ Host = host }}) end end\n\
         request = function() at = at % #requests + 1 return requests[at] end\n",
        names.join(", ")
    )
}

/// The rate, unless there was anything but success.
fn parse(text: &str) -> Option<f64> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_undisturbed_rates_count() {
        assert_eq!(parse("  100 requests in 1s\nRequests/sec:  12.50\nTransfer/sec: 1KB"), Some(12.5));
        assert_eq!(parse("Non-2xx or 3xx responses: 1\nRequests/sec:  12.50"), None);
        assert_eq!(parse("  Socket errors: connect 0, read 1\nRequests/sec:  12.50"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn requests_in_rotation_are_made_once() {
        let script = rotation(&["a.test".into(), "b.test".into()], "/x");
        assert!(script.contains(r#"{"a.test", "b.test"}"#), "{script}");
        assert!(script.contains(r#"wrk.format("GET", "/x", { Host = host })"#), "{script}");
    }
}
