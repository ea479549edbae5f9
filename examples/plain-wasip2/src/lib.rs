//! A worker without the SDK, on the bindings of crate `wasip2` alone: what runs on any host of `wasi:http/proxy`
//! runs here.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Plain;

impl Guest for Plain {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        let Ok(body) = body else { return };
        if let Ok(stream) = body.write() {
            let text = format!("Hello from plain wasip2, at {path}\n");
            if let Err(error) = stream.blocking_write_and_flush(text.as_bytes()) {
                eprintln!("the answer was cut short: {error}");
            }
        }
        if let Err(error) = OutgoingBody::finish(body, None) {
            eprintln!("the answer was not finished: {error}");
        }
    }
}

wasip2::http::proxy::export!(Plain);
