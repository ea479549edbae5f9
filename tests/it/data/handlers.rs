//! Events that are no requests, as a component handles them that was built from `sdk/wit`, and as a script in JavaScript does;
//! and what a script that handles no requests is for the API, for visitors and beside files.
//!
//! Nothing on the platform raises such events yet, so that the runtime is asked directly.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Method, Response, Uri};
use serde_json::json;
use wasmyard_events::{Fault, InvocationRecord, Level, LogRecord, Trigger, Usage};
use wasmyard_namespaces::bundle::{Bundle, Part, PartKind};
use wasmyard_namespaces::{Digest, EventKind, Limits, NamespaceName, ScriptKey, ScriptName};
use wasmyard_runtime::{
    Batch, Body, BodyError, Call, End, EngineConfig, Entry, Event, Failure, Granted, GuestMemoryLimits,
    Handled, Host, InProcess, Invocation, Invoked, LogLine, Message, Metering, OutboundRequest, Outcome,
    RequestInfo, Reuse, Runtime, RuntimeConfig, Scheduled, Tail, Verdict, Worker, start_up,
};

use crate::support::{Server, guest, script_path, shared_artifacts};

/// Keeps what invocations leave behind.
#[derive(Default)]
struct Kept {
    outcomes: Mutex<Vec<Outcome>>,
    lines: Mutex<Vec<String>>,
}

impl Host for Kept {
    fn call(&self, _: Call) -> BoxFuture<'static, Result<Response<Body>, Failure>> {
        async { Err(Failure::WorkerNotFound) }.boxed()
    }
    fn outbound(&self, _: OutboundRequest) -> BoxFuture<'static, Result<Response<Body>, BodyError>> {
        async { Err(BodyError::HttpRequestDenied) }.boxed()
    }
    fn log(&self, line: LogLine) {
        self.lines.lock().unwrap().push(line.text);
    }
    fn finished(&self, outcome: Outcome) {
        self.outcomes.lock().unwrap().push(outcome);
    }
}

/// The guest `handlers`, ready to be given events.
struct Handlers {
    worker: Arc<Worker>,
    _runtime: Runtime,
    _scratch: Option<tempfile::TempDir>,
}

/// What came of an event.
struct Came {
    handled: Result<Handled, Failure>,
    /// How it is on the account; none where nothing ran.
    outcome: Option<Outcome>,
    lines: Vec<String>,
}

impl Handlers {
    async fn new() -> Handlers {
        let scratch = tempfile::tempdir().unwrap();
        let handlers = Handlers::of(guest::bytes("handlers"), scratch.path().to_owned(), None).await;
        Handlers { _scratch: Some(scratch), ..handlers }
    }

    /// A script in JavaScript. The engine's code lies where servers under test have it, for making it takes long.
    async fn in_javascript(source: &'static str) -> Handlers {
        let part =
            Part { name: "worker.js".to_owned(), kind: PartKind::Module, bytes: source.as_bytes().into() };
        let code = Bundle::new(vec![part]).unwrap().written().to_vec();
        let engine = guest::javascript_engine().into();
        Handlers::of(code, shared_artifacts(), Some(engine)).await
    }

    async fn of(code: Vec<u8>, artifacts: PathBuf, javascript: Option<Bytes>) -> Handlers {
        let sizes = RuntimeConfig {
            engine: EngineConfig { max_instances: 4, ..EngineConfig::default() },
            artifacts,
            loaded_code_bytes: 1 << 30,
            loaded_modules: u64::MAX,
            compilations: 1,
            javascript,
            guest_memory: GuestMemoryLimits::NONE,
        };
        let runtime = Runtime::new(&sizes, Arc::new(InProcess)).unwrap();
        let digest = Digest::of(&code);
        let module = runtime.module(Metering::Time, &digest, async { Ok(code.into()) }).await.unwrap();
        assert_eq!(module.handlers(), [EventKind::Scheduled, EventKind::Queue, EventKind::Tail]);
        start_up(&module, &Limits::DEFAULT).await.unwrap();
        let key = ScriptKey::Platform(ScriptName::parse("handlers").unwrap());
        let worker = Worker::new(key, "1", Granted::default(), module, Reuse::Never);
        Handlers { worker, _runtime: runtime, _scratch: None }
    }

    async fn raise(&self, event: Event) -> Came {
        self.raise_within(Limits { cpu: Duration::from_millis(300), ..Limits::DEFAULT }, event).await
    }

