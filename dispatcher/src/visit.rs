//! One visitor's request on its way: what the steps of the path work on. What happened is noted in its [`VisitLog`].

mod log;
mod tracked;

use std::borrow::Cow;
use std::sync::Arc;

use http::request;
use wasmyard_listener::Client;
use wasmyard_namespaces::registry::HostMatch;
use wasmyard_namespaces::url_path::routed;

pub(crate) use log::{Answer, UploadFault, VisitLog};
pub use tracked::Tracked;

/// One visitor's request, when its head has been read.
pub(crate) struct Visit<B> {
    /// The head without what is meant for one hop only. Its URI is absolute, and its path spelled as it was sent: so
    /// scripts see it.
    pub(crate) head: request::Parts,
    pub(crate) body: B,
    /// Who sent it, as the listener knows it: what the head says of that is gone from it.
    pub(crate) client: Client,
    /// The one host that it is for: lower case, no port.
    pub(crate) host: Arc<str>,
    /// Whose the host is, where it belongs to a zone.
    pub(crate) zone: Option<HostMatch>,
    /// The path in the spelling that routes and rules go by, where it was sent in another one.
    respelled: Option<String>,
    pub(crate) log: Arc<VisitLog>,
}

impl<B> Visit<B> {
    pub(crate) fn new(
        head: request::Parts,
        body: B,
        client: Client,
        host: Arc<str>,
        log: &Arc<VisitLog>,
    ) -> Self {
        let respelled = match routed(head.uri.path()) {
            Cow::Borrowed(_) => None,
            Cow::Owned(path) => Some(path),
        };
        Self { head, body, client, host, zone: None, respelled, log: Arc::clone(log) }
    }

    /// The one path that routes and rules go by, however it was spelled.
    pub(crate) fn path(&self) -> &str {
        self.respelled.as_deref().unwrap_or_else(|| self.head.uri.path())
    }

    /// The same visit with another body.
    pub(crate) fn with_body<C>(self, change: impl FnOnce(B, &Arc<VisitLog>) -> C) -> Visit<C> {
        let Self { head, body, client, host, zone, respelled, log } = self;
        let body = change(body, &log);
        Visit { head, body, client, host, zone, respelled, log }
    }
}
