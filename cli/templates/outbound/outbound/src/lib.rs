//! The outbound worker: every request of a customer's script comes by here, and nothing leaves without it.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn outbound(req: Request, env: Env) -> Result<Response> {
    // What the dispatcher said, for this request alone.
    let customer = env.var("customer_name")?;
    println!("{customer} asks for {}", req.url());

    let host = req.host();
    if env.var("BLOCKED_HOSTS")?.split(',').any(|blocked| blocked.trim() == host) {
        return Ok(Response::text(format!("{host} is blocked")).with_status(403));
    }
    if host == "example.com" {
        return Ok(Response::text(format!("intercepted a request for {customer} by the outbound")));
    }
    // Its body is moved by the platform and never enters this worker's memory.
    Ok(wasmyard::fetch(req).await?)
}
