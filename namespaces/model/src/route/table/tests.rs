//! Tests of [`super`].

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::name::ScriptName;
use crate::namespace::Origin;
use crate::route::{RoutePattern, RouteTarget};

fn route(id: &str, pattern: &str) -> Arc<Route> {
    Arc::new(Route {
        id: id.to_owned(),
        pattern: pattern.parse().unwrap(),
        target: RouteTarget::Script(ScriptName::parse("s").unwrap()),
        origin: Origin::Api,
    })
}

fn table(patterns: &[&str]) -> RouteTable {
    let table = RouteTable::new();
    patterns.iter().for_each(|pattern| table.insert(route(pattern, pattern)));
    table
}

fn found(table: &RouteTable, host: &str, path: &str) -> Option<(String, Option<String>)> {
    table.lookup(host, path).map(|found| (found.route.id.clone(), found.label.map(str::to_owned)))
}

#[test]
fn the_most_specific_host_wins() {
    let table = table(&["*/*", "*.com/*", "*.shop.com/*", "a.shop.com/*"]);
    let expect = |host, id: &str, label: Option<&str>| {
        assert_eq!(found(&table, host, "/"), Some((id.to_owned(), label.map(str::to_owned))), "{host}");
    };
    expect("a.shop.com", "a.shop.com/*", None);
    expect("b.shop.com", "*.shop.com/*", Some("b"));
    expect("x.b.shop.com", "*.shop.com/*", Some("x.b"));
    expect("shop.com", "*.com/*", Some("shop"));
    expect("com", "*/*", Some("com"));
    expect("other", "*/*", Some("other"));
}

#[test]
fn inside_a_host_the_longest_path_wins() {
    let table = table(&["a/*", "a/api*", "a/api/v1", "a/api/*", "a/b/c/d*"]);
    for (path, id) in [
        ("/", "a/*"),
        ("/api", "a/api*"),
        ("/apix", "a/api*"),
        ("/api/", "a/api/*"),
        ("/api/v1", "a/api/v1"),
        ("/api/v1/x", "a/api/*"),
        ("/b/c", "a/*"),
        ("/b/c/dx", "a/b/c/d*"),
        ("/b/c/e", "a/*"),
    ] {
        assert_eq!(found(&table, "a", path), Some((id.to_owned(), None)), "{path}");
    }
}

#[test]
fn a_host_that_does_not_take_the_path_leaves_it_to_the_next() {
    let table = table(&["a.com/api*", "*.com/shop*", "*/*"]);
    assert_eq!(found(&table, "a.com", "/api").unwrap().0, "a.com/api*");
    assert_eq!(found(&table, "a.com", "/shop"), Some(("*.com/shop*".to_owned(), Some("a".to_owned()))));
    assert_eq!(found(&table, "a.com", "/").unwrap().0, "*/*");
}

#[test]
fn a_wildcard_needs_a_label() {
    let table = table(&["*.a.com/*"]);
    assert_eq!(found(&table, "a.com", "/"), None);
    assert_eq!(found(&table, ".a.com", "/"), None);
    assert_eq!(found(&table, "xa.com", "/"), None);
    assert_eq!(found(&table, "", "/"), None);
}

#[test]
fn routes_come_and_go() {
    let table = table(&["a.com/*", "*.a.com/*", "*/*"]);
    assert!(table.remove("a.com/*").is_some());
    assert!(table.remove("a.com/*").is_none());
    assert!(table.remove("*.a.com/*").is_some());
    assert_eq!(found(&table, "x.a.com", "/").unwrap().0, "*/*");
    table.remove("*/*");
    assert!(table.is_empty() && found(&table, "a.com", "/").is_none());
    assert_eq!(table.wildcards.load(Ordering::Acquire), 0);
    assert!(table.exact.is_empty() && table.wildcard.is_empty());
}

