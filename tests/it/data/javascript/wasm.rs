//! Wasm modules in a script: `import module from "./module.wasm"`.

use serde_json::{Value, json};

use super::get;
use crate::support::{Server, Site};

const MODULE: &str = r#"
(module
  (type $binary (func (param i32 i32) (result i32)))
  (import "env" "told" (func $told (param i32 i64 f32 f64) (result i32)))
  (import "env" "throws" (func $throws))
  (import "env" "base" (global $base i32))
  (import "env" "shared" (memory 1 10))
  (import "env" "calls_back" (func $calls_back (param i32) (result i32)))
  (memory $own (export "memory") 1 4)
  (table (export "table") 4 funcref)
  (elem (i32.const 0) $add $sub)
  (global (export "counter") (mut i32) (i32.const 7))
  (global (export "constant") i64 (i64.const -5))
  (func $add (export "add") (type $binary) (i32.add (local.get 0) (local.get 1)))
  (func $sub (type $binary) (i32.sub (local.get 0) (local.get 1)))
  (func (export "indirect") (param i32 i32 i32) (result i32) (call_indirect (type $binary) (local.get 1) (local.get 2) (local.get 0)))
  (func (export "tell") (result i32) (call $told (i32.const -1) (i64.const 9007199254740993) (f32.const 0.5) (f64.const 0.1)))
  (func (export "throw") (call $throws))
  (func (export "trap") unreachable)
  (func (export "divide") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load $own (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store $own (local.get 0) (local.get 1)))
  (func (export "grow") (param i32) (result i32) (memory.grow $own (local.get 0)))
  (func (export "based") (param i32) (result i32) (i32.add (global.get $base) (local.get 0)))
  (func (export "wide") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 2)))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const 2))
  (func (export "back") (param i32) (result i32) (call $calls_back (local.get 0)))
  (func $deep (export "deep") (call $deep))
  (func (export "spin") (loop (br 0)))
  (func (export "sum") (param i32) (result i32) (local i32)
    (loop (local.set 1 (i32.add (local.get 1) (local.get 0))) (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 1))
)
"#;

const SCRIPT: &str = r#"
import module from "./lib/module.wasm";
import { Buffer } from "node:buffer";
const made = [];
const imports = (more = {}) => ({ env: {
  told: (...given) => { made.push(given.map((each) => `${typeof each} ${each}`).join()); return 41.9; },
  throws: () => { throw new RangeError("from JavaScript"); },
  base: 100, shared: new WebAssembly.Memory({ initial: 1, maximum: 10 }), calls_back: (left) => left, ...more } });
