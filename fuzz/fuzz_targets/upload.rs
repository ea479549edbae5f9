//! Any bytes as the metadata of an upload, through the real router: the answer is never a server error, and
//! what was refused is not stored.
#![no_main]

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt as _;
use wasmyard_api::{ApiState, Rates, UploadLimits, router};
use wasmyard_control::{Checked, ComponentChecker, Control, Refusal};
use wasmyard_kv::{Kv, KvLimits, SqliteKv};
use wasmyard_namespaces::{Clock, Digest, LimitSpec, NewNamespace, Registry, ScriptKey};

struct TakesAll;

#[async_trait::async_trait]
impl ComponentChecker for TakesAll {
    async fn check(&self, _: &Digest, _: Bytes, _: &[LimitSpec]) -> Result<Checked, Refusal> {
        Ok(Checked { startup_time_ms: 0, handlers: Vec::new(), imports: Vec::new() })
    }
}

struct Platform {
    runtime: tokio::runtime::Runtime,
    router: Router,
    registry: Registry,
    token: String,
    /// Where the keys and values are, and uploads while they arrive.
    _folder: tempfile::TempDir,
}

fn platform() -> &'static Platform {
    static PLATFORM: OnceLock<Platform> = OnceLock::new();
    PLATFORM.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (registry, token) = runtime.block_on(async {
            let registry = Registry::in_memory().await.unwrap();
            registry.create_namespace(NewNamespace::named("fuzz".parse().unwrap())).await.unwrap();
            let (_, token) = registry.create_token("fuzz").await.unwrap();
            (registry, token.expose().to_owned())
        });
        let folder = tempfile::tempdir().unwrap();
        let kv = Arc::new(SqliteKv::open(folder.path()).unwrap());
        let kv = Kv::new(kv, Clock::system(), KvLimits::default());
        let router = router(ApiState {
            tails: wasmyard_events::Tails::default(),
            control: Control::new(registry.clone(), Arc::new(TakesAll), kv),
            metrics: Arc::new(String::new),
            ready: Arc::new(|| Ok(None)),
            events: Arc::new(wasmyard_events::Discard),
            spool: folder.path().to_owned(),
            limits: UploadLimits::default(),
            rates: Rates { per_token: u32::MAX, ..Rates::default() },
            dispatch: None,
        });
        Platform { runtime, router, registry, token, _folder: folder }
    })
}

fuzz_target!(|metadata: &[u8]| {
    const URI: &str = "/client/v4/accounts/a/workers/dispatch/namespaces/fuzz/scripts/s";
    let platform = platform();
    let mut form = b"--fuzz-boundary\r\ncontent-disposition: form-data; name=\"metadata\"\r\n\r\n".to_vec();
    form.extend_from_slice(metadata);
    form.extend_from_slice(
        b"\r\n--fuzz-boundary\r\ncontent-disposition: form-data; name=\"m.wasm\"; filename=\"m.wasm\"\r\n\r\n\
          \0asm\x0d\0\x01\0\r\n--fuzz-boundary--\r\n",
    );
    let request = Request::put(URI)
        .header("authorization", format!("Bearer {}", platform.token))
        .header("content-type", "multipart/form-data; boundary=fuzz-boundary")
        .body(Body::from(form))
        .unwrap();
    platform.runtime.block_on(async {
        let key = ScriptKey::user("fuzz".parse().unwrap(), "s".parse().unwrap());
        let before = platform.registry.script(&key).await.unwrap().map(|script| script.version.id.clone());
        let response = platform.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!status.is_server_error(), "{status} {}", String::from_utf8_lossy(&body));
        let after = platform.registry.script(&key).await.unwrap().map(|script| script.version.id.clone());
        assert_eq!(status.is_success(), before != after, "stored exactly when it was taken");
    });
});
