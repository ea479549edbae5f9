//! Sends the path of each request to a queue, and is handed it when there is time.

use wasmyard::{Env, MessageBatch, NewMessage, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    env.queue("JOBS")?.send(NewMessage::text(req.path())).await?;
    Ok(Response::text("queued\n").with_status(202))
}

#[wasmyard::queue]
async fn consume(batch: MessageBatch, _env: Env) -> Result<()> {
    for message in &batch.messages {
        println!("{}: {}", batch.queue, message.text());
        if message.text() == "/later" && message.attempts == 1 {
            message.retry_after(60);
        }
    }
    Ok(())
}
