//! Speaks `wasi:http` without the SDK, and breaks its rules: the query says how. For the integration tests. Must never
//! decide what is right: that is the test's part.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};

struct Bare;

impl Guest for Bare {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let query = request.path_with_query().unwrap_or_default();
        let asked = |name: &str| {
            let (_, query) = query.split_once('?')?;
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map(str::to_owned)
        };
        let number = |name: &str| asked(name).and_then(|value| value.parse::<usize>().ok());
        let fields = Fields::new();
        for length in asked("length").iter().flat_map(|lengths| lengths.split(',')) {
            if let Err(error) = fields.append("content-length", length.as_bytes()) {
                eprintln!("content-length: {error}");
            }
        }
        let response = OutgoingResponse::new(fields);
        if let Some(status) = number("status")
            && response.set_status_code(status as u16).is_err()
        {
            eprintln!("status: refused");
        }
        let body = response.body();
        ResponseOutparam::set(out, Ok(response));
        if let Ok(body) = body {
            if asked("end").as_deref() == Some("panic-before") {
                panic!("before its body");
            }
            write(&body, number("bytes").unwrap_or(0));
            match asked("finish").as_deref() {
                Some("drop") => drop(body),
                Some("leak") => std::mem::forget(body),
                _ => {
                    if let Err(error) = OutgoingBody::finish(body, None) {
                        eprintln!("the answer was not finished: {error}");
                    }
                }
            }
        }
        match asked("end").as_deref() {
            Some("exit-ok") => wasip2::cli::exit::exit(Ok(())),
            Some("exit-err") => wasip2::cli::exit::exit(Err(())),
            Some("panic") => panic!("after its answer"),
            Some("spin") => loop {
                std::hint::black_box(());
            },
            _ => {}
        }
    }
}

/// Writes so many bytes: `.` each, and a line's end.
fn write(body: &OutgoingBody, bytes: usize) {
    let Ok(stream) = body.write() else { return };
    let mut text = vec![b'.'; bytes];
    if let Some(last) = text.last_mut() {
        *last = b'\n';
    }
    for piece in text.chunks(4096) {
        if let Err(error) = stream.blocking_write_and_flush(piece) {
            eprintln!("the answer was cut short: {error}");
            return;
        }
    }
}

wasip2::http::proxy::export!(Bare);
