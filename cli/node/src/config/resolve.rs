//! What `wasmyard.toml` means: names parsed, limits within their ceilings, references followed.
//!
//! Owns the rules between keys. It must never stop at a mistake: each is noted, and what is wrong is left
//! out, so that everything else is still looked at.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wasmyard_namespaces::{
    ByteSize, ConfigKeys, ConfigName, HostRule, Limits, NameError, NamespaceName, OutboundDecl, RoutePattern,
    RouteTarget, ScriptKey, ScriptName, Tag,
    limits::MAX_TAGS,
    route::{HostPattern, RoutePatternError},
};

use super::document::Spot;
use super::fault::{Fault, closest};
use super::locate::below;
use super::raw::{RawBuild, RawConfig, RawNamespace, RawOutbound, RawRoute, RawScript, RawServer};
use super::{
    BuildConfig, CLIENTS_PART, ConfigSource, NamespaceConfig, Purpose, ResolvedConfig, RouteConfig,
    ScriptConfig, ServerConfig,
};

mod assets;
mod bindings;
mod egress;
mod limits;
mod proxies;

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
        let spot = raw.server.api_listen.as_ref().or(raw.server.listen.as_ref());
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
    let egress = egress::egress(&raw.egress, &root, faults);
    let ceiling = limits::ceiling(&raw.ceiling, faults);
    let platform = limits::platform(&raw.limits, &ceiling, faults);
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
    ResolvedConfig { source, server, egress, limits: platform, ceiling, namespaces, scripts, routes }
}

/// Resolves `[server]`: also for client commands, which need nothing else.
pub(super) fn server(raw: &RawServer, root: &Path, faults: &mut Vec<Fault>) -> ServerConfig {
    let defaults = ServerConfig::defaults(root);
    let max_invocations = count(raw.max_invocations.as_ref(), defaults.max_invocations, faults);
    let part = |spot: Option<&Spot<u64>>, divisor: u32, faults: &mut Vec<Fault>| {
        count_up_to(spot, (max_invocations / divisor).max(1), max_invocations, faults)
    };
    let max_connections = count(raw.max_connections.as_ref(), defaults.max_connections, faults);
    let per_client = (max_connections / CLIENTS_PART).max(1);
    let proxies = proxies::proxies(raw, faults);
    ServerConfig {
        listen: address(raw.listen.as_ref(), defaults.listen, faults),
        api_listen: address(raw.api_listen.as_ref(), defaults.api_listen, faults),
        data: raw.data.as_ref().map_or(defaults.data, |spot| below(root, &spot.value)),
        configuration: configuration(raw.configuration.as_ref(), faults),
        max_connections,
        max_connections_per_client: count_up_to(
            raw.max_connections_per_client.as_ref(),
            per_client,
            max_connections,
            faults,
        ),
        api_max_connections: count(raw.api_max_connections.as_ref(), defaults.api_max_connections, faults),
        proxy_protocol: proxies::protocol(raw.proxy_protocol.as_ref(), &proxies, faults),
        api_proxy_protocol: proxies::protocol(raw.api_proxy_protocol.as_ref(), &proxies, faults),
        proxies,
        max_invocations,
        max_per_namespace: part(raw.max_per_namespace.as_ref(), 2, faults),
        max_per_script: part(raw.max_per_script.as_ref(), 4, faults),
        admission_wait: millis(raw.admission_wait_ms.as_ref(), defaults.admission_wait, 0, faults),
        guest_memory: raw.guest_memory.as_ref().and_then(|spot| guest_memory(spot, faults)),
        asset_memory: asset_memory(raw.asset_memory.as_ref(), defaults.asset_memory, faults),
        header_read: millis(raw.header_read_ms.as_ref(), defaults.header_read, 1, faults),
        idle: millis(raw.idle_ms.as_ref(), defaults.idle, 1, faults),
        slow_reader: millis(raw.slow_reader_ms.as_ref(), defaults.slow_reader, 1, faults),
        drain: millis(raw.drain_ms.as_ref(), defaults.drain, 0, faults),
    }
}

/// Whether two listeners cannot both be bound; port 0 is a different one each time.
pub(super) fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_place = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0 && a.port() == b.port() && same_place
}

fn configuration(spot: Option<&Spot<String>>, faults: &mut Vec<Fault>) -> ConfigName {
    let Some(spot) = spot else { return ConfigName::default() };
    spot.value.parse().unwrap_or_else(|error: NameError| {
        faults.push(spot.fault_shown(error.rule).remedy(error.remedy));
        ConfigName::default()
    })
}

fn address(spot: Option<&Spot<String>>, default: SocketAddr, faults: &mut Vec<Fault>) -> SocketAddr {
    let Some(spot) = spot else { return default };
    spot.value.parse().unwrap_or_else(|_| {
        faults.push(
            spot.fault_shown("expected an IP address and a port")
                .remedy(format!("write it as \"{default}\"")),
        );
        default
    })
}

