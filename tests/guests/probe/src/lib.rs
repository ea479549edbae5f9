//! Shows what a worker sees, and holds its breath: for the integration tests, where no example has the shape.
//! Must never decide whether what it sees is right: that is the test's part.

mod caches;
mod dropped;
mod limits;
mod own;

use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use wasmyard::{Body, Env, Method, Request, Response, Result};

/// Asks the URL in the header `x-target`, goes where the answer says, and tells what came of it.
async fn follow(req: &Request) -> Result<Response> {
    let first = wasmyard::fetch(Request::get(&req.header("x-target").unwrap_or_default())?).await?;
    let next = first.header("location").unwrap_or_default();
    let came = match wasmyard::fetch(Request::get(&next)?).await {
        Ok(response) => format!("{} {}\n", first.status(), response.status()),
        Err(error) => format!("{} {:?}\n", first.status(), error.kind()),
    };
    Ok(Response::text(came))
}

/// Sends a request with each of the fields that the header `x-names` lists to the URL in the header `x-target`, and
/// says what came of it.
async fn fields(req: &Request) -> Result<String> {
    let (names, target) =
        (req.header("x-names").unwrap_or_default(), req.header("x-target").unwrap_or_default());
    let mut said = String::new();
    for name in names.split(' ') {
        let mut onward = Request::get(&target)?;
        onward.set_header(name, "x")?;
        let came = match wasmyard::fetch(onward).await {
            Ok(response) => response.status().to_string(),
            Err(error) => error.to_string(),
        };
        said += &format!("{name}: {came}\n");
    }
    Ok(said)
}

/// Longer than any test waits.
const FOR_EVER: Duration = Duration::from_secs(3_600);

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    match req.path() {
        "/length" => length(req).await,
        "/cache" => caches::cache(req).await,
        "/wait" => {
            wasmyard::sleep(FOR_EVER).await;
            Ok(Response::empty())
        }
        "/begin" => Ok(begin()),
        "/hold" => {
            let held = vec![1_u8; 24 << 20];
            wasmyard::sleep(FOR_EVER).await;
            Ok(Response::text(format!("{}\n", held.len())))
        }
        "/flood" => Ok(flood()),
        "/print" => {
            println!("printed to standard output");
            eprintln!("printed to standard error");
            Ok(Response::empty())
        }
        "/reach" => Ok(Response::text(reach(&req))),
        "/count" => Ok(Response::text(format!("{}\n", 1 + COUNTED.fetch_add(1, Ordering::Relaxed)))),
        "/follow" => follow(&req).await,
        "/fields" => Ok(Response::text(fields(&req).await?)),
        "/again" => again(&req).await,
        "/files" => Ok(Response::text(files(&req, &env).await?)),
        path if path.starts_with("/burn/") => burn(&req).await,
        "/forge" => forge(&req).await,
        "/relay" => relay(&req).await,
        "/empty" => Ok(Response::empty().with_status(204)),
        path if path.starts_with("/bodied/") => bodied(&req),
        "/whole" => whole(&req),
        "/own" => own::send(&req, &env).await,
        "/let-go" => dropped::let_go(&req, &env).await,
        "/hoard" => dropped::hoard(&req, &env).await,
        "/pile" => own::pile(&req).await,
        path if path.starts_with("/limits/") => limits::answer(req, env).await,
        _ => Ok(Response::text(seen(&req, &env))),
    }
}

/// Fetches its own file `/file.txt` as often as the query says, then the URL in the header `x-target`, and tells what
/// came of each.
async fn files(req: &Request, env: &Env) -> Result<String> {
    let times: u32 = req.query_parameter("times").unwrap_or_default().parse()?;
    let mut told = String::new();
    for _ in 0..times {
        told += &match env.assets()?.get("/file.txt").await {
            Ok(response) => format!("file {} {}\n", response.status(), response.into_body().text().await?),
            Err(error) => format!("file {error:?}: {error}\n"),
        };
    }
    if let Some(target) = req.header("x-target") {
        told += &match wasmyard::fetch(Request::get(&target)?).await {
            Ok(response) => format!("target {}\n", response.status()),
            Err(error) => format!("target {:?}: {error}\n", error.kind()),
        };
    }
    Ok(told)
}

/// Asks whoever answers for the same URL, and passes the answer on.
async fn again(req: &Request) -> Result<Response> {
    let url = format!("http://{}{}", req.authority(), req.path_and_query());
    Ok(wasmyard::fetch(Request::new(Method::Get, &url)?).await?)
}

/// Computes, asks itself one less often while a number is left in the path, and computes again.
async fn burn(req: &Request) -> Result<Response> {
    const TIME: Duration = Duration::from_millis(10);
    let compute = || {
        let begun = std::time::Instant::now();
        while begun.elapsed() < TIME {
            std::hint::black_box(());
        }
    };
    compute();
    let left: u32 = req.path().trim_start_matches("/burn/").parse().unwrap_or(0);
    let mut asked = 0;
    if let Some(left) = left.checked_sub(1) {
        let url = format!("http://{}/burn/{left}", req.authority());
        let answer = wasmyard::fetch(Request::get(&url)?).await?;
        asked = 1 + answer.into_body().text().await?.trim().parse::<u32>().unwrap_or(0);
    }
    compute();
    Ok(Response::text(format!("{asked}\n")))
}