    async fn raise_within(&self, limits: Limits, event: Event) -> Came {
        let kept = Arc::new(Kept::default());
        let info = RequestInfo {
            ray_id: Arc::from("0123456789abcdef"),
            client_address: std::net::Ipv4Addr::LOCALHOST.into(),
            hostname: Arc::from(""),
            hostname_metadata: None,
            tls: None,
        };
        let host = Arc::clone(&kept) as Arc<dyn Host>;
        let (ceiling, entry) = (Limits::CEILING, Arc::<Entry>::default());
        let info = Arc::new(info);
        let invocation = Invocation { limits, ceiling, trusted: false, depth: 0, host, info, entry };
        let handled = self.worker.run(invocation, event).await;
        let outcome = kept.outcomes.lock().unwrap().pop();
        assert!(kept.outcomes.lock().unwrap().is_empty(), "one account at most");
        let lines = kept.lines.lock().unwrap().clone();
        Came { handled, outcome, lines }
    }
}

impl Came {
    /// Why it failed; the account says the same.
    fn failure(self) -> Failure {
        let failure = self.handled.err().unwrap();
        let on_account = self.outcome.map(|outcome| outcome.end);
        assert_eq!(on_account, Some(End::Failed(failure.clone())));
        failure
    }

    /// What its handler says of itself where it fails.
    fn trap(self) -> String {
        match self.failure() {
            Failure::Trapped(text) => text,
            other => panic!("{other:?}"),
        }
    }

    fn verdicts(self) -> Vec<Verdict> {
        assert_eq!(self.outcome.map(|outcome| outcome.end), Some(End::Ok));
        match self.handled {
            Ok(Handled::Judged(verdicts)) => verdicts,
            Ok(_) => panic!("nothing is said of messages"),
            Err(failure) => panic!("{failure:?}"),
        }
    }
}

fn at(cron: &str) -> Event {
    Event::Scheduled(Scheduled { cron: cron.into(), due: UNIX_EPOCH + Duration::from_millis(1_500) })
}

fn message(id: usize, body: &[u8]) -> Message {
    let content_type = "text/plain".to_owned();
    Message {
        id: format!("m{id}"),
        sent_ms: 1_700_000_000_123,
        content_type,
        body: body.to_vec(),
        attempts: 2,
    }
}

fn batch(texts: &[&str]) -> Event {
    let messages = texts.iter().enumerate().map(|(id, text)| message(id, text.as_bytes())).collect();
    Event::Queue(Batch::new("orders".into(), messages).unwrap())
}

/// An invocation of `production/shop` that failed, and the line that it wrote.
fn invoked(trigger: Trigger, text: &str) -> Invoked {
    let production = NamespaceName::parse("production").unwrap();
    let script = ScriptKey::user(production, ScriptName::parse("shop").unwrap());
    let ray_id: Arc<str> = Arc::from("fedcba9876543210");
    let usage = Usage {
        script: script.clone(),
        version: "v7".to_owned(),
        depth: 1,
        status: Some(503),
        cpu: Duration::from_micros(4_500),
        fuel: None,
        wall: Duration::from_micros(9_000),
        instantiation: Duration::from_micros(1),
        peak_memory_bytes: 65_536,
        subrequests: 0,
        bytes_in: 0,
        bytes_out: 0,
        log_lines: 1,
        log_dropped: 3,
    };
    let time = UNIX_EPOCH + Duration::from_millis(2_000);
    let fault = Fault {
        message: "Worker exceeded CPU time limit.".to_owned(),
        limit: Some("CPU time 4 ms".to_owned()),
        detail: Some("for the operator alone".to_owned()),
    };
    let record = InvocationRecord {
        time,
        ray_id: Arc::clone(&ray_id),
        number: 1,
        trigger,
        outcome: "exceededCpu",
        fault: Some(fault),
        usage,
    };
    let (level, stream, text) = (Level::Warn, "stderr", text.to_owned());
    let line = LogRecord { time, ray_id, number: 1, script, level, stream, text };
    Invoked { record: Arc::new(record), lines: vec![Arc::new(line)] }
}

fn told(text: &str) -> Event {
    let url = Uri::from_static("https://me:secret@shop.test:8443/cart?token=secret");
    let trigger = Trigger::Fetch { method: Method::PUT, url, head: None };
    Event::Tail(Tail::new(vec![invoked(trigger, text)]).unwrap())
}

