//! Customer A's code: shares nothing with the other customers but the machine.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let greeting = env.var("GREETING")?;
    Ok(Response::text(format!("{greeting} from customer A: you asked for {}\n", req.path())))
}
