//! Requests of the worker's own, in all sizes.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::Pin;
use std::task::Poll;

use wasmyard::{Env, Request, Response, Result};

/// Sends a body of so many bytes, with the field and the length that the query says, to the URL in the header `x-target`,
/// or through the service binding `OTHER` where there is no such header. Says what came of it.
pub(crate) async fn send(req: &Request, env: &Env) -> Result<Response> {
    let said = |name: &str| req.query_parameter(name);
    let bytes: usize = said("bytes").unwrap_or_default().parse()?;
    let target = req.header("x-target");
    let mut own = Request::post(target.as_deref().unwrap_or("http://other.test/length"))?;
    if bytes > 0 {
        own.set_body(vec![b'o'; bytes]);
    }
    if let Some(field) = said("field") {
        own.set_header(&field, "x")?;
    }
    if let Some(length) = said("length") {
        own.set_header("content-length", length)?;
    }
    let came = match target {
        Some(_) => wasmyard::fetch(own).await.map_err(|error| format!("{:?}: {error}", error.kind())),
        None => env.service("OTHER")?.fetch(own).await.map_err(|error| format!("{error:?}")),
    };
    Ok(match came {
        Ok(response) => response,
        Err(text) => Response::text(text).with_status(418),
    })
}

/// Begins `n` requests with a body each, waits for none of them, and asks for memory then.
pub(crate) async fn pile(req: &Request) -> Result<Response> {
    let target = req.header("x-target").unwrap_or_default();
    let count: usize = req.query_parameter("n").unwrap_or_default().parse()?;
    let mut begun: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
    for _ in 0..count {
        let own = Request::post(&target)?.with_body(vec![b'p'; 250_000]);
        begun.push(Box::pin(wasmyard::fetch(own)));
    }
    let answered = poll_fn(|cx| {
        Poll::Ready(begun.iter_mut().filter_map(|one| one.as_mut().poll(cx).is_ready().then_some(())).count())
    });
    let answered = answered.await;
    black_box(vec![1_u8; 1 << 20]);
    Ok(Response::text(format!("{answered} of {count} answered\n")))
}
