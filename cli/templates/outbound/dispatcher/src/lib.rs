//! The dispatcher: decides which customer's script answers, and tells the outbound worker who the customer is.

use wasmyard::{DispatchError, Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let host = env.hostname();
    let customer = host.split('.').next().unwrap_or_default();
    // The namespace declares the parameter: a name that it does not know would be refused.
    let script = env.namespace("CUSTOMERS")?.get(customer).outbound("customer_name", customer);
    match script.fetch(req).await {
        Err(DispatchError::WorkerNotFound(_)) => {
            Ok(Response::text(format!("there is no customer {customer}\n")).with_status(404))
        }
        answer => Ok(answer?),
    }
}
