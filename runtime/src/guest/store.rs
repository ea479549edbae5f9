//! The whole life of one store: made for one request, armed with its limits, run, and gone. A store is used
//! once and never again, but where a version asks for that, and then only after it has returned ([`crate::guest::pool`]).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use wasmtime::{Store, Trap, UpdateDeadline};
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmyard_namespaces::limits::Limits;
use wasmyard_namespaces::name::ScriptName;
use wasmyard_namespaces::script::ScriptKey;

use crate::body::{Body, BodyError, Handover, HandoverSlot};
use crate::code::module::Module;
use crate::codes::to_code;
use crate::grants::{Grants, Version};
use crate::guest::answer::HeadSlot;
use crate::guest::pool::{Instance, Resters};
use crate::guest::state::{Last, MAX_RESOURCES, RequestHead, State, Tail};
use crate::limits::cpu::Metered;
use crate::limits::guest_memory::{MemoryAccount, RETRY_AFTER};
use crate::limits::idle::paced;
use crate::limits::memory::Exceeded;
use crate::limits::meter::Meter;
use crate::limits::scheduler::{self, Fair};
use crate::outcome::Failure;
use crate::seams::{DenyAll, Entry, Host, RequestInfo};

/// How many bytes a guest may hand to the host in one call.
const MAX_CALL_BYTES: usize = 1 << 20;

/// What one store is made from.
pub(crate) struct Guest {
    /// Held as long as anything of it runs: what runs is never unmapped.
    pub(crate) module: Arc<Module>,
    pub(crate) version: Arc<Version>,
    /// Where its instance comes from and goes to, if its version lets instances rest.
    pub(crate) pool: Option<Arc<Resters>>,
    /// Its script's memory.
    pub(crate) memory: Arc<MemoryAccount>,
    pub(crate) limits: Limits,
    pub(crate) ceiling: Limits,
    /// Whether it may see a fine clock.
    pub(crate) trusted: bool,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) info: Arc<RequestInfo>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) head: Arc<HeadSlot>,
}

impl Guest {
    /// Handles one request. A tail call is made when the store is gone.
    pub(crate) async fn run(self, request: Request<Body>) -> Result<(), Failure> {
        let host = Arc::clone(&self.host);
        let head = Arc::clone(&self.head);
        if let Some(Tail { last, send }) = self.run_store(request).await? {
            head.handed_over();
            match last {
                Last::Call(call) => send(Ok(host.call(*call).await?)),
                Last::Outbound(request) => send(host.outbound(*request).await.map_err(to_code)),
            }
        }
        Ok(())
    }

    async fn run_store(self, request: Request<Body>) -> Result<Option<Tail>, Failure> {
        let _ticking = self.module.ticker.ticking();
        let (parts, body) = request.into_parts();
        let body = paced(body, self.limits.stream_idle, BodyError::ConnectionReadTimeout);
        let body = Counted { body, meter: Arc::clone(&self.meter) }.boxed_unsync();
        let (lent, slot) = Handover::new(body);
        let mut instance = self.instance(RequestHead::of(&parts), slot).await?;
        let head = Arc::clone(&self.head);
        let result = async {
            let Instance { armed, proxy, .. } = &mut instance;
            let store = &mut armed.store;
            let scheme = match parts.uri.scheme_str() {
                Some("https") => Scheme::Https,
                _ => Scheme::Http,
            };
            let mut http = store.data_mut().http();
            let request = http.new_incoming_request(scheme, Request::from_parts(parts, lent))?;
            let out = http.new_response_outparam_from_callback(move |answer| head.put(answer))?;
            proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
        }
        .await;
        if let Err(error) = result {
            return Err(failure_of(&error, &self.limits));
        }
        let tail = instance.armed.store.data_mut().tail.take();
        if let Some(pool) = &self.pool {
            pool.rest(instance, &self.module.commons);
        }
        Ok(tail)
    }

    /// One that rested, or a new one.
    async fn instance(&self, request: RequestHead, body: HandoverSlot) -> Result<Instance, Failure> {
        if let Some(mut instance) = self.pool.as_ref().and_then(|pool| pool.wake(&self.limits)) {
            instance.armed.store.data_mut().renew(self, request, body);
            instance.armed.again(self)?;
            return Ok(instance);
        }
        let mut armed = self.store(State::new(self, request, body))?;
        let begun = Instant::now();
        let instantiated = self.module.pre.instantiate_async(&mut armed.store).await;
        let proxy = instantiated.map_err(|error| failure_of(&error, &self.limits))?;
        self.meter.instantiated(begun.elapsed());
        Ok(Instance::new(armed, proxy))
    }

    /// Makes an instance and drops it.
    async fn instantiate(self) -> Result<(), Failure> {
        let _ticking = self.module.ticker.ticking();
        let (_lent, slot) = Handover::new(crate::body::empty());
        let (parts, ()) = Request::new(()).into_parts();
        let mut armed = self.store(State::new(&self, RequestHead::of(&parts), slot))?;
        let instance = self.module.pre.instantiate_async(&mut armed.store).await;
        instance.map(|_| ()).map_err(|error| failure_of(&error, &self.limits))
    }

