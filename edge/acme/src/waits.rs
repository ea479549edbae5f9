//! How long an authority says to wait (`Retry-After`, RFC 9110 section 10.2.3): in seconds, or as a date.
//!
//! Owns how that is read, and which call it was said to: several are made at once. Never waits.

use std::cell::Cell;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// The longest that is believed. Whoever asks has bounds of its own below this.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

tokio::task_local! {
    /// The longest that was said to the call that goes on.
    static SAID: Cell<Option<Duration>>;
}

/// Makes a call. What came of it, and how long it was told to wait.
pub(crate) async fn listening<T>(call: impl Future<Output = T>) -> (T, Option<Duration>) {
    SAID.scope(Cell::new(None), async {
        let done = call.await;
        (done, SAID.with(Cell::get))
    })
    .await
}

/// Notes for the call that goes on what an answer says, and writes it in seconds, which whoever reads the answer knows.
pub(crate) fn hear(headers: &mut HeaderMap, now: SystemTime) {
    let Some(said) = said(headers, now) else { return };
    headers.insert(header::RETRY_AFTER, said.as_secs().into());
    let note = |before: &Cell<Option<Duration>>| before.set(before.get().max(Some(said)));
    // Nobody listens to what is asked without a call.
    let _nobody = SAID.try_with(note);
}

/// What an answer says; none where it says nothing that can be read.
fn said(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let said = text(header::RETRY_AFTER)?;
    let wait = match said.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = httpdate::parse_http_date(said).ok()?;
            // By its own clock, which need not be ours.
            let date = text(header::DATE).and_then(|date| httpdate::parse_http_date(date).ok());
            until.duration_since(date.unwrap_or(now)).unwrap_or_default()
        }
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn seconds_and_dates_are_read_within_bounds() {
        let now = httpdate::parse_http_date("Sun, 29 Nov 2026 12:00:00 GMT").unwrap();
        let after = |value| headers(&[(header::RETRY_AFTER, value)]);
        for (value, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("999999999", Some(86_400)),
            ("Sun, 29 Nov 2026 12:05:00 GMT", Some(300)),
            ("Sunday, 29-Nov-26 12:05:00 GMT", Some(300)),
            ("Sun, 29 Nov 2026 11:00:00 GMT", Some(0)),
            ("Thu, 29 Nov 2096 12:00:00 GMT", Some(86_400)),
            ("soon", None),
            ("-1", None),
            ("1.5", None),
            ("", None),
        ] {
            assert_eq!(said(&after(value), now).map(|said| said.as_secs()), seconds, "{value}");
        }
        // Its clock is an hour ahead of ours.
        let ahead = headers(&[
            (header::RETRY_AFTER, "Sun, 29 Nov 2026 13:05:00 GMT"),
            (header::DATE, "Sun, 29 Nov 2026 13:00:00 GMT"),
        ]);
        assert_eq!(said(&ahead, now), Some(Duration::from_secs(300)));
    }

    #[tokio::test]
    async fn each_call_hears_what_was_said_to_it_and_the_longest_of_that() {
        let now = SystemTime::UNIX_EPOCH;
        let call = async |values: [&'static str; 2]| {
            for value in values {
                let mut headers = headers(&[(header::RETRY_AFTER, value)]);
                hear(&mut headers, now);
                tokio::task::yield_now().await;
            }
        };
        let (one, other) = tokio::join!(listening(call(["5", "3"])), listening(call(["x", "2"])));
        assert_eq!((one.1, other.1), (Some(Duration::from_secs(5)), Some(Duration::from_secs(2))));
        assert_eq!(listening(async {}).await.1, None);
        let mut date = headers(&[(header::RETRY_AFTER, "Thu, 01 Jan 1970 00:01:00 GMT")]);
        hear(&mut date, now);
        assert_eq!(date[header::RETRY_AFTER], "60", "in seconds, for whoever knows nothing else");
    }
}
