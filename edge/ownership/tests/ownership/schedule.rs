//! The product's table, row by row, and that a validation ends.

use std::time::Duration;

use wasmyard_model::hostname::Checks;
use wasmyard_model::timestamp::Timestamp;
use wasmyard_ownership::schedule::{LONGEST_WAIT, TRIES, WEEK, next_try, wait};

/// Rows of the page's table: retry, seconds.
const PAGE: [(u32, u64); 22] = [
    (0, 60),
    (1, 63),
    (2, 66),
    (3, 69),
    (4, 72),
    (5, 76),
    (6, 80),
    (7, 84),
    (8, 88),
    (9, 93),
    (10, 242),
    (11, 279),
    (12, 321),
    (13, 369),
    (14, 424),
    (15, 488),
    (19, 853),
    (27, 2_612),
    (35, 7_990),
    (43, 14_400),
    (59, 14_400),
    (75, 14_400),
];

#[test]
fn waits_are_those_of_the_page() {
    for (retry, seconds) in PAGE {
        assert_eq!(wait(retry).as_secs(), seconds, "after try {retry}");
    }
    assert_eq!(wait(u32::MAX), LONGEST_WAIT);
}

#[test]
fn tries_end_with_their_number_or_with_the_week() {
    let began: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut checks = Checks::from(began);
    let mut now = began;
    loop {
        checks.tries += 1;
        let Some(next) = next_try(checks, now) else { break };
        assert!(next > now);
        now = next;
    }
    assert_eq!(checks.tries, TRIES);
    assert!(now.since(began) < WEEK, "{:?}", now.since(began));
    let late = began.later(WEEK);
    assert_eq!(next_try(Checks { began, tries: 3 }, late), None);
    assert!(next_try(Checks { began, tries: 3 }, began.later(WEEK - Duration::from_secs(1))).is_some());
}
