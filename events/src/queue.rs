//! A bounded queue between threads that must not wait and one that may be slow.
//!
//! What is in it is counted in bytes, in lanes that cannot take each other's room, and in one lane by script, so that
//! one tenant cannot fill it. What does not fit is lost, and counted: [`Queue::take`] tells the reader how much it missed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmyard_model::script::ScriptKey;

/// The most items, and about the most bytes, that the reader takes at once.
const BATCH_ITEMS: usize = 256;
const BATCH_BYTES: usize = 256 << 10;
/// A reader that has nothing to do looks once more after this time before it sleeps, so that a busy writer need not wake
/// it for every item.
const LINGER: Duration = Duration::from_millis(2);
/// While the reader is behind, it is told this often how much it missed.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Of the scripts' lane, one script may fill one part in so many.
const SHARE: usize = 4;

/// What can flood the queue: each has room of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Visitors: one line for each request.
    Visits,
    /// Tenants: what scripts write and what comes of them.
    Scripts,
    /// The platform itself.
    Platform,
}

impl Lane {
    pub(crate) const ALL: [Self; 3] = [Self::Visits, Self::Scripts, Self::Platform];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Visits => "access",
            Self::Scripts => "script",
            Self::Platform => "platform",
        }
    }
}

/// One number for each lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PerLane<N>(pub(crate) [N; Lane::ALL.len()]);

impl<N> PerLane<N> {
    /// The number of one lane. The match, and not an index, is what cannot miss.
    pub(crate) fn of(&mut self, lane: Lane) -> &mut N {
        let [visits, scripts, platform] = &mut self.0;
        match lane {
            Lane::Visits => visits,
            Lane::Scripts => scripts,
            Lane::Platform => platform,
        }
    }
}

/// How many items were lost.
pub(crate) type Lost = PerLane<u64>;

impl Lost {
    pub(crate) fn any(&self) -> bool {
        self.0.iter().any(|count| *count > 0)
    }

    pub(crate) fn add(&mut self, other: Lost) {
        for (lane, count) in Lane::ALL.into_iter().zip(other.0) {
            *self.of(lane) += count;
        }
    }
}

/// What may stand in a queue.
pub(crate) trait Queued {
    fn lane(&self) -> Lane;
    /// The memory that it takes, in bytes.
    fn weight(&self) -> usize;
    /// Whose it is, in the lane of scripts.
    fn script(&self) -> Option<&ScriptKey>;
}

/// The queue.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    /// There is something to do for the reader.
    filled: Condvar,
    /// There is nothing left to do for the reader.
    idle: Condvar,
    room: PerLane<usize>,
}

struct State<T> {
    items: VecDeque<T>,
    held: PerLane<usize>,
    shares: HashMap<ScriptKey, usize>,
    /// Since the reader was told.
    lost: Lost,
    told: Option<Instant>,
    /// The reader has taken something and did not come back yet.
    working: bool,
    /// The reader has to be woken.
    asleep: bool,
    closed: bool,
}

impl<T: Queued> Queue<T> {
    /// A queue with so many bytes of room in each lane.
    pub(crate) fn new(room: PerLane<usize>) -> Self {
        let state = State {
            items: VecDeque::new(),
            held: PerLane::default(),
            shares: HashMap::new(),
            lost: Lost::default(),
            told: None,
            working: false,
            asleep: false,
            closed: false,
        };
        Self { state: Mutex::new(state), filled: Condvar::new(), idle: Condvar::new(), room }
    }

    /// Adds an item, or loses it and says so. Never waits for the reader.
    pub(crate) fn push(&self, item: T) -> Result<(), Lane> {
        let (lane, weight) = (item.lane(), item.weight());
        let room = *{ self.room }.of(lane);
        let mut state = self.lock();
        let fits = state.take_room(lane, weight, item.script(), room);
        if fits {
            state.items.push_back(item);
        } else {
            *state.lost.of(lane) += 1;
        }
        if std::mem::take(&mut state.asleep) {
            drop(state);
            self.filled.notify_one();
        }
        if fits { Ok(()) } else { Err(lane) }
    }

