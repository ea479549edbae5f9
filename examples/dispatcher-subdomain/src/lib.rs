//! A dispatcher: the first label of the host name names the customer whose script answers.

use wasmyard::{DispatchError, Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let host = env.hostname();
    let customer = host.split('.').next().unwrap_or_default();
    match env.namespace("DISPATCHER")?.get(customer).fetch(req).await {
        Err(DispatchError::WorkerNotFound(_)) => {
            Ok(Response::text(format!("no such customer: {customer}\n")).with_status(404))
        }
        other => Ok(other?),
    }
}
