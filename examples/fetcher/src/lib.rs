//! Sends the request on to the URL in the header `x-target`, and the answer back. Both bodies are streamed by the
//! platform and never enter this worker's memory.

use wasmyard::{Env, FetchErrorKind, Method, Request, Response, Result};

#[wasmyard::main]
async fn fetch(req: Request, _env: Env) -> Result<Response> {
    let Some(target) = req.header("x-target") else {
        return Ok(Response::text("name a URL: x-target: http://example.com/\n").with_status(400));
    };
    let mut onward = match Request::new(req.method().clone(), &target) {
        Ok(onward) => onward,
        Err(error) => return Ok(Response::text(format!("{error}\n")).with_status(400)),
    };
    if !matches!(req.method(), Method::Get | Method::Head) {
        onward.set_body(req.into_body());
    }
    match wasmyard::fetch(onward).await {
        Ok(response) => Ok(response),
        Err(error) => {
            let status = match error.kind() {
                FetchErrorKind::Denied => 403,
                FetchErrorKind::TimedOut => 504,
                _ => 502,
            };
            Ok(Response::text(format!("{error}\n")).with_status(status))
        }
    }
}
