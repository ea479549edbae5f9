//! A script's own request, and who answers it: a host that the platform serves needs no socket, and everything else goes outside.
//!
//! A platform script that asks for a host which it answers itself means what stands behind it: the origin of the host's zone. So
//! it stands before an origin as a proxy does, and no request of its own comes back to it.

use std::sync::Arc;

use http::uri::Scheme;
use http::{Method, Request, Response};
use wasmyard_namespaces::name::NamespaceName;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{Body, BodyError, Failure, OutboundRequest};

use super::chain::{CallOptions, Callee, Chain};
use super::{Scripts, outbound, shown};
use crate::answer::origin::ForOrigin;
use crate::egress::{Asker, Sender};
use crate::head;
use crate::respond::{self, Refusal, Wanted};
use crate::route::{self, Destination};
use crate::zone::{self, Sought};

/// A script that sends something.
pub(super) struct Caller {
    pub(super) scripts: Arc<Scripts>,
    pub(super) chain: Chain,
    pub(super) script: ScriptKey,
    /// The namespace that it sends for, as the outbound worker of that namespace's scripts.
    pub(super) behalf: Option<NamespaceName>,
    pub(super) max_depth: u32,
}

impl Caller {
    /// Has a request answered that no outbound worker is in the way of.
    pub(super) async fn send(self, sent: OutboundRequest) -> Result<Response<Body>, BodyError> {
        let Some(host) = self.served(&sent.request) else { return self.outside(sent).await };
        match self.destination(&host, sent.request.uri().path()).await {
            Ok(None) => self.outside(sent).await,
            Ok(Some(Destination::Script(key))) => self.by_script(key, host, sent.request).await,
            Ok(Some(Destination::Origin(sought))) => self.by_origin(*sought, host, sent).await,
            Ok(Some(Destination::Status(_) | Destination::NoSuchScript)) => {
                allowed(&sent.request)?;
                Err(BodyError::DestinationNotFound)
            }
            Err(refusal) => {
                let wanted = Wanted::of(sent.request.headers());
                Ok(respond::page(&refusal, wanted, &self.chain.trace.ray_id))
            }
        }
    }

    /// The host of a request, where it is for a port that the platform serves.
    fn served(&self, request: &Request<Body>) -> Option<Arc<str>> {
        let scheme = request.uri().scheme()?;
        if *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS {
            return None;
        }
        let served = |port| matches!(port, 80 | 443) || self.scripts.served_ports.contains(&port);
        if !request.uri().port_u16().is_none_or(served) {
            return None;
        }
        head::hostname(request.uri().host()?).ok()
    }

    /// Who answers for a host, if somebody of the platform's does.
    async fn destination(&self, host: &Arc<str>, path: &str) -> Result<Option<Destination>, Refusal> {
        let registry = &self.scripts.registry;
        let found = route::find_inside(registry, host, path);
        let is_another = |found: &Destination| *found != Destination::Script(self.script.clone());
        // What is sent for a namespace is judged by its rules, and reaches what its scripts reach.
        let for_itself = self.script.namespace().is_none() && self.behalf.is_none();
        if !for_itself || !registry.has_zones() || found.as_ref().is_some_and(is_another) {
            return Ok(found);
        }
        let unknown = |error| {
            tracing::error!(%error, "whose a host is cannot be found out");
            Refusal::unknown_host()
        };
        let Some(zone) = registry.host(host).await.map_err(unknown)? else { return Ok(found) };
        let of_origin = zone::origin(&zone).and_then(|origin| route::find_inside(registry, origin, path));
        if let Some(another) = of_origin.filter(is_another) {
            return Ok(Some(another));
        }
        let Some(sought) = zone::sought(&zone, host)? else { return Ok(found) };
        // A name of the zone's own that has no record here may be one of its name server's.
        if sought.own {
            let place = registry.origin_place(&sought.zone.id, sought.name.as_str(), true).await;
            if place.map_err(unknown)?.is_none() {
                return Ok(found);
            }
        }
        Ok(Some(Destination::Origin(Box::new(sought))))
    }

