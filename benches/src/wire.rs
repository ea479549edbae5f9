//! As much of HTTP/1.1 as the clients need: requests as ready-made bytes, and where a response ends.
//! Reads what servers of this machine send; must never be used on anything else.

use crate::Error;

/// A request without a body, for a connection that stays open.
pub fn get(host: &str, path: &str) -> Box<[u8]> {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes().into()
}

/// A response that is there to its last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Where its body begins.
    pub body: usize,
    /// Where it ends.
    pub end: usize,
    /// Whether the server closes the connection after it.
    pub closes: bool,
}

/// The head of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its status.
    pub status: u16,
    /// Where its body begins.
    pub body: usize,
    /// How its body ends.
    pub length: Length,
    /// Whether the server closes the connection after it.
    pub closes: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// After so many bytes.
    Known(usize),
    /// With an empty chunk.
    Chunked,
    /// With the connection.
    Connection,
}

/// The head at the beginning of `bytes`, if all of it is there.
///
/// # Errors
/// When it is no HTTP/1.1.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(bytes.get(..end).unwrap_or_default())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
    let status: u16 = status.ok_or_else(|| format!("not a response: {text:?}"))?;
    let bodiless = matches!(status, 100..200 | 204 | 304);
    let mut head = Head {
        status,
        body: end + 4,
        length: if bodiless { Length::Known(0) } else { Length::Connection },
        closes: false,
    };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") && !bodiless {
            head.length = Length::Known(value.parse()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            head.length = Length::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            head.closes = value.eq_ignore_ascii_case("close");
        }
    }
    Ok(Some(head))
}

/// The response at the beginning of `bytes`, if it is there to its last byte.
///
/// # Errors
/// When it is no HTTP/1.1, or ends with the connection only.
pub fn answer(bytes: &[u8]) -> Result<Option<Answer>, Error> {
    let Some(head) = head(bytes)? else { return Ok(None) };
    let end = match head.length {
        Length::Known(length) => Some(head.body + length),
        Length::Chunked => chunks_end(bytes, head.body)?,
        Length::Connection => return Err("a response without a length".into()),
    };
    Ok(end.filter(|end| *end <= bytes.len()).map(|end| Answer {
        status: head.status,
        body: head.body,
        end,
        closes: head.closes,
    }))
}

/// Where the chunks that begin at `at` end; trailers are not expected.
fn chunks_end(bytes: &[u8], mut at: usize) -> Result<Option<usize>, Error> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(line) = find(rest, b"\r\n") else { return Ok(None) };
        let digits = std::str::from_utf8(rest.get(..line).unwrap_or_default())?;
        let size = usize::from_str_radix(digits, 16)?;
        at += line + 2 + size + 2;
        if size == 0 {
            return Ok(Some(at));
        }
    }
}

/// The body of a whole response, without its chunks' frames.
///
/// # Errors
/// When it is not whole.
pub fn body(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let head = head(bytes)?.ok_or("the head of the response broke off")?;
    let rest = bytes.get(head.body..).unwrap_or_default();
    match head.length {
        Length::Known(length) => Ok(rest.get(..length).ok_or("the body broke off")?.to_vec()),
        Length::Connection => Ok(rest.to_vec()),
        Length::Chunked => {
            let (mut whole, mut at) = (Vec::new(), 0);
            loop {
                let left = rest.get(at..).ok_or("the body broke off")?;
                let line = find(left, b"\r\n").ok_or("the body broke off")?;
                let size =
                    usize::from_str_radix(std::str::from_utf8(left.get(..line).unwrap_or_default())?, 16)?;
                if size == 0 {
                    return Ok(whole);
                }
                let data = line + 2;
                whole.extend_from_slice(left.get(data..data + size).ok_or("the body broke off")?);
                at += data + size + 2;
            }
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_where_its_length_says() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1";
        let whole = answer(bytes).unwrap().unwrap();
        assert_eq!(&bytes[whole.body..whole.end], b"hi");
        assert_eq!((whole.status, whole.closes), (200, false));
        assert_eq!(answer(&bytes[..whole.end - 1]).unwrap(), None);
        assert_eq!(body(&bytes[..whole.end]).unwrap(), b"hi");
    }

    #[test]
    fn a_response_ends_with_its_last_chunk() {
        let bytes = b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let whole = answer(bytes).unwrap().unwrap();
        assert_eq!((whole.status, whole.end, whole.closes), (503, bytes.len(), true));
        for short in 0..bytes.len() {
            assert_eq!(answer(&bytes[..short]).unwrap(), None, "{short}");
        }
        assert_eq!(body(bytes).unwrap(), b"abc");
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        assert!(answer(b"HELLO\r\n\r\n").is_err());
        assert!(answer(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "no length");
        assert_eq!(answer(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap().end, 27);
    }
}
