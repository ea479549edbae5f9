//! The assets of one version, with their rules read: who answers a request, and with what.
//!
//! Owns the order in which rules, redirects and files are asked. Does no IO: contents are fetched by
//! [`super::content`] for the file that is named here.

use std::borrow::Cow;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, Method};
use wasmyard_namespaces::assets::rules::{HeaderRules, RedirectRules, Redirection, RoutingRules, Runs};
use wasmyard_namespaces::assets::{
    AssetEntry, AssetScope, BasePath, HtmlHandling, Manifest, NotFoundHandling, RunWorkerFirst, VersionAssets,
};
use wasmyard_namespaces::script::Version;
use wasmyard_namespaces::url_path::{canonical, decoded, normalized};

use super::resolve::{Resolved, resolve};

/// From this date on, navigations are answered by assets unless a version says otherwise.
const NAVIGATIONS_SINCE: &str = "2025-04-01";
const NAVIGATIONS_ON: &str = "assets_navigation_prefers_asset_serving";
const NAVIGATIONS_OFF: &str = "assets_navigation_has_no_effect";
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The assets of one version of a script.
pub(super) struct Site {
    manifest: Arc<Manifest>,
    html: HtmlHandling,
    not_found: NotFoundHandling,
    routing: RoutingRules,
    /// Whether the configuration names paths for the script or the assets.
    has_routing: bool,
    redirects: RedirectRules,
    headers: HeaderRules,
    base: BasePath,
    /// Whether a navigation that misses is for the assets.
    navigations: bool,
    /// Whether there is a script that can answer what the assets do not.
    has_worker: bool,
    pub(super) immutable_fingerprinted: bool,
}

/// Where a request goes to, as rules see it: host and path in one text.
pub(super) struct Target<'r> {
    location: Cow<'r, str>,
    path_at: usize,
    query: Option<&'r str>,
}

/// What the assets answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan<'s> {
    /// A file, with 200 or 404.
    File { entry: &'s AssetEntry, path: String, status: u16 },
    /// Another address.
    Redirect { status: u16, location: String },
    /// There is a file, but the method asks for something else than reading it.
    NotAllowed,
    /// Nothing, with 404.
    NotFound,
}

impl Target<'_> {
    pub(super) fn of(request: &Parts) -> Target<'_> {
        let uri = &request.uri;
        let path = normalized(uri.path());
        let host = uri.host().unwrap_or_default();
        let mut location = String::with_capacity(host.len() + path.len());
        location.push_str(host.strip_suffix('.').unwrap_or(host));
        location.make_ascii_lowercase();
        let path_at = location.len();
        location.push_str(&path);
        Target { location: Cow::Owned(location), path_at, query: uri.query() }
    }

    pub(super) fn path(&self) -> &str {
        self.location.get(self.path_at..).unwrap_or("/")
    }
}

impl Site {
    /// Reads the rules of a version. What is wrong in them was reported when it was uploaded, and is passed over.
    pub(super) fn new(version: &Version, assets: &VersionAssets, manifest: Arc<Manifest>) -> Site {
        let config = &assets.config;
        let redirects = config.redirects.as_deref().unwrap_or_default();
        let headers = config.headers.as_deref().unwrap_or_default();
        Site {
            manifest,
            html: config.html_handling,
            not_found: config.not_found_handling,
            routing: RoutingRules::new(&config.run_worker_first),
            has_routing: matches!(config.run_worker_first, RunWorkerFirst::Rules(_)),
            redirects: RedirectRules::parse(redirects, config.html_handling).0,
            headers: HeaderRules::parse(headers).0,
            base: config.base_path.clone(),
            navigations: navigations(version),
            has_worker: version.code.answers_requests(),
            immutable_fingerprinted: config.immutable_fingerprinted,
        }
    }

