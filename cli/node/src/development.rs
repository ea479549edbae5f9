//! What `wasmyard dev` adds to a node: scripts that come from a folder, and a page that shows a broken build
//! to whoever looks at it in a browser while the last good version serves everybody else. Until there is a first version,
//! everybody is told that it is being built.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode, header};
use tokio::signal::unix::SignalKind;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmyard_control::Control;
use wasmyard_dispatcher::Overlay;
use wasmyard_namespaces::route::HostPattern;
use wasmyard_namespaces::{RouteTarget, ScriptKey};
use wasmyard_runtime::{Body, body};

use crate::config::{ResolvedConfig, ScriptConfig};
use crate::error::StartError;
use crate::node::{Development, Node, Readiness};
use crate::remote::{RemoteNamespaces, RemoteServer};
use crate::stop::{self, Stop};
use crate::storage::{Kept, Storage};
use crate::{apply, node, tls};

/// More addresses than this are no help.
const MOST_URLS: usize = 8;

/// Scripts of the folder that cannot be shown as they are, and why.
struct Builds {
    unshown: RwLock<HashMap<ScriptKey, Unshown>>,
    /// Told when a first build has ended.
    ended: Notify,
}

enum Unshown {
    /// There is no version yet.
    Building { since: Instant },
    /// The last build failed, with these words.
    Broken(String),
}

impl Builds {
    /// The first builds of these scripts are under way.
    fn under_way<'k>(scripts: impl Iterator<Item = &'k ScriptKey>) -> Self {
        let since = Instant::now();
        let unshown = scripts.map(|script| (script.clone(), Unshown::Building { since })).collect();
        Self { unshown: RwLock::new(unshown), ended: Notify::new() }
    }

    fn set(&self, script: &ScriptKey, message: Option<String>) {
        let mut unshown = self.unshown.write().unwrap_or_else(PoisonError::into_inner);
        match message {
            Some(message) => unshown.insert(script.clone(), Unshown::Broken(message)),
            None => unshown.remove(script),
        };
        drop(unshown);
        self.ended.notify_waiters();
    }

    /// Resolves when each script of the start has a version, or the reason why it has none.
    async fn first_ones_ended(&self) {
        loop {
            let ended = self.ended.notified();
            let mut ended = std::pin::pin!(ended);
            ended.as_mut().enable();
            let any = {
                let unshown = self.unshown.read().unwrap_or_else(PoisonError::into_inner);
                unshown.values().any(|state| matches!(state, Unshown::Building { .. }))
            };
            if !any {
                return;
            }
            ended.await;
        }
    }
}

impl Overlay for Builds {
    fn answer(&self, script: &ScriptKey, request: &Request<Body>) -> Option<Response<Body>> {
        let unshown = self.unshown.read().unwrap_or_else(PoisonError::into_inner);
        let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let html = accept.is_some_and(|accept| accept.contains("text/html"));
        match unshown.get(script)? {
            Unshown::Building { since } => Some(building(script, since.elapsed(), html)),
            Unshown::Broken(message) => html.then(|| page(script, message)),
        }
    }
}

/// Shown until there is a first version; a browser asks again by itself.
fn building(script: &ScriptKey, since: Duration, html: bool) -> Response<Body> {
    let text = format!("{script} is being built, since {} s", since.as_secs());
    let (kind, text) = if html {
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta http-equiv=\"refresh\" content=\"1\">\n\
             <title>{script} is being built</title>\n<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2em;\
             color:#222}}</style>\n<h1>{text}</h1>\n<p>This page asks again by itself; the terminal shows the build.</p>\n</html>\n"
        );
        ("text/html; charset=utf-8", page)
    } else {
        ("text/plain; charset=utf-8", format!("{text}\n"))
    };
    let mut response = shown(StatusCode::SERVICE_UNAVAILABLE, kind, text);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn shown(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn page(script: &ScriptKey, message: &str) -> Response<Body> {
    let escaped = message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Build failed: {script}</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;margin:2em;color:#222}}pre{{background:#1e1e1e;\
         color:#eee;padding:1em;overflow:auto;border-radius:6px}}</style>\n<h1>The build of {script} failed</h1>\n\
         <p>The last good version keeps serving requests that do not ask for a page. \
         Save a change to build again, then reload.</p>\n<pre>{escaped}</pre>\n</html>\n"
    );
    shown(StatusCode::INTERNAL_SERVER_ERROR, "text/html; charset=utf-8", text)
}

/// Addresses that are worth opening: a host for each exact route, and for each wildcard one for each user
/// script, since that is whom wildcards usually lead to.
fn worth_trying(config: &ResolvedConfig, port: u16) -> Vec<String> {
    let mut urls = Vec::new();
    for route in &config.routes {
        if matches!(route.target, RouteTarget::Respond(_)) {
            continue;
        }
        match route.pattern.host() {
            HostPattern::Any => urls.push(format!("http://localhost:{port}/")),
            HostPattern::Exact(host) => urls.push(format!("http://{host}:{port}/")),
            HostPattern::Wildcard(suffix) => {
                let scripts = config.scripts.iter().filter(|script| script.key.namespace().is_some());
                urls.extend(scripts.map(|script| format!("http://{}.{suffix}:{port}/", script.key.script())));
            }
        }
    }
    urls.truncate(MOST_URLS);
    urls
}

/// A node for the scripts of a folder: whoever builds them tells its [`DevNode`].
pub struct Developing {
    node: Node,
    kept: Kept,
    builds: Arc<Builds>,
    folder: Arc<DevNode>,
    urls: Vec<String>,
    untrusted: Option<PathBuf>,
    signalled: Stop,
}

