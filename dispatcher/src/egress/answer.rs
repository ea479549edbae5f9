//! What came of a request: the error that its guest is told, and the body of a response on its way in. Bytes
//! pass as they are: nothing is decompressed.

use std::io;
use std::time::Duration;

use hyper::body::Incoming;
use wasmyard_net::{self as net, InUse, NoAddress, NoAnswer, NoConnection};
use wasmyard_runtime::body::inspected;
use wasmyard_runtime::{Body, BodyError};

use super::figures::Account;
use super::policy::{Denied, GuestJudge};
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
        Fault::Broken(error) => of_fault(net::Fault::of(&error)),
    });
    inspected(body, move |frame, is_last| {
        // It is in use as long as somebody may read on.
        let _until_dropped = &connection;
        match frame {
            None => account.succeeded(),
            Some(Err(error)) => account.failed(error),
            Some(Ok(_)) if is_last => account.succeeded(),
            Some(Ok(_)) => {}
        }
    })
}

/// What the guest is told when there is no response.
pub(super) fn code_of(failed: &NoAnswer) -> BodyError {
    match failed {
        NoAnswer::ConnectTimeout => BodyError::ConnectionTimeout,
        NoAnswer::ResponseTimeout => BodyError::HttpResponseTimeout,
        NoAnswer::Failed(_) => match failed.no_connection::<GuestJudge>() {
            Some(refused) => of_connecting(refused),
            None => of_fault(failed.fault()),
        },
    }
}

fn of_connecting(refused: &NoConnection<Denied>) -> BodyError {
    match refused {
        NoConnection::Denied(denied) => denied.code(),
        NoConnection::NoAddress(NoAddress::Timeout) => BodyError::DnsTimeout,
        NoConnection::NoAddress(NoAddress::NotFound) => {
            BodyError::DnsError { rcode: Some("NXDOMAIN".to_owned()), info_code: None }
        }
        NoConnection::NoAddress(NoAddress::Failed) => BodyError::DnsError { rcode: None, info_code: None },
        NoConnection::Full(_) => BodyError::ConnectionLimitReached,
        NoConnection::Timeout | NoConnection::TlsTimeout => BodyError::ConnectionTimeout,
        NoConnection::Unreachable(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            BodyError::ConnectionRefused
        }
        NoConnection::Unreachable(_) => BodyError::DestinationUnavailable,
        NoConnection::Tls(_) => BodyError::TlsProtocolError,
        NoConnection::Certificate(_) => BodyError::TlsCertificateError,
    }
}

/// What a reader is told of an answer that went wrong.
pub(crate) fn of_fault(fault: net::Fault) -> BodyError {
    match fault {
        net::Fault::HeadTooLarge => BodyError::HttpResponseHeaderSectionSize(None),
        net::Fault::Incomplete => BodyError::HttpResponseIncomplete,
        net::Fault::Timeout => BodyError::HttpResponseTimeout,
        net::Fault::Protocol => BodyError::HttpProtocolError,
        net::Fault::Terminated => BodyError::ConnectionTerminated,
    }
}
