//! The runtime without a server: what the benches inside a process invoke. The only file of the benches that
//! knows how the runtime is embedded.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use wasmyard_namespaces::bundle::{Bundle, Part, PartKind};
use wasmyard_namespaces::{BindingDecl, Digest, Limits, ScriptKey};
use wasmyard_runtime::{
    Body, BodyError, Call, DenyAll, EngineConfig, Event, Failure, Granted, GuestMemoryLimits, Host,
    InProcess, Invocation, LogLine, Metering, Module, OutboundRequest, Outcome, RequestInfo, Reuse, Runtime,
    RuntimeConfig, Services, Worker, body,
};

pub(crate) use wasmyard_benches::Error;
use wasmyard_benches::servers::javascript;

/// A runtime whose compiled code is in this folder.
pub(crate) fn runtime(folder: &Path, engine: EngineConfig, code_bytes: u64) -> Result<Runtime, Error> {
    let config = RuntimeConfig {
        engine,
        artifacts: folder.to_owned(),
        loaded_code_bytes: code_bytes,
        loaded_modules: u64::MAX,
        compilations: 2,
        javascript: javascript_of_scripts()?,
        guest_memory: GuestMemoryLimits::NONE,
    };
    Ok(Runtime::new(&config, Arc::new(InProcess))?)
}

