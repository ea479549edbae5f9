//! SIGHUP: `wasmyard.toml` is read again and taken over while requests go on, as they do with any deploy. What is bound at
//! the start (ports, limits of the node, egress of all) waits for the next one, and the log says so.
//!
//! A file with a mistake changes nothing.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use wasmyard_control::Control;
use wasmyard_hostnames::certificates::CertificateStore;

use crate::apply;
use crate::config::{self, ConfigSource, Purpose, ResolvedConfig, ServerConfig};
use crate::{hostnames, tls};

/// Takes the configuration over at each SIGHUP, which is caught from this call on. `server` is how the node was started:
/// options of the command line lie over what the file says.
pub(crate) fn on_hangup(
    control: Control,
    certificates: Option<Arc<CertificateStore>>,
    source: ConfigSource,
    server: ServerConfig,
) -> impl Future<Output = ()> + Send {
    let hangups = signal(SignalKind::hangup());
    async move {
        let Ok(mut hangups) = hangups else {
            return tracing::error!("SIGHUP cannot be caught: it will stop this process at once");
        };
        // What the file says of it now is what was taken over at the start.
        let mut before = read(&source).await.ok();
        while hangups.recv().await.is_some() {
            let mut new = match read(&source).await {
                Ok(new) => new,
                Err(reason) => {
                    tracing::error!("the configuration before stays in force: {reason}");
                    continue;
                }
            };
            if let Some(before) = &before {
                for section in before.fixed_sections_that_differ(&new) {
                    tracing::warn!(section, "[{section}] takes effect with the next start");
                }
            }
            before = Some(new.clone());
            new.server = server.clone();
            if let Some(certificates) = &certificates
                && let Err(reason) = tls::take_over(certificates, &new.tls)
            {
                tracing::error!("the certificates before stay in force: {reason}");
            }
            control.block_names(new.hostnames.blocked.clone());
            hostnames::check_blocked(&control).await;
            let refused = apply::everything(&control, &new).await;
            refused.iter().for_each(|refusal| tracing::error!("{refusal}"));
            tracing::info!(refused = refused.len(), "configuration reloaded");
        }
    }
}

async fn read(source: &ConfigSource) -> Result<ResolvedConfig, String> {
    let source = source.clone();
    let loaded = tokio::task::spawn_blocking(move || config::load(source, Purpose::Serve)).await;
    let loaded = loaded.map_err(|error| error.to_string())?;
    let (new, warnings) = loaded.map_err(|faults| format!("{faults}\n{}", faults.summary()))?;
    if !warnings.list.is_empty() {
        tracing::warn!("{warnings}");
    }
    Ok(new)
}
