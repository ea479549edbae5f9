//! `wasmyard.toml`: from text to a [`ResolvedConfig`] that the rest of the program can trust.
//!
//! The steps, each a file: `locate` finds it, `document` reads its shape by what `keys` declares, `resolve` gives it meaning. All
//! mistakes are gathered on the way and reported together ([`Faults`]), each with its line, value and
//! remedy. This module must never start anything and never change a file.
//!
//! What an assembler of the platform needs to know about a [`ResolvedConfig`]:
//! - every name is parsed, every limit is within its ceiling, every path is absolute;
//! - user scripts and platform scripts are in one list, told apart by their [`ScriptKey`];
//! - `vars` are already among the bindings, as `plain_text` (strings) or `json` (everything else);
//! - a script, namespace or binding that is named but not declared is an error for `dev`, where nothing
//!   else exists; for `serve` and `check` it is a warning, since the API may have made it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use wasmyard_api::Rates;
use wasmyard_cache::CacheLimits;
pub use wasmyard_control::DeclaredConsumer;
use wasmyard_control::configuration::DeclaredZone;
use wasmyard_dispatcher::{EgressConfig, OriginsConfig};
use wasmyard_hostnames::ServedName;
use wasmyard_hostnames::certificates::Served;
use wasmyard_listener::Proxies;
use wasmyard_namespaces::cron::Cron;
use wasmyard_namespaces::{
    BindingDecl, BindingName, BlockedNames, CapabilityPolicy, ConfigKeys, ConfigName, EgressRules, LimitSpec,
    Limits, NamespaceName, OutboundDecl, RoutePattern, RouteTarget, ScriptKey, StorageKind, Tag,
};
use wasmyard_net::ExtraRoots;
use wasmyard_ownership::Dnssec;

use crate::assets::AssetsSource;

mod by_name;
mod certificates;
mod document;
mod fault;
mod forms;
mod keys;
mod locate;
mod master_key;
mod reference;
mod resolve;
mod section;

pub use by_name::{D1ByName, KvByTitle};
pub use certificates::{CertificatesConfig, DcvConfig};

use keys::{RawConfig, RawServer};
pub use master_key::MasterKeySource;
use section::Section as _;

pub use fault::{Fault, Faults, Severity};
pub use locate::{CONFIG_FILE, ConfigSource, DATA_DIR, LocalApi, TOKEN_FILE};
pub use reference::reference;

/// A configuration that holds together.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedConfig {
    /// Where it was read.
    pub source: ConfigSource,
    /// `[server]`, with command line options laid over it.
    pub server: ServerConfig,
    /// `[tls]` and `listen_tls`: how visitors are served over TLS.
    pub tls: TlsConfig,
    /// `[egress]`: where scripts may send requests.
    pub egress: EgressConfig,
    /// How custom hostnames are checked.
    pub hostnames: HostnamesConfig,
    /// `[origins]`: how requests go to servers outside.
    pub origins: OriginsConfig,
    /// Where certificates of custom hostnames come from.
    pub certificates: CertificatesConfig,
    /// The name server of delegated validation; none: nothing is delegated.
    pub dcv: Option<DcvConfig>,
    /// `[cache]`: how much scripts' caches may take.
    pub cache: CacheLimits,
    /// `[r2]`: where clients of the S3 protocol are answered; none: nowhere.
    pub s3_listen: Option<SocketAddr>,
    /// Where notifications may be sent.
    pub webhooks: WebhooksConfig,
    /// `[limits]` over the built-in defaults: the platform's own limits, which everything is tightened from.
    pub limits: Limits,
    /// `[limits.ceiling]` under the built-in ceilings: the most that anybody may ask for.
    pub ceiling: Limits,
    /// `[namespaces.NAME]`, in the order of their names.
    pub namespaces: Vec<NamespaceConfig>,
    /// `[scripts.NAME]` and `[namespaces.NAME.scripts.NAME]`.
    pub scripts: Vec<ScriptConfig>,
    /// `[[routes]]`, in the order of the file; no two have the same pattern.
    pub routes: Vec<RouteConfig>,
    /// `[zones.NAME]`, in the order of their names.
    pub zones: Vec<DeclaredZone>,
}

impl ResolvedConfig {
    /// The sections that say something else in `new`, and are read at the start alone.
    pub fn fixed_sections_that_differ(&self, new: &Self) -> Vec<&'static str> {
        let sections = [
            ("server", self.server != new.server),
            ("tls", !self.tls.differs_in_certificates_alone(&new.tls)),
            ("egress", self.egress != new.egress),
            ("origins", self.origins != new.origins),
            ("dcv", self.dcv != new.dcv),
            ("cache", self.cache != new.cache),
            ("r2", self.s3_listen != new.s3_listen),
            ("webhooks", self.webhooks != new.webhooks),
            ("limits", self.limits != new.limits || self.ceiling != new.ceiling),
        ];
        sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
    }
}

