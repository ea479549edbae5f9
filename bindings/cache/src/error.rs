//! Why a cache cannot be asked. Whatever the disk or the bounds keep from being there is no error: it is not there.

/// A request that breaks a rule. The texts are the product's, and safe to show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheError {
    /// The name of a cache.
    #[error("Cache name is too long.")]
    Name,
    /// The URL of a request.
    #[error("Invalid URL. Cache API keys must be fully-qualified, valid URLs.")]
    Url,
    /// A response to be put for another method.
    #[error("Cannot cache response to non-GET request.")]
    Method,
    /// A part of a response.
    #[error("Cannot cache response to a range request (206 Partial Content).")]
    Partial,
    /// A response that fits no other request.
    #[error("Cannot cache response with 'Vary: *' header.")]
    VariesByAll,
    /// A status that no response has.
    #[error("{0} is no status of a response, which are from 200 to 599")]
    Status(u16),
    /// A field that is none of HTTP.
    #[error("a header field has a name or a value that HTTP does not allow: its name is {0:?}")]
    Field(String),
    /// More fields than a head takes.
    #[error("there are too many header fields")]
    Fields,
}
