//! A cache of this worker's, named by a header: what is put into it, and what it answers with.

use wasmyard::{Cache, Method, Request, Response, Result};

/// Keeps the body of a PUT, as it comes; anything else is answered from the cache.
pub async fn cache(req: Request) -> Result<Response> {
    let opened = match req.header("x-name") {
        Some(name) => Cache::open(&name),
        None => Cache::default_cache(),
    };
    let cache = match opened {
        Ok(cache) => cache,
        Err(error) => return Ok(Response::text(format!("{:?}: {error}", error.kind()))),
    };
    let key = Request::get("https://x.test/kept")?;
    if req.method() == &Method::Put {
        let control = req.header("x-control").unwrap_or_default();
        let response = Response::new(req.into_body()).with_header("cache-control", control)?;
        return Ok(match cache.put(&key, response).await {
            Ok(put) => Response::text(format!("{put:?}")),
            Err(error) => Response::text(format!("{:?}: {error}", error.kind())),
        });
    }
    Ok(cache.find(&key).await?.unwrap_or_else(|| Response::text("nothing")))
}
