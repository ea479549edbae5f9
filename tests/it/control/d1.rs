//! SQL databases: scripts reach those that they are bound to and no others, the API shows the same, and nothing that was
//! answered for is lost.

mod bindings;
mod durability;
mod transfers;

use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, Site, body, guest, request};

/// Where databases are.
const D1: &str = "/client/v4/accounts/0/d1/database";

/// Does what it is told: the path says what, the body with which statements.
const SCRIPT: &str = r#"
export default {
  async fetch(request, env) {
    const path = new URL(request.url).pathname;
    const text = await request.text();
    try {
      switch (path) {
        case "/run": {
          const statements = JSON.parse(text).map(([sql, ...params]) => env.DB.prepare(sql).bind(...params));
          return Response.json(statements.length === 1 ? await statements[0].all() : await env.DB.batch(statements));
        }
        case "/exec": return Response.json(await env.DB.exec(text));
        case "/types": {
          const bytes = new Uint8Array([9, 1, 2, 3]).subarray(1);
          const row = await env.DB.prepare("SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f, typeof(?) AS g, typeof(?) AS h, length(?) AS i")
            .bind(null, 1, 1.5, "ö", true, bytes, 7, 7.5, bytes.buffer).first();
          return Response.json(row);
        }
        case "/shapes": {
          await env.DB.exec("CREATE TABLE IF NOT EXISTS s (a, b);\nDELETE FROM s;\nINSERT INTO s VALUES (1, 'x'), (2, 'y')");
          const s = env.DB.prepare("SELECT a, b FROM s ORDER BY a");
          return Response.json([
            await s.first(), await s.first("b"), await env.DB.prepare("SELECT a FROM s WHERE a > ?").bind(5).first(),
            await s.raw(), await s.raw({ columnNames: true }), (await s.run()).results.length,
            await env.DB.prepare("SELECT 1 AS a, 2 AS a").raw(),
          ]);
        }
        case "/errors": {
          const said = async (work) => { try { await work(); return "nothing"; } catch (e) { return [e.message, e.cause?.message ?? null]; } };
          return Response.json([
            await said(() => env.DB.prepare("SELECT ?").bind(undefined)),
            await said(() => env.DB.prepare("SELECT ?").bind(Symbol.iterator.description, 10n)),
            await said(() => env.DB.prepare("SELEC 1").all()),
            await said(() => env.DB.prepare("SELECT 1 AS a").first("b")),
            await said(() => env.DB.exec("SELECT 1;\nSELEC 2;\nSELECT 3")),
            await said(() => env.DB.prepare("ATTACH 'x' AS y").run()),
            await said(() => env.DB.batch([])),
            await said(() => env.DB.dump()),
            await said(() => env.DB.withSession("yesterday")),
          ]);
        }
        case "/session": {
          const session = env.DB.withSession("first-primary");
          const before = session.getBookmark();
          await session.prepare("CREATE TABLE IF NOT EXISTS t (a)").run();
          const first = session.getBookmark();
          await session.batch([session.prepare("INSERT INTO t VALUES (1)")]);
          const second = session.getBookmark();
          const later = env.DB.withSession(second);
          const kept = later.getBookmark();
          const { results } = await later.prepare("SELECT count(*) AS n FROM t").all();
          return Response.json([before, first, second, kept, results[0].n > 0]);
        }
        case "/spin": {
          await env.DB.prepare("WITH RECURSIVE n (a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n) SELECT count(*) FROM n").all();
          return new Response("done");
        }
        case "/often": {
          for (let n = 0; n < 2000; n++) await env.DB.prepare("SELECT 1").all();
          return new Response("done");
        }
      }
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
"#;

/// Two customers, each with a database of its own, behind a dispatcher.
fn config() -> String {
    format!(
        r#"
        [limits]
        cpu_ms = 10000
        [scripts.front]
        {front}
        bindings = [{{ type = "dispatch_namespace", name = "DISPATCHER", namespace = "production" }}]
        [namespaces.production.scripts.a]
        main = "worker.js"
        d1_databases = [{{ binding = "DB", database_name = "of a" }}]
        [namespaces.production.scripts.b]
        main = "worker.js"
        d1_databases = [{{ binding = "DB", database_name = "of b" }}]
        [namespaces.production.scripts.slow]
        main = "worker.js"
        d1_databases = [{{ binding = "DB", database_name = "of slow" }}]
        limits = {{ cpu_ms = 200 }}
        [namespaces.production.scripts.guests]
        {guests}
        d1_databases = [{{ binding = "DB", database_name = "guests" }}]
        [[routes]]
        pattern = "*/*"
        script = "front"
        "#,
        front = guest::main("dispatcher_subdomain"),
        guests = guest::main("d1"),
    )
}

fn site() -> Site {
    let site = Site::new(&config());
    site.write("worker.js", SCRIPT);
    site
}

async fn ask(server: &Server, host: &str, path: &str, content: &str) -> Answer {
    server.send(request(Method::POST, host, path).body(body(content.to_owned())).unwrap()).await
}

/// What a script's statements answer.
async fn run(server: &Server, host: &str, statements: Value) -> Value {
    let answer = ask(server, host, "/run", &statements.to_string()).await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.log());
    serde_json::from_str(answer.text()).unwrap()
}

async fn told(server: &Server, host: &str, path: &str) -> Value {
    let answer = ask(server, host, path, "").await;
    assert_eq!(answer.status, 200, "{}\n{}", answer.text(), server.log());
    serde_json::from_str(answer.text()).unwrap()
}

/// The rows that the API answers for a statement.
async fn rows(server: &Server, database: &str, sql: &str) -> Value {
    let answer = server.api().post(&format!("{D1}/{database}/query"), &json!({ "sql": sql })).await;
    answer.result()[0]["results"].clone()
}

/// A name as a path has it.
const OF_A: &str = "of%20a";

#[tokio::test]
async fn a_script_and_the_api_see_the_same_database_and_another_tenant_does_not() {
    let server = site().serve().await;
    let made = json!([
        ["CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)"],
        ["INSERT INTO t (name) VALUES (?), (?)", "x", "ö"]
    ]);
    let answers = run(&server, "a.test", made).await;
    assert_eq!(answers[1]["success"], true);
    let meta = &answers[1]["meta"];
    assert_eq!(
        (&meta["changes"], &meta["last_row_id"], &meta["changed_db"]),
        (&json!(2), &json!(2), &json!(true))
    );
    assert!(meta["duration"].is_f64() && meta["size_after"].as_u64() >= Some(8_192), "{meta}");
    assert_eq!(
        rows(&server, OF_A, "SELECT * FROM t").await,
        json!([{"id": 1, "name": "x"}, {"id": 2, "name": "ö"}])
    );

    let query = format!("{D1}/{OF_A}/query");
    let put = json!({"sql": "INSERT INTO t (id, name) VALUES (?1, ?2)", "params": [7, true]});
    assert_eq!(server.api().post(&query, &put).await.result()[0]["meta"]["rows_written"], 1);
    let found = run(&server, "a.test", json!([["SELECT name FROM t WHERE id = ?", 7]])).await;
    assert_eq!(found["results"], json!([{"name": "1"}]));
    let batch = json!({"batch": [{"sql": "DELETE FROM t WHERE id = ?", "params": [7]}, {"sql": "SELECT count(*) AS n FROM t"}]});
    assert_eq!(server.api().post(&query, &batch).await.result()[1]["results"], json!([{"n": 2}]));
    let raw = server
        .api()
        .post(&format!("{D1}/{OF_A}/raw"), &json!({"sql": "SELECT id, X'00ff' AS b FROM t; SELECT 2"}))
        .await;
    assert_eq!(
        raw.result()[0]["results"],
        json!({"columns": ["id", "b"], "rows": [[1, [0, 255]], [2, [0, 255]]]})
    );
    assert_eq!(raw.result()[1]["results"]["rows"], json!([[2]]));
    let said = server.api().post(&query, &json!({"sql": "SELECT * FROM missing"})).await;
    assert_eq!(said.refused(400, 7500), "no such table: missing: SQLITE_ERROR");
    server.api().post(&query, &json!({"params": []})).await.refused(400, 10021);

    let of_b = ask(&server, "b.test", "/run", r#"[["SELECT * FROM t"]]"#).await;
    assert_eq!((of_b.status, of_b.text()), (500, "D1_ERROR: no such table: t: SQLITE_ERROR"));
    let refused = ask(&server, "b.test", "/run", r#"[["ATTACH 'd1.sqlite' AS other"]]"#).await;
    assert_eq!(refused.status, 500, "{}", refused.text());
}

#[tokio::test]
async fn javascript_has_the_product_s_interface() {
    let server = site().serve().await;
    assert_eq!(
        told(&server, "a.test", "/types").await,
        json!({"a": null, "b": 1, "c": 1.5, "d": "ö", "e": 1, "f": [1, 2, 3], "g": "integer", "h": "real", "i": 4})
    );
    assert_eq!(
        told(&server, "a.test", "/shapes").await,
        json!([
            {"a": 1, "b": "x"}, "x", null, [[1, "x"], [2, "y"]], [["a", "b"], [1, "x"], [2, "y"]], 2, [[1, 2]]
        ])
    );
    let exec = ask(&server, "a.test", "/exec", "INSERT INTO s VALUES (3, 'z');\nSELECT * FROM s;").await;
    assert!(exec.text().starts_with(r#"{"count":2,"duration":"#), "{}", exec.text());
    let errors = told(&server, "a.test", "/errors").await;
    let said: Vec<&str> = errors.as_array().unwrap().iter().map(|said| said[0].as_str().unwrap()).collect();
    assert_eq!(said[0], "D1_TYPE_ERROR: Type 'undefined' not supported for value 'undefined'");
    assert_eq!(said[1], "D1_TYPE_ERROR: Type 'bigint' not supported for value '10'");
    assert_eq!(said[2], "D1_ERROR: near \"SELEC\": syntax error at offset 0: SQLITE_ERROR");
    assert_eq!(errors[2][1], "near \"SELEC\": syntax error at offset 0: SQLITE_ERROR");
    assert_eq!(said[3], "D1_COLUMN_NOTFOUND: Column not found (b)");
    assert!(said[4].starts_with("D1_EXEC_ERROR: Error in line 2: SELEC 2;: near"), "{}", said[4]);
    assert_eq!(said[5], "D1_ERROR: not authorized: SQLITE_AUTH");
    assert_eq!(said[6], "D1_ERROR: No SQL statements detected.");
    assert!(said[7].starts_with("D1_DUMP_ERROR"), "{}", said[7]);
    assert!(said[8].contains("bookmark"), "{}", said[8]);
    let session = told(&server, "a.test", "/session").await;
    assert_eq!((&session[0], &session[4]), (&Value::Null, &json!(true)));
    assert!(session[1].as_str() < session[2].as_str() && session[2] == session[3], "{session}");
}

#[tokio::test]
async fn a_component_has_it_as_well() {
    let server = site().serve().await;
    for (name, said) in [("Ada", "What a place!"), ("Bob", "it's nice")] {
        let signed = ask(&server, "guests.test", &format!("/?name={name}"), said).await;
        assert_eq!(signed.status, 201, "{}\n{}", signed.text(), server.log());
    }
    assert_eq!(server.get("guests.test", "/").await.text(), "Bob: it's nice\nAda: What a place!\n");
    assert_eq!(server.get("guests.test", "/?word=place").await.text(), "Ada: What a place!\n");
    let refused = ask(&server, "guests.test", "/", "nobody").await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().starts_with("CHECK constraint failed"), "{}", refused.text());
    assert_eq!(rows(&server, "guests", "SELECT count(*) AS n FROM guests").await, json!([{"n": 2}]));
}

#[tokio::test]
async fn what_statements_compute_is_paid_by_whoever_asks() {
    let server = site().serve().await;
    let spun = ask(&server, "slow.test", "/spin", "").await;
    assert_eq!(spun.status, 503, "{}", spun.text());
    assert!(spun.text().contains("limit: CPU time 200 ms"), "{}", spun.text());
    let often = ask(&server, "a.test", "/often", "").await;
    assert!(often.text().contains("subrequests"), "{} {}", often.status, often.text());
    // The neighbour is served.
    run(&server, "b.test", json!([["SELECT 1"]])).await;
}

#[tokio::test]
async fn databases_are_made_listed_shown_and_deleted() {
    let server = site().serve().await;
    let api = server.api();
    let made = api.post(D1, &json!({"name": "new-one", "primary_location_hint": "weur"})).await;
    let uuid = made.result()["uuid"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made.result()["name"], &made.result()["version"]),
        (&json!("new-one"), &json!("production"))
    );
    api.post(D1, &json!({"name": "new-one"})).await.refused(400, 7502);
    api.post(D1, &json!({"name": "a/b"})).await.refused(400, 7400);
    let listed = api.get(&format!("{D1}?per_page=2&page=1")).await;
    assert_eq!(listed.envelope["result_info"]["total_count"], 5);
    assert_eq!(listed.result().as_array().unwrap().len(), 2);
    let found = api.get(&format!("{D1}?name=new")).await;
    assert_eq!(found.result().as_array().unwrap().len(), 1);
    assert_eq!(found.result()[0]["uuid"], uuid);
    rows(&server, "new-one", "CREATE TABLE t (a)").await;
    for name in [uuid.as_str(), "new-one"] {
        let shown = api.get(&format!("{D1}/{name}")).await;
        assert_eq!((&shown.result()["uuid"], &shown.result()["num_tables"]), (&json!(uuid), &json!(1)));
        assert_eq!(shown.result()["file_size"], 8_192);
    }
    let auto = api.patch(&format!("{D1}/{uuid}"), &json!({"read_replication": {"mode": "auto"}})).await;
    assert_eq!(auto.result()["read_replication"]["mode"], "disabled");
    api.delete(&format!("{D1}/{uuid}")).await.result();
    api.get(&format!("{D1}/{uuid}")).await.refused(404, 7404);
    api.post(&format!("{D1}/{uuid}/query"), &json!({"sql": "SELECT 1"})).await.refused(404, 7404);
}
