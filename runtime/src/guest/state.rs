//! What a store holds for one invocation: one field per capability. Made for one request and dropped with it, but
//! where a version asks for its instances to be used again ([`crate::guest::pool`]).

use std::collections::HashMap;
use std::sync::Arc;

use http::{Method, Uri};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::p2::body::{HostOutgoingBody, StreamContext};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};
use wasmyard_namespaces::limits::{Limits, StorageQuota};

use crate::bindings::granted::Version;
use crate::body::HandoverSlot;
use crate::guest::answer::{Answering, HeadSlot};
use crate::guest::clock::Clock;
use crate::guest::http::Hooks;
use crate::guest::logs::{Log, LogPipe};
use crate::guest::parts::InvocationParts;
use crate::limits::arriving::Arriving;
use crate::limits::host_memory::{self, HEADER_BYTES};
use crate::limits::memory::{Exceeded, MemoryLimiter};
use crate::seams::{Call, DenyAll, Entry, Host, LogStream, OutboundRequest, RequestInfo};

/// How many resources a guest may hold at once.
pub(crate) const MAX_RESOURCES: usize = 10_000;
/// How much random data one call may ask for.
const MAX_RANDOM_BYTES: u64 = 64 << 10;

/// The data of one invocation's store.
pub(crate) struct State {
    /// Made when it is first asked for.
    wasi: Option<WasiCtx>,
    wasi_http: WasiHttpCtx,
    pub(crate) table: ResourceTable,
    pub(crate) hooks: Hooks,
    pub(crate) memory: MemoryLimiter,
    pub(crate) clock: Clock,
    /// Whether its code is the platform builder's own.
    pub(crate) trusted: bool,
    /// The highest limits that a call of another script may ask for.
    pub(crate) ceiling: Limits,
    log: Log,
    /// Standard output and standard error.
    pub(crate) logs: [LogPipe; 2],
    pub(crate) version: Arc<Version>,
    pub(crate) info: Arc<RequestInfo>,
    pub(crate) entry: Arc<Entry>,
    /// The head of the request being handled, to pass it on without asking the resource for its parts.
    pub(crate) request: RequestHead,
    /// The body of the request being handled, as long as the guest has not opened it.
    pub(crate) request_body: Option<HandoverSlot>,
    /// Bodies of responses that came through `forward`, by the resource that holds them.
    pub(crate) response_bodies: HashMap<u32, HandoverSlot>,
    /// Bodies of responses that the guest has not read, by whatever way they came.
    pub(crate) arriving: Arriving,
    /// Where the answer goes, and where the failures of callees are noted.
    pub(crate) head: Arc<HeadSlot>,
    /// The answer that the guest still writes.
    pub(crate) answering: Option<Answering>,
    /// Bytes of an answer that the guest has handed over whole.
    pub(crate) answer_bytes: u64,
    /// Bytes of a value on its way between the guest and a service.
    pub(crate) passing: u64,
    /// How far the guest may fill what it keeps things in.
    pub(crate) storage: StorageQuota,
    /// What is to be asked when the guest has returned and this store is gone.
    pub(crate) tail: Option<TailCall>,
    /// Whether the guest returned, and was not ended.
    returned: bool,
}

/// A body that the guest had not finished when it was ended is broken off: without a word its reader would take what
/// came for the whole.
impl Drop for State {
    fn drop(&mut self) {
        if self.returned {
            return;
        }
        for entry in self.table.iter_mut() {
            if let Some(body) = entry.downcast_mut::<HostOutgoingBody>() {
                let (nobodys, _unread) = HostOutgoingBody::new(StreamContext::Response, None, 1, 1);
                std::mem::replace(body, nobodys).abort();
            }
        }
    }
}

/// Method and target of a request.
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    /// How much memory the whole head takes.
    bytes: u64,
}

/// Somebody left to be asked after the guest has returned.
pub(crate) struct TailCall {
    pub(crate) last: Last,
    pub(crate) send: SendResponse,
}

/// Who is asked.
pub(crate) enum Last {
    Call(Box<Call>),
    Outbound(Box<OutboundRequest>),
}

/// How the answer to a tail call reaches whoever waits for this invocation.
pub(crate) type SendResponse = Box<
    dyn FnOnce(Result<http::Response<crate::Body>, wasmtime_wasi_http::p2::bindings::http::types::ErrorCode>)
        + Send
        + Sync,
>;

