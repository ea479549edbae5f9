//! What every test stands on: workers in text form, and one runtime to run them with. Must never know what a
//! test expects.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::limits::Limits;
use wasmyard_namespaces::script::ScriptKey;
use wasmyard_runtime::{
    Body, BodyError, Call, EngineConfig, Event, Failure, Granted, GuestMemoryLimits, Host, InProcess,
    Invocation, LogLine, Metering, Module, OutboundRequest, Outcome, RequestInfo, Reuse, Runtime,
    RuntimeConfig, Worker,
};

/// A worker in text form. The gaps are those of `wasi_http.wat`.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wat<'a> {
    pub(crate) imports: &'a str,
    pub(crate) lowered: &'a str,
    pub(crate) given: &'a str,
    pub(crate) module: &'a str,
    pub(crate) body: &'a str,
}

impl Wat<'_> {
    pub(crate) fn component(&self) -> Vec<u8> {
        wat::parse_str(self.text()).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        include_str!("../../../tests/harness/src/wasi_http.wat")
            // Imports may name the types above them, so they come last.
            .replace(";; lowered", &format!("{}\n{}", self.imports, self.lowered))
            .replace(";; given", self.given)
            .replace(";; module", self.module)
            .replace(";; body", self.body)
    }
}

/// A runtime whose compiled code goes with it.
pub(crate) struct Bench {
    pub(crate) runtime: Runtime,
    _scratch: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with_instances(16)
    }

    /// One that has so many slots.
    pub(crate) fn with_instances(max_instances: u32) -> Bench {
        let scratch = tempfile::tempdir().unwrap();
        let sizes = RuntimeConfig {
            engine: EngineConfig { max_instances, ..EngineConfig::default() },
            artifacts: scratch.path().to_owned(),
            loaded_code_bytes: 1 << 30,
            loaded_modules: u64::MAX,
            compilations: 1,
            javascript: None,
            guest_memory: GuestMemoryLimits::NONE,
        };
        let runtime = Runtime::new(&sizes, Arc::new(InProcess));
        Bench { runtime: runtime.unwrap(), _scratch: scratch }
    }

    pub(crate) async fn module(&self, metering: Metering, component: Vec<u8>) -> Arc<Module> {
        let digest = Digest::of(&component);
        self.runtime.module(metering, &digest, async { Ok(component.into()) }).await.unwrap()
    }

    pub(crate) async fn worker(&self, wat: Wat<'_>) -> Arc<Worker> {
        worker(self.module(Metering::Time, wat.component()).await)
    }

    /// One whose fuel is counted.
    pub(crate) async fn fuelled(&self, wat: Wat<'_>) -> Arc<Worker> {
        worker(self.module(Metering::Fuel, wat.component()).await)
    }
}

pub(crate) fn worker(module: Arc<Module>) -> Arc<Worker> {
    worker_that(Reuse::Never, module)
}

pub(crate) fn worker_that(reuse: Reuse, module: Arc<Module>) -> Arc<Worker> {
    Worker::new(ScriptKey::Platform("guest".parse().unwrap()), "1", Granted::default(), module, reuse)
}

/// Keeps what an invocation leaves behind.
#[derive(Default)]
pub(crate) struct Kept {
    outcomes: Mutex<Vec<Outcome>>,
    pub(crate) lines: Mutex<Vec<LogLine>>,
}

impl Kept {
    /// All that there are.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.lock().unwrap().clone()
    }

    /// The one outcome.
    pub(crate) fn outcome(&self) -> Outcome {
        let outcomes = self.outcomes.lock().unwrap();
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes[0].clone()
    }
}

impl Host for Kept {
    fn call(&self, _: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        async { Err(Failure::WorkerNotFound) }.boxed()
    }
    fn outbound(&self, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        async { Err(BodyError::HttpRequestDenied) }.boxed()
    }
    fn log(&self, line: LogLine) {
        self.lines.lock().unwrap().push(line);
    }
    fn finished(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().push(outcome);
    }
}

pub(crate) fn invocation(limits: Limits, host: Arc<dyn Host>) -> Invocation {
    let info = RequestInfo {
        ray_id: Arc::from("0123456789abcdef"),
        client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        hostname: Arc::from("guest.test"),
        hostname_metadata: None,
        tls: None,
    };
    let (ceiling, entry) = (Limits::CEILING, Arc::default());
    Invocation { limits, ceiling, trusted: false, depth: 0, host, info: Arc::new(info), entry }
}

pub(crate) fn request(body: Body) -> Request<Body> {
    Request::get("http://guest.test/").body(body).unwrap()
}

/// Has a worker answer a request, to the head of the answer.
pub(crate) async fn fetch(
    worker: &Arc<Worker>,
    invocation: Invocation,
    request: Request<Body>,
) -> Result<Response<Body>, Failure> {
    worker.run(invocation, Event::Fetch(request)).await?.answer()
}

/// Runs a worker once, to the end of its answer. What came, and the account.
pub(crate) async fn run(
    worker: &Arc<Worker>,
    limits: Limits,
    body: Body,
) -> (Result<usize, String>, Outcome) {
    let kept = Arc::new(Kept::default());
    let host = Arc::clone(&kept) as Arc<dyn Host>;
    let answer = fetch(worker, invocation(limits, host), request(body)).await;
    let came = match answer {
        Ok(response) => match response.into_body().collect().await {
            Ok(body) => Ok(body.to_bytes().len()),
            Err(error) => Err(error.to_string()),
        },
        Err(failure) => Err(failure.to_string()),
    };
    (came, kept.outcome())
}
