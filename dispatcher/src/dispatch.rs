//! The request's life, in order. Each step is a file of that name; this one only calls them.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use wasmyard_namespaces::limits::LimitSpec;
use wasmyard_namespaces::registry::Registry;
use wasmyard_runtime::{Body, BodyError, Runtime};

use crate::config::DispatcherConfig;
use crate::context::{Answer, RequestContext, Underway};
use crate::egress::Egress;
use crate::invoke::{Invoker, Overlay};
use crate::observe::Metrics;
use crate::patience::Busy;
use crate::ray::{InRay, within};
use crate::respond::{self, Refusal};
use crate::route::{Destination, route};
use crate::slow::Watch;
use crate::{head, incoming};

/// Who sent a request, as the listener knows it.
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    /// Whether the connection is encrypted.
    pub(crate) secure: bool,
    /// Keeps the connection from being idle until the last byte of the answer is out.
    pub(crate) busy: Busy,
    /// Sees whether the visitor takes the answer.
    pub(crate) watch: Watch,
}

/// The data plane of one node.
pub struct Dispatcher {
    config: DispatcherConfig,
    registry: Registry,
    invoker: Arc<Invoker>,
    metrics: Arc<Metrics>,
    underway: Arc<Underway>,
}

impl Dispatcher {
    /// Puts the parts together. `overlay` is for development: it may answer in place of a script.
    pub fn new(
        config: DispatcherConfig,
        registry: Registry,
        runtime: Arc<Runtime>,
        egress: Arc<dyn Egress>,
        metrics: Arc<Metrics>,
        overlay: Option<Arc<dyn Overlay>>,
    ) -> Arc<Self> {
        let invoker = Invoker::new(&config, registry.clone(), runtime, egress, Arc::clone(&metrics), overlay);
        Arc::new(Self { config, registry, invoker, metrics, underway: Arc::default() })
    }

    /// The figures of this node.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Resolves when nothing runs for any request, nor goes on after its response.
    pub(crate) async fn idle(&self) {
        self.underway.ended().await;
    }

    /// Answers one visitor's request. Every failure is an answer, too.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, cancels everything that runs for the request.
    pub(crate) async fn handle(&self, request: Request<Incoming>, visitor: Visitor) -> Response<Body> {
        let context = RequestContext::new(
            visitor.address,
            visitor.secure,
            request.method().clone(),
            request.uri().path(),
            Arc::clone(&self.metrics),
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
        answer.map(|body| Tracked { body, context, watch: visitor.watch, _busy: visitor.busy }.boxed_unsync())
    }

    async fn answer(
        &self,
        context: &Arc<RequestContext>,
        request: Request<Incoming>,
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
        let _first = context.target.set(script.to_string());

        let body = incoming::guard(body, self.config.body_idle, context);
        let request = Request::from_parts(head, body);
        let response = self.invoker.start(context, script, &LimitSpec::default(), request).await;
        response.map_err(|failure| Refusal::of(failure, context.upload_fault()))
    }
}

/// An answer's body, and what must live as long as it.
struct Tracked {
    body: Body,
    context: Arc<RequestContext>,
    watch: Watch,
    _busy: Busy,
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.watch.asked();
        let frame =
            std::task::ready!(within(&this.context.ray_id, || Pin::new(&mut this.body).poll_frame(cx)));
        if let Some(Ok(frame)) = &frame {
            this.watch.handed(frame.data_ref().map_or(0, Bytes::len));
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
        // What a script logs that is dropped here, or goes on, belongs to the request as well.
        let body = std::mem::replace(&mut self.body, wasmyard_runtime::body::empty());
        within(&self.context.ray_id, || drop(body));
    }
}
