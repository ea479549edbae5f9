//! Numbers: of things, of parts of others, of milliseconds, of bytes.

use std::ops::RangeInclusive;
use std::time::Duration;

use wasmyard_namespaces::ByteSize;

use super::{Judged, Reading};
use crate::config::document::{Reader, Spot, Table};
use crate::config::fault::Fault;
use crate::config::section::{Form, Key, leaf};

/// The most that can be counted to: more is a slip.
const MOST: u32 = 1_000_000;
/// The longest time that can be set, in milliseconds.
const LONGEST: u64 = 3_600_000;

/// A number of things, from one.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Count(pub(in crate::config) u32);

impl Count {
    /// The default of another crate.
    pub(in crate::config) fn or(default: usize) -> Self {
        Self(u32::try_from(default).unwrap_or(MOST).min(MOST))
    }
}

impl Judged for Count {
    type Written = u64;
    type Value = u32;

    const READ: Reading<u64> = |table, reader, name| table.number(reader, name);

    fn judge(&self, spot: &Spot<u64>) -> Result<u32, Fault> {
        counted(spot, MOST, self.0)
    }

    fn default(&self) -> u32 {
        self.0
    }

    fn told(&self) -> Key {
        Key::of(format!("1 to {MOST}")).or(self.0.to_string())
    }
}

fn counted(spot: &Spot<u64>, most: u32, default: u32) -> Result<u32, Fault> {
    let value = u32::try_from(spot.value).ok().filter(|value| (1..=most).contains(value));
    value.ok_or_else(|| out_of_range(spot, 1, most.into(), &default.to_string()))
}

fn out_of_range(spot: &Spot<u64>, least: u64, most: u64, default: &str) -> Fault {
    spot.fault(format!("expected a whole number from {least} to {most}"))
        .value(spot.value.to_string())
        .remedy(format!("leave the key out for {default}"))
}

/// A number of things that is a part of another key's.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Part {
    /// Without it, one of so many.
    pub(in crate::config) one_of: u32,
    /// The other key.
    pub(in crate::config) whole: &'static str,
    /// Whether there may be no more than of the whole.
    pub(in crate::config) within: bool,
}

/// What was read of a part.
#[derive(Debug)]
pub(in crate::config) struct GivenPart {
    form: Part,
    spot: Option<Spot<u64>>,
}

impl GivenPart {
    /// The part that holds of so many. What is wrong is noted.
    pub(in crate::config) fn of(&self, whole: u32, faults: &mut Vec<Fault>) -> u32 {
        let share =
            if self.form.within { whole / self.form.one_of } else { whole.div_ceil(self.form.one_of) };
        let default = share.max(1);
        let Some(spot) = &self.spot else { return default };
        let most = if self.form.within { whole } else { MOST };
        counted(spot, most, default).unwrap_or_else(|fault| {
            faults.push(fault);
            default
        })
    }
}

impl Form for Part {
    type Read = GivenPart;

    fn unset(self) -> GivenPart {
        GivenPart { form: self, spot: None }
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> GivenPart {
        GivenPart { form: self, spot: table.number(reader, name) }
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        let part = match self.one_of {
            2 => "half".to_owned(),
            4 => "a quarter".to_owned(),
            8 => "an eighth".to_owned(),
            other => format!("1/{other}"),
        };
        let most = if self.within { format!("`{}`", self.whole) } else { MOST.to_string() };
        let told = Key::of(format!("1 to {most}")).or(format!("{part} of `{}`", self.whole));
        leaf(name, about, told)
    }
}

/// A time in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct Millis {
    pub(in crate::config) least: u64,
    pub(in crate::config) default: Duration,
}

impl Millis {
    /// One that cannot be zero.
    pub(in crate::config) fn or(default: Duration) -> Self {
        Self { least: 1, default }
    }

    /// One that can: then nothing is waited for.
    pub(in crate::config) fn from_zero(default: Duration) -> Self {
        Self { least: 0, default }
    }
}

impl Judged for Millis {
    type Written = u64;
    type Value = Duration;

    const READ: Reading<u64> = |table, reader, name| table.number(reader, name);

    fn judge(&self, spot: &Spot<u64>) -> Result<Duration, Fault> {
        if (self.least..=LONGEST).contains(&spot.value) {
            return Ok(Duration::from_millis(spot.value));
        }
        let default = format!("{} milliseconds", self.default.as_millis());
        Err(out_of_range(spot, self.least, LONGEST, &default))
    }

    fn default(&self) -> Duration {
        self.default
    }

    fn told(&self) -> Key {
        Key::of(format!("{} to {LONGEST}", self.least)).or(self.default.as_millis().to_string())
    }
}

/// A number of bytes.
#[derive(Debug, Clone)]
pub(in crate::config) struct Size {
    pub(in crate::config) range: RangeInclusive<u64>,
    pub(in crate::config) default: u64,
}

impl Judged for Size {
    type Written = String;
    type Value = u64;

    const READ: Reading<String> = |table, reader, name| table.byte_text(reader, name);

    fn judge(&self, spot: &Spot<String>) -> Result<u64, Fault> {
        sized(spot, &self.range, &ByteSize(self.default).to_string())
    }

    fn default(&self) -> u64 {
        self.default
    }

    fn told(&self) -> Key {
        Key::of(size_words(&self.range)).or(format!("`\"{}\"`", ByteSize(self.default)))
    }
}

/// A number of bytes that nobody knows before the machine is looked at.
#[derive(Debug, Clone, Copy)]
pub(in crate::config) struct MachineSize {
    pub(in crate::config) least: u64,
    /// What holds without it, in words.
    pub(in crate::config) without: &'static str,
}

impl Judged for MachineSize {
    type Written = String;
    type Value = Option<u64>;

    const READ: Reading<String> = |table, reader, name| table.byte_text(reader, name);

    fn judge(&self, spot: &Spot<String>) -> Result<Option<u64>, Fault> {
        sized(spot, &(self.least..=u64::MAX), self.without).map(Some)
    }

    fn default(&self) -> Option<u64> {
        None
    }

    fn told(&self) -> Key {
        Key::of(size_words(&(self.least..=u64::MAX))).or(self.without)
    }
}

fn sized(spot: &Spot<String>, range: &RangeInclusive<u64>, default: &str) -> Result<u64, Fault> {
    match spot.value.parse::<ByteSize>() {
        Ok(size) if range.contains(&size.0) => Ok(size.0),
        Ok(_) => {
            let least = ByteSize(*range.start());
            let expected = match *range.end() {
                u64::MAX => format!("expected at least {least}"),
                most => format!("expected a size from {least} to {}", ByteSize(most)),
            };
            Err(spot.fault_shown(expected).remedy(format!("leave the key out for {default}")))
        }
        Err(error) => Err(spot.fault_shown(error.to_string()).remedy("write it as \"256MiB\"")),
    }
}

fn size_words(range: &RangeInclusive<u64>) -> String {
    let least = ByteSize(*range.start());
    match *range.end() {
        u64::MAX => format!("size from {least}"),
        most => format!("size, {least} to {}", ByteSize(most)),
    }
}
