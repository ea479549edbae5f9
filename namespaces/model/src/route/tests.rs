//! Tests of [`super`].

use proptest::prelude::*;

use super::*;

#[test]
fn patterns_have_a_canonical_text() {
    for (text, canonical) in [
        ("*", "*/*"),
        ("*/*", "*/*"),
        ("*.Example.com", "*.example.com/*"),
        ("*.example.com/*", "*.example.com/*"),
        ("example.com", "example.com/*"),
        ("example.com/", "example.com/"),
        ("example.com/api*", "example.com/api*"),
        ("example.com/API/v1", "example.com/API/v1"),
        ("[::1]/x", "[::1]/x"),
        ("bücher.example/a%20b", "xn--bcher-kva.example/a%20b"),
    ] {
        let pattern: RoutePattern = text.parse().unwrap();
        assert_eq!(pattern.to_string(), canonical);
        assert_eq!(canonical.parse::<RoutePattern>().unwrap(), pattern);
    }
}

#[test]
fn wrong_patterns_say_which_rule_they_break() {
    for (text, said) in [
        ("", "1 to 2048"),
        ("/x", "start with a host"),
        ("https://a.com/*", "scheme"),
        ("a.com:80/*", "IPv6"),
        ("*a.com/*", "whole first label"),
        ("a.*.com/*", "whole first label"),
        ("*.127.0.0.1/*", "no labels"),
        ("a.com/*/x", "last character"),
        ("a.com/**", "last character"),
        ("a.com/x?y=1", "queries"),
        ("a.com/x y", "printable"),
        ("a.com/é", "printable"),
        ("a.com/a\\b", "write '/'"),
        ("a.com/a/../b", "without them"),
        ("a.com/./b*", "without them"),
        ("a.com/%2e%2e/b*", "without them"),
        ("a.com/caf%C3*", "must be whole"),
        ("a.com/100%*", "must be whole"),
    ] {
        let error = text.parse::<RoutePattern>().unwrap_err().to_string();
        assert!(error.contains(said), "{text:?}: {error}");
    }
    assert!(format!("a.com/{}", "x".repeat(2_048)).parse::<RoutePattern>().is_err());
}

#[test]
fn patterns_that_take_the_same_paths_are_equal_however_they_are_written() {
    let pattern = |text: &str| text.parse::<RoutePattern>().unwrap();
    assert_eq!(pattern("a.com/%61dmin/*"), pattern("a.com/admin/*"));
    assert_eq!(pattern("a.com//admin/*"), pattern("a.com/admin/*"));
    assert_eq!(pattern("a.com/%61dmin/*").to_string(), "a.com/%61dmin/*", "it is shown as it was written");
    assert_ne!(pattern("a.com/Admin/*"), pattern("a.com/admin/*"));
    assert_eq!(pattern("a.com/.well-known/*").to_string(), "a.com/.well-known/*");
    assert_eq!(pattern("a.com/.*").path(), &PathPattern::Prefix("/.".into()));
    assert_eq!(pattern("a.com/a%20b").path(), &PathPattern::Exact("/a b".into()));
}

#[test]
fn a_target_must_make_sense_behind_its_pattern() {
    let exact: RoutePattern = "a.com/*".parse().unwrap();
    let wildcard: RoutePattern = "*.a.com/*".parse().unwrap();
    let namespace = RouteTarget::Namespace(NamespaceName::parse("production").unwrap());
    assert!(namespace.check(&wildcard).is_ok());
    assert!(matches!(namespace.check(&exact), Err(RouteError::NoLabel { .. })));
    assert!(RouteTarget::Respond(404).check(&exact).is_ok());
    for status in [0, 101, 199, 600] {
        assert!(RouteTarget::Respond(status).check(&exact).is_err(), "{status}");
    }
}

#[test]
fn routes_read_back_from_json() {
    for target in [
        RouteTarget::Script(ScriptName::parse("dispatcher").unwrap()),
        RouteTarget::Namespace(NamespaceName::parse("production").unwrap()),
        RouteTarget::Respond(404),
    ] {
        let route = Route {
            id: "0".repeat(32),
            pattern: "*.a.com/*".parse().unwrap(),
            target,
            origin: Origin::Config,
        };
        let json = serde_json::to_string(&route).unwrap();
        assert_eq!(serde_json::from_str::<Route>(&json).unwrap(), route);
    }
}

proptest! {
    #[test]
    fn what_is_taken_reads_back(text in "(\\*\\.)?[a-z0-9.*:-]{0,20}(/[a-z/*?%.]{0,12})?|.{0,60}") {
        if let Ok(pattern) = text.parse::<RoutePattern>() {
            let canonical = pattern.to_string();
            prop_assert_eq!(&canonical.parse::<RoutePattern>().unwrap(), &pattern);
            prop_assert!(canonical.is_ascii());
        }
    }
}
