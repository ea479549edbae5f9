//! Queues: scripts send to those that they are bound to and no others, scripts of the platform and of namespaces are handed what is
//! sent by the rules of requests, whoever pulls has it by the API, and nothing that was answered for is lost.

mod api;
mod deaths;
mod disk;

use serde_json::{Value, json};

use crate::support::{Api, PLATFORM_SCRIPTS, Server, Site, guest, script_path};

/// Where queues are.
const QUEUES: &str = "/client/v4/accounts/0/queues";

/// Sends what it is asked to, in every form that there is.
const PRODUCER: &str = r#"
    export default {
      async fetch(request, env) {
        const { pathname } = new URL(request.url);
        try {
          if (pathname === "/forms") {
            await env.JOBS.send({ a: [1, 2] });
            await env.JOBS.send("words", { contentType: "text" });
            await env.JOBS.send(new Uint8Array([0, 255]), { contentType: "bytes" });
            await env.JOBS.send(new Map([["when", new Date(0)], ["big", 10n]]), { contentType: "v8" });
          } else if (pathname === "/batch") {
            await env.JOBS.sendBatch([{ body: "one" }, { body: 2 }, { body: "three", contentType: "text" }]);
          } else if (pathname === "/large") {
            await env.JOBS.send("x".repeat(200000), { contentType: "text" });
          } else if (pathname === "/function") {
            await env.JOBS.send(() => {}, { contentType: "v8" });
          } else if (pathname === "/many") {
            for (let at = 0; at < 51; at++) await env.JOBS.send(at);
          } else {
            await env.JOBS.send(decodeURIComponent(pathname.slice(1)), { contentType: "text" });
          }
          return new Response("sent");
        } catch (error) {
          return new Response(`${error.name}: ${error.message}`, { status: 400 });
        }
      },
    };
"#;

/// Says what it was given, and does with it what it says.
const CONSUMER: &str = r#"
    const shown = (body) =>
      body instanceof ArrayBuffer ? `bytes ${[...new Uint8Array(body)]}`
      : body instanceof Map ? `map ${body.get("when").toISOString()} ${body.get("big") + 1n}`
      : JSON.stringify(body);
    export default {
      async queue(batch, env, ctx) {
        for (const message of batch.messages) {
          const said = typeof message.body === "string" ? message.body : "";
          console.log(`got ${batch.queue} ${shown(message.body)} try ${message.attempts} ${message.id.length} ${message.timestamp instanceof Date}`);
          if (said === "out") console.log(`answer ${await (await fetch("http://outside.test/x")).text()}`);
          if (said === "again") message.retry({ delaySeconds: 0 });
          if (said === "ack, then throw") message.ack();
          if (said.includes("throw")) throw new Error("no such luck");
          if (said === "spin") for (;;) {}
        }
      },
    };
"#;

/// The answer of every outbound request of the namespace.
const OUTBOUND: &str = "export default { fetch: (request) => new Response(`instead of ${request.url}`) };";

fn config(consumer: &str) -> String {
    format!(
        r#"
        [scripts.out]
        main = "out.js"
        [scripts.front]
        main = "front.js"
        bindings = [{{ type = "queue", name = "JOBS", queue_name = "jobs" }}]
        [namespaces.production]
        outbound = {{ script = "out" }}
        [namespaces.production.scripts.shop]
        main = "shop.js"
        limits = {{ event_cpu_ms = 200 }}
        [[namespaces.production.scripts.shop.queue_consumers]]
        queue = "jobs"
        max_batch_timeout = 0
        {consumer}
        [[routes]]
        pattern = "*/*"
        script = "front"
        "#
    )
}

fn site(consumer: &str) -> Site {
    let site = Site::new(&config(consumer));
    site.write("front.js", PRODUCER.as_bytes());
    site.write("shop.js", CONSUMER.as_bytes());
    site.write("out.js", OUTBOUND.as_bytes());
    site
}

async fn sent(server: &Server, path: &str) -> String {
    server.get("front.test", path).await.text().to_owned()
}

/// Waits for the log line of a script that begins like this.
async fn line(server: &Server, script: &str, text: &str) -> Value {
    let what = format!("{script} says {text}");
    let says = |line: &Value| {
        line["script"] == script && line["message"].as_str().is_some_and(|said| said.starts_with(text))
    };
    server.logged(&what, says).await
}

/// The queue of a name, as the API shows it.
async fn queue(api: &Api, name: &str) -> Value {
    api.get(&format!("{QUEUES}?name={name}&page=1")).await.result()[0].clone()
}

