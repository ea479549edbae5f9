//! A user script: it greets with the text of its variable GREETING, and says under which name it runs.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let greeting = env.var("GREETING")?;
    let script = env.script();
    Ok(Response::text(format!("{greeting} from {script}, at {}\n", req.path())))
}
