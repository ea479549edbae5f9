//! What the head of an answer says over HTTP/2 and HTTP/3, whoever answers. Over HTTP/1.1 hyper sees to that.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http_body::Body;

/// Fields that belong to a connection of HTTP/1.1, and to nothing here (RFC 9113 section 8.2.2, RFC 9114 section 4.2).
pub(crate) const OF_CONNECTIONS: [HeaderName; 5] = [
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Adds what every answer says of itself, and takes out what only another protocol says.
pub(crate) fn complete(headers: &mut HeaderMap, body: &impl Body) {
    for field in &OF_CONNECTIONS {
        headers.remove(field);
    }
    if let header::Entry::Vacant(place) = headers.entry(header::DATE) {
        place.insert(date());
    }
    if let Some(length) = body.size_hint().exact().filter(|_| !body.is_end_stream()) {
        headers.entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
    }
}

thread_local! {
    /// The date of a second since 1970: it is written once for all answers of a thread in that second.
    static DATE: RefCell<(u64, HeaderValue)> = const { RefCell::new((0, HeaderValue::from_static(""))) };
}

fn date() -> HeaderValue {
    let now = SystemTime::now();
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    DATE.with_borrow_mut(|(of, date)| {
        if *of != second
            && let Ok(value) = HeaderValue::try_from(httpdate::fmt_http_date(now))
        {
            (*of, *date) = (second, value);
        }
        date.clone()
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn an_answer_says_when_it_was_given_and_how_long_it_is() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_static("close"));
        headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
        complete(&mut headers, &Full::new(Bytes::from_static(b"body")));
        assert_eq!(headers["content-length"], "4");
        assert!(headers["date"].to_str().unwrap().ends_with(" GMT"));
        assert_eq!(headers.len(), 2);
        let mut own = HeaderMap::new();
        own.insert("date", HeaderValue::from_static("then"));
        complete(&mut own, &Empty::<Bytes>::new());
        assert_eq!((&own["date"], own.len()), (&HeaderValue::from_static("then"), 1));
    }
}
