//! Owns waiting inside a `poll` function: one pollable, made when it is first needed and used for all waits.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use wasip2::io::poll::Pollable;

use super::Ready;

/// Waits for one thing again and again. It must be dropped before the stream whose pollable it holds.
#[derive(Default)]
pub(crate) struct Wait {
    ready: Option<Ready>,
    pollable: Option<Rc<Pollable>>,
}

impl Wait {
    /// Ready once for each time that the pollable is; the next call waits anew.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, subscribe: impl FnOnce() -> Pollable) -> Poll<()> {
        let ready = self.ready.get_or_insert_with(|| {
            Ready::new(self.pollable.get_or_insert_with(|| Rc::new(subscribe())).clone())
        });
        let poll = Pin::new(ready).poll(cx);
        if poll.is_ready() {
            self.ready = None;
        }
        poll
    }
}
