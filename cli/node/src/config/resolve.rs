//! What `wasmyard.toml` means: names parsed, limits within their ceilings, references followed.
//!
//! Owns the rules between keys. It must never stop at a mistake: each is noted, and what is wrong is left
//! out, so that everything else is still looked at.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmyard_api::Rates;
use wasmyard_namespaces::{HostRule, Limits, NameError, NamespaceName, OutboundDecl, ScriptKey, ScriptName};

use super::document::Spot;
use super::fault::{Fault, closest};
use super::keys::{RawBuild, RawConfig, RawNamespace, RawOutbound, RawScript, RawServer};
use super::locate::below;
use super::section::Named;
use super::{
    BuildConfig, ConfigSource, MasterKeySource, NamespaceConfig, Purpose, ResolvedConfig, ScriptConfig,
    ServerConfig,
};

mod assets;
mod bindings;
mod capabilities;
mod certificates;
mod databases;
mod dcv;
mod egress;
mod hostnames;
mod limits;
mod named_keys;
mod origins;
mod proxies;
mod queues;
mod routes;
mod texts;
mod tls;
mod zones;

/// What the parts share while they are resolved.
struct Resolver<'a> {
    root: &'a Path,
    purpose: Purpose,
    platform: Limits,
    ceiling: Limits,
    /// What the operator opened beside public addresses: no namespace opens more.
    private: &'a [HostRule],
    /// Names that exist, as typed, to follow references and to guess what was meant.
    script_names: Vec<String>,
    namespace_names: Vec<String>,
    faults: &'a mut Vec<Fault>,
}

/// Gives a raw configuration its meaning; mistakes go to `faults`.
pub(super) fn resolve(
    source: ConfigSource,
    raw: RawConfig,
    purpose: Purpose,
    faults: &mut Vec<Fault>,
) -> ResolvedConfig {
    let root = source.root.clone();
    let server = server(&raw.server, &root, faults);
    if collide(server.listen, server.api_listen) {
        let spot = raw.server.api_listen.spot.as_ref().or(raw.server.listen.spot.as_ref());
        faults.push(
            Fault::new(
                spot.map_or(0, |s| s.line),
                "server.api_listen",
                "visitors and the API need two addresses",
            )
            .value(server.api_listen.to_string())
            .remedy("give one of them another port"),
        );
    }
    let tls = tls::tls(&raw.server, &raw.tls, &root, purpose, faults);
    if tls
        .listen
        .is_some_and(|listen| [server.listen, server.api_listen].iter().any(|other| collide(listen, *other)))
    {
        let spot = raw.server.listen_tls.as_ref();
        let fault = Fault::new(
            spot.map_or(0, |spot| spot.line),
            "server.listen_tls",
            "TLS needs an address of its own",
        );
        faults.push(fault.value(spot.map_or("", |spot| &spot.value)).remedy("give it another port"));
    }
    let egress = egress::egress(&raw.egress, &root, faults);
    let hostnames = hostnames::hostnames(&raw.hostnames, &root, faults);
    let origins = origins::origins(&raw.origins, &hostnames.apex_addresses, &root, faults);
    let certificates = certificates::certificates(&raw.certificates, &root, purpose, faults);
    let dcv = dcv::dcv(&raw.dcv, purpose, faults);
    let webhooks = hostnames::webhooks(&raw.webhooks, faults);
    let ceiling = limits::ceiling(&raw.limits.ceiling, faults);
    let platform = limits::platform(&raw.limits.own, &ceiling, faults);
    let mut resolver = Resolver {
        root: &root,
        purpose,
        platform,
        ceiling,
        private: &egress.policy.allow_private,
        script_names: raw.scripts.iter().map(|script| script.name.value.clone()).collect(),
        namespace_names: raw.namespaces.iter().map(|namespace| namespace.name.value.clone()).collect(),
        faults,
    };
    let (mut namespaces, mut scripts) = (Vec::new(), Vec::new());
    for raw in &raw.scripts {
        scripts.extend(resolver.script(None, raw));
    }
    for raw in &raw.namespaces {
        let name = resolver.namespace(raw, &mut namespaces);
        for script in &raw.scripts {
            // Mistakes in the scripts of a namespace with a bad name are still worth telling.
            let resolved = resolver.script(name.as_ref(), script);
            scripts.extend(resolved.filter(|_| name.is_some()));
        }
    }
    let routes = resolver.routes(&raw.routes);
    let zones = zones::zones(&raw.zones, server.reserved_names, purpose, faults);
    ResolvedConfig {
        source,
        server,
        tls,
        egress,
        hostnames,
        origins,
        certificates,
        dcv,
        cache: limits::cache(&raw.cache, faults),
        s3_listen: raw.r2.s3_listen.as_ref().and_then(|spot| tls::address(spot, faults)),
        webhooks,
        limits: platform,
        ceiling,
        namespaces,
        scripts,
        routes,
        zones,
    }
}

