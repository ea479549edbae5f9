//! Says who a token belongs to. Meant for other workers, and tells them apart from visitors.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    // The platform's word, whatever a header may say. A visitor who found a route to this worker is nobody's script.
    let Some(caller) = env.caller() else {
        return Ok(Response::text("this worker is for workers\n").with_status(403));
    };
    let token = req.header("authorization").unwrap_or_default();
    let Some(user) = token.strip_prefix("Bearer ").filter(|user| !user.is_empty()) else {
        return Ok(Response::empty().with_status(401));
    };
    println!("{} asked for {user}", caller.script);
    Ok(Response::text(user))
}
