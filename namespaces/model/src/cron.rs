//! When scripts are to run by themselves: cron expressions of five fields, in UTC.
//!
//! Owns what such an expression may be, and which minutes it names. The grammar is that of the hosted product's cron triggers
//! (minute, hour, day of the month, month, weekday with 1 for Sunday; `*` `,` `-` `/`, names of months and days, `L`, `W`,
//! `#`). Where both the day of the month and the weekday are restricted, a day that is either counts. Never runs anything.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_CRON_BYTES, MAX_CRONS};
use crate::name::shorten;
use crate::timestamp::Timestamp;

/// A cron expression that names at least one minute to come. Kept as it was written: that is what scripts are told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron(Box<str>);

/// A text that is no cron expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// It has not five fields, or more bytes than an expression has.
    #[error(
        "the cron expression \"{0}\" must have five fields of at most {MAX_CRON_BYTES} bytes together: minute, hour, day of \
         the month, month, weekday, as in \"*/5 * * * *\""
    )]
    Shape(String),
    /// A field breaks its rule.
    #[error(
        "the cron expression \"{text}\" cannot be read: {rule}; weekdays are 1 (Sunday) to 7, or names like MON"
    )]
    Field {
        /// The expression.
        text: String,
        /// Which rule.
        rule: String,
    },
    /// There is no such day.
    #[error("the cron expression \"{0}\" names no day that ever comes; check day and month")]
    Never(String),
    /// One is there twice.
    #[error("the cron expression \"{0}\" is there twice; leave one out")]
    Twice(String),
    /// There are too many.
    #[error("a script has at most {MAX_CRONS} cron expressions, not {0}; join some with \",\"")]
    TooMany(usize),
}

/// A cron expression of a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// When the script is to run.
    pub cron: Cron,
    /// Since when it has this expression.
    pub created_on: Timestamp,
    /// When it was last set.
    pub modified_on: Timestamp,
}

impl Cron {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first minute after a moment that it names; none where no such day comes.
    #[must_use]
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        let found = expression(&self.0).ok()?.find_next_occurrence(&utc(moment)?, false).ok()?;
        Some(Timestamp::from(std::time::SystemTime::from(found)))
    }

    /// The last minute that it names which is not after a moment.
    #[must_use]
    pub fn until(&self, moment: Timestamp) -> Option<Timestamp> {
        let found = expression(&self.0).ok()?.find_previous_occurrence(&utc(moment)?, true).ok()?;
        Some(Timestamp::from(std::time::SystemTime::from(found)))
    }
}

/// The schedules of a script that gets these expressions; what it had keeps the date it has.
///
/// # Errors
/// [`CronError::TooMany`], [`CronError::Twice`].
pub fn schedules(before: &[Schedule], crons: &[Cron], now: Timestamp) -> Result<Vec<Schedule>, CronError> {
    if crons.len() > MAX_CRONS {
        return Err(CronError::TooMany(crons.len()));
    }
    let mut schedules: Vec<Schedule> = Vec::with_capacity(crons.len());
    for cron in crons {
        if schedules.iter().any(|known| known.cron == *cron) {
            return Err(CronError::Twice(cron.to_string()));
        }
        let known = before.iter().find(|known| known.cron == *cron).cloned();
        schedules.push(known.unwrap_or_else(|| Schedule {
            cron: cron.clone(),
            created_on: now,
            modified_on: now,
        }));
    }
    Ok(schedules)
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Cron, CronError> {
        // Before anything reads it: an expression of a stranger may have any length.
        if text.len() > MAX_CRON_BYTES || text.split_ascii_whitespace().count() != 5 {
            return Err(CronError::Shape(shorten(text)));
        }
        let text = text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        if let Err(error) = expression(&text) {
            return Err(CronError::Field { rule: shorten(&error.to_string()), text: shorten(&text) });
        }
        let cron = Cron(text.into());
        // Without a year in it, an expression that names a day once names it for ever.
        match cron.after(Timestamp::from(std::time::UNIX_EPOCH)) {
            Some(_) => Ok(cron),
            None => Err(CronError::Never(shorten(&cron.0))),
        }
    }
}

impl TryFrom<String> for Cron {
    type Error = CronError;

