//! A guest that takes turns: the future that the rest of the crate polls.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::credit::Credit;
use super::habit::Habit;
use super::poll::{Done, Outermost, POLL, stepped_back};
use super::turns::{Background, Slice, wait};

/// Slices of one turn. More would let the others wait longer; fewer would empty the processor's caches
/// more often.
pub(super) const SLICES: u32 = 16;

/// Where a guest stands in the background.
pub(super) enum Turn {
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
    pub(super) credit: Credit,
    pub(super) turn: Turn,
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
            credit: Credit::default(),
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
            self.turn = Turn::Waiting(Box::pin(wait(&self.background)));
        }
    }

    /// True once, before anything else, for a guest of a script that computes.
    fn begins_to_compute(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true) && self.habit.computes()
    }

    /// Notes what a poll took of the guest itself, and at its end what is to be expected of the next one.
    fn took(&mut self, own: Duration, ended: bool) {
        self.own = self.own.saturating_add(own);
        if ended {
            self.habit.ended(self.own);
        }
    }
}

impl<F: Future + Unpin> Future for Fair<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.waits = false;
        if let Some(before) = POLL.with(Cell::get) {
            // Inside another guest's poll: on its place.
            if this.begins_to_compute() {
                stepped_back(Duration::ZERO);
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let polled = Pin::new(&mut this.guest).poll(cx);
            let after = POLL.with(Cell::get).unwrap_or(before);
            this.took(after.own_since(before), polled.is_ready());
            let by_callees = before.by_callees + (after.burned - before.burned);
            POLL.with(|poll| poll.set(Some(Done { by_callees, ..after })));
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
        this.credit.rested();
        let mut turn = None;
        let crowds = std::mem::take(&mut this.between) && this.background.crowds();
        if crowds || this.credit.is_spent() || !matches!(this.turn, Turn::None) {
            turn = Some(ready!(this.poll_turn(cx)));
        }
        let (polled, done) = {
            let _slice = turn.map(|turn| Slice { background: &this.background, turn });
            let outermost = Outermost::enter();
            (Pin::new(&mut this.guest).poll(cx), outermost.leave())
        };
        this.took(done.own_since(Done::default()), polled.is_ready());
        this.credit.burned(done.burned);
        let goes_on = polled.is_pending() && done.yielded;
        this.steps_aside = goes_on;
        this.waits = polled.is_pending() && !goes_on;
        // What a guest spends on its way back to the processor after a yield is no rest.
        if this.waits {
            this.credit.rests();
        }
        match this.turn {
            Turn::Mine(turn, slices) if goes_on && slices > 1 => this.turn = Turn::Mine(turn, slices - 1),
            Turn::Mine(turn, _) => {
                this.turn = Turn::None;
                this.background.end(turn);
            }
            Turn::None | Turn::Waiting(_) => {}
        }
        if goes_on && matches!(this.turn, Turn::None) && !this.credit.is_spent() {
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