/// Resolves `[server]`: also for client commands, which need nothing else.
pub(super) fn server(raw: &RawServer, root: &Path, faults: &mut Vec<Fault>) -> ServerConfig {
    let max_connections = raw.max_connections.get(faults);
    let max_invocations = raw.max_invocations.get(faults);
    let proxies = proxies::proxies(raw, faults);
    ServerConfig {
        listen: raw.listen.get(faults),
        api_listen: raw.api_listen.get(faults),
        data: below(root, &raw.data.get(faults)),
        configuration: raw.configuration.get(faults),
        kept_versions: raw.kept_versions.get(faults),
        master_key: raw.master_key.as_ref().and_then(|spot| {
            let parsed = MasterKeySource::parse(&spot.value, root);
            parsed.map_err(|error| faults.push(spot.fault(error))).ok()
        }),
        max_connections,
        max_connections_per_client: raw.max_connections_per_client.of(max_connections, faults),
        api_max_connections: raw.api_max_connections.get(faults),
        rates: Rates {
            per_token: raw.api_calls_per_token.get(faults),
            per_address: raw.api_calls_per_second.get(faults),
        },
        audit_kept: days(raw.audit_days.get(faults)),
        storage_grace: days(raw.storage_days.get(faults)),
        proxy_protocol: proxies::protocol(raw.proxy_protocol.as_ref(), &proxies, faults),
        api_proxy_protocol: proxies::protocol(raw.api_proxy_protocol.as_ref(), &proxies, faults),
        proxies,
        reserved_names: raw.reserved_names.as_ref().is_some_and(|spot| spot.value),
        max_invocations,
        max_per_namespace: raw.max_per_namespace.of(max_invocations, faults),
        max_per_script: raw.max_per_script.of(max_invocations, faults),
        admission_wait: raw.admission_wait_ms.get(faults),
        guest_memory: raw.guest_memory.get(faults),
        asset_memory: raw.asset_memory.get(faults),
        header_read: raw.header_read_ms.get(faults),
        idle: raw.idle_ms.get(faults),
        slow_reader: raw.slow_reader_ms.get(faults),
        drain: raw.drain_ms.get(faults),
    }
}

/// Whether two listeners cannot both be bound; port 0 is a different one each time.
pub(super) fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_place = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_place
}

