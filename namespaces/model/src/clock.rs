//! The clock: what time it is, for whoever keeps a date, compares one, or waits for one.
//!
//! Owns the choice between the machine's time and one that a test moves by hand, so that a test of a schedule runs a
//! week in no time (docs/decisions/0011-clock.md says why not tokio's paused time). Bounds on input and output are
//! no schedules: those are tokio's time-outs, and not this clock's.

use std::time::Duration;

use tokio::sync::watch;

use crate::timestamp::Timestamp;

/// Tells the time. Cheap to clone; all clones tell the same.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Hand(watch::Receiver<Timestamp>),
}

/// What moves a clock that does not go by itself. Waiting for such a clock ends when the hand is dropped.
#[derive(Debug)]
pub struct ClockHand(watch::Sender<Timestamp>);

impl Clock {
    /// The machine's.
    #[must_use]
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// One that stands still until its hand is moved.
    #[must_use]
    pub fn by_hand(began: Timestamp) -> (Clock, ClockHand) {
        let (hand, time) = watch::channel(began);
        (Clock(Source::Hand(time)), ClockHand(hand))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Hand(time) => *time.borrow(),
        }
    }

    /// How long ago a moment was; zero for moments to come.
    #[must_use]
    pub fn age(&self, moment: Timestamp) -> Duration {
        self.now().since(moment)
    }

    /// How long until a moment; zero for moments that are over.
    #[must_use]
    pub fn until(&self, moment: Timestamp) -> Duration {
        moment.since(self.now())
    }

    /// Waits until a moment has come.
    pub async fn sleep_until(&self, moment: Timestamp) {
        match &self.0 {
            Source::System => {
                // The machine's time may be set while we wait: it is looked at now and then.
                const LOOK: Duration = Duration::from_secs(60);
                loop {
                    let left = self.until(moment);
                    if left.is_zero() {
                        return;
                    }
                    tokio::time::sleep(left.min(LOOK)).await;
                }
            }
            Source::Hand(time) => {
                // An error says that nobody can move the hand any more.
                drop(time.clone().wait_for(|now| *now >= moment).await);
            }
        }
    }
}

impl ClockHand {
    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now = now.later(by));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_week_passes_when_the_hand_is_moved() {
        let began: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let (clock, hand) = Clock::by_hand(began);
        let week = Duration::from_secs(7 * 24 * 3_600);
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(began.later(week)).await;
                clock.now()
            }
        });
        hand.advance(week / 2);
        assert_eq!((clock.age(began), clock.until(began)), (week / 2, Duration::ZERO));
        assert_eq!(clock.until(began.later(week)), week / 2);
        hand.advance(week);
        let woke = sleeper.await.unwrap();
        assert!(woke >= began.later(week), "{woke}");
    }

    #[test]
    fn the_machines_time_goes_on() {
        let clock = Clock::system();
        let before = Timestamp::now();
        let now = clock.now();
        assert!((before..=Timestamp::now()).contains(&now));
    }
}
