//! What `wasmyard dev` adds to a node: scripts that come from a folder, and a page that shows a broken build
//! to whoever looks at it in a browser while the last good version serves everybody else. Until there is a first version,
//! everybody is told that it is being built.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tokio::sync::Notify;
use wasmyard_control::Control;
use wasmyard_dispatcher::Overlay;
use wasmyard_namespaces::route::HostPattern;
use wasmyard_namespaces::{RouteTarget, ScriptKey};
use wasmyard_runtime::{Body, body};

use super::apply;
use super::node::Node;
use crate::config::{ResolvedConfig, ScriptConfig};
use crate::dev::DevPlatform;

/// More addresses than this are no help.
const MOST_URLS: usize = 8;

/// Scripts of the folder that cannot be shown as they are, and why.
pub(super) struct Builds {
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
    pub(super) fn under_way<'k>(scripts: impl Iterator<Item = &'k ScriptKey>) -> Self {
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
    pub(super) async fn first_ones_ended(&self) {
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
pub(super) fn worth_trying(config: &ResolvedConfig, port: u16) -> Vec<String> {
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

/// The node, as the loop of hot reload sees it.
pub(super) struct Folder {
    control: Control,
    builds: Arc<Builds>,
    /// Scripts that came from the folder.
    deployed: tokio::sync::Mutex<Vec<ScriptKey>>,
}

impl Folder {
    pub(super) fn new(node: &Node, builds: Arc<Builds>) -> Self {
        Self { control: node.control.clone(), builds, deployed: tokio::sync::Mutex::default() }
    }
}

#[async_trait]
impl DevPlatform for Folder {
    async fn deploy(&self, script: &ScriptConfig) -> Result<(), String> {
        apply::deploy(&self.control, script).await?;
        self.builds.set(&script.key, None);
        let mut deployed = self.deployed.lock().await;
        if !deployed.contains(&script.key) {
            deployed.push(script.key.clone());
        }
        Ok(())
    }

    async fn fail(&self, script: &ScriptKey, message: String) {
        self.builds.set(script, Some(message));
    }

    async fn reload_config(&self, config: &ResolvedConfig) -> Result<(), String> {
        apply::settings(&self.control, config).await.map_err(|error| error.to_string())?;
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
        Ok(())
    }
}
