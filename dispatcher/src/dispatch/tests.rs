//! What is told of a request, by a sink that keeps it all: the whole way but for the sockets.

use std::net::IpAddr;
use std::sync::Mutex;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::Method;
use http_body_util::BodyExt as _;
use wasmyard_events::{Event, Figures, Level, Sinks, Trigger};
use wasmyard_namespaces::code::Component;
use wasmyard_namespaces::script::{ScriptKey, Upload, UploadDraft};
use wasmyard_runtime::{
    Body, BodyError, EngineConfig, GuestMemoryLimits, InProcess, OutboundRequest, RuntimeConfig, body,
};

use super::*;
use crate::egress::Sender;

/// Keeps every event.
#[derive(Default)]
struct Kept(Mutex<Vec<Event>>);

impl Sink for Kept {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// An egress that sends nothing.
struct Nowhere;

impl Egress for Nowhere {
    fn send(&self, _: Sender, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        async { Err(BodyError::HttpRequestDenied) }.boxed()
    }
}

/// A worker that prints a line which does not end, and answers with an empty body.
fn printing() -> Vec<u8> {
    let text = include_str!("../../../tests/harness/src/wasi_http.wat")
        .replace(
            ";; lowered",
            r#"(import "wasi:cli/stdout@0.2.0" (instance $stdout
                (alias outer 1 $output-stream (type $outer-stream))
                (export "output-stream" (type $stream (eq $outer-stream)))
                (export "get-stdout" (func (result (own $stream))))))
            (core func $stdout (canon lower (func $stdout "get-stdout")))"#,
        )
        .replace(";; given", r#"(export "stdout" (func $stdout))"#)
        .replace(
            ";; module",
            r#"(import "env" "stdout" (func $stdout (result i32)))
            (data (i32.const 1024) "printed")"#,
        )
        .replace(
            ";; body",
            "(local $stream i32)
            (local.set $stream (call $stdout))
            (call $send (local.get $stream) (i32.const 1024) (i32.const 7) (i32.const 0))
            (call $drop-stream (local.get $stream))
            (call $set (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0) (i64.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
        );
    wat::parse_str(text).unwrap()
}

async fn deploy(registry: &Registry, key: &ScriptKey, component: Vec<u8>) {
    let size = component.len() as u64;
    let component = Component::new(registry.put_component(component.into()).await.unwrap(), size);
    let draft = UploadDraft { code: component.into(), ..UploadDraft::default() };
    registry.deploy(key, Upload::parse(draft).unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_sink_that_joins_the_others_sees_visit_invocation_and_lines_and_what_belongs_together() {
    let scratch = tempfile::tempdir().unwrap();
    let sizes = RuntimeConfig {
        engine: EngineConfig { max_instances: 16, ..EngineConfig::default() },
        artifacts: scratch.path().to_owned(),
        loaded_code_bytes: 1 << 30,
        loaded_modules: u64::MAX,
        compilations: 1,
        javascript: None,
        guest_memory: GuestMemoryLimits::NONE,
    };
    let runtime = Arc::new(Runtime::new(&sizes, Arc::new(InProcess)).unwrap());
    let registry = Registry::in_memory().await.unwrap();
    let key = ScriptKey::Platform("printing".parse().unwrap());
    deploy(&registry, &key, printing()).await;

    let (metrics, kept) = (Arc::new(Metrics::new().unwrap()), Arc::new(Kept::default()));
    let figures = Arc::new(Figures::new(metrics.registry()).unwrap());
    let sinks = Arc::new(Sinks::new(vec![figures, Arc::clone(&kept) as Arc<dyn Sink>]));
    let config = DispatcherConfig::default();
    let dispatcher =
        Dispatcher::new(config, registry, runtime, Arc::new(Nowhere), metrics, sinks, None).unwrap();

    let client = Client::at(IpAddr::from([192, 0, 2, 1]), false);
    let request = Request::get("/page?query").header("host", "shop.test").body(body::empty()).unwrap();
    let trace = Trace::of_visit(&dispatcher.sink, &dispatcher.underway);
    let log = VisitLog::open(trace, client.address, &request);
    let visit = head::read(request, client, &log).unwrap();
    let answer = dispatcher.scripts.answer(visit, key.clone()).await;
    let answer = Tracked::answer(respond::to_visitor(answer, Wanted::Text, &log), Arc::clone(&log));
    answer.into_body().collect().await.unwrap();
    let ray_id = Arc::clone(&log.trace.ray_id);
    drop(log);
    dispatcher.idle().await;

    let events = kept.0.lock().unwrap();
    let [Event::Log(line), Event::Invocation(invocation), Event::Visit(visit)] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!((line.text.as_str(), line.level, line.stream), ("printed", Level::Log, "stdout"));
    assert_eq!((&line.script, &invocation.usage.script), (&key, &key));
    assert_eq!([&line.ray_id, &invocation.ray_id, &visit.ray_id], [&ray_id; 3]);
    assert_eq!(line.number, invocation.number);
    assert!(line.time <= invocation.time && invocation.time <= visit.time);
    let Trigger::Fetch { method, url, .. } = &invocation.trigger else { panic!("{:?}", invocation.trigger) };
    assert_eq!((method, url.to_string().as_str()), (&Method::GET, "http://shop.test/page?query"));
    let usage = &invocation.usage;
    let ended = (invocation.outcome, usage.status, usage.log_lines, usage.log_dropped);
    assert_eq!(ended, ("ok", Some(200), 1, 0));
    assert_eq!((visit.status, visit.reason, visit.path.as_str()), (Some(200), "ok", "/page"));
}
