//! Who may compute next: short requests at once, long-running guests in turns.
//!
//! A guest that has burned [`CREDIT`] of CPU time goes on in the *background*: it runs only while it has one
//! of a few places, fewer than there are threads, so that a request that has just come finds a thread. It
//! runs a number of slices and passes its place on. Waiting gives credit back, so that a guest that streams
//! and mostly waits is never in the background.
//!
//! Where many guests compute at once, most of them take turns from their second slice on, whatever they have burned:
//! who stands between two slices in front of a request that has just come costs it half a millisecond, and a request
//! that is to be refused must hear of it soon.
//!
//! Turns belong to the outermost guest of a task: the guests that it calls inside its own poll run in its
//! turn. It is asked for before anything of the task is polled, and ends when the guest waits for anything
//! but the processor. So nobody waits while it is their turn, and there is no way to a deadlock: a turn whose
//! guest is not polled any more is taken from it after [`RETRY`].

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// CPU time until a guest is in the background.
const CREDIT: Duration = Duration::from_millis(2);
/// The most that a guest can owe, so that a long past is paid off by a short wait.
const MOST_DEBT: Duration = Duration::from_millis(4);
/// Time to wait for one unit of CPU time to be forgotten.
const WAIT_PER_CREDIT: u32 = 4;
/// For each thread, how many guests with credit may stand between two slices. What is more takes turns.
const FOREGROUND: usize = 4;
/// Slices of one turn. More would let the others wait longer; fewer would empty the processor's caches
/// more often.
const SLICES: u32 = 16;
/// From how much CPU time on a script counts as one that computes.
const COMPUTES: Duration = Duration::from_micros(250);
/// A turn whose guest does not come for this long is over.
const RETRY: Duration = Duration::from_millis(20);

thread_local! {
    /// What the outermost guest's poll under way on this thread has done so far; none outside of one.
    static POLL: Cell<Option<Done>> = const { Cell::new(None) };
}

/// What happened during a poll.
#[derive(Clone, Copy, Default)]
struct Done {
    burned: Duration,
    /// Of that, by guests that were called inside the poll.
    by_callees: Duration,
    yielded: bool,
}

impl Done {
    /// What the guest itself has burned since.
    fn own_since(self, before: Done) -> Duration {
        (self.burned - before.burned).saturating_sub(self.by_callees - before.by_callees)
    }
}

/// Whether a script computes for long, as far as its last invocation that ended can tell.
#[derive(Debug, Default)]
pub(crate) struct Habit(AtomicBool);

/// Notes that a guest steps back after a slice in which it used this much CPU time. Called inside its poll.
pub(crate) fn stepped_back(burned: Duration) {
    if let Some(done) = POLL.get() {
        POLL.set(Some(Done { burned: done.burned.saturating_add(burned), yielded: true, ..done }));
    }
}

/// The places of the background, shared by all guests of a process.
#[derive(Debug)]
pub(crate) struct Background {
    /// None: one less than there are threads.
    places: Option<usize>,
    /// Guests with credit that stand between two slices.
    between: AtomicUsize,
    state: Mutex<State>,
    passed_on: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Whose turn it is: at most as many as there are places.
    holders: Vec<Holder>,
    waiting: usize,
    last: u64,
}

/// A turn under way.
#[derive(Debug)]
struct Holder {
    turn: u64,
    /// Whether it is being polled now.
    running: bool,
    /// When it last was.
    seen: Instant,
}

impl Holder {
    /// Whoever had this turn has not come for so long that others need not wait for it.
    fn is_forsaken(&self) -> bool {
        !self.running && self.seen.elapsed() >= RETRY
    }
}

impl Background {
    /// As many places as leave one thread free, and at least one.
    pub(crate) fn new() -> Self {
        Self { places: None, between: AtomicUsize::new(0), state: Mutex::default(), passed_on: Notify::new() }
    }

    fn places(&self) -> usize {
        self.places.unwrap_or_else(|| threads().saturating_sub(1).max(1))
    }

