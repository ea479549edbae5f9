//! Scripts in JavaScript that would like to harm somebody: a row each, what becomes of the request, and that the neighbour is
//! served as before.

use super::{get, serving};
use crate::support::Answer;

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It is answered, with this.
    Says(&'static str),
    /// The script meets its limit of CPU time or memory.
    Limit,
    /// It fails, one way or the other: as an error of the script's, or by a limit.
    Fails,
}

const CONFIG: &str = r#"
    [limits]
    cpu_ms = 150
    memory = "64MiB"
    [namespaces.production.scripts.attacker]
    main = "attacker.js"
    [namespaces.production.scripts.neighbour]
    main = "neighbour.js"
    [[routes]]
    pattern = "*.apps.test/*"
    namespace = "production"
"#;

const NEIGHBOUR: &str = "
    const seen = Object.getOwnPropertyNames(Object.prototype).concat(Object.getOwnPropertyNames(Array.prototype)).length;
    export default { fetch: () => new Response(`neighbour ${seen === Object.getOwnPropertyNames(Object.prototype).concat(Object.getOwnPropertyNames(Array.prototype)).length}`) };
";

/// Name, code of an asynchronous function, end.
const ATTACKS: &[(&str, &str, End)] = &[
    ("an endless loop", "for (;;);", End::Limit),
    ("endless microtasks", "for (;;) await null;", End::Limit),
    (
        "a chain of promises without end",
        "await new Promise(() => { const again = () => Promise.resolve().then(again); again(); });",
        End::Limit,
    ),
    ("a getter that computes", "({ get a() { for (;;); } }).a;", End::Limit),
    ("a proxy that computes", "new Proxy({}, { get() { for (;;); } }).a;", End::Limit),
    ("a generator without end", "for (const _ of (function* () { for (;;) yield 1; })());", End::Limit),
    ("a text made by a function that computes", "`${{ toString() { for (;;); } }}`;", End::Limit),
    ("a comparison that computes", "[3, 1, 2].sort(() => { for (;;); });", End::Limit),
    (
        "a large sort",
        "for (;;) Array.from({ length: 50000 }, (_, i) => (i * 7919) % 50000).sort((a, b) => a - b);",
        End::Limit,
    ),
    ("a replacement that computes", "'a'.replace(/a/, () => { for (;;); });", End::Limit),
    ("a regular expression that tries everything", "/^(a+)+$/.test('a'.repeat(60) + 'b');", End::Limit),
    ("a large number", "let x = 3n; for (;;) x *= x;", End::Fails),
    ("the digits of a large number", "for (;;) String(7n ** 100000n);", End::Limit),
    ("much JSON", "for (;;) JSON.parse('[' + '{},'.repeat(100000) + '1]');", End::Limit),
    ("JSON of a hundred megabytes", "JSON.parse('[' + '1,'.repeat(50000000) + '1]');", End::Fails),
    (
        "deep JSON that is read",
        "try { JSON.parse('['.repeat(1000000)); } catch (error) { return error.name; }",
        End::Fails,
    ),
    (
        "deep JSON that is written",
        "let deep = []; for (let i = 0; i < 100000; i++) deep = [deep]; JSON.stringify(deep);",
        End::Fails,
    ),
    ("a deep toJSON", "const a = { toJSON: () => JSON.stringify(a) }; JSON.stringify(a);", End::Fails),
    (
        "a deep text of lists",
        "const a = []; const b = [a]; a.push({ toString: () => String(b) }); String(b);",
        End::Fails,
    ),
    (
        "a regular expression of many groups",
        "new RegExp('('.repeat(20000) + ')'.repeat(20000)).test('a');",
        End::Fails,
    ),
    (
        "recursion",
        "const f = () => f() + 1; try { f(); } catch (error) { return error.name; }",
        End::Says("RangeError"),
    ),
    (
        "recursion by getters",
        "const o = { get a() { return this.a; } }; try { o.a; } catch (error) { return error.name; }",
        End::Says("RangeError"),
    ),
    (
        "recursion by a proxy",
        "const p = new Proxy({}, { get: (_, name, self) => self[name] }); try { p.a; } catch (error) { return error.name; }",
        End::Says("RangeError"),
    ),
    ("a text that doubles", "let text = 'x'; for (;;) text += text;", End::Fails),
    ("lists without end", "const all = []; for (;;) all.push(new Array(1000).fill(all));", End::Limit),
    (
        "buffers without end",
        "const all = []; for (;;) all.push(new Uint8Array(1 << 20).fill(1));",
        End::Fails,
    ),
    (
        "a buffer that is larger than memory",
        "try { new ArrayBuffer(2 ** 31); } catch (error) { return error.name; }",
        End::Says("RangeError"),
    ),
    (
        "an iterator without end in a list",
        "[...{ [Symbol.iterator]: () => ({ next: () => ({ done: false, value: {} }) }) }];",
        End::Limit,
    ),
    (
        "many promises that wait",
        "const all = []; for (let i = 0; i < 20000; i++) all.push(new Promise(() => {})); return 'many';",
        End::Says("many"),
    ),
    ("waiting for nothing", "await new Promise(() => {});", End::Fails),
    (
        "a rejection that nobody handles",
        "Promise.reject(new Error('nobody')); return 'answered';",
        End::Says("answered"),
    ),
    (
        "work behind the answer that waits for nothing",
        "ctx.waitUntil(new Promise(() => {})); return 'answered';",
        End::Says("answered"),
    ),
    (
        "work behind the answer that computes",
        "ctx.waitUntil(scheduler.wait(1).then(() => { for (;;); })); return 'answered';",
        End::Says("answered"),
    ),
    ("a thenable instead of an answer", "return { then() { for (;;); } };", End::Limit),
    (
        "a then on lists",
        "Array.prototype.then = function (done) { done('stolen'); }; return typeof await [1];",
        End::Says("string"),
    ),
    (
        "a setter on all objects",
        "let stolen = 0; for (const name of ['host', 'handle', 'value', 'status', 'then']) Object.defineProperty(Object.prototype, name, { __proto__: null, set() { stolen++; }, get() { return undefined; }, configurable: true }); return new Response('still ' + stolen);",
        End::Says("still 0"),
    ),
    (
        "other functions in place of the prelude's",
        "Map.prototype.get = Map.prototype.set = Array.prototype.push = () => { throw new Error('mine'); }; return 'x';",
        End::Says("x"),
    ),
    (
        "the engine's own doors",
        "return [typeof globalThis.host, typeof globalThis.prelude, typeof globalThis[Symbol.for('wasmyard.part')], typeof import.meta.host].join();",
        End::Says("undefined,undefined,undefined,undefined"),
    ),
    (
        "handles of somebody else's",
        "try { return String(Request._incoming?.(7).url); } catch (error) { return 'refused'; }",
        End::Says("refused"),
    ),
    (
        "code made of text",
        "return [() => eval('1'), () => new Function('1'), () => (async () => {}).constructor('1'), () => Reflect.construct(Function, ['1'])].map((make) => { try { make(); return 'made'; } catch (error) { return error.name; } }).join();",
        End::Says("EvalError,EvalError,EvalError,EvalError"),
    ),
];

