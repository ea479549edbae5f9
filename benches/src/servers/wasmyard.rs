//! The platform itself, as it is shipped: the binary of the bench's own profile, with a data directory that
//! outlives the run, so that what was compiled once is not compiled again.

use std::fmt::Write as _;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use wasmyard_harness::program;

use crate::client::Api;
use crate::load::{Aim, GREETING};
use crate::process::{Place, Process};
use crate::servers::javascript;
use crate::{Error, guest, marked, scratch};

const TOKEN: &str = "bench-token-that-is-for-this-machine-only";

/// What a dispatcher is bound to.
const BOUND: &str =
    "bindings = [{ type = \"dispatch_namespace\", name = \"DISPATCHER\", namespace = \"production\" }]\n";

/// The same, for one whose instances are used again.
fn reused() -> String {
    format!("{BOUND}compatibility_flags = [\"reuse_instances\"]\n")
}

/// A folder with `wasmyard.toml`, data, and the components that it names.
pub struct Site {
    folder: PathBuf,
    config: String,
    logs: bool,
}

/// A running platform.
pub struct Platform {
    /// The process.
    pub process: Process,
    /// Where visitors connect.
    pub visitors: SocketAddr,
    /// Where visitors connect over TLS, if the site has them do so.
    pub secure: Option<SocketAddr>,
    /// The control plane.
    pub api: Api,
}

/// What a site's scripts may use of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// The platform's default.
    AsShipped,
    /// The ceiling: for scripts that work for longer than a visitor would wait.
    Ceiling,
}

impl Site {
    /// A site with the hello script, the dispatcher in its two forms, and one customer.
    ///
    /// # Errors
    /// When a guest is not built.
    pub fn new(name: &str, budget: Budget) -> Result<Site, Error> {
        let folder = scratch()?.join(name);
        std::fs::create_dir_all(&folder)?;
        let mut config =
            "[server]\nlisten = \"127.0.0.1:0\"\napi_listen = \"127.0.0.1:0\"\ndata = \"data\"\napi_calls_per_token = 1000000\n".to_owned();
        if budget == Budget::Ceiling {
            config.push_str("[limits]\ncpu_ms = 30000\n");
        }
        let mut site = Site { folder, config, logs: true };
        let reused = reused();
        for (name, component, pattern, lines) in [
            ("dispatcher", "dispatcher_subdomain", "*.localhost/*", BOUND),
            ("tail", "dispatcher_tail", "*.tail.localhost/*", BOUND),
            ("reused", "dispatcher_subdomain", "*.reused.localhost/*", &reused),
            ("tail-reused", "dispatcher_tail", "*.tail-reused.localhost/*", &reused),
        ] {
            site.script(&format!("scripts.{name}"), &guest(component)?, lines)?;
            site.route(pattern, &format!("script = {name:?}"))?;
        }
        site.route("*.apps.localhost/*", "namespace = \"production\"")?;
        site.customer("customer-a", &guest("hello")?)?;
        Ok(site)
    }

    /// A user script.
    ///
    /// # Errors
    /// None that a valid name could cause.
    pub fn customer(&mut self, name: &str, component: &Path) -> Result<(), Error> {
        self.script(&format!("namespaces.production.scripts.{name}"), component, "")
    }

    /// Any script: its table's name, its component, further lines.
    ///
    /// # Errors
    /// None that a valid name could cause.
    pub fn script(&mut self, table: &str, component: &Path, more: &str) -> Result<(), Error> {
        let component = component.display().to_string();
        writeln!(self.config, "[{table}]\nmain = {component:?}\n{more}")?;
        Ok(())
    }

    /// Lines of `[server]`.
    pub fn server(&mut self, lines: &str) {
        self.config = self.config.replacen("[server]\n", &format!("[server]\n{lines}"), 1);
    }

    /// Lines of `[limits]`, which a site with [`Budget::Ceiling`] has.
    pub fn limits(&mut self, lines: &str) {
        self.config = self.config.replacen("[limits]\n", &format!("[limits]\n{lines}"), 1);
    }

    /// Any lines, for what has no method.
    pub fn lines(&mut self, lines: &str) {
        self.config.push_str(lines);
    }

    /// A namespace with an outbound worker, which answers by itself; a customer that asks for something outside; and
    /// a dispatcher in front of them.
    ///
    /// # Errors
    /// When a guest is not built.
    pub fn guarded(&mut self) -> Result<(), Error> {
        self.config.push_str("[namespaces.guarded]\noutbound = { script = \"outbound\" }\n");
        self.script("namespaces.guarded.scripts.caller", &guest("bench_caller")?, "")?;
        self.script("scripts.outbound", &guest("hello")?, "")?;
        let binding = "bindings = [{ type = \"dispatch_namespace\", name = \"DISPATCHER\", namespace = \"guarded\" }]\n";
        self.script("scripts.dispatcher_guarded", &guest("dispatcher_subdomain")?, binding)?;
        self.route("*.guarded.localhost/*", "script = \"dispatcher_guarded\"")
    }

