//! What is refused before it can run: each with its reason, while the neighbour is served.

use crate::support::{Server, Site, bombs, guest, script_path, wat};

struct Refused {
    what: &'static str,
    component: fn() -> Vec<u8>,
    /// What the refusal must say.
    says: &'static [&'static str],
}

const fn refused(what: &'static str, component: fn() -> Vec<u8>, says: &'static [&'static str]) -> Refused {
    Refused { what, component, says }
}

/// One function with this body.
fn function(body: &str) -> Vec<u8> {
    bombs::module(&format!("(func {body})"))
}

const ROWS: &[Refused] = &[
    refused(
        "spins in start-up",
        || wat::custom("(start $spin) (func $spin (loop (br 0)))", ""),
        &["start-up", "CPU"],
    ),
    refused("traps in start-up", wat::traps_at_start, &["start-up", "unreachable"]),
    refused(
        "recurses in start-up",
        || wat::custom("(start $down) (func $down (call $down))", ""),
        &["start-up", "call stack"],
    ),
    refused(
        "grows in start-up",
        || wat::custom("(start $grow) (func $grow (loop (drop (memory.grow (i32.const 1))) (br 0)))", ""),
        &["start-up", "memory"],
    ),
    refused(
        "asks for 4 GiB at the start",
        || bombs::module("(memory 65536)"),
        &["4294967296 bytes of memory", "memory_bytes"],
    ),
    refused(
        "asks for a page more than the ceiling",
        || bombs::module("(memory 2049)"),
        &["134283264 bytes of memory", "134217728"],
    ),
    refused(
        "has 100,000 functions",
        || bombs::module(&"(func)".repeat(100_000)),
        &["100000 functions", "65536", "(functions)"],
    ),
    refused(
        "nests blocks deeply",
        || function(&("block ".repeat(10_000) + &"end ".repeat(10_000))),
        &["4097 blocks nested", "function_nesting"],
    ),
    refused(
        "nests components deeply",
        || ::wat::parse_str(format!("{}{}", "(component ".repeat(60), ")".repeat(60))).unwrap(),
        &["9 components nested", "component_depth"],
    ),
    refused(
        "is a bomb of loops and locals",
        || bombs::nested_loops(3_000, 1_000),
        &["3000000", "function_loops_by_locals"],
    ),
    refused(
        "has one giant function",
        || function(&"nop ".repeat(2 << 20)),
        &["2097154 bytes in one function", "function_bytes"],
    ),
    refused(
        "has 50,000 locals",
        || function(&format!("(local{})", " i64".repeat(50_000))),
        &["50000 locals", "function_locals"],
    ),
    refused(
        "has a giant data segment",
        || bombs::module(&format!("(data \"{}\")", "x".repeat(33 << 20))),
        &["34603008 bytes in data segments", "data_bytes"],
    ),
    refused(
        "has a table for a million functions",
        || bombs::module("(table 1000000 funcref)"),
        &["1000000 elements", "table_elements"],
    ),
    // Within every bound, and stopped by the compiler's process: the whole of its address space, not a smaller one.
    refused(
        "takes 2 GiB to compile",
        || bombs::late_changes(100_000, 9_000),
        &["more than 2048 MiB of memory to compile", "compile_memory_bytes"],
    ),
    refused("unfolds to a million instances", || bombs::doubling(20), &["instances", "core_instances"]),
    refused("uses threads", || bombs::module("(memory 1 1 shared)"), &["not valid", "threads"]),
];

async fn server() -> Server {
    let config = format!(
        "[namespaces.production]\n[scripts.neighbour]\n{}\n[[routes]]\npattern = \"neighbour.test/*\"\nscript = \"neighbour\"\n",
        guest::main("hello")
    );
    Site::with_own_artifacts(&config).serve().await
}

#[tokio::test]
async fn what_would_harm_before_it_runs_is_refused_with_its_reason() {
    let server = server().await;
    for row in ROWS {
        let api = server.api();
        let component = (row.component)();
        let uploaded = tokio::spawn(async move { api.deploy("attack", component).await });
        let mut neighbour = server.connect().await;
        loop {
            assert_eq!(neighbour.get("neighbour.test", "/").await.status, 200, "{}", row.what);
            if uploaded.is_finished() {
                break;
            }
        }
        let reply = uploaded.await.unwrap();
        let message = reply.refused(400, 10021);
        for part in row.says {
            assert!(message.contains(part), "{}: {part:?} is not in {message:?}", row.what);
        }
        assert!(!message.contains('/') || !message.contains("tmp"), "{message}");
        server.api().get(&script_path("attack")).await.refused(404, 10092);
    }
}

#[tokio::test]
async fn a_bomb_within_the_bounds_delays_nobody_else() {
    let server = server().await;
    let api = server.api();
    // Seconds of work for the compiler; it is no worker either, although it says so, which is found out at the end.
    let uploaded = tokio::spawn(async move { api.deploy("bomb", bombs::branches(3_000)).await });
    let mut neighbour = server.connect().await;
    let mut served = 0;
    while !uploaded.is_finished() {
        assert_eq!(neighbour.get("neighbour.test", "/").await.status, 200);
        served += 1;
    }
    assert!(served > 0);
    assert!(uploaded.await.unwrap().refused(400, 10021).contains("incoming-handler"));
}