/// Asks the URL in the header `x-target`, and claims to be somebody else.
async fn forge(req: &Request) -> Result<Response> {
    let mut onward = Request::get(&req.header("x-target").unwrap_or_default())?;
    for name in ["cf-connecting-ip", "x-forwarded-for", "x-real-ip", "cf-ray"] {
        onward.set_header(name, "6.6.6.6")?;
    }
    onward.set_header("x-own", "kept")?;
    Ok(wasmyard::fetch(onward).await?)
}

/// Asks the URL in the header `x-target`, and passes the answer on under the length in the header `x-length`.
async fn relay(req: &Request) -> Result<Response> {
    let mut answer = wasmyard::fetch(Request::get(&req.header("x-target").unwrap_or_default())?).await?;
    if let Some(length) = req.header("x-length") {
        answer.set_header("content-length", length)?;
    }
    Ok(answer)
}

/// What the worker is told: first the platform's words, then the request's head, a line each.
fn seen(req: &Request, env: &Env) -> String {
    let mut lines = vec![
        format!("method {}", req.method()),
        format!("authority {}", req.authority()),
        format!("target {}", req.path_and_query()),
        format!("client-address {}", env.client_address()),
        format!("hostname {}", env.hostname()),
        format!("ray-id {}", env.ray_id()),
    ];
    if let Some(tls) = env.tls() {
        let name = tls.server_name.as_deref().unwrap_or("-");
        lines.push(format!("tls {} {} {name}", tls.version, tls.cipher));
        if let Some(shown) = tls.client_certificate {
            lines.push(format!("client-certificate {}", shown.subject));
            lines.push(format!("client-certificate-issuer {}", shown.issuer));
            lines.push(format!("client-certificate-sha256 {}", shown.fingerprint_sha256));
            lines.push(format!("client-certificate-life {}", shown.not_after - shown.not_before));
        }
    }
    for (name, value) in req.headers().entries() {
        lines.push(format!("header {name}: {}", String::from_utf8_lossy(&value)));
    }
    lines.join("\n") + "\n"
}

/// Lives as long as the worker's memory.
static COUNTED: AtomicU32 = AtomicU32::new(0);

/// Tries every way out that a program may expect of its system, and says what came of each. The header
/// `x-target` names an address where somebody listens.
fn reach(req: &Request) -> String {
    let target = req.header("x-target").unwrap_or_default();
    let came = |what: &str, ok: bool| format!("{what} {}\n", if ok { "yes" } else { "no" });
    [
        came("read-folder", std::fs::read_dir("/").is_ok()),
        came("read-file", std::fs::read("/etc/passwd").is_ok()),
        came("write-file", std::fs::write("/tmp/probe", "x").is_ok()),
        came("variables", std::env::vars_os().next().is_some()),
        // The first is the program's own name, where there is one.
        came("arguments", std::env::args_os().count() > 1),
        came("connect", TcpStream::connect(&target).is_ok()),
        came("listen", TcpListener::bind("127.0.0.1:0").is_ok()),
        came(
            "datagrams",
            UdpSocket::bind("127.0.0.1:0").is_ok_and(|socket| socket.send_to(b"x", &target).is_ok()),
        ),
        came("resolve", ("localhost", 80).to_socket_addrs().is_ok()),
    ]
    .concat()
}

/// Answers only when the whole body has come.
async fn length(req: Request) -> Result<Response> {
    let mut body = req.into_body();
    let mut bytes = 0;
    while let Some(chunk) = body.chunk().await? {
        bytes += chunk.len();
    }
    Ok(Response::text(format!("{bytes}\n")))
}

/// An answer of the status that the path names, with a body where such an answer may have none. With a query, its
/// length is said, too.
fn bodied(req: &Request) -> Result<Response> {
    const BODY: &str = "nobody may see this\n";
    let status = req.path().trim_start_matches("/bodied/").parse()?;
    let response = match req.query_parameter("how").as_deref() {
        Some("length") => Response::text(BODY).with_header("content-length", BODY.len().to_string())?,
        Some("stream") => Response::new(Body::from_writer(|mut out| async move {
            out.write(BODY).await?;
            out.write(BODY).await
        })),
        _ => Response::text(BODY),
    };
    Ok(response.with_header("x-own", "kept")?.with_status(status))
}

/// An answer of so many bytes, with the status, the field and the length that the query says.
fn whole(req: &Request) -> Result<Response> {
    let said = |name: &str| req.query_parameter(name);
    let bytes: usize = said("bytes").unwrap_or_default().parse().unwrap_or(0);
    let mut response = Response::new((0..bytes).map(|n| (n % 251) as u8).collect::<Vec<u8>>());
    if let Some(status) = said("status") {
        response.set_status(status.parse()?);
    }
    if let Some(field) = said("field") {
        response.set_header(&field, "x")?;
    }
    if let Some(length) = said("length") {
        response.set_header("content-length", length)?;
    }
    Ok(response)
}

/// Begins an answer that never ends.
fn begin() -> Response {
    Response::new(Body::from_writer(|mut out| async move {
        out.write("begun\n").await?;
        wasmyard::sleep(FOR_EVER).await;
        Ok(())
    }))
}

/// An answer as long as somebody reads it.
fn flood() -> Response {
    Response::new(Body::from_writer(|mut out| async move {
        loop {
            out.write([b'x'; 4096]).await?;
        }
    }))
}
