//! Which connections are in use, and which are only kept. A kept one is worth a place as long as nobody needs the
//! place for something else; then it is closed, whoever it was kept for.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::task::Context;
use std::time::Duration;

use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, AtomicWaker, Instant, Mutex, MutexGuard};

/// A connection that was used a moment ago is about to be used again: it is no gain to close it.
const REST: Duration = Duration::from_millis(50);

/// All connections that are open, to find those that are idle.
#[derive(Default)]
pub(crate) struct IdleConnections {
    open: Mutex<HashMap<u64, Arc<Usage>>>,
    numbers: AtomicU64,
}

/// What is known of one connection by whoever uses it and by whoever would close it.
#[derive(Debug)]
pub(crate) struct Usage {
    sender: u64,
    /// Requests under way; with HTTP/2 there may be many.
    users: AtomicUsize,
    served: AtomicBool,
    /// How often something came from the origin.
    heard: AtomicU64,
    since: Mutex<Instant>,
    closing: AtomicBool,
    reader: AtomicWaker,
}

/// A connection's place among the open ones, for as long as it is open.
pub(crate) struct Listed {
    number: u64,
    kept: Arc<IdleConnections>,
    pub(crate) usage: Arc<Usage>,
}

/// One request that uses a connection, until this is dropped.
#[derive(Debug)]
pub struct InUse {
    usage: Arc<Usage>,
    /// Whether the connection had served another request before.
    again: bool,
    /// What had come from the origin when the request began.
    heard: u64,
}

impl IdleConnections {
    /// A number that no other sender has.
    pub(crate) fn sender(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Lists a connection that was opened for a sender.
    pub(crate) fn opened(self: &Arc<Self>, sender: u64) -> Listed {
        let usage = Arc::new(Usage {
            sender,
            users: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            heard: AtomicU64::new(0),
            since: Mutex::new(Instant::now()),
            closing: AtomicBool::new(false),
            reader: AtomicWaker::new(),
        });
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.all().insert(number, Arc::clone(&usage));
        Listed { number, kept: Arc::clone(self), usage }
    }

    /// Closes a connection that nobody uses: one of this sender, or, without one, of anybody.
    pub(crate) fn make_room(&self, sender: Option<u64>) {
        // Whoever holds the list is making room, or has a connection more or less: there is another turn.
        let Ok(open) = self.open.try_lock() else { return };
        let found =
            open.values().find(|usage| sender.is_none_or(|sender| sender == usage.sender) && usage.rests());
        if let Some(usage) = found {
            usage.closing.store(true, Ordering::Release);
            usage.reader.wake();
        }
    }

    pub(crate) fn all(&self) -> MutexGuard<'_, HashMap<u64, Arc<Usage>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Usage {
    /// Notes one more request.
    pub(crate) fn begin(self: &Arc<Self>) -> InUse {
        self.users.fetch_add(1, Ordering::AcqRel);
        let again = self.served.swap(true, Ordering::Relaxed);
        InUse { usage: Arc::clone(self), again, heard: self.heard.load(Ordering::Acquire) }
    }

    /// Notes that something came from the origin.
    pub(crate) fn hears(&self) {
        self.heard.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether the connection is to be closed now. Whoever reads from it is woken when that changes.
    pub(crate) fn ends(&self, cx: &Context<'_>) -> bool {
        self.reader.register(cx.waker());
        self.closing.load(Ordering::Acquire) && self.users.load(Ordering::Acquire) == 0
    }

    fn rests(&self) -> bool {
        self.users.load(Ordering::Acquire) == 0
            && !self.closing.load(Ordering::Acquire)
            && self.since().elapsed() >= REST
    }

    fn since(&self) -> MutexGuard<'_, Instant> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUse {
    /// Whether the connection served somebody before.
    pub(crate) fn is_again(&self) -> bool {
        self.again
    }

    /// Whether nothing has come from the origin since the request began.
    pub(crate) fn heard_nothing(&self) -> bool {
        self.usage.heard.load(Ordering::Acquire) == self.heard
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        *self.usage.since() = Instant::now();
        self.usage.users.fetch_sub(1, Ordering::AcqRel);
        if self.usage.closing.load(Ordering::Acquire) {
            self.usage.reader.wake();
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.kept.all().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(listed: &Listed) -> bool {
        listed.usage.ends(&Context::from_waker(std::task::Waker::noop()))
    }

    #[tokio::test(start_paused = true)]
    async fn room_is_made_of_what_rests_and_of_nothing_in_use() {
        let kept = Arc::new(IdleConnections::default());
        let (one, two) = (kept.sender(), kept.sender());
        let [used, resting, others] = [one, one, two].map(|sender| kept.opened(sender));
        let in_use = used.usage.begin();
        assert!(!in_use.is_again());
        tokio::time::advance(REST).await;
        let fresh = kept.opened(one);
        let closing = || [&used, &fresh, &resting, &others].map(ends);
        kept.make_room(Some(one));
        assert_eq!(closing(), [false, false, true, false]);
        kept.make_room(Some(one));
        assert_eq!(closing(), [false, false, true, false], "there is no other");
        kept.make_room(None);
        assert_eq!(closing(), [false, false, true, true], "of anybody");
        drop(resting);
        assert_eq!(kept.all().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_was_used_a_moment_ago_is_kept() {
        let kept = Arc::new(IdleConnections::default());
        let listed = kept.opened(kept.sender());
        tokio::time::advance(REST * 2).await;
        drop(listed.usage.begin());
        tokio::time::advance(REST - Duration::from_millis(1)).await;
        kept.make_room(None);
        assert!(!ends(&listed), "it is about to be used again");
        tokio::time::advance(Duration::from_millis(1)).await;
        kept.make_room(None);
        assert!(ends(&listed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_came_at_the_last_moment_is_served_first() {
        let kept = Arc::new(IdleConnections::default());
        let listed = kept.opened(kept.sender());
        tokio::time::advance(REST).await;
        kept.make_room(None);
        let in_use = listed.usage.begin();
        assert!(!ends(&listed));
        drop(in_use);
        assert!(ends(&listed));
        assert!(listed.usage.begin().is_again(), "it served before");
    }
}
