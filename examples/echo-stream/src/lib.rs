//! Sends every chunk of the request's body back as it comes, and its trailers at the end. Memory stays the same
//! however long the body is.

use wasmyard::{Body, Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    // Over HTTP/1.1 only those trailers are sent that the head announces.
    let kept = ["content-type", "trailer"].map(|name| (name, req.header(name)));
    let mut incoming = req.into_body();
    let body = Body::from_writer(|mut out| async move {
        while let Some(chunk) = incoming.chunk().await? {
            out.write(chunk).await?;
        }
        if let Some(trailers) = incoming.trailers().await? {
            out.set_trailers(trailers);
        }
        Ok(())
    });
    let mut response = Response::new(body);
    for (name, value) in kept {
        if let Some(value) = value {
            response.set_header(name, value)?;
        }
    }
    Ok(response)
}
