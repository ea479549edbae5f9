//! The request's life, in order. Each step is a file of that name; this one only calls them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use wasmyard_events::{InRay, Sink, within};
use wasmyard_listener::{Client, Handler, Received};
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::registry::Registry;
use wasmyard_runtime::{Body, BodyError, Runtime};

use crate::config::DispatcherConfig;
use crate::context::{Answer, Cut, RequestContext, Underway};
use crate::egress::Egress;
use crate::invoke::{Invoker, Overlay};
use crate::observe::Metrics;
use crate::respond::{self, Refusal};
use crate::route::{Destination, route};
use crate::{head, incoming};

/// The data plane of one node.
pub struct Dispatcher {
    config: DispatcherConfig,
    registry: Registry,
    invoker: Arc<Invoker>,
    metrics: Arc<Metrics>,
    events: Arc<dyn Sink>,
    underway: Arc<Underway>,
}

impl Dispatcher {
    /// Puts the parts together. `events` takes the record of everything that happens. `overlay` is for development: it
    /// may answer in place of a script.
    ///
    /// # Errors
    ///
    /// When two figures were given the same name, which a test rules out.
    pub fn new(
        config: DispatcherConfig,
        registry: Registry,
        runtime: Arc<Runtime>,
        egress: Arc<dyn Egress>,
        metrics: Arc<Metrics>,
        events: Arc<dyn Sink>,
        overlay: Option<Arc<dyn Overlay>>,
    ) -> prometheus::Result<Arc<Self>> {
        let shown = metrics.registry();
        let invoker = Invoker::new(&config, registry.clone(), runtime, egress, shown, overlay)?;
        let underway = Underway::new(shown)?;
        Ok(Arc::new(Self { config, registry, invoker, metrics, events, underway }))
    }

    /// The figures of this node.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Answers one visitor's request. Every failure is an answer, too.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, cancels everything that runs for the request.
    async fn handle(&self, request: Request<Received>, visitor: Client) -> Response<Tracked> {
        let context = RequestContext::new(
            visitor.address,
            visitor.secure,
            request.method().clone(),
            request.uri().path(),
            Arc::clone(&self.events),
            &self.underway,
        );
        let page = respond::Wanted::of(request.headers());
        let answer = {
            let future = std::pin::pin!(self.answer(&context, request));
            InRay { ray_id: Arc::clone(&context.ray_id), future }.await
        };
        let answer = match answer {
            Ok(response) => {
                context.answered(Answer { status: response.status(), reason: "ok" });
                respond::within_its_status(respond::passed_on(response, &context))
            }
            Err(refusal) => {
                context.answered(Answer { status: refusal.status, reason: refusal.reason });
                respond::page(&refusal, page, &context)
            }
        };
        let answer = if context.method == Method::HEAD { respond::head_only(answer) } else { answer };
        let left = content_length(answer.headers());
        answer.map(|body| Tracked { body, left, sent: 0, ended: false, context })
    }

    async fn answer(
        &self,
        context: &Arc<RequestContext>,
        request: Request<Received>,
    ) -> Result<Response<Body>, Refusal> {
        let (mut head, body) = request.into_parts();
        let host = head::prepare(&mut head, context.secure)?;
        let host: Arc<str> = Arc::from(host);
        let _first = context.hostname.set(Arc::clone(&host));

        let script = match route(&self.registry, &host, head.uri.path()) {
            Some(Destination::Script(script)) => script,
            Some(Destination::Status(status)) => return Err(Refusal::opted_out(status)),
            Some(Destination::NoSuchScript) => return Err(Refusal::no_such_script()),
            None => return Err(Refusal::no_route(&host)),
        };
        let _first = context.target.set(script.clone());

        let body = incoming::guard(body, self.config.body_idle, context);
        let request = Request::from_parts(head, body);
        let response = self.invoker.start(context, script, &LimitSpec::default(), request).await;
        response.map_err(|failure| Refusal::of(failure, context.upload_fault()))
    }
}

impl Handler for Dispatcher {
    type Body = Tracked;

    fn answer(
        &self,
        request: Request<Received>,
        client: Client,
    ) -> impl Future<Output = Response<Tracked>> + Send {
        self.handle(request, client)
    }

    /// Resolves when nothing runs for any request, nor goes on after its response.
    async fn idle(&self) {
        self.underway.ended().await;
    }
}

/// An answer's body, and what must live as long as it.
pub struct Tracked {
    body: Body,
    /// What is still to come of it, where that was said.
    left: Option<u64>,
    sent: u64,
    ended: bool,
    context: Arc<RequestContext>,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let frame =
            std::task::ready!(within(&this.context.ray_id, || Pin::new(&mut this.body).poll_frame(cx)));
        match &frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len);
                this.sent += bytes as u64;
                this.left = this.left.map(|left| left.saturating_sub(bytes as u64));
            }
            Some(Err(_)) => this.context.cut(Cut::Here),
            None => this.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.context.served();
        self.context.sent(self.sent);
        // hyper does not ask for the end of a body when it knows that there is no more.
        if !self.ended && self.left != Some(0) && !self.body.is_end_stream() {
            self.context.cut(Cut::Visitor);
        }
        // What a script logs that is dropped here, or goes on, belongs to the request as well.
        let body = std::mem::replace(&mut self.body, wasmyard_runtime::body::empty());
        within(&self.context.ray_id, || drop(body));
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
