//! Static assets: what a version's files answer, without starting its script.
//!
//! A request passes these files in order: [`url_path`](wasmyard_namespaces::url_path) cleans its path; [`site`] decides by rules, redirects and
//! [`resolve`] which file it stands for, or that it is for the script; [`answer`] decides what HTTP makes of it,
//! with [`validators`], [`range`] and [`accept`]; [`content`] has the bytes and [`body`] sends them. [`compress`]
//! makes encoded variants beside all that.
//!
//! A hit reads memory, or an open file, and nothing else: no database, no Wasm. Never writes what visitors could
//! see but variants of what is there.

mod accept;
mod answer;
mod body;
mod compress;
mod content;
mod figures;
mod range;
mod resolve;
mod site;
mod validators;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::header::{self, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use moka::sync::Cache;
use wasmyard_namespaces::assets::{AssetEntry, VersionAssets};
use wasmyard_namespaces::bindings::BindingType;
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::script::{Script, Version};
use wasmyard_runtime::{Body, Failure, Files};

use crate::config::DispatcherConfig;
use answer::{Found, Reply};
use body::{Piece, Pieces};
use compress::Compressor;
use content::{Content, ContentError, Contents, Key};
pub(crate) use figures::AssetFigures;
use figures::AssetResult;
use site::{Plan, Site, Target};

/// The assets of all scripts of this node.
pub(crate) struct Assets {
    registry: Registry,
    /// Versions whose rules are read, by their id.
    sites: Cache<String, Arc<Site>>,
    contents: Arc<Contents>,
    compressor: Compressor,
    figures: AssetFigures,
}

/// The files of one version, as its binding reaches them.
pub(crate) struct OfVersion {
    assets: Arc<Assets>,
    script: Arc<Script>,
}

impl OfVersion {
    /// None where the version has no binding to reach them by.
    pub(crate) fn granted(assets: &Arc<Assets>, script: &Arc<Script>) -> Option<Arc<dyn Files>> {
        let mut bindings = script.version.bindings.iter();
        let is_bound = bindings.any(|decl| decl.kind.binding_type() == BindingType::Assets);
        is_bound.then(|| Arc::new(Self { assets: Arc::clone(assets), script: Arc::clone(script) }) as _)
    }
}

impl Files for OfVersion {
    fn answer(&self, request: Parts) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let (assets, script) = (Arc::clone(&self.assets), Arc::clone(&self.script));
        async move { assets.only(&script, &request).await }.boxed()
    }
}

impl Assets {
    /// Needs a tokio runtime: variants are made in the background.
    pub(crate) fn new(config: &DispatcherConfig, registry: &Registry, figures: AssetFigures) -> Self {
        let contents = Arc::new(Contents::new(registry.clone(), config.asset_memory_bytes));
        let weight = |_: &String, site: &Arc<Site>| u32::try_from(site.memory()).unwrap_or(u32::MAX);
        Self {
            registry: registry.clone(),
            sites: Cache::builder().max_capacity(config.asset_memory_bytes).weigher(weight).build(),
            compressor: Compressor::start(registry, &contents, &figures),
            contents,
            figures,
        }
    }

    /// What the assets of a script answer a request with before the script could run; none where the request is
    /// for the script.
    pub(crate) async fn first(
        &self,
        script: &Script,
        request: &Parts,
    ) -> Result<Option<Response<Body>>, Failure> {
        let Some(assets) = &script.version.assets else { return Ok(None) };
        let site = self.site(script, assets).await?;
        let target = Target::of(request);
        let Some(plan) = site.first(request, &target) else { return Ok(None) };
        self.answer(script, &site, plan, &target, request).await.map(Some)
    }

    /// What the assets of a script answer a request with that is for nobody else: one through its binding.
    pub(crate) async fn only(&self, script: &Script, request: &Parts) -> Result<Response<Body>, Failure> {
        let Some(assets) = &script.version.assets else {
            return Ok(empty(StatusCode::NOT_FOUND));
        };
        let site = self.site(script, assets).await?;
        let target = Target::of(request);
        let plan = site.always(&request.method, &target);
        self.answer(script, &site, plan, &target, request).await
    }

    async fn site(&self, script: &Script, assets: &VersionAssets) -> Result<Arc<Site>, Failure> {
        let version = &script.version;
        match self.sites.get(&version.id) {
            Some(site) => Ok(site),
            None => Box::pin(self.read_site(version, assets)).await,
        }
    }

    async fn read_site(&self, version: &Version, assets: &VersionAssets) -> Result<Arc<Site>, Failure> {
        let manifest = self.registry.manifest(&assets.manifest).await;
        let manifest = manifest.map_err(|error| Failure::Internal { detail: error.to_string() })?;
        let site = Arc::new(Site::new(version, assets, manifest));
        self.sites.insert(version.id.clone(), Arc::clone(&site));
        Ok(site)
    }

