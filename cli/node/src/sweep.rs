//! What nothing refers to any more goes, now and then: blobs first, then the code that was compiled from them.
//!
//! Compiled code can always be made anew, so its sweep holds nobody off: at worst a component that is uploaded
//! in the same moment is compiled twice. Must never remove code whose component is there.

use std::sync::Arc;
use std::time::Duration;

use wasmyard_control::{Control, STORAGE_JOB};
use wasmyard_kv::Kv;
use wasmyard_namespaces::registry::Done;
use wasmyard_namespaces::{Clock, Health, Registry};
use wasmyard_runtime::Runtime;

use crate::schedule::every;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(3_600);
/// How often it is looked for keys that have expired.
const EXPIRED: Duration = Duration::from_secs(60);
/// How often where there is no room.
const WITHOUT_ROOM: Duration = Duration::from_secs(5 * 60);
/// How long until a job that could not be scheduled is scheduled again.
const TRY_AGAIN: Duration = Duration::from_secs(60);
/// How long compiled code is kept at least: a component is compiled before it is stored.
const GRACE: Duration = Duration::from_secs(24 * 3_600);

/// The job that removes blobs. One node of those that share a registry does it.
const BLOBS: (&str, &str) = ("sweep", "blobs");

/// The job that forgets old entries of the audit log.
const AUDIT: (&str, &str) = ("audit-sweep", "audit");

/// Sweeps until it is dropped.
pub(crate) async fn run(control: Control, runtime: Arc<Runtime>) {
    let registry = control.registry();
    tokio::join!(
        blobs(registry),
        audit(registry),
        storage(&control),
        code(registry, &runtime),
        keys(control.kv(), registry.clock()),
        messages(&control),
        databases(&control),
        objects(&control)
    );
}

/// Sweeps keys whose time has come, and those of deleted namespaces. Nobody sees them any more; their room is taken.
async fn keys(kv: &Kv, clock: &Clock) {
    every(clock, Duration::ZERO, EXPIRED, || async {
        match kv.sweep().await {
            Ok(removed) => tracing::debug!(removed, "looked for keys that have expired"),
            Err(error) => tracing::warn!(%error, "keys that have expired could not be removed"),
        }
    })
    .await;
}

/// Sweeps messages that nobody handled in time, and those of deleted queues.
async fn messages(control: &Control) {
    let Ok(queues) = control.queues() else { return };
    every(queues.clock(), Duration::ZERO, EXPIRED, || async {
        match queues.sweep().await {
            Ok(removed) => tracing::debug!(removed, "looked for messages that are too old"),
            Err(error) => tracing::warn!(%error, "messages that are too old could not be removed"),
        }
    })
    .await;
}

/// Sweeps contents of objects that are gone, and uploads that nobody completed.
async fn objects(control: &Control) {
    let Ok(r2) = control.r2() else { return };
    every(control.registry().clock(), Duration::ZERO, EXPIRED, || async {
        match r2.sweep().await {
            Ok(removed) => tracing::debug!(removed, "looked for contents of objects that are gone"),
            Err(error) => tracing::warn!(%error, "contents of objects that are gone could not be removed"),
        }
    })
    .await;
}

/// Closes databases that rest, and removes exports that nobody came back for.
async fn databases(control: &Control) {
    let Ok(d1) = control.d1() else { return };
    every(control.registry().clock(), EXPIRED, EXPIRED, || d1.sweep()).await;
}

/// Sweeps what all nodes share, as a job: it is done once, and goes on when the node that did it is gone.
async fn blobs(registry: &Registry) {
    let (kind, key) = BLOBS;
    let sweeping = registry.clone();
    let jobs = registry.jobs().on(kind, move |_| {
        let registry = sweeping.clone();
        async move {
            match registry.collect_garbage().await {
                Ok(swept) => {
                    tracing::debug!(?swept, "looked for blobs that nothing refers to");
                    let is_full = registry.health() == Health::NoSpace;
                    Done::Again(if is_full { WITHOUT_ROOM } else { EVERY })
                }
                Err(error) => {
                    Done::Failed(format!("blobs that nothing refers to could not be removed: {error}"))
                }
            }
        }
    });
    while let Err(error) = registry.schedule(kind, key, registry.clock().now()).await {
        tracing::warn!(%error, "the sweep of blobs could not be scheduled");
        registry.clock().sleep_until(registry.clock().now().later(TRY_AGAIN)).await;
    }
    jobs.run().await;
}

/// Sweeps the audit log, which all nodes share as well.
async fn audit(registry: &Registry) {
    let (kind, key) = AUDIT;
    let sweeping = registry.clone();
    let jobs = registry.jobs().on(kind, move |_| {
        let registry = sweeping.clone();
        async move {
            match registry.forget_old_audit().await {
                Ok(forgotten) => {
                    tracing::debug!(forgotten, "looked for old entries of the audit log");
                    Done::Again(EVERY)
                }
                Err(error) => {
                    Done::Failed(format!("old entries of the audit log could not be forgotten: {error}"))
                }
            }
        }
    });
    while let Err(error) = registry.schedule(kind, key, registry.clock().now()).await {
        tracing::warn!(%error, "the sweep of the audit log could not be scheduled");
        registry.clock().sleep_until(registry.clock().now().later(TRY_AGAIN)).await;
    }
    jobs.run().await;
}

