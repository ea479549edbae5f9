//! What is left out of what watchers see of a request: values of fields that hold secrets, and parts of addresses that look
//! like identifiers. Source: the page *Tail Workers* of the hosted product, on `TraceRequest.getUnredacted`.

use http::{HeaderMap, Uri};
use serde_json::{Map, Value};

const REDACTED: &str = "REDACTED";
/// Parts of names of fields whose values are secrets.
const SECRET_NAMES: &[&str] = &["auth", "cookie", "jwt", "key", "password", "secret", "session", "token"];

/// Fields by their names, the values of one name put together.
pub(super) fn headers(headers: &HeaderMap) -> Value {
    let mut shown = Map::new();
    for name in headers.keys() {
        let is_secret = SECRET_NAMES.iter().any(|part| name.as_str().contains(part));
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let text = if is_secret { REDACTED.to_owned() } else { values.collect::<Vec<_>>().join(", ") };
        shown.insert(name.to_string(), Value::from(text));
    }
    Value::Object(shown)
}

/// An address without a user in it, and without what looks like an identifier.
pub(super) fn url(url: &Uri) -> String {
    let scheme = url.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
    let authority = url.authority().map(|authority| authority.as_str()).unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let rest = url.path_and_query().map(|rest| rest.as_str()).unwrap_or_default();
    let mut shown = format!("{scheme}{host}");
    let mut word = String::new();
    for character in rest.chars() {
        if is_of_word(character) {
            word.push(character);
        } else {
            shown.push_str(shown_word(&word));
            word.clear();
            shown.push(character);
        }
    }
    shown.push_str(shown_word(&word));
    shown
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '_')
}

/// A word is left out that has 32 hexadecimal digits or more, or 21 characters or more with two capitals, two small letters
/// and two digits among them.
fn shown_word(word: &str) -> &str {
    let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
    let hexadecimal = count(u8::is_ascii_hexdigit);
    let is_hexadecimal = hexadecimal >= 32
        && word.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'+' | b'-' | b'_'));
    let is_mixed = word.len() >= 21
        && count(u8::is_ascii_uppercase) >= 2
        && count(u8::is_ascii_lowercase) >= 2
        && count(u8::is_ascii_digit) >= 2;
    if is_hexadecimal || is_mixed { REDACTED } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_does_not_show() {
        let mut map = HeaderMap::new();
        for (name, value) in
            [("authorization", "Bearer canary"), ("x-api-key", "canary"), ("cookie", "a=canary")]
        {
            map.insert(name, value.parse().unwrap());
        }
        map.append("accept", "text/html".parse().unwrap());
        map.append("accept", "text/plain".parse().unwrap());
        let shown = headers(&map);
        assert_eq!(shown["accept"], "text/html, text/plain");
        assert!(!shown.to_string().contains("canary"), "{shown}");
        let shown = |text: &str| url(&text.parse().unwrap());
        assert_eq!(shown("http://user:canary@shop.test:8080/a?b=c"), "http://shop.test:8080/a?b=c");
        assert_eq!(shown("/orders/0123456789abcdef0123456789abcdef?x=1"), "/orders/REDACTED?x=1");
        assert_eq!(shown("/a?token=aB3dE6gH9jK2mN5pQ8sT1"), "/a?token=REDACTED");
        assert_eq!(shown("/a-long-name-of-a-page-with-words"), "/a-long-name-of-a-page-with-words");
    }
}