    fn try_from(text: String) -> Result<Cron, CronError> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> String {
        cron.0.into()
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn expression(text: &str) -> Result<croner::Cron, croner::errors::CronError> {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .alternative_weekdays(true)
        .build()
        .parse(text)
}

fn utc(moment: Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(i64::try_from(moment.unix_seconds()).ok()?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn next(cron: &str, after: &str) -> String {
        let cron: Cron = cron.parse().unwrap();
        cron.after(at(after)).unwrap().to_string()
    }

    #[test]
    fn expressions_name_the_minutes_that_the_products_page_says() {
        // The page "Cron Triggers": expression, and what it says of it. 2026-01-01 is a Thursday.
        for (cron, after, expected) in [
            ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00.000000Z"),
            ("*/30 * * * *", "2026-01-01T00:01:00Z", "2026-01-01T00:30:00.000000Z"),
            ("45 * * * *", "2026-01-01T00:45:00Z", "2026-01-01T01:45:00.000000Z"),
            ("0 17 * * sun", "2026-01-01T00:00:00Z", "2026-01-04T17:00:00.000000Z"),
            ("0 17 * * 1", "2026-01-01T00:00:00Z", "2026-01-04T17:00:00.000000Z"),
            ("10 7 * * mon-fri", "2026-01-02T08:00:00Z", "2026-01-05T07:10:00.000000Z"),
            ("10 7 * * 2-6", "2026-01-02T08:00:00Z", "2026-01-05T07:10:00.000000Z"),
            ("0 15 1 * *", "2026-01-01T15:00:00Z", "2026-02-01T15:00:00.000000Z"),
            ("0 18 * * 6L", "2026-01-01T00:00:00Z", "2026-01-30T18:00:00.000000Z"),
            ("0 18 * * FRIL", "2026-01-01T00:00:00Z", "2026-01-30T18:00:00.000000Z"),
            ("59 23 LW * *", "2026-01-01T00:00:00Z", "2026-01-30T23:59:00.000000Z"),
            ("0 10 * * MON#2", "2026-01-01T00:00:00Z", "2026-01-12T10:00:00.000000Z"),
            ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00.000000Z"),
            // Either day counts where both are said.
            ("0 0 13 * 6", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00.000000Z"),
        ] {
            assert_eq!(next(cron, after), expected, "{cron}");
        }
    }

    #[test]
    fn the_last_minute_until_a_moment_is_that_very_minute_or_one_before() {
        let cron: Cron = "*/5 * * * *".parse().unwrap();
        for (moment, expected) in [
            ("2026-01-01T00:05:00Z", "2026-01-01T00:05:00Z"),
            ("2026-01-01T00:09:59.9Z", "2026-01-01T00:05:00Z"),
            ("2026-01-01T00:04:00Z", "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(cron.until(at(moment)), Some(at(expected)), "{moment}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused_by_its_rule() {
        for (text, part) in [
            ("", "five fields"),
            ("@daily", "five fields"),
            ("0 * * * * *", "five fields"),
            ("* * * *", "five fields"),
            ("60 * * * *", "cannot be read"),
            ("* 24 * * *", "cannot be read"),
            ("* * 0 * *", "cannot be read"),
            ("* * * 13 *", "cannot be read"),
            ("* * * * 0", "cannot be read"),
            ("* * * * 8", "cannot be read"),
            ("a b c d e", "cannot be read"),
            ("0 0 30 2 *", "no day that ever comes"),
        ] {
            let refused = text.parse::<Cron>().unwrap_err().to_string();
            assert!(refused.contains(part), "{text}: {refused}");
        }
        let long = format!("{} * * * *", "1,".repeat(MAX_CRON_BYTES));
        assert!(matches!(long.parse::<Cron>(), Err(CronError::Shape(_))));
    }

    #[test]
    fn a_schedule_that_stays_keeps_its_date_and_none_is_there_twice() {
        let (then, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        let [hourly, daily] = ["0 * * * *", "0  0 * * *"].map(|text| text.parse::<Cron>().unwrap());
        assert_eq!(daily.as_str(), "0 0 * * *", "spaces are one");
        let before = schedules(&[], std::slice::from_ref(&hourly), then).unwrap();
        let after = schedules(&before, &[daily.clone(), hourly.clone()], now).unwrap();
        assert_eq!(after.iter().map(|known| known.created_on).collect::<Vec<_>>(), [now, then]);
        assert_eq!(
            schedules(&[], &[daily.clone(), daily.clone()], now),
            Err(CronError::Twice(daily.to_string()))
        );
        let many: Vec<Cron> =
            (0..=MAX_CRONS).map(|minute| format!("{minute} * * * *").parse().unwrap()).collect();
        assert_eq!(schedules(&[], &many, now), Err(CronError::TooMany(MAX_CRONS + 1)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_does_harm(text in "[0-9*,/LW#a-zA-Z? -]{0,40}") {
            let now = at("2026-01-01T00:00:00Z");
            if let Ok(cron) = text.parse::<Cron>() {
                let after = cron.after(now).unwrap();
                proptest::prop_assert!(after > now);
                proptest::prop_assert_eq!(cron.until(after), Some(after));
            }
        }
    }
}