    /// Goes on with a turn, if it is still there.
    fn resume(&self, turn: u64) -> bool {
        let mut state = self.lock();
        let holder = state.holders.iter_mut().find(|holder| holder.turn == turn);
        holder.map(|holder| holder.running = true).is_some()
    }

    /// Begins a turn. Who was not called and finds others waiting has to wait as well, and is counted.
    fn begin(&self, called: bool) -> Option<u64> {
        let places = self.places();
        let mut state = self.lock();
        if called {
            state.holders.retain(|holder| !holder.is_forsaken());
        }
        if state.holders.len() >= places || !(called || state.waiting == 0) {
            state.waiting += 1;
            return None;
        }
        state.last += 1;
        let turn = state.last;
        state.holders.push(Holder { turn, running: true, seen: Instant::now() });
        Some(turn)
    }

    /// The end of a slice.
    fn pause(&self, turn: u64) {
        if let Some(holder) = self.lock().holders.iter_mut().find(|holder| holder.turn == turn) {
            holder.running = false;
            holder.seen = Instant::now();
        }
    }

    /// The end of a turn: calls the next one.
    fn end(&self, turn: u64) {
        let mut state = self.lock();
        state.holders.retain(|holder| holder.turn != turn);
        if state.waiting > 0 {
            self.passed_on.notify_one();
        }
    }

    /// Resolves when it is worth looking for a place.
    async fn called(&self) {
        let mut passed_on = std::pin::pin!(self.passed_on.notified());
        while tokio::time::timeout(RETRY, &mut passed_on).await.is_err() {
            let mut state = self.lock();
            state.holders.retain(|holder| !holder.is_forsaken());
            if state.holders.len() < self.places() {
                return;
            }
        }
    }

