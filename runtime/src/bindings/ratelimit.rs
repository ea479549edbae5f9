//! `wasmyard:platform/rate-limit`: a script asks whether one more is let through.
//!
//! The counts are those of [`wasmyard_ratelimit`]. A call waits for nothing and is no subrequest.

use wasmtime::component::Resource;
use wasmyard_ratelimit::Limiter;

use super::dispatch::not_there;
use super::dispatch_wit::BindingError;
use super::granted::Grant;
use super::ratelimit_wit::{Host, HostLimiter};
use crate::guest::state::State;

/// A rate limit that the guest opened.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OpenLimiter(Limiter);

impl Host for State {}

impl HostLimiter for State {
    fn open(&mut self, binding: String) -> wasmtime::Result<Result<Resource<OpenLimiter>, BindingError>> {
        let pick = |grant: &Grant| match grant {
            Grant::RateLimit(limiter) => Some(limiter.clone()),
            _ => None,
        };
        match self.version.bindings.find(&binding, pick) {
            Ok(limiter) => Ok(Ok(self.table.push(OpenLimiter(limiter))?)),
            Err(other) => Ok(Err(not_there(&binding, other))),
        }
    }

    fn limit(&mut self, this: Resource<OpenLimiter>, key: String) -> wasmtime::Result<Result<bool, String>> {
        Ok(self.table.get(&this)?.0.allow(&key).map_err(|error| error.to_string()))
    }

    fn drop(&mut self, this: Resource<OpenLimiter>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