    /// A customer in JavaScript, and dispatchers in JavaScript that read the customer's name in the host.
    ///
    /// # Errors
    /// When the scripts cannot be written.
    pub fn in_javascript(&mut self) -> Result<(), Error> {
        std::fs::create_dir_all(&self.folder)?;
        let (user, dispatcher) = (self.folder.join("script.js"), self.folder.join("scripts.js"));
        std::fs::write(&user, javascript::user())?;
        std::fs::write(&dispatcher, javascript::DISPATCHER)?;
        self.customer("script", &user)?;
        let reused = reused();
        for (name, lines) in [("scripts", BOUND), ("scripts-reused", &reused)] {
            self.script(&format!("scripts.{name}"), &dispatcher, lines)?;
            self.route(&format!("*.{name}.localhost/*"), &format!("script = {name:?}"))?;
        }
        Ok(())
    }

    /// A route.
    ///
    /// # Errors
    /// None that a valid pattern could cause.
    pub fn route(&mut self, pattern: &str, target: &str) -> Result<(), Error> {
        writeln!(self.config, "[[routes]]\npattern = {pattern:?}\n{target}")?;
        Ok(())
    }

    /// Customers `u0`, `u1` and so on, each with a component of its own: nothing is shared between them.
    ///
    /// # Errors
    /// When the components cannot be written.
    pub fn many_customers(&mut self, count: usize) -> Result<(), Error> {
        let hello = std::fs::read(guest("hello")?)?;
        let components = self.folder.join("components");
        std::fs::create_dir_all(&components)?;
        for number in 0..count {
            let name = many_customer(number);
            let path = components.join(format!("{name}.wasm"));
            let component = marked(&hello, &name);
            if std::fs::read(&path).ok().as_ref() != Some(&component) {
                std::fs::write(&path, component)?;
            }
            self.customer(&name, &path)?;
        }
        Ok(())
    }

    /// Leaves out the access log and everything else that is logged.
    #[must_use]
    pub fn without_logs(mut self) -> Site {
        self.logs = false;
        self
    }

    /// Begins with an empty data directory.
    ///
    /// # Errors
    /// When the old one cannot be removed.
    pub fn forget(&mut self) -> Result<(), Error> {
        match std::fs::remove_dir_all(self.folder.join("data")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Writes the configuration and says where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self) -> Result<PathBuf, Error> {
        let file = self.folder.join("wasmyard.toml");
        std::fs::write(&file, &self.config)?;
        Ok(file)
    }

    /// Compiles what was not compiled before, on all processors, and then starts the platform on its one.
    ///
    /// # Errors
    /// When it does not start.
    pub fn serve(self) -> Result<Platform, Error> {
        self.prepare()?;
        self.again()
    }

    /// Compiles what was not compiled before, on all processors.
    ///
    /// # Errors
    /// When it does not start.
    pub fn prepare(&self) -> Result<(), Error> {
        self.start(&self.write()?, Place::Anywhere)?.process.end()
    }

    /// Starts the platform on its one processor, once it was prepared.
    ///
    /// # Errors
    /// When it does not start.
    pub fn again(&self) -> Result<Platform, Error> {
        self.start(&self.write()?, Place::ServerCpu)
    }

    /// What it logs goes to a file while it is prepared, so that a start that fails can be explained. While it
    /// is measured it goes nowhere: made and written as it is shipped, but kept by nobody, because a disk that
    /// fills up is no figure.
    fn start(&self, config: &Path, place: Place) -> Result<Platform, Error> {
        let log = self.folder.join("start.log");
        let kept = if place == Place::Anywhere { Stdio::from(File::create(&log)?) } else { Stdio::null() };
        let mut process = Process::start("wasmyard", &program::find()?, place, |command| {
            command.arg("serve").arg("--config").arg(config).current_dir(&self.folder);
            command.env("WASMYARD_API_TOKEN", TOKEN).env_remove("WASMYARD_LOG");
            if !self.logs {
                command.env("WASMYARD_LOG", "off");
            }
            command.stdout(Stdio::piped()).stderr(kept);
        })?;
        let told = |error| format!("{error}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
        let (visitors, secure, api) = if self.config.contains("listen_tls") {
            let [visitors, secure, api] = process.announced(["visitors", "https", "api"]).map_err(told)?;
            (visitors, Some(secure), api)
        } else {
            let [visitors, api] = process.announced(["visitors", "api"]).map_err(told)?;
            (visitors, None, api)
        };
        Ok(Platform { process, visitors, secure, api: Api { address: api, token: TOKEN.to_owned() } })
    }
}

impl Platform {
    /// A host of this platform that greets.
    pub fn aim(&self, host: &str) -> Aim {
        Aim::at(self.visitors, host)
    }

    /// The many customers, one after the other.
    pub fn rotation(&self, count: usize) -> Aim {
        let hosts = (0..count).map(|number| format!("{}.localhost", many_customer(number))).collect();
        Aim { address: self.visitors, hosts, path: "/".into(), expected: Some(GREETING) }
    }
}

fn many_customer(number: usize) -> String {
    format!("u{number}")
}