    /// Waits until there is something and moves a part of it to the end of `batch`. Returns what was lost since the last
    /// time that it was told; none when the queue is closed and empty.
    pub(crate) fn take(&self, batch: &mut Vec<T>) -> Option<Lost> {
        let mut state = self.lock();
        state.working = false;
        let mut lingered = false;
        while state.items.is_empty() && !state.lost.any() {
            self.idle.notify_all();
            if state.closed {
                return None;
            }
            if lingered {
                state.asleep = true;
                state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.asleep = false;
            } else {
                let waited = self.filled.wait_timeout(state, LINGER);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                lingered = true;
            }
        }
        state.working = true;
        let mut bytes = 0;
        while batch.len() < BATCH_ITEMS && bytes < BATCH_BYTES {
            let Some(item) = state.items.pop_front() else { break };
            bytes += item.weight();
            state.give_room_back(item.lane(), item.weight(), item.script());
            batch.push(item);
        }
        Some(state.tell(Instant::now()))
    }

    /// Waits until the reader has done everything, but not longer than `patience`. Says whether it has.
    pub(crate) fn drained(&self, patience: Duration) -> bool {
        let state = self.lock();
        self.filled.notify_all();
        let busy = |state: &mut State<T>| state.working || !state.items.is_empty() || state.lost.any();
        let waited = self.idle.wait_timeout_while(state, patience, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Lets the reader end when it has done everything.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Queued> State<T> {
    fn take_room(&mut self, lane: Lane, weight: usize, script: Option<&ScriptKey>, room: usize) -> bool {
        let held = self.held.of(lane);
        if held.saturating_add(weight) > room {
            return false;
        }
        if let Some(script) = script {
            match self.shares.get_mut(script) {
                Some(share) if share.saturating_add(weight) > room / SHARE => return false,
                Some(share) => *share += weight,
                None if weight > room / SHARE => return false,
                None => {
                    self.shares.insert(script.clone(), weight);
                }
            }
        }
        *held += weight;
        true
    }

    fn give_room_back(&mut self, lane: Lane, weight: usize, script: Option<&ScriptKey>) {
        let held = self.held.of(lane);
        *held = held.saturating_sub(weight);
        let Some(script) = script else { return };
        if let Some(share) = self.shares.get_mut(script) {
            *share = share.saturating_sub(weight);
            if *share == 0 {
                self.shares.remove(script);
            }
        }
    }

    /// What the reader is to be told at this moment: at once when it has caught up, else from time to time.
    fn tell(&mut self, now: Instant) -> Lost {
        if !self.lost.any() {
            return Lost::default();
        }
        let lately = self.told.is_some_and(|told| now.duration_since(told) < TELL_EVERY);
        if lately && !self.items.is_empty() {
            return Lost::default();
        }
        self.told = Some(now);
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// An item of ten bytes.
    #[derive(Debug, Clone, PartialEq)]
    struct Item(Lane, u32, Option<ScriptKey>);

    impl Queued for Item {
        fn lane(&self) -> Lane {
            self.0
        }
        fn weight(&self) -> usize {
            10
        }
        fn script(&self) -> Option<&ScriptKey> {
            self.2.as_ref()
        }
    }

    fn platform(number: u32) -> Item {
        Item(Lane::Platform, number, None)
    }

    fn of_script(name: &str, number: u32) -> Item {
        Item(Lane::Scripts, number, Some(ScriptKey::Platform(name.parse().unwrap())))
    }

    fn queue() -> Queue<Item> {
        Queue::new(PerLane([100, 100, 100]))
    }

    #[test]
    fn a_reader_that_does_not_catch_up_is_told_from_time_to_time() {
        let queue = queue();
        let begun = Instant::now();
        let lose = || {
            while queue.push(platform(0)).is_ok() {}
        };
        lose();
        assert!(queue.lock().tell(begun).any(), "the first time at once");
        lose();
        let shortly = begun + TELL_EVERY - Duration::from_millis(1);
        assert!(!queue.lock().tell(shortly).any(), "it is behind, and was told lately");
        assert!(queue.lock().tell(begun + TELL_EVERY).any());
        lose();
        queue.lock().items.clear();
        assert!(queue.lock().tell(begun + TELL_EVERY).any(), "it has caught up");
    }

    #[test]
    fn what_does_not_fit_is_lost_and_the_reader_is_told_when_it_is_back() {
        let queue = queue();
        let fitted = (0..25).filter(|number| queue.push(platform(*number)).is_ok()).count();
        assert_eq!(fitted, 10);
        assert_eq!(queue.push(Item(Lane::Visits, 7, None)), Ok(()), "each lane has room of its own");
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch), Some(PerLane([0, 0, 15])));
        let numbers: Vec<u32> = batch.iter().map(|item| item.1).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 7], "in the order in which they came");
        assert_eq!(queue.push(platform(1)), Ok(()), "there is room again");
        assert_eq!(queue.take(&mut batch), Some(Lost::default()), "it is told once");
    }

