//! Plays every part around an outbound worker, for the integration tests: the variable `ROLE` says which.
//! Must never decide whether what it sees is right: that is the test's part.

mod outbound;
mod patient;

use std::time::Duration;

use wasmyard::{Body, Env, Error, Method, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    match env.var("ROLE")?.as_str() {
        "dispatcher" => Ok(dispatcher(req, &env).await.unwrap_or_else(told)),
        "outbound" => outbound::fetch(req, &env).await,
        "front" => front(req, &env).await,
        _ => Ok(user(req, &env).await.unwrap_or_else(told)),
    }
}

/// What went wrong, for the test to read.
fn told(error: Error) -> Response {
    Response::text(format!("{error:#}")).with_status(502)
}

/// Calls the script that the first label of the host names. Every header `x-param: name=json` is a parameter for the
/// outbound worker.
async fn dispatcher(req: Request, env: &Env) -> Result<Response> {
    let script = req.host().split('.').next().unwrap_or_default().to_owned();
    let mut worker = env.namespace("DISPATCHER")?.get(script);
    for (name, value) in req.headers().entries() {
        if name == "x-param" {
            let value = String::from_utf8_lossy(&value).into_owned();
            let (name, json) = value.split_once('=').unwrap_or((&value, ""));
            worker = worker.outbound_json(name, json);
        }
    }
    Ok(worker.fetch(req).await?)
}

/// Leaves the answer to the script behind the binding, in the way that the header `x-how` names.
async fn front(req: Request, env: &Env) -> Result<Response> {
    let back = env.service("BACK")?;
    match req.header("x-how").as_deref() {
        Some("tail") => Ok(back.tail(req)?),
        Some("unread") => {
            let status = back.fetch(req).await?.status();
            Ok(Response::text(format!("status {status}\n")))
        }
        Some("memory") => {
            let answer = back.fetch(req).await?;
            let status = answer.status();
            Ok(Response::new(answer.into_body().bytes().await?).with_status(status))
        }
        _ => Ok(back.fetch(req).await?),
    }
}

async fn user(req: Request, env: &Env) -> Result<Response> {
    let target = req.header("x-target").unwrap_or_else(|| "https://example.com".to_owned());
    match req.path() {
        // The walkthrough.
        "/" => {
            let response = wasmyard::fetch(Request::get(&target)?).await?;
            let text = response.into_body().text().await?;
            Ok(Response::text(format!("user worker got \"{text}\" from fetch")))
        }
        // The same request to somebody else, method, headers and body as they are.
        "/send" => {
            let mut onward = Request::new(req.method().clone(), &target)?;
            for (name, value) in req.headers().entries() {
                if name.starts_with("x-") {
                    onward.set_header(&name, value)?;
                }
            }
            onward.set_body(req.into_body());
            Ok(wasmyard::fetch(onward).await?)
        }
        // The same by the platform's own interface.
        "/forward" => {
            let new = Request::get(&target)?;
            let mut onward = req;
            onward.set_authority(new.authority());
            if let Some(scheme) = new.scheme() {
                onward.set_scheme(scheme.clone());
            }
            onward.set_path_and_query(new.path_and_query());
            Ok(wasmyard::fetch(onward).await?)
        }
        // Asks, and does not read the answer.
        "/ignore" => {
            let response = wasmyard::fetch(Request::get(&target)?).await?;
            Ok(Response::text(format!("ignored {}\n", response.status())))
        }
        "/many" => {
            for _ in 0..5 {
                wasmyard::fetch(Request::get(&target)?).await?;
            }
            Ok(Response::empty())
        }
        "/service" => Ok(env.service("SIBLING")?.fetch(Request::get("https://sibling/whoami")?).await?),
        "/service-send" => {
            let question = Request::get("https://sibling/send")?.with_header("x-target", &target)?;
            Ok(env.service("SIBLING")?.fetch(question).await?)
        }
        "/dispatch-send" => {
            let question = Request::get("https://sibling/send")?.with_header("x-target", &target)?;
            Ok(env.namespace("DISPATCHER")?.get("sibling").fetch(question).await?)
        }
        "/dispatch-forge" => {
            let question = Request::get("https://sibling/send")?.with_header("x-target", &target)?;
            let sibling = env.namespace("DISPATCHER")?.get("sibling").outbound("customer_name", "forged");
            Ok(sibling.fetch(question).await?)
        }
        "/patient" => Ok(Response::text(patient::ask(&req, &target)?)),
        "/later" => later(req, env, &target).await,
        _ => Ok(Response::text(outbound::seen(&req, env))),
    }
}

/// Answers, and goes on after that. The query says in which shape: `length`, `stream`, `empty`, `unfinished`; and how
/// many milliseconds it goes on before it asks the target.
async fn later(req: Request, env: &Env, target: &str) -> Result<Response> {
    let wait = req.query_parameter("ms").and_then(|ms| ms.parse().ok()).unwrap_or(0);
    let after = Request::new(Method::Post, target)?.with_body("done later");
    env.wait_until(async move {
        wasmyard::sleep(Duration::from_millis(wait)).await;
        if let Err(error) = wasmyard::fetch(after).await {
            eprintln!("later: {error}");
        }
    });
    Ok(match req.query_parameter("shape").as_deref() {
        Some("empty") => Response::empty().with_status(204),
        Some("stream") => Response::new(Body::from_writer(|mut out| async move {
            out.write("first\n").await?;
            out.write("second\n").await?;
            Ok(())
        })),
        Some("unfinished") => Response::new(Body::from_writer(|mut out| async move {
            out.write("first\n").await?;
            wasmyard::sleep(Duration::from_secs(3_600)).await;
            Ok(())
        })),
        _ => Response::text("answered\n"),
    })
}
