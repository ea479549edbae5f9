//! The whole life of one store: made for one request, armed with its limits, run, and gone. A store is used
//! once and never again, but where a version asks for that, and then only after it has returned ([`crate::guest::pool`]).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body::Frame;
use tokio::time::Instant;
use wasmtime::component::{ComponentNamedList, ComponentType, InstancePre, Lift, Lower, Resource};
use wasmtime::{ResourceLimiter as _, Store, component};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::types::{HostIncomingRequest, HostResponseOutparam};
use wasmyard_namespaces::code::EventKind;
use wasmyard_namespaces::limits::Limits;
use wasmyard_namespaces::name::{ScriptName, shorten};
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_pool::Order;

use crate::bindings::granted::{Granted, Version};
use crate::body::{Body, BodyError, Handover, HandoverSlot, inspected};
use crate::code::module::Module;
use crate::code::ticker::Ticker;
use crate::codes::to_code;
use crate::event::{self, Batch, Exported, Scheduled, Tail};
use crate::guest::answer::HeadSlot;
use crate::guest::armed::{Armed, failure_of};
use crate::guest::parts::InvocationParts;
use crate::guest::pool::{Instance, Resters};
use crate::guest::state::{Last, RequestHead, State, TailCall};
use crate::limits::arriving::Arriving;
use crate::limits::idle::paced;
use crate::limits::metered::Metered;
use crate::limits::scheduler::Fair;
use crate::limits::shared::Commons;
use crate::outcome::Failure;
use crate::seams::{DenyAll, Entrance, RequestInfo};

/// The function that handles events of a kind.
type Handler<E> =
    component::TypedFunc<<E as Exported>::Parameters, (Result<<E as Exported>::Returned, String>,)>;

/// What the function of an engine takes whose scripts have other ways in: the export, the binding's properties, whether
/// methods are called; the request, and where its answer goes.
type Entering =
    (Option<Arc<str>>, Option<Arc<str>>, bool, Resource<HostIncomingRequest>, Resource<HostResponseOutparam>);

/// What one store is made from.
pub(crate) struct Guest {
    /// Held as long as anything of it runs: what runs is never unmapped.
    pub(crate) module: Arc<Module>,
    /// Where its instance comes from and goes to, if its version lets instances rest.
    pub(crate) pool: Option<Arc<Resters>>,
    pub(crate) parts: InvocationParts,
}

impl Guest {
    /// Handles one request. A tail call is made when the store is gone.
    pub(crate) async fn run(self, request: Request<Body>) -> Result<(), Failure> {
        let host = Arc::clone(&self.parts.host);
        let head = Arc::clone(&self.parts.head);
        if let Some(TailCall { last, send }) = self.run_store(request).await? {
            head.handed_over();
            match last {
                Last::Call(call) => send(Ok(host.call(*call).await?)),
                Last::Outbound(request) => send(host.outbound(*request).await.map_err(to_code)),
            }
        }
        Ok(())
    }

