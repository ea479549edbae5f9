//! What a worker can find out about its limits from the inside. Each function answers one path.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmyard::{Body, DispatchError, Env, Limits, Request, Response, Result};

/// The answer to a path that begins with `/limits/`.
pub(crate) async fn answer(req: Request, env: Env) -> Result<Response> {
    match req.path() {
        "/limits/clocks" => Ok(Response::text(clocks())),
        "/limits/timers" => Ok(Response::text(timers().await)),
        "/limits/flood" => Ok(Response::text(flood(number(&req, "bytes")))),
        "/limits/fan" => fan(&req).await,
        "/limits/over" => over(&req).await,
        "/limits/upload" => upload(&req).await,
        "/limits/fields" => fields(number(&req, "n")),
        "/limits/work" => Ok(Response::text(format!("{}\n", work(number(&req, "n"))))),
        "/limits/call" => Ok(Response::text(call(&req, &env).await?)),
        _ => Ok(Response::empty().with_status(404)),
    }
}

fn number(req: &Request, name: &str) -> u64 {
    req.query_parameter(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The finest step of each clock that a busy loop sees, in nanoseconds.
fn clocks() -> String {
    let (mut monotonic, mut wall) = (u128::MAX, u128::MAX);
    let (mut last, mut last_wall) = (Instant::now(), SystemTime::now());
    for _ in 0..100_000 {
        let (now, now_wall) = (Instant::now(), SystemTime::now());
        let step = now.duration_since(last).as_nanos();
        let step_wall = now_wall.duration_since(last_wall).map_or(0, |step| step.as_nanos());
        monotonic = if step > 0 { monotonic.min(step) } else { monotonic };
        wall = if step_wall > 0 { wall.min(step_wall) } else { wall };
        (last, last_wall) = (now, now_wall);
    }
    let rest = last_wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos() % 1_000_000);
    format!("monotonic {monotonic}\nwall {wall}\nrest {rest}\n")
}

/// How many of ten timers of 0.1 to 1 ms are done when the first one is.
async fn timers() -> String {
    let waits = (1..=10).map(|tenths| async move {
        let begun = Instant::now();
        wasmyard::sleep(Duration::from_micros(100 * tenths)).await;
        begun.elapsed().as_nanos() % 1_000_000
    });
    let rests = wasmyard::join_all(waits).await;
    format!("rests {}\n", rests.iter().sum::<u128>())
}

/// Writes so many bytes to the log, in lines of 100.
fn flood(bytes: u64) -> String {
    let line = "x".repeat(99);
    for _ in 0..bytes / 100 {
        println!("{line}");
    }
    "written\n".to_owned()
}

/// Asks for the URL in `x-target`, so many times at once.
async fn fan(req: &Request) -> Result<Response> {
    let target = req.header("x-target").unwrap_or_default();
    let asked = (0..number(req, "n")).map(|_| async {
        let answered = async { Ok::<_, wasmyard::Error>(wasmyard::fetch(Request::get(&target)?).await?) };
        answered.await.is_ok_and(|response| response.status() == 200)
    });
    let good = wasmyard::join_all(asked).await.into_iter().filter(|ok| *ok).count();
    Ok(Response::text(format!("{good} answered\n")))
}

/// Asks for it again and again until it may not any more, and says why.
async fn over(req: &Request) -> Result<Response> {
    let target = req.header("x-target").unwrap_or_default();
    for made in 0.. {
        if let Err(error) = wasmyard::fetch(Request::get(&target)?).await {
            return Ok(Response::text(format!("{made} made, then: {error}\n")));
        }
    }
    Ok(Response::empty())
}

/// Sends a body that never comes to its end.
async fn upload(req: &Request) -> Result<Response> {
    let stuck = Body::from_writer(|mut out| async move {
        out.write("begun\n").await?;
        wasmyard::sleep(super::FOR_EVER).await;
        Ok(())
    });
    let onward = Request::post(&req.header("x-target").unwrap_or_default())?.with_body(stuck);
    Ok(match wasmyard::fetch(onward).await {
        Ok(response) => Response::text(format!("answered {}\n", response.status())),
        Err(error) => Response::text(format!("failed: {error}\n")),
    })
}

fn fields(count: u64) -> Result<Response> {
    let mut response = Response::text("many\n");
    for n in 0..count {
        response.set_header(&format!("x-field-{n}"), "v".repeat(100))?;
    }
    Ok(response)
}

/// Something that takes the same instructions each time.
fn work(turns: u64) -> u64 {
    (0..turns).fold(1, |sum, turn| black_box(sum.rotate_left(5) ^ turn))
}

/// Calls the script in `script` with the path in `path` and the limits that are given, once or `times`, and says
/// which error came of it the last time.
async fn call(req: &Request, env: &Env) -> Result<String> {
    let mut limits = Limits::new();
    if let Some(cpu_ms) = req.query_parameter("cpu_ms") {
        limits = limits.cpu_ms(cpu_ms.parse()?);
    }
    if let Some(fuel) = req.query_parameter("fuel") {
        limits = limits.fuel(fuel.parse()?);
    }
    if let Some(subrequests) = req.query_parameter("subrequests") {
        limits = limits.subrequests(subrequests.parse()?);
    }
    if let Some(memory) = req.query_parameter("memory_bytes") {
        limits = limits.memory_bytes(memory.parse()?);
    }
    let worker = env.namespace("DISPATCHER")?.get(req.query_parameter("script").unwrap_or_default());
    let path = req.query_parameter("path").unwrap_or_default();
    let worker = worker.limits(limits);
    let onward = || Request::get(&format!("http://callee.test{path}"));
    let mut answered = worker.fetch(onward()?).await;
    for _ in 1..number(req, "times") {
        answered = worker.fetch(onward()?).await;
    }
    let kind = match &answered {
        Ok(_) => "Answered",
        Err(DispatchError::WorkerNotFound(_)) => "WorkerNotFound",
        Err(DispatchError::ExceededCpu(_)) => "ExceededCpu",
        Err(DispatchError::ExceededFuel(_)) => "ExceededFuel",
        Err(DispatchError::ExceededMemory(_)) => "ExceededMemory",
        Err(DispatchError::ExceededSubrequests(_)) => "ExceededSubrequests",
        Err(DispatchError::ExceededDepth(_)) => "ExceededDepth",
        Err(DispatchError::TimedOut(_)) => "TimedOut",
        Err(DispatchError::Trapped(_)) => "Trapped",
        Err(DispatchError::NoResponse(_)) => "NoResponse",
        Err(DispatchError::InvalidArgument(_)) => "InvalidArgument",
        Err(DispatchError::Overloaded(_)) => "Overloaded",
        Err(DispatchError::Internal(_)) => "Internal",
        Err(_) => "Other",
    };
    Ok(match answered {
        Ok(response) => format!("{kind} {}\n", response.status()),
        Err(error) => format!("{kind}: {}\n", error.message()),
    })
}