    async fn answer(
        &self,
        script: &Script,
        site: &Site,
        plan: Plan<'_>,
        target: &Target<'_>,
        request: &Parts,
    ) -> Result<Response<Body>, Failure> {
        let (mut response, result) = match plan {
            Plan::File { entry, path, status } => {
                let immutable = site.immutable_fingerprinted && answer::is_fingerprinted(&path);
                let variants = self.compressor.variants(site.scope(), entry);
                let mut found = Found { entry, status, immutable, variants };
                self.file(script, site, &mut found, &request.method, &request.headers).await?
            }
            Plan::Redirect { status, location } => (redirect(status, &location), AssetResult::Redirect),
            Plan::NotAllowed => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                (response, AssetResult::NotAllowed)
            }
            Plan::NotFound => (empty(StatusCode::NOT_FOUND), AssetResult::NotFound),
        };
        site.apply_headers(target, response.headers_mut());
        self.figures.answered(result);
        tracing::debug!(
            target: "wasmyard::assets",
            script = %script.key,
            version = %script.version.id,
            path = target.path(),
            status = response.status().as_u16(),
            result = result.label(),
            "asset"
        );
        Ok(response)
    }

    async fn file(
        &self,
        script: &Script,
        site: &Site,
        found: &mut Found<'_>,
        method: &Method,
        asked: &HeaderMap,
    ) -> Result<(Response<Body>, AssetResult), Failure> {
        loop {
            let reply = answer::reply(found, method, asked);
            let result = result_of(&reply);
            let Reply { status, mut headers, body, encoding, size } = reply;
            let (body, hit) = match body {
                answer::Body::None => (wasmyard_runtime::body::empty(), true),
                body => {
                    let key = Key { scope: site.scope().clone(), digest: found.entry.digest, encoding };
                    match self.contents.get(&key).await {
                        Ok((content, hit)) => (self.body(body, content, size), hit),
                        Err(error) => {
                            self.not_served(script, found.entry, encoding.is_some(), &error)?;
                            // A variant that is lost or damaged is made again; meanwhile there is the file.
                            self.compressor.forget(&key.scope, key.digest);
                            found.variants = compress::Variants::default();
                            continue;
                        }
                    }
                }
            };
            answer::name_cache(&mut headers, hit);
            let mut response = Response::new(body);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            return Ok((response, result));
        }
    }

    fn body(&self, body: answer::Body, content: Content, size: u64) -> Body {
        let slice = |range: std::ops::Range<u64>| match &content {
            Content::Memory(bytes) => {
                let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(bytes.len());
                let start = usize::try_from(range.start).unwrap_or(usize::MAX).min(end);
                Piece::Bytes(bytes.slice(start..end))
            }
            Content::File { file, .. } => Piece::File { file: Arc::clone(file), range },
        };
        let pieces: Vec<Piece> = match body {
            answer::Body::None => Vec::new(),
            answer::Body::Whole => match content {
                Content::Memory(bytes) => return wasmyard_runtime::body::full(bytes),
                Content::File { .. } => vec![slice(0..size)],
            },
            answer::Body::Part(range) => vec![slice(range)],
            answer::Body::Parts(multipart) => {
                let parts =
                    multipart.parts.into_iter().flat_map(|(head, range)| [Piece::Bytes(head), slice(range)]);
                parts.chain([Piece::Bytes(multipart.end)]).collect()
            }
        };
        Pieces::new(pieces, &self.contents.buffers).boxed_unsync()
    }

    /// Notes a content that cannot be served. An error, unless it was a variant: there is the file itself.
    fn not_served(
        &self,
        script: &Script,
        entry: &AssetEntry,
        variant: bool,
        error: &ContentError,
    ) -> Result<(), Failure> {
        if matches!(error, ContentError::Corrupt { .. }) {
            self.figures.corrupt();
        }
        let (hash, digest) = (entry.hash, entry.digest);
        tracing::error!(
            target: "wasmyard::assets", script = %script.key, %hash, %digest, variant, %error, "asset not served"
        );
        if variant {
            return Ok(());
        }
        self.figures.answered(AssetResult::Failed);
        Err(Failure::Internal {
            detail: format!("the asset {hash} of {} cannot be served: {error}", script.key),
        })
    }
}

fn result_of(reply: &Reply) -> AssetResult {
    match reply.status {
        StatusCode::NOT_MODIFIED => AssetResult::NotModified,
        StatusCode::PARTIAL_CONTENT => AssetResult::Partial,
        StatusCode::OK => AssetResult::Full,
        StatusCode::NOT_FOUND => AssetResult::NotFound,
        _ => AssetResult::Refused,
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(wasmyard_runtime::body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    response
}

fn redirect(status: u16, location: &str) -> Response<Body> {
    let mut response = empty(StatusCode::from_u16(status).unwrap_or(StatusCode::TEMPORARY_REDIRECT));
    // Every part of it was escaped; what cannot stand in a header after all is not sent.
    match HeaderValue::try_from(location) {
        Ok(location) => {
            response.headers_mut().insert(header::LOCATION, location);
        }
        Err(_) => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

#[cfg(test)]
mod tests;