    async fn run_store(self, request: Request<Body>) -> Result<Option<TailCall>, Failure> {
        let _ticking = self.module.ticker.ticking();
        let (parts, body) = request.into_parts();
        let body = paced(body, self.parts.limits.stream_idle, BodyError::ConnectionReadTimeout);
        let meter = Arc::clone(&self.parts.meter);
        let body = inspected(body, move |frame, _| {
            if let Some(data) = frame.and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref) {
                meter.received(data.len());
            }
        });
        // A visitor's body lies in its connection, whose buffers are bounded, until it is read; so it is not counted.
        let (lent, slot) = Handover::new(body, &Arriving::default());
        if let Some(entrance) = self.parts.entry.entrance.clone() {
            // Boxed: it is seldom, and every request makes this future.
            return Box::pin(self.enter(&entrance, Request::from_parts(parts, lent), slot)).await;
        }
        let mut instance = self.instance(RequestHead::of(&parts), slot).await?;
        let head = Arc::clone(&self.parts.head);
        let result = async {
            let Instance { armed, proxy, .. } = &mut instance;
            let store = &mut armed.store;
            let (request, out) = exchange(store, Request::from_parts(parts, lent), head)?;
            proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
        }
        .await;
        if let Err(error) = result {
            return self.ended(&error);
        }
        instance.armed.store.data_mut().returned();
        let tail = instance.armed.store.data_mut().tail.take();
        if let Some(pool) = &self.pool {
            pool.rest(instance, &self.module.commons);
        }
        Ok(tail)
    }

    /// What it means that a guest did not return.
    fn ended(&self, error: &wasmtime::Error) -> Result<Option<TailCall>, Failure> {
        // Whoever exits without a failure has returned; what it had finished by then counts.
        if error.downcast_ref::<I32Exit>().is_some_and(|exit| exit.0 == 0) {
            return Ok(None);
        }
        Err(failure_of(error, &self.parts.limits))
    }

    /// Handles a request that comes in by another door, in an instance that serves it and no other.
    async fn enter(
        &self,
        entrance: &Entrance,
        request: Request<Handover>,
        slot: HandoverSlot,
    ) -> Result<Option<TailCall>, Failure> {
        let index = self.module.entrypoint.ok_or(Failure::NoHandler { event: entrance.event() })?;
        let (parts, lent) = request.into_parts();
        let (mut armed, instance) = self.new_instance(RequestHead::of(&parts), slot).await?;
        let head = Arc::clone(&self.parts.head);
        let store = &mut armed.store;
        let result = async {
            let handle = instance.get_typed_func::<Entering, ()>(&mut *store, &index)?;
            let (request, out) = exchange(store, Request::from_parts(parts, lent), head)?;
            let Entrance { entrypoint, props, by_call } = entrance;
            let entering = (entrypoint.clone(), props.clone(), *by_call, request, out);
            handle.call_async(&mut *store, entering).await
        }
        .await;
        if let Err(error) = result {
            return self.ended(&error);
        }
        let state = armed.store.data_mut();
        state.returned();
        Ok(state.tail.take())
    }

    /// One that rested, or a new one.
    async fn instance(&self, request: RequestHead, body: HandoverSlot) -> Result<Instance, Failure> {
        if let Some(mut instance) = self.pool.as_ref().and_then(|pool| pool.wake(&self.parts.limits)) {
            instance.armed.store.data_mut().renew(&self.parts, request, body);
            instance.armed.again(&self.parts.limits, &self.parts.meter)?;
            return Ok(instance);
        }
        let no_handler = || Failure::NoHandler { event: EventKind::Fetch.name() };
        let pre = self.module.requests.as_ref().ok_or_else(no_handler)?;
        let mut armed = self.armed(State::new(&self.parts, request, body))?;
        let begun = Instant::now();
        self.room_for_content(&mut armed)?;
        let instantiated = ordered(&self.module.order, pre.instantiate_async(&mut armed.store)).await;
        let proxy = instantiated.map_err(|error| failure_of(&error, &self.parts.limits))?;
        self.parts.meter.instantiated(begun.elapsed());
        Ok(Instance::new(armed, proxy))
    }

    /// Counts what a script's memory begins with past what its module declares, which Wasmtime asks for.
    fn room_for_content(&self, armed: &mut Armed) -> Result<(), Failure> {
        let Some(content) = &self.module.order.content else { return Ok(()) };
        let extra = content.len().saturating_sub(self.module.declared_memory);
        let counted = armed.store.data_mut().memory.memory_growing(0, extra, None);
        counted.map(|_| ()).map_err(|error| failure_of(&error, &self.parts.limits))
    }

    fn armed(&self, state: State) -> Result<Armed, Failure> {
        Armed::new(self.module.engine(), state, &self.parts.limits, &self.parts.meter)
    }

    /// Handles an event that is no request. What the host holds of it counts until the guest has returned.
    pub(crate) async fn handle<E: Exported>(self, event: E) -> Result<E::Answer, Failure> {
        let _ticking = self.module.ticker.ticking();
        let (mut armed, instance) = self.without_request(event.weight()).await?;
        let handler = self.handler::<E>(&mut armed.store, &instance)?;
        let handler = handler.ok_or(Failure::NoHandler { event: E::KIND.name() })?;
        let failure = |error| failure_of(&error, &self.parts.limits);
        armed.store.data_mut().weigh().map_err(|exceeded| failure(exceeded.into()))?;
        let (parameters, asked) = event.into_parameters();
        let (said,) = handler.call_async(&mut armed.store, parameters).await.map_err(failure)?;
        armed.store.data_mut().returned();
        let returned = said.map_err(|text| Failure::Trapped(format!("it says: {}", shorten(&text))))?;
        E::judge(asked, returned).map_err(Failure::Trapped)
    }

    /// Its function for such events; none where it exports none.
    fn handler<E: Exported>(
        &self,
        store: &mut Store<State>,
        instance: &component::Instance,
    ) -> Result<Option<Handler<E>>, Failure> {
        let Some(index) = self.module.handler(E::KIND) else { return Ok(None) };
        let mistyped = |error| {
            let interface = event::interface(E::KIND).unwrap_or_default();
            Failure::Trapped(format!("its {interface} is not what `sdk/wit/platform.wit` says: {error:#}"))
        };
        instance.get_typed_func(store, index).map(Some).map_err(mistyped)
    }

    /// An instance that no request is for; of what it is for the host holds so many bytes.
    async fn without_request(&self, held: u64) -> Result<(Armed, component::Instance), Failure> {
        let (_lent, slot) = Handover::new(crate::body::empty(), &Arriving::default());
        self.new_instance(RequestHead::none(held), slot).await
    }

    async fn new_instance(
        &self,
        request: RequestHead,
        slot: HandoverSlot,
    ) -> Result<(Armed, component::Instance), Failure> {
        let mut armed = self.armed(State::new(&self.parts, request, slot))?;
        let begun = Instant::now();
        self.room_for_content(&mut armed)?;
        let instance =
            ordered(&self.module.order, self.module.instance.instantiate_async(&mut armed.store)).await;
        let instance = instance.map_err(|error| failure_of(&error, &self.parts.limits))?;
        self.parts.meter.instantiated(begun.elapsed());
        Ok((armed, instance))
    }

    /// Makes an instance and drops it.
    async fn instantiate(self) -> Result<(), Failure> {
        let _ticking = self.module.ticker.ticking();
        let (mut armed, instance) = self.without_request(0).await?;
        let store = &mut armed.store;
        self.handler::<Scheduled>(store, &instance)?;
        self.handler::<Batch>(store, &instance)?;
        self.handler::<Tail>(store, &instance).map(|_| ())
    }
}

