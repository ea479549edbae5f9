//! What a script may use.

use super::{alone, get};

#[tokio::test]
async fn every_api_of_a_small_worker_is_there() {
    let server = alone(
        r#"
        import greeting from "./greeting.txt";
        const started = Date.now();
        let visits = 0;
        const checks = {
          fresh: () => ++visits,
          started: () => started,
          now: () => Date.now() > 1700000000000,
          url: () => new URL("../b?x=1#y", "https://user:pw@Example.com:8443/a/c").href,
          params: () => { const u = new URL("https://a/?q=1"); u.searchParams.append("é", "2 3"); return u.href; },
          headers: () => [...new Headers({ "X-B": "2", "x-a": " 1 " })].join(";"),
          text: () => new TextDecoder().decode(new TextEncoder().encode("grüße 🎈")),
          digest: async () => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("abc"))).toHex(),
          uuid: () => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
          timers: async () => { const order = []; await Promise.all([30, 10, 20].map((ms) => new Promise((done) => setTimeout(() => { order.push(ms); done(); }, ms)))); return order.join(); },
          clone: () => { const a = { d: new Date(5), m: new Map([[1, new Set([2])]]) }; a.self = a; const b = structuredClone(a); return b !== a && b.self === b && b.d.getTime() === 5 && b.m.get(1).has(2); },
          eval: () => { try { return eval("1"); } catch (e) { return `${e.name}: ${e.message}`; } },
          fn: () => { try { return new Function("return 1")(); } catch (e) { return e.name; } },
          deep: () => { const f = () => f() + 1; try { return f(); } catch (e) { return e.name; } },
          stream: async () => { const t = new TransformStream({ transform(c, k) { k.enqueue(c.toUpperCase()); } }); const w = t.writable.getWriter(); w.write("ab"); w.write("c"); w.close(); let all = ""; for await (const c of t.readable) all += c; return all; },
          form: async () => { const f = new FormData(); f.set("a", "1"); f.set("b", new File(["xyz"], "n.txt")); const r = await new Response(f).formData(); return r.get("a") + (await r.get("b").text()) + r.get("b").name; },
          pattern: () => new URLPattern({ pathname: "/u/:id" }).exec("https://a.test/u/7").pathname.groups.id,
          abort: async () => { const c = new AbortController(); setTimeout(() => c.abort(), 5); try { await scheduler.wait(10000, { signal: c.signal }); } catch (e) { return e.name; } },
          random: () => Math.random() !== Math.random(),
        };
        export default {
          async fetch(request, env, ctx) {
            const name = new URL(request.url).pathname.slice(1);
            if (name === "body") return new Response(await request.text(), { status: 201, headers: { "x-method": request.method } });
            if (name === "stream-out") {
              const body = new ReadableStream({ async start(c) { for (const part of ["one ", "two ", "three"]) { await scheduler.wait(1); c.enqueue(new TextEncoder().encode(part)); } c.close(); } });
              return new Response(body);
            }
            if (name === "never") return new Promise(() => {});
            if (name === "throw") throw new TypeError("on purpose");
            if (name === "nothing") return "a string";
            return Response.json(await checks[name]());
          },
        };
        "#
        .replace("import greeting from \"./greeting.txt\";", "")
        .as_str(),
    )
    .await;
    for (name, expected) in [
        ("fresh", "1"),
        ("fresh", "1"),
        ("started", "0"),
        ("now", "true"),
        ("url", "\"https://user:pw@example.com:8443/b?x=1#y\""),
        ("params", "\"https://a/?q=1&%C3%A9=2+3\""),
        ("headers", "\"x-a,1;x-b,2\""),
        ("text", "\"grüße 🎈\""),
        ("digest", "\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\""),
        ("uuid", "true"),
        ("timers", "\"10,20,30\""),
        ("clone", "true"),
        ("eval", "\"EvalError: Code generation from strings disallowed for this context\""),
        ("fn", "\"EvalError\""),
        ("deep", "\"RangeError\""),
        ("stream", "\"ABC\""),
        ("form", "\"1xyzn.txt\""),
        ("pattern", "\"7\""),
        ("abort", "\"AbortError\""),
        ("random", "true"),
    ] {
        let answer = get(&server, "a.test", &format!("/{name}")).await;
        assert_eq!((answer.status, answer.text()), (200, expected), "{name}: {}", server.log());
    }
    assert_eq!(get(&server, "a.test", "/stream-out").await.text(), "one two three");
    for broken in ["never", "throw", "nothing"] {
        let answer = get(&server, "a.test", &format!("/{broken}")).await;
        assert_eq!(answer.status, 500, "{broken}: {}", answer.text());
        assert!(!answer.text().contains("on purpose"), "visitors are shown a page");
    }
}
