//! Work that is done again and again, by a clock that can be moved.

use std::time::Duration;

use wasmyard_namespaces::Clock;

/// Does a piece of work after some time, and again each time that so much has passed since it was done. What was missed
/// meanwhile, because the work or the machine took its time, is not made up for.
pub(crate) async fn every<F: Future<Output = ()>>(
    clock: &Clock,
    first: Duration,
    period: Duration,
    mut work: impl FnMut() -> F,
) {
    clock.sleep_until(clock.now().later(first)).await;
    loop {
        work().await;
        clock.sleep_until(clock.now().later(period)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn work_is_done_when_its_time_has_come_and_once_however_late_that_is_seen() {
        let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
        let (told, mut done) = mpsc::unbounded_channel();
        let began = clock.now();
        let time = clock.clone();
        let working = tokio::spawn({
            let clock = clock.clone();
            async move {
                every(&clock, HOUR, HOUR * 2, || {
                    told.send(time.age(began)).unwrap();
                    std::future::ready(())
                })
                .await;
            }
        });
        // It looks at the clock before that is moved.
        tokio::task::yield_now().await;
        hand.advance(HOUR - Duration::from_secs(1));
        tokio::task::yield_now().await;
        assert!(done.try_recv().is_err(), "its time has not come");
        hand.advance(Duration::from_secs(1));
        assert_eq!(done.recv().await, Some(HOUR));
        tokio::task::yield_now().await;
        // Three times are over at once.
        hand.advance(HOUR * 6);
        assert_eq!(done.recv().await, Some(HOUR * 7));
        tokio::task::yield_now().await;
        assert!(done.try_recv().is_err(), "what was missed is not made up for");
        hand.advance(HOUR * 2);
        assert_eq!(done.recv().await, Some(HOUR * 9));
        working.abort();
    }
}