fn attacker() -> String {
    let cases: String = ATTACKS
        .iter()
        .map(|(name, code, _)| format!("  {name:?}: async (request, env, ctx) => {{ {code} }},\n"))
        .collect();
    format!(
        "const attacks = {{\n{cases}}};\n\
         export default {{ async fetch(request, env, ctx) {{\n\
         \x20 const attack = attacks[decodeURIComponent(new URL(request.url).pathname.slice(1))];\n\
         \x20 const said = await attack(request, env, ctx);\n\
         \x20 return said instanceof Response ? said : new Response(String(said));\n}} }};\n"
    )
}

fn matches(end: End, answer: &Answer) -> bool {
    match end {
        End::Says(text) => answer.status == 200 && answer.text() == text,
        End::Limit => answer.status == 503 && answer.text().contains("1102"),
        End::Fails => answer.status >= 500,
    }
}

#[tokio::test]
async fn whatever_a_script_does_its_request_ends_and_the_neighbour_is_served() {
    let server = serving(&[("attacker.js", &attacker()), ("neighbour.js", NEIGHBOUR)], CONFIG).await;
    let mut wrong = Vec::new();
    for (name, _, end) in ATTACKS {
        let path = format!("/{}", name.replace(' ', "%20"));
        let answer = get(&server, "attacker.apps.test", &path).await;
        if !matches(*end, &answer) {
            wrong.push(format!("{name}: {end:?}, and it was {} {}", answer.status, answer.text()));
        }
        let neighbour = get(&server, "neighbour.apps.test", "/").await;
        assert_eq!((neighbour.status, neighbour.text()), (200, "neighbour true"), "after {name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
