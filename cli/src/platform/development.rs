//! What `wasmyard dev` adds to a node: scripts that come from a folder, and a page that shows a broken build
//! to whoever looks at it in a browser while the last good version serves everybody else.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use http::{HeaderValue, Request, Response, StatusCode, header};
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

/// Scripts whose last build failed, with what the build said.
#[derive(Default)]
pub(super) struct BrokenBuilds(RwLock<HashMap<ScriptKey, String>>);

impl BrokenBuilds {
    fn set(&self, script: &ScriptKey, message: Option<String>) {
        let mut broken = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match message {
            Some(message) => broken.insert(script.clone(), message),
            None => broken.remove(script),
        };
    }
}

impl Overlay for BrokenBuilds {
    fn answer(&self, script: &ScriptKey, request: &Request<Body>) -> Option<Response<Body>> {
        let broken = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let message = broken.get(script)?;
        let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html")).then(|| page(script, message))
    }
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
    let mut response = Response::new(body::full(text));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
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
    builds: Arc<BrokenBuilds>,
    /// Scripts that came from the folder.
    deployed: tokio::sync::Mutex<Vec<ScriptKey>>,
}

impl Folder {
    pub(super) fn new(node: &Node, builds: Arc<BrokenBuilds>) -> Self {
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
