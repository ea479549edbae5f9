//! What JavaScript holds of the host: handles in a table, which it names by numbers.

use std::cell::RefCell;

use crate::bindings::wasi::http::types::{
    FutureIncomingResponse, IncomingBody, IncomingRequest, IncomingResponse, Method, OutgoingBody, Scheme,
};
use crate::bindings::wasi::io::poll::Pollable;
use crate::bindings::wasi::io::streams::{InputStream, OutputStream};
use crate::bindings::wasmyard::platform::{
    assets, cache, d1, dispatch, kv, mtls, outgoing, queues, r2, rate_limit, secrets,
};

/// A handle. Of two that belong together the child comes first, for it is to be dropped first.
pub(crate) enum Resource {
    Request(Handled),
    Response(IncomingResponse),
    /// What was known of a response that the event was answered with.
    Answered {
        status: u16,
        fields: Vec<(String, Vec<u8>)>,
    },
    Source {
        stream: InputStream,
        _body: IncomingBody,
    },
    Sink {
        stream: OutputStream,
        body: OutgoingBody,
    },
    FromScript(dispatch::FutureResponse),
    FromUrl(outgoing::FutureResponse),
    FromStream(FutureIncomingResponse),
    Worker(dispatch::Worker),
    Namespace(dispatch::Namespace),
    Files(assets::Files),
    Kv(kv::Namespace),
    D1(d1::Database),
    Limiter(rate_limit::Limiter),
    Secret(secrets::Secret),
    Certificate(mtls::Certificate),
    Queue(queues::Sender),
    Bucket(r2::Bucket),
    /// The content of an object, to be read.
    Content(InputStream),
    /// A content that is being written.
    Writer {
        stream: OutputStream,
        writer: Writer,
    },
}

/// What a content that is being written will be.
pub(crate) enum Writer {
    Object(r2::Writer),
    Value(kv::Writer),
    /// The body of a response that a cache is to keep.
    Response(cache::Writer),
}

/// The request that is handled. Its head can be read when it was handed on, too.
pub(crate) struct Handled {
    /// None when it was handed on.
    pub(crate) request: Option<IncomingRequest>,
    /// What its head was by then.
    pub(crate) head: Option<HandledHead>,
}

/// A head as it came in.
pub(crate) struct HandledHead {
    pub(crate) method: Method,
    pub(crate) scheme: Option<Scheme>,
    pub(crate) authority: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl Handled {
    /// Takes the request to hand it on; what its head says is kept.
    pub(crate) fn take(&mut self) -> Option<IncomingRequest> {
        let request = self.request.take()?;
        self.head = Some(HandledHead {
            method: request.method(),
            scheme: request.scheme(),
            authority: request.authority(),
            path: request.path_with_query(),
            fields: request.headers().entries(),
        });
        Some(request)
    }
}

impl Resource {
    /// Something that is ready when this has got further.
    pub(crate) fn subscribe(&self) -> Option<Pollable> {
        match self {
            Self::Source { stream, .. } => Some(stream.subscribe()),
            Self::Sink { stream, .. } | Self::Writer { stream, .. } => Some(stream.subscribe()),
            Self::Content(stream) => Some(stream.subscribe()),
            Self::FromScript(future) => Some(future.subscribe()),
            Self::FromUrl(future) => Some(future.subscribe()),
            Self::FromStream(future) => Some(future.subscribe()),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Table {
    slots: Vec<Option<Resource>>,
    free: Vec<u32>,
}

thread_local! {
    static TABLE: RefCell<Table> = const { RefCell::new(Table { slots: Vec::new(), free: Vec::new() }) };
}

/// Puts a handle into the table and names it.
pub(crate) fn put(resource: Resource) -> u32 {
    TABLE.with_borrow_mut(|table| match table.free.pop() {
        Some(id) => {
            table.slots[id as usize] = Some(resource);
            id
        }
        None => {
            table.slots.push(Some(resource));
            table.slots.len() as u32 - 1
        }
    })
}

/// Takes a handle out.
pub(crate) fn take(id: u32) -> Option<Resource> {
    TABLE.with_borrow_mut(|table| {
        let resource = table.slots.get_mut(id as usize)?.take()?;
        table.free.push(id);
        Some(resource)
    })
}

/// Looks at a handle. The function must not come back to the table.
pub(crate) fn with<T>(id: u32, look: impl FnOnce(&Resource) -> T) -> Option<T> {
    TABLE.with_borrow(|table| table.slots.get(id as usize)?.as_ref().map(look))
}

/// Works with a handle. The function must not come back to the table.
pub(crate) fn with_mut<T>(id: u32, work: impl FnOnce(&mut Resource) -> T) -> Option<T> {
    TABLE.with_borrow_mut(|table| table.slots.get_mut(id as usize)?.as_mut().map(work))
}
