//! What JavaScript holds of the host: handles in a table, which it names by numbers.

use std::cell::RefCell;

use crate::bindings::wasi::http::types::{
    FutureIncomingResponse, IncomingBody, IncomingRequest, IncomingResponse, OutgoingBody,
};
use crate::bindings::wasi::io::poll::Pollable;
use crate::bindings::wasi::io::streams::{InputStream, OutputStream};
use crate::bindings::wasmyard::platform::{assets, dispatch, kv, outgoing};

/// A handle. Of two that belong together the child comes first, for it is to be dropped first.
pub(crate) enum Resource {
    Request(IncomingRequest),
    Response(IncomingResponse),
    Source { stream: InputStream, _body: IncomingBody },
    Sink { stream: OutputStream, body: OutgoingBody },
    FromScript(dispatch::FutureResponse),
    FromUrl(outgoing::FutureResponse),
    FromStream(FutureIncomingResponse),
    Worker(dispatch::Worker),
    Namespace(dispatch::Namespace),
    Files(assets::Files),
    Kv(kv::Namespace),
}

impl Resource {
    /// Something that is ready when this has got further.
    pub(crate) fn subscribe(&self) -> Option<Pollable> {
        match self {
            Self::Source { stream, .. } => Some(stream.subscribe()),
            Self::Sink { stream, .. } => Some(stream.subscribe()),
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
