//! Pages that are made once a minute: the first visitor of a path waits for its page, the others have it from the cache.

use wasmyard::{Cache, CachePut, Env, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, env: Env) -> Result<Response> {
    let pages = Cache::open("pages")?;
    if req.method().as_str() == "DELETE" {
        // What is kept is kept for GET.
        let url = req.url();
        let gone = pages.delete(&Request::get(&url)?).await?;
        return Ok(Response::empty().with_status(if gone { 204 } else { 404 }));
    }
    if let Some(kept) = pages.find(&req).await? {
        return Ok(kept);
    }
    let page = made(&req, &env)?;
    if let CachePut::Left(why) = pages.put(&req, made(&req, &env)?).await? {
        println!("{} is made anew each time: {why}", req.path());
    }
    Ok(page)
}

/// A page that says which request it was made for. Visitors of other languages have others.
fn made(req: &Request, env: &Env) -> Result<Response> {
    let language = req.header("accept-language").unwrap_or_else(|| "any language".to_owned());
    let page = format!("{} in {language}, made for {}\n", req.path(), env.ray_id());
    let page = Response::text(page).with_header("vary", "accept-language")?;
    Ok(page.with_header("cache-control", "max-age=60")?.with_header("etag", "\"1\"")?)
}
