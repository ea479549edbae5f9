//! Every limit of the platform: its unit, default, smallest value and ceiling, in one table.
//!
//! Owns what may be asked for ([`LimitSpec`]), what holds for an invocation ([`Limits`]), and the table
//! that the documentation is generated from. Never enforces anything: runtime, dispatcher and api do.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use byte_size::{ByteSize, ByteSizeError};
pub use row::{LimitRow, LimitScope, Unit};
pub use table::table;

pub mod alerting;
mod byte_size;
pub mod cache;
pub mod component;
pub mod d1;
pub mod events;
pub mod hostnames;
pub mod kv;
mod parse;
pub mod queues;
pub mod r2;
mod row;
pub mod secret_stores;
mod table;

const MIB: u64 = 1 << 20;
const KIB: u64 = 1 << 10;

/// Most tags on a script.
pub const MAX_TAGS: usize = 8;
/// Most variables (texts, JSON values and secrets) on a version.
pub const MAX_VARS: usize = 64;
/// Most bytes in one variable.
pub const MAX_VAR_BYTES: usize = 5 * 1024;
/// Most bindings of any type on a version.
pub const MAX_BINDINGS: usize = 128;
/// Most parameters that an outbound worker may be given.
pub const MAX_OUTBOUND_PARAMS: usize = 32;
/// Most compatibility flags and most annotations on a version; longest text of one, in bytes.
pub const MAX_METADATA_ENTRIES: usize = 64;
/// Longest compatibility flag, annotation, or module name, in bytes.
pub const MAX_METADATA_BYTES: usize = 1024;
/// Most cron expressions of a script.
pub const MAX_CRONS: usize = 16;
/// Longest cron expression, in bytes.
pub const MAX_CRON_BYTES: usize = 100;
/// Largest component, in bytes.
pub const MAX_COMPONENT_BYTES: u64 = 64 * MIB;
/// Most files among the assets of a version.
pub const MAX_ASSET_FILES: usize = 20_000;
/// Largest asset, in bytes.
pub const MAX_ASSET_BYTES: u64 = 25 * MIB;
/// Longest path of an asset, in bytes.
pub const MAX_ASSET_PATH_BYTES: usize = 1_024;
/// Longest `_headers` text, in bytes.
pub const MAX_ASSET_HEADERS_BYTES: usize = 128 * 1_024;
/// Longest `_redirects` text, in bytes.
pub const MAX_ASSET_REDIRECTS_BYTES: usize = 512 * 1_024;
/// Most rules of `run_worker_first`.
pub const MAX_WORKER_FIRST_RULES: usize = 100;
/// Longest rule of `run_worker_first`, in characters.
pub const MAX_WORKER_FIRST_RULE_CHARS: usize = 100;
/// Most bytes in the head of a request.
pub const MAX_REQUEST_HEADER_BYTES: u64 = 32 * KIB;
/// Most header fields of a request.
pub const MAX_REQUEST_HEADERS: u64 = 100;

/// What somebody asked for: each field is either a wish or left open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct LimitSpec {
    /// CPU time of one invocation, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Deterministic instruction budget of one invocation, in units of fuel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Subrequests of one invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subrequests: Option<u32>,
    /// Linear memory and tables together, in bytes. Reads `"128MiB"` as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Wall-clock time until the head of the response, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// Longest pause of a streaming body, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_idle_ms: Option<u64>,
    /// Scripts in a chain of scripts calling scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Subrequests of one invocation under way at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_subrequests: Option<u32>,
    /// Bytes of log output kept of one invocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<u64>,
    /// CPU time of one invocation for an event that is no request, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_cpu_ms: Option<u64>,
    /// Wall-clock time of one invocation for an event that is no request, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_wall_ms: Option<u64>,
    /// Bytes that storage may hold for a script to put more into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_bytes: Option<u64>,
    /// Keys, objects or messages that storage may hold for a script to put more into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_entries: Option<u64>,
}

/// How much a KV namespace, a database, a bucket or a queue may hold for a script to put more into it; where nothing is said,
/// what the platform lets each hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct StorageQuota {
    /// Bytes.
    pub bytes: Option<u64>,
    /// Keys, objects or messages; of a database nothing is counted.
    pub entries: Option<u64>,
}

impl StorageQuota {
    /// The bytes, where the platform lets it hold `most`.
    #[must_use]
    pub fn bytes_of(&self, most: u64) -> u64 {
        self.bytes.map_or(most, |bytes| bytes.min(most))
    }

    /// The keys, objects or messages, where the platform lets it hold `most`.
    #[must_use]
    pub fn entries_of(&self, most: u64) -> u64 {
        self.entries.map_or(most, |entries| entries.min(most))
    }
}

