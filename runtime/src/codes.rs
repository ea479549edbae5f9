//! Errors of requests and bodies, as `wasi:http` error codes for guests. A guest is told which rule was broken, and
//! nothing of the host: the texts of system errors stay behind.

use wasmtime_wasi_http::p2::bindings::http::types::{
    DnsErrorPayload, ErrorCode, FieldSizePayload, TlsAlertReceivedPayload,
};

use crate::body::BodyError;

/// The code that says the same.
pub(crate) fn to_code(error: BodyError) -> ErrorCode {
    let sized = |field_name, field_size| FieldSizePayload { field_name, field_size };
    match error {
        BodyError::HttpRequestBodySize(size) => ErrorCode::HttpRequestBodySize(size),
        BodyError::DnsTimeout => ErrorCode::DnsTimeout,
        BodyError::DnsError { rcode, info_code } => ErrorCode::DnsError(DnsErrorPayload { rcode, info_code }),
        BodyError::DestinationNotFound => ErrorCode::DestinationNotFound,
        BodyError::DestinationUnavailable => ErrorCode::DestinationUnavailable,
        BodyError::DestinationIpProhibited => ErrorCode::DestinationIpProhibited,
        BodyError::DestinationIpUnroutable => ErrorCode::DestinationIpUnroutable,
        BodyError::ConnectionRefused => ErrorCode::ConnectionRefused,
        BodyError::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        BodyError::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        BodyError::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        BodyError::ConnectionWriteTimeout => ErrorCode::ConnectionWriteTimeout,
        BodyError::ConnectionLimitReached => ErrorCode::ConnectionLimitReached,
        BodyError::TlsProtocolError | BodyError::Tls(_) => ErrorCode::TlsProtocolError,
        BodyError::TlsCertificateError => ErrorCode::TlsCertificateError,
        BodyError::TlsAlertReceived { alert_id, alert_message } => {
            ErrorCode::TlsAlertReceived(TlsAlertReceivedPayload { alert_id, alert_message })
        }
        BodyError::HttpRequestDenied => ErrorCode::HttpRequestDenied,
        BodyError::HttpRequestLengthRequired => ErrorCode::HttpRequestLengthRequired,
        BodyError::HttpRequestMethodInvalid => ErrorCode::HttpRequestMethodInvalid,
        BodyError::HttpRequestUriInvalid => ErrorCode::HttpRequestUriInvalid,
        BodyError::HttpRequestUriTooLong => ErrorCode::HttpRequestUriTooLong,
        BodyError::HttpRequestHeaderSectionSize(size) => ErrorCode::HttpRequestHeaderSectionSize(size),
        BodyError::HttpRequestHeaderSize { field_name, field_size } => {
            ErrorCode::HttpRequestHeaderSize(Some(sized(field_name, field_size)))
        }
        BodyError::HttpRequestTrailerSectionSize(size) => ErrorCode::HttpRequestTrailerSectionSize(size),
        BodyError::HttpRequestTrailerSize { field_name, field_size } => {
            ErrorCode::HttpRequestTrailerSize(sized(field_name, field_size))
        }
        BodyError::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        BodyError::HttpResponseHeaderSectionSize(size) => ErrorCode::HttpResponseHeaderSectionSize(size),
        BodyError::HttpResponseHeaderSize { field_name, field_size } => {
            ErrorCode::HttpResponseHeaderSize(sized(field_name, field_size))
        }
        BodyError::HttpResponseBodySize(size) => ErrorCode::HttpResponseBodySize(size),
        BodyError::HttpResponseTrailerSectionSize(size) => ErrorCode::HttpResponseTrailerSectionSize(size),
        BodyError::HttpResponseTrailerSize { field_name, field_size } => {
            ErrorCode::HttpResponseTrailerSize(sized(field_name, field_size))
        }
        BodyError::HttpResponseTransferCoding(coding) => ErrorCode::HttpResponseTransferCoding(coding),
        BodyError::HttpResponseContentCoding(coding) => ErrorCode::HttpResponseContentCoding(coding),
        BodyError::HttpResponseTimeout => ErrorCode::HttpResponseTimeout,
        BodyError::HttpUpgradeFailed => ErrorCode::HttpUpgradeFailed,
        BodyError::LoopDetected => ErrorCode::LoopDetected,
        BodyError::ConfigurationError => ErrorCode::ConfigurationError,
        BodyError::InternalError(text) => ErrorCode::InternalError(text),
        BodyError::Connect(_) => ErrorCode::ConnectionRefused,
        // `BodyError` is non-exhaustive; hyper's own errors are broken rules of HTTP.
        BodyError::HttpProtocolError | BodyError::Hyper(_) | _ => ErrorCode::HttpProtocolError,
    }
}

/// A `wasi:http` error code with which a guest answered in place of a response.
#[derive(Clone, Debug)]
pub struct GuestCode(pub(crate) ErrorCode);

impl GuestCode {
    /// The same as an error of a request.
    pub fn into_error(self) -> BodyError {
        self.0.into()
    }
}

// The generated type has no equality; its printed form tells everything that it holds.
impl PartialEq for GuestCode {
    fn eq(&self, other: &Self) -> bool {
        format!("{:?}", self.0) == format!("{:?}", other.0)
    }
}

impl Eq for GuestCode {}

impl std::fmt::Display for GuestCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_survives_the_way_there_and_back() {
        for code in [
            ErrorCode::HttpRequestDenied,
            ErrorCode::DnsError(DnsErrorPayload { rcode: Some("NXDOMAIN".to_owned()), info_code: Some(3) }),
            ErrorCode::HttpResponseBodySize(Some(7)),
            ErrorCode::InternalError(Some("text".to_owned())),
        ] {
            let back = to_code(GuestCode(code.clone()).into_error());
            assert_eq!(GuestCode(back), GuestCode(code));
        }
    }

    #[test]
    fn what_the_system_says_stays_behind() {
        let error = BodyError::Connect(std::io::Error::other("10.1.2.3: no route"));
        assert_eq!(GuestCode(to_code(error)).to_string(), "ErrorCode::ConnectionRefused");
    }
}
