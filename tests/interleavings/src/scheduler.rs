//! The turns of guests that compute for long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::{abandoned, any_below, run_all, step_aside};
use fair::Fair;
use poll::stepped_back;
use turns::Background;

#[rustfmt::skip]
#[path = "../../../runtime/src/limits/scheduler/credit.rs"]
mod credit;
#[expect(dead_code, reason = "nobody asks here what a guest waits for")]
#[rustfmt::skip]
#[path = "../../../runtime/src/limits/scheduler/fair.rs"]
mod fair;
#[rustfmt::skip]
#[path = "../../../runtime/src/limits/scheduler/habit.rs"]
mod habit;
#[rustfmt::skip]
#[path = "../../../runtime/src/limits/scheduler/poll.rs"]
mod poll;
#[rustfmt::skip]
#[path = "../../../runtime/src/limits/scheduler/turns.rs"]
mod turns;

/// What a guest uses up in one slice. Two of them use up its credit.
const SLICE: Duration = Duration::from_millis(1);
const IN_THE_FOREGROUND: usize = 2;
/// More slices than one turn has.
const LONG: usize = 20;

/// Looks at what all guests do.
struct Watched {
    background: Arc<Background>,
    places: usize,
    computing: AtomicUsize,
    /// Slices of all guests in the background so far.
    slices: AtomicUsize,
}

impl Watched {
    fn new(places: usize) -> Arc<Watched> {
        Arc::new(Watched {
            background: Arc::new(Background::new(Some(places))),
            places,
            computing: AtomicUsize::new(0),
            slices: AtomicUsize::new(0),
        })
    }

    /// A guest that computes, and may wait for no more than so many slices of others before each of its own.
    fn guest(
        self: &Arc<Self>,
        slices: usize,
        most: usize,
    ) -> Fair<impl Future<Output = ()> + Send + Unpin + use<>> {
        let watched = Arc::clone(self);
        let guest = Box::pin(async move {
            let mut last = None;
            for slice in 0..slices {
                let in_background = slice >= IN_THE_FOREGROUND;
                if in_background {
                    let now = watched.computing.fetch_add(1, Ordering::SeqCst) + 1;
                    assert!(now <= watched.places, "{now} compute at once");
                    let all = watched.slices.fetch_add(1, Ordering::SeqCst);
                    let others = last.replace(all).map_or(0, |last| all - last - 1);
                    assert!(others <= most, "it waited for {others} slices of others");
                }
                shuttle::thread::yield_now();
                if in_background {
                    watched.computing.fetch_sub(1, Ordering::SeqCst);
                }
                stepped_back(SLICE);
                step_aside().await;
            }
        });
        Fair::new(guest, &self.background, &Arc::default())
    }

    fn assert_idle(&self) {
        let queue = self.background.lock();
        assert_eq!((queue.holders.len(), queue.waiting), (0, 0), "somebody is gone and still counted");
        drop(queue);
        assert_eq!(self.background.between.load(Ordering::SeqCst), 0, "somebody stands between two slices");
    }
}

/// Every guest comes to its end, with nobody's help but that of those before it, and no more than may compute at once.
pub fn no_turn_is_lost() {
    let watched = Watched::new(1 + any_below(2));
    run_all((0..3).map(|_| Box::pin(watched.guest(LONG, usize::MAX)) as _));
    watched.assert_idle();
}

/// With one place, whoever waits is next after those that waited before: a turn of each of them, and no second one.
pub fn nobody_waits_for_more_than_a_turn_of_each_other() {
    const GUESTS: usize = 3;
    let watched = Watched::new(1);
    let most = (GUESTS - 1) * fair::SLICES as usize;
    run_all((0..GUESTS).map(|_| Box::pin(watched.guest(LONG * 2, most)) as _));
    watched.assert_idle();
}

/// Guests that go away, wherever they stand, keep nothing, and nobody waits for them.
pub fn who_goes_away_frees_its_place() {
    let watched = Watched::new(1);
    let stays = (0..2).map(|_| Box::pin(watched.guest(LONG, usize::MAX)) as _);
    let goes = (0..2).map(|_| {
        let guest = watched.guest(LONG, usize::MAX);
        let polls = any_below(LONG * 2);
        Box::pin(async move {
            abandoned(guest, polls).await;
        }) as _
    });
    run_all(stays.chain(goes));
    watched.assert_idle();
}

/// A turn is taken from whoever does not come for it. Whoever comes after all has none, and asks for another.
pub fn a_turn_that_was_taken_away_is_over() {
    let watched = Watched::new(1);
    run_all((0..3).map(|_| Box::pin(watched.guest(LONG, usize::MAX)) as _));
    watched.assert_idle();
}