impl State {
    pub(crate) fn new(parts: &InvocationParts, request: RequestHead, request_body: HandoverSlot) -> Self {
        let (limits, arriving) = (&parts.limits, Arriving::default());
        let log = Log::new(Arc::clone(&parts.host), Arc::clone(&parts.meter), log_bytes(limits));
        let logs = [log.pipe(LogStream::Stdout), log.pipe(LogStream::Stderr)];
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        let mut wasi_http = WasiHttpCtx::new();
        wasi_http.set_field_size_limit(HEADER_BYTES);
        Self {
            wasi: None,
            wasi_http,
            table,
            hooks: Hooks::new(Arc::clone(&parts.host), Arc::clone(&parts.meter), limits, &arriving),
            memory: MemoryLimiter::new(
                limits.memory_bytes,
                Arc::clone(&parts.meter),
                Arc::clone(&parts.memory),
            ),
            clock: Clock::new(parts.trusted),
            trusted: parts.trusted,
            ceiling: parts.ceiling,
            log,
            logs,
            version: Arc::clone(&parts.version),
            info: Arc::clone(&parts.info),
            entry: Arc::clone(&parts.entry),
            request,
            request_body: Some(request_body),
            response_bodies: HashMap::new(),
            arriving,
            head: Arc::clone(&parts.head),
            answering: None,
            answer_bytes: 0,
            passing: 0,
            storage: limits.storage,
            tail: None,
            returned: false,
        }
    }

    /// Goes on with another request: what belongs to a request is made anew, and what the guest has handles to
    /// stays.
    pub(crate) fn renew(
        &mut self,
        parts: &InvocationParts,
        request: RequestHead,
        request_body: HandoverSlot,
    ) {
        let limits = &parts.limits;
        self.log.renew(Arc::clone(&parts.host), Arc::clone(&parts.meter), log_bytes(limits));
        self.hooks = Hooks::new(Arc::clone(&parts.host), Arc::clone(&parts.meter), limits, &self.arriving);
        self.memory.renew(limits.memory_bytes, Arc::clone(&parts.meter));
        self.ceiling = parts.ceiling;
        self.storage = limits.storage;
        self.trusted = parts.trusted;
        self.info = Arc::clone(&parts.info);
        self.entry = Arc::clone(&parts.entry);
        self.request = request;
        self.request_body = Some(request_body);
        self.head = Arc::clone(&parts.head);
    }

    /// Lets go of all that belongs to the request that has been served.
    pub(crate) fn rest(&mut self) {
        self.logs.iter().for_each(LogPipe::finish);
        let nobody: Arc<dyn Host> = Arc::new(DenyAll);
        self.log.renew(Arc::clone(&nobody), Arc::default(), 0);
        self.hooks.release(nobody);
        self.request_body = None;
        self.response_bodies.clear();
        self.head = Arc::default();
        self.answering = None;
        self.answer_bytes = 0;
        self.passing = 0;
        self.tail = None;
        self.returned = false;
    }

    /// The guest has returned: what it wrote of a body without finishing it is all that there is of it.
    pub(crate) fn returned(&mut self) {
        self.returned = true;
    }

    /// Counts what the host holds for the guest.
    pub(crate) fn weigh(&mut self) -> Result<(), Exceeded> {
        let lines: usize = self.logs.iter().map(LogPipe::held).sum();
        let behind_handles = host_memory::held(&mut self.table, self.memory.left_for_host());
        let messages = self.request.bytes.saturating_add(self.answer_bytes).saturating_add(self.passing);
        let messages = messages.saturating_add(self.arriving.bytes());
        self.memory.host_holds(behind_handles.saturating_add(lines as u64).saturating_add(messages))
    }
}

/// Before each step the host's part is counted anew: whether a step is past the ceiling must not depend on when
/// the guest was last looked at.
impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.weigh()?;
        self.memory.memory_growing(current, desired, maximum)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.weigh()?;
        self.memory.table_growing(current, desired, maximum)
    }
}

/// Nothing of the host's environment: no arguments, no variables, no directories. Sockets and name look-up answer
/// "access denied": they are there for language runtimes that import them without use, and every address is refused.
fn wasi(clock: Clock, logs: &[LogPipe; 2]) -> WasiCtx {
    let [stdout, stderr] = logs.clone();
    WasiCtx::builder()
        .stdout(stdout)
        .stderr(stderr)
        .wall_clock(clock)
        .monotonic_clock(clock)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(MAX_RANDOM_BYTES)
        .build()
}

fn log_bytes(limits: &Limits) -> usize {
    usize::try_from(limits.log_bytes).unwrap_or(usize::MAX)
}

impl RequestHead {
    /// That of an event that is no request, for which the host holds so many bytes.
    pub(crate) fn none(bytes: u64) -> Self {
        Self { method: Method::default(), uri: Uri::default(), bytes }
    }

    pub(crate) fn of(request: &http::request::Parts) -> Self {
        let bytes = host_memory::head(&request.uri, &request.headers);
        Self { method: request.method.clone(), uri: request.uri.clone(), bytes }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| wasi(self.clock, &self.logs));
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.wasi_http, table: &mut self.table, hooks: &mut self.hooks }
    }
}
