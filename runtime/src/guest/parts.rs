//! What one invocation is made from, beside its code and its request.

use std::sync::Arc;

use wasmyard_namespaces::limits::Limits;

use crate::bindings::granted::Version;
use crate::guest::answer::HeadSlot;
use crate::limits::guest_memory::MemoryAccount;
use crate::limits::meter::Meter;
use crate::seams::{Entry, Host, RequestInfo};

/// The parts that a store's data is made from.
pub(crate) struct InvocationParts {
    pub(crate) version: Arc<Version>,
    /// Its script's memory.
    pub(crate) memory: Arc<MemoryAccount>,
    pub(crate) limits: Limits,
    /// The highest limits that a call of another script may ask for.
    pub(crate) ceiling: Limits,
    /// Whether its code is the platform builder's own: it may see a fine clock, and has the default cache.
    pub(crate) trusted: bool,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) info: Arc<RequestInfo>,
    pub(crate) entry: Arc<Entry>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) head: Arc<HeadSlot>,
}
