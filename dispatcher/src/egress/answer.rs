//! What came of a request: the error that its guest is told, and the body of a response on its way in. Bytes
//! pass as they are: nothing is decompressed.

use std::time::Duration;

use hyper::body::Incoming;
use hyper_util::client::legacy;
use wasmyard_runtime::body::inspected;
use wasmyard_runtime::{Body, BodyError};

use super::connect::NoConnection;
use super::figures::Account;
use super::kept::InUse;
use crate::head::strip_hop_by_hop;
use crate::paced::{Fault, paced};

/// The body of a response, with bounded pauses, and counted when it ends. Until then its connection is in use.
pub(super) fn body(
    incoming: Incoming,
    pause: Duration,
    mut account: Account,
    connection: Option<InUse>,
) -> Body {
    let body = paced(incoming, pause, None, |fault| match fault {
        Fault::Stalled => BodyError::ConnectionReadTimeout,
        Fault::Broken(error) => of_hyper(&error),
    });
    inspected(body, move |frame, is_last| {
        // It is in use as long as somebody may read on.
        let _until_dropped = &connection;
        match frame {
            None => account.succeeded(),
            Some(Err(error)) => account.failed(error),
            Some(Ok(frame)) => {
                // Trailers are fields like others.
                if let Some(trailers) = frame.trailers_mut() {
                    strip_hop_by_hop(trailers);
                }
                if is_last {
                    account.succeeded();
                }
            }
        }
    })
}

/// Why there is no connection, where that is what an error says.
pub(super) fn no_connection(error: &legacy::Error) -> Option<&NoConnection> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What the guest is told when there is no response.
pub(super) fn of_client(error: &legacy::Error) -> BodyError {
    match no_connection(error) {
        Some(refused) => refused.code(),
        None => {
            let told = causes(error).find_map(|cause| cause.downcast_ref());
            told.map_or(BodyError::ConnectionTerminated, of_hyper)
        }
    }
}

fn of_hyper(error: &hyper::Error) -> BodyError {
    if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<h2::Error>()) {
        // Found by this end: the origin broke a rule. All else is an end that it wished for, or met with.
        let broken = error.reason().is_some() && !error.is_remote();
        return if broken { BodyError::HttpProtocolError } else { BodyError::ConnectionTerminated };
    }
    if error.is_parse_too_large() {
        BodyError::HttpResponseHeaderSectionSize(None)
    } else if error.is_incomplete_message() || ended_early(error) {
        BodyError::HttpResponseIncomplete
    } else if error.is_timeout() {
        BodyError::HttpResponseTimeout
    } else if error.is_parse() {
        BodyError::HttpProtocolError
    } else {
        BodyError::ConnectionTerminated
    }
}

/// Whether the connection ended in the middle of a body.
fn ended_early(error: &hyper::Error) -> bool {
    let io = causes(error).find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::UnexpectedEof)
}

/// What an error came of, from near to far.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |error: &&'a (dyn std::error::Error + 'static)| (*error).source())
}
