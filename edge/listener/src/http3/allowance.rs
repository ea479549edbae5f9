//! How much a client of HTTP/3 may ask for that is not answered: frames that say nothing, and requests that it takes back.
//! Each is cheap to send and costs work here, so that a client earns them by answers that it takes, and by time. The same
//! rule as `frames` has for HTTP/2.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The most that a client can have saved up, and what it begins with.
const MOST_CREDIT: u64 = 1_000;
/// What it earns in a second.
const CREDIT_PER_SECOND: u64 = 100;
/// What it earns by an answer. A browser says a priority or two for each.
const CREDIT_PER_ANSWER: u64 = 20;

/// What one connection's client has earned.
#[derive(Debug)]
pub(super) struct Allowance(Mutex<Account>);

#[derive(Debug)]
struct Account {
    credit: u64,
    /// Up to when time was credited.
    since: Instant,
}

impl Allowance {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Account { credit: MOST_CREDIT, since: Instant::now() }))
    }

    /// Takes what something costs; `false` where it was not earned.
    pub(super) fn pay(&self, cost: u64) -> bool {
        if cost == 0 {
            return true;
        }
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        account.earn_by_time();
        let is_earned = cost <= account.credit;
        account.credit = account.credit.saturating_sub(cost);
        is_earned
    }

    /// Takes note of an answer that its client took.
    pub(super) fn answered(&self) {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        account.credit = account.credit.saturating_add(CREDIT_PER_ANSWER).min(MOST_CREDIT);
    }
}

impl Account {
    fn earn_by_time(&mut self) {
        let millis = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let earned = millis.saturating_mul(CREDIT_PER_SECOND) / 1000;
        // What is left of a credit is not lost.
        self.since += Duration::from_millis(earned.saturating_mul(1000) / CREDIT_PER_SECOND);
        self.credit = self.credit.saturating_add(earned).min(MOST_CREDIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_asks_for_nothing_is_earned_by_time_and_by_answers() {
        let allowance = Allowance::new();
        assert!(allowance.pay(MOST_CREDIT));
        assert!(allowance.pay(0) && !allowance.pay(1));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(allowance.pay(CREDIT_PER_SECOND) && !allowance.pay(1));
        allowance.answered();
        assert!(allowance.pay(CREDIT_PER_ANSWER) && !allowance.pay(1));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_saves_up_more_than_so_much() {
        let allowance = Allowance::new();
        tokio::time::advance(Duration::from_secs(1 << 20)).await;
        (0..1_000).for_each(|_| allowance.answered());
        assert!(allowance.pay(MOST_CREDIT) && !allowance.pay(1));
    }
}
