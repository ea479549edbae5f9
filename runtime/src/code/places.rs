//! Places for compilations: how many run at once, who waits for one, and who is refused.
//!
//! A compilation takes a core and up to 2 GiB of address space, so both those that run and those that wait are
//! bounded. Work that nobody waits for has one place of its own, beside those of visitors and uploads, and begins only
//! while there is room. Must never know what is compiled.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use wasmyard_namespaces::name::NamespaceName;

/// The most that wait at once; whoever comes then is refused.
pub(crate) const MOST_WAITING: usize = 128;
/// The most of them for one namespace: its flood leaves room for others.
pub(crate) const MOST_WAITING_PER_NAMESPACE: usize = MOST_WAITING / 2;

/// Why there is no place: as many wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// All places of a process.
pub(crate) struct Places {
    most: usize,
    state: Mutex<State>,
    /// Told when there may be room for work in the background.
    room: Notify,
}

#[derive(Default)]
struct State {
    running: usize,
    in_background: bool,
    waiting: VecDeque<Waiting>,
    of_namespace: HashMap<NamespaceName, usize>,
}

struct Waiting {
    namespace: Option<NamespaceName>,
    granted: oneshot::Sender<Place>,
}

/// Leave to compile, until it is dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    in_background: bool,
}

impl Places {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), state: Mutex::default(), room: Notify::new() })
    }

    /// A place for something that somebody waits for, in the order of asking.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the queue, or gives the place back.
    pub(crate) async fn take(self: &Arc<Self>, namespace: Option<&NamespaceName>) -> Result<Place, Full> {
        let place = {
            let mut state = self.lock();
            // Those who left are not in anybody's way.
            state.tidy();
            if state.running < self.most {
                state.running += 1;
                return Ok(self.place(false));
            }
            let of_namespace = namespace.and_then(|name| state.of_namespace.get(name)).copied().unwrap_or(0);
            if state.waiting.len() >= MOST_WAITING || of_namespace >= MOST_WAITING_PER_NAMESPACE {
                return Err(Full);
            }
            if let Some(name) = namespace {
                *state.of_namespace.entry(name.clone()).or_default() += 1;
            }
            let (granted, place) = oneshot::channel();
            state.waiting.push_back(Waiting { namespace: namespace.cloned(), granted });
            place
        };
        // The sender goes only with a place.
        place.await.map_err(|_| Full)
    }

    /// The one place for what nobody waits for, once there is room for it.
    pub(crate) async fn take_in_background(self: &Arc<Self>) -> Place {
        loop {
            let room = self.room.notified();
            {
                let mut state = self.lock();
                state.tidy();
                if !state.in_background && state.waiting.is_empty() && state.running < self.most {
                    state.in_background = true;
                    return self.place(true);
                }
            }
            room.await;
        }
    }

    /// How many compilations run and how many wait.
    pub(crate) fn figures(&self) -> (usize, usize) {
        let state = self.lock();
        (state.running + usize::from(state.in_background), state.waiting.len())
    }

    fn place(self: &Arc<Self>, in_background: bool) -> Place {
        Place { places: Arc::clone(self), in_background }
    }

    /// One place has come free.
    fn freed(self: &Arc<Self>, in_background: bool) {
        let next = {
            let mut state = self.lock();
            if in_background {
                state.in_background = false;
                None
            } else {
                state.tidy();
                let next = state.next();
                if next.is_none() {
                    state.running = state.running.saturating_sub(1);
                }
                next
            }
        };
        match next {
            // Sent without the lock: if it has just left, the place comes back and is freed once more.
            Some(waiting) => drop(waiting.granted.send(self.place(false))),
            None => self.room.notify_one(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> Option<Waiting> {
        let next = self.waiting.pop_front()?;
        self.left(next.namespace.as_ref());
        Some(next)
    }

    /// Forgets those who went away while they waited.
    fn tidy(&mut self) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|one| {
            let gone = one.granted.is_closed();
            if gone {
                self.left(one.namespace.as_ref());
            }
            !gone
        });
        self.waiting = waiting;
    }

    fn left(&mut self, namespace: Option<&NamespaceName>) {
        let Some(name) = namespace else { return };
        if let Some(waiting) = self.of_namespace.get_mut(name) {
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 {
                self.of_namespace.remove(name);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.freed(self.in_background);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn name(text: &str) -> NamespaceName {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn who_waits_comes_next_in_the_order_of_asking_and_who_left_is_passed_over() {
        let places = Places::new(1);
        let first = places.take(None).await.unwrap();
        let mut second = Box::pin(places.take(None));
        let mut third = Box::pin(places.take(None));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert_eq!(places.figures(), (1, 2));
        drop(second);
        drop(first);
        let third = third.await.unwrap();
        assert_eq!(places.figures(), (1, 0));
        drop(third);
        assert_eq!(places.figures(), (0, 0));
    }

    #[tokio::test]
    async fn a_place_that_was_granted_to_somebody_who_is_gone_comes_back() {
        let places = Places::new(1);
        let first = places.take(None).await.unwrap();
        let mut second = Box::pin(places.take(None));
        assert!(second.as_mut().now_or_never().is_none());
        drop(first);
        assert_eq!(places.figures(), (1, 0), "it is granted, and nobody has taken it yet");
        drop(second);
        assert_eq!(places.figures(), (0, 0));
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_one_namespace_has_half_of_it() {
        let places = Places::new(1);
        let _running = places.take(None).await.unwrap();
        let (one, other) = (name("one"), name("other"));
        let mut waiting = Vec::new();
        for _ in 0..MOST_WAITING_PER_NAMESPACE {
            let mut place = Box::pin(places.take(Some(&one)));
            assert!(place.as_mut().now_or_never().is_none());
            waiting.push(place);
        }
        assert_eq!(places.take(Some(&one)).await.err(), Some(Full));
        for _ in MOST_WAITING_PER_NAMESPACE..MOST_WAITING {
            let mut place = Box::pin(places.take(Some(&other)));
            assert!(place.as_mut().now_or_never().is_none());
            waiting.push(place);
        }
        assert_eq!(places.take(None).await.err(), Some(Full));
        // Whoever goes makes room.
        waiting.pop();
        let mut place = Box::pin(places.take(None));
        assert!(place.as_mut().now_or_never().is_none());
    }

    #[tokio::test]
    async fn the_background_waits_for_all_others_and_nobody_for_it() {
        let places = Places::new(1);
        let wanted = places.take(None).await.unwrap();
        let mut background = Box::pin(places.take_in_background());
        assert!(
            background.as_mut().now_or_never().is_none(),
            "there is no room beside those who are waited for"
        );
        drop(wanted);
        let background = background.await;
        let mut more = Box::pin(places.take_in_background());
        assert!(more.as_mut().now_or_never().is_none(), "one at a time");
        let wanted = places.take(None).await.unwrap();
        drop(background);
        assert!(more.as_mut().now_or_never().is_none());
        drop(wanted);
        drop(more.await);
        assert_eq!(places.figures(), (0, 0));
    }
}
