//! Moments as the API shows them: RFC 3339, UTC, microseconds.
//!
//! Owns one text form for times, so that what is stored, compared and shown is the same string. Never
//! holds more precision than it prints.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A moment in UTC, exact to the microsecond: `2026-01-02T03:04:05.123456Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(OffsetDateTime);

/// A text that is no RFC 3339 moment between the years 0 and 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{value}\" is not an RFC 3339 time; write it like 2026-01-02T03:04:05.123456Z")]
pub struct TimestampError {
    /// The text, shortened.
    pub value: String,
}

impl Timestamp {
    /// The present moment.
    #[must_use]
    pub fn now() -> Timestamp {
        Timestamp::from(OffsetDateTime::now_utc())
    }

    /// The moment that comes this much later.
    #[must_use]
    pub fn later(&self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(time::Duration::try_from(by).unwrap_or(time::Duration::MAX)))
    }

    /// The moment that came this much earlier.
    #[must_use]
    pub fn earlier(&self, by: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(time::Duration::try_from(by).unwrap_or(time::Duration::MAX)))
    }

    /// Seconds since 1970, rounded down; zero before that.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        u64::try_from(self.0.unix_timestamp()).unwrap_or_default()
    }

    /// Milliseconds since 1970; zero before that.
    #[must_use]
    pub fn unix_millis(&self) -> u64 {
        self.unix_micros() / 1_000
    }

    /// The moment so many milliseconds after the beginning of 1970.
    #[must_use]
    pub fn at_unix_millis(millis: u64) -> Timestamp {
        Timestamp(OffsetDateTime::UNIX_EPOCH).later(Duration::from_millis(millis))
    }

    /// Microseconds since 1970; zero before that.
    #[must_use]
    pub fn unix_micros(&self) -> u64 {
        u64::try_from(self.0.unix_timestamp_nanos() / 1_000).unwrap_or_default()
    }

    /// How long after another moment this is; zero when it is not.
    #[must_use]
    pub fn since(&self, earlier: Timestamp) -> Duration {
        Duration::try_from(self.0 - earlier.0).unwrap_or_default()
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(moment: OffsetDateTime) -> Timestamp {
        let utc = moment.to_offset(UtcOffset::UTC);
        let micros = utc.microsecond() * 1_000;
        Timestamp(utc.replace_nanosecond(micros).unwrap_or(utc))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(moment: SystemTime) -> Timestamp {
        Timestamp::from(OffsetDateTime::from(moment))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(moment: Timestamp) -> SystemTime {
        moment.0.into()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.0;
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.microsecond()
        )
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        let error = || TimestampError { value: crate::name::shorten(text) };
        if text.len() > 64 {
            return Err(error());
        }
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| error())?;
        let utc = moment.checked_to_offset(UtcOffset::UTC).ok_or_else(error)?;
        if !(0..=9999).contains(&utc.year()) {
            return Err(error());
        }
        Ok(Timestamp::from(utc))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_microseconds_and_utc() {
        let moment: Timestamp = "2026-01-02T04:04:05.1234567+01:00".parse().unwrap();
        assert_eq!(moment.to_string(), "2026-01-02T03:04:05.123456Z");
    }

    #[test]
    fn now_survives_the_round_trip() {
        let now = Timestamp::now();
        assert_eq!(now.to_string().parse::<Timestamp>().unwrap(), now);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9TZ:.+-]{0,40}|.{0,70}") {
            if let Ok(moment) = text.parse::<Timestamp>() {
                prop_assert_eq!(moment.to_string().parse::<Timestamp>().unwrap(), moment);
            }
        }
    }
}