/// The path of the queue of a name.
async fn path(api: &Api, name: &str) -> String {
    format!("{QUEUES}/{}", queue(api, name).await["queue_id"].as_str().unwrap())
}

/// Waits until so many messages are in a queue.
async fn until(api: &Api, path: &str, messages: u64) {
    let counted = async {
        while api.get(&format!("{path}/metrics")).await.result()["backlog_count"] != messages {
            tokio::task::yield_now().await;
        }
    };
    crate::support::within("the queue", counted).await;
}

#[tokio::test]
async fn a_user_script_is_handed_what_a_platform_script_sends() {
    let server = site("max_batch_size = 1").serve().await;
    let api = server.api();
    assert_eq!(sent(&server, "/forms").await, "sent");
    for text in [
        "got jobs {\"a\":[1,2]} try 1 32 true",
        "got jobs \"words\" try 1",
        "got jobs bytes 0,255 try 1",
        "got jobs map 1970-01-01T00:00:00.000Z 11 try 1",
    ] {
        line(&server, "production/shop", text).await;
    }
    assert_eq!(sent(&server, "/batch").await, "sent");
    for text in ["got jobs \"one\"", "got jobs 2", "got jobs \"three\""] {
        line(&server, "production/shop", text).await;
    }
    // Its requests go to the outbound worker of its namespace.
    sent(&server, "/out").await;
    line(&server, "production/shop", "answer instead of http://outside.test/x").await;
    let jobs = path(&api, "jobs").await;
    until(&api, &jobs, 0).await;
    let shown = queue(&api, "jobs").await;
    assert_eq!(
        (&shown["producers"][0]["script"], &shown["producers_total_count"]),
        (&json!("front"), &json!(1))
    );
    let consumer = &shown["consumers"][0];
    assert_eq!(
        (&consumer["script"], &consumer["dispatch_namespace"]),
        (&json!("shop"), &json!("production"))
    );
    assert_eq!(consumer["settings"]["max_wait_time_ms"], 0);
}

#[tokio::test]
async fn what_breaks_a_rule_is_not_sent() {
    let server = site("").serve().await;
    let api = server.api();
    let jobs = path(&api, "jobs").await;
    let paused = api.patch(&jobs, &json!({ "settings": { "delivery_paused": true } })).await;
    assert_eq!(paused.result()["settings"]["delivery_paused"], true, "{paused:?}");
    let large = sent(&server, "/large").await;
    assert!(large.contains("the message has 200000 bytes, and at most 131072 are allowed"), "{large}");
    let function = sent(&server, "/function").await;
    assert!(function.starts_with("DataCloneError"), "{function}");
    let many = sent(&server, "/many").await;
    assert!(many.contains("ubrequests"), "each is a subrequest: {many}");
    until(&api, &jobs, 50).await;
}

