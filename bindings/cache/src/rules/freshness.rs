//! For how long a response is fresh, and how old it is (RFC 9111, section 4.2).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use http::header::{AGE, DATE, EXPIRES, HeaderMap, HeaderName};

use super::directives::{Directives, Seconds, seconds};

/// For how long a response is fresh that does not say so itself, by its status; none where it is not kept then.
pub type Unsaid = fn(StatusCode) -> Option<Duration>;

/// For how long a shared cache may use a response, counted from when it was made (section 4.2.1). None: it says nothing, and
/// nothing is assumed of its status.
///
/// `now` is the moment at which it came, in milliseconds since 1970, and stands in for a `Date` that is not there.
#[must_use]
pub fn lifetime(
    status: StatusCode,
    headers: &HeaderMap,
    directives: &Directives,
    now: u64,
    unsaid: Unsaid,
) -> Option<Duration> {
    for given in [directives.s_maxage, directives.max_age] {
        match given {
            Seconds::Given(seconds) => return Some(Duration::from_secs(seconds)),
            Seconds::Broken => return Some(Duration::ZERO),
            Seconds::Absent => {}
        }
    }
    if headers.contains_key(EXPIRES) {
        // What is no date is a time that is over (section 5.3).
        let expires = date(headers, &EXPIRES).unwrap_or(0);
        let made = date(headers, &DATE).unwrap_or(now);
        return Some(Duration::from_millis(expires.saturating_sub(made)));
    }
    unsaid(status)
}

/// How old a response is when it comes (section 4.2.3), where nothing is known of how long it was on its way: the larger one of
/// what its `Age` says and how long ago its `Date` is.
#[must_use]
pub fn age(headers: &HeaderMap, now: u64) -> Duration {
    let apparent = date(headers, &DATE).map_or(0, |made| now.saturating_sub(made));
    let told = headers.get(AGE).and_then(|value| value.to_str().ok()).map(|text| seconds(text.trim()));
    let told = match told {
        Some(Seconds::Given(seconds)) => seconds * 1_000,
        // What is no number is passed over (section 5.1).
        Some(Seconds::Broken | Seconds::Absent) | None => 0,
    };
    Duration::from_millis(apparent.max(told))
}

/// A date of a field, in milliseconds since 1970. None where there is none, or what is there is no date.
pub(super) fn date(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    moment(headers.get(name)?.to_str().ok()?)
}

/// The same of a text.
pub(super) fn moment(text: &str) -> Option<u64> {
    let time: SystemTime = httpdate::parse_http_date(text.trim()).ok()?;
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}
