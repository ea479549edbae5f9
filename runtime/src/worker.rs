//! One version of a script made ready ([`Worker`]), and one invocation of it from request to [`Outcome`].
//!
//! The guest is driven inside the task of whoever waits for its answer: first by [`Worker::run`] until
//! the head of the response is there, then by the response's body. Dropping either cancels the guest,
//! and with it every guest that it waits for, unless it has done its part already: then it may go on for a
//! while ([`crate::guest::afterwards`]). A store is used once and never again, but where a version asks for that ([`Reuse`]).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::channel::oneshot;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use wasmyard_events::Usage;
use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::limits::Limits;
use wasmyard_namespaces::script::ScriptKey;

use crate::bindings::granted::{Granted, Version};
use crate::body::{self, Body, BodyError};
use crate::code::loaded::Claim;
use crate::code::module::Module;
use crate::event::{Event, Exported, Handled};
use crate::guest::afterwards::Afterwards;
use crate::guest::answer::{HeadSlot, NoHead};
use crate::guest::parts::InvocationParts;
use crate::guest::pool::{Resters, Reuse};
use crate::guest::store::Guest;
use crate::limits::guest_memory::MemoryAccount;
use crate::limits::idle::Pause;
use crate::limits::meter::Meter;
use crate::limits::metered::Metered;
use crate::limits::scheduler::{Fair, Habit};
use crate::outcome::{End, Failure, Outcome};
use crate::seams::{Entry, Host, RequestInfo};

/// When it is worth trying again where code is not loaded.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One version of a script, to be invoked any number of times at once. It does not keep its code loaded: see
/// [`Worker::ready`].
pub struct Worker {
    version: Arc<Version>,
    claim: Claim,
    /// Its instances that wait for another request, if it lets them.
    pool: Option<Arc<Resters>>,
    habit: Arc<Habit>,
    /// What all its invocations hold, and those of the script's other versions.
    memory: Arc<MemoryAccount>,
}

/// A version whose code is loaded, and stays so until this is gone.
pub struct Ready {
    worker: Arc<Worker>,
    module: Arc<Module>,
}

/// What one call of [`Worker::run`] needs beside the event.
pub struct Invocation {
    /// The limits that apply: already the tightest of all that have a say.
    pub limits: Limits,
    /// What a script may limit another one to at most: the operator's ceilings.
    pub ceiling: Limits,
    /// Whether its code is the platform builder's own: then it sees the real clock, not one of 1 ms.
    pub trusted: bool,
    /// How deep in the chain of scripts this one is; 0 for the first.
    pub depth: u32,
    /// Everything that leaves the sandbox.
    pub host: Arc<dyn Host>,
    /// What the guest may know about the request.
    pub info: Arc<RequestInfo>,
    /// How it was reached.
    pub entry: Arc<Entry>,
}

impl Worker {
    /// Puts a compiled module together with what its version was given.
    pub fn new(
        key: ScriptKey,
        version: &str,
        bindings: Granted,
        module: Arc<Module>,
        reuse: Reuse,
    ) -> Arc<Self> {
        let pool = (reuse == Reuse::WhenDone).then(Arc::<Resters>::default);
        if let Some(pool) = &pool {
            let pool: Weak<Resters> = Arc::downgrade(pool);
            module.mapping.has_pool(pool);
        }
        let memory = module.commons.memory.account(&key);
        let claim = Claim::to(&module, &key);
        let version = Arc::new(Version::new(key, version, bindings));
        Arc::new(Self { version, claim, pool, habit: Arc::default(), memory })
    }

    /// The id of its version.
    pub fn version(&self) -> &str {
        &self.version.id
    }

    /// Whether its code is loaded at this moment.
    pub fn is_loaded(&self) -> bool {
        self.claim.is_loaded()
    }

    /// It with its code; none where that was let go of since, and has to be loaded anew.
    pub fn ready(self: &Arc<Self>) -> Option<Ready> {
        let module = self.claim.module()?;
        Some(Ready { worker: Arc::clone(self), module })
    }

    /// Handles one event in a store of its own: a request until the head of the response is there, every other event until
    /// the guest has returned.
    ///
    /// # Errors
    ///
    /// A [`Failure`] when a request has no response, or an event was not handled: [`Failure::NoHandler`] where the script
    /// does not handle such events. What goes wrong after the head of a response is out ends its body early.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the response's body, stops the guest; the [`Outcome`] says `canceled`.
    pub async fn run(self: &Arc<Self>, invocation: Invocation, event: Event) -> Result<Handled, Failure> {
        match self.ready() {
            Some(ready) => ready.run(invocation, event).await,
            None => Err(Failure::BeingMadeReady { retry_after: RETRY_AFTER }),
        }
    }
}

