//! Keys and values of a script: values of every form and size, whole and in pieces.

use serde_json::{Value, json};

use super::{get, serving};
use crate::support::Server;

const SCRIPT: &str = r#"
const MIB = 1 << 20;
const sized = (bytes) => {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      const length = Math.min(left, 100_000);
      if (length === 0) { controller.close(); return; }
      left -= length;
      controller.enqueue(new Uint8Array(length).fill(7));
    },
  });
};
const length = async (stream) => {
  let bytes = 0;
  for await (const piece of stream) bytes += piece.byteLength;
  return bytes;
};
const error = async (work) => { try { await work(); return "none"; } catch (error) { return error.message; } };

const answers = {
  forms: async (KV) => {
    await KV.put("text", "two litres", { metadata: { by: "me" }, expirationTtl: 60 });
    const { value, metadata } = await KV.getWithMetadata("text", "stream");
    const text = await new Response(value).text();
    await KV.put("json", JSON.stringify({ a: [1] }));
    const buffer = await KV.get("text", "arrayBuffer");
    return [text, metadata, await KV.get("json", { type: "json" }), buffer.byteLength, await KV.get("none", "stream"),
      await error(() => KV.get("text", "bytes"))];
  },
  large: async (KV) => {
    await KV.put("whole", new Uint8Array(3 * MIB).fill(7));
    await KV.put("streamed", sized(2 * MIB + 5), { metadata: 1 });
    const { keys } = await KV.list();
    return [await length(await KV.get("whole", "stream")), (await KV.get("streamed", "arrayBuffer")).byteLength, keys];
  },
  "too-large": async (KV) => {
    const refused = await error(() => KV.put("k", sized(25 * MIB + 1)));
    await KV.put("k", sized(25 * MIB));
    return [refused, await length(await KV.get("k", "stream"))];
  },
  failing: async (KV) => {
    const broken = new ReadableStream({ pull(controller) { controller.enqueue(new Uint8Array(9)); controller.error(new Error("broken")); } });
    return [await error(() => KV.put("broken", broken)), await KV.get("broken")];
  },
  "left-alone": async (KV) => {
    await KV.put("k", new Uint8Array(2 * MIB));
    // What is never read holds nothing once it is let go of.
    for (let n = 0; n < 40; n++) await (await KV.get("k", "stream")).cancel();
    return "ok";
  },
  "held": async (KV) => {
    await KV.put("k", new Uint8Array(8 * MIB));
    const held = [];
    for (let n = 0; n < 40; n++) held.push(await KV.get("k", "stream"));
    return held.length;
  },
};
export default {
  fetch: async (request, { KV }) => Response.json(await answers[new URL(request.url).pathname.slice(1)](KV)),
};
"#;

const CONFIG: &str = r#"
    [limits]
    cpu_ms = 20000
    subrequests = 100
    [scripts.worker]
    main = "worker.js"
    kv_namespaces = [{ binding = "KV", title = "of worker" }]
    [[routes]]
    pattern = "a.test/*"
    script = "worker"
"#;

async fn served() -> Server {
    serving(&[("worker.js", SCRIPT)], CONFIG).await
}

async fn said(server: &Server, path: &str) -> Value {
    let answer = get(server, "a.test", path).await;
    assert_eq!(answer.status, 200, "{path}: {}\n{}", answer.text(), server.log());
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_value_is_given_in_the_form_that_is_asked_for() {
    let server = served().await;
    let unknown =
        "Unknown response type. Possible types are \"text\", \"arrayBuffer\", \"json\", and \"stream\".";
    let expected = json!(["two litres", {"by": "me"}, {"a": [1]}, 10, null, unknown]);
    assert_eq!(said(&server, "/forms").await, expected);
}

#[tokio::test]
async fn values_of_many_pieces_come_back_whole() {
    let server = served().await;
    let keys = json!([{"name": "streamed", "metadata": 1}, {"name": "whole"}]);
    assert_eq!(said(&server, "/large").await, json!([3 << 20, (2 << 20) + 5, keys]));
    let expected =
        json!(["the value has 26214401 bytes, and at most 26214400 are allowed; make it shorter", 25 << 20]);
    let told = said(&server, "/too-large").await;
    assert_eq!(told[1], expected[1]);
    assert!(told[0].as_str().unwrap().ends_with("at most 26214400 are allowed; make it shorter"), "{told}");
}

#[tokio::test]
async fn what_breaks_while_it_is_written_is_not_put() {
    assert_eq!(said(&served().await, "/failing").await, json!(["broken", null]));
}

#[tokio::test]
async fn what_the_host_holds_of_values_is_memory_of_the_script() {
    let server = served().await;
    assert_eq!(said(&server, "/left-alone").await, "ok");
    let held = get(&server, "a.test", "/held").await;
    assert_eq!(held.status, 503, "{}", held.text());
}
