//! Owns the request method and the URL scheme: plain values, no handles.

use std::fmt;

use wasip2::http::types as wasi;

/// The method of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the methods' names")]
pub enum Method {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    /// A method that has no variant of its own.
    Other(String),
}

impl Method {
    /// The method as it stands in the request line.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
            Method::Other(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Methods are case-sensitive: `get` is not `GET`.
impl From<&str> for Method {
    fn from(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "CONNECT" => Method::Connect,
            "OPTIONS" => Method::Options,
            "TRACE" => Method::Trace,
            "PATCH" => Method::Patch,
            other => Method::Other(other.to_owned()),
        }
    }
}

impl From<wasi::Method> for Method {
    fn from(method: wasi::Method) -> Method {
        match method {
            wasi::Method::Get => Method::Get,
            wasi::Method::Head => Method::Head,
            wasi::Method::Post => Method::Post,
            wasi::Method::Put => Method::Put,
            wasi::Method::Delete => Method::Delete,
            wasi::Method::Connect => Method::Connect,
            wasi::Method::Options => Method::Options,
            wasi::Method::Trace => Method::Trace,
            wasi::Method::Patch => Method::Patch,
            wasi::Method::Other(name) => Method::from(name.as_str()),
        }
    }
}

impl From<&Method> for wasi::Method {
    fn from(method: &Method) -> wasi::Method {
        match method {
            Method::Get => wasi::Method::Get,
            Method::Head => wasi::Method::Head,
            Method::Post => wasi::Method::Post,
            Method::Put => wasi::Method::Put,
            Method::Delete => wasi::Method::Delete,
            Method::Connect => wasi::Method::Connect,
            Method::Options => wasi::Method::Options,
            Method::Trace => wasi::Method::Trace,
            Method::Patch => wasi::Method::Patch,
            Method::Other(name) => wasi::Method::Other(name.clone()),
        }
    }
}

/// The scheme of a URL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the schemes' names")]
pub enum Scheme {
    Http,
    Https,
    /// Any other, in lower case.
    Other(String),
}

impl Scheme {
    /// The scheme as it stands in a URL, without `://`.
    pub fn as_str(&self) -> &str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Other(name) => name,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Schemes are not case-sensitive.
impl From<&str> for Scheme {
    fn from(name: &str) -> Scheme {
        let name = name.to_ascii_lowercase();
        match name.as_str() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => Scheme::Other(name),
        }
    }
}

impl From<wasi::Scheme> for Scheme {
    fn from(scheme: wasi::Scheme) -> Scheme {
        match scheme {
            wasi::Scheme::Http => Scheme::Http,
            wasi::Scheme::Https => Scheme::Https,
            wasi::Scheme::Other(name) => Scheme::from(name.as_str()),
        }
    }
}

impl From<&Scheme> for wasi::Scheme {
    fn from(scheme: &Scheme) -> wasi::Scheme {
        match scheme {
            Scheme::Http => wasi::Scheme::Http,
            Scheme::Https => wasi::Scheme::Https,
            Scheme::Other(name) => wasi::Scheme::Other(name.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_survives_the_way_through_wasi() {
        for name in
            ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PURGE", "get"]
        {
            let method = Method::from(name);
            assert_eq!(method.as_str(), name);
            assert_eq!(Method::from(wasi::Method::from(&method)), method);
        }
        assert_ne!(Method::from("get"), Method::Get);
    }

    #[test]
    fn schemes_are_compared_in_lower_case() {
        assert_eq!(Scheme::from("HTTPS"), Scheme::Https);
        assert_eq!(Scheme::from("Gopher"), Scheme::Other("gopher".to_owned()));
        assert_eq!(Scheme::from(wasi::Scheme::from(&Scheme::Http)), Scheme::Http);
    }
}
