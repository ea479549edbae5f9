//! What visitors are told when an origin does not answer: the codes and words of the hosted product.

use std::time::Duration;

use http::StatusCode;

use super::Refusal;

/// Why an origin did not answer, as far as a visitor may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OriginFault {
    /// What came is no answer, or none came and the connection ended.
    Unknown,
    /// Nobody takes connections there.
    Refused,
    /// There was no connection in time.
    ConnectTimeout,
    /// There is no way to it.
    Unreachable,
    /// It took the request, and did not answer in time.
    Timeout,
    /// The handshake failed.
    Handshake,
    /// Its certificate is not believed.
    Certificate,
    /// It has no record, or its name no address.
    Dns,
    /// It is where nothing may be sent, such as here.
    Prohibited,
    /// Too many requests for it, or for its zone, are under way.
    Busy,
}

impl OriginFault {
    /// All that there are.
    pub(crate) const ALL: [Self; 10] = [
        Self::Unknown,
        Self::Refused,
        Self::ConnectTimeout,
        Self::Unreachable,
        Self::Timeout,
        Self::Handshake,
        Self::Certificate,
        Self::Dns,
        Self::Prohibited,
        Self::Busy,
    ];

    /// Status, code, reason and text.
    const fn row(self) -> (u16, u16, &'static str, &'static str) {
        match self {
            Self::Unknown => (520, 520, "origin_unknown", "Web server is returning an unknown error."),
            Self::Refused => (521, 521, "origin_refused", "Web server is down."),
            Self::ConnectTimeout => (522, 522, "origin_connect_timeout", "Connection timed out."),
            Self::Unreachable => (523, 523, "origin_unreachable", "Origin is unreachable."),
            Self::Timeout => (524, 524, "origin_timeout", "A timeout occurred."),
            Self::Handshake => (525, 525, "origin_handshake", "SSL handshake failed."),
            Self::Certificate => (526, 526, "origin_certificate", "Invalid SSL certificate."),
            Self::Dns => (530, 1016, "origin_dns", "Origin DNS error."),
            Self::Prohibited => (403, 1000, "origin_prohibited", "DNS points to prohibited IP."),
            Self::Busy => {
                (503, 2013, "origin_busy", "Too many requests for this origin are under way. Try again.")
            }
        }
    }

    /// A stable word, for logs and figures.
    pub(crate) const fn reason(self) -> &'static str {
        self.row().2
    }
}

impl From<OriginFault> for Refusal {
    fn from(fault: OriginFault) -> Self {
        let (status, code, reason, text) = fault.row();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        let refusal = Self::new(status, code, reason, text);
        let retry_after = (fault == OriginFault::Busy).then_some(Duration::from_secs(1));
        Self { retry_after, ..refusal }
    }
}
