//! The engine as the judge of components: for uploads through the API, and for files.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wasmyard_compiler::ChildCompiler;
use wasmyard_control::{Checked, ComponentChecker, Refusal, RefusalCode};
use wasmyard_namespaces::{Digest, LimitSpec, Limits, Registry};
use wasmyard_runtime::{EngineConfig, GuestMemoryLimits, Metering, ModuleError, Runtime, RuntimeConfig};

use crate::javascript;

/// Compiles uploads, so that an accepted one is ready to serve, and starts each once.
pub(crate) struct UploadChecker {
    pub(crate) registry: Registry,
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) limits: Limits,
}

#[async_trait]
impl ComponentChecker for UploadChecker {
    async fn check(&self, digest: &Digest, bytes: Bytes, asked: &[LimitSpec]) -> Result<Checked, Refusal> {
        let limits = Limits::tightest(&self.limits, &asked.iter().collect::<Vec<_>>());
        let module = self.runtime.module(Metering::of(&limits), digest, async { Ok(bytes) });
        let module = module.await.map_err(|error| refusal(&error))?;
        match wasmyard_runtime::start_up(&module, &limits).await {
            Ok(startup) => {
                let startup_time_ms = u64::try_from(startup.as_millis()).unwrap_or(u64::MAX);
                Ok(Checked { startup_time_ms, handlers: module.handlers(), imports: module.imports() })
            }
            Err(failure) => {
                // Others may serve the same component, under limits that it starts within.
                let known = self.registry.has_component(digest).await;
                if !known.map_err(|error| failed(&error))? {
                    self.runtime.forget(digest).await.map_err(|error| refusal(&error))?;
                }
                let limit =
                    failure.limit().map(|limit| format!(" The limit is: {limit}.")).unwrap_or_default();
                let message = format!("the component fails in its start-up code: {failure}{limit}");
                Err(Refusal { code: RefusalCode::Invalid, message })
            }
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> Refusal {
    Refusal { code: RefusalCode::Failed, message: error.to_string() }
}

fn refusal(error: &ModuleError) -> Refusal {
    let code = match error {
        ModuleError::TooLarge { .. } => RefusalCode::TooLarge,
        ModuleError::TooManyCompilations | ModuleError::NoRoom => RefusalCode::Busy,
        ModuleError::Internal(detail) => {
            return Refusal { code: RefusalCode::Failed, message: detail.clone() };
        }
        _ => RefusalCode::Invalid,
    };
    Refusal { code, message: error.to_string() }
}

/// Checks component files without a server, in a scratch folder.
pub struct FileChecker {
    runtime: Runtime,
    _scratch: tempfile::TempDir,
}

impl FileChecker {
    /// None where the engine cannot start: then `check` looks at the configuration only.
    pub fn new() -> Option<Self> {
        let scratch = tempfile::tempdir().ok()?;
        let config = RuntimeConfig {
            engine: EngineConfig { max_instances: 1, ..EngineConfig::default() },
            artifacts: scratch.path().to_owned(),
            loaded_code_bytes: 1 << 30,
            loaded_modules: u64::MAX,
            compilations: 1,
            guest_memory: GuestMemoryLimits::NONE,
            javascript: javascript::engine(),
        };
        let runtime = Runtime::new(&config, Arc::new(ChildCompiler::new().ok()?)).ok()?;
        Some(Self { runtime, _scratch: scratch })
    }

    /// Says whether the platform would take the component.
    ///
    /// # Errors
    /// The text that an upload would be refused with.
    pub async fn check(&self, path: &Path) -> Result<(), String> {
        let bytes = crate::sources::read(path).await.map_err(|error| error.to_string())?;
        self.runtime.check(bytes).await.map_err(|error| error.to_string())
    }
}
