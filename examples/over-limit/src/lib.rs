//! Breaks a limit on purpose, each path another one: to see that the platform stops it and nobody else notices.

use std::hint::black_box;

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    match req.path() {
        "/spin" => spin(),
        "/grow" => grow(),
        "/trap" => panic!("this worker traps on purpose"),
        "/recurse" => Ok(Response::text(format!("{}\n", recurse(1)))),
        _ => Ok(Response::text("Hello from a worker that can misbehave: /spin /grow /trap /recurse\n")),
    }
}

/// Never ends.
fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Takes memory until there is none, and keeps it.
fn grow() -> ! {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 1 << 20]));
    }
}

/// Uses up the stack: the depth has no end, and each level needs its own room.
#[expect(unconditional_recursion, reason = "that is what it is for")]
fn recurse(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    recurse(depth.wrapping_add(1)).wrapping_add(room.iter().sum::<u64>())
}