#[tokio::test]
async fn what_fails_comes_again_and_goes_to_the_dead_letters_by_the_limits_of_events() {
    let site = site("max_batch_size = 1\nmax_retries = 1\ndead_letter_queue = \"dead\"");
    let server = site.serve().await;
    let api = server.api();
    let (jobs, dead) = (path(&api, "jobs").await, path(&api, "dead").await);
    sent(&server, "/throw").await;
    line(&server, "production/shop", "got jobs \"throw\" try 2").await;
    until(&api, &dead, 1).await;
    until(&api, &jobs, 0).await;
    sent(&server, "/again").await;
    line(&server, "production/shop", "got jobs \"again\" try 2").await;
    until(&api, &dead, 2).await;
    sent(&server, "/ack,%20then%20throw").await;
    line(&server, "production/shop", "Uncaught").await;
    until(&api, &jobs, 0).await;
    sent(&server, "/spin").await;
    let failed =
        |line: &Value| line["message"] == "a batch of a queue failed" && line["limit"] == "CPU time 200 ms";
    let failed = server.logged("that the batch failed", failed).await;
    assert_eq!(
        (&failed["queue"], &failed["script"]),
        (&json!("jobs"), &json!("production/shop")),
        "{failed}"
    );
    until(&api, &dead, 3).await;
    assert!(server.metric("wasmyard_queue_messages_total{result=\"dead_lettered\"}").await > 2.5);
    let found = api.post(&format!("{dead}/messages/preview"), &json!({})).await;
    let bodies: Vec<&str> = found.result()["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| message["body"].as_str().unwrap())
        .collect();
    assert_eq!(bodies, ["throw", "again", "spin"]);
}

#[tokio::test]
async fn components_send_and_are_handed_messages() {
    let server = Server::serving(&format!(
        "[scripts.front]\n{}\nbindings = [{{ type = \"queue\", name = \"JOBS\", queue_name = \"jobs\" }}]\n\
         [namespaces.production]\n[[routes]]\npattern = \"*/*\"\nscript = \"front\"\n",
        guest::main("queue")
    ))
    .await;
    let api = server.api();
    let jobs = path(&api, "jobs").await;
    let answer = server.get("front.test", "/hello").await;
    assert_eq!((answer.status, answer.text()), (202, "queued\n"));
    until(&api, &jobs, 1).await;
    // The same component consumes what it sent.
    let wanted = json!({
        "type": "worker", "script_name": "front", "settings": { "max_wait_time_ms": 0, "batch_size": 1 },
    });
    let set = api.post(&format!("{jobs}/consumers"), &wanted).await;
    assert_eq!((set.status, &set.envelope["messages"]), (200, &json!([])), "{set:?}");
    line(&server, "front", "jobs: /hello").await;
    until(&api, &jobs, 0).await;
    // Who handles none is told so, and who is not there does not consume.
    api.deploy("hello", guest::bytes("hello")).await;
    let other = api.post(QUEUES, &json!({ "queue_name": "other" })).await.result()["queue_id"].clone();
    let other = format!("{QUEUES}/{}", other.as_str().unwrap());
    let wanted = |script: &str| json!({ "script_name": script, "dispatch_namespace": "production" });
    let missing = api.post(&format!("{other}/consumers"), &wanted("nobody")).await;
    assert_eq!(missing.status, 404, "{missing:?}");
    let set = api.post(&format!("{other}/consumers"), &wanted("hello")).await;
    assert!(set.envelope["messages"].to_string().contains("handles no messages of queues"), "{set:?}");
}

#[tokio::test]
async fn who_uses_a_queue_or_is_used_by_one_is_named_before_it_goes() {
    let site = site("dead_letter_queue = \"dead\"");
    let server = site.serve().await;
    let api = server.api();
    let (jobs, dead) = (path(&api, "jobs").await, path(&api, "dead").await);
    let refused = api.delete(&jobs).await;
    let told = refused.envelope["errors"][0]["message"].as_str().unwrap();
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(told.contains("binding \"JOBS\" of script \"front\""), "{told}");
    assert!(told.contains("script \"production/shop\", which consumes it"), "{told}");
    let refused = api.delete(&dead).await;
    assert!(
        refused.envelope.to_string().contains("queue \\\"jobs\\\", whose dead letters go to it"),
        "{refused:?}"
    );
    let refused = api.delete(&format!("{}?force=false", script_path("shop"))).await;
    assert!(refused.envelope.to_string().contains("queue \\\"jobs\\\", as its consumer"), "{refused:?}");
    let rename = api.put(&jobs, &json!({ "queue_name": "tasks" })).await;
    assert_eq!(rename.status, 409, "{rename:?}");
    let references = api.get(&format!("{}/references", script_path("shop"))).await;
    assert_eq!(references.result()["queues"]["consumes"][0], "jobs", "{references:?}");
    let references = api.get(&format!("{PLATFORM_SCRIPTS}/front/references")).await;
    assert_eq!(
        references.result()["queues"]["sends"],
        json!([{ "name": "JOBS", "id": "jobs" }]),
        "{references:?}"
    );
    // What is bound to a queue that is not there is not deployed.
    let metadata = json!({
        "main_module": "worker.js", "bindings": [{ "type": "queue", "name": "Q", "queue_name": "nowhere" }],
    });
    let upload = api.javascript_with(&script_path("new"), &metadata, PRODUCER).await;
    assert_eq!(upload.status, 400, "{upload:?}");
    assert!(upload.envelope.to_string().contains("there is no queue \\\"nowhere\\\""), "{upload:?}");
    assert_eq!(api.get(&script_path("new")).await.status, 404);
    // The namespace goes with what consumes; the queue stays, and what is in it.
    let gone =
        api.delete(&format!("{}?force=true", crate::support::NAMESPACES.to_owned() + "/production")).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    assert_eq!(queue(&api, "jobs").await["consumers"], json!([]));
    assert_eq!(sent(&server, "/x").await, "sent");
    until(&api, &jobs, 1).await;
}
