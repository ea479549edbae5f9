//! The outbound worker: the variable `MODE` says what it does with requests.

use wasmyard::{Env, Request, Response, Result};

pub(crate) async fn fetch(mut req: Request, env: &Env) -> Result<Response> {
    match env.var("MODE")?.as_str() {
        "pass" => Ok(wasmyard::fetch(req).await?),
        "last" => Ok(wasmyard::fetch_last(req)?),
        "auth" => {
            req.set_header("authorization", format!("Bearer {}", env.var("KEY")?))?;
            Ok(wasmyard::fetch(req).await?)
        }
        "block" => Ok(Response::text("blocked\n").with_status(403)),
        "show" => {
            let seen = seen(&req, env);
            let length = req.into_body().bytes().await?.len();
            Ok(Response::text(format!("{seen}body {length}\n")))
        }
        "log" => {
            let line = format!("{} {}", req.method(), req.url());
            let log = Request::post(&env.var("LOG")?)?.with_body(line);
            env.wait_until(async {
                if let Err(error) = wasmyard::fetch(log).await {
                    eprintln!("the log was not delivered: {error}");
                }
            });
            Ok(wasmyard::fetch(req).await?)
        }
        "fail" => Err(wasmyard::Error::msg("the key is hunter2")),
        "trap" => trap(),
        "spin" => loop {
            std::hint::black_box(0);
        },
        "wait" => {
            wasmyard::sleep(std::time::Duration::from_secs(3_600)).await;
            Ok(Response::empty())
        }
        // Begins an answer and never goes on.
        "stall" => Ok(Response::new(wasmyard::Body::from_writer(|mut out| async move {
            out.write("first\n").await?;
            wasmyard::sleep(std::time::Duration::from_secs(3_600)).await;
            Ok(())
        }))),
        "silent" => std::process::exit(0),
        _ => {
            let customer = env.var("paramCustomerName")?;
            Ok(Response::text(format!("intercepted a request for {customer} by the outbound")))
        }
    }
}

fn trap() -> ! {
    std::process::abort()
}

/// What this worker is told, a line each.
pub(crate) fn seen(req: &Request, env: &Env) -> String {
    let mut lines = vec![format!("method {}", req.method()), format!("url {}", req.url())];
    lines.push(match env.caller() {
        Some(caller) => format!("caller {} of {}", caller.script, caller.namespace.unwrap_or_default()),
        None => "caller none".to_owned(),
    });
    lines.push(format!("hostname {}", env.hostname()));
    let mut vars = env.vars().unwrap_or_default();
    vars.sort();
    lines.extend(vars.into_iter().map(|(name, value)| format!("var {name} {value}")));
    for (name, value) in req.headers().entries() {
        lines.push(format!("header {name}: {}", String::from_utf8_lossy(&value)));
    }
    lines.join("\n") + "\n"
}
