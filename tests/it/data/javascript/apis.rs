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

/// What a script may not do before there is a request, and what it may.
#[tokio::test]
async fn keys_are_made_at_the_top_level_but_nothing_of_chance() {
    let server = super::alone(
        r#"
        const data = new TextEncoder().encode("a");
        const raw = new Uint8Array(32).fill(7);
        const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
        const signature = new Uint8Array(await crypto.subtle.sign("HMAC", key, data)).toHex();
        const refused = [];
        const chance = [
          () => crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]),
          () => crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]),
          () => crypto.subtle.generateKey("Ed25519", true, ["sign"]),
          async () => crypto.getRandomValues(new Uint8Array(1)),
        ];
        for (const work of chance) await work().catch((error) => refused.push(error.message.startsWith("Disallowed operation called within global scope")));
        const { port1, port2 } = new MessageChannel();
        export default {
          async fetch() {
            const again = new Uint8Array(await crypto.subtle.sign("HMAC", key, data)).toHex();
            const made = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]);
            const bytes = new Uint8Array(await crypto.subtle.exportKey("raw", made)).toHex();
            return Response.json([refused, signature === again, bytes, port1 instanceof MessagePort]);
          },
        };
        "#,
    )
    .await;
    let first = get(&server, "a.test", "/").await.text().to_owned();
    let second = get(&server, "a.test", "/").await.text().to_owned();
    assert!(first.starts_with("[[true,true,true,true],true,\""), "{first}: {}", server.log());
    assert!(first.ends_with("\",true]"), "{first}");
    assert_ne!(first, second, "each request has randomness of its own");
}

/// A script that changes what the prelude is made of hurts itself at most, and no other request.
#[tokio::test]
async fn prototypes_that_are_spoiled_show_nothing_of_the_platform_and_are_whole_again_in_the_next_request() {
    let server = super::alone(
        r#"
        export default {
          async fetch(request) {
            const seen = [];
            if (new URL(request.url).pathname === "/spoil") {
              const watch = (object, name) => {
                const before = object[name];
                object[name] = function (...args) { seen.push(...args.filter((each) => typeof each === "object" && each !== null && !(each instanceof Request))); return before.apply(this, args); };
              };
              for (const name of ["push", "map", "filter", "includes", "find"]) watch(Array.prototype, name);
              watch(Map.prototype, "get");
              Object.defineProperty(Object.prototype, "material", { set(value) { seen.push(value); }, configurable: true });
              Object.defineProperty(Object.prototype, "get", { value: () => "spoiled", configurable: true });
            }
            const key = await crypto.subtle.importKey("raw", new Uint8Array(16), "AES-GCM", false, ["encrypt"]);
            const own = seen.filter((each) => each instanceof ArrayBuffer && each.byteLength === 16).length;
            return Response.json([own, typeof {}.get, key.extractable]);
          },
        };
        "#,
    )
    .await;
    for path in ["/", "/spoil", "/", "/spoil", "/"] {
        let answer = get(&server, "a.test", path).await;
        if path == "/" {
            assert_eq!(answer.text(), "[0,\"undefined\",false]", "{}", server.log());
        } else {
            // Own memory is all that it can see: its own key's bytes, and nothing of the host's functions.
            assert!(!answer.text().contains("kvGet"), "{}", answer.text());
        }
    }
}

/// What is not there is named, and at the deployment.
#[tokio::test]
async fn a_module_that_is_not_there_is_named() {
    let server = super::alone("export default { fetch: () => new Response('before') }").await;
    let path = format!("{}/worker", crate::support::PLATFORM_SCRIPTS);
    for name in ["node:fs", "node:net", "fs", "node:nonsense", "cloudflare:sockets", "lodash"] {
        let reply = server
            .api()
            .javascript(&path, &format!("import x from '{name}'; export default {{ fetch() {{}} }}"))
            .await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.envelope);
        let told = format!("No such module \\\"{name}\\\"");
        assert!(reply.envelope.to_string().contains(&told), "{name}: {}", reply.envelope);
    }
    assert_eq!(get(&server, "a.test", "/").await.text(), "before");
}

