//! What went wrong, in the words of the protocol.

use std::borrow::Cow;

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use wasmyard_r2::R2Error;

use crate::chunked::ChunkError;
use crate::xml::{Malformed, Xml};

/// Why a request is not answered as it was meant.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    code: &'static str,
    text: Cow<'static, str>,
}

const fn fault(status: StatusCode, code: &'static str, text: &'static str) -> Fault {
    Fault { status, code, text: Cow::Borrowed(text) }
}

impl Fault {
    pub(crate) const DENIED: Fault = fault(StatusCode::FORBIDDEN, "AccessDenied", "Access denied");
    pub(crate) const UNSIGNED: Fault = fault(
        StatusCode::FORBIDDEN,
        "AccessDenied",
        "The request has no signature of the form AWS4-HMAC-SHA256, in the field Authorization or in the query",
    );
    pub(crate) const UNKNOWN_KEY: Fault = fault(
        StatusCode::FORBIDDEN,
        "InvalidAccessKeyId",
        "There is no such access key: it is the id of a token of the API that is good now",
    );
    pub(crate) const SIGNATURE: Fault = fault(
        StatusCode::FORBIDDEN,
        "SignatureDoesNotMatch",
        "The signature is another than the request and the secret make; the secret is the SHA-256 of the token's text in hexadecimal digits",
    );
    pub(crate) const SKEWED: Fault = fault(
        StatusCode::FORBIDDEN,
        "RequestTimeTooSkewed",
        "The time of the request is more than 15 minutes from the server's; set the clock",
    );
    pub(crate) const EXPIRED: Fault =
        fault(StatusCode::FORBIDDEN, "AccessDenied", "The URL was signed for a time that is over");
    pub(crate) const ARGUMENT: Fault =
        fault(StatusCode::BAD_REQUEST, "InvalidArgument", "An argument is not valid");
    pub(crate) const NO_KEY: Fault =
        fault(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
    pub(crate) const NO_BUCKET: Fault =
        fault(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist.");
    pub(crate) const CONDITION: Fault = fault(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailed",
        "At least one of the conditions does not hold of the object",
    );
    pub(crate) const MALFORMED: Fault =
        fault(StatusCode::BAD_REQUEST, "MalformedXML", "The body is not the XML that this operation takes");
    pub(crate) const INVALID: Fault =
        fault(StatusCode::BAD_REQUEST, "InvalidRequest", "The request is not valid");
    pub(crate) const DIGEST: Fault = fault(
        StatusCode::BAD_REQUEST,
        "BadDigest",
        "A checksum that was given is not the one of what came; send it again",
    );
    pub(crate) const HASH: Fault = fault(
        StatusCode::BAD_REQUEST,
        "XAmzContentSHA256Mismatch",
        "The body has another SHA-256 than x-amz-content-sha256 says",
    );
    pub(crate) const NO_LENGTH: Fault = fault(
        StatusCode::LENGTH_REQUIRED,
        "MissingContentLength",
        "A body of the form aws-chunked needs the field x-amz-decoded-content-length",
    );
    pub(crate) const METHOD: Fault =
        fault(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "The method is none of this resource");
    pub(crate) const MISSING: Fault = fault(
        StatusCode::NOT_IMPLEMENTED,
        "NotImplemented",
        "This operation is not there; buckets are made and deleted by the API",
    );

    pub(crate) const fn of(status: StatusCode, code: &'static str, text: &'static str) -> Fault {
        fault(status, code, text)
    }

    /// The same with another text.
    pub(crate) fn saying(self, text: impl Into<Cow<'static, str>>) -> Fault {
        Fault { text: text.into(), ..self }
    }

    /// What is wrong, for whoever asked.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// As an answer; one to HEAD has no body.
    pub(crate) fn answer(&self, resource: &str, is_head: bool) -> Response<Body> {
        let mut xml = Xml::new();
        xml.open("Error");
        xml.text("Code", self.code).text("Message", &self.text).text("Resource", resource);
        xml.close("Error");
        let body = if is_head { Body::empty() } else { Body::from(xml.end()) };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        response
    }
}

impl From<Malformed> for Fault {
    fn from(Malformed(text): Malformed) -> Fault {
        Fault::MALFORMED.saying(text)
    }
}

impl From<ChunkError> for Fault {
    fn from(error: ChunkError) -> Fault {
        let (status, code) = match error {
            ChunkError::Incomplete => (StatusCode::BAD_REQUEST, "IncompleteBody"),
            ChunkError::Malformed => (StatusCode::BAD_REQUEST, "InvalidRequest"),
            ChunkError::TooShort => (StatusCode::FORBIDDEN, "InvalidChunkSizeError"),
            ChunkError::Signature => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            ChunkError::Trailer => (StatusCode::BAD_REQUEST, "MalformedTrailerError"),
        };
        Fault { status, code, text: Cow::Owned(error.to_string()) }
    }
}

impl From<R2Error> for Fault {
    fn from(error: R2Error) -> Fault {
        let (status, code) = match &error {
            R2Error::BucketNotFound(_) => return Fault::NO_BUCKET,
            R2Error::BucketTaken(_) => (StatusCode::CONFLICT, "BucketAlreadyOwnedByYou"),
            R2Error::BucketNotEmpty { .. } => (StatusCode::CONFLICT, "BucketNotEmpty"),
            R2Error::UploadNotFound(_) => (StatusCode::NOT_FOUND, "NoSuchUpload"),
            R2Error::InvalidPart(_) => (StatusCode::BAD_REQUEST, "InvalidPart"),
            R2Error::PartTooSmall { .. } => (StatusCode::BAD_REQUEST, "EntityTooSmall"),
            R2Error::Invalid(_) => (StatusCode::BAD_REQUEST, "InvalidArgument"),
            R2Error::InvalidRange { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
            R2Error::BadDigest { .. } => (StatusCode::BAD_REQUEST, "BadDigest"),
            R2Error::TooLarge { what: "the key", .. } => (StatusCode::BAD_REQUEST, "KeyTooLongError"),
            R2Error::TooLarge { what: "the metadata", .. } => (StatusCode::BAD_REQUEST, "MetadataTooLarge"),
            R2Error::TooLarge { .. } => (StatusCode::BAD_REQUEST, "EntityTooLarge"),
            R2Error::Quota { .. } => (StatusCode::FORBIDDEN, "QuotaExceeded"),
            R2Error::Interrupted(_) => (StatusCode::BAD_REQUEST, "IncompleteBody"),
            R2Error::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
            R2Error::Full => (StatusCode::INSUFFICIENT_STORAGE, "ServiceUnavailable"),
            R2Error::Damaged { .. } | R2Error::Store { .. } => {
                tracing::error!(%error, "a request of the S3 protocol failed");
                let text = "The platform failed to carry out the request; its log says why";
                return fault(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", text);
            }
        };
        Fault { status, code, text: Cow::Owned(error.to_string()) }
    }
}