/// How custom hostnames are checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostnamesConfig {
    /// Who is asked; none is the machine's own.
    pub name_servers: Vec<SocketAddr>,
    /// Whether their answers are validated.
    pub dnssec: Dnssec,
    /// The file of keys that signatures are believed by; none: the root's own.
    pub trust_anchors: Option<PathBuf>,
    /// Addresses at which visitors reach this platform.
    pub apex_addresses: Vec<IpNet>,
    /// Networks beside public addresses from which a token may be fetched.
    pub allow_private: Vec<IpNet>,
    /// Private authorities whose certificates customers may bring.
    pub certificate_roots: ExtraRoots,
    /// Names that no zone may claim.
    pub blocked: BlockedNames,
}

/// Where notifications may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhooksConfig {
    /// The only ports that may be reached.
    pub ports: Vec<u16>,
    /// Networks beside public addresses that may be reached.
    pub allow_private: Vec<IpNet>,
}

/// What the server binds and how much it takes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// Where visitors connect. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the v4 API, metrics and health listen.
    pub api_listen: SocketAddr,
    /// The data directory. `dev` keeps nothing there but the token.
    pub data: PathBuf,
    /// Under which name what the file declares is owned, where several nodes share a registry.
    pub configuration: ConfigName,
    /// How many versions of each script are kept.
    pub kept_versions: u32,
    /// Where the master key comes from, if there is one.
    pub master_key: Option<MasterKeySource>,
    /// Visitor connections open at once.
    pub max_connections: u32,
    /// Of these, those of one client: an IPv4 address, or a /64 network of IPv6.
    pub max_connections_per_client: u32,
    /// Connections to the API open at once.
    pub api_max_connections: u32,
    /// How often clients of the API may call.
    pub rates: Rates,
    /// How long an entry of the audit log is kept.
    pub audit_kept: Duration,
    /// How long storage of a script's own is kept that nothing leads to.
    pub storage_grace: Duration,
    /// The proxies in front that are believed.
    pub proxies: Proxies,
    /// Whether these proxies begin connections of visitors with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// The same for the API.
    pub api_proxy_protocol: bool,
    /// Whether customers may have names that are kept for tests and documentation. `dev` lets them.
    pub reserved_names: bool,
    /// Invocations under way at once, over all scripts.
    pub max_invocations: u32,
    /// Of these, those of the user scripts of one namespace.
    pub max_per_namespace: u32,
    /// Of these, those of one user script.
    pub max_per_script: u32,
    /// Longest wait of an invocation for its place.
    pub admission_wait: Duration,
    /// Linear memory and tables of all guests together, in bytes; none is a part of the machine's memory.
    pub guest_memory: Option<u64>,
    /// Contents of static files that are held in memory, in bytes; as much again for what is known of the files.
    pub asset_memory: u64,
    /// Longest time for a request's head to arrive.
    pub header_read: Duration,
    /// Longest pause between two requests of a connection.
    pub idle: Duration,
    /// How long a visitor may take next to nothing of an answer that is ready.
    pub slow_reader: Duration,
    /// Longest wait for requests in flight when the server is told to stop.
    pub drain: Duration,
}

impl ServerConfig {
    /// What holds where `[server]` says nothing; the data directory lies below `root`.
    pub fn defaults(root: &Path) -> Self {
        resolve::server(&RawServer::unset(), root, &mut Vec::new())
    }
}

/// How visitors are served over TLS.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TlsConfig {
    /// Where they connect; none serves nobody over TLS. Port 0 lets the system choose.
    pub listen: Option<SocketAddr>,
    /// Whether they are served over HTTP/3 there as well, by UDP.
    pub http3: bool,
    /// Whether requests in clear text are sent there.
    pub redirect: bool,
    /// The port that visitors know it by, where that is another one.
    pub redirect_port: Option<u16>,
    /// For how long browsers are told to ask over https alone.
    pub strict: Option<Duration>,
    /// What is served with certificates from files.
    pub certificates: Vec<Served>,
    /// Whose certificate clients are served with that name no host.
    pub default: Option<ServedName>,
}

impl TlsConfig {
    /// Whether everything but the certificates, which a reload takes over, is the same.
    fn differs_in_certificates_alone(&self, other: &Self) -> bool {
        let (certificates, default) = (self.certificates.clone(), self.default.clone());
        *self == Self { certificates, default, ..other.clone() }
    }
}

/// A namespace that exists from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceConfig {
    /// Its name.
    pub name: NamespaceName,
    /// The platform script that receives every fetch of its scripts.
    pub outbound: Option<OutboundDecl>,
    /// Where its scripts may send requests.
    pub egress: Option<EgressRules>,
    /// Whether its scripts may call each other through service bindings.
    pub service_bindings: bool,
    /// Namespaces whose scripts may be bound to scripts of this one.
    pub callable_by: BTreeSet<NamespaceName>,
    /// What its scripts may import and be bound to.
    pub capabilities: Option<CapabilityPolicy>,
    /// Limits for all its scripts.
    pub limits: LimitSpec,
    /// Whether its scripts are the operator's own.
    pub trusted_workers: bool,
    /// What of this is written down, and not a default: the file owns that and nothing else.
    pub keys: ConfigKeys,
}

