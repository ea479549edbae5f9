//! The dispatcher: decides which customer's script answers a request, by the first label of the host.
//!
//! `customer-a.localhost` goes to the script `customer-a` of the namespace that is bound as `CUSTOMERS`.

use wasmyard::{DispatchError, Env, Limits, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let host = env.hostname();
    let Some((customer, _)) = host.split_once('.') else {
        return Ok(Response::text("name a customer, such as customer-a.localhost\n").with_status(404));
    };
    // The tightest limit wins: this one lies under that of the namespace.
    let script = env.namespace("CUSTOMERS")?.get(customer).limits(Limits::new().cpu_ms(20));
    match script.fetch(req).await {
        Err(DispatchError::WorkerNotFound(_)) => {
            Ok(Response::text(format!("there is no customer {customer}\n")).with_status(404))
        }
        answer => Ok(answer?),
    }
}