impl Ready {
    /// Whether there is memory for another invocation to begin with.
    ///
    /// # Errors
    ///
    /// [`Failure::ExceededMemoryShare`] where the script or its namespace holds as much as it may;
    /// [`Failure::Overloaded`] where all guests together do.
    pub fn check_room(&self) -> Result<(), Failure> {
        Ok(self.worker.memory.check_room()?)
    }

    /// As [`Worker::run`], where the code is known to be loaded.
    ///
    /// # Errors
    ///
    /// As [`Worker::run`].
    ///
    /// # Cancel safety
    ///
    /// As [`Worker::run`].
    pub async fn run(self, invocation: Invocation, event: Event) -> Result<Handled, Failure> {
        match event {
            Event::Fetch(request) => self.fetch(invocation, request).await.map(Handled::Answered),
            // Boxed: they are seldom, and every request makes this future.
            Event::Scheduled(event) => Box::pin(self.handle(invocation, event)).await.map(|()| Handled::Done),
            Event::Queue(batch) => Box::pin(self.handle(invocation, batch)).await.map(Handled::Judged),
            Event::Tail(tail) => Box::pin(self.handle(invocation, tail)).await.map(|()| Handled::Done),
        }
    }

    /// Nobody waits for an answer, so the time to the first byte is the time in which it has to return.
    async fn handle<E: Exported>(self, invocation: Invocation, event: E) -> Result<E::Answer, Failure> {
        if self.module.handler(E::KIND).is_none() {
            return Err(Failure::NoHandler { event: E::KIND.name() });
        }
        let limit = invocation.limits.first_byte;
        let (answered, answer) = oneshot::channel();
        let work = |guest: Guest| -> BoxFuture<'static, Result<(), Failure>> {
            Box::pin(async move {
                let answer = guest.handle(event).await?;
                // Whoever waits for it drives this, so that it is there.
                drop(answered.send(answer));
                Ok(())
            })
        };
        let mut run = Run::start(self, invocation, false, work);
        let ended = match tokio::time::timeout(limit, poll_fn(|cx| run.poll_end(cx))).await {
            Ok(ended) => ended,
            Err(_elapsed) => Err(Failure::TimedOut { limit }),
        };
        run.record.ended(ended.clone().map_or_else(End::Failed, |()| End::Ok));
        ended?;
        answer.await.map_err(|_| Failure::internal("a handler returned, and its answer is gone"))
    }

    async fn fetch(self, invocation: Invocation, request: Request<Body>) -> Result<Response<Body>, Failure> {
        if self.module.requests.is_none() {
            return Err(Failure::NoHandler { event: EventKind::Fetch.name() });
        }
        let first_byte = invocation.limits.first_byte;
        let head_only = request.method() == Method::HEAD;
        let mut run = Run::start(self, invocation, head_only, |guest| Box::pin(guest.run(request)));
        let head = poll_fn(|cx| run.poll_head(cx));
        match tokio::time::timeout(first_byte, head).await {
            Ok(Ok(response)) => Ok(run.into_response(response)),
            Ok(Err(NoHead { own, shown })) => {
                run.record.ended(End::Failed(own));
                Err(shown)
            }
            Err(_elapsed) => {
                let failure = Failure::TimedOut { limit: first_byte };
                run.record.ended(End::Failed(failure.clone()));
                Err(failure)
            }
        }
    }
}

/// An invocation under way.
struct Run {
    /// The guest; gone when it has run to its end.
    guest: Option<Fair<Metered<()>>>,
    head: Arc<HeadSlot>,
    /// How it failed when its answer was finished already.
    failed: Option<Failure>,
    /// Whether the answer to such a request ends with its head.
    head_only: bool,
    record: Record,
    /// For its response's body.
    pause: Pause,
}

