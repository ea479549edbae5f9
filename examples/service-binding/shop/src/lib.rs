//! Asks the worker behind the binding `AUTH` who the visitor is. No network is involved.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let token = req.header("authorization").unwrap_or_default();
    // Host and path of the URL are for the other worker to read; this one reads neither.
    let question = Request::get("https://auth/whoami")?.with_header("authorization", token)?;
    let answer = env.service("AUTH")?.fetch(question).await?;
    if answer.status() != 200 {
        return Ok(Response::text("please sign in\n").with_status(401));
    }
    let user = answer.into_body().text().await?;
    Ok(Response::text(format!("{user}'s cart is empty\n")))
}