    /// A store with its limits armed: before instantiation, because start-up code is guest code, too.
    fn store(&self, state: State) -> Result<Armed, Failure> {
        let mut store = Store::new(self.module.engine(), state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(MAX_CALL_BYTES);
        store.set_max_component_handles(MAX_RESOURCES);
        let mut armed = Armed { store, meter: Arc::clone(&self.meter), fuel: None };
        armed.again(self)?;
        Ok(armed)
    }
}

/// A store whose fuel is put on the account when it goes, however it goes.
pub(crate) struct Armed {
    pub(crate) store: Store<State>,
    meter: Arc<Meter>,
    fuel: Option<u64>,
}

impl Armed {
    /// Sets CPU budget and fuel to what this invocation may use.
    fn again(&mut self, guest: &Guest) -> Result<(), Failure> {
        // Only an engine that counts fuel can say how much there is; there, none given would be none at all.
        let fuel = match (self.store.get_fuel().is_ok(), guest.limits.fuel) {
            (true, limit) => Some(limit.unwrap_or(u64::MAX)),
            (false, None) => None,
            (false, Some(_)) => {
                return Err(Failure::internal("code that does not count fuel, run with fuel"));
            }
        };
        if let Some(fuel) = fuel {
            self.store.set_fuel(fuel).map_err(Failure::internal)?;
        }
        arm(&mut self.store, Arc::clone(&guest.meter), guest.limits.cpu);
        self.meter = Arc::clone(&guest.meter);
        self.fuel = fuel;
        Ok(())
    }

    /// Puts the fuel that was used on the account.
    pub(crate) fn settle(&mut self) {
        if let (Some(fuel), Ok(left)) = (self.fuel.take(), self.store.get_fuel()) {
            self.meter.used_fuel(fuel.saturating_sub(left));
        }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Makes one instance of a module and drops it: proof that its start-up code runs within the limits.
///
/// # Errors
///
/// The [`Failure`] that every invocation of it would end with.
pub async fn start_up(module: &Arc<Module>, limits: &Limits) -> Result<Duration, Failure> {
    let name = ScriptName::try_from("start-up").map_err(Failure::internal)?;
    let info = RequestInfo {
        ray_id: Arc::from(""),
        client_address: std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        hostname: Arc::from(""),
        hostname_metadata: None,
    };
    let meter = Arc::new(Meter::default());
    let key = ScriptKey::Platform(name);
    let memory = module.commons.memory.account(&key);
    let guest = Guest {
        module: Arc::clone(module),
        version: Arc::new(Version::new(key, "", Grants::new(&[]))),
        pool: None,
        memory,
        limits: *limits,
        ceiling: *limits,
        trusted: false,
        host: Arc::new(DenyAll),
        info: Arc::new(info),
        entry: Arc::default(),
        meter: Arc::clone(&meter),
        head: Arc::default(),
    };
    let begun = Instant::now();
    let future = Box::pin(guest.instantiate());
    let metered = Metered { meter, budget: limits.cpu, future };
    let instantiated = Fair::new(metered, &module.commons.background, &Arc::default());
    match tokio::time::timeout(limits.first_byte, instantiated).await {
        Ok(instantiated) => instantiated.map(|()| begun.elapsed()),
        Err(_elapsed) => Err(Failure::TimedOut { limit: limits.first_byte }),
    }
}

/// Sets the epoch callback: the guest is stopped when its budget is spent, and lets others run otherwise.
fn arm(store: &mut Store<State>, meter: Arc<Meter>, budget: Duration) {
    store.set_epoch_deadline(1);
    let mut before = Duration::ZERO;
    store.epoch_deadline_callback(move |mut store| {
        if meter.cpu.has_spent(budget) {
            return Err(Exceeded::Cpu.into());
        }
        store.data_mut().weigh()?;
        // The slice that ends here is on the account when the poll is over: it counts at the next step.
        let used = meter.cpu.used();
        scheduler::stepped_back(used.saturating_sub(std::mem::replace(&mut before, used)));
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
}

/// What an error out of Wasm means. Texts name the kind of trap and nothing of the host.
fn failure_of(error: &wasmtime::Error, limits: &Limits) -> Failure {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return match exceeded {
            Exceeded::Memory => Failure::ExceededMemory { limit: limits.memory_bytes },
            Exceeded::Cpu => Failure::ExceededCpu { limit: limits.cpu },
            Exceeded::GuestMemory => Failure::Overloaded { retry_after: RETRY_AFTER },
            Exceeded::MemoryShare { limit } => {
                Failure::ExceededMemoryShare { limit: *limit, retry_after: RETRY_AFTER }
            }
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::Interrupt => Failure::ExceededCpu { limit: limits.cpu },
            Trap::OutOfFuel => Failure::ExceededFuel { limit: limits.fuel.unwrap_or(u64::MAX) },
            other => Failure::Trapped(other.to_string()),
        };
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Failure::Trapped(format!("it called exit({})", exit.0));
    }
    if error.downcast_ref::<wasmtime::PoolConcurrencyLimitError>().is_some() {
        return Failure::Overloaded { retry_after: RETRY_AFTER };
    }
    // What is left are host calls that the guest used wrongly (a resource it does not have, a body
    // taken twice): its own mistake, in words that the host functions chose.
    Failure::Trapped(error.root_cause().to_string())
}

/// Counts the bytes that a guest was sent.
struct Counted {
    body: Body,
    meter: Arc<Meter>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.meter.received(data.len());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
