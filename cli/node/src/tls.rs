//! Visitors over TLS: where the certificates of a node come from.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::TcpListener;
use wasmyard_hostnames::InstallationKey;
use wasmyard_hostnames::authority::{Authority, Issuing};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_listener::tls::{Certificates, Groups, TicketSecret};
use wasmyard_namespaces::Domain;
use wasmyard_namespaces::route::HostPattern;

use crate::config::{ResolvedConfig, TlsConfig};
use crate::error::StartError;
use crate::ports::bind_both;

/// What a port with TLS is opened with.
pub(crate) struct Encrypting {
    /// The port.
    pub(crate) listener: TcpListener,
    /// The same for HTTP/3; none where that is not spoken.
    pub(crate) socket: Option<UdpSocket>,
    pub(crate) certificates: Arc<dyn Certificates>,
    pub(crate) groups: Arc<Groups>,
    /// Where certificates are kept that come with custom hostnames; none in development, which makes its own.
    pub(crate) store: Option<Arc<CertificateStore>>,
}

/// The certificates of a node in production: those of the data directory, and those of files before them. None where no
/// visitor is served over TLS.
pub(crate) async fn certificates(
    config: &ResolvedConfig,
    key: Option<Arc<InstallationKey>>,
) -> Result<Option<(Arc<CertificateStore>, Encrypting)>, StartError> {
    let Some(listen) = config.tls.listen else { return Ok(None) };
    let data = config.server.data.clone();
    let opened = tokio::task::spawn_blocking(move || open(&data, key)).await;
    let store = opened.map_err(|error| StartError::failed(error.to_string()))??;
    take_over(&store, &config.tls).map_err(StartError::failed)?;
    if store.is_empty() && config.tls.certificates.is_empty() {
        tracing::warn!(
            "no host has a certificate: every handshake is refused until [[tls.certificates]] names some, or a custom hostname has \
             one"
        );
    }
    let certificates = Arc::clone(&store) as Arc<dyn Certificates>;
    let groups = store.groups();
    let (listener, socket) = bind_both(listen, config.tls.http3)?;
    let kept = Some(Arc::clone(&store));
    Ok(Some((store, Encrypting { listener, socket, certificates, groups, store: kept })))
}

fn open(data: &Path, key: Option<Arc<InstallationKey>>) -> Result<Arc<CertificateStore>, StartError> {
    let opened = match key {
        Some(key) => CertificateStore::open_with(data, key),
        None => CertificateStore::open(data),
    };
    opened.map(Arc::new).map_err(|error| StartError::failed(error.to_string()))
}

/// Serves with the certificates of the files that a configuration names, and no other files.
pub(crate) fn take_over(store: &CertificateStore, config: &TlsConfig) -> Result<(), String> {
    store.use_files(&config.certificates, config.default.as_ref()).map_err(|error| error.to_string())
}

/// Where `dev` listens if nothing says otherwise.
const DEV_PORT: u16 = 8443;

/// What `dev` serves over TLS with: certificates of an authority of this folder's own.
pub(crate) struct DevTls {
    pub(crate) encrypting: Encrypting,
    /// Its certificate.
    pub(crate) authority: PathBuf,
    /// Whether it was made just now, so that nobody trusts it.
    pub(crate) is_new: bool,
}

/// The authority of a folder, made where there is none.
pub(crate) fn authority(config: &ResolvedConfig) -> Result<Authority, StartError> {
    let hosts = config.routes.iter().filter_map(|route| match route.pattern.host() {
        HostPattern::Any => None,
        HostPattern::Exact(host) | HostPattern::Wildcard(host) => Domain::parse(host.as_str()).ok(),
    });
    let hosts: Vec<Domain> = hosts.collect();
    Authority::open(&config.server.data, &hosts, SystemTime::now())
        .map_err(|error| StartError::failed(error.to_string()))
}

/// Opens the port of `dev`. None if it is taken and nobody asked for that one.
pub(crate) fn for_development(config: &ResolvedConfig) -> Result<Option<DevTls>, StartError> {
    let server = &config.server;
    let usual = || {
        let port = if server.listen.port() == 0 { 0 } else { DEV_PORT };
        let listener = wasmyard_listener::bind(SocketAddr::new(server.listen.ip(), port)).ok()?;
        // Nobody asked for it: where it is taken, there is no HTTP/3.
        let address = listener.local_addr().ok().filter(|_| config.tls.http3);
        let socket = address.and_then(|address| wasmyard_listener::bind_udp(address).ok());
        Some((listener, socket))
    };
    let ports = match config.tls.listen {
        Some(listen) => Some(bind_both(listen, config.tls.http3)?),
        None => usual(),
    };
    let Some((listener, socket)) = ports else { return Ok(None) };
    let authority = authority(config)?;
    let (path, is_new) = (authority.path().to_owned(), authority.is_new());
    // Sessions need not outlive the process.
    let failed = |error: &dyn std::fmt::Display| StartError::failed(format!("TLS cannot be set up: {error}"));
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| failed(&error))?;
    let groups = Groups::new(TicketSecret::new(&secret)).map_err(|error| failed(&error))?;
    let certificates = Arc::new(Issuing::new(authority)) as Arc<dyn Certificates>;
    let encrypting = Encrypting { listener, socket, certificates, groups: Arc::new(groups), store: None };
    Ok(Some(DevTls { encrypting, authority: path, is_new }))
}

/// How to have this machine trust the authority of a folder, and how to undo it. Changes nothing.
///
/// # Errors
/// Why there is none.
pub fn how_to_trust(config: &ResolvedConfig) -> Result<Vec<String>, StartError> {
    let authority = authority(config)?;
    let (file, names) = (authority.path().display().to_string(), authority.names());
    let names: Vec<&str> = names.iter().map(Domain::as_str).collect();
    let mut lines = vec![
        format!("authority  {file}"),
        format!("good for   {} and what is below, nothing else", names.join(", ")),
    ];
    for (system, marker, [trust, undo]) in [
        (
            "Debian, Ubuntu",
            "/usr/sbin/update-ca-certificates",
            [
                format!("sudo cp '{file}' /usr/local/share/ca-certificates/wasmyard-dev.crt && sudo update-ca-certificates"),
                "sudo rm /usr/local/share/ca-certificates/wasmyard-dev.crt && sudo update-ca-certificates --fresh".to_owned(),
            ],
        ),
        (
            "Fedora, RHEL",
            "/etc/pki/ca-trust/source/anchors",
            [
                format!("sudo cp '{file}' /etc/pki/ca-trust/source/anchors/wasmyard-dev.pem && sudo update-ca-trust"),
                "sudo rm /etc/pki/ca-trust/source/anchors/wasmyard-dev.pem && sudo update-ca-trust".to_owned(),
            ],
        ),
        (
            "macOS",
            "/usr/bin/security",
            [
                format!("security add-trusted-cert -r trustRoot -k ~/Library/Keychains/login.keychain-db '{file}'"),
                format!("security remove-trusted-cert '{file}'"),
            ],
        ),
    ] {
        if Path::new(marker).exists() {
            lines.push(format!("trust it   ({system})  {trust}"));
            lines.push(format!("undo that  ({system})  {undo}"));
        }
    }
    lines.push(format!("curl       curl --cacert '{file}' https://NAME.localhost:{DEV_PORT}/"));
    lines.push("browsers   Chrome and Safari ask the system; Firefox has a list of its own: Settings, Certificates, Authorities, Import".to_owned());
    Ok(lines)
}