    #[test]
    fn one_script_fills_a_quarter_of_the_lane_and_the_others_have_the_rest() {
        let queue = queue();
        let flood = (0..50).filter(|number| queue.push(of_script("flood", *number)).is_ok()).count();
        assert_eq!(flood, 2);
        for name in ["a", "b", "c", "d"] {
            for number in 0..2 {
                assert_eq!(queue.push(of_script(name, number)), Ok(()), "{name} {number}");
            }
        }
        assert_eq!(queue.push(of_script("e", 0)), Err(Lane::Scripts), "the lane is full");
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch), Some(PerLane([0, 49, 0])));
        assert_eq!(batch.len(), 10);
        assert!(queue.lock().shares.is_empty(), "nothing is kept of scripts that hold nothing");
        assert_eq!(queue.push(of_script("flood", 0)), Ok(()));
    }

    #[test]
    fn a_reader_that_stays_behind_is_told_now_and_then_and_not_with_every_batch() {
        let queue = Queue::<Item>::new(PerLane([0, 0, 10_000]));
        let fill = || while queue.push(platform(0)).is_ok() {};
        fill();
        let mut batch = Vec::new();
        assert_eq!(queue.take(&mut batch), Some(PerLane([0, 0, 1])), "the first time at once");
        assert_eq!(batch.len(), BATCH_ITEMS);
        fill();
        batch.clear();
        let lately = queue.take(&mut batch);
        // A machine that took a second for this is told again, with the same count.
        assert!([Some(PerLane([0, 0, 0])), Some(PerLane([0, 0, 1]))].contains(&lately), "{lately:?}");
        let mut told = lately.unwrap().0[2];
        while !queue.lock().items.is_empty() {
            batch.clear();
            told += queue.take(&mut batch).unwrap().0[2];
        }
        assert_eq!(told, 1, "nothing that was lost is forgotten");
    }

    #[test]
    fn pushing_does_not_wait_for_a_reader_that_is_stuck() {
        let queue = Arc::new(queue());
        queue.push(platform(0)).unwrap();
        let mut batch = Vec::new();
        queue.take(&mut batch);
        // It never comes back for more.
        for number in 0..1_000 {
            assert_eq!(queue.push(platform(number)).is_ok(), number < 10);
        }
        assert!(!queue.drained(Duration::from_millis(1)), "a wait for it is bounded");
    }

    #[test]
    fn a_wait_ends_when_the_reader_has_done_everything_and_a_closed_queue_ends_the_reader() {
        let queue = Arc::new(queue());
        let reader = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let (mut seen, mut batch) = (0, Vec::new());
                while queue.take(&mut batch).is_some() {
                    seen += batch.drain(..).count();
                }
                seen
            }
        });
        for number in 0..10 {
            queue.push(platform(number)).unwrap();
        }
        assert!(queue.drained(Duration::from_secs(120)));
        assert!(queue.lock().items.is_empty());
        queue.close();
        assert_eq!(reader.join().unwrap(), 10);
    }
}