fn count(spot: Option<&Spot<u64>>, default: u32, faults: &mut Vec<Fault>) -> u32 {
    const MOST: u32 = 1_000_000;
    count_up_to(spot, default, MOST, faults)
}

fn count_up_to(spot: Option<&Spot<u64>>, default: u32, most: u32, faults: &mut Vec<Fault>) -> u32 {
    let Some(spot) = spot else { return default };
    match u32::try_from(spot.value) {
        Ok(value) if (1..=most).contains(&value) => value,
        _ => {
            faults.push(out_of_range(spot, 1, most.into(), &default.to_string()));
            default
        }
    }
}

fn guest_memory(spot: &Spot<String>, faults: &mut Vec<Fault>) -> Option<u64> {
    const LEAST: u64 = 1 << 20;
    match spot.value.parse::<ByteSize>() {
        Ok(size) if size.0 >= LEAST => Some(size.0),
        Ok(_) => {
            let fault = spot.fault_shown("expected at least 1MiB");
            faults.push(fault.remedy("leave the key out for three quarters of the machine's memory"));
            None
        }
        Err(error) => {
            faults.push(spot.fault_shown(error.to_string()).remedy("write it as \"4096MiB\""));
            None
        }
    }
}

fn asset_memory(spot: Option<&Spot<String>>, default: u64, faults: &mut Vec<Fault>) -> u64 {
    // Less would not hold the largest file that is held in memory; more is a slip.
    const RANGE: std::ops::RangeInclusive<u64> = 8 << 20..=1 << 40;
    let Some(spot) = spot else { return default };
    let fault = match spot.value.parse::<ByteSize>() {
        Ok(size) if RANGE.contains(&size.0) => return size.0,
        Ok(_) => {
            let range =
                format!("expected a size from {} to {}", ByteSize(*RANGE.start()), ByteSize(*RANGE.end()));
            spot.fault_shown(range).remedy(format!("leave the key out for {}", ByteSize(default)))
        }
        Err(error) => spot.fault_shown(error.to_string()).remedy("write it as \"256MiB\""),
    };
    faults.push(fault);
    default
}

fn millis(spot: Option<&Spot<u64>>, default: Duration, least: u64, faults: &mut Vec<Fault>) -> Duration {
    const MOST: u64 = 3_600_000;
    let Some(spot) = spot else { return default };
    if (least..=MOST).contains(&spot.value) {
        return Duration::from_millis(spot.value);
    }
    faults.push(out_of_range(spot, least, MOST, &format!("{} milliseconds", default.as_millis())));
    default
}