    /// A guest with credit stands between two slices, until [`Background::crowds`] or its end.
    fn stands_between(&self) {
        self.between.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a guest that has just stood between two slices is one of too many. It stands there no more.
    fn crowds(&self) -> bool {
        self.between.fetch_sub(1, Ordering::Relaxed) > FOREGROUND * threads()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn threads() -> usize {
    tokio::runtime::Handle::try_current().map_or(1, |runtime| runtime.metrics().num_workers())
}

/// Where a guest stands in the background.
enum Turn {
    /// It has none: it is not in the background, or about to ask.
    None,
    /// It waits to be called.
    Waiting(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// It is its turn of this number, for so many more slices.
    Mine(u64, u32),
}

/// A guest that takes turns.
pub(crate) struct Fair<F> {
    guest: F,
    background: Arc<Background>,
    habit: Arc<Habit>,
    /// Whether it was polled already.
    begun: bool,
    /// CPU time that it has burned itself, callees left out.
    own: Duration,
    /// CPU time that it has burned and not waited off.
    debt: Duration,
    /// When its last poll ended.
    rests_since: Option<Instant>,
    turn: Turn,
    /// Whether it has to let others go first once more.
    steps_aside: bool,
    /// Whether it stands between two slices, with credit.
    between: bool,
    /// Whether it waits for something other than the processor.
    waits: bool,
}

impl<F> Fair<F> {
    pub(crate) fn new(guest: F, background: &Arc<Background>, habit: &Arc<Habit>) -> Self {
        Self {
            guest,
            background: Arc::clone(background),
            habit: Arc::clone(habit),
            begun: false,
            own: Duration::ZERO,
            debt: Duration::ZERO,
            rests_since: None,
            turn: Turn::None,
            steps_aside: false,
            between: false,
            waits: false,
        }
    }

    /// The guest itself.
    pub(crate) fn inner(&self) -> &F {
        &self.guest
    }

    /// Whether its last poll ended because it waits for something other than the processor.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waits
    }

    /// Resolves with the number of its turn.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        let mut called = false;
        if let Turn::Mine(turn, _) = self.turn
            && self.background.resume(turn)
        {
            return Poll::Ready(turn);
        }
        loop {
            if let Turn::Waiting(wait) = &mut self.turn {
                ready!(wait.as_mut().poll(cx));
                called = true;
            }
            // Ends the wait for which it has just been called, before the next may begin.
            self.turn = Turn::None;
            if let Some(turn) = self.background.begin(called) {
                self.turn = Turn::Mine(turn, SLICES);
                return Poll::Ready(turn);
            }
            self.turn = Turn::Waiting(Box::pin(wait(Waits(Arc::clone(&self.background)))));
        }
    }

    /// True once, before anything else, for a guest of a script that computes.
    fn begins_to_compute(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true) && self.habit.0.load(Ordering::Relaxed)
    }

    /// Notes what a poll took of the guest itself, and at its end what is to be expected of the next one.
    fn took(&mut self, own: Duration, ended: bool) {
        self.own = self.own.saturating_add(own);
        if ended {
            self.habit.0.store(self.own >= COMPUTES, Ordering::Relaxed);
        }
    }

    /// Forgets what was waited off since the last poll.
    fn rested(&mut self) {
        if let Some(since) = self.rests_since.take() {
            self.debt = self.debt.saturating_sub(since.elapsed() / WAIT_PER_CREDIT);
        }
    }
}

impl<F: Future + Unpin> Future for Fair<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.waits = false;
        if let Some(before) = POLL.get() {
            // Inside another guest's poll: on its place.
            if this.begins_to_compute() {
                stepped_back(Duration::ZERO);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let polled = Pin::new(&mut this.guest).poll(cx);
            let after = POLL.get().unwrap_or(before);
            this.took(after.own_since(before), polled.is_ready());
            let by_callees = before.by_callees + (after.burned - before.burned);
            POLL.set(Some(Done { by_callees, ..after }));
            return polled;
        }
        if this.begins_to_compute() {
            this.between = true;
            this.background.stands_between();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if std::mem::take(&mut this.steps_aside) {
            // The runtime wakes who yields after it has looked for what came in meanwhile, and runs whom it
            // woke last first. From here on it is behind all of them.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.rested();
        let mut turn = None;
        let crowds = std::mem::take(&mut this.between) && this.background.crowds();
        if crowds || this.debt >= CREDIT || !matches!(this.turn, Turn::None) {
            turn = Some(ready!(this.poll_turn(cx)));
        }
        let (polled, done) = {
            let _slice = turn.map(|turn| Slice { background: &this.background, turn });
            let outermost = Outermost::enter();
            (Pin::new(&mut this.guest).poll(cx), outermost.leave())
        };
        this.took(done.own_since(Done::default()), polled.is_ready());
        this.debt = this.debt.saturating_add(done.burned).min(MOST_DEBT);
        let goes_on = polled.is_pending() && done.yielded;
        this.steps_aside = goes_on;
        this.waits = polled.is_pending() && !goes_on;
        // What a guest spends on its way back to the processor after a yield is no rest.
        if this.waits && !this.debt.is_zero() {
            this.rests_since = Some(Instant::now());
        }
        match this.turn {
            Turn::Mine(turn, slices) if goes_on && slices > 1 => this.turn = Turn::Mine(turn, slices - 1),
            Turn::Mine(turn, _) => {
                this.turn = Turn::None;
                this.background.end(turn);
            }
            Turn::None | Turn::Waiting(_) => {}
        }
        if goes_on && matches!(this.turn, Turn::None) && this.debt < CREDIT {
            this.between = true;
            this.background.stands_between();
        }
        polled
    }
}

impl<F> Drop for Fair<F> {
    fn drop(&mut self) {
        if let Turn::Mine(turn, _) = self.turn {
            self.background.end(turn);
        }
        if self.between {
            self.background.between.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A slice under way; it ends when this is dropped, also by a panic.
struct Slice<'a> {
    background: &'a Background,
    turn: u64,
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        self.background.pause(self.turn);
    }
}

/// One who waits, counted by [`Background::begin`].
struct Waits(Arc<Background>);

impl Drop for Waits {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

async fn wait(waits: Waits) {
    waits.0.called().await;
}

/// The outermost poll of a guest on this thread.
struct Outermost;

impl Outermost {
    fn enter() -> Self {
        POLL.set(Some(Done::default()));
        Self
    }

    fn leave(self) -> Done {
        POLL.get().unwrap_or_default()
    }
}

impl Drop for Outermost {
    fn drop(&mut self) {
        POLL.set(None);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    /// Far longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(60);

    fn places(places: usize) -> Arc<Background> {
        Arc::new(Background { places: Some(places), ..Background::new() })
    }

    type Guest = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn fair(background: &Arc<Background>, guest: impl Future<Output = ()> + Send + 'static) -> Fair<Guest> {
        Fair::new(Box::pin(guest) as Guest, background, &Arc::default())
    }

    /// Computes for so many slices of a millisecond, as far as anybody can tell.
    async fn compute(slices: u32) {
        for _ in 0..slices {
            stepped_back(MS);
            tokio::task::yield_now().await;
        }
    }

    async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
        tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: it hangs"))
    }

    #[tokio::test]
    async fn long_runners_take_turns_of_several_slices() {
        let background = places(1);
        let order = Arc::new(Mutex::new(Vec::new()));
        let runner = |name: char| {
            let order = Arc::clone(&order);
            tokio::spawn(fair(&background, async move {
                for _ in 0..50 {
                    order.lock().unwrap().push(name);
                    compute(1).await;
                }
            }))
        };
        let runners = [runner('a'), runner('b'), runner('c')];
        for runner in runners {
            in_time("a runner", runner).await.unwrap();
        }
        let order = order.lock().unwrap();
        assert_eq!(order.len(), 150);
        // The first slices of each are in the foreground, one by one; then a turn at a time.
        let changes = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes <= 25, "{changes} changes: {}", order.iter().collect::<String>());
    }

    #[tokio::test]
    async fn a_short_guest_does_not_wait_for_a_turn() {
        let background = places(1);
        let runners: Vec<_> = (0..8).map(|_| tokio::spawn(fair(&background, compute(10_000)))).collect();
        in_time("the queue", async {
            while background.lock().waiting < 7 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        // One slice of somebody else may be under way; nobody's turn has to end.
        let mut slices = 0;
        let mut short = fair(&background, compute(1));
        poll_fn(|cx| {
            slices += 1;
            Pin::new(&mut short).poll(cx)
        })
        .await;
        assert_eq!(slices, 3, "it was held back");
        assert!(runners.iter().all(|runner| !runner.is_finished()));
        for runner in runners {
            runner.abort();
        }
    }

    #[track_caller]
    fn assert_idle(background: &Background) {
        let state = background.lock();
        assert_eq!((state.holders.len(), state.waiting), (0, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_comes_in_during_a_slice_is_served_before_the_next_one() {
        use std::io::Write as _;

        use tokio::io::AsyncReadExt as _;

        let background = places(1);
        let order = Arc::new(Mutex::new(String::new()));
        let (mut visitor, socket) = std::os::unix::net::UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut socket = tokio::net::UnixStream::from_std(socket).unwrap();
        let served = Arc::clone(&order);
        let serves = tokio::spawn(async move {
            while socket.read_exact(&mut [0]).await.is_ok() {
                served.lock().unwrap().push('r');
            }
        });
        let computed = Arc::clone(&order);
        let computes = tokio::spawn(fair(&background, async move {
            for _ in 0..100 {
                computed.lock().unwrap().push('s');
                visitor.write_all(b"x").unwrap();
                compute(1).await;
            }
        }));
        in_time("the slices", computes).await.unwrap();
        in_time("the requests", serves).await.unwrap();
        let order = order.lock().unwrap();
        assert!(!order.contains("ss"), "a request waited for two slices: {order}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn who_comes_while_many_compute_waits_for_a_few_slices_and_not_for_one_of_each() {
        const MANY: usize = 200;
        let background = places(1);
        let slices = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        let guests: Vec<_> = (0..MANY)
            .map(|_| {
                let (slices, begun) = (Arc::clone(&slices), Arc::clone(&begun));
                tokio::spawn(fair(&background, async move {
                    begun.fetch_add(1, Ordering::SeqCst);
                    // Less than their credit.
                    for _ in 0..10 {
                        slices.fetch_add(1, Ordering::SeqCst);
                        stepped_back(MS / 10);
                        tokio::task::yield_now().await;
                    }
                }))
            })
            .collect();
        let counted = Arc::clone(&slices);
        let newcomer = tokio::spawn(async move {
            let mut most = 0;
            loop {
                let before = counted.load(Ordering::SeqCst);
                tokio::task::yield_now().await;
                let after = counted.load(Ordering::SeqCst);
                if before == after && after == MANY * 10 {
                    return most;
                }
                // Each begins once; from then on few of them stand before whoever comes.
                if begun.load(Ordering::SeqCst) == MANY && before > MANY {
                    most = most.max(after - before);
                }
            }
        });
        for guest in guests {
            in_time("a guest", guest).await.unwrap();
        }
        let most = in_time("the newcomer", newcomer).await.unwrap();
        assert!((1..=FOREGROUND * 2 + 4).contains(&most), "it waited for {most} slices");
        assert_idle(&background);
        assert_eq!(background.between.load(Ordering::SeqCst), 0);
    }

    /// Of a script that computed the last time.
    fn known(background: &Arc<Background>, guest: impl Future<Output = ()> + Send + 'static) -> Fair<Guest> {
        Fair::new(Box::pin(guest) as Guest, background, &Arc::new(Habit(AtomicBool::new(true))))
    }

    /// Polls many guests in turn, again and again, and counts how often somebody computed before all that is behind them
    /// in the queue had its first turn.
    async fn first_slices(guests: Vec<Fair<Guest>>, slices: &Arc<AtomicUsize>) -> usize {
        let guests: Vec<_> = guests.into_iter().map(tokio::spawn).collect();
        let counted = Arc::clone(slices);
        let newcomer = tokio::spawn(async move {
            tokio::task::yield_now().await;
            counted.load(Ordering::SeqCst)
        });
        let before = in_time("the newcomer", newcomer).await.unwrap();
        for guest in guests {
            in_time("a guest", guest).await.unwrap();
        }
        before
    }

    #[tokio::test]
    async fn of_a_flood_that_is_known_to_compute_few_begin_before_what_comes_next() {
        let counting = |slices: &Arc<AtomicUsize>| {
            let slices = Arc::clone(slices);
            async move {
                slices.fetch_add(1, Ordering::SeqCst);
                compute(2).await;
            }
        };
        let (background, slices) = (places(1), Arc::default());
        let guests = (0..100).map(|_| known(&background, counting(&slices))).collect();
        let before = first_slices(guests, &slices).await;
        assert!(before <= FOREGROUND + 1, "{before} began");
        assert_idle(&background);

        // Called by others who are not known to compute: the same.
        let (background, slices) = (places(1), Arc::default());
        let guests = (0..100).map(|_| fair(&background, known(&background, counting(&slices)))).collect();
        let before = first_slices(guests, &slices).await;
        assert!(before <= FOREGROUND + 1, "{before} began inside others");
        assert_idle(&background);

        // Nobody knows yet.
        let (background, slices) = (places(1), Arc::default());
        let guests = (0..100).map(|_| fair(&background, counting(&slices))).collect();
        assert_eq!(first_slices(guests, &slices).await, 100);
    }

    #[tokio::test]
    async fn a_script_is_known_by_what_it_did_itself_the_last_time() {
        let background = places(1);
        let (caller, callee): (Arc<Habit>, Arc<Habit>) = Default::default();
        let of = |guest: Guest, habit: &Arc<Habit>| Fair::new(guest, &background, habit);
        let known = |habit: &Arc<Habit>| habit.0.load(Ordering::Relaxed);
        in_time("one that calls", of(Box::pin(of(Box::pin(compute(3)), &callee)), &caller)).await;
        assert_eq!((known(&caller), known(&callee)), (false, true), "what a callee computes is the callee's");
        in_time("one that computes", of(Box::pin(compute(3)), &caller)).await;
        assert!(known(&caller));
        in_time("one that does not", of(Box::pin(async {}), &caller)).await;
        assert!(!known(&caller), "it is what it did last");
    }

    /// Burns, calls the rest of the chain inside its own poll, and burns again.
    fn chain(background: Arc<Background>, depth: u32) -> Guest {
        Box::pin(async move {
            compute(20).await;
            if depth > 0 {
                fair(&background, chain(Arc::clone(&background), depth - 1)).await;
            }
            compute(20).await;
        })
    }

    #[tokio::test]
    async fn chains_that_compute_at_every_step_end_with_a_single_place() {
        let background = places(1);
        let chains: Vec<_> =
            (0..8).map(|_| tokio::spawn(fair(&background, chain(Arc::clone(&background), 7)))).collect();
        for chain in chains {
            in_time("a chain", chain).await.unwrap();
        }
        assert_idle(&background);
    }

    #[tokio::test]
    async fn a_guest_that_waits_for_one_in_a_task_of_its_own_is_not_in_its_way() {
        let background = places(1);
        let inner = Arc::clone(&background);
        let caller = fair(&background, async move {
            compute(20).await;
            tokio::spawn(fair(&inner, compute(100))).await.unwrap();
            compute(20).await;
        });
        in_time("the caller", tokio::spawn(caller)).await.unwrap();
    }

    #[tokio::test]
    async fn a_caller_goes_on_while_nobody_polls_the_one_it_called() {
        let background = places(1);
        let inner = Arc::clone(&background);
        let caller = fair(&background, async move {
            compute(20).await;
            let mut callee = fair(&inner, compute(1_000));
            // Both are in the background now; the caller looks at the callee for a while and then no more.
            for _ in 0..40 {
                let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut callee).poll(cx))).await;
                assert!(polled.is_pending());
                tokio::task::yield_now().await;
            }
            compute(100).await;
            drop(callee);
        });
        in_time("the caller", tokio::spawn(caller)).await.unwrap();
    }

    #[tokio::test]
    async fn who_is_called_and_does_not_come_holds_nobody_up() {
        let background = places(1);
        let poll = |guest: &mut Fair<Guest>| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            Pin::new(guest).poll(&mut cx).is_pending()
        };
        let mut mine = fair(&background, compute(1_000));
        for _ in 0..5 {
            assert!(poll(&mut mine));
        }
        assert!(matches!(mine.turn, Turn::Mine(..)));
        let (mut second, mut third) = (fair(&background, compute(1_000)), fair(&background, compute(1_000)));
        for _ in 0..5 {
            assert!(poll(&mut second) && poll(&mut third));
        }
        assert!(matches!(second.turn, Turn::Waiting(_)) && matches!(third.turn, Turn::Waiting(_)));
        // Nobody polls the first one any more, though it is its turn: others run all the same.
        in_time("a fourth one", tokio::spawn(fair(&background, compute(100)))).await.unwrap();
        // The second one is called, and nobody polls it.
        drop(mine);
        in_time("a fifth one", tokio::spawn(fair(&background, compute(100)))).await.unwrap();
        drop((second, third));
        assert_idle(&background);
    }

    #[tokio::test]
    async fn waiting_gives_credit_back() {
        let background = places(1);
        let mut guest = fair(&background, async {
            compute(10).await;
            tokio::time::sleep(MOST_DEBT * WAIT_PER_CREDIT * 2).await;
            compute(1).await;
        });
        let mut most = Duration::ZERO;
        poll_fn(|cx| {
            let polled = Pin::new(&mut guest).poll(cx);
            most = most.max(guest.debt);
            polled
        })
        .await;
        assert_eq!(most, MOST_DEBT);
        assert_eq!(guest.debt, MS, "only what was burned after the wait");
    }
}
