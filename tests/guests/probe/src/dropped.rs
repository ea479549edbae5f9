//! Answers of others that the worker lets go of, or holds.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::pin;
use std::task::Poll;

use wasmyard::{Env, Request, Response, Result};

/// Asks the script behind `OTHER` for something that does not end, lets go of it in the way that the query says, notes that
/// in its log, and waits.
pub(crate) async fn let_go(req: &Request, env: &Env) -> Result<Response> {
    let other = env.service("OTHER")?;
    let begun = || Request::get("http://other.test/begin");
    match req.query_parameter("how").as_deref() {
        Some("response") => drop(other.fetch(begun()?).await?),
        Some("body") => drop(other.fetch(begun()?).await?.into_body()),
        Some("chunk") => {
            let mut body = other.fetch(begun()?).await?.into_body();
            body.chunk().await?;
        }
        Some("call") => {
            let mut call = pin!(other.fetch(Request::get("http://other.test/wait")?));
            poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready())).await;
        }
        Some("many") => {
            for _ in 0..20 {
                drop(other.fetch(begun()?).await?);
            }
        }
        other => return Ok(Response::text(format!("no way of letting go: {other:?}")).with_status(404)),
    }
    println!("let go");
    wasmyard::sleep(crate::FOR_EVER).await;
    Ok(Response::empty())
}

/// Asks the script behind `OTHER`, or whoever answers the URL in the header `x-target`, `n` times for `bytes` bytes, reads
/// nothing of them and asks for memory then. Says how many it holds.
pub(crate) async fn hoard(req: &Request, env: &Env) -> Result<Response> {
    let number = |name| req.query_parameter(name).unwrap_or_default().parse::<usize>();
    let (count, bytes) = (number("n")?, number("bytes")?);
    let other = env.service("OTHER")?;
    let mut held = Vec::new();
    for _ in 0..count {
        held.push(match req.header("x-target") {
            Some(target) => wasmyard::fetch(Request::get(&target)?).await?,
            None => other.fetch(Request::get(&format!("http://other.test/whole?bytes={bytes}"))?).await?,
        });
    }
    black_box(vec![1_u8; 1 << 20]);
    Ok(Response::text(format!("{} held\n", held.len())))
}
