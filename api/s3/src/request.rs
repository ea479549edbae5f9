//! What a request asks for: its path and its query, decoded once, and written again as signatures have them.

use http::request::Parts;
use http::{HeaderMap, Method};

use crate::fault::Fault;

/// Parameters of one query.
const MOST_PARAMETERS: usize = 128;

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Asked<'r> {
    pub(crate) method: &'r Method,
    pub(crate) headers: &'r HeaderMap,
    /// What `Host` says; over HTTP/2 the authority.
    pub(crate) host: String,
    /// None where the request is about all buckets.
    pub(crate) bucket: Option<String>,
    /// None where it is about a bucket.
    pub(crate) key: Option<String>,
    /// Names and values, decoded, in their order.
    query: Vec<(String, String)>,
    /// The path, decoded.
    path: Vec<u8>,
}

impl<'r> Asked<'r> {
    pub(crate) fn of(parts: &'r Parts) -> Result<Asked<'r>, Fault> {
        let path = decoded(parts.uri.path())
            .ok_or_else(|| Fault::ARGUMENT.saying("the path is not percent-encoded"))?;
        let text = String::from_utf8(path.clone());
        let text = text.map_err(|_| Fault::ARGUMENT.saying("the path is not UTF-8"))?;
        let (bucket, key) = match text.strip_prefix('/').unwrap_or(&text).split_once('/') {
            Some((bucket, key)) => (bucket, Some(key.to_owned()).filter(|key| !key.is_empty())),
            None => (text.strip_prefix('/').unwrap_or(&text), None),
        };
        let bucket = Some(bucket.to_owned()).filter(|bucket| !bucket.is_empty());
        let mut query = Vec::new();
        for pair in parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            if query.len() == MOST_PARAMETERS {
                return Err(Fault::ARGUMENT.saying("the query has too many parameters"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |part| decoded(part).and_then(|bytes| String::from_utf8(bytes).ok());
            let (Some(name), Some(value)) = (text(name), text(value)) else {
                return Err(Fault::ARGUMENT.saying("the query is not percent-encoded UTF-8"));
            };
            query.push((name, value));
        }
        let field = parts.headers.get(http::header::HOST).and_then(|host| host.to_str().ok());
        let host =
            field.or(parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default().to_owned();
        Ok(Asked { method: &parts.method, headers: &parts.headers, host, bucket, key, query, path })
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether the query has a parameter, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.parameter(name).is_some()
    }

    /// A parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let number = self.parameter(name).filter(|text| !text.is_empty()).map(str::parse);
        number
            .transpose()
            .map_err(|_| Fault::ARGUMENT.saying(format!("{name} is a number that is not negative")))
    }

    /// A header field as text; none where it is not there or is none.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }

    /// The path as it is signed.
    pub(crate) fn signed_path(&self) -> String {
        encoded(&self.path, true)
    }

    /// The query as it is signed, without the signature itself.
    pub(crate) fn signed_query(&self) -> String {
        let each = self.query.iter().filter(|(name, _)| name != "X-Amz-Signature");
        let mut pairs: Vec<_> = each
            .map(|(name, value)| (encoded(name.as_bytes(), false), encoded(value.as_bytes(), false)))
            .collect();
        pairs.sort();
        let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }
}

/// Percent-encoding as signatures have it: all but letters, digits and `-_.~`; in a path the slash stays, too.
pub(crate) fn encoded(bytes: &[u8], is_path: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(*byte))
            }
            b'/' if is_path => text.push('/'),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

/// None where a percent sign is not followed by two digits.
pub(crate) fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_written_as_signatures_have_it() {
        assert_eq!(encoded("a b/å~+".as_bytes(), true), "a%20b/%C3%A5~%2B");
        assert_eq!(encoded(b"a/b", false), "a%2Fb");
        assert_eq!(decoded("a%20b%2f+").as_deref(), Some(&b"a b/+"[..]));
        assert_eq!((decoded("%2"), decoded("%zz")), (None, None));
    }

    #[test]
    fn a_path_names_a_bucket_and_a_key() {
        let named = |uri: &str| {
            let (parts, ()) = http::Request::get(uri).header("host", "h").body(()).unwrap().into_parts();
            let asked = Asked::of(&parts).ok()?;
            Some((asked.bucket, asked.key))
        };
        let bucket = || Some("photos".to_owned());
        assert_eq!(named("/"), Some((None, None)));
        assert_eq!(named("/photos"), Some((bucket(), None)));
        assert_eq!(named("/photos/"), Some((bucket(), None)));
        assert_eq!(named("/photos/a%2Fb/c"), Some((bucket(), Some("a/b/c".to_owned()))));
        assert_eq!(named("/photos//a"), Some((bucket(), Some("/a".to_owned()))));
        assert_eq!(named("/photos/%ff"), None);
    }
}
