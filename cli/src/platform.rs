//! The assembly of the running platform, and nothing else: what was configured becomes a `node::Node`,
//! and the node runs until it is told to stop. The only module that knows every crate.

mod apply;
mod checker;
mod development;
mod logs;
mod node;
mod recompile;
mod reload;
mod sweep;
mod token;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use wasmyard_events::Form;
use wasmyard_kv::{Kv, KvLimits, SqliteKv};
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::{Blobs, Clock, Health, Registry, RegistryError, RegistryOptions};

use crate::args::{DevArgs, ServeArgs, Token};
use crate::commands::check::ModuleCheck;
use crate::config::ResolvedConfig;
use crate::failure::Failure;
use crate::output::Output;
use node::{Node, Readiness};

pub use logs::finish as finish_logs;

/// Runs the platform from its data directory until it is told to stop.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn serve(config: ResolvedConfig, args: ServeArgs, output: &Output) -> Result<(), Failure> {
    logs::start(Form::Json, output)?;
    let data = &config.server.data;
    make_data_directory(data)?;
    let registry = Registry::open_directory(data, registry_options(&config))
        .await
        .map_err(|error| unopened(data, &error))?;
    token::admin(&registry, data, args.token.as_ref().map(Token::expose), output).await?;

    let kv = keys_and_values(data)?;
    let node = Node::start(&config, registry, kv.clone(), config.egress.clone(), None)?;
    warn_of_open_api(config.server.api_listen);
    let refused = apply::everything(&node.control, &config).await;
    if node.control.registry().health() == Health::NoSpace {
        // What cannot be applied for lack of room does not keep a start from serving what is there.
        refused.iter().for_each(|refusal| tracing::error!("{refusal}; what was deployed before is served"));
    } else if !refused.is_empty() {
        return Err(Failure::failed(refused.join("\n")));
    }
    // Before anybody knows where it listens: whoever does may stop it at once, and it ends cleanly all the same.
    let stop = stop_signal([SignalKind::terminate(), SignalKind::interrupt()]);
    let reloading = reload::on_hangup(node.control.clone(), config.source.clone(), config.server.clone());
    node.announce(output);
    let registry = node.control.registry().clone();
    let reloading = tokio::spawn(reloading);
    node.run(stop, Readiness::AtOnce).await;
    reloading.abort();
    registry.close().await;
    kv.close().await;
    Ok(())
}

/// The API has no TLS of its own, and its figures ask for no token.
fn warn_of_open_api(listen: SocketAddr) {
    if !listen.ip().is_loopback() {
        tracing::warn!(
            %listen,
            "the API can be reached from other machines in clear text, tokens among it, and /metrics without a token: have a \
             proxy that ends TLS in front of it and `api_listen` on 127.0.0.1, or let nobody else reach that port"
        );
    }
}

/// Why a data directory cannot be used, and what helps against that very cause.
fn unopened(data: &Path, error: &RegistryError) -> Failure {
    let message = format!("the data directory {} cannot be opened: {error}", data.display());
    match error.cause().remedy() {
        Some(remedy) => Failure::with_remedy(message, remedy),
        None => Failure::failed(message),
    }
}

/// Runs the platform of a folder, with hot reload, until it is told to stop.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn dev(config: ResolvedConfig, _args: DevArgs, output: &Output) -> Result<(), Failure> {
    logs::start(Form::Text, output)?;
    let data = &config.server.data;
    make_data_directory(data)?;
    // What `dev` serves is made from the folder at each start: nothing has to outlive the process.
    let registry =
        Registry::open_with(Arc::new(MemoryStore::new()), Blobs::memory(), registry_options(&config))
            .await
            .map_err(|error| Failure::failed(format!("the registry cannot be made: {error}")))?;
    let given = std::env::var("WASMYARD_API_TOKEN").ok().filter(|token| !token.is_empty());
    token::admin(&registry, data, given.as_deref(), output).await?;

    let builds = Arc::new(development::Builds::under_way(config.scripts.iter().map(|script| &script.key)));
    // What a developer's scripts talk to often runs beside them.
    let mut egress = config.egress.clone();
    egress.policy.allow_loopback();
    output.note(
        "scripts may send requests to this machine's loopback addresses; `wasmyard serve` refuses them",
    );
    // What scripts keep under a title is there again at the next start.
    let kv = keys_and_values(data)?;
    let node = Node::start(&config, registry, kv.clone(), egress, Some(Arc::clone(&builds) as _))?;
    apply::settings(&node.control, &config)
        .await
        .map_err(|error| Failure::failed(format!("the configuration cannot be applied: {error}")))?;
    node.announce(output);
    for url in development::worth_trying(&config, node.visitors_port()) {
        output.line(&format!("try       {url}"));
    }

    let folder = Arc::new(development::Folder::new(&node, Arc::clone(&builds)));
    // Whoever closes the terminal is done with it.
    let signals = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
    let (stop, signalled) = (CancellationToken::new(), stop_signal(signals));
    let reloading = crate::dev::run(config, folder, output, stop.clone());
    let first_builds = async move { builds.first_ones_ended().await };
    let serving = node.run(stop.clone().cancelled_owned(), Readiness::After(Box::pin(first_builds)));
    let mut serving = std::pin::pin!(serving);
    let mut reloading = std::pin::pin!(reloading);
    let reloaded = tokio::select! {
        ended = &mut reloading => Some(ended),
        () = signalled => None,
        () = &mut serving => None,
    };
    stop.cancel();
    let ended = match reloaded {
        Some(ended) => {
            serving.await;
            ended
        }
        None => {
            let ((), ended) = tokio::join!(serving, reloading);
            ended
        }
    };
    kv.close().await;
    ended
}

/// The keys and values of a data directory.
fn keys_and_values(data: &Path) -> Result<Kv, Failure> {
    let folder = data.to_owned();
    let open = move || SqliteKv::open(&folder).map(|store| Arc::new(store) as _);
    Kv::open(open, Clock::system(), KvLimits::default()).map_err(|error| {
        let message = format!("the keys and values in {} cannot be opened: {error}", data.display());
        Failure::with_remedy(message, "restore kv.sqlite from a backup, or move it away to begin without any")
    })
}

/// What `check` validates components with.
pub fn module_check() -> Option<Box<dyn ModuleCheck>> {
    checker::ForFiles::new().map(|check| Box::new(check) as _)
}

fn registry_options(config: &ResolvedConfig) -> RegistryOptions {
    RegistryOptions { ceiling: config.ceiling, ..RegistryOptions::default() }
}

/// Only its owner may look into the data directory: it holds tenants' code and secrets.
fn make_data_directory(data: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|error| {
        Failure::with_remedy(
            format!("the data directory {} cannot be made: {error}", data.display()),
            "choose another with --data, or with `data` under [server]",
        )
    })
}

/// Resolves at one of these signals, which are caught from this call on.
fn stop_signal<const N: usize>(kinds: [SignalKind; N]) -> impl Future<Output = ()> {
    let signals: Result<Vec<_>, _> = kinds.into_iter().map(signal).collect();
    async move {
        let Ok(mut signals) = signals else {
            tracing::error!("signals cannot be caught: only SIGKILL will stop this process");
            return std::future::pending().await;
        };
        futures::future::select_all(signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await;
        tracing::info!("told to stop: taking no more requests, finishing those in flight");
    }
}
