//! Asks with time-outs of its own: `wasi:http`'s request options, which the SDK does not set.

use std::time::Duration;

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, RequestOptions, Scheme};
use wasip2::io::streams::StreamError;
use wasmyard::{Error, Request, Result};

/// Asks the target with the time-outs that the query names in milliseconds, and tells what came of it.
pub(crate) fn ask(req: &Request, target: &str) -> Result<String> {
    let millis = |name: &str| -> Option<u64> {
        let millis = req.query_parameter(name)?.parse().ok()?;
        u64::try_from(Duration::from_millis(millis).as_nanos()).ok()
    };
    let options = RequestOptions::new();
    let set = options.set_first_byte_timeout(millis("first"));
    set.and_then(|()| options.set_between_bytes_timeout(millis("between")))
        .map_err(|()| Error::msg("these time-outs are not supported"))?;
    Ok(match answer(target, options)? {
        Err(code) => format!("no answer: {code:?}\n"),
        Ok(response) => read(&response)?,
    })
}

fn answer(target: &str, options: RequestOptions) -> Result<std::result::Result<IncomingResponse, ErrorCode>> {
    let url = Request::get(target)?;
    let request = OutgoingRequest::new(Fields::new());
    let refused = |()| Error::msg("this URL is not taken");
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(Some(url.authority())).map_err(refused)?;
    request.set_path_with_query(Some(url.path_and_query())).map_err(refused)?;
    let answer = match handle(request, Some(options)) {
        Ok(answer) => answer,
        Err(code) => return Ok(Err(code)),
    };
    answer.subscribe().block();
    let taken = answer.get().and_then(std::result::Result::ok);
    taken.ok_or_else(|| Error::msg("there is no answer although it is ready"))
}

/// How much of an answer came, and what it ended with.
fn read(response: &IncomingResponse) -> Result<String> {
    let body = response.consume().map_err(|()| Error::msg("the body was taken"))?;
    let stream = body.stream().map_err(|()| Error::msg("the stream was taken"))?;
    let mut came = 0;
    let end = loop {
        match stream.blocking_read(4096) {
            Ok(bytes) => came += bytes.len(),
            Err(StreamError::Closed) => break "its end".to_owned(),
            Err(StreamError::LastOperationFailed(error)) => break error.to_debug_string(),
        }
    };
    Ok(format!("{came} bytes, then {end}\n"))
}
