//! A store with the limits of one invocation armed: CPU time, fuel, memory; and what it means when one of them is passed.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{Store, Trap, UpdateDeadline};
use wasmyard_namespaces::limits::Limits;

use crate::guest::state::{MAX_RESOURCES, State};
use crate::limits::guest_memory::RETRY_AFTER;
use crate::limits::memory::Exceeded;
use crate::limits::meter::Meter;
use crate::limits::scheduler;
use crate::outcome::Failure;

/// How many bytes a guest may hand to the host in one call.
const MAX_CALL_BYTES: usize = 1 << 20;

/// A store whose fuel is put on the account when it goes, however it goes.
pub(crate) struct Armed {
    pub(crate) store: Store<State>,
    meter: Arc<Meter>,
    fuel: Option<u64>,
}

impl Armed {
    /// A store with its limits armed: before instantiation, because start-up code is guest code, too.
    pub(crate) fn new(
        engine: &wasmtime::Engine,
        state: State,
        limits: &Limits,
        meter: &Arc<Meter>,
    ) -> Result<Self, Failure> {
        let mut store = Store::new(engine, state);
        store.limiter(|state| state);
        store.set_hostcall_fuel(MAX_CALL_BYTES);
        store.set_max_component_handles(MAX_RESOURCES);
        let mut armed = Self { store, meter: Arc::clone(meter), fuel: None };
        armed.again(limits, meter)?;
        Ok(armed)
    }

    /// Sets CPU budget and fuel to what this invocation may use.
    pub(crate) fn again(&mut self, limits: &Limits, meter: &Arc<Meter>) -> Result<(), Failure> {
        // Only an engine that counts fuel can say how much there is; there, none given would be none at all.
        let fuel = match (self.store.get_fuel().is_ok(), limits.fuel) {
            (true, limit) => Some(limit.unwrap_or(u64::MAX)),
            (false, None) => None,
            (false, Some(_)) => {
                return Err(Failure::internal("code that does not count fuel, run with fuel"));
            }
        };
        if let Some(fuel) = fuel {
            self.store.set_fuel(fuel).map_err(Failure::internal)?;
        }
        arm(&mut self.store, Arc::clone(meter), limits.cpu);
        self.meter = Arc::clone(meter);
        self.fuel = fuel;
        Ok(())
    }

    /// Puts the fuel that was used on the account.
    pub(crate) fn settle(&mut self) {
        if let (Some(fuel), Ok(left)) = (self.fuel.take(), self.store.get_fuel()) {
            self.meter.used_fuel(fuel.saturating_sub(left));
        }
    }
}

impl Drop for Armed {
    fn drop(&mut self) {
        self.settle();
    }
}

/// Sets the epoch callback: the guest is stopped when its budget is spent, and lets others run otherwise.
fn arm(store: &mut Store<State>, meter: Arc<Meter>, budget: Duration) {
    store.set_epoch_deadline(1);
    let mut before = Duration::ZERO;
    store.epoch_deadline_callback(move |mut store| {
        if meter.cpu.has_spent(budget) {
            return Err(Exceeded::Cpu.into());
        }
        let state = store.data_mut();
        // The guest runs: what was on its way to it has arrived.
        state.passing = 0;
        state.weigh()?;
        // The slice that ends here is on the account when the poll is over: it counts at the next step.
        let used = meter.cpu.used();
        scheduler::stepped_back(used.saturating_sub(std::mem::replace(&mut before, used)));
        Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
    });
}

/// What an error out of Wasm means. Texts name the kind of trap and nothing of the host.
pub(crate) fn failure_of(error: &wasmtime::Error, limits: &Limits) -> Failure {
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return match exceeded {
            Exceeded::Memory => Failure::ExceededMemory { limit: limits.memory_bytes },
            Exceeded::Cpu => Failure::ExceededCpu { limit: limits.cpu },
            Exceeded::GuestMemory => Failure::Overloaded { retry_after: RETRY_AFTER },
            Exceeded::MemoryShare { limit } => {
                Failure::ExceededMemoryShare { limit: *limit, retry_after: RETRY_AFTER }
            }
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match trap {
            Trap::Interrupt => Failure::ExceededCpu { limit: limits.cpu },
            Trap::OutOfFuel => Failure::ExceededFuel { limit: limits.fuel.unwrap_or(u64::MAX) },
            other => Failure::Trapped(other.to_string()),
        };
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Failure::Trapped(format!("it called exit({})", exit.0));
    }
    if wasmyard_pool::Refused::is_for_now(error) {
        return Failure::Overloaded { retry_after: RETRY_AFTER };
    }
    // What is left are host calls that the guest used wrongly (a resource it does not have, a body
    // taken twice): its own mistake, in words that the host functions chose.
    Failure::Trapped(error.root_cause().to_string())
}
