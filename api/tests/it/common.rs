//! A router over a memory registry, and the requests that tests send it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use wasmyard_api::{ApiState, Rates, UploadLimits, router};
use wasmyard_control::{Checked, ComponentChecker, Control, Issuers, Refusal, RefusalCode};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_kv::{Kv, KvLimits, SqliteKv};
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::{
    Blobs, Clock, ClockHand, Digest, EventKind, LimitSpec, Registry, RegistryOptions, Store as _,
};
use wasmyard_queues::{QueueLimits, Queues, SqliteQueues};
use wasmyard_r2::{Index, LocalContents, R2, R2Limits};

use crate::zones::certificates::Authority;

/// The first bytes of a component, and a payload that makes each one different.
pub(crate) fn component(payload: &str) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0", payload.as_bytes()].concat()
}

/// The first bytes of a core module, which the checker refuses.
pub(crate) const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Passes whatever begins like a component; refuses as the payload asks.
#[derive(Default)]
pub(crate) struct FakeChecker {
    pub(crate) calls: AtomicUsize,
}

#[async_trait]
impl ComponentChecker for FakeChecker {
    async fn check(&self, digest: &Digest, bytes: Bytes, _: &[LimitSpec]) -> Result<Checked, Refusal> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert_eq!(*digest, Digest::of(&bytes));
        let refuse = |code, message: &str| Err(Refusal { code, message: message.to_owned() });
        match bytes.get(8..) {
            Some(b"too large") => refuse(RefusalCode::TooLarge, "The compiled code is too large."),
            Some(b"failed") => refuse(RefusalCode::Failed, "compiler at /secret/path crashed"),
            Some(payload) if bytes.starts_with(b"\0asm\x0d") => {
                // What it imports is what it says behind the word.
                let imports = payload.strip_prefix(b"imports ").map(String::from_utf8_lossy);
                let imports = imports.iter().flat_map(|names| names.split(' ')).map(str::to_owned).collect();
                Ok(Checked { startup_time_ms: 7, handlers: vec![EventKind::Fetch], imports })
            }
            Some(_) if wasmyard_namespaces::bundle::is_bundle(&bytes) => {
                Ok(Checked { startup_time_ms: 3, handlers: vec![EventKind::Fetch], imports: Vec::new() })
            }
            _ => refuse(RefusalCode::Invalid, "A core module is not a component."),
        }
    }
}

#[derive(Clone)]
pub(crate) struct Api {
    router: Router,
    token: String,
    pub(crate) registry: Registry,
    pub(crate) checker: Arc<FakeChecker>,
    pub(crate) not_ready: Arc<Mutex<Option<String>>>,
    store: Arc<MemoryStore>,
    blobs: Blobs,
    /// Where the keys and values are.
    _folder: Arc<tempfile::TempDir>,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json", "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The result of a success, whose envelope must be complete.
    #[track_caller]
    pub(crate) fn result(&self) -> Value {
        let mut envelope = self.json();
        assert_eq!(self.status, StatusCode::OK, "{envelope}");
        assert_eq!(envelope["success"], true);
        assert_eq!(envelope["errors"], json!([]));
        assert!(envelope["messages"].is_array());
        envelope["result"].take()
    }

    /// The text of a failure, which must have this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: u32) -> String {
        let envelope = self.json();
        assert_eq!(
            (self.status.as_u16(), &envelope["errors"][0]["code"]),
            (status, &json!(code)),
            "{envelope}"
        );
        assert_eq!((&envelope["success"], &envelope["result"]), (&json!(false), &Value::Null));
        assert_eq!(envelope["messages"], json!([]));
        envelope["errors"][0]["message"].as_str().unwrap().to_owned()
    }
}

pub(crate) const NAMESPACES: &str = "/client/v4/accounts/acc1/workers/dispatch/namespaces";
pub(crate) const SCRIPT: &str =
    "/client/v4/accounts/acc1/workers/dispatch/namespaces/production/scripts/customer-a";
pub(crate) const SCRIPTS: &str = "/client/v4/accounts/acc1/workers/dispatch/namespaces/production/scripts";
pub(crate) const PLATFORM: &str = "/client/v4/accounts/acc1/workers/scripts/dispatcher";

impl Api {
    pub(crate) async fn new() -> Api {
        Api::with_limits(UploadLimits::default()).await
    }