/// A request and the place of its answer, as a guest is given them.
fn exchange(
    store: &mut Store<State>,
    request: Request<Handover>,
    head: Arc<HeadSlot>,
) -> wasmtime::Result<(Resource<HostIncomingRequest>, Resource<HostResponseOutparam>)> {
    let scheme = match request.uri().scheme_str() {
        Some("https") => Scheme::Https,
        _ => Scheme::Http,
    };
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(scheme, request)?;
    let out = http.new_response_outparam_from_callback(move |answer| head.put(answer))?;
    Ok((request, out))
}

/// Makes one instance of a module and drops it: proof that its start-up code runs within the limits.
///
/// # Errors
///
/// The [`Failure`] that every invocation of it would end with.
pub async fn start_up(module: &Arc<Module>, limits: &Limits) -> Result<Duration, Failure> {
    let parts = parts_of_nobody(&module.commons, limits)?;
    let meter = Arc::clone(&parts.meter);
    let guest = Guest { module: Arc::clone(module), pool: None, parts };
    let begun = Instant::now();
    let future = Box::pin(guest.instantiate());
    let metered = Metered { meter, budget: limits.cpu, future };
    let instantiated = Fair::new(metered, &module.commons.background, &Arc::default());
    match tokio::time::timeout(limits.first_byte, instantiated).await {
        Ok(instantiated) => instantiated.map(|()| begun.elapsed()),
        Err(_elapsed) => Err(Failure::TimedOut { limit: limits.first_byte }),
    }
}

/// An instance whose memories are as ordered.
async fn ordered<T>(order: &Order, instance: impl Future<Output = T>) -> T {
    let mut instance = std::pin::pin!(instance);
    if order.content.is_none() && order.capture.is_none() {
        return instance.await;
    }
    std::future::poll_fn(|cx| order.around(|| instance.as_mut().poll(cx))).await
}

/// A component of the platform's own that is called for no request.
pub(crate) struct Inner<'a> {
    pub(crate) instance: &'a InstancePre<State>,
    pub(crate) engine: &'a wasmtime::Engine,
    pub(crate) ticker: &'a Ticker,
    pub(crate) commons: &'a Commons,
}

/// Calls one function of a fresh instance, whose memory is as ordered, and drops the instance.
///
/// # Errors
///
/// The [`Failure`] that it ends with.
pub(crate) async fn call_inner<P, R>(
    inner: &Inner<'_>,
    limits: &Limits,
    order: &Order,
    (interface, function): (&str, &str),
    parameters: P,
) -> Result<R, Failure>
where
    P: ComponentNamedList + Lower + Send + Sync + 'static,
    R: Lift + ComponentType + Send + Sync + 'static,
{
    let parts = parts_of_nobody(inner.commons, limits)?;
    let meter = Arc::clone(&parts.meter);
    let (_lent, slot) = Handover::new(crate::body::empty(), &Arriving::default());
    let state = State::new(&parts, RequestHead::none(0), slot);
    let mut armed = Armed::new(inner.engine, state, limits, &meter)?;
    let _ticking = inner.ticker.ticking();
    let work = async {
        let failure = |error| failure_of(&error, limits);
        let instance =
            ordered(order, inner.instance.instantiate_async(&mut armed.store)).await.map_err(failure)?;
        let missing = || Failure::internal(format!("there is no function {function} in {interface}"));
        let store = &mut armed.store;
        let interface = instance.get_export_index(&mut *store, None, interface).ok_or_else(missing)?;
        let index = instance.get_export_index(&mut *store, Some(&interface), function).ok_or_else(missing)?;
        let function = instance.get_typed_func::<P, (R,)>(&mut *store, index).map_err(failure)?;
        function.call_async(store, parameters).await.map(|(said,)| said).map_err(failure)
    };
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| meter.cpu.charge(|| work.as_mut().poll(cx))).await
}

/// What an invocation is made from that nobody asked for.
fn parts_of_nobody(commons: &Commons, limits: &Limits) -> Result<InvocationParts, Failure> {
    let name = ScriptName::try_from("start-up").map_err(Failure::internal)?;
    let info = RequestInfo {
        ray_id: Arc::from(""),
        client_address: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        hostname: Arc::from(""),
        hostname_metadata: None,
        tls: None,
    };
    let key = ScriptKey::Platform(name);
    let memory = commons.memory.account(&key);
    Ok(InvocationParts {
        version: Arc::new(Version::new(key, "", Granted::default())),
        memory,
        limits: *limits,
        ceiling: *limits,
        trusted: false,
        host: Arc::new(DenyAll),
        info: Arc::new(info),
        entry: Arc::default(),
        meter: Arc::default(),
        head: Arc::default(),
    })
}
