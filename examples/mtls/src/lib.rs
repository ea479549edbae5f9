//! Asks a server that lets in only whom it knows by a certificate: the path is where the server is, without its scheme.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let place = format!("https:/{}", req.path());
    let answer = match req.method().as_str() {
        "POST" => {
            let asked = Request::post(&place)?.with_body(req.into_body());
            env.mtls_certificate("BANK")?.fetch(asked).await
        }
        _ => env.mtls_certificate("BANK")?.fetch(Request::get(&place)?).await,
    };
    Ok(match answer {
        Ok(response) => response,
        Err(error) => Response::text(format!("{error}\n")).with_status(502),
    })
}