impl Run {
    /// `work`: what its guest is to do.
    fn start(
        ready: Ready,
        invocation: Invocation,
        head_only: bool,
        work: impl FnOnce(Guest) -> BoxFuture<'static, Result<(), Failure>>,
    ) -> Self {
        let Ready { worker, module } = ready;
        let Invocation { limits, ceiling, trusted, depth, host, info, entry } = invocation;
        let meter = Arc::new(Meter::default());
        let head = Arc::new(HeadSlot::default());
        let started = Instant::now();
        module.mapping.is_used(started);
        let record = Record {
            version: Arc::clone(&worker.version),
            host: Arc::clone(&host),
            meter: Arc::clone(&meter),
            started,
            depth,
            status: None,
            end: End::Canceled,
        };
        let pause = Pause::new(limits.stream_idle);
        let background = Arc::clone(&module.commons.background);
        let habit = Arc::clone(&worker.habit);
        let parts = InvocationParts {
            version: Arc::clone(&worker.version),
            memory: Arc::clone(&worker.memory),
            limits,
            ceiling,
            trusted,
            host,
            info,
            entry,
            meter: Arc::clone(&meter),
            head: Arc::clone(&head),
        };
        let guest = Guest { module, pool: worker.pool.clone(), parts };
        let guest = Metered { meter, budget: limits.cpu, future: work(guest) };
        let guest = Some(Fair::new(guest, &background, &habit));
        Self { guest, head, failed: None, head_only, record, pause }
    }

    /// Drives the guest to its end.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        let Some(guest) = &mut self.guest else { return Poll::Ready(Ok(())) };
        let ended = std::task::ready!(Pin::new(guest).poll(cx));
        self.guest = None;
        Poll::Ready(ended)
    }

    /// Drives the guest until it has answered or ended.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Body>, NoHead>> {
        let polled = match &mut self.guest {
            Some(guest) => Pin::new(guest).poll(cx),
            None => Poll::Ready(Ok(())),
        };
        if let Poll::Ready(ended) = &polled {
            self.guest = None;
            if let Err(failure) = ended {
                return Poll::Ready(self.finished_before(failure, cx));
            }
        }
        match (self.head.take(), polled) {
            (Some(Ok(response)), Poll::Pending) => Poll::Ready(final_status(response)),
            // The guest is done, so its body is as complete as it will ever be: its length is known.
            (Some(Ok(response)), Poll::Ready(_)) => {
                Poll::Ready(final_status(response.map(|body| body::settle(body, cx))))
            }
            (Some(Err(code)), _) => Poll::Ready(Err(self.head.no_head(code))),
            (None, Poll::Ready(_)) => {
                let text = "it returned without setting the response-outparam".to_owned();
                Poll::Ready(Err(NoHead::from(Failure::NoResponse(text))))
            }
            (None, Poll::Pending) => Poll::Pending,
        }
    }

    /// The answer that the guest had finished before it failed: it is delivered, and the failure goes on its account.
    fn finished_before(&mut self, failure: &Failure, cx: &mut Context<'_>) -> Result<Response<Body>, NoHead> {
        let nothing = || NoHead::from(failure.clone());
        let (head, body) = self.head.take().and_then(Result::ok).ok_or_else(nothing)?.into_parts();
        // What is somebody else's is complete without the guest.
        let body = if self.head.is_handed_over() { Some(body) } else { body::finished(body, cx) };
        let response = final_status(Response::from_parts(head, body.ok_or_else(nothing)?))?;
        self.failed = Some(failure.clone());
        Ok(response)
    }

    /// The answer, with a body that drives the guest on as it is read.
    fn into_response(mut self, response: Response<Body>) -> Response<Body> {
        self.record.status = Some(response.status().as_u16());
        let head_only =
            self.head_only || matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let (mut parts, body) = response.into_parts();
        let (expected, said) = if head_only {
            (Some(0), None)
        } else {
            let said = body::framed(&mut parts.headers, &body);
            (said.or_else(|| body.size_hint().exact()), said)
        };
        let body = match said {
            Some(length) => body::held(body, length),
            None => body,
        };
        let Self { guest, head, failed, record, pause, .. } = self;
        let body = GuestBody { guest, body, expected, head, failed, record: Some(record), pause };
        Response::from_parts(parts, body.boxed_unsync())
    }
}

/// A status that ends an exchange (RFC 9110, 15.2): what a guest says below 200 would leave the visitor waiting for
/// another answer, or for another protocol.
fn final_status(response: Response<Body>) -> Result<Response<Body>, NoHead> {
    if !response.status().is_informational() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let text = format!("{status} is not a status code to answer with: it is no final one");
    Err(NoHead::from(Failure::NoResponse(text)))
}

/// The response body of a guest that may still be running: reading it drives the guest on.
struct GuestBody {
    guest: Option<Fair<Metered<()>>>,
    body: Body,
    /// How many bytes of the body are still to come, where that was said.
    expected: Option<u64>,
    head: Arc<HeadSlot>,
    /// How the guest failed, where what it had written before is still on its way.
    failed: Option<Failure>,
    /// Present until the end is known.
    record: Option<Record>,
    pause: Pause,
}

