//! The dispatcher of `examples/dispatcher-subdomain`, done when it has chosen: its memory is gone before the
//! customer's script has any.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let host = env.hostname();
    let customer = host.split('.').next().unwrap_or_default();
    Ok(env.namespace("DISPATCHER")?.get(customer).tail(req)?)
}
