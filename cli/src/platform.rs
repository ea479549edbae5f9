//! The assembly of the running platform, and nothing else: what was configured becomes a `node::Node`,
//! and the node runs until it is told to stop. The only module that knows every crate.

mod apply;
mod checker;
mod development;
mod logs;
mod node;
mod recompile;
mod sweep;
mod token;

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use wasmyard_events::Form;
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::{Blobs, Health, Registry, RegistryError, RegistryOptions};

use crate::args::{DevArgs, ServeArgs, Token};
use crate::commands::check::ModuleCheck;
use crate::config::ResolvedConfig;
use crate::failure::Failure;
use crate::output::Output;
use node::Node;

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

    let node = Node::start(&config, registry, config.egress.clone(), None)?;
    let applied = apply::settings(&node.control, &config).await;
    without_room(
        node.control.registry(),
        applied.map_err(|error| format!("the configuration cannot be applied: {error}")),
    )?;
    for script in &config.scripts {
        let deployed = apply::deploy(&node.control, script).await;
        without_room(
            node.control.registry(),
            deployed
                .map(|applied| {
                    wasmyard_control::configuration::tell(&format!("script {}", script.key), &applied)
                })
                .map_err(|refusal| format!("script {}: {refusal}", script.key)),
        )?;
    }
    let let_go = apply::let_go(&node.control, &config).await;
    without_room(
        node.control.registry(),
        let_go.map_err(|error| format!("the configuration cannot be applied: {error}")),
    )?;
    // Before anybody knows where it listens: whoever does may stop it at once, and it ends cleanly all the same.
    let stop = stop_signal();
    node.announce(output);
    let registry = node.control.registry().clone();
    node.run(stop).await;
    registry.close().await;
    Ok(())
}

/// What cannot be applied for lack of room does not keep a start from serving what is there.
fn without_room(registry: &Registry, applied: Result<(), String>) -> Result<(), Failure> {
    match applied {
        Err(refusal) if registry.health() == Health::NoSpace => {
            tracing::error!("{refusal}; what was deployed before is served");
            Ok(())
        }
        applied => applied.map_err(Failure::failed),
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

    let builds = Arc::new(development::BrokenBuilds::default());
    // What a developer's scripts talk to often runs beside them.
    let mut egress = config.egress.clone();
    egress.policy.allow_loopback();
    output.note(
        "scripts may send requests to this machine's loopback addresses; `wasmyard serve` refuses them",
    );
    let node = Node::start(&config, registry, egress, Some(Arc::clone(&builds) as _))?;
    apply::settings(&node.control, &config)
        .await
        .map_err(|error| Failure::failed(format!("the configuration cannot be applied: {error}")))?;
    node.announce(output);
    for url in development::worth_trying(&config, node.visitors_port()) {
        output.line(&format!("try       {url}"));
    }

    let folder = Arc::new(development::Folder::new(&node, builds));
    let (stop, signalled) = (CancellationToken::new(), stop_signal());
    let reloading = crate::dev::run(config, folder, output, stop.clone());
    let serving = node.run(stop.clone().cancelled_owned());
    let mut serving = std::pin::pin!(serving);
    let mut reloading = std::pin::pin!(reloading);
    let reloaded = tokio::select! {
        ended = &mut reloading => Some(ended),
        () = signalled => None,
        () = &mut serving => None,
    };
    stop.cancel();
    match reloaded {
        Some(ended) => {
            serving.await;
            ended
        }
        None => {
            let ((), ended) = tokio::join!(serving, reloading);
            ended
        }
    }
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

/// Resolves at SIGTERM or SIGINT, which are caught from this call on.
fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            tracing::error!("signals cannot be caught: only SIGKILL will stop this process");
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("told to stop: taking no more requests, finishing those in flight");
    }
}
