//! A customer's script: it fetches as if nobody stood between.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    let url = req.query_parameter("url").unwrap_or_else(|| "https://example.com".to_owned());
    match wasmyard::fetch(Request::get(&url)?).await {
        Ok(answer) => {
            let text = answer.into_body().text().await?;
            Ok(Response::text(format!("user worker got \"{text}\" from fetch\n")))
        }
        Err(error) => Ok(Response::text(format!("{error}\n")).with_status(502)),
    }
}