#[tokio::test]
async fn a_time_a_batch_and_a_tail_reach_the_component_that_was_built_from_the_interfaces() {
    let handlers = Handlers::new().await;
    let time = handlers.raise(at("*/5 * * * *")).await;
    assert!(matches!(time.handled, Ok(Handled::Done)));
    assert_eq!(time.lines, ["*/5 * * * * at 1500"]);

    let queue = handlers.raise(batch(&["ack", "later", "whatever"])).await;
    assert_eq!(
        queue.lines,
        [
            "orders m0 1700000000123 text/plain 2 ack",
            "orders m1 1700000000123 text/plain 2 later",
            "orders m2 1700000000123 text/plain 2 whatever"
        ]
    );
    let again = |delay| Verdict::Retry { delay };
    let later = Some(Duration::from_secs(30));
    assert_eq!(queue.verdicts(), [Verdict::Ack, again(later), again(None)]);

    let tail = handlers.raise(told("careful")).await;
    assert!(matches!(tail.handled, Ok(Handled::Done)));
    let [trace] = tail.lines.as_slice() else { panic!("{:?}", tail.lines) };
    for part in [
        r#"script: "shop", namespace: Some("production"), version: "v7", ray-id: "fedcba9876543210", number: 1, depth: 1, ended: 2000"#,
        r#"Cause::Fetch(Request { method: "PUT", url: "https://shop.test:8443/cart" })"#,
        r#"outcome: "exceededCpu""#,
        r#"Exception { message: "Worker exceeded CPU time limit.", limit: Some("CPU time 4 ms") }"#,
        r#"status: Some(503), cpu-us: 4500, wall-us: 9000"#,
        r#"Line { time: 2000, level: Level::Warn, text: "careful" }"#,
        "logs-dropped: 3",
    ] {
        assert!(trace.contains(part), "{part} is not in {trace}");
    }
    assert!(!trace.contains("secret") && !trace.contains("operator"), "{trace}");
}

/// The same in JavaScript, by the product's interfaces (runtime APIs: scheduled, queue and tail handlers).
const IN_JAVASCRIPT: &str = r#"
const obey = (text) => {
  if (text === "error") throw new Error("no such luck");
  if (text === "spin") for (;;);
};
export default {
  async scheduled(controller, env, ctx) {
    console.log(controller.type, controller.cron, new Date(controller.scheduledTime).toISOString());
    ctx.waitUntil(scheduler.wait(1).then(() => console.log("afterwards")));
    obey(controller.cron);
  },
  async queue(batch) {
    for (const message of batch.messages) {
      const body = typeof message.body === "string" ? message.body : new Uint8Array(message.body).join();
      console.log(batch.queue, message.id, message.timestamp.getTime(), message.attempts, body);
      obey(body);
      if (body === "ack") message.ack();
      if (body === "later") message.retry({ delaySeconds: 30 });
      if (body === "far") message.retry({ delaySeconds: 90000 });
      if (body === "once more") { message.ack(); message.retry(); }
    }
    if (batch.messages.length > 2) batch.retryAll();
  },
  tail(events) {
    for (const event of events) {
      console.log(JSON.stringify(event));
      for (const line of event.logs) obey(line.message[0]);
    }
  },
};
"#;