/// A small text that expands to a large one is there piece by piece, and ends at the memory limit when it is kept.
#[tokio::test]
async fn what_expands_is_bounded_by_its_reader_and_by_the_memory_limit() {
    let server = super::alone(
        r#"
        export default {
          async fetch(request) {
            // A gigabyte of zeros, packed as it is asked for.
            let left = 1024;
            const zeros = new ReadableStream({ pull(controller) { if (left-- > 0) controller.enqueue(new Uint8Array(1 << 20)); else controller.close(); } });
            const back = zeros.pipeThrough(new CompressionStream("gzip")).pipeThrough(new DecompressionStream("gzip"));
            if (new URL(request.url).pathname === "/keep") return new Response(String((await new Response(back).arrayBuffer()).byteLength));
            const reader = back.getReader();
            let most = 0;
            for (let count = 0; count < 20; count++) most = Math.max(most, (await reader.read()).value.byteLength);
            await reader.cancel();
            return new Response(String(most <= 65536 && left > 900));
          },
        };
        "#,
    )
    .await;
    let answer = get(&server, "a.test", "/").await;
    assert_eq!(answer.text(), "true", "{}", server.log());
    let kept = get(&server, "a.test", "/keep").await;
    assert_eq!(kept.status, 503, "{}", kept.text());
    assert!(kept.text().contains("limit: memory 128 MiB"), "{}", kept.text());
}

/// What a made-up request left is there, and nothing of what the script was given or of the time.
#[tokio::test]
async fn a_script_that_was_made_warm_begins_with_what_its_made_up_requests_left() {
    let script = r#"
        import { env as given } from "cloudflare:workers";
        let routes, answered = 0;
        const seen = [];
        export default {
          warm: ["/a?b=c", "/throws", "/waits", "/fetches", "//"],
          async fetch(request, env, ctx) {
            answered++;
            const { pathname, host } = new URL(request.url);
            routes ??= { made: answered, at: Date.now(), env: Object.keys(env), given: Object.keys(given), host };
            seen.push(pathname);
            if (pathname === "/throws") { Promise.reject(new Error("nobody is told")); throw new Error("nor of this"); }
            if (pathname === "/waits") await new Promise(() => {});
            if (pathname === "/fetches") await fetch("https://example.com/");
            return Response.json({ routes, answered, seen });
          },
        };
    "#;
    let config = r#"
        [scripts.worker]
        main = "worker.js"
        vars = { SECRET = "of the settings" }
        [[routes]]
        pattern = "*/*"
        script = "worker"
    "#;
    let server = super::serving(&[("worker.js", script)], config).await;
    for _ in 0..2 {
        let answer = get(&server, "a.test", "/now").await;
        let told: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
        let routes = serde_json::json!({"made": 1, "at": 0, "env": [], "given": [], "host": "warm.invalid"});
        assert_eq!(told["routes"], routes);
        let seen = ["/a", "/throws", "/waits", "/fetches", "/now"];
        assert_eq!((&told["answered"], &told["seen"]), (&seen.len().into(), &serde_json::json!(seen)));
    }
    assert!(
        !server.log().contains("nobody is told") && !server.log().contains("nor of this"),
        "{}",
        server.log()
    );
    // It belongs to the top level, and to its CPU time.
    let endless = "export default { warm: '/', fetch() { for (;;) ; } }";
    let refused =
        server.api().javascript(&format!("{}/worker", crate::support::PLATFORM_SCRIPTS), endless).await;
    assert_eq!(refused.status, 400);
    assert!(
        refused.envelope.to_string().contains("top level takes more than 1000 ms"),
        "{}",
        refused.envelope
    );
}

#[tokio::test]
async fn the_body_of_the_request_is_answered_with_as_it_comes_whoever_stands_before() {
    let echo = r#"
        export default {
          async fetch(request) {
            switch (new URL(request.url).pathname) {
              case "/body": return new Response(request.body);
              case "/init": return new Response(request.body, { status: 201, headers: { "x-a": "1" } });
              case "/clone": { const copy = request.clone(); return new Response(copy.body); }
              case "/response": return new Response(new Response(request.body).body);
              case "/request": return new Response(new Request("https://a.test/", { method: "POST", body: request.body }).body);
            }
          },
        };
    "#;
    let config = r#"
        [limits]
        cpu_ms = 10000
        [scripts.edge]
        main = "edge.js"
        bindings = [{ type = "service", name = "NEXT", service = "echo" }]
        [scripts.echo]
        main = "echo.js"
        [[routes]]
        pattern = "direct.test/*"
        script = "echo"
        [[routes]]
        pattern = "behind.test/*"
        script = "edge"
    "#;
    let edge = "export default { fetch: (request, env) => env.NEXT.fetch(request) };";
    let server = super::serving(&[("echo.js", echo), ("edge.js", edge)], config).await;
    let sent: String = (0..60_000).map(|number| format!("{number} ")).collect();
    for host in ["direct.test", "behind.test"] {
        for (path, status) in
            [("/body", 200), ("/init", 201), ("/clone", 200), ("/response", 200), ("/request", 200)]
        {
            let request = crate::support::request(http::Method::POST, host, path);
            let answer = server.send(request.body(crate::support::body(sent.clone())).unwrap()).await;
            assert_eq!(answer.status, status, "{host}{path}: {}", answer.text());
            assert!(answer.text() == sent, "{host}{path}: {} bytes", answer.body.len());
        }
    }
}
