//! What is going on on one connection: shared by its socket's side, the requests on it and what they have left to send.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use futures::task::AtomicWaker;

use crate::figures::Figures;

/// Bytes of answers that may wait on one connection to be sent, and what is kept beside them. Beyond it a stream has at
/// most one piece waiting.
const MOST_UNSENT: usize = 512 << 10;

/// One connection.
#[derive(Debug)]
pub(crate) struct Activity {
    begun: AtomicU64,
    /// How often something was read.
    reads: AtomicU64,
    /// Requests that are answered, answers that are not taken yet, bodies that are thrown away.
    busy: AtomicUsize,
    /// Whether the last request came with a body.
    uploads: AtomicBool,
    /// Whether no further request is wanted.
    draining: AtomicBool,
    /// Whether what comes next is no HTTP any more.
    upgraded: AtomicBool,
    /// Whether it must end now.
    cut: AtomicBool,
    /// The connection's task, when it waits for bytes.
    task: AtomicWaker,
    unsent: AtomicUsize,
    /// Streams that wait until less is unsent.
    waiting: Mutex<Vec<Waker>>,
    figures: Figures,
}

/// Keeps a connection busy until it is dropped.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Activity>);

impl Activity {
    pub(crate) fn new(figures: Figures) -> Self {
        Self {
            begun: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            busy: AtomicUsize::new(0),
            uploads: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            upgraded: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            task: AtomicWaker::new(),
            unsent: AtomicUsize::new(0),
            waiting: Mutex::default(),
            figures,
        }
    }

    /// Notes that a request's head is complete, and whether a body follows.
    pub(crate) fn begin(self: &Arc<Self>, uploads: bool) -> Busy {
        self.uploads.store(uploads, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::AcqRel);
        self.busy()
    }

    /// Notes that the answer which is sent now changes the protocol.
    pub(crate) fn upgrade(&self) {
        self.upgraded.store(true, Ordering::Release);
    }

    /// Whether what comes next is no HTTP any more.
    pub(crate) fn is_upgraded(&self) -> bool {
        self.upgraded.load(Ordering::Acquire)
    }

    /// Keeps the connection busy until it is dropped.
    pub(crate) fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }

    /// How many requests have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Acquire)
    }

    /// Notes that something was read.
    pub(crate) fn was_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was read.
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire) > 0
    }

    pub(crate) fn uploads(&self) -> bool {
        self.uploads.load(Ordering::Relaxed)
    }

    /// Says that no further request is wanted.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Ends the connection.
    pub(crate) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        self.task.wake();
    }

    /// Whether it was to be cut; if not, whoever waits is woken when it is.
    pub(crate) fn is_cut(&self, waits: &Waker) -> bool {
        self.task.register(waits);
        self.cut.load(Ordering::Acquire)
    }

    /// Notes that so many bytes are ready to be sent, and that so much is kept beside them.
    pub(crate) fn handed(&self, bytes: usize, beside: usize) {
        self.unsent.fetch_add(bytes.saturating_add(beside), Ordering::AcqRel);
        self.figures.unsent.add(gauge(bytes));
    }

    /// Notes that so many of them are not ours any more.
    pub(crate) fn taken(&self, bytes: usize, beside: usize) {
        let all = bytes.saturating_add(beside);
        let before = self.unsent.fetch_sub(all, Ordering::AcqRel);
        self.figures.unsent.sub(gauge(bytes));
        if before >= MOST_UNSENT && before.saturating_sub(all) < MOST_UNSENT {
            let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// Whether no more may be handed over now; if so, whoever waits is woken when it may.
    pub(crate) fn is_full(&self, waits: &Waker) -> bool {
        if self.unsent.load(Ordering::Acquire) < MOST_UNSENT {
            return false;
        }
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waits.clone());
        // It may have become less before the waker was there.
        self.unsent.load(Ordering::Acquire) >= MOST_UNSENT
    }
}

fn gauge(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl Busy {
    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.0
    }

    /// Keeps the connection busy for another reason, too.
    pub(crate) fn also(&self) -> Self {
        self.0.busy()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    pub(crate) fn activity() -> Arc<Activity> {
        let figures = Figures::new(&prometheus::Registry::new(), "test", "tests").unwrap();
        Arc::new(Activity::new(figures))
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn who_waits_for_less_to_be_unsent_is_woken_once() {
        let activity = activity();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        activity.handed(MOST_UNSENT - 101, 100);
        assert!(!activity.is_full(&waker));
        activity.handed(1, 1);
        assert!(activity.is_full(&waker));
        activity.taken(0, 1);
        assert_eq!(count.0.load(Ordering::Relaxed), 0, "it is still full");
        activity.taken(1, 0);
        activity.taken(1, 0);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_connection_is_busy_as_long_as_anything_is() {
        let activity = activity();
        let busy = activity.begin(false);
        let also = busy.also();
        drop(busy);
        assert!(activity.is_busy());
        drop(also);
        assert!(!activity.is_busy());
        assert_eq!(activity.begun(), 1);
    }
}
