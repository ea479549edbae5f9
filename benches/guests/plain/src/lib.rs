//! Answers as `hello` does, on the bindings of crate `wasip2` alone: for `wasmtime serve`, which has nothing of the
//! platform's.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Plain;

const GREETING: &str = "Hello from Wasmyard!\n";

impl Guest for Plain {
    fn handle(_: IncomingRequest, out: ResponseOutparam) {
        let fields = [
            ("content-type".to_owned(), b"text/plain; charset=utf-8".to_vec()),
            ("content-length".to_owned(), GREETING.len().to_string().into_bytes()),
        ];
        let response = OutgoingResponse::new(Fields::from_list(&fields).unwrap_or_else(|_| Fields::new()));
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        let Ok(body) = body else { return };
        if let Ok(stream) = body.write()
            && stream.write(GREETING.as_bytes()).is_err()
        {
            return;
        }
        let _visitor_is_gone = OutgoingBody::finish(body, None);
    }
}

wasip2::http::proxy::export!(Plain);
