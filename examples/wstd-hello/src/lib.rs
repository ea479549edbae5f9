//! A worker without the SDK, on crate `wstd`.

use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    Ok(Response::new(format!("Hello from wstd, at {}\n", request.uri().path()).into()))
}