    /// Where its contents are kept.
    pub(super) fn scope(&self) -> &AssetScope {
        self.manifest.scope()
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory(&self) -> usize {
        self.manifest.memory() + (self.redirects.len() + self.headers.len()) * 512 + 512
    }

    /// What the assets answer a request with, or none where it is for the script.
    pub(super) fn first(&self, request: &Parts, target: &Target<'_>) -> Option<Plan<'_>> {
        if !self.has_worker {
            return Some(self.always(&request.method, target));
        }
        match self.routing.decide(&decoded(target.path())) {
            Some(Runs::Worker) => None,
            Some(Runs::Assets) => Some(self.always(&request.method, target)),
            None => {
                // The page for what is not there stands in only where it was asked for: for a navigation, or
                // where rules say which paths are the script's.
                let stands_in = self.has_routing || (self.navigations && is_navigation(&request.headers));
                let not_found = if stands_in { self.not_found } else { NotFoundHandling::None };
                self.plan(&request.method, target, not_found)
            }
        }
    }

    /// What the assets answer a request with that is for nobody else.
    pub(super) fn always(&self, method: &Method, target: &Target<'_>) -> Plan<'_> {
        self.plan(method, target, self.not_found).unwrap_or(Plan::NotFound)
    }

    /// Does what `_headers` says to the head of an answer.
    pub(super) fn apply_headers(&self, target: &Target<'_>, headers: &mut HeaderMap) {
        if !self.headers.is_empty() {
            self.headers.apply(&target.location, target.path_at, headers);
        }
    }

    fn plan(&self, method: &Method, target: &Target<'_>, not_found: NotFoundHandling) -> Option<Plan<'_>> {
        let redirection = match self.redirects.is_empty() {
            true => None,
            false => self.redirects.find(&target.location, target.path_at, target.query),
        };
        match redirection {
            None => self.file(method, target.path(), target.query, not_found),
            Some(Redirection::Away { status, location }) => Some(Plan::Redirect { status, location }),
            // Nobody else answers a path that was rewritten.
            Some(Redirection::Rewrite { path }) => {
                let path = normalized(&path);
                Some(self.file(method, &path, target.query, not_found).unwrap_or(Plan::NotFound))
            }
        }
    }

    fn file(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        not_found: NotFoundHandling,
    ) -> Option<Plan<'_>> {
        let asked = decoded(path);
        let wanted = self.base.within(&asked)?;
        let resolved = resolve(self.html, not_found, wanted, &|path: &str| self.manifest.get(path))?;
        if *method != Method::GET && *method != Method::HEAD {
            return Some(Plan::NotAllowed);
        }
        let (served_at, file) = match resolved {
            Resolved::Moved(to) => (Cow::Owned(to), None),
            Resolved::File(entry) => (Cow::Borrowed(wanted), Some((entry, 200))),
            Resolved::NotFound { file, status } => (Cow::Borrowed(wanted), Some((file, status))),
        };
        let served_at = if self.base.is_root() { served_at } else { Cow::Owned(self.base.whole(&served_at)) };
        // One hop takes the visitor to the file's address and to its one encoding.
        let address = canonical(&served_at);
        match file {
            Some((entry, status)) if address == path => {
                Some(Plan::File { entry, path: served_at.into_owned(), status })
            }
            _ => {
                let mut location = address.into_owned();
                if let Some(query) = query.filter(|query| !query.is_empty()) {
                    location.push('?');
                    location.push_str(query);
                }
                Some(Plan::Redirect { status: 307, location })
            }
        }
    }
}

fn is_navigation(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_MODE).is_some_and(|mode| mode.as_bytes() == b"navigate")
}

/// A version without a date has the newest behaviour.
fn navigations(version: &Version) -> bool {
    let flag = |name: &str| version.compatibility_flags.iter().any(|flag| flag == name);
    let by_date = version.compatibility_date.as_deref().is_none_or(|date| date >= NAVIGATIONS_SINCE);
    !flag(NAVIGATIONS_OFF) && (by_date || flag(NAVIGATIONS_ON))
}

#[cfg(test)]
mod tests;