#[test]
fn the_same_id_moves_and_the_same_pattern_replaces() {
    let table = RouteTable::new();
    table.insert(route("1", "a.com/*"));
    table.insert(route("1", "b.com/*"));
    assert_eq!((found(&table, "a.com", "/"), table.len()), (None, 1));
    table.insert(route("2", "b.com/*"));
    assert_eq!(found(&table, "b.com", "/").unwrap().0, "2");
    assert!(table.by_id("1").is_none() && table.len() == 1);
    // The one that was replaced is gone already: taking it out again must not take its heir.
    assert!(table.remove("1").is_none());
    assert_eq!(found(&table, "b.com", "/").unwrap().0, "2");
}

#[test]
fn lookups_go_on_while_routes_change() {
    let table = Arc::new(table(&["*/*", "stay.com/*"]));
    std::thread::scope(|scope| {
        for worker in 0..2 {
            let table = Arc::clone(&table);
            scope.spawn(move || {
                for n in 0..2_000 {
                    let pattern = format!("h{worker}-{}.com/*", n % 50);
                    table.insert(route(&pattern, &pattern));
                    assert_eq!(found(&table, pattern.trim_end_matches("/*"), "/").unwrap().0, pattern);
                    table.remove(&pattern);
                }
            });
        }
        for _ in 0..2_000 {
            assert_eq!(found(&table, "stay.com", "/").unwrap().0, "stay.com/*");
            assert_eq!(found(&table, "else.com", "/").unwrap().0, "*/*");
        }
    });
    assert_eq!(table.len(), 2);
}

/// What the table must find, said as plainly as possible: try all, take the best.
fn oracle(routes: &[Arc<Route>], host: &str, path: &str) -> Option<String> {
    let rank = |pattern: &RoutePattern| {
        let host_rank = match pattern.host() {
            HostPattern::Exact(exact) => (exact.as_str() == host).then_some((2, 0)),
            HostPattern::Wildcard(suffix) => host
                .strip_suffix(suffix.as_str())
                .and_then(|front| front.strip_suffix('.'))
                .filter(|label| !label.is_empty())
                .map(|_| (1, suffix.as_str().len())),
            HostPattern::Any => Some((0, 0)),
        }?;
        let path_rank = match pattern.path() {
            PathPattern::Exact(exact) => (**exact == *path).then_some((1, 0)),
            PathPattern::Prefix(prefix) => path.starts_with(&**prefix).then_some((0, prefix.len())),
        }?;
        Some((host_rank, path_rank))
    };
    routes
        .iter()
        .filter_map(|route| rank(&route.pattern).map(|rank| (rank, route)))
        .max_by_key(|(rank, _)| *rank)
        .map(|(_, route)| route.pattern.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn the_table_agrees_with_trying_all(
        patterns in proptest::collection::btree_set("(\\*|(\\*\\.)?[ab](\\.[ab]){0,2})(/[xy]{0,2}){1,2}\\*?", 0..12),
        removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        requests in proptest::collection::vec(("[ab](\\.[ab]){0,3}", "(/[xy]{0,3}){1,3}"), 1..16),
    ) {
        let table = RouteTable::new();
        let mut routes: Vec<Arc<Route>> = Vec::new();
        for pattern in &patterns {
            // One that takes the same paths, written otherwise, gives way.
            let route = route(pattern, pattern);
            routes.retain(|known| known.pattern != route.pattern);
            table.insert(Arc::clone(&route));
            routes.push(route);
        }
        for index in removed {
            if !routes.is_empty() {
                let gone = routes.swap_remove(index.index(routes.len()));
                prop_assert!(table.remove(&gone.id).is_some());
            }
        }
        prop_assert_eq!(table.len(), routes.len());
        for (host, path) in requests {
            let found = table.lookup(&host, &path).map(|found| found.route.pattern.to_string());
            prop_assert_eq!(found, oracle(&routes, &host, &path), "{}{}", host, path);
        }
    }

    #[test]
    fn no_request_makes_it_panic(host in ".{0,40}|[.]{0,300}", path in ".{0,40}") {
        let table = table(&["*.a/*", "a/x*", "*/y"]);
        prop_assert!(table.lookup(&host, &path).is_none_or(|found| table.by_id(&found.route.id).is_some()));
    }
}
