//! Which requests a response fits (RFC 9111, section 4.1).

use http::header::{HeaderMap, HeaderName, VARY};

/// By which fields of a request a response was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vary {
    /// By these, sorted; by none, where there are none.
    By(Vec<HeaderName>),
    /// By more than fields: it fits no other request.
    ByAll,
}

/// What the `Vary` fields of a response say. What is no name of a field has no value in any request.
#[must_use]
pub fn vary(headers: &HeaderMap) -> Vary {
    let mut names = Vec::new();
    for value in headers.get_all(VARY) {
        for name in String::from_utf8_lossy(value.as_bytes()).split(',').map(str::trim) {
            match name {
                "" => {}
                "*" => return Vary::ByAll,
                name => names.extend(HeaderName::try_from(name).ok()),
            }
        }
    }
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    Vary::By(names)
}

/// What a request has in these fields, so that two requests have the same here exactly where a response to the one fits the
/// other: whether a field is there counts, and neither white space around values nor how many lines they are on.
#[must_use]
pub fn selected(request: &HeaderMap, names: &[HeaderName]) -> Vec<u8> {
    let mut selected = Vec::new();
    for name in names {
        let values: Vec<&[u8]> = request.get_all(name).iter().map(|value| value.as_bytes()).collect();
        selected.extend_from_slice(name.as_str().as_bytes());
        selected.push(if values.is_empty() { 0 } else { 1 });
        let items = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
        let items: Vec<&[u8]> = items.map(|item| item.trim_ascii()).filter(|item| !item.is_empty()).collect();
        // No value has a zero byte in it.
        selected.extend_from_slice(&items.join(&b','));
        selected.push(0);
    }
    selected
}