impl Developing {
    /// Opens the ports, and makes the namespaces and routes that are declared. Scripts may reach this machine's loopback
    /// addresses. Signals are caught when it returns.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub async fn start(
        storage: Storage,
        config: &ResolvedConfig,
        remote: Option<RemoteServer>,
    ) -> Result<Self, StartError> {
        let Storage { registry, kept, .. } = storage;
        let builds = Arc::new(Builds::under_way(config.scripts.iter().map(|script| &script.key)));
        // What a developer's scripts talk to often runs beside them.
        let mut egress = config.egress.clone();
        egress.policy.allow_loopback();
        let (capacity, warnings) = node::capacity(config)?;
        // Of weight where there are visitors: here it would be the first that a newcomer reads.
        tracing::debug!(guest_memory_bytes = capacity.guest_memory, "{}", capacity.shown);
        warnings.iter().for_each(|warning| tracing::debug!("{warning}"));
        let overlay = Arc::clone(&builds) as Arc<dyn Overlay>;
        let tls = tls::for_development(config)?;
        let untrusted = tls.as_ref().filter(|tls| tls.is_new).map(|tls| tls.authority.clone());
        let encrypting = tls.map(|tls| tls.encrypting);
        let development = Some(Development { overlay, remote });
        let node = Node::start(config, &capacity, registry, kept.clone(), egress, encrypting, development)?;
        apply::settings(&node.control, config)
            .await
            .map_err(|error| StartError::failed(format!("the configuration cannot be applied: {error}")))?;
        let refused = apply::zones(&node.control, config).await;
        if !refused.is_empty() {
            return Err(StartError::failed(refused.join("\n")));
        }
        let urls = worth_trying(config, node.visitors_port());
        let folder = Arc::new(DevNode::new(&node, Arc::clone(&builds)));
        // Whoever closes the terminal is done with it.
        let signalled = stop::at([SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()]);
        Ok(Self { node, kept, builds, folder, urls, untrusted, signalled })
    }

    /// Where it listens, by the name of each port.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        self.node.addresses()
    }

    /// Addresses that are worth opening in a browser.
    pub fn worth_trying(&self) -> &[String] {
        &self.urls
    }

    /// The certificate of the authority that https is served with, if it was made now and nobody trusts it.
    pub fn untrusted(&self) -> Option<&Path> {
        self.untrusted.as_deref()
    }

    /// The node, for the loop that builds and reloads.
    pub fn folder(&self) -> Arc<DevNode> {
        Arc::clone(&self.folder)
    }

    /// Serves until it is told to stop, or until `following` has ended, which is the loop that builds and reloads: it is
    /// told to end by `stop`.
    pub async fn run<T>(self, following: impl Future<Output = T>, stop: CancellationToken) -> T {
        let Self { node, kept, builds, signalled, .. } = self;
        let first_builds = async move { builds.first_ones_ended().await };
        let serving = node.run(stop.clone().cancelled_owned(), Readiness::After(Box::pin(first_builds)));
        let mut serving = std::pin::pin!(serving);
        let mut following = std::pin::pin!(following);
        let followed = tokio::select! {
            ended = &mut following => Some(ended),
            () = signalled => None,
            () = &mut serving => None,
        };
        stop.cancel();
        let ended = match followed {
            Some(ended) => {
                serving.await;
                ended
            }
            None => {
                let ((), ended) = tokio::join!(serving, following);
                ended
            }
        };
        kept.close().await;
        ended
    }
}

/// The node, as the loop that builds and reloads a folder sees it.
pub struct DevNode {
    control: Control,
    builds: Arc<Builds>,
    remote: Option<Arc<RemoteNamespaces>>,
    /// Scripts that came from the folder.
    deployed: tokio::sync::Mutex<Vec<ScriptKey>>,
}

impl DevNode {
    fn new(node: &Node, builds: Arc<Builds>) -> Self {
        let (control, remote) = (node.control.clone(), node.remote.clone());
        Self { control, builds, remote, deployed: tokio::sync::Mutex::default() }
    }

    /// Deploys the script's component and assets, as they are now, as its new version.
    ///
    /// # Errors
    /// Why they are refused; the version before goes on serving.
    pub async fn deploy(&self, script: &ScriptConfig) -> Result<(), String> {
        apply::deploy(&self.control, script).await?;
        self.builds.set(&script.key, None);
        let mut deployed = self.deployed.lock().await;
        if !deployed.contains(&script.key) {
            deployed.push(script.key.clone());
        }
        Ok(())
    }

    /// Shows this message to whoever looks at the script in a browser, until the next good deployment.
    pub fn fail(&self, script: &ScriptKey, message: String) {
        self.builds.set(script, Some(message));
    }

    /// Takes over a changed configuration: namespaces, routes, zones, and the removal of scripts that left it.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn reload_config(&self, config: &ResolvedConfig) -> Result<(), String> {
        apply::settings(&self.control, config).await.map_err(|error| error.to_string())?;
        self.remote.iter().for_each(|remote| remote.declare(config));
        let refused = apply::zones(&self.control, config).await;
        // Scripts that came from the folder and are not in it any more go; what the API made stays.
        let mut deployed = self.deployed.lock().await;
        let (kept, gone): (Vec<_>, Vec<_>) =
            deployed.drain(..).partition(|key| config.scripts.iter().any(|script| script.key == *key));
        *deployed = kept;
        for key in gone {
            self.builds.set(&key, None);
            let registry = self.control.registry().over_configuration();
            registry.delete_script(&key).await.map_err(|error| error.to_string())?;
        }
        if refused.is_empty() { Ok(()) } else { Err(refused.join("\n")) }
    }
}
