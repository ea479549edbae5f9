//! Customer B's code: sends back what it is sent, byte by byte as it comes.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    if req.method().as_str() != "POST" {
        return Ok(Response::text("customer B echoes what you POST\n"));
    }
    Ok(Response::new(req.into_body()))
}
