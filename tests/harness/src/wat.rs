//! Tiny components in text form, compiled in milliseconds: for tests that need many of them, or shapes that no
//! toolchain makes. Owns the text; must never need a build step.

const TYPES: &str = include_str!("wasi_http.wat");

/// A worker that answers every request with this text.
pub fn answer(text: &str) -> Vec<u8> {
    worker(
        &format!(r#"(data (i32.const 1024) "{}")"#, escaped(text)),
        &format!(
            r"(local $response i32) (local $body i32) (local $stream i32)
            (local.set $response (call $response (call $fields)))
            (call $body (local.get $response) (i32.const 0))
            (local.set $body (i32.load (i32.const 4)))
            (call $set (local.get $out) (i32.const 0) (local.get $response) (i32.const 0) (i64.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
            (call $write (local.get $body) (i32.const 0))
            (local.set $stream (i32.load (i32.const 4)))
            (call $send (local.get $stream) (i32.const 1024) (i32.const {}) (i32.const 0))
            (call $drop-stream (local.get $stream))
            (call $finish (local.get $body) (i32.const 0) (i32.const 0) (i32.const 64))",
            text.len()
        ),
    )
}

/// A worker with fields of its own in its core module, and this for a handler.
pub fn custom(module: &str, body: &str) -> Vec<u8> {
    worker(module, body)
}

/// A worker that does this, and then answers with an empty body.
pub fn answers_after(module: &str, body: &str) -> Vec<u8> {
    worker(
        module,
        &format!(
            r"{body}
            (call $set (local.get $out) (i32.const 0) (call $response (call $fields)) (i32.const 0) (i64.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))"
        ),
    )
}

/// A worker that returns without an answer.
pub fn silent() -> Vec<u8> {
    worker("", "")
}

/// A worker that traps before it can be given a request.
pub fn traps_at_start() -> Vec<u8> {
    worker("(start $boom) (func $boom unreachable)", "")
}

/// A component without anything in it.
pub fn empty_component() -> Vec<u8> {
    wat::parse_str("(component)").unwrap()
}

/// A component that wants something that no platform gives.
pub fn unknown_import() -> Vec<u8> {
    let import = r#"(import "acme:vault/door@1.0.0" (instance (export "open" (func))))"#;
    wat::parse_str(TYPES.replace(";; imports", import).replace(";; module", "").replace(";; body", ""))
        .unwrap()
}

/// A component for WASI 0.3, as its toolchains make it: it needs a proposal that no engine of ours has on.
pub fn wasi_0_3() -> Vec<u8> {
    wat::parse_str(
        r#"(component
            (import "wasi:http/types@0.3.0" (instance
                (type (stream u8))
                (export "request" (type (sub resource)))))
            (instance $handler)
            (export "wasi:http/handler@0.3.0" (instance $handler)))"#,
    )
    .unwrap()
}

/// A core module.
pub fn core_module() -> Vec<u8> {
    wat::parse_str("(module)").unwrap()
}

fn worker(module: &str, body: &str) -> Vec<u8> {
    wat::parse_str(TYPES.replace(";; module", module).replace(";; body", body)).unwrap()
}

fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("\\{byte:02x}")).collect()
}