impl GuestBody {
    fn finish(&mut self, end: End) {
        if let Some(mut record) = self.record.take() {
            record.ended(end);
        }
    }

    /// All of the body is out.
    fn complete(&mut self) {
        let end = self.failed.take().map_or(End::Ok, End::Failed);
        self.finish(end);
    }

    /// Ends the body early, and the guest.
    fn fail(&mut self, failure: Failure) -> BodyError {
        let text = failure.to_string();
        self.guest = None;
        self.body = body::empty();
        self.finish(End::Failed(failure));
        BodyError::InternalError(Some(text))
    }

    /// The guest has done its part but goes on: let it, for a while, at nobody's expense.
    fn leave_guest_running(&mut self) {
        let (Some(guest), Some(mut record)) = (self.guest.take(), self.record.take()) else { return };
        Afterwards::of_a_complete_answer(guest).spawn(move |end| record.ended(end));
    }

    /// Nobody reads on: a guest that has done its part goes on, one that has not is stopped.
    fn abandon_guest(&mut self) {
        if self.head.is_handed_over() {
            // What somebody else produces ends with whoever wanted it.
            return self.leave_guest_running();
        }
        let (Some(guest), Some(mut record)) = (self.guest.take(), self.record.take()) else { return };
        let body = std::mem::replace(&mut self.body, body::empty());
        let complete = self.expected == Some(0);
        Afterwards::of_an_unread_answer(guest, body, complete).spawn(move |end| record.ended(end));
    }
}

impl HttpBody for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(guest) = &mut this.guest
            && let Poll::Ready(ended) = Pin::new(guest).poll(cx)
        {
            this.guest = None;
            // What it had finished is delivered, and a body that is somebody else's does not suffer from it.
            this.failed = ended.err();
        }
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            std::task::ready!(this.pause.poll_too_long(cx));
            let limit = this.pause.limit();
            return Poll::Ready(Some(Err(this.fail(Failure::Stalled { limit }))));
        };
        this.pause.over();
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(record)) = (frame.data_ref(), &this.record) {
                    record.meter.sent(data.len());
                    let sent = data.len() as u64;
                    this.expected = this.expected.map(|expected| expected.saturating_sub(sent));
                }
                if this.guest.is_none() && this.body.is_end_stream() {
                    this.complete();
                }
            }
            Some(Err(_)) if this.guest.is_some() && this.head.is_handed_over() => this.leave_guest_running(),
            Some(Err(_)) if this.failed.is_some() && !this.head.is_handed_over() => {
                let failed = this.failed.take().map(|failure| this.fail(failure));
                return Poll::Ready(failed.map(Err));
            }
            Some(Err(error)) => {
                let failure = Failure::NoResponse(format!("the body ended early: {error}"));
                this.guest = None;
                this.finish(End::Failed(failure));
            }
            None if this.guest.is_some() => this.leave_guest_running(),
            None => this.complete(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.guest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for GuestBody {
    fn drop(&mut self) {
        if self.record.is_none() {
            return;
        }
        if self.guest.is_some() {
            self.abandon_guest();
        } else if self.expected == Some(0) || self.body.is_end_stream() {
            // A complete body that nobody asked for its end: hyper stops as soon as it knows it.
            self.complete();
        } else if let Some(failure) = self.failed.take() {
            self.finish(End::Failed(failure));
        }
    }
}

/// The invocation's account. Whoever holds it last hands it to the host, however the invocation ends.
struct Record {
    version: Arc<Version>,
    host: Arc<dyn Host>,
    meter: Arc<Meter>,
    started: Instant,
    depth: u32,
    status: Option<u16>,
    end: End,
}

impl Record {
    fn ended(&mut self, end: End) {
        self.end = end;
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let (bytes_in, bytes_out) = self.meter.bytes();
        let (log_lines, log_dropped) = self.meter.log_lines();
        let usage = Usage {
            script: self.version.key.clone(),
            version: self.version.id.as_ref().to_owned(),
            depth: self.depth,
            status: self.status,
            cpu: self.meter.cpu.used(),
            fuel: self.meter.fuel(),
            wall: self.started.elapsed(),
            instantiation: self.meter.instantiation(),
            peak_memory_bytes: self.meter.peak_memory_bytes(),
            subrequests: self.meter.subrequests(),
            bytes_in,
            bytes_out,
            log_lines,
            log_dropped,
        };
        self.host.finished(Outcome { end: std::mem::replace(&mut self.end, End::Canceled), usage });
    }
}
