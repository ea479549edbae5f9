//! The path of a request, in one function: [`Dispatcher::dispatch`]. Each of its lines calls into the file of that name.

mod called;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use wasmyard_events::{InRay, Sink};
use wasmyard_listener::{Client, Handler, ReceiveError, Received};
use wasmyard_namespaces::registry::Registry;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_net::TlsError;
use wasmyard_runtime::{Event, Failure, Handled, Runtime};

use crate::answer::origin::{OriginFigures, Origins};
use crate::answer::script::{Overlay, Scripts};
use crate::config::DispatcherConfig;
use crate::egress::Egress;
use crate::hints::Hints;
use crate::observe::Metrics;
use crate::respond::{self, Refusal, Wanted};
use crate::route::{self, Destination};
use crate::trace::{Trace, Underway};
use crate::visit::{Tracked, VisitLog};
use crate::{challenge, head, https, incoming, zone};

/// Why there is no data plane.
#[derive(Debug, thiserror::Error)]
pub enum Unmade {
    /// Two figures have one name.
    #[error(transparent)]
    Figures(#[from] prometheus::Error),
    /// TLS to origins cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The data plane of one node.
pub struct Dispatcher {
    config: DispatcherConfig,
    registry: Registry,
    scripts: Arc<Scripts>,
    origins: Arc<Origins>,
    metrics: Arc<Metrics>,
    sink: Arc<dyn Sink>,
    underway: Arc<Underway>,
    hints: Hints,
}

impl Dispatcher {
    /// Puts the parts together. `sink` takes the record of everything that happens. `overlay` is for development: it
    /// may answer in place of a script.
    ///
    /// # Errors
    ///
    /// When TLS to origins cannot be set up, or two figures were given the same name, which a test rules out.
    pub fn new(
        config: DispatcherConfig,
        registry: Registry,
        runtime: Arc<Runtime>,
        egress: Arc<dyn Egress>,
        metrics: Arc<Metrics>,
        sink: Arc<dyn Sink>,
        overlay: Option<Arc<dyn Overlay>>,
    ) -> Result<Arc<Self>, Unmade> {
        let shown = metrics.registry();
        let origins = Origins::new(config.origins.clone(), registry.clone(), OriginFigures::new(shown)?)?;
        let origins = Arc::new(origins);
        let scripts =
            Scripts::new(&config, registry.clone(), runtime, egress, Arc::clone(&origins), shown, overlay)?;
        let underway = Underway::new(shown)?;
        Ok(Arc::new(Self {
            config,
            registry,
            scripts,
            origins,
            metrics,
            sink,
            underway,
            hints: Hints::default(),
        }))
    }

    /// The figures of this node.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Has a script handle an event that no visitor caused, through the same admission, limits, outbound rules and records as
    /// a request. Nothing waits for it but the caller: not even a stop, beyond the time that it gives to requests.
    ///
    /// # Errors
    ///
    /// The [`Failure`] for which it was not handled: that the script is not there or handles no such events, that it failed or
    /// exceeded a limit, or that there is no room for it now.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels everything that runs for the event.
    pub async fn raise(&self, script: &ScriptKey, event: Event) -> Result<Handled, Failure> {
        let trace = Trace::of_event(&self.sink, &self.underway);
        let ray_id = Arc::clone(&trace.ray_id);
        let handled = pin!(self.scripts.raise(trace, script, event));
        InRay { ray_id, future: handled }.await
    }

    /// The path of a visitor's request. A step that fails ends it with a [`Refusal`], which is an answer, too.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the body of the answer, cancels everything that runs for the request.
    async fn dispatch<B>(&self, request: Request<B>, client: Client) -> Response<Tracked>
    where
        B: HttpBody<Data = Bytes, Error = ReceiveError> + Send + Unpin + 'static,
    {
        // Before anything can fail: whatever comes of the visit has a ray id, and a record when it is over.
        let trace = Trace::of_visit(&self.sink, &self.underway);
        let log = VisitLog::open(trace, client.address, &request);
        // What the visitor can read is asked of the head as it was sent. A head that is refused is answered as well.
        let wanted = Wanted::of(request.headers());
        let secure = client.secure;
        let (mut http3, mut page) = (None, None);
        let answer = async {
            // First, so that every step goes by the same host and path, and none by a field that only claims something.
            let visit = head::read(request, client, &log)?;
            // Before anybody is sent to https: an authority that looks at a host which has no certificate yet would fail there.
            if let Some(shown) = challenge::answer(&self.registry, &visit) {
                return Ok(shown);
            }
            // Before anything is found out about the host: a connection that was made for another one says nothing of it.
            https::checked(&visit, self.config.https, self.config.asking.as_deref())?;
            // Before the route, which goes by the origin of a custom hostname where none is for its name.
            let visit = zone::find(&self.registry, visit).await?;
            // As soon as it is known whose the host is: what came in clear text is not for a script to see.
            https::of_zone(&visit, self.config.https, &self.registry)?;
            http3 = https::over_http3(&visit, self.config.https)?;
            // Before anything is spent: it looks into memory, and what is asked of a host that nobody has ends here.
            let destination = route::find(&self.registry, &visit)?;
            // Before anything is waited for, and after everything that may be refused without asking whoever answers.
            page = self.hints.tell(&visit);
            // After the route, because a body that nobody is there to read needs no watch.
            let visit = incoming::bounded(visit, self.config.body_idle);
            // Admission is inside: a file of a script costs nothing that would have to be shared out, and each script
            // that is called on the way needs a place of its own.
            match destination {
                Destination::Script(script) => self.scripts.answer(visit, script).await,
                Destination::Origin(sought) => self.origins.answer(visit.into(), *sought).await,
                Destination::Status(status) => Err(Refusal::opted_out(status)),
                Destination::NoSuchScript => Err(Refusal::no_such_script()),
            }
        };
        // What is logged on the way, by whatever part, carries the ray id.
        let answer = InRay { ray_id: Arc::clone(&log.trace.ray_id), future: pin!(answer) }.await;
        // Last, and in one place: the rules of HTTP for an answer hold for all of them, and failures have one table.
        let mut answer = respond::to_visitor(answer, wanted, &log);
        // Of pages, too: who is refused is to come back over https all the same.
        https::strict(&mut answer, secure, self.config.https);
        https::offer_http3(&mut answer, http3);
        if let Some(page) = &page {
            self.hints.learn(page, &answer);
        }
        // The visit lasts until its answer is out: the record is written when the last of what runs for it is gone.
        Tracked::answer(answer, log)
    }
}

impl Handler for Dispatcher {
    type Body = Tracked;

    fn answer(
        &self,
        request: Request<Received>,
        client: Client,
    ) -> impl Future<Output = Response<Tracked>> + Send {
        self.dispatch(request, client)
    }

    /// Resolves when nothing runs for any request, nor goes on after its response.
    async fn idle(&self) {
        self.underway.ended().await;
    }
}

#[cfg(test)]
mod tests;