const early = new WebAssembly.Instance(module, imports());
early.exports.store(16, 1234);
const failed = (work) => { try { return work(); } catch (error) { return `${error.name}: ${error.message}`; } };
const later = async (work) => { try { return await work(); } catch (error) { return `${error.name}: ${error.message}`; } };
const cases = {
  add: () => early.exports.add(2, 3.7),
  wraps: () => early.exports.add(2147483647, 1),
  kept: () => { const before = early.exports.load(16); early.exports.store(16, 1); return before; },
  tell: () => [early.exports.tell(), made.at(-1)],
  throws: () => failed(() => early.exports.throw()),
  traps: () => [failed(() => early.exports.trap()), failed(() => early.exports.divide(0)), failed(() => early.exports.load(70000)), failed(() => early.exports.load(-1)), failed(() => early.exports.indirect(3, 1, 1))],
  is_runtime_error: () => { try { early.exports.trap(); } catch (error) { return error instanceof WebAssembly.RuntimeError && error instanceof Error; } },
  indirect: () => [early.exports.indirect(0, 5, 3), early.exports.indirect(1, 5, 3)],
  based: () => early.exports.based(5),
  wide: () => [String(early.exports.wide(4611686018427387904n)), failed(() => early.exports.wide(1)).split(":")[0]],
  two: () => early.exports.two().map(String),
  view: () => { const bytes = new Uint8Array(early.exports.memory.buffer); bytes[100] = 9; early.exports.store(104, 0x01020304); return [early.exports.load(100), bytes[104], early.exports.memory.buffer === early.exports.memory.buffer]; },
  grown: () => { const { memory, grow, load } = early.exports; const before = memory.buffer; memory.grow(1); const between = memory.buffer; const own = grow(1); return [before.byteLength, between.byteLength, own, memory.buffer.byteLength, load(16), failed(() => memory.grow(100))]; },
  table: () => { const { table } = early.exports; const sub = table.get(1); table.set(2, sub); return [table.length, sub(9, 4), early.exports.indirect(2, 9, 4), table.get(3), failed(() => table.get(4)), failed(() => table.set(0, () => 1)), table.grow(2), table.length]; },
  globals: () => { const { counter, constant } = early.exports; counter.value = 9; return [counter.value, String(constant.value), failed(() => { constant.value = 1n; }), new WebAssembly.Global({ value: "f64", mutable: true }, 1.5).value]; },
  instance: async () => { const shared = new WebAssembly.Memory({ initial: 1, maximum: 10 }); const instance = await WebAssembly.instantiate(module, imports({ shared, base: new WebAssembly.Global({ value: "i32" }, 1000) })); return [instance instanceof WebAssembly.Instance, instance.exports.based(1), Object.isFrozen(instance.exports), Object.keys(instance.exports).length]; },
  nested: () => { let instance; instance = new WebAssembly.Instance(module, imports({ calls_back: (left) => (left === 0 ? 0 : 1 + instance.exports.back(left - 1)) })); return [instance.exports.back(20), failed(() => instance.exports.back(100000))]; },
  moved_within: () => { let instance; const seen = []; instance = new WebAssembly.Instance(module, imports({ calls_back: (pages) => { const before = instance.exports.memory.buffer; instance.exports.grow(pages); seen.push(before.byteLength, instance.exports.memory.buffer.byteLength); return 1; } })); instance.exports.back(2); return seen; },
  deep: () => failed(() => early.exports.deep()),
  missing: () => [failed(() => new WebAssembly.Instance(module)), failed(() => new WebAssembly.Instance(module, {})), failed(() => new WebAssembly.Instance(module, imports({ told: 5 }))), failed(() => new WebAssembly.Instance(module, imports({ shared: new WebAssembly.Memory({ initial: 0, maximum: 10 }) }))).split(":")[0]],
  refused: async () => [failed(() => new WebAssembly.Module(new Uint8Array(8))), await later(() => WebAssembly.compile(new Uint8Array(8))), await later(() => WebAssembly.instantiate(new Uint8Array(8)))],
  validate: () => [WebAssembly.validate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0])), WebAssembly.validate(new Uint8Array(8))],
  described: () => [WebAssembly.Module.imports(module)[0], WebAssembly.Module.exports(module).length, Object.prototype.toString.call(module), Object.prototype.toString.call(WebAssembly)],
  names: () => [early.exports.add.length, typeof early.exports.add.name],
  spin: () => early.exports.spin(),
  sum: () => { const before = performance.now(); return early.exports.sum(10000); },
  buffer_of_memory: () => Buffer.from(early.exports.memory.buffer, 16, 4).readInt32LE(),
};
export default {
  async fetch(request) {
    const name = new URL(request.url).pathname.slice(1);
    return Response.json((await cases[name]()) ?? null);
  },
};
"#;

async fn serving(limit: &str) -> Server {
    let site = Site::new(&format!(
        r#"
        [limits]
        cpu_ms = {limit}
        [scripts.worker]
        main = "worker.js"
        [[routes]]
        pattern = "*/*"
        script = "worker"
        "#
    ));
    site.write("worker.js", SCRIPT);
    site.write("lib/module.wasm", wat::parse_str(MODULE).unwrap());
    site.serve().await
}

