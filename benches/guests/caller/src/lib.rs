//! A user script that answers with what a request to the outside brought: in the benches, the namespace's outbound
//! worker answers it.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(_req: Request, _env: Env) -> Result<Response> {
    Ok(wasmyard::fetch(Request::get("http://origin.example/")?).await?)
}
