//! Components that are small to send and dear to compile, or large in one respect. Made by code: nothing of it
//! is a file. Owns shapes and sizes; must never know which of them is refused.

/// A component around the fields of a core module. It exports something under the handler's name, so that it is compiled;
/// that this handles nothing is found out afterwards.
pub fn module(fields: &str) -> Vec<u8> {
    let export = r#"(instance $nothing) (export "wasi:http/incoming-handler@0.2.0" (instance $nothing))"#;
    wat::parse_str(format!("(component (core module {fields}) {export})")).unwrap()
}

/// One function with loops in loops, whose innermost one changes every local: each loop needs to know of each
/// local, so the work grows with the product.
pub fn nested_loops(loops: usize, locals: usize) -> Vec<u8> {
    let changes = (0..locals)
        .fold(String::new(), |all, n| all + &format!("local.get {n} i32.const 1 i32.add local.set {n} "));
    module(&format!(
        "(func (local{}) {}{changes}{})",
        " i32".repeat(locals),
        "loop ".repeat(loops),
        "end ".repeat(loops)
    ))
}

/// One function with this many branches in a row: within every bound, and seconds of work.
pub fn branches(count: usize) -> Vec<u8> {
    let branch = "local.get 0 if local.get 1 local.get 0 i32.add local.set 1 end ";
    module(&format!("(func (param i32) (result i32) (local i32) {}local.get 1)", branch.repeat(count)))
}

/// One function that changes all its locals when this many blocks are behind it: for each of them the compiler keeps
/// a list as long as the blocks. Gigabytes for a small part of a second.
pub fn late_changes(blocks: usize, locals: usize) -> Vec<u8> {
    let changes = (0..locals).fold(String::new(), |all, n| all + &format!("i32.const 0 local.set {n} "));
    let blocks = "i32.const 0 if end ".repeat(blocks);
    module(&format!("(func (local{}) {blocks}{changes})", " i32".repeat(locals)))
}

/// Components in a row, each of which makes two instances of the one before: two to this power in all.
pub fn doubling(links: usize) -> Vec<u8> {
    let chain = (1..=links).fold(String::new(), |all, n| {
        let last = n - 1;
        let twice = format!("(instance (instantiate $c{last})) (instance (instantiate $c{last}))");
        all + &format!("(component $c{n} (alias outer 1 {last} (component $c{last})) {twice})")
    });
    let first = "(component $c0 (core module $m) (core instance (instantiate $m)))";
    wat::parse_str(format!("(component {first} {chain} (instance (instantiate $c{links})))")).unwrap()
}
