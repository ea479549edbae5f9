//! Owns what the API is given at start: the use cases, metrics, readiness, bounds.
//! Must never hold state of its own beyond permits: everything durable is in the registry.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use wasmyard_control::Control;
use wasmyard_events::{Sink, Tails};
use wasmyard_namespaces::Registry;

use crate::error::ApiError;
use crate::rates::{Limits, Rates};
use crate::remote::Dispatch;
use crate::tails::Book;

/// Bounds on what a client may send.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    /// Bytes of the `metadata` part, and of every JSON body. Default 1 MiB.
    pub metadata_bytes: usize,
    /// Bytes of the component. Default 64 MiB.
    pub module_bytes: usize,
    /// Bytes of a whole upload, with boundaries and parts that are not used. Default 66 MiB.
    pub total_bytes: usize,
    /// Parts in one form. Default 64.
    pub parts: usize,
    /// Bytes of the manifest of an upload of assets. Default 24 MiB: 20,000 files with the longest paths.
    pub manifest_bytes: usize,
    /// Bytes of one upload of contents of assets. Default 64 MiB.
    pub asset_upload_bytes: usize,
    /// Contents in one upload. Default 20,000.
    pub asset_parts: usize,
    /// Uploads that are held in memory at the same time; more wait for their turn. Default 4.
    pub concurrent: usize,
    /// Uploads that may be arriving at the same time: on the disk, as far as they are not small. Default 64.
    pub arriving: usize,
    /// How long a call with a bad token waits for its answer. Default 100 ms.
    pub refusal: Duration,
    /// A body that makes no progress for this long is given up. Default 30 s.
    pub idle: Duration,
    /// A small body must be whole after this long, and such a call answered. Default 30 s.
    pub call: Duration,
    /// An upload must be whole, compiled and durable after this long. Default 15 min.
    pub upload: Duration,
}

impl Default for UploadLimits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            metadata_bytes: MIB,
            module_bytes: 64 * MIB,
            total_bytes: 66 * MIB,
            parts: 64,
            manifest_bytes: 24 * MIB,
            asset_upload_bytes: 64 * MIB,
            asset_parts: 20_000,
            concurrent: 4,
            arriving: 64,
            refusal: Duration::from_millis(100),
            idle: Duration::from_secs(30),
            call: Duration::from_secs(30),
            upload: Duration::from_secs(15 * 60),
        }
    }
}

/// Everything that [`router`](crate::router()) needs.
#[derive(Clone)]
pub struct ApiState {
    /// The use cases, over the registry where every change goes.
    pub control: Control,
    /// Prometheus text for `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// `Err` with the reason while the platform should get no traffic; else what an operator should know.
    pub ready: Arc<dyn Fn() -> Result<Option<String>, String> + Send + Sync>,
    /// Is told of every call.
    pub events: Arc<dyn Sink>,
    /// Where uploads lie while they arrive, in files without a name.
    pub spool: PathBuf,
    /// Bounds on requests.
    pub limits: UploadLimits,
    /// How often clients may call.
    pub rates: Rates,
    /// Who answers requests to user scripts from nodes of those who develop; none: nobody does.
    pub dispatch: Option<Arc<dyn Dispatch>>,
    /// Where live tails hear of invocations.
    pub tails: Tails,
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// [`ApiState`] with the permits that belong to one router.
pub(crate) struct Shared {
    pub(crate) api: ApiState,
    pub(crate) control: Control,
    arriving: Semaphore,
    uploads: Semaphore,
    /// Bad tokens since that was last said.
    pub(crate) refusals: Mutex<Refusals>,
    /// Of their own, so that files which come slowly do not keep components waiting.
    asset_uploads: Semaphore,
    /// Of their own, so that neither waits for the other.
    values: Semaphore,
    /// Live tails.
    pub(crate) tails: Book,
    /// Who called how often.
    pub(crate) rates: Limits,
}

/// Calls with bad tokens.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    count: u64,
    said: Option<Instant>,
}

impl Refusals {
    /// Counts one more. Says how many there were since the last time that they were told of, once a second.
    pub(crate) fn one_more(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.said.is_some_and(|said| now.saturating_duration_since(said) < Duration::from_secs(1)) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.count))
    }
}

/// What handlers take as their state.
pub(crate) type SharedState = axum::extract::State<Arc<Shared>>;

impl Shared {
    pub(crate) fn new(api: ApiState) -> Arc<Self> {
        let arriving = Semaphore::new(api.limits.arriving.max(1));
        let uploads = Semaphore::new(api.limits.concurrent.max(1));
        let asset_uploads = Semaphore::new(api.limits.concurrent.max(1));
        let values = Semaphore::new(api.limits.concurrent.max(1));
        let refusals = Mutex::default();
        let control = api.control.clone();
        let rates = Limits::new(api.rates, control.registry().clock().clone());
        let tails = Book::new(api.tails.clone());
        Arc::new(Self { control, api, arriving, uploads, refusals, asset_uploads, values, tails, rates })
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.control.registry()
    }

    /// The right to send an upload.
    pub(crate) async fn arriving_permit(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.arriving.acquire().await.map_err(ApiError::internal)
    }

    /// The right to hold one upload in memory. Waiting costs a connection and nothing else: the body is not read yet.
    pub(crate) async fn upload_permit(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.uploads.acquire().await.map_err(ApiError::internal)
    }

    /// The right to hold one value of a KV namespace, or some, in memory.
    pub(crate) async fn value_permit(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.values.acquire().await.map_err(ApiError::internal)
    }

    /// The right to receive contents of assets.
    pub(crate) async fn asset_permit(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        self.asset_uploads.acquire().await.map_err(ApiError::internal)
    }
}
