//! The smallest worker: it greets.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(_req: Request, _env: Env) -> Result<Response> {
    Ok(Response::text("Hello from Wasmyard!\n"))
}
