//! What customers got wrong, as the API names it: which record, what was seen by which name server, what helps, and when it is
//! looked at again.
//!
//! Owns how that is written for people. It must never judge anything itself.

use serde_json::Value;

use super::{moment, text};
use crate::commands::items;

/// Where a hostname has its checks, and where its certificate has them.
const CHECKS: [&str; 2] = ["/ownership_checks", "/ssl/validation_checks"];

/// Three lines for each mistake.
pub(super) fn lines(hostname: &Value) -> Vec<String> {
    let all = CHECKS.iter().filter_map(|checks| hostname.pointer(&format!("{checks}/mistakes")));
    all.flat_map(items).flat_map(told).collect()
}

fn told(mistake: &Value) -> [String; 3] {
    let by = text(mistake, "/seen_by");
    let by = if by.is_empty() { String::new() } else { format!(" (by {by})") };
    [
        format!("{} at {} {}", text(mistake, "/code"), text(mistake, "/type"), text(mistake, "/name")),
        format!("  seen:  {}{by}", text(mistake, "/seen")),
        format!("  helps: {}", text(mistake, "/remedy")),
    ]
}

/// When it is looked at again; the sooner of the two where both are waited for.
pub(super) fn next(hostname: &Value) -> Option<String> {
    let times = CHECKS.iter().map(|checks| moment(hostname, &format!("{checks}/next_check_at")));
    times.filter(|time| !time.is_empty()).min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistake_is_told_with_what_was_seen_by_whom_and_what_helps() {
        let hostname = json!({
            "ownership_checks": {
                "next_check_at": "2026-01-01T00:01:00.000000Z",
                "mistakes": [{
                    "code": "value_wrong", "type": "TXT", "name": "_cf-custom-hostname.shop.customer.test", "seen": "old",
                    "seen_by": ["192.0.2.53:53", "192.0.2.54:53"], "remedy": "replace the value by new",
                }],
            },
            "ssl": {"validation_checks": {
                "next_check_at": "2026-01-01T00:00:30Z",
                "mistakes": [{"code": "port_80_closed", "type": "HTTP", "name": "http://shop", "seen": "refused", "remedy": "open it"}],
            }},
        });
        assert_eq!(
            lines(&hostname),
            [
                "value_wrong at TXT _cf-custom-hostname.shop.customer.test",
                "  seen:  old (by 192.0.2.53:53, 192.0.2.54:53)",
                "  helps: replace the value by new",
                "port_80_closed at HTTP http://shop",
                "  seen:  refused",
                "  helps: open it",
            ]
        );
        assert_eq!(next(&hostname).as_deref(), Some("2026-01-01T00:00:30Z"));
        assert_eq!((lines(&json!({})), next(&json!({}))), (Vec::new(), None));
    }
}
