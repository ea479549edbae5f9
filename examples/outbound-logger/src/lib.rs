//! Logs every request that a customer's script sends out, and lets it pass. Neither body enters this worker's memory.

use wasmyard::{Env, Request, Response, Result};

#[wasmyard::main]
async fn outbound(req: Request, env: Env) -> Result<Response> {
    let customer = env.caller().map(|caller| caller.script).unwrap_or_default();
    let line = serde_json::json!({
        "customer": customer,
        "method": req.method().as_str(),
        "url": req.url(),
        "ray_id": env.ray_id(),
    })
    .to_string();
    println!("{line}");
    // To somewhere else as well, after the answer: the customer's script does not wait for it.
    if let Ok(sink) = env.var("LOG_URL") {
        let delivery = Request::post(&sink)?.with_header("content-type", "application/json")?.with_body(line);
        env.wait_until(async {
            if let Err(error) = wasmyard::fetch(delivery).await {
                eprintln!("a log line was not delivered: {error}");
            }
        });
    }
    Ok(wasmyard::fetch(req).await?)
}