/// What holds for one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// CPU time.
    pub cpu: Duration,
    /// Instruction budget; none is no budget.
    pub fuel: Option<u64>,
    /// Subrequests.
    pub subrequests: u32,
    /// Linear memory and tables together, in bytes.
    pub memory_bytes: u64,
    /// Wall-clock time until the head of the response.
    pub first_byte: Duration,
    /// Longest pause of a streaming body.
    pub stream_idle: Duration,
    /// Scripts in a chain of scripts calling scripts.
    pub depth: u32,
    /// Subrequests under way at the same time.
    pub concurrent_subrequests: u32,
    /// Bytes of log output kept.
    pub log_bytes: u64,
    /// CPU time where the event is no request.
    pub event_cpu: Duration,
    /// Wall-clock time where the event is no request.
    pub event_wall: Duration,
    /// How much storage may hold.
    pub storage: StorageQuota,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}

impl Limits {
    /// What holds when nobody says otherwise.
    pub const DEFAULT: Limits = Limits {
        cpu: Duration::from_millis(50),
        fuel: None,
        subrequests: 50,
        memory_bytes: 128 * MIB,
        first_byte: Duration::from_secs(30),
        stream_idle: Duration::from_secs(60),
        depth: 8,
        concurrent_subrequests: 6,
        log_bytes: 256 * KIB,
        event_cpu: Duration::from_secs(30),
        event_wall: Duration::from_secs(15 * 60),
        storage: StorageQuota { bytes: None, entries: None },
    };

    /// The most that an operator can allow.
    pub const CEILING: Limits = Limits {
        cpu: Duration::from_secs(30),
        fuel: Some(u64::MAX),
        subrequests: 1_000,
        memory_bytes: 512 * MIB,
        first_byte: Duration::from_secs(300),
        stream_idle: Duration::from_secs(3_600),
        depth: 16,
        concurrent_subrequests: 64,
        log_bytes: 4 * MIB,
        event_cpu: Duration::from_secs(15 * 60),
        event_wall: Duration::from_secs(15 * 60),
        storage: StorageQuota { bytes: Some(u64::MAX), entries: Some(u64::MAX) },
    };

    /// The tightest of the platform's limits and each wish. A wish above another changes nothing.
    #[must_use]
    pub fn tightest(platform: &Limits, specs: &[&LimitSpec]) -> Limits {
        specs.iter().fold(*platform, |limits, spec| limits.tightened_by(spec))
    }

    /// The platform's limits as an operator wrote them: each wish replaces the value here, whether tighter or
    /// looser. Validate the wishes against the ceiling first.
    #[must_use]
    pub fn overridden_by(&self, spec: &LimitSpec) -> Limits {
        Limits {
            cpu: spec.cpu_ms.map_or(self.cpu, Duration::from_millis),
            fuel: spec.fuel.or(self.fuel),
            subrequests: spec.subrequests.unwrap_or(self.subrequests),
            memory_bytes: spec.memory_bytes.unwrap_or(self.memory_bytes),
            first_byte: spec.first_byte_ms.map_or(self.first_byte, Duration::from_millis),
            stream_idle: spec.stream_idle_ms.map_or(self.stream_idle, Duration::from_millis),
            depth: spec.depth.unwrap_or(self.depth),
            concurrent_subrequests: spec.concurrent_subrequests.unwrap_or(self.concurrent_subrequests),
            log_bytes: spec.log_bytes.unwrap_or(self.log_bytes),
            event_cpu: spec.event_cpu_ms.map_or(self.event_cpu, Duration::from_millis),
            event_wall: spec.event_wall_ms.map_or(self.event_wall, Duration::from_millis),
            storage: StorageQuota {
                bytes: spec.storage_bytes.or(self.storage.bytes),
                entries: spec.storage_entries.or(self.storage.entries),
            },
        }
    }

    /// What holds for an event that is no request: it has a budget of its own, and nobody waits for a first byte.
    #[must_use]
    pub fn for_event(&self) -> Limits {
        Limits { cpu: self.event_cpu, first_byte: self.event_wall, ..*self }
    }

