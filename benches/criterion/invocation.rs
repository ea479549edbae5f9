//! What an invocation costs without sockets: a store and an instance, a whole request, and two hops.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench: it stops where something is wrong"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use wasmyard_namespaces::{BindingDecl, Digest, Limits, ScriptKey};
use wasmyard_runtime::{
    Body, BodyError, Call, DenyAll, EngineConfig, Event, Failure, Granted, GuestMemoryLimits, Host,
    InProcess, Invocation, LogLine, Metering, Module, OutboundRequest, Outcome, RequestInfo, Reuse, Runtime,
    RuntimeConfig, Services, Worker, body,
};

/// Answers every call with one worker: the second hop.
struct Second(Arc<Worker>);

impl Host for Second {
    fn call(&self, call: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let worker = Arc::clone(&self.0);
        async move { fetch(&worker, invocation(Arc::new(DenyAll), 1), call.request).await }.boxed()
    }
    fn outbound(&self, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        async { Err(BodyError::HttpRequestDenied) }.boxed()
    }
    fn log(&self, _: LogLine) {}
    fn finished(&self, _: Outcome) {}
}

/// Has a worker answer a request, to the head of the answer.
async fn fetch(
    worker: &Arc<Worker>,
    invocation: Invocation,
    request: Request<Body>,
) -> Result<Response<Body>, Failure> {
    worker.run(invocation, Event::Fetch(request)).await?.answer()
}

fn invocation(host: Arc<dyn Host>, depth: u32) -> Invocation {
    let info = RequestInfo {
        ray_id: Arc::from("0123456789abcdef"),
        client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        hostname: Arc::from("customer-a.localhost"),
        hostname_metadata: None,
        tls: None,
    };
    let (limits, ceiling, entry) = (Limits::DEFAULT, Limits::CEILING, Arc::default());
    Invocation { limits, ceiling, trusted: false, depth, host, info: Arc::new(info), entry }
}

fn request() -> Request<Body> {
    Request::get("http://customer-a.localhost/").body(body::empty()).unwrap()
}

async fn module(runtime: &Runtime, name: &str) -> Arc<Module> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/target/wasm32-wasip2/release")
        .join(format!("{name}.wasm"));
    let bytes = std::fs::read(&path).expect("the guests are built: run `make guests`");
    let digest = Digest::of(&bytes);
    runtime.module(Metering::Time, &digest, async { Ok(bytes.into()) }).await.expect("the guest compiles")
}

fn invocations(criterion: &mut Criterion) {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let sizes = RuntimeConfig {
        engine: EngineConfig::default(),
        artifacts: scratch.path().to_owned(),
        loaded_code_bytes: 1 << 30,
        loaded_modules: u64::MAX,
        compilations: 2,
        javascript: None,
        guest_memory: GuestMemoryLimits::NONE,
    };
    let runtime = Runtime::new(&sizes, Arc::new(InProcess)).unwrap();
    let key = |name: &str| ScriptKey::Platform(name.parse().unwrap());
    let (hello_module, dispatcher_module) = tokio.block_on(async {
        (module(&runtime, "hello").await, module(&runtime, "dispatcher_subdomain").await)
    });
    let hello = Worker::new(key("hello"), "1", Granted::default(), Arc::clone(&hello_module), Reuse::Never);
    let binding = serde_json::json!(
        { "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "production" }
    );
    let binding = BindingDecl::from_json(&binding).unwrap();
    let dispatcher = Worker::new(
        key("dispatcher"),
        "1",
        Granted::new(&[binding], &Services::default()),
        dispatcher_module,
        Reuse::Never,
    );

    let mut group = criterion.benchmark_group("invocation");
    group.bench_function("instantiate_and_drop", |bencher| {
        bencher.to_async(&tokio).iter(|| async {
            wasmyard_runtime::start_up(&hello_module, &Limits::DEFAULT).await.unwrap();
        });
    });
    group.bench_function("hello", |bencher| {
        bencher.to_async(&tokio).iter(|| async {
            let response = fetch(&hello, invocation(Arc::new(DenyAll), 0), request()).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap();
        });
    });
    group.bench_function("dispatcher_and_hello", |bencher| {
        let second: Arc<dyn Host> = Arc::new(Second(Arc::clone(&hello)));
        bencher.to_async(&tokio).iter(|| async {
            let response = fetch(&dispatcher, invocation(Arc::clone(&second), 0), request()).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, invocations);
criterion_main!(benches);
