//! Attacks the platform, a path each: for the integration tests. What is an attack on memory or on the machine
//! alone is written as WAT beside the tests; here is what takes a program. Must never spare anybody.

use std::hint::black_box;
use std::time::{Duration, Instant};

use wasip2::clocks::monotonic_clock;
use wasip2::http::types::Fields;
use wasmyard::{Body, Env, Request, Response, Result};

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(3_600);
/// More handles than one invocation may hold.
const MANY: usize = 20_000;

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    match req.path() {
        "/clock-storm" => clock_storm(),
        "/log-storm" => log_storm(),
        "/log-flood" => Ok(log_flood()),
        "/header-flood" => header_flood(),
        "/wide-header" => Ok(Response::empty().with_header("x-wide", "x".repeat(1 << 20))?),
        "/endless" => Ok(endless()),
        "/never" => never().await,
        "/unread" => Ok(Response::text("unread\n")),
        "/resources" => Ok(resources()),
        "/pollables" => Ok(pollables()),
        "/pending" => pending().await,
        "/fan-out" => fan_out().await,
        "/grow" => Ok(Response::text(grow())),
        "/scan" => Ok(Response::text(scan().to_string())),
        "/loop" => around(&req).await,
        other => Ok(Response::text(format!("nothing is known of {other}\n")).with_status(404)),
    }
}

/// Asks for the time, and for nothing else.
fn clock_storm() -> ! {
    loop {
        black_box(Instant::now());
    }
}

/// Writes lines until it is stopped.
fn log_storm() -> ! {
    loop {
        println!("{}", "storm ".repeat(100));
    }
}

/// Writes four times what is kept of one invocation, and answers.
fn log_flood() -> Response {
    for line in 0..10_000 {
        println!("flood {line} {}", "x".repeat(100));
    }
    Response::text("flooded\n")
}

/// More fields than anybody takes.
fn header_flood() -> Result<Response> {
    let mut response = Response::empty();
    for field in 0..MANY {
        response.headers_mut().append(&format!("x-flood-{field}"), "x".repeat(100))?;
    }
    Ok(response)
}

/// A body without an end.
fn endless() -> Response {
    Response::new(Body::from_writer(|mut out| async move {
        loop {
            out.write([b'x'; 16 << 10]).await?;
        }
    }))
}

/// No answer at all.
async fn never() -> Result<Response> {
    wasmyard::sleep(FOR_EVER).await;
    Ok(Response::empty())
}

/// Takes handles until there are none.
fn resources() -> Response {
    let kept: Vec<Fields> = (0..MANY).map(|_| Fields::new()).collect();
    Response::text(format!("{}\n", kept.len()))
}

/// The same with things to wait for.
fn pollables() -> Response {
    let kept: Vec<_> = (0..MANY).map(|_| monotonic_clock::subscribe_duration(u64::MAX)).collect();
    Response::text(format!("{}\n", kept.len()))
}

/// Waits for thousands of things at once, none of which happens.
async fn pending() -> Result<Response> {
    wasmyard::join_all((0..1_000).map(|_| wasmyard::sleep(FOR_EVER))).await;
    Ok(Response::empty())
}

/// Asks its neighbour far more often than it may, all at once.
async fn fan_out() -> Result<Response> {
    let asked = (0..300).map(|_| async {
        let request = Request::get("http://neighbour.test/").ok()?;
        wasmyard::fetch(request).await.ok()
    });
    let answered = wasmyard::join_all(asked).await.into_iter().flatten().count();
    Ok(Response::text(format!("{answered} of 300\n")))
}

/// Takes memory until there is none.
fn grow() -> String {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    loop {
        kept.push(black_box(vec![1; 1 << 20]));
        if kept.len() > 4_096 {
            return format!("{} MiB\n", kept.len());
        }
    }
}

/// Looks through all memory that it can get for what others have planted: how often it is there.
#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "it reads what no allocator has given it")]
fn scan() -> usize {
    /// How much memory a scan takes besides its own: more than any script of the tests touches.
    const SCANNED_PAGES: usize = 1024;
    /// What is planted, each byte changed, so that this program is no find.
    const PLANTED: [u8; 8] = [0x05, 0x19, 0x14, 0x1b, 0x01, 0x10, 0x11, 0x78];
    core::arch::wasm32::memory_grow::<0>(SCANNED_PAGES);
    let len = core::arch::wasm32::memory_size::<0>() << 16;
    // Address 0 is left out, which no reference may have.
    // SAFETY: every address below the memory's size can be read; nobody else writes while this runs.
    let all = unsafe { core::slice::from_raw_parts(black_box(8 as *const u8), len - 8) };
    let is_planted = |found: &[u8]| found.iter().zip(PLANTED).all(|(byte, planted)| *byte ^ 0x55 == planted);
    all.windows(PLANTED.len()).filter(|found| is_planted(found)).count()
}

/// Where this is only checked and never runs there is no memory of a guest.
#[cfg(not(target_arch = "wasm32"))]
fn scan() -> usize {
    0
}

/// Asks the next of three, which asks the next.
async fn around(req: &Request) -> Result<Response> {
    let next = match req.host() {
        "loop-a.test" => "loop-b.test",
        "loop-b.test" => "loop-c.test",
        _ => "loop-a.test",
    };
    Ok(wasmyard::fetch(Request::get(&format!("http://{next}/loop"))?).await?)
}
