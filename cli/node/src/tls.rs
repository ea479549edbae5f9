//! Visitors over TLS: where the certificates of a node come from.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_listener::tls::{Certificates, Groups};

use crate::config::{ResolvedConfig, TlsConfig};
use crate::error::StartError;

/// What a port with TLS is opened with.
pub(crate) struct Encrypting {
    /// Where.
    pub(crate) listen: SocketAddr,
    pub(crate) certificates: Arc<dyn Certificates>,
    pub(crate) groups: Arc<Groups>,
}

/// The certificates of a node in production: those of the data directory, and those of files before them. None where no
/// visitor is served over TLS.
pub(crate) async fn certificates(
    config: &ResolvedConfig,
) -> Result<Option<(Arc<CertificateStore>, Encrypting)>, StartError> {
    let Some(listen) = config.tls.listen else { return Ok(None) };
    let data = config.server.data.clone();
    let opened = tokio::task::spawn_blocking(move || open(data)).await;
    let store = opened.map_err(|error| StartError::failed(error.to_string()))??;
    take_over(&store, &config.tls).map_err(StartError::failed)?;
    if store.is_empty() && config.tls.certificates.is_empty() {
        tracing::warn!(
            "no host has a certificate: every handshake is refused until [[tls.certificates]] names some"
        );
    }
    let certificates = Arc::clone(&store) as Arc<dyn Certificates>;
    let groups = store.groups();
    Ok(Some((store, Encrypting { listen, certificates, groups })))
}

fn open(data: PathBuf) -> Result<Arc<CertificateStore>, StartError> {
    CertificateStore::open(&data).map(Arc::new).map_err(|error| StartError::failed(error.to_string()))
}

/// Serves with the certificates of the files that a configuration names, and no other files.
pub(crate) fn take_over(store: &CertificateStore, config: &TlsConfig) -> Result<(), String> {
    store.use_files(&config.certificates).map_err(|error| error.to_string())
}