impl Resolver<'_> {
    /// Parses a name, noting the rule that it breaks.
    fn name<T: std::str::FromStr<Err = NameError>>(&mut self, spot: &Spot<String>) -> Option<T> {
        match spot.value.parse() {
            Ok(name) => Some(name),
            Err(error) => {
                self.faults.push(spot.fault_shown(error.rule).remedy(error.remedy));
                None
            }
        }
    }

    /// Notes a reference to something that is not in the file.
    fn reference(&mut self, line: usize, key: &str, kind: &str, name: &str) {
        let (table, known) = match kind {
            "namespace" => ("namespaces", &self.namespace_names),
            _ => ("scripts", &self.script_names),
        };
        if self.purpose == Purpose::Deploy || known.iter().any(|known| known == name) {
            return;
        }
        let fault = Fault::new(line, key, format!("this file declares no {kind} of that name"))
            .value(format!("{name:?}"));
        let remedy = match closest(name, known.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("add [{table}.{name}]"),
        };
        self.faults.push(match self.purpose {
            Purpose::Dev => fault.remedy(remedy),
            Purpose::Serve | Purpose::Check | Purpose::Deploy => {
                fault.remedy(format!("{remedy}, or upload it through the API")).warning()
            }
        });
    }

    fn namespace(
        &mut self,
        raw: &Named<RawNamespace>,
        found: &mut Vec<NamespaceConfig>,
    ) -> Option<NamespaceName> {
        let name = self.name::<NamespaceName>(&raw.name);
        let outbound = raw.outbound.as_ref().and_then(|outbound| self.outbound(outbound));
        let limits = limits::own(&raw.limits, &self.platform, &self.ceiling, self.faults);
        let egress =
            raw.egress.as_ref().map(|rules| egress::of_a_namespace(rules, self.private, self.faults));
        let set = |spot: &Option<Spot<bool>>| spot.as_ref().is_some_and(|spot| spot.value);
        let (trusted_workers, service_bindings) = (set(&raw.trusted_workers), set(&raw.service_bindings));
        let capabilities = raw.capabilities.as_ref().map(|raw| self.capabilities(raw));
        let callable_by = self.callers(raw);
        let mut keys = named_keys::of_namespace(raw);
        keys.insert_limits(&limits);
        if let Some(rules) = &raw.egress {
            egress::keys_of_a_namespace(rules, &mut keys);
        }
        if let Some(name) = &name {
            let name = name.clone();
            found.push(NamespaceConfig {
                name,
                outbound,
                service_bindings,
                callable_by,
                capabilities,
                egress,
                limits,
                trusted_workers,
                keys,
            });
        }
        name
    }

    fn outbound(&mut self, raw: &RawOutbound) -> Option<OutboundDecl> {
        let Some(script) = &raw.script else {
            let fault = Fault::new(
                raw.place.line,
                raw.place.key("script"),
                "an outbound worker needs the name of a script",
            );
            self.faults.push(fault.remedy("write { script = \"NAME\", params = [] }"));
            return None;
        };
        let worker = self.name::<ScriptName>(script)?;
        self.reference(script.line, &script.key, "platform script", worker.as_str());
        bindings::outbound(worker, raw, self.faults)
    }

    fn script(&mut self, namespace: Option<&NamespaceName>, raw: &Named<RawScript>) -> Option<ScriptConfig> {
        let name = self.name::<ScriptName>(&raw.name);
        let build = raw.build.as_ref().and_then(|build| self.build(build));
        let assets = self.assets(raw);
        let main = self.main(raw);
        let (mut bindings, remote, own) = self.bindings(raw);
        let kv_namespaces = self.kv_namespaces(raw, &bindings);
        let queue_consumers = self.queue_consumers(raw);
        let d1_databases = self.d1_databases(raw, &bindings, &kv_namespaces);
        let limits = limits::own(&raw.limits, &self.platform, &self.ceiling, self.faults);
        let tags = self.tags(raw);
        let crons = self.crons(raw);
        let key = match namespace {
            Some(namespace) => ScriptKey::user(namespace.clone(), name?),
            None => ScriptKey::Platform(name?),
        };
        if main.is_none() && assets.is_none() {
            return None;
        }
        let (assets, binding) = assets.map_or((None, None), |(assets, binding)| (Some(assets), binding));
        if let Some(binding) = binding
            && !bindings.iter().any(|known| known.name == binding.name)
        {
            bindings.push(binding);
            bindings.sort_by(|a, b| a.name.cmp(&b.name));
        }
        let compatibility_flags = texts::flags(raw);
        let mut keys = named_keys::of_script(raw, main.is_some(), assets.is_some());
        keys.insert_limits(&limits);
        bindings.iter().for_each(|binding| keys.insert_binding(&binding.name));
        own.iter().for_each(|(name, _)| keys.insert_binding(name));
        kv_namespaces.iter().for_each(|kv| keys.insert_binding(&kv.binding));
        d1_databases.iter().for_each(|d1| keys.insert_binding(&d1.binding));
        Some(ScriptConfig {
            key,
            main,
            build,
            bindings,
            remote,
            own,
            kv_namespaces,
            queue_consumers,
            d1_databases,
            assets,
            limits,
            tags,
            crons,
            compatibility_flags,
            keys,
            line: raw.name.line,
        })
    }

    fn main(&mut self, raw: &Named<RawScript>) -> Option<PathBuf> {
        let Some(spot) = &raw.main else {
            // A script may be nothing but files.
            if raw.assets.is_some() && raw.build.is_none() {
                return None;
            }
            let fault = Fault::new(raw.name.line, format!("{}.main", raw.name.key), "the key is missing");
            self.faults.push(fault.remedy("write main = \"path/to/component.wasm\""));
            return None;
        };
        let path = below(self.root, &spot.value);
        if path.is_file() {
            return Some(path);
        }
        let what = if path.exists() { "this is no file" } else { "there is no such file" };
        let fault = spot.fault_shown(what);
        match (self.purpose, raw.build.is_some()) {
            (Purpose::Dev, true) | (Purpose::Deploy, _) => {}
            (Purpose::Dev, false) => {
                self.faults.push(fault.remedy("it is deployed as soon as it appears").warning());
            }
            (Purpose::Check, true) => {
                self.faults
                    .push(fault.remedy("its build command makes it: `wasmyard dev` runs that").warning());
            }
            (Purpose::Serve, true) => {
                self.faults
                    .push(fault.remedy("run its build command first: only `wasmyard dev` does it for you"));
            }
            (Purpose::Serve | Purpose::Check, false) => {
                self.faults.push(fault.remedy("correct the path, or say how it is made with `build`"));
            }
        }
        Some(path)
    }

    fn build(&mut self, raw: &RawBuild) -> Option<BuildConfig> {
        let cwd = raw.cwd.as_ref().map_or_else(|| self.root.to_owned(), |spot| below(self.root, &spot.value));
        if let Some(spot) = raw.cwd.as_ref().filter(|_| !cwd.is_dir()) {
            let fault = spot.fault_shown("there is no such folder");
            self.faults.push(fault.remedy("paths start at the folder of wasmyard.toml"));
        }
        let mut watch = Vec::new();
        for spot in raw.watch.iter().flatten() {
            let path = below(self.root, &spot.value);
            if !path.exists() {
                let fault = spot.fault_shown("there is no such file or folder to watch");
                self.faults.push(fault.remedy("paths start at the folder of wasmyard.toml").warning());
            }
            watch.push(path);
        }
        if watch.is_empty() {
            let sources = cwd.join("src");
            watch.push(if sources.is_dir() { sources } else { cwd.clone() });
        }
        match &raw.command {
            Some(spot) if !spot.value.trim().is_empty() => {
                Some(BuildConfig { command: spot.value.clone(), cwd, watch })
            }
            _ => {
                let fault = Fault::new(raw.place.line, raw.place.key("command"), "a build needs a command");
                self.faults
                    .push(fault.remedy("write command = \"cargo build --release --target wasm32-wasip2\""));
                None
            }
        }
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 3_600)
}