/// A folder for compiled code that the next run finds again.
pub(crate) fn artifacts(name: &str) -> Result<PathBuf, Error> {
    let folder = wasmyard_benches::scratch()?.join("inside").join(name);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A built guest's bytes.
pub(crate) fn guest(name: &str) -> Result<Vec<u8>, Error> {
    Ok(std::fs::read(wasmyard_benches::guest(name)?)?)
}

/// A guest, compiled and linked.
pub(crate) async fn module(runtime: &Runtime, name: &str) -> Result<Arc<Module>, Error> {
    compiled(runtime, guest(name)?).await
}

/// The JavaScript guest, where it was fetched.
pub(crate) async fn component_in_javascript(runtime: &Runtime) -> Result<Option<Arc<Module>>, Error> {
    match javascript::find()? {
        Some(path) => Ok(Some(compiled(runtime, std::fs::read(path)?).await?)),
        None => Ok(None),
    }
}

fn javascript_of_scripts() -> Result<Option<bytes::Bytes>, Error> {
    Ok(javascript::engine()?.map(bytes::Bytes::from))
}

/// A script of one file, evaluated.
pub(crate) async fn script(runtime: &Runtime, source: String) -> Result<Arc<Module>, Error> {
    let part = Part { name: "worker.js".to_owned(), kind: PartKind::Module, bytes: source.into() };
    compiled(runtime, Bundle::new(vec![part])?.written().to_vec()).await
}

async fn compiled(runtime: &Runtime, bytes: Vec<u8>) -> Result<Arc<Module>, Error> {
    let digest = Digest::of(&bytes);
    Ok(runtime
        .module(Metering::Time, &digest, async { Ok(bytes.into()) })
        .await
        .map_err(|error| error.to_string())?)
}

/// A script made of a module, with these bindings.
pub(crate) fn worker(
    name: &str,
    module: Arc<Module>,
    bindings: &[BindingDecl],
) -> Result<Arc<Worker>, Error> {
    Ok(Worker::new(
        ScriptKey::Platform(name.parse()?),
        "1",
        Granted::new(bindings, &Services::default()),
        module,
        Reuse::Never,
    ))
}

/// A script, and how it is asked.
pub(crate) struct Script {
    worker: Arc<Worker>,
    host: Arc<dyn Host>,
    limits: Limits,
}

impl Script {
    /// A script that calls nobody.
    pub(crate) fn alone(worker: Arc<Worker>) -> Script {
        Script { worker, host: Arc::new(DenyAll), limits: Limits::DEFAULT }
    }

    /// A script whose outcomes somebody looks at.
    pub(crate) fn watched(worker: Arc<Worker>, host: Arc<dyn Host>) -> Script {
        Script { worker, host, limits: Limits::DEFAULT }
    }

    /// The same with other limits.
    pub(crate) fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Script {
        change(&mut self.limits);
        self
    }

    /// hello.
    pub(crate) async fn hello(runtime: &Runtime) -> Result<Script, Error> {
        Ok(Script::alone(worker("hello", module(runtime, "hello").await?, &[])?))
    }

    /// A dispatcher whose every call is answered by hello.
    pub(crate) async fn dispatcher(runtime: &Runtime, name: &str) -> Result<Script, Error> {
        let hello = worker("hello", module(runtime, "hello").await?, &[])?;
        Script::before(runtime, name, Behind { called: Some(hello), outbound: None }).await
    }

    /// A dispatcher whose every call goes to a script that asks something outside, which hello answers.
    pub(crate) async fn three(runtime: &Runtime) -> Result<Script, Error> {
        let caller = worker("caller", module(runtime, "bench_caller").await?, &[])?;
        let hello = worker("hello", module(runtime, "hello").await?, &[])?;
        let behind = Behind { called: Some(caller), outbound: Some(hello) };
        Script::before(runtime, "dispatcher_subdomain", behind).await
    }

    /// A script in JavaScript that greets.
    pub(crate) async fn in_javascript(runtime: &Runtime) -> Result<Script, Error> {
        Ok(Script::alone(worker("script", script(runtime, javascript::user()).await?, &[])?))
    }

    /// A dispatcher in JavaScript, and behind it a script that greets.
    pub(crate) async fn two_in_javascript(runtime: &Runtime) -> Result<Script, Error> {
        Script::in_front(runtime, javascript::DISPATCHER.to_owned()).await
    }

    /// The same with a dispatcher of one's own.
    pub(crate) async fn of_file(runtime: &Runtime, file: &str) -> Result<Script, Error> {
        let source = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        Script::in_front(runtime, source).await
    }

    async fn in_front(runtime: &Runtime, source: String) -> Result<Script, Error> {
        let user = worker("script", script(runtime, javascript::user()).await?, &[])?;
        Script::of(script(runtime, source).await?, Behind { called: Some(user), outbound: None })
    }

    async fn before(runtime: &Runtime, name: &str, behind: Behind) -> Result<Script, Error> {
        Script::of(module(runtime, name).await?, behind)
    }

    fn of(dispatcher: Arc<Module>, behind: Behind) -> Result<Script, Error> {
        let binding = BindingDecl::from_json(&serde_json::json!(
            { "type": "dispatch_namespace", "name": "DISPATCHER", "namespace": "production" }
        ))?;
        let dispatcher = worker("dispatcher", dispatcher, &[binding])?;
        Ok(Script { worker: dispatcher, host: Arc::new(behind), limits: Limits::DEFAULT })
    }

    /// What it answers.
    pub(crate) async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Failure> {
        fetch(&self.worker, invocation(Arc::clone(&self.host), 0, self.limits), request).await
    }

    /// One request to its last byte.
    pub(crate) async fn ask(&self, path: &str) -> Result<(), Error> {
        let request = Request::get(format!("http://customer-a.localhost{path}")).body(body::empty())?;
        let response = self.answer(request).await.map_err(|failure| failure.to_string())?;
        let status = response.status();
        response.into_body().collect().await.map_err(|error| error.to_string())?;
        if status == 200 { Ok(()) } else { Err(format!("it answered {status}").into()) }
    }
}

fn invocation(host: Arc<dyn Host>, depth: u32, limits: Limits) -> Invocation {
    let info = RequestInfo {
        ray_id: Arc::from("0123456789abcdef"),
        client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        hostname: Arc::from("customer-a.localhost"),
        hostname_metadata: None,
        tls: None,
    };
    let (ceiling, entry) = (Limits::CEILING, Arc::default());
    Invocation { limits, ceiling, depth, trusted: false, host, info: Arc::new(info), entry }
}

/// Has a worker answer a request, to the head of the answer.
async fn fetch(
    worker: &Arc<Worker>,
    invocation: Invocation,
    request: Request<Body>,
) -> Result<Response<Body>, Failure> {
    worker.run(invocation, Event::Fetch(request)).await?.answer()
}

/// What is behind a script: who answers its calls, and who answers what those send out.
struct Behind {
    called: Option<Arc<Worker>>,
    outbound: Option<Arc<Worker>>,
}

impl Host for Behind {
    fn call(&self, call: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        let Some(worker) = self.called.clone() else { return async { Err(Failure::WorkerNotFound) }.boxed() };
        let next = Behind { called: None, outbound: self.outbound.clone() };
        let invocation = invocation(Arc::new(next), 1, Limits::DEFAULT);
        async move { fetch(&worker, invocation, call.request).await }.boxed()
    }
    fn outbound(&self, sent: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        let Some(worker) = self.outbound.clone() else {
            return async { Err(BodyError::HttpRequestDenied) }.boxed();
        };
        let invocation = invocation(Arc::new(DenyAll), 2, Limits::DEFAULT);
        let answered = async move { fetch(&worker, invocation, sent.request).await };
        answered
            .map(|answer| answer.map_err(|failure| BodyError::InternalError(Some(failure.to_string()))))
            .boxed()
    }
    fn log(&self, _: LogLine) {}
    fn finished(&self, _: Outcome) {}
}