#[tokio::test]
async fn a_script_in_javascript_handles_a_time_a_batch_and_a_tail() {
    let handlers = Handlers::in_javascript(IN_JAVASCRIPT).await;
    let time = handlers.raise(at("*/5 * * * *")).await;
    assert!(matches!(time.handled, Ok(Handled::Done)));
    assert_eq!(time.lines, ["scheduled */5 * * * * 1970-01-01T00:00:01.500Z", "afterwards"]);

    // What nothing is said of is done where the handler returns.
    let queue = handlers.raise(batch(&["ack", "whatever"])).await;
    assert_eq!(
        queue.lines,
        ["orders m0 1700000000123 2 97,99,107", "orders m1 1700000000123 2 119,104,97,116,101,118,101,114"]
    );
    assert_eq!(queue.verdicts(), [Verdict::Ack, Verdict::Ack]);
    let text = |id, text: &str| Message { content_type: "text".to_owned(), ..message(id, text.as_bytes()) };
    let texts =
        ["ack", "later", "once more", "whatever"].iter().enumerate().map(|(id, of)| text(id, of)).collect();
    let again = |delay| Verdict::Retry { delay };
    assert_eq!(
        handlers.raise(Event::Queue(Batch::new("orders".into(), texts).unwrap())).await.verdicts(),
        [Verdict::Ack, again(Some(Duration::from_secs(30))), Verdict::Ack, again(None)],
        "the first word about a message counts"
    );
    let parsed = Message { content_type: "json".to_owned(), ..message(0, b"\"later\"") };
    let parsed = handlers.raise(Event::Queue(Batch::new("orders".into(), vec![parsed]).unwrap())).await;
    assert_eq!(parsed.verdicts(), [again(Some(Duration::from_secs(30)))]);
    let far =
        handlers.raise(Event::Queue(Batch::new("orders".into(), vec![text(0, "far")]).unwrap())).await.trap();
    assert_eq!(far, "it asks for a delay of 90000 seconds, and 86400 is the longest");

    let tail = handlers.raise(told("careful")).await;
    assert!(matches!(tail.handled, Ok(Handled::Done)));
    let [event] = tail.lines.as_slice() else { panic!("{:?}", tail.lines) };
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    for (pointer, value) in [
        ("/scriptName", json!("shop")),
        ("/dispatchNamespace", json!("production")),
        ("/scriptVersion/id", json!("v7")),
        ("/event/request/method", json!("PUT")),
        ("/event/request/url", json!("https://shop.test:8443/cart")),
        ("/event/response/status", json!(503)),
        ("/outcome", json!("exceededCpu")),
        ("/cpuTime", json!(4.5)),
        ("/wallTime", json!(9)),
        ("/eventTimestamp", json!(2_000)),
        ("/truncated", json!(true)),
        ("/logs/0/level", json!("warn")),
        ("/logs/0/message/0", json!("careful")),
        ("/exceptions/0/message", json!("Worker exceeded CPU time limit.")),
    ] {
        assert_eq!(event.pointer(pointer), Some(&value), "{pointer} of {event}");
    }
    assert!(!event.to_string().contains("secret") && !event.to_string().contains("operator"), "{event}");

    // A handler that throws fails the event with what it threw, and one that computes for ever meets the limit.
    for event in [at as fn(&str) -> Event, told] {
        let thrown = handlers.raise(event("error")).await.trap();
        assert!(thrown.contains("no such luck"), "{thrown}");
        let cpu = Duration::from_millis(40);
        let spins = handlers.raise_within(Limits { cpu, ..Limits::DEFAULT }, event("spin")).await;
        assert_eq!(spins.failure(), Failure::ExceededCpu { limit: cpu });
    }
}

#[tokio::test]
async fn a_tail_says_of_every_kind_of_event_what_it_was() {
    let handlers = Handlers::new().await;
    let triggers = [
        Trigger::Scheduled { cron: "* * * * *".into(), due: UNIX_EPOCH + Duration::from_millis(7) },
        Trigger::Queue { queue: "orders".into(), messages: 3 },
        Trigger::Tail { invocations: 2 },
    ];
    let all = triggers.map(|trigger| invoked(trigger, "line")).to_vec();
    let came = handlers.raise(Event::Tail(Tail::new(all).unwrap())).await;
    let said = [
        r#"Cause::Scheduled(Time { cron: "* * * * *", due: 7 })"#,
        r#"Cause::Queue(Messages { queue: "orders", messages: 3 })"#,
        "Cause::Tail(2)",
    ];
    assert_eq!(came.lines.len(), said.len());
    for (line, said) in came.lines.iter().zip(said) {
        assert!(line.contains(said), "{said} is not in {line}");
    }
}

#[tokio::test]
async fn what_a_handler_does_wrong_is_on_the_account_whatever_the_event() {
    let handlers = Handlers::new().await;
    let events: [fn(&str) -> Event; 3] = [at, |text| batch(&[text]), told];
    for event in events {
        assert_eq!(handlers.raise(event("error")).await.trap(), "it says: no such luck");
        let trapped = handlers.raise(event("trap")).await.trap();
        assert!(trapped.contains("unreachable"), "{trapped}");
        let cpu = Duration::from_millis(40);
        let spins = handlers.raise_within(Limits { cpu, ..Limits::DEFAULT }, event("spin")).await;
        assert!(spins.outcome.as_ref().unwrap().usage.cpu >= cpu);
        assert_eq!(spins.failure(), Failure::ExceededCpu { limit: cpu });
        let (memory_bytes, cpu) = (4 << 20, Duration::from_secs(20));
        let small = Limits { memory_bytes, cpu, ..Limits::DEFAULT };
        let grows = handlers.raise_within(small, event("grow")).await;
        assert_eq!(grows.failure(), Failure::ExceededMemory { limit: memory_bytes });
        let first_byte = Duration::from_millis(30);
        let late = Limits { first_byte, cpu: Duration::from_secs(30), ..Limits::DEFAULT };
        let late = handlers.raise_within(late, event("spin")).await;
        assert_eq!(late.failure(), Failure::TimedOut { limit: first_byte });
    }
}