    pub(crate) async fn with_limits(limits: UploadLimits) -> Api {
        Api::with(limits, RegistryOptions::default(), |control| control).await
    }

    /// Where clients may call so often, by a clock that is moved by hand.
    pub(crate) async fn with_rates(rates: Rates) -> (Api, ClockHand) {
        let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
        let options = RegistryOptions { clock, ..RegistryOptions::default() };
        (Api::with_all(UploadLimits::default(), options, rates, |control| control).await, hand)
    }

    /// Where customers may have names that are kept for tests.
    pub(crate) async fn with_reserved_names() -> Api {
        Api::with(UploadLimits::default(), RegistryOptions::default(), Control::with_reserved_names).await
    }

    /// Where visitors are served over TLS, and certificates of this authority are believed. Sealed keys are in this folder.
    pub(crate) async fn with_certificates(authority: &Authority) -> (Api, tempfile::TempDir) {
        let data = tempfile::tempdir().unwrap();
        let store = Arc::new(CertificateStore::open(data.path()).unwrap());
        let finish = |control: Control| control.with_certificates(store).with_trust(authority.trust());
        (Api::with(UploadLimits::default(), RegistryOptions::default(), finish).await, data)
    }

    /// Where certificates are asked of authorities, so many within a minute.
    pub(crate) async fn with_certificates_per_minute(most: u64) -> Api {
        let finish = |control: Control| {
            control.with_issuers(Issuers::new(Vec::new())).with_certificates_per_minute(most)
        };
        Api::with(UploadLimits::default(), RegistryOptions::default(), finish).await
    }

    /// Where a zone may have this many custom hostnames.
    pub(crate) async fn with_hostname_quota(hostname_quota: u64) -> Api {
        let options = RegistryOptions { hostname_quota, ..RegistryOptions::default() };
        Api::with(UploadLimits::default(), options, |control| control).await
    }

    async fn with(
        limits: UploadLimits,
        options: RegistryOptions,
        finish: impl FnOnce(Control) -> Control,
    ) -> Api {
        // Tests call more often than people do.
        let rates = Rates { per_token: 1_000_000, ..Rates::default() };
        Api::with_all(limits, options, rates, finish).await
    }

    async fn with_all(
        limits: UploadLimits,
        options: RegistryOptions,
        rates: Rates,
        finish: impl FnOnce(Control) -> Control,
    ) -> Api {
        let (store, blobs) = (Arc::new(MemoryStore::new()), Blobs::memory());
        let registry = Registry::open_with(store.clone(), blobs.clone(), options).await.unwrap();
        let (_, token) = registry.create_token("test").await.unwrap();
        let checker = Arc::new(FakeChecker::default());
        let not_ready = Arc::new(Mutex::new(None));
        let reason = Arc::clone(&not_ready);
        let folder = tempfile::tempdir().unwrap();
        let kv = Arc::new(SqliteKv::open(folder.path()).unwrap());
        let kv = Kv::new(kv, Clock::system(), KvLimits::default());
        let queues = Arc::new(SqliteQueues::open(folder.path()).unwrap());
        let queues = Queues::new(queues, Clock::system(), QueueLimits::default());
        let data = folder.path().to_owned();
        let open = move || {
            let contents = LocalContents::open(&data.join("objects"))?;
            Ok((Index::open(&data)?, Arc::new(contents) as _))
        };
        let r2 = R2::open(open, Clock::system(), R2Limits::default()).unwrap();
        let router = router(ApiState {
            tails: wasmyard_events::Tails::default(),
            control: finish(
                Control::new(registry.clone(), checker.clone(), kv).with_queues(queues).with_objects(r2),
            ),
            metrics: Arc::new(|| "wasmyard_up 1\n".to_owned()),
            ready: Arc::new(move || reason.lock().unwrap().clone().map_or(Ok(None), Err)),
            events: Arc::new(wasmyard_events::Discard),
            spool: std::env::temp_dir(),
            limits,
            rates,
            dispatch: None,
        });
        Api {
            router,
            token: token.expose().to_owned(),
            registry,
            checker,
            not_ready,
            store,
            blobs,
            _folder: Arc::new(folder),
        }
    }

