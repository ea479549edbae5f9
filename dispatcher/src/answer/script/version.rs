//! Which of a script's versions answers a request, where two serve.
//!
//! Whoever brings a key meets the same version each time, on every node; without one each visit is drawn for itself, and all
//! calls of the visit to one script meet the same version.

use std::sync::Arc;

use http::header::COOKIE;
use http::request::Parts;
use wasmyard_namespaces::deployment::{VERSION_KEY, VERSION_OVERRIDES};
use wasmyard_namespaces::script::Script;

/// Longest key that is looked at, in bytes.
const LONGEST_KEY: usize = 512;

/// The script with the version that answers, alone.
pub(super) fn chosen(script: Arc<Script>, head: &Parts, ray_id: &str) -> Arc<Script> {
    let Some(gradual) = script.gradual.as_deref() else { return script };
    let named = head.headers.get(VERSION_OVERRIDES).and_then(|value| value.to_str().ok());
    if let Some(chosen) = named
        .and_then(|named| override_of(named, script.key.script().as_str()))
        .and_then(|id| script.for_version(id))
    {
        return chosen;
    }
    let key = head.headers.get(VERSION_KEY).map(http::HeaderValue::as_bytes);
    let key = key.filter(|key| !key.is_empty() && key.len() <= LONGEST_KEY);
    let cookie = || gradual.cookie.as_deref().and_then(|name| cookie(head, name));
    script.for_key(key.or_else(cookie).unwrap_or(ray_id.as_bytes()))
}

/// The same for an event that brings no key.
pub(super) fn drawn(script: Arc<Script>, ray_id: &str) -> Arc<Script> {
    if script.gradual.is_none() { script } else { script.for_key(ray_id.as_bytes()) }
}

/// The id that a list like `shop="8f14e45f-...", other="..."` has for a script (RFC 9651: a dictionary of strings).
fn override_of<'v>(list: &'v str, script: &str) -> Option<&'v str> {
    let mut members = list.split(',').filter_map(|member| member.split_once('='));
    let (_, id) = members.rfind(|(name, _)| name.trim() == script)?;
    id.trim().strip_prefix('"')?.strip_suffix('"')
}

/// The value of a cookie that is not empty.
fn cookie<'h>(head: &'h Parts, name: &str) -> Option<&'h [u8]> {
    let fields = head.headers.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes);
    let pairs = fields.flat_map(|field| field.split(|byte| *byte == b';'));
    let mut values = pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
    });
    values.find(|value| !value.is_empty() && value.len() <= LONGEST_KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_by_its_script() {
        let list = r#"other="1", shop="2" ,third=3"#;
        assert_eq!(override_of(list, "shop"), Some("2"));
        assert_eq!(override_of(list, "other"), Some("1"));
        assert_eq!(override_of(list, "third"), None, "not a string");
        assert_eq!(override_of(list, "hop"), None);
        assert_eq!(override_of(r#"shop="1",shop="2""#, "shop"), Some("2"), "the last one counts");
    }

    #[test]
    fn a_key_is_the_value_of_the_cookie_of_that_name() {
        let head = |cookies: &[&str]| {
            let request = cookies
                .iter()
                .fold(http::Request::builder(), |request, cookie| request.header(COOKIE, *cookie));
            request.body(()).unwrap().into_parts().0
        };
        assert_eq!(cookie(&head(&["a=1; session=abc; b=2"]), "session"), Some(b"abc".as_slice()));
        assert_eq!(cookie(&head(&["a=1", "session=abc"]), "session"), Some(b"abc".as_slice()));
        assert_eq!(cookie(&head(&["xsession=abc; sessions=1; session="]), "session"), None);
        let long = format!("session={}", "x".repeat(LONGEST_KEY + 1));
        assert_eq!(cookie(&head(&[&long]), "session"), None);
    }
}
