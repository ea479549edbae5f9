//! Owns the ceilings that a caller can set for one call.

use crate::bindings::dispatch as platform;

/// Ceilings for one call to another script. What is not set stays as platform, namespace and script have it,
/// and what is set can only be tighter.
///
/// ```
/// # use wasmyard::Limits;
/// const FREE_PLAN: Limits = Limits::new().cpu_ms(10).subrequests(5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    cpu_ms: Option<u64>,
    fuel: Option<u64>,
    subrequests: Option<u32>,
    memory_bytes: Option<u64>,
}

impl Limits {
    /// Nothing beyond what holds anyway.
    pub const fn new() -> Limits {
        Limits { cpu_ms: None, fuel: None, subrequests: None, memory_bytes: None }
    }

    /// CPU time, in milliseconds. Zero is refused when the script is called, here and below.
    #[must_use]
    pub const fn cpu_ms(self, cpu_ms: u64) -> Limits {
        Limits { cpu_ms: Some(cpu_ms), ..self }
    }

    /// Fuel: a budget of instructions which the same script on the same input uses up the same way on every
    /// machine, unlike CPU time. About one unit for each instruction, one for each byte of a bulk one.
    #[must_use]
    pub const fn fuel(self, fuel: u64) -> Limits {
        Limits { fuel: Some(fuel), ..self }
    }

    /// Number of fetches and calls that the script may make.
    #[must_use]
    pub const fn subrequests(self, subrequests: u32) -> Limits {
        Limits { subrequests: Some(subrequests), ..self }
    }

    /// Memory and tables together, in bytes.
    #[must_use]
    pub const fn memory_bytes(self, memory_bytes: u64) -> Limits {
        Limits { memory_bytes: Some(memory_bytes), ..self }
    }
}

impl From<Limits> for platform::Limits {
    fn from(limits: Limits) -> platform::Limits {
        let Limits { cpu_ms, fuel, subrequests, memory_bytes } = limits;
        platform::Limits { cpu_ms, fuel, subrequests, memory_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_set_is_passed_on() {
        let limits = platform::Limits::from(Limits::new().cpu_ms(10).memory_bytes(1 << 20));
        assert_eq!((limits.cpu_ms, limits.memory_bytes), (Some(10), Some(1 << 20)));
        assert_eq!((limits.fuel, limits.subrequests), (None, None));
        let limits = platform::Limits::from(Limits::new().fuel(7).subrequests(3));
        assert_eq!((limits.fuel, limits.subrequests), (Some(7), Some(3)));
    }
}