    fn tightened_by(self, spec: &LimitSpec) -> Limits {
        let wish = self.overridden_by(spec);
        // Who limits a script to less CPU means all that it does, unless they say otherwise.
        let event_cpu = spec.event_cpu_ms.or(spec.cpu_ms).map_or(self.event_cpu, Duration::from_millis);
        let least = |one: Option<u64>, other: Option<u64>| [one, other].into_iter().flatten().min();
        Limits {
            cpu: self.cpu.min(wish.cpu),
            fuel: least(self.fuel, wish.fuel),
            subrequests: self.subrequests.min(wish.subrequests),
            memory_bytes: self.memory_bytes.min(wish.memory_bytes),
            first_byte: self.first_byte.min(wish.first_byte),
            stream_idle: self.stream_idle.min(wish.stream_idle),
            depth: self.depth.min(wish.depth),
            concurrent_subrequests: self.concurrent_subrequests.min(wish.concurrent_subrequests),
            log_bytes: self.log_bytes.min(wish.log_bytes),
            event_cpu: self.event_cpu.min(event_cpu),
            event_wall: self.event_wall.min(wish.event_wall),
            storage: StorageQuota {
                bytes: least(self.storage.bytes, wish.storage.bytes),
                entries: least(self.storage.entries, wish.storage.entries),
            },
        }
    }

    /// The value of the table's row of that name, in the row's unit. None: no such row, or no budget.
    fn value(&self, name: &str) -> Option<u64> {
        match name {
            "cpu_ms" => Some(millis(self.cpu)),
            "fuel" => self.fuel,
            "subrequests" => Some(self.subrequests.into()),
            "memory_bytes" => Some(self.memory_bytes),
            "first_byte_ms" => Some(millis(self.first_byte)),
            "stream_idle_ms" => Some(millis(self.stream_idle)),
            "depth" => Some(self.depth.into()),
            "concurrent_subrequests" => Some(self.concurrent_subrequests.into()),
            "log_bytes" => Some(self.log_bytes),
            "event_cpu_ms" => Some(millis(self.event_cpu)),
            "event_wall_ms" => Some(millis(self.event_wall)),
            "storage_bytes" => self.storage.bytes,
            "storage_entries" => self.storage.entries,
            _ => None,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A wish outside the allowed range. Safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit {field} = {value} {unit} is outside {min} to {max}; choose a value in that range")]
pub struct LimitError {
    /// The field's name.
    pub field: &'static str,
    /// What was asked for.
    pub value: u64,
    /// Smallest value allowed.
    pub min: u64,
    /// Largest value allowed here.
    pub max: u64,
    /// The unit of all three.
    pub unit: Unit,
}

impl LimitSpec {
    /// Checks each wish against its smallest value and the ceiling.
    ///
    /// # Errors
    /// [`LimitError`] for the first field outside its range.
    pub fn validate(&self, ceiling: &Limits) -> Result<(), LimitError> {
        for row in table().iter().filter(|row| row.scope == LimitScope::Invocation) {
            let Some(value) = self.value(row.name) else { continue };
            let max = ceiling.value(row.name).unwrap_or(u64::MAX);
            if value < row.min || value > max {
                return Err(LimitError { field: row.name, value, min: row.min, max, unit: row.unit });
            }
        }
        Ok(())
    }

    /// These wishes, and where they leave something open, those of `under`.
    #[must_use]
    pub fn over(self, under: LimitSpec) -> LimitSpec {
        LimitSpec {
            cpu_ms: self.cpu_ms.or(under.cpu_ms),
            fuel: self.fuel.or(under.fuel),
            subrequests: self.subrequests.or(under.subrequests),
            memory_bytes: self.memory_bytes.or(under.memory_bytes),
            first_byte_ms: self.first_byte_ms.or(under.first_byte_ms),
            stream_idle_ms: self.stream_idle_ms.or(under.stream_idle_ms),
            depth: self.depth.or(under.depth),
            concurrent_subrequests: self.concurrent_subrequests.or(under.concurrent_subrequests),
            log_bytes: self.log_bytes.or(under.log_bytes),
            event_cpu_ms: self.event_cpu_ms.or(under.event_cpu_ms),
            event_wall_ms: self.event_wall_ms.or(under.event_wall_ms),
            storage_bytes: self.storage_bytes.or(under.storage_bytes),
            storage_entries: self.storage_entries.or(under.storage_entries),
        }
    }

    /// True when nothing is asked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == LimitSpec::default()
    }

    pub(crate) fn value(&self, name: &str) -> Option<u64> {
        match name {
            "cpu_ms" => self.cpu_ms,
            "fuel" => self.fuel,
            "subrequests" => self.subrequests.map(u64::from),
            "memory_bytes" => self.memory_bytes,
            "first_byte_ms" => self.first_byte_ms,
            "stream_idle_ms" => self.stream_idle_ms,
            "depth" => self.depth.map(u64::from),
            "concurrent_subrequests" => self.concurrent_subrequests.map(u64::from),
            "log_bytes" => self.log_bytes,
            "event_cpu_ms" => self.event_cpu_ms,
            "event_wall_ms" => self.event_wall_ms,
            "storage_bytes" => self.storage_bytes,
            "storage_entries" => self.storage_entries,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
