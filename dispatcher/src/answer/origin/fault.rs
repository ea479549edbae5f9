//! Why there is no answer of an origin: for the visitor, and for the operator.

use std::io::ErrorKind;

use wasmyard_net::address::Kind;
use wasmyard_net::{self as net, NoAnswer, NoConnection};

use super::judge::ZoneJudge;
use crate::egress::Denied;
use crate::respond::OriginFault;

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Fault {
    /// What the visitor is told.
    pub(super) told: OriginFault,
    /// What the operator is told beside it.
    pub(super) cause: String,
}

impl Fault {
    pub(super) fn new(told: OriginFault, cause: impl Into<String>) -> Self {
        Self { told, cause: cause.into() }
    }

    /// What a request that failed on its way comes to.
    pub(super) fn of(failed: &NoAnswer) -> Self {
        let told = match failed {
            NoAnswer::ConnectTimeout => OriginFault::ConnectTimeout,
            NoAnswer::ResponseTimeout => OriginFault::Timeout,
            NoAnswer::Failed(_) => match failed.no_connection::<ZoneJudge>() {
                Some(refused) => return Self::new(of_connecting(refused), refused.to_string()),
                None => match failed.fault() {
                    net::Fault::Timeout => OriginFault::Timeout,
                    net::Fault::HeadTooLarge
                    | net::Fault::Incomplete
                    | net::Fault::Protocol
                    | net::Fault::Terminated => OriginFault::Unknown,
                },
            },
        };
        Self::new(told, failed.to_string())
    }
}

fn of_connecting(refused: &NoConnection<Denied>) -> OriginFault {
    match refused {
        // Addresses that nobody has stand in records of origins that are scripts.
        NoConnection::Denied(Denied::Address { kind: Kind::Reserved | Kind::Documentation, .. }) => {
            OriginFault::Unreachable
        }
        NoConnection::Denied(_) => OriginFault::Prohibited,
        NoConnection::NoAddress(_) => OriginFault::Dns,
        NoConnection::Full(_) => OriginFault::Busy,
        NoConnection::Timeout => OriginFault::ConnectTimeout,
        NoConnection::Unreachable(error) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => {
                OriginFault::Refused
            }
            _ => OriginFault::Unreachable,
        },
        NoConnection::TlsTimeout | NoConnection::Tls(_) => OriginFault::Handshake,
        NoConnection::Certificate(_) => OriginFault::Certificate,
    }
}