/// Sweeps what scripts keep things in that is their own, and that nothing leads to any more.
async fn storage(control: &Control) {
    let (kind, key) = STORAGE_JOB;
    let registry = control.registry();
    let sweeping = control.clone();
    let jobs = registry.jobs().on(kind, move |_| {
        let control = sweeping.clone();
        async move {
            match control.sweep_storage().await {
                Ok(removed) => {
                    tracing::debug!(removed, "looked for storage that nothing leads to");
                    Done::Again(EVERY)
                }
                Err(error) => {
                    Done::Failed(format!("storage that nothing leads to could not be removed: {error}"))
                }
            }
        }
    });
    while let Err(error) = registry.schedule(kind, key, registry.clock().now()).await {
        tracing::warn!(%error, "the sweep of storage could not be scheduled");
        registry.clock().sleep_until(registry.clock().now().later(TRY_AGAIN)).await;
    }
    jobs.run().await;
}

/// Sweeps what is this node's own.
async fn code(registry: &Registry, runtime: &Runtime) {
    // Not at once: `wasmyard dev` has not deployed its folder yet, whose code is here from last time.
    every(registry.clock(), EVERY, EVERY, || async {
        match artifacts(registry, runtime, GRACE).await {
            Ok(removed) => tracing::debug!(removed, "looked for code of components that are gone"),
            Err(error) => tracing::warn!(error, "code of components that are gone could not be removed"),
        }
    })
    .await;
}

/// Removes compiled code that is older than `grace` and whose component is gone. Says how many.
async fn artifacts(registry: &Registry, runtime: &Runtime, grace: Duration) -> Result<u64, String> {
    let mut removed = 0;
    for digest in runtime.artifacts_older_than(grace).await.map_err(|error| error.to_string())? {
        if !registry.has_component(&digest).await.map_err(|error| error.to_string())? {
            runtime.forget(&digest).await.map_err(|error| error.to_string())?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wasmyard_namespaces::Digest;
    use wasmyard_runtime::{EngineConfig, GuestMemoryLimits, InProcess, Metering, RuntimeConfig};

    use super::*;

    /// A worker that differs from others by a number.
    fn worker(number: u32) -> Bytes {
        let text = include_str!("../../../tests/harness/src/wasi_http.wat");
        let global = format!("(global i32 (i32.const {number}))");
        wat::parse_str(text.replace(";; module", &global)).unwrap().into()
    }

    async fn compiled(runtime: &Runtime, component: &Bytes) -> Digest {
        let digest = Digest::of(component);
        let component = component.clone();
        runtime.module(Metering::Time, &digest, async { Ok(component) }).await.unwrap();
        digest
    }

    fn runtime(scratch: &tempfile::TempDir) -> Arc<Runtime> {
        let sizes = RuntimeConfig {
            engine: EngineConfig { max_instances: 4, ..EngineConfig::default() },
            artifacts: scratch.path().to_owned(),
            loaded_code_bytes: 1 << 30,
            loaded_modules: u64::MAX,
            compilations: 2,
            guest_memory: GuestMemoryLimits::NONE,
            javascript: None,
        };
        Arc::new(Runtime::new(&sizes, Arc::new(InProcess)).unwrap())
    }

    #[tokio::test]
    async fn code_goes_after_its_component_and_not_before() {
        let scratch = tempfile::tempdir().unwrap();
        let (runtime, registry) = (runtime(&scratch), Registry::in_memory().await.unwrap());
        let (kept, gone) = (worker(1), worker(2));
        registry.put_component(kept.clone()).await.unwrap();
        let kept = compiled(&runtime, &kept).await;
        compiled(&runtime, &gone).await;
        assert_eq!(artifacts(&registry, &runtime, GRACE).await.unwrap(), 0, "both are new");
        assert_eq!(artifacts(&registry, &runtime, Duration::ZERO).await.unwrap(), 1);
        assert_eq!(runtime.artifacts_older_than(Duration::ZERO).await.unwrap(), [kept]);
        // It is made anew when it comes back.
        compiled(&runtime, &gone).await;
        assert_eq!(runtime.artifacts_older_than(Duration::ZERO).await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn uploads_succeed_while_it_sweeps_as_hard_as_it_can() {
        let scratch = tempfile::tempdir().unwrap();
        let (runtime, registry) = (runtime(&scratch), Registry::in_memory().await.unwrap());
        let uploads = async {
            for number in 0..20 {
                let component = worker(number % 3);
                let digest = compiled(&runtime, &component).await;
                if number % 3 == 0 {
                    registry.put_component(component).await.unwrap();
                    compiled(&runtime, &worker(0)).await;
                    assert!(registry.has_component(&digest).await.unwrap());
                }
            }
        };
        let sweeping = async {
            loop {
                artifacts(&registry, &runtime, Duration::ZERO).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = uploads => {}
            () = sweeping => {}
        }
    }
}