    /// Has a script answer one step down the chain, so that a loop of scripts ends at the greatest depth. It sees what it
    /// would see of a visitor's request: the host that was asked for, and the visitor's address, not what the caller says
    /// about it.
    async fn by_script(
        self,
        key: ScriptKey,
        host: Arc<str>,
        request: Request<Body>,
    ) -> Result<Response<Body>, BodyError> {
        allowed(&request)?;
        let (mut head, body) = request.into_parts();
        let chain = match self.chain.next(&self.script, self.max_depth) {
            Ok(chain) => chain.at_host(Arc::clone(&host)),
            // The page of a chain that was cut. It is an answer and no error: scripts that pass answers on pass it on.
            Err(failure) => {
                let wanted = Wanted::of(&head.headers);
                return Ok(respond::page(&failure.into(), wanted, &self.chain.trace.ray_id));
            }
        };
        // A script has no certificate to show, whoever the visitor is that it works for.
        if self.scripts.requires_client_certificate(&host).await {
            return Err(BodyError::HttpRequestDenied);
        }
        let ray_id = Arc::clone(&chain.trace.ray_id);
        head::clean(&mut head.headers);
        head::introduce(&mut head, chain.info.client_address, &ray_id);
        let request = Request::from_parts(head, body);
        let answer = self.scripts.run(chain, Callee::Named(key), CallOptions::default(), request).await;
        answer.map(|answer| respond::passed_on(answer, &ray_id)).map_err(|failure| code_of(&failure))
    }

    /// Asks the origin of a host for what the script wants of it. Where there is no answer, the script gets the page that a
    /// visitor would get.
    async fn by_origin(
        self,
        sought: Sought,
        host: Arc<str>,
        sent: OutboundRequest,
    ) -> Result<Response<Body>, BodyError> {
        allowed(&sent.request)?;
        let patience = sent.first_byte_timeout.map(|wait| wait + sent.connect_timeout.unwrap_or_default());
        let (mut head, body) = sent.request.into_parts();
        head::clean(&mut head.headers);
        let wanted = Wanted::of(&head.headers);
        let (client, log) = (self.chain.info.client_address, self.chain.visit());
        let ray_id = Arc::clone(&self.chain.trace.ray_id);
        let asked = ForOrigin { head, body, host, client, ray_id: Arc::clone(&ray_id), log };
        match outbound::within(patience, self.scripts.origins.answer(asked, sought)).await? {
            Ok(answer) => Ok(respond::passed_on(answer, &ray_id)),
            Err(refusal) => Ok(respond::page(&refusal, wanted, &ray_id)),
        }
    }

    /// Sends a request to another machine. Denied where its namespace is gone: nobody can say any more what it may reach.
    async fn outside(self, mut sent: OutboundRequest) -> Result<Response<Body>, BodyError> {
        let sender = match self.script.namespace().or(self.behalf.as_ref()) {
            None => Sender::Platform,
            Some(name) => {
                let known = self.scripts.registry.namespace_cached(name);
                Sender::Namespace(known.ok_or(BodyError::HttpRequestDenied)?)
            }
        };
        let is_encrypted = sent.request.uri().scheme() == Some(&Scheme::HTTPS);
        if let Some(shown) = sent.shows.take().filter(|_| is_encrypted) {
            let identity = shown::identity(&self.scripts.registry, &shown).await?;
            sent.request.extensions_mut().insert(identity);
        }
        let trace = &self.chain.trace;
        let (ray_id, events) = (Arc::clone(&trace.ray_id), Arc::clone(&trace.sink));
        sent.request.extensions_mut().insert(Asker { script: self.script.clone(), ray_id, events });
        self.scripts.egress.send(sender, sent).await
    }
}

/// Refuses what nobody inside answers.
fn allowed(request: &Request<Body>) -> Result<(), BodyError> {
    if request.method() == Method::CONNECT {
        return Err(BodyError::HttpRequestMethodInvalid);
    }
    if request.uri().authority().is_none_or(|authority| authority.as_str().contains('@')) {
        return Err(BodyError::HttpRequestUriInvalid);
    }
    Ok(())
}

/// What a script is told whose request to another one failed.
fn code_of(failure: &Failure) -> BodyError {
    match failure {
        Failure::WorkerNotFound => BodyError::DestinationNotFound,
        Failure::ExceededDepth { .. } => BodyError::LoopDetected,
        Failure::TimedOut { .. } => BodyError::HttpResponseTimeout,
        other => BodyError::InternalError(Some(other.to_string())),
    }
}
