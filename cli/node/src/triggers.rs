//! What has scripts run by themselves, put together with the data plane that runs them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use wasmyard_dispatcher::Dispatcher;
use wasmyard_namespaces::{Registry, ScriptKey};
use wasmyard_queues::Queues;
use wasmyard_runtime::{Event, Failure, Handled};
use wasmyard_triggers::{CronConfig, CronFigures, Crons, Deliveries, DeliveryConfig, DeliveryFigures, Raise};

/// The data plane, as what handles events that no visitor caused.
struct DataPlane(Arc<Dispatcher>);

impl Raise for DataPlane {
    fn raise(&self, script: ScriptKey, event: Event) -> BoxFuture<'static, Result<Handled, Failure>> {
        let dispatcher = Arc::clone(&self.0);
        async move { dispatcher.raise(&script, event).await }.boxed()
    }
}

/// What runs scripts by their cron expressions, with this many places for invocations of all kinds.
pub(crate) fn crons(
    registry: Registry,
    dispatcher: &Arc<Dispatcher>,
    invocations: u32,
) -> prometheus::Result<Crons> {
    let figures = CronFigures::new(dispatcher.metrics().registry())?;
    let invocations = usize::try_from(invocations).unwrap_or(usize::MAX);
    let raise = Arc::new(DataPlane(Arc::clone(dispatcher)));
    Ok(Crons::new(registry, raise, CronConfig::for_invocations(invocations), figures))
}

/// What hands messages of queues to scripts, with this many places for invocations of all kinds, each of which takes `longest`.
pub(crate) fn deliveries(
    queues: Queues,
    dispatcher: &Arc<Dispatcher>,
    invocations: u32,
    longest: Duration,
) -> prometheus::Result<Deliveries> {
    let figures = DeliveryFigures::new(dispatcher.metrics().registry())?;
    let invocations = usize::try_from(invocations).unwrap_or(usize::MAX);
    let raise = Arc::new(DataPlane(Arc::clone(dispatcher)));
    Ok(Deliveries::new(queues, raise, DeliveryConfig::for_invocations(invocations, longest), figures))
}
