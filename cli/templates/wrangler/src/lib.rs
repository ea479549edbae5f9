//! Answers every request with a greeting. The word comes from `vars`, in wasmyard.toml or in wrangler.toml.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let greeting = env.var("GREETING")?;
    Ok(Response::text(format!("{greeting} from {} at {}\n", env.script(), req.path())))
}
