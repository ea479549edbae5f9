//! What the gate costs, without sockets: a script that makes one subrequest, answered at once by the host; the same with
//! an outbound worker that sends the request on, in each of its two ways; and host code that makes it by itself.
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
    Body, BodyError, Call, EngineConfig, Entry, Event, Failure, Granted, GuestMemoryLimits, Host, InProcess,
    Invocation, LogLine, Metering, Module, OutboundRequest, Outcome, RequestInfo, Reuse, Runtime,
    RuntimeConfig, Services, Worker, body,
};

/// Has a worker answer a request, to the head of the answer.
async fn fetch(
    worker: &Arc<Worker>,
    invocation: Invocation,
    request: Request<Body>,
) -> Result<Response<Body>, Failure> {
    worker.run(invocation, Event::Fetch(request)).await?.answer()
}

const ANSWER: &str = "what an origin says";

/// Gives requests to the outbound worker, or answers them as an origin would.
struct Outside {
    gate: Option<Arc<Worker>>,
}

impl Host for Outside {
    fn call(&self, _: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        async { Err(Failure::WorkerNotFound) }.boxed()
    }

    fn outbound(&self, outbound: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        let Some(gate) = self.gate.clone() else { return origin(outbound.request) };
        let mut request = outbound.request;
        request.headers_mut().remove(http::header::HOST);
        let caller = Some(ScriptKey::Platform("user".parse().unwrap()));
        async move {
            let invocation =
                invocation(Arc::new(Outside { gate: None }), 1, Entry { caller, ..Entry::default() });
            Ok(fetch(&gate, invocation, request).await.expect("the outbound worker answers"))
        }
        .boxed()
    }

    fn log(&self, _: LogLine) {}
    fn finished(&self, _: Outcome) {}
}

fn origin(request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
    async move {
        request.into_body().collect().await?;
        Ok(Response::new(body::full(ANSWER)))
    }
    .boxed()
}

fn invocation(host: Arc<dyn Host>, depth: u32, entry: Entry) -> Invocation {
    let info = RequestInfo {
        ray_id: Arc::from("0123456789abcdef"),
        client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        hostname: Arc::from("customer-a.localhost"),
        hostname_metadata: None,
        tls: None,
    };
    let (limits, ceiling) = (Limits::DEFAULT, Limits::CEILING);
    let (info, entry) = (Arc::new(info), Arc::new(entry));
    Invocation { limits, ceiling, trusted: false, depth, host, info, entry }
}

fn request() -> Request<Body> {
    let request = Request::get("http://customer-a.localhost/send").header("x-target", "http://origin.test/");
    request.body(body::empty()).unwrap()
}

async fn module(runtime: &Runtime) -> Arc<Module> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/target/wasm32-wasip2/release/gate.wasm");
    let bytes = std::fs::read(&path).expect("the guests are built: run `make guests`");
    let digest = Digest::of(&bytes);
    runtime.module(Metering::Time, &digest, async { Ok(bytes.into()) }).await.expect("the guest compiles")
}

fn worker(module: &Arc<Module>, name: &str, vars: &[(&str, &str)]) -> Arc<Worker> {
    let bindings: Vec<BindingDecl> = vars
        .iter()
        .map(|(name, text)| serde_json::json!({ "type": "plain_text", "name": name, "text": text }))
        .map(|wire| BindingDecl::from_json(&wire).unwrap())
        .collect();
    let key = ScriptKey::Platform(name.parse().unwrap());
    Worker::new(key, "1", Granted::new(&bindings, &Services::default()), Arc::clone(module), Reuse::Never)
}

fn subrequests(criterion: &mut Criterion) {
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
    let module = tokio.block_on(module(&runtime));
    let user = worker(&module, "user", &[("ROLE", "user")]);

    let mut group = criterion.benchmark_group("subrequest");
    group.bench_function("host_code", |bencher| {
        bencher.to_async(&tokio).iter(|| async {
            let answer = origin(request()).await.unwrap();
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), ANSWER);
        });
    });
    for (row, mode) in [
        ("script", None),
        ("script_and_outbound_fetch", Some("pass")),
        ("script_and_outbound_fetch_last", Some("last")),
    ] {
        let gate = mode.map(|mode| worker(&module, "outbound", &[("ROLE", "outbound"), ("MODE", mode)]));
        let host: Arc<dyn Host> = Arc::new(Outside { gate });
        group.bench_function(row, |bencher| {
            bencher.to_async(&tokio).iter(|| async {
                let invocation = invocation(Arc::clone(&host), 0, Entry::default());
                let answer = fetch(&user, invocation, request()).await.unwrap();
                assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), ANSWER);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, subrequests);
criterion_main!(benches);
