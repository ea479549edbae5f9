//! A moment as lines show it: RFC 3339, UTC, microseconds.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use wasmyard_model::timestamp::Timestamp;

/// The length of `2026-01-02T03:04:05.`
const TO_THE_SECOND: usize = 20;

/// A moment that is written as `2026-01-02T03:04:05.123456Z`.
#[derive(Debug, Clone, Copy)]
pub struct Moment(pub SystemTime);

impl Moment {
    /// The present one.
    #[must_use]
    pub fn now() -> Self {
        Self(SystemTime::now())
    }

    /// Shows the text to `show`.
    pub(crate) fn with_text<R>(self, show: impl FnOnce(&str) -> R) -> R {
        thread_local! {
            /// The second that was written last: a busy server writes thousands of lines in each.
            static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
        }
        let since = self.0.duration_since(UNIX_EPOCH).unwrap_or_default();
        SECOND.with_borrow_mut(|(second, text)| {
            if *second != since.as_secs() || text.is_empty() {
                *second = since.as_secs();
                *text = Timestamp::from(self.0).to_string();
            }
            let mut micros = since.subsec_micros();
            let mut digits = *b"000000Z";
            for digit in digits.iter_mut().take(6).rev() {
                *digit += u8::try_from(micros % 10).unwrap_or_default();
                micros /= 10;
            }
            text.truncate(TO_THE_SECOND);
            text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
            show(text)
        })
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_text(|text| serializer.serialize_str(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_to_the_microsecond() {
        let before = Timestamp::now();
        for _ in 0..1_000 {
            let text = serde_json::to_value(Moment::now()).unwrap();
            let text = text.as_str().unwrap();
            let moment: Timestamp = text.parse().unwrap();
            assert_eq!(moment.to_string(), text);
            assert!((before..=Timestamp::now()).contains(&moment), "{text}");
        }
    }
}