fn out_of_range(spot: &Spot<u64>, least: u64, most: u64, default: &str) -> Fault {
    spot.fault(format!("expected a whole number from {least} to {most}"))
        .value(spot.value.to_string())
        .remedy(format!("leave the key out for {default}"))
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

    fn namespace(&mut self, raw: &RawNamespace, found: &mut Vec<NamespaceConfig>) -> Option<NamespaceName> {
        let name = self.name::<NamespaceName>(&raw.name);
        let outbound = raw.outbound.as_ref().and_then(|outbound| self.outbound(outbound));
        let limits = limits::own(&raw.limits, &self.platform, &self.ceiling, self.faults);
        let egress =
            raw.egress.as_ref().map(|rules| egress::of_a_namespace(rules, self.private, self.faults));
        let set = |spot: &Option<Spot<bool>>| spot.as_ref().is_some_and(|spot| spot.value);
        let (trusted_workers, service_bindings) = (set(&raw.trusted_workers), set(&raw.service_bindings));
        let mut keys = ConfigKeys::default();
        let named = [
            (ConfigKeys::OUTBOUND, raw.outbound.is_some()),
            (ConfigKeys::TRUSTED_WORKERS, raw.trusted_workers.is_some()),
            (ConfigKeys::SERVICE_BINDINGS, raw.service_bindings.is_some()),
        ];
        named.into_iter().filter(|(_, named)| *named).for_each(|(key, _)| keys.insert(key));
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
            let fault =
                Fault::new(raw.line, raw.key.clone(), "an outbound worker needs the name of a script");
            self.faults.push(fault.remedy("write { script = \"NAME\", params = [] }"));
            return None;
        };
        let worker = self.name::<ScriptName>(script)?;
        self.reference(script.line, &script.key, "platform script", worker.as_str());
        bindings::outbound(worker, raw, self.faults)
    }

    fn script(&mut self, namespace: Option<&NamespaceName>, raw: &RawScript) -> Option<ScriptConfig> {
        let name = self.name::<ScriptName>(&raw.name);
        let build = raw.build.as_ref().and_then(|build| self.build(build));
        let assets = self.assets(raw);
        let main = self.main(raw);
        let mut bindings = self.bindings(raw);
        let kv_namespaces = self.kv_namespaces(raw, &bindings);
        let limits = limits::own(&raw.limits, &self.platform, &self.ceiling, self.faults);
        let tags = self.tags(raw);
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
        let compatibility_flags =
            raw.compatibility_flags.iter().flatten().map(|spot| spot.value.clone()).collect();
        let line = raw.name.line;
        let mut keys = ConfigKeys::default();
        let named = [
            (ConfigKeys::MAIN, main.is_some()),
            (ConfigKeys::ASSETS, assets.is_some()),
            (ConfigKeys::TAGS, raw.tags.is_some()),
            (ConfigKeys::FLAGS, raw.compatibility_flags.is_some()),
        ];
        named.into_iter().filter(|(_, named)| *named).for_each(|(key, _)| keys.insert(key));
        keys.insert_limits(&limits);
        bindings.iter().for_each(|binding| keys.insert_binding(&binding.name));
        kv_namespaces.iter().for_each(|kv| keys.insert_binding(&kv.binding));
        Some(ScriptConfig {
            key,
            main,
            build,
            bindings,
            kv_namespaces,
            assets,
            limits,
            tags,
            compatibility_flags,
            keys,
            line,
        })
    }

    fn main(&mut self, raw: &RawScript) -> Option<PathBuf> {
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
        for spot in &raw.watch {
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
                let fault = Fault::new(raw.line, raw.key.clone(), "a build needs a command");
                self.faults
                    .push(fault.remedy("write command = \"cargo build --release --target wasm32-wasip2\""));
                None
            }
        }
    }

    fn tags(&mut self, raw: &RawScript) -> Vec<Tag> {
        let spots = raw.tags.as_deref().unwrap_or_default();
        let tags: Vec<Tag> = spots.iter().filter_map(|spot| self.name(spot)).collect();
        if let Some(spot) = spots.get(MAX_TAGS) {
            let fault =
                Fault::new(spot.line, spot.key.clone(), format!("a script has at most {MAX_TAGS} tags"));
            self.faults.push(fault.remedy(format!("remove {}", spots.len() - MAX_TAGS)));
        }
        tags
    }

    fn routes(&mut self, raw: &[RawRoute]) -> Vec<RouteConfig> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut found = Vec::new();
        for raw in raw {
            let target = self.target(raw);
            let Some(spot) = &raw.pattern else {
                let fault = Fault::new(raw.line, raw.key.clone(), "the key is missing");
                self.faults.push(fault.remedy("write pattern = \"*/*\" for every request"));
                continue;
            };
            let pattern: RoutePattern = match spot.value.parse() {
                Ok(pattern) => pattern,
                Err(error) => {
                    self.faults.push(match error {
                        RoutePatternError::Rule { rule, .. } => {
                            spot.fault_shown(rule).remedy("write it like \"*.example.com/*\"")
                        }
                        RoutePatternError::Host { source, .. } => {
                            spot.fault_shown(source.rule).remedy(source.remedy)
                        }
                    });
                    continue;
                }
            };
            let canonical = pattern.to_string();
            if let Some(line) = seen.insert(canonical.clone(), spot.line) {
                let fault = spot.fault_shown(format!("line {line} already routes {canonical}"));
                self.faults.push(fault.remedy("remove one of the two"));
            }
            if raw.namespace.is_some() && !matches!(pattern.host(), HostPattern::Wildcard(_)) {
                let fault = spot.fault_shown("a namespace rule needs a host such as *.apps.example.com");
                self.faults.push(fault.remedy("what the * stands for is the name of the script"));
            }
            if let Some(target) = target {
                found.push(RouteConfig { pattern, target, line: spot.line });
            }
        }
        found
    }

    fn target(&mut self, raw: &RawRoute) -> Option<RouteTarget> {
        match (&raw.script, &raw.namespace, &raw.respond) {
            (Some(spot), None, None) => {
                let name = self.name::<ScriptName>(spot)?;
                self.reference(spot.line, &spot.key, "platform script", name.as_str());
                Some(RouteTarget::Script(name))
            }
            (None, Some(spot), None) => {
                let name = self.name::<NamespaceName>(spot)?;
                self.reference(spot.line, &spot.key, "namespace", name.as_str());
                Some(RouteTarget::Namespace(name))
            }
            (None, None, Some(spot)) => match u16::try_from(spot.value) {
                Ok(status) if (200..=599).contains(&status) => Some(RouteTarget::Respond(status)),
                _ => {
                    let fault =
                        spot.fault("expected an HTTP status from 200 to 599").value(spot.value.to_string());
                    self.faults.push(fault.remedy("write respond = 404"));
                    None
                }
            },
            _ => {
                let key = raw.key.trim_end_matches(".pattern").to_owned();
                let fault =
                    Fault::new(raw.line, key, "a route needs exactly one of script, namespace and respond");
                self.faults.push(fault.remedy("keep the one that is meant"));
                None
            }
        }
    }
}