#[tokio::test]
async fn a_module_does_what_webassembly_says() {
    let server = serving("20000").await;
    for (name, expected) in [
        ("add", json!(5)),
        ("wraps", json!(-2_147_483_648_i64)),
        ("kept", json!(1234)),
        // Each request begins with what the top level left.
        ("kept", json!(1234)),
        ("tell", json!([41, "number -1,bigint 9007199254740993,number 0.5,number 0.1"])),
        ("throws", json!("RangeError: from JavaScript")),
        (
            "traps",
            json!([
                "RuntimeError: unreachable",
                "RuntimeError: divide by zero",
                "RuntimeError: memory access out of bounds",
                "RuntimeError: memory access out of bounds",
                "RuntimeError: null function or function signature mismatch"
            ]),
        ),
        ("is_runtime_error", json!(true)),
        ("indirect", json!([8, 2])),
        ("based", json!(105)),
        ("wide", json!(["-9223372036854775808", "TypeError"])),
        ("two", json!(["1", "2"])),
        ("view", json!([9, 4, true])),
        (
            "grown",
            json!([
                0,
                0,
                2,
                196_608,
                1234,
                "RangeError: WebAssembly.Memory.grow(): Maximum memory size exceeded"
            ]),
        ),
        (
            "table",
            json!([
                4,
                5,
                5,
                null,
                "RangeError: WebAssembly.Table.get(): invalid address in funcref table",
                "TypeError: WebAssembly objects are opaque: function-typed object expected",
                4,
                6
            ]),
        ),
        (
            "globals",
            json!([
                9,
                "-5",
                "TypeError: set WebAssembly.Global.value: Can't set the value of an immutable global.",
                1.5
            ]),
        ),
        ("instance", json!([true, 1001, true, 20])),
        ("nested", json!([20, "RangeError: Maximum call stack size exceeded"])),
        ("moved_within", json!([0, 196_608])),
        ("deep", json!("RangeError: Maximum call stack size exceeded")),
        (
            "missing",
            json!([
                "TypeError: WebAssembly.Instance(): Imports argument must be present and must be an object",
                "TypeError: WebAssembly.Instance(): Import #0 \"env\": module is not an object or function",
                "LinkError: WebAssembly.Instance(): Import #0 \"env\" \"told\": function import requires a callable",
                "LinkError"
            ]),
        ),
        (
            "refused",
            json!([
                "CompileError: WebAssembly.Module(): Wasm code generation disallowed by embedder",
                "CompileError: WebAssembly.compile(): Wasm code generation disallowed by embedder",
                "CompileError: WebAssembly.instantiate(): Wasm code generation disallowed by embedder"
            ]),
        ),
        ("validate", json!([true, false])),
        (
            "described",
            json!([
                {"module": "env", "name": "told", "kind": "function"},
                20,
                "[object WebAssembly.Module]",
                "[object WebAssembly]"
            ]),
        ),
        ("names", json!([2, "string"])),
        ("sum", json!(50_005_000)),
        ("buffer_of_memory", json!(1234)),
    ] {
        let answer = get(&server, "a.test", &format!("/{name}")).await;
        let gave: Value = serde_json::from_slice(&answer.body)
            .unwrap_or_else(|_| panic!("{name}: {} {}", answer.text(), server.log()));
        assert_eq!(gave, expected, "{name}");
    }
}

/// What runs in a module is the script's CPU time.
#[tokio::test]
async fn a_loop_in_a_module_ends_at_the_scripts_limit() {
    let server = serving("100").await;
    let answer = get(&server, "a.test", "/spin").await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("CPU"), "{}", answer.text());
    let after = get(&server, "a.test", "/add").await;
    assert_eq!(after.text(), "5");
}

#[tokio::test]
async fn what_is_no_module_is_refused_when_it_is_uploaded() {
    let server = serving("20000").await;
    let path = format!("{}/worker", crate::support::PLATFORM_SCRIPTS);
    for (bytes, says) in [
        (b"no module at all".to_vec(), "CompileError"),
        (wat::parse_str("(module (func (result i32)))").unwrap(), "CompileError"),
    ] {
        let main = reqwest::multipart::Part::text("import m from './m.wasm'; export default { fetch() {} }");
        let main = main.file_name("w.js").mime_str("application/javascript+module").unwrap();
        let module =
            reqwest::multipart::Part::bytes(bytes).file_name("m.wasm").mime_str("application/wasm").unwrap();
        let form = reqwest::multipart::Form::new()
            .text("metadata", r#"{"main_module": "w.js"}"#)
            .part("w.js", main)
            .part("m.wasm", module);
        let refused = server.api().form(&path, form).await;
        assert_eq!(refused.status, 400, "{}", refused.envelope);
        assert!(refused.envelope.to_string().contains(says), "{}", refused.envelope);
    }
    assert_eq!(get(&server, "a.test", "/add").await.text(), "5", "what is refused changes nothing");
}
