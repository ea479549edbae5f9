//! Cron triggers from the command line, the API and the file: who runs, by which limits and rules, and what is said of it.

use serde_json::{Value, json};

use crate::support::{Api, PLATFORM_SCRIPTS, Server, Site, guest, script_path};

/// Says what it was given, asks an origin when it is told to, and computes for ever when it is told to.
const TICKS: &str = r#"
    export default {
      async scheduled(event, env, ctx) {
        console.log(`tick ${event.cron} ${event.scheduledTime % 60000 === 0}`);
        if (env.MODE === "fetch") {
          try {
            console.log(`got ${await (await fetch("http://outside.test/x")).text()}`);
          } catch (error) {
            console.log(`refused ${error.message}`);
          }
        }
        if (env.MODE === "spin") for (;;) {}
      },
    };
"#;

/// The answer of every outbound request of the namespace.
const OUTBOUND: &str = "export default { fetch: (request) => new Response(`instead of ${request.url}`) };";

fn config(scripts: &str) -> String {
    format!(
        r#"
        [scripts.out]
        main = "out.js"
        [namespaces.production]
        outbound = {{ script = "out" }}
        {scripts}
        "#
    )
}

fn site(scripts: &str) -> Site {
    let site = Site::new(&config(scripts));
    site.write("ticks.js", TICKS.as_bytes());
    site.write("out.js", OUTBOUND.as_bytes());
    site
}

/// The log line of a script that begins like this.
async fn line(server: &Server, script: &str, text: &str) -> Value {
    let what = format!("{script} says {text}");
    let says = |line: &Value| {
        line["script"] == script && line["message"].as_str().is_some_and(|said| said.starts_with(text))
    };
    server.logged(&what, says).await
}

async fn schedules(api: &Api, script: &str) -> Value {
    api.get(&format!("{}/schedules", script_path(script))).await.result()["schedules"].clone()
}

#[tokio::test]
async fn a_user_script_runs_for_a_cron_trigger_behind_the_outbound_worker_of_its_namespace() {
    let site = site("");
    let server = site.serve().await;
    let api = server.api();
    let metadata = json!({
        "main_module": "worker.js", "bindings": [{ "type": "plain_text", "name": "MODE", "text": "fetch" }],
    });
    let reply = api.javascript_with(&script_path("shop"), &metadata, TICKS).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let run = async |arguments: &[&str]| {
        let more = ["-n", "production", "--api-url", &api.url];
        let run = site.run(&[arguments, &more].concat()).await;
        (run.status.code(), String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap())
    };
    let (code, set, _) = run(&["cron", "set", "shop", "0 3 * * *", "*/15 * * * mon-fri"]).await;
    assert_eq!((code, set.lines().count()), (Some(0), 3), "{set}");
    let (code, _, told) = run(&["cron", "run", "shop"]).await;
    assert!(
        code == Some(2) && told.contains("say which expression is to run: \"0 3 * * *\""),
        "{code:?} {told}"
    );
    let (code, ran, _) = run(&["cron", "run", "shop", "0 3 * * *"]).await;
    assert_eq!(
        (code, ran.as_str()),
        (Some(0), "production/shop runs for \"0 3 * * *\" as soon as there is a place\n")
    );
    line(&server, "production/shop", "tick 0 3 * * * false").await;
    line(&server, "production/shop", "got instead of http://outside.test/x").await;
    // What nobody has named is not run, and what is no expression is not kept.
    let (code, _, told) = run(&["cron", "run", "shop", "1 3 * * *"]).await;
    assert!(code == Some(1) && told.contains("has no cron expression"), "{code:?} {told}");
    let (code, _, told) = run(&["cron", "set", "shop", "61 * * * *"]).await;
    assert!(code == Some(1) && told.contains("\"61 * * * *\" cannot be read"), "{code:?} {told}");
    let crons = |schedules: &Value| {
        let rows = schedules.as_array().unwrap().iter();
        rows.map(|row| row["cron"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(crons(&schedules(&api, "shop").await), ["0 3 * * *", "*/15 * * * mon-fri"]);
    // A new version leaves them; an empty list takes them away.
    api.javascript_with(&script_path("shop"), &metadata, TICKS).await;
    assert_eq!(crons(&schedules(&api, "shop").await).len(), 2);
    let (code, none, _) = run(&["cron", "set", "shop"]).await;
    assert_eq!((code, none.as_str()), (Some(0), ""));
    assert_eq!(schedules(&api, "shop").await, json!([]));
}

#[tokio::test]
async fn a_tick_that_fails_is_on_the_record_by_the_limits_of_events() {
    let scripts = r#"
        [namespaces.production.scripts.spins]
        main = "ticks.js"
        crons = ["0 4 * * *"]
        vars = { MODE = "spin" }
        limits = { event_cpu_ms = 60 }
    "#;
    let site = site(scripts);
    let server = site.serve().await;
    let api = server.api();
    let path = format!("{}/schedules/run", script_path("spins"));
    let reply = api.post(&path, &json!({ "cron": "0 4 * * *" })).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    line(&server, "production/spins", "tick 0 4 * * *").await;
    let failed =
        |line: &Value| line["message"] == "a cron trigger failed" && line["script"] == "production/spins";
    let failed = server.logged("that the tick failed", failed).await;
    assert_eq!(failed["limit"], "CPU time 60 ms", "{failed}");
    assert!(failed["error"].as_str().unwrap().contains("CPU time limit"), "{failed}");
    assert!((server.metric("wasmyard_cron_ticks_total{result=\"failed\"}").await - 1.0).abs() < f64::EPSILON);

    // The file's expressions are the file's.
    let path = format!("{}/schedules", script_path("spins"));
    let refused = api.put(&path, &json!([])).await;
    assert_eq!((refused.status, &refused.envelope["errors"][0]["code"]), (409, &json!(90005)), "{refused:?}");
    let forced = api.put(&format!("{path}?force=true"), &json!([])).await;
    assert!(forced.envelope["messages"].to_string().contains("crons"), "{forced:?}");
}

#[tokio::test]
async fn a_component_handles_ticks_and_who_handles_none_is_told_so() {
    let server = site("").serve().await;
    let api = server.api();
    api.deploy("handlers", guest::bytes("handlers")).await;
    let path = format!("{}/schedules", script_path("handlers"));
    let set = api.put(&path, &json!([{ "cron": "say hello" }])).await;
    assert_eq!(set.status, 400, "{set:?}");
    let set = api.put(&path, &json!([{ "cron": "0 5 * * *" }])).await;
    assert_eq!((set.status, &set.envelope["messages"]), (200, &json!([])), "{set:?}");
    api.post(&format!("{path}/run"), &json!({ "cron": "0 5 * * *" })).await;
    line(&server, "production/handlers", "").await;

    api.deploy("hello", guest::bytes("hello")).await;
    let set =
        api.put(&format!("{}/schedules", script_path("hello")), &json!([{ "cron": "0 5 * * *" }])).await;
    assert!(set.envelope["messages"].to_string().contains("handles no scheduled events"), "{set:?}");
    // Platform scripts as well.
    let reply = api.javascript(&format!("{PLATFORM_SCRIPTS}/nightly"), TICKS).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let path = format!("{PLATFORM_SCRIPTS}/nightly/schedules");
    api.put(&path, &json!([{ "cron": "0 5 * * *" }])).await;
    api.post(&format!("{path}/run"), &json!({ "cron": "0 5 * * *" })).await;
    line(&server, "nightly", "tick 0 5 * * *").await;
}
