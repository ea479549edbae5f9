//! When to look again whether an authority can see what it wants to, and when to renew.
//!
//! Owns the formulas of the product's page *Backoff schedule*, and nothing that counts in days before the end of a
//! certificate's life: that life may be a year, or six days. Must never ask what time it is.

use std::time::Duration;

use wasmyard_model::timestamp::Timestamp;

/// The longest wait between two looks.
pub const LONGEST_WAIT: Duration = Duration::from_secs(4 * 3_600);
/// How long a validation may last.
pub const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The looks whose wait grows slowly: one in twenty each time.
const SLOW: u32 = 10;

/// How long to wait after a look, counted from zero.
#[must_use]
pub fn wait(look: u32) -> Duration {
    let growth: f64 = if look < SLOW { 1.05 } else { 1.15 };
    let seconds = 60.0 * growth.powi(i32::try_from(look).unwrap_or(i32::MAX));
    Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64()).floor())
}

/// When to renew a certificate that is valid from one moment to another: when a third of its life is left, and a part of
/// another tenth before that, which the id picks, so that what was issued together is not renewed together.
#[must_use]
pub fn renewal(not_before: Timestamp, expires_on: Timestamp, id: &str) -> Timestamp {
    let life = expires_on.since(not_before);
    let part = part(id);
    let early = (life / 10).saturating_mul(part) / 1_000;
    not_before.later((life / 3).saturating_mul(2).saturating_sub(early))
}

/// When to renew a certificate that its authority would have renewed within a window: at a moment in it that the id picks,
/// never so late that there is no time left to try again, and not as soon as it is there: an authority that says "now" of
/// whatever it issues is not asked for one after the other.
#[must_use]
pub fn within(
    from: Timestamp,
    until: Timestamp,
    not_before: Timestamp,
    expires_on: Timestamp,
    id: &str,
) -> Timestamp {
    let picked = from.later(until.since(from).saturating_mul(part(id)) / 1_000);
    let life = expires_on.since(not_before);
    picked.min(not_before.later(life / 10 * 9)).max(not_before.later(life / 100))
}

/// How soon to ask again when an authority would have a certificate renewed: as it says, and neither all the time nor so
/// seldom that a revocation of many is missed.
#[must_use]
pub fn ask_again(said: Duration) -> Duration {
    said.clamp(Duration::from_secs(3_600), Duration::from_secs(24 * 3_600))
}

/// A part of 1,000 that any id is as likely to have as another.
fn part(id: &str) -> u32 {
    let picked = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    u32::try_from((picked >> 20) % 1_000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_the_one_of_the_page_and_four_hours_at_most() {
        let seconds: Vec<u64> = (0..12).map(|look| wait(look).as_secs()).collect();
        assert_eq!(seconds, [60, 63, 66, 69, 72, 76, 80, 84, 88, 93, 242, 279]);
        assert_eq!(wait(200), LONGEST_WAIT);
    }

    #[test]
    fn a_certificate_is_renewed_with_a_third_of_its_life_left_however_long_that_is_and_not_all_at_once() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        for days in [6, 45, 90, 365] {
            let life = Duration::from_secs(days * 86_400);
            let mut hours = std::collections::BTreeMap::new();
            for number in 0..10_000 {
                let at = renewal(now, now.later(life), &format!("{number:032x}")).since(now);
                assert!(at <= life / 3 * 2 && at >= life / 2, "{at:?} of {life:?}");
                *hours.entry(at.as_secs() / (life.as_secs() / 100)).or_insert(0) += 1;
            }
            let busiest = hours.values().max().unwrap();
            assert!(*busiest < 1_300, "a hundredth of the life has at most about a tenth: {hours:?}");
        }
    }

    #[test]
    fn the_busiest_hour_of_many_lives_is_hardly_busier_than_the_others() {
        let began: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (day, names) = (Duration::from_secs(86_400), 100_000);
        let mut hours = vec![0_u32; 75 * 24];
        for number in 0..names {
            // They come evenly over the longest of their lives.
            let mut at = began.later(day * 45 / names * number);
            let (life, id) = (day * (6 + number % 40), format!("{number:032x}"));
            while at < began.later(day * 75) {
                hours[usize::try_from(at.since(began).as_secs() / 3_600).unwrap()] += 1;
                at = renewal(at, at.later(life), &id);
            }
        }
        let since = &hours[45 * 24..];
        let mean = f64::from(since.iter().sum::<u32>()) / since.len() as f64;
        let busiest = f64::from(*since.iter().max().unwrap()) / mean;
        assert!(busiest <= 1.2, "{busiest} times the mean of {mean}");
    }

    #[test]
    fn a_window_is_filled_evenly_and_never_too_late() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let (day, end) = (Duration::from_secs(86_400), now.later(Duration::from_secs(90 * 86_400)));
        let (from, until) = (now.later(60 * day), now.later(62 * day));
        let mut hours = [0; 48];
        for number in 0..10_000 {
            let at = within(from, until, now, end, &format!("{number:032x}"));
            assert!(at >= from && at <= until);
            hours[usize::try_from(at.since(from).as_secs() / 3_600).unwrap()] += 1;
        }
        assert!(hours.iter().all(|count| (150..300).contains(count)), "{hours:?}");
        let late = within(now.later(85 * day), now.later(120 * day), now, end, "f");
        assert_eq!(late, now.later(81 * day));
        assert_eq!(within(until, from, now, end, "f"), until, "one that ends before it begins");
        assert_eq!(within(now, now, now, end, "f"), now.later(day / 10 * 9), "a hundredth of 90 days");
        assert_eq!(ask_again(Duration::ZERO).as_secs(), 3_600);
    }
}