#[tokio::test]
async fn an_answer_about_messages_that_breaks_a_rule_judges_none() {
    let handlers = Handlers::new().await;
    let far = handlers.raise(batch(&["ack", "far"])).await.trap();
    assert_eq!(far, "it asks for a delay of 90000 seconds, and 86400 is the longest");
    let stranger = handlers.raise(batch(&["ack", "stranger"])).await.trap();
    assert!(stranger.contains("\"nobody\", which is not in the batch"), "{stranger}");
    // More than the host takes of a guest in one call.
    let flood = handlers.raise(batch(&["flood"])).await.failure();
    assert!(matches!(flood, Failure::Trapped(_)), "{flood:?}");
}

#[tokio::test]
async fn what_the_host_holds_of_an_event_is_memory_of_the_script() {
    let handlers = Handlers::new().await;
    let large = |count| {
        let messages = (0..count).map(|id| message(id, &vec![b'x'; 128 << 10])).collect();
        Event::Queue(Batch::new("orders".into(), messages).unwrap())
    };
    let limits = Limits { memory_bytes: 8 << 20, cpu: Duration::from_secs(20), ..Limits::DEFAULT };
    let came = handlers.raise_within(limits, large(8)).await;
    let peak = came.outcome.as_ref().unwrap().usage.peak_memory_bytes;
    assert!((2 << 20..8 << 20).contains(&peak), "in the guest and beside it: {peak}");
    assert_eq!(came.verdicts().len(), 8);
    // It fits beside the guest, and not once more into it.
    let came = handlers.raise_within(limits, large(50)).await;
    assert_eq!(came.failure(), Failure::ExceededMemory { limit: 8 << 20 });
}

#[tokio::test]
async fn an_event_over_its_bounds_is_refused_before_anybody_is_given_it() {
    let too_many = (0..101).map(|id| message(id, b"x")).collect();
    let refused = Batch::new("orders".into(), too_many).unwrap_err().to_string();
    assert_eq!(refused, "a batch has 1 to 100 messages, and this one has 101; split it");
    let refused = Batch::new("orders".into(), vec![message(0, &vec![0; (128 << 10) + 1])]).unwrap_err();
    assert!(refused.to_string().contains("message \"m0\" has 131073 bytes"), "{refused}");

    let of = |text: &str| invoked(Trigger::Tail { invocations: 1 }, text);
    for found in [0, 101] {
        let refused = Tail::new(vec![of("line"); found]).unwrap_err().to_string();
        assert_eq!(
            refused,
            format!("a tail event has 1 to 100 invocations, and this one has {found}; split it")
        );
    }
    let refused = Tail::new(vec![of(&"x".repeat(1 << 20)); 8]).unwrap_err().to_string();
    assert!(refused.contains("8388608 bytes at most, and this one has"), "{refused}");
    assert!(Tail::new(vec![of(&"x".repeat(1 << 20)); 7]).is_ok());
}

#[tokio::test]
async fn a_script_that_handles_no_requests_is_deployed_and_says_so_to_whoever_asks() {
    let handlers = guest::main("handlers");
    let config = format!(
        "[scripts.worker]\n{handlers}\n[[routes]]\npattern = \"*/*\"\nscript = \"worker\"\n\
         [namespaces.production]\n"
    );
    let server = Server::serving(&config).await;
    let path = script_path("events");
    let metadata = json!({"main_module": "worker.wasm"});
    let uploaded = server.api().upload(&path, &metadata, guest::bytes("handlers")).await;
    assert_eq!(uploaded.result()["handlers"], json!(["scheduled", "queue", "tail"]));
    let answer = server.get("any.test", "/").await;
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("1101") && answer.text().contains("Worker handles no such events."));
}