    /// With a namespace `production`, a user script `production/customer-a` and a platform script `dispatcher`.
    pub(crate) async fn with_scripts() -> Api {
        let api = Api::new().await;
        api.with_namespace().await;
        api.upload(SCRIPT, &json!({"main_module": "a.wasm"}), &component("a")).await.result();
        api.upload(PLATFORM, &json!({"main_module": "d.wasm"}), &component("d")).await.result();
        api
    }

    pub(crate) async fn with_namespace(&self) {
        self.post(NAMESPACES, &json!({"name": "production"})).await.result();
    }

    /// The same API as another token sees it: one that is made with these fields.
    pub(crate) async fn token_for(&self, wanted: &Value) -> Api {
        let mut wanted = wanted.clone();
        wanted["name"] = json!("narrow");
        let made = self.post("/client/v4/user/tokens", &wanted).await.result();
        Api { token: made["value"].as_str().unwrap().to_owned(), ..self.clone() }
    }

    /// The router itself, for answers that are read piece by piece.
    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Sends a request as it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", self.token))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.raw(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.raw(self.request(Method::DELETE, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Body>,
    ) -> Answer {
        self.raw(self.request(method, path).header("content-type", content_type).body(body.into()).unwrap())
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, "application/json", body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, "application/json", body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PATCH, path, "application/json", body.to_string()).await
    }

    /// Uploads as `curl -F` does; the module's name is that of `main_module`.
    pub(crate) async fn upload(&self, path: &str, metadata: &Value, module: &[u8]) -> Answer {
        let name = metadata["main_module"].as_str().unwrap_or("worker.wasm").to_owned();
        let form = Form::new()
            .part("form-data; name=\"metadata\"", Some("application/json"), metadata.to_string().as_bytes())
            .part(
                &format!("form-data; name=\"{name}\"; filename=\"{name}\""),
                Some("application/wasm"),
                module,
            );
        self.form(Method::PUT, path, form).await
    }

    pub(crate) async fn form(&self, method: Method, path: &str, form: Form) -> Answer {
        self.send(method, path, Form::CONTENT_TYPE, form.end()).await
    }

    /// All that is stored, as bytes.
    pub(crate) async fn records(&self) -> Vec<u8> {
        let (mut bytes, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.scan("", after.as_deref(), 100).await.unwrap();
            let Some(last) = page.last() else { return bytes };
            after = Some(last.key.clone());
            for entry in page {
                bytes.extend(entry.key.as_bytes());
                bytes.extend(&entry.value);
            }
        }
    }

    /// All that is kept of the audit log, as text.
    pub(crate) async fn audit_records(&self) -> String {
        let found = self.store.scan("audit/", None, usize::MAX).await.unwrap();
        found.iter().map(|entry| String::from_utf8_lossy(&entry.value).into_owned() + "\n").collect()
    }

    /// What must not change when something is refused: all records but those that tell of calls, and the number of blobs.
    pub(crate) async fn stored(&self) -> (Digest, usize) {
        let mut bytes = Vec::new();
        for entry in self.store.scan("", None, usize::MAX).await.unwrap() {
            if !["audit/", "token-use/"].iter().any(|prefix| entry.key.starts_with(prefix)) {
                bytes.extend(entry.key.as_bytes());
                bytes.extend(entry.revision.to_be_bytes());
                bytes.extend(&entry.value);
            }
        }
        (Digest::of(&bytes), self.blobs.list().count().await)
    }
}

/// A multipart body, written part by part.
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) const CONTENT_TYPE: &str = "multipart/form-data; boundary=----boundary-0123456789";

    pub(crate) fn new() -> Form {
        Form(Vec::new())
    }

    pub(crate) fn part(mut self, disposition: &str, content_type: Option<&str>, content: &[u8]) -> Form {
        self.0.extend_from_slice(b"------boundary-0123456789\r\nContent-Disposition: ");
        self.0.extend_from_slice(disposition.as_bytes());
        if let Some(content_type) = content_type {
            self.0.extend_from_slice(format!("\r\nContent-Type: {content_type}").as_bytes());
        }
        self.0.extend_from_slice(b"\r\n\r\n");
        self.0.extend_from_slice(content);
        self.0.extend_from_slice(b"\r\n");
        self
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"------boundary-0123456789--\r\n");
        self.0
    }

    pub(crate) fn half(self) -> Vec<u8> {
        self.0
    }
}