/// A script that is deployed from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptConfig {
    /// Its name, and its namespace where it has one.
    pub key: ScriptKey,
    /// The component; none for a script that is only assets. It may not exist before the first build.
    pub main: Option<PathBuf>,
    /// How `main` is made, where wasmyard is to make it.
    pub build: Option<BuildConfig>,
    /// Its bindings, `vars` among them; sorted by name, names are unique.
    pub bindings: Vec<BindingDecl>,
    /// Those of them that lead to another server's namespaces while somebody develops.
    pub remote: Vec<BindingName>,
    /// Bindings to storage of its own, and what that is.
    pub own: Vec<(BindingName, StorageKind)>,
    /// KV namespaces that it is bound to by their titles: made where there are none.
    pub kv_namespaces: Vec<KvByTitle>,
    /// Queues that it consumes: made where there are none.
    pub queue_consumers: Vec<DeclaredConsumer>,
    /// Databases that it is bound to by their names: made where there are none.
    pub d1_databases: Vec<D1ByName>,
    /// The files it serves.
    pub assets: Option<AssetsSource>,
    /// The limits it asks for.
    pub limits: LimitSpec,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// Its cron expressions, where the file says which.
    pub crons: Option<Vec<Cron>>,
    /// Switches for behaviour.
    pub compatibility_flags: Vec<String>,
    /// What of this is written down, and not a default: the file owns that and nothing else.
    pub keys: ConfigKeys,
    /// The line of its table, for messages.
    pub line: usize,
}

/// A build command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildConfig {
    /// Given to `sh -c`.
    pub command: String,
    /// The folder it runs in.
    pub cwd: PathBuf,
    /// Files and folders whose change calls for a build.
    pub watch: Vec<PathBuf>,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteConfig {
    /// Which requests it takes.
    pub pattern: RoutePattern,
    /// Who answers them.
    pub target: RouteTarget,
    /// The line of its pattern, for messages.
    pub line: usize,
}

/// What a configuration is read for, and so how much of the world must already be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The file is all there is; builds are run.
    Dev,
    /// The API may add to it; no build is run, so that every `main` must be there.
    Serve,
    /// Nothing is started.
    Check,
    /// Its scripts are uploaded to a server that has its own idea of the rest.
    Deploy,
}

/// Reads and resolves a configuration. Warnings come beside a configuration that holds.
///
/// # Errors
/// All mistakes, warnings among them, if there is at least one that is no warning.
pub fn load(source: ConfigSource, purpose: Purpose) -> Result<(ResolvedConfig, Faults), Faults> {
    let text = source.read()?;
    let mut reader = document::Reader::new(&text);
    let raw = section::read(&mut reader, &text);
    let mut faults = Faults { file: source.shown(), list: std::mem::take(&mut reader.faults) };
    let config = resolve::resolve(source, raw, purpose, &mut faults.list);
    faults.sort();
    if faults.any_error() { Err(faults) } else { Ok((config, faults)) }
}

/// Refuses the lack of a file, for commands that make no sense without one.
///
/// # Errors
/// A fault that names the folder.
pub fn required(source: ConfigSource, folder: &Path) -> Result<ConfigSource, Faults> {
    if source.file.is_some() {
        return Ok(source);
    }
    let fault = Fault::new(0, "", format!("there is no such file in {}", folder.display()));
    let remedy = "make one with `wasmyard init`, or name another with --config";
    Err(Faults { file: CONFIG_FILE.to_owned(), list: vec![fault.remedy(remedy)] })
}

/// What a client command in `folder` can know of its own server. Mistakes in the file do not matter here:
/// it may be another command's, and the defaults serve.
pub fn local_api(folder: &Path) -> LocalApi {
    let fallback = || {
        let server =
            ServerConfig::defaults(&std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()));
        LocalApi { listen: server.api_listen, data: server.data }
    };
    let Ok(source) = ConfigSource::find(None, folder) else { return fallback() };
    let Ok(text) = source.read() else { return fallback() };
    let mut reader = document::Reader::new(&text);
    let raw: RawConfig = section::read(&mut reader, &text);
    let server = resolve::server(&raw.server, &source.root, &mut Vec::new());
    LocalApi { listen: server.api_listen, data: server.data }
}

/// Refuses one address for two listeners, for whoever laid options over the file.
///
/// # Errors
/// A fault that names the address.
pub fn two_listeners(config: &ResolvedConfig) -> Result<(), Faults> {
    if resolve::collide(config.server.listen, config.server.api_listen) {
        let fault = Fault::new(0, "", "visitors and the API cannot listen on the same address")
            .value(config.server.listen.to_string())
            .remedy("give --listen and --api-listen different ports");
        return Err(Faults { file: config.source.shown(), list: vec![fault] });
    }
    let others = [config.server.listen, config.server.api_listen];
    if let Some(tls) =
        config.tls.listen.filter(|tls| others.iter().any(|other| resolve::collide(*tls, *other)))
    {
        let fault = Fault::new(0, "", "TLS needs an address of its own").value(tls.to_string());
        let fault = fault.remedy("give --listen-tls a port of its own");
        return Err(Faults { file: config.source.shown(), list: vec![fault] });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
