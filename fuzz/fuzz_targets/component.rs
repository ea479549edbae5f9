//! A core module that wasm-smith made of any bytes, as a worker: checked, compiled, started and run under limits.
//! However it ends, it ends in time and within its memory, and a neighbour in the same engine still answers and
//! finds nothing of it in its memory.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use wasm_smith::{Config, Module as Smith};
use wasmyard_namespaces::{Digest, Limits, ScriptKey};
use wasmyard_runtime::{
    DenyAll, EngineConfig, Event, Granted, GuestMemoryLimits, Handled, InProcess, Invocation, Metering,
    Module, ModuleError, RequestInfo, Reuse, Runtime, RuntimeConfig, Worker, body, start_up,
};

const WORKER: &str = include_str!("../../tests/harness/src/wasi_http.wat");
/// Answers only if nothing of anybody else is in its memory.
const LOOKS: &str = include_str!("../../tests/harness/src/looks_at_memory.wat");
/// The section of a component that holds a core module.
const CORE_MODULE: u8 = 1;

struct Platform {
    tokio: tokio::runtime::Runtime,
    runtime: Runtime,
    neighbour: Arc<Worker>,
    limits: Limits,
    _scratch: tempfile::TempDir,
}

fn platform() -> &'static Platform {
    static PLATFORM: OnceLock<Platform> = OnceLock::new();
    PLATFORM.get_or_init(|| {
        let scratch = tempfile::tempdir().unwrap();
        let sizes = RuntimeConfig {
            engine: EngineConfig { max_instances: 16, ..EngineConfig::default() },
            artifacts: scratch.path().to_owned(),
            loaded_code_bytes: 1 << 20,
            loaded_modules: u64::MAX,
            compilations: 1,
            javascript: None,
            guest_memory: GuestMemoryLimits::NONE,
        };
        let tokio =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let runtime = Runtime::new(&sizes, Arc::new(InProcess)).unwrap();
        let neighbour = wat::parse_str(WORKER.replace(";; body", LOOKS)).unwrap();
        let neighbour = tokio.block_on(module(&runtime, neighbour)).expect("the neighbour compiles");
        let limits = Limits { cpu: Duration::from_millis(20), memory_bytes: 16 << 20, ..Limits::DEFAULT };
        Platform { tokio, runtime, neighbour: worker(neighbour), limits, _scratch: scratch }
    })
}

async fn module(runtime: &Runtime, component: Vec<u8>) -> Result<Arc<Module>, Arc<ModuleError>> {
    let digest = Digest::of(&component);
    let module = runtime.module(Metering::Time, &digest, async { Ok(component.into()) }).await;
    // Nothing of millions of inputs is to stay on the disk.
    runtime.forget(&digest).await.expect("an artifact is removed");
    module
}

fn worker(module: Arc<Module>) -> Arc<Worker> {
    Worker::new(ScriptKey::Platform("guest".parse().unwrap()), "1", Granted::default(), module, Reuse::Never)
}

/// Runs a worker once; whether it answered.
async fn answers(worker: &Arc<Worker>, limits: Limits) -> bool {
    let info = RequestInfo {
        ray_id: Arc::from("0123456789abcdef"),
        client_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        hostname: Arc::from("guest.test"),
        hostname_metadata: None,
        tls: None,
    };
    let invocation = Invocation {
        limits,
        ceiling: Limits::CEILING,
        trusted: false,
        depth: 0,
        host: Arc::new(DenyAll),
        info: Arc::new(info),
        entry: Arc::default(),
    };
    let request = axum::http::Request::get("http://guest.test/").body(body::empty()).unwrap();
    match worker.run(invocation, Event::Fetch(request)).await.and_then(Handled::answer) {
        Ok(response) => response.into_body().collect().await.is_ok(),
        Err(_failure) => false,
    }
}

/// A worker whose core part is this module. The template's is the last but none: it is found by its place.
fn around(module: &[u8]) -> Vec<u8> {
    static TEMPLATE: OnceLock<Vec<u8>> = OnceLock::new();
    let template = TEMPLATE.get_or_init(|| wat::parse_str(WORKER).unwrap());
    let (header, mut rest) = template.split_at(8);
    let mut component = header.to_vec();
    let mut modules = 0;
    while let [id, after @ ..] = rest {
        let (length, taken) = length(after);
        let (section, next) = after.split_at(taken + length);
        component.push(*id);
        modules += usize::from(*id == CORE_MODULE);
        // The first is the memory that everything is given.
        if *id == CORE_MODULE && modules == 2 {
            push_length(&mut component, module.len());
            component.extend_from_slice(module);
        } else {
            component.extend_from_slice(section);
        }
        rest = next;
    }
    component
}

/// A LEB128 number and how many bytes it takes.
fn length(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0;
    for (place, byte) in bytes.iter().enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return (value, place + 1);
        }
    }
    (value, bytes.len())
}

fn push_length(to: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fuzz_target!(|bytes: &[u8]| {
    let handler = r#"(module (func (export "handle") (param i32 i32)))"#;
    let config = Config {
        exports: Some(wat::parse_str(handler).unwrap()),
        max_imports: 0,
        max_memories: 2,
        max_tables: 3,
        threads_enabled: false,
        ..Config::default()
    };
    let Ok(random) = Smith::new(config, &mut Unstructured::new(bytes)) else { return };
    let platform = platform();
    let begun = Instant::now();
    platform.tokio.block_on(async {
        if let Ok(module) = module(&platform.runtime, around(&random.to_bytes())).await
            && start_up(&module, &platform.limits).await.is_ok()
        {
            answers(&worker(module), platform.limits).await;
        }
        assert!(answers(&platform.neighbour, platform.limits).await, "the neighbour was harmed");
    });
    assert!(begun.elapsed() < Duration::from_secs(60), "it was not stopped");
});
