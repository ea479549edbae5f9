//! Any text as patterns, host and path: what parses prints as it parses, and what matches belongs to the host.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wasmyard_namespaces::route::HostPattern;
use wasmyard_namespaces::{Route, RouteOrigin, RoutePattern, RouteTable, RouteTarget};

fuzz_target!(|text: &str| {
    let mut lines = text.lines();
    let (host, path) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let table = RouteTable::new();
    for (id, pattern) in lines.take(64).filter_map(|line| line.parse::<RoutePattern>().ok()).enumerate() {
        assert_eq!(pattern.to_string().parse::<RoutePattern>().as_ref(), Ok(&pattern));
        table.insert(Arc::new(Route {
            id: format!("{id:032x}"),
            pattern,
            target: RouteTarget::Respond(404),
            origin: RouteOrigin::Api,
        }));
    }
    if let Some(found) = table.lookup(host, path) {
        let host_fits = match found.route.pattern.host() {
            HostPattern::Any => true,
            HostPattern::Exact(exact) => exact.as_ref() == host,
            HostPattern::Wildcard(suffix) => {
                host.strip_suffix(suffix.as_ref()).is_some_and(|front| front.ends_with('.'))
            }
        };
        assert!(host_fits, "{host} is not matched by {}", found.route.pattern);
    }
});
