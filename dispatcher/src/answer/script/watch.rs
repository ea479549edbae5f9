//! Versions that are watched: how they do, and who is told when one does not keep its rule.
//!
//! Owns the counts of each such deployment, on this node. Rolling back is the control plane's: it is told, and nobody waits
//! for it. Must never count for a version that is not watched.

use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wasmyard_events::Usage;
use wasmyard_namespaces::script::Script;
use wasmyard_runtime::End;

use crate::broken::Broken;

/// The deployments that are watched here.
pub(super) struct Watch {
    counts: DashMap<String, Window>,
    /// None: nobody would do anything about it.
    told: Option<mpsc::Sender<Broken>>,
}

/// What a version did within one window.
struct Window {
    invocations: u32,
    errors: u32,
    cpu: Duration,
    last: Instant,
}

/// From this many counts on those are dropped that were not used for a while: their deployments have ended.
const MANY: usize = 4_096;
const A_WHILE: Duration = Duration::from_secs(3_600);

impl Watch {
    pub(super) fn new(told: Option<mpsc::Sender<Broken>>) -> Watch {
        Watch { counts: DashMap::new(), told }
    }

    /// Counts an invocation of a script, where its version is watched. What the caller gave up says nothing of it.
    pub(super) fn ended(&self, script: &Script, end: &End, usage: &Usage) {
        let Some(rollback) = &script.deployment.rollback else { return };
        let Some(told) = &self.told else { return };
        if rollback.watched != usage.version || matches!(end, End::Canceled) {
            return;
        }
        let failed = matches!(end, End::Failed(_)) || usage.status.is_some_and(|status| status >= 500);
        let now = Instant::now();
        if self.counts.len() >= MANY && !self.counts.contains_key(&script.deployment.id) {
            self.counts.retain(|_, window| now.duration_since(window.last) < A_WHILE);
        }
        let mut window = self.counts.entry(script.deployment.id.clone()).or_insert_with(|| Window::new(now));
        window.last = now;
        window.invocations += 1;
        window.errors += u32::from(failed);
        window.cpu += usage.cpu;
        let broken = rollback.rule.broken_by(window.invocations, window.errors, window.cpu);
        if window.invocations >= rollback.rule.over && broken.is_none() {
            *window = Window::new(now);
        }
        drop(window);
        let Some(reason) = broken else { return };
        let (script, deployment) = (script.key.clone(), script.deployment.id.clone());
        // Where nobody listens at this moment, the next invocation tells it again.
        if let Err(error) = told.try_send(Broken { script, deployment, reason }) {
            tracing::debug!(%error, "that a version broke its rule could not be told");
        }
    }
}

impl Window {
    fn new(now: Instant) -> Window {
        Window { invocations: 0, errors: 0, cpu: Duration::ZERO, last: now }
    }
}
