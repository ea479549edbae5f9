//! Why a body broke off, in one type for all protocols.

/// Why no more of a body can be read. Says nothing that a stranger must not see.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The connection of HTTP/1.1 broke off, or its client broke a rule.
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    /// The stream of HTTP/2, or its connection.
    #[error(transparent)]
    Http2(#[from] h2::Error),
    /// A stream of HTTP/3 broke off.
    #[error("the stream was reset, or its connection ended")]
    Reset,
    /// What came is not as long as its length was said to be.
    #[error("the body is not as long as its `content-length` says")]
    Length,
}
