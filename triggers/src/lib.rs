//! Other ways in than requests: what has scripts run by themselves.
//!
//! [`Crons`] runs scripts by their cron expressions, [`Deliveries`] hands them messages of queues. What runs goes through [`Raise`], which the data plane is: the same
//! admission, limits, outbound rules and records as for requests. Must never answer a visitor.

mod cron;
mod places;
mod queues;

use futures::future::BoxFuture;
use wasmyard_namespaces::ScriptKey;
use wasmyard_runtime::{Event, Failure, Handled};

pub use cron::{CronConfig, CronFigures, Crons};
pub use queues::{Deliveries, DeliveryConfig, DeliveryFigures};

/// What has a script handle an event.
pub trait Raise: Send + Sync + 'static {
    /// Has a script handle an event that no visitor caused.
    ///
    /// # Errors
    /// The [`Failure`] for which it was not handled.
    ///
    /// # Cancel safety
    /// Dropping the future cancels everything that runs for the event.
    fn raise(&self, script: ScriptKey, event: Event) -> BoxFuture<'static, Result<Handled, Failure>>;
}
