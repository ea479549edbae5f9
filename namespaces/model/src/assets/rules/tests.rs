//! What rules are taken, what is reported about the others, and what they do to a request.

use http::HeaderMap;
use proptest::prelude::*;

use super::headers::MAX_HEADER_RULES;
use super::redirects::{MAX_DYNAMIC_REDIRECTS, MAX_STATIC_REDIRECTS};
use super::*;
use crate::assets::{HtmlHandling, RunWorkerFirst};

const HOST: &str = "shop.example.com";

// --- patterns ---

/// What a pattern takes of a path: none, or its captures as `name=value` in the order of their names.
fn captures(pattern: &str, path: &str) -> Option<String> {
    let pattern = Pattern::parse(pattern).unwrap();
    let location = format!("{HOST}{path}");
    let captures = pattern.matches(&location, HOST.len())?;
    let mut names: Vec<&str> = ["a", "b", "c", "splat", "sub"].into();
    names.retain(|name| captures.value(name).is_some());
    Some(
        names
            .iter()
            .map(|name| format!("{name}={}", captures.value(name).unwrap()))
            .collect::<Vec<_>>()
            .join(" "),
    )
}

#[test]
fn patterns_take_what_they_say() {
    for (pattern, path, expected) in [
        ("/x", "/x", Some("")),
        ("/x", "/x/", None),
        ("/x", "/xy", None),
        ("/", "/", Some("")),
        ("/*", "/", Some("splat=")),
        ("/*", "/a/b", Some("splat=a/b")),
        ("/blog/*", "/blog/", Some("splat=")),
        ("/blog/*", "/blog", None),
        ("/blog/*", "/blogs/x", None),
        ("/*.jpg", "/a/b.jpg", Some("splat=a/b")),
        ("/*.jpg", "/a.jpg.png", None),
        ("/x*y", "/xy", Some("splat=")),
        ("/x*y", "/xyy", Some("splat=y")),
        ("/xy*yx", "/xyx", None),
        ("/:a", "/one", Some("a=one")),
        ("/:a", "/", None),
        ("/:a", "/one/two", None),
        ("/:a/:b", "/one/two", Some("a=one b=two")),
        ("/:a/x/:b", "/one/x/two", Some("a=one b=two")),
        ("/:a/x/:b", "/one/y/two", None),
        ("/:a-:b", "/x-y-z", Some("a=x-y b=z")),
        ("/:a-:b", "/-y", None),
        ("/:a-:b", "/x-", None),
        ("/:a:b", "/xyz", None),
        ("/p:a.html", "/page.html", Some("a=age")),
        ("/:a/*", "/one/two/three", Some("a=one splat=two/three")),
        ("/:a/*", "/one", None),
        ("/:a*", "/one/two", Some("a=one splat=/two")),
        ("/:a-*", "/x-y/z-w", Some("a=x splat=y/z-w")),
        ("/*/:a", "/one/two/three", Some("a=three splat=one/two")),
        ("/*/:a.html", "/one/two.html", Some("a=two splat=one")),
        ("/:a/*/end/:b", "/x/y/end/z/end/w", Some("a=x b=w splat=y/end/z")),
        ("/a:1", "/a:1", Some("")),
        ("/caf\u{e9}/*", "/caf%C3%A9/x", Some("splat=x")),
        ("https://shop.example.com/*", "/x", Some("splat=x")),
        ("https://SHOP.example.com/x", "/x", Some("")),
        ("https://:sub.example.com/x", "/x", Some("sub=shop")),
        ("https://:sub.com/x", "/x", None),
        ("https://*.example.com/x", "/x", Some("splat=shop")),
        ("https://other.example.com/*", "/x", None),
        ("https://shop.example.com", "/", Some("")),
        ("https://shop.example.com", "/x", None),
    ] {
        // Two placeholders that touch take at least a character each.
        let expected = if pattern == "/:a:b" { Some("a=xy b=z") } else { expected };
        assert_eq!(captures(pattern, path).as_deref(), expected, "{pattern} on {path}");
    }
}

#[test]
fn what_is_no_pattern_is_refused_with_the_rule_it_breaks() {
    for (text, expected) in [
        ("x", PatternError::Start),
        ("", PatternError::Start),
        ("http://a.test/", PatternError::Start),
        ("https:///x", PatternError::Start),
        ("/*/*", PatternError::Splats),
        ("https://*.test/*", PatternError::Splats),
        ("/:a/:a", PatternError::Doubled("a".to_owned())),
        ("/:splat", PatternError::Doubled("splat".to_owned())),
        ("https://a.test:8080/", PatternError::Port),
        ("https://:sub.*.test/", PatternError::HostMix),
    ] {
        assert_eq!(Pattern::parse(text), Err(expected), "{text}");
    }
    assert_eq!(Pattern::path("https://a.test/"), Err(PatternError::Host));
    let many: String = (0..33).map(|n| format!("/:p{n}")).collect();
    assert_eq!(Pattern::parse(&many), Err(PatternError::Placeholders));
}

#[test]
fn captures_are_filled_in_and_unknown_names_stay() {
    let pattern = Pattern::parse("/:a/*").unwrap();
    let captures = pattern.matches("/x/y/z", 0).unwrap();
    for (text, expected) in [
        ("/new/:splat?a=:a", "/new/y/z?a=x"),
        ("/:unknown/:a", "/:unknown/x"),
        ("https://a.test:8080/:a", "https://a.test:8080/x"),
        ("/:ab/:a_", "/:ab/:a_"),
        ("/::a:", "/:x:"),
        ("/\u{e9}:a\u{e9}", "/\u{e9}x\u{e9}"),
    ] {
        assert_eq!(captures.fill(text), expected);
    }
}

/// A matcher that tries everything, to compare with.
fn naive(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    match first {
        '*' => (0..=text.len()).any(|at| naive(&pattern[1..], &text[at..])),
        ':' => {
            let limit = text.find('/').unwrap_or(text.len());
            (1..=limit).any(|at| naive(&pattern[2..], &text[at..]))
        }
        _ => text.strip_prefix(first).is_some_and(|rest| naive(&pattern[1..], rest)),
    }
}

proptest! {
    #[test]
    fn the_matcher_agrees_with_one_that_tries_everything(
        pattern in "/([xy/:]|-){0,6}\\*?([xy/:]|-){0,5}",
        text in "/[xy/-]{0,10}",
    ) {
        // Every colon becomes a placeholder with a name of its own.
        let mut names = "abcdefghijklm".chars();
        let mut named = String::new();
        let mut plain = String::new();
        for character in pattern.chars() {
            named.push(character);
            plain.push(character);
            if character == ':' {
                named.push(names.next().unwrap());
                plain.push('?');
            }
        }
        // A name must not grow by the letters after it.
        prop_assume!(["?x", "?y", "*x", "*y"].iter().all(|grown| !plain.contains(grown)));
        let pattern = Pattern::parse(&named).unwrap();
        let found = pattern.matches(&text, 0);
        prop_assert_eq!(found.is_some(), naive(&plain, &text), "{} on {}", named, text);
        if let Some(captures) = found {
            prop_assert_eq!(captures.fill(&named.replace('*', ":splat")).into_owned(), text);
        }
    }

    #[test]
    fn whatever_stands_in_the_files_is_survived(text in "(\\PC{0,40}\n){0,20}", path in "/\\PC{0,40}") {
        let (headers, _) = HeaderRules::parse(&text);
        headers.apply(&path, 0, &mut HeaderMap::new());
        let (redirects, _) = RedirectRules::parse(&text, HtmlHandling::AutoTrailingSlash);
        let found = redirects.find(&path, 0, None);
        prop_assert!(found.is_none() || !redirects.is_empty());
    }
}

// --- _headers ---

fn applied(rules: &str, path: &str, before: &[(&'static str, &'static str)]) -> Vec<String> {
    let (rules, mistakes) = HeaderRules::parse(rules);
    assert_eq!(mistakes, [], "{rules:?}");
    let mut headers = HeaderMap::new();
    for (name, value) in before {
        headers.append(*name, value.parse().unwrap());
    }
    rules.apply(&format!("{HOST}{path}"), HOST.len(), &mut headers);
    let mut lines: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    lines.sort();
    lines
}

#[test]
fn headers_are_set_appended_and_taken_out() {
    let rules = "# for all\n/*\n  X-Frame-Options: DENY\n  X-Robots: a\n  X-Robots: b\n\n/secret/*\n  ! X-Frame-Options\n  x-robots: c\n";
    assert_eq!(applied(rules, "/", &[]), ["x-frame-options: DENY", "x-robots: a, b"]);
    // Unset acts on what rules before it have set; a later set adds.
    assert_eq!(applied(rules, "/secret/x", &[]), ["x-robots: a, b", "x-robots: c"]);
    // The first set replaces what the answer had; what no rule names stays.
    let had = [("x-robots", "answer"), ("etag", "1")];
    assert_eq!(applied(rules, "/", &had), ["etag: 1", "x-frame-options: DENY", "x-robots: a, b"]);
    // Within one rule, what is taken out goes before what is set comes.
    assert_eq!(
        applied("/\n  cache-control: no-store\n  ! cache-control\n", "/", &[]),
        ["cache-control: no-store"]
    );
    assert_eq!(applied("/\n  ! etag\n", "/", &had), ["x-robots: answer"]);
    assert_eq!(applied("/other\n  a: b\n", "/", &[]), Vec::<String>::new());
}

#[test]
fn header_values_may_name_what_was_matched() {
    assert_eq!(applied("/:a/*\n  x-path: :a then :splat\n", "/one/two", &[]), ["x-path: one then two"]);
    let absolute = "https://:sub.example.com/*\n  x-shop: :sub\n";
    assert_eq!(applied(absolute, "/x", &[]), ["x-shop: shop"]);
    // A colon in a value is no placeholder, and neither is a URL's.
    let csp = "/\n  content-security-policy: default-src 'self' https://cdn.test:8443\n";
    assert_eq!(applied(csp, "/", &[]), ["content-security-policy: default-src 'self' https://cdn.test:8443"]);
}

#[test]
fn mistakes_in_headers_are_reported_by_line_and_the_rest_holds() {
    let text = "x: y\n/a\n  ok: 1\n  no colon\n  : x\n  name:\n  two words: x\n  content-length: 5\n/b\n/c/*/*\n  d: e\n/f\n  g: h\n";
    let (rules, mistakes) = HeaderRules::parse(text);
    assert_eq!(rules.len(), 2);
    let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
    assert_eq!(lines, [1, 4, 5, 6, 7, 8, 9, 10], "{mistakes:?}");
    assert!(mistakes[7].to_string().starts_with("line 10: only one *"));
}

#[test]
fn files_of_headers_are_bounded() {
    let rules = |count: usize| (0..count).map(|n| format!("/{n}\n  a: b\n")).collect::<String>();
    assert_eq!(HeaderRules::parse(&rules(MAX_HEADER_RULES)).1, []);
    let (parsed, mistakes) = HeaderRules::parse(&rules(MAX_HEADER_RULES + 5));
    assert_eq!(
        (parsed.len(), mistakes.len(), mistakes[0].line),
        (MAX_HEADER_RULES, 1, 2 * MAX_HEADER_RULES + 1)
    );
    let (parsed, mistakes) = HeaderRules::parse(&format!("/\n  a: {}\n  b: c\n", "x".repeat(MAX_LINE_BYTES)));
    assert_eq!((parsed.len(), mistakes.len(), mistakes[0].line), (1, 1, 2));
    assert_eq!(HeaderRules::parse(&"x".repeat(MAX_RULES_BYTES + 1)).1.len(), 1);
    assert_eq!(HeaderRules::parse(&"x\n".repeat(1000)).1.len(), MAX_MISTAKES);
}

// --- _redirects ---

fn redirected(rules: &str, target: &str) -> String {
    let (rules, mistakes) = RedirectRules::parse(rules, HtmlHandling::AutoTrailingSlash);
    assert_eq!(mistakes, [], "{rules:?}");
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    match rules.find(&format!("{HOST}{path}"), HOST.len(), query) {
        None => "-".to_owned(),
        Some(Redirection::Away { status, location }) => format!("{status} {location}"),
        Some(Redirection::Rewrite { path }) => format!("200 {path}"),
    }
}

#[test]
fn requests_are_sent_elsewhere() {
    for (rules, target, expected) in [
        ("/old /new", "/old", "302 /new"),
        ("/old /new", "/old/", "-"),
        ("/old /new 301", "/old", "301 /new"),
        ("/old /new 303\n/old2 /new 307 # why\n/old3 /new 308", "/old2", "307 /new"),
        ("/old https://other.test/x", "/old", "302 https://other.test/x"),
        ("/old http://other.test", "/old", "302 http://other.test"),
        ("/old /new#part", "/old", "302 /new#part"),
        // The visitor's query goes along, unless the rule has one.
        ("/old /new", "/old?a=b", "302 /new?a=b"),
        ("/old /new?c=d", "/old?a=b", "302 /new?c=d"),
        ("/old /new#part", "/old?a=b", "302 /new?a=b#part"),
        ("/old /new", "/old?", "302 /new"),
        ("/old https://other.test/x", "/old?a=b", "302 https://other.test/x?a=b"),
        // Placeholders and splats.
        ("/blog/* /news/:splat", "/blog/2024/x", "302 /news/2024/x"),
        ("/blog/* /news/:splat", "/blog/", "302 /news/"),
        ("/u/:a/p/:b /:b/of/:a 301", "/u/x/p/y", "301 /y/of/x"),
        ("/:a https://:a.test/", "/shop", "302 https://shop.test/"),
        ("/x/:a /y?a=:a", "/x/1?q=2", "302 /y?a=1"),
        // Static rules before dynamic ones, dynamic ones in their order.
        ("/blog/x /one\n/blog/* /two", "/blog/x", "302 /one"),
        ("/blog/* /two\n/blog/x /one", "/blog/x", "302 /two"),
        ("/a/* /one\n/a/b/* /two", "/a/b/c", "302 /one"),
        // 200 answers with another file, and takes no query along.
        ("/app/* /app.html 200", "/app/deep?x=y", "200 /app.html"),
        ("/a /b 200", "/a", "200 /b"),
        // Nothing of a path makes a target of another host.
        ("/* /:splat/x", "//evil.test/", "302 /evil.test/x"),
        ("/go/* /:splat", "/go//evil.test", "302 /evil.test"),
        ("/go/* /:splat", "/go/\\evil.test", "302 /evil.test"),
        ("/old //new", "/old", "302 /new"),
        // Paths are compared as they were sent.
        ("/caf\u{e9} /coffee", "/caf%C3%A9", "302 /coffee"),
        ("/a%20b /c", "/a%20b", "302 /c"),
        ("/old /caf\u{e9}", "/old", "302 /caf%C3%A9"),
        // Who is where a rule would send it is let through.
        ("/x/* /x/:splat", "/x/y", "-"),
        ("/x/* /x/y", "/x/y", "-"),
        ("/x/* /x/y", "/x/z", "302 /x/y"),
        ("/x/* /x/y", "/x/y?a=b", "-"),
    ] {
        assert_eq!(redirected(rules, target), expected, "{rules} on {target}");
    }
}

#[test]
fn mistakes_in_redirects_are_reported_by_line_and_the_rest_holds() {
    let auto = |text: &str| RedirectRules::parse(text, HtmlHandling::AutoTrailingSlash);
    for text in [
        "/a",
        "/a /b 302 x",
        "/a /b 404",
        "/a /b abc",
        "/a b",
        "a /b",
        "https://x.test/a /b",
        "/a ftp://b.test/",
        "/a https://b.test/ 200",
        "/* /index.html 200",
        "/* /index.html",
        "/* /index",
        "/x/* /x/index.html 200",
        "/ /index.html 200",
        "/a/ /a/index",
        "/a /a",
        "/*/* /x",
        "/:a/:a /x",
    ] {
        let (rules, mistakes) = auto(text);
        assert_eq!((rules.len(), mistakes.len()), (0, 1), "{text}: {mistakes:?}");
    }
    let (rules, mistakes) = auto("/a /b\n# nothing\n/a /c\nwrong\n/d /e # inline\n/f/* /g\n/f/* /h\n/a /i\n");
    assert_eq!(rules.len(), 3);
    assert_eq!(mistakes.iter().map(|mistake| mistake.line).collect::<Vec<_>>(), [3, 4, 7, 8], "{mistakes:?}");
    // Without html handling nothing takes an index away, so only the splat is a loop.
    let none = |text: &str| RedirectRules::parse(text, HtmlHandling::None).1.len();
    assert_eq!((none("/ /index.html 200"), none("/* /index.html 200")), (0, 1));
}

#[test]
fn files_of_redirects_are_bounded() {
    let auto = |text: &str| RedirectRules::parse(text, HtmlHandling::AutoTrailingSlash);
    let fixed: String = (0..MAX_STATIC_REDIRECTS + 2).map(|n| format!("/{n} /x\n")).collect();
    let dynamic: String = (0..MAX_DYNAMIC_REDIRECTS + 2).map(|n| format!("/d/{n}/* /x\n")).collect();
    let (rules, mistakes) = auto(&fixed);
    assert_eq!((rules.len(), mistakes.len()), (MAX_STATIC_REDIRECTS, 2));
    let (rules, mistakes) = auto(&dynamic);
    assert_eq!((rules.len(), mistakes.len()), (MAX_DYNAMIC_REDIRECTS, 1));
    // After the first dynamic rule, every rule counts as one.
    let (rules, mistakes) = auto(&format!("/s /x\n/d/* /x\n{fixed}"));
    assert_eq!((rules.len(), mistakes.len()), (1 + MAX_DYNAMIC_REDIRECTS, 1));
    let (rules, mistakes) = auto(&format!("/a /{}\n/b /c", "x".repeat(MAX_LINE_BYTES)));
    assert_eq!((rules.len(), mistakes.len()), (1, 1));
}

// --- run_worker_first ---

#[test]
fn rules_say_who_runs_first() {
    let rules = ["/api/*", "!/api/docs/*", "/exact", "/a*b*c"].map(str::to_owned).to_vec();
    let rules = RoutingRules::new(&RunWorkerFirst::Rules(rules));
    for (path, expected) in [
        ("/api/x", Some(Runs::Worker)),
        ("/api/", Some(Runs::Worker)),
        ("/api", None),
        ("/api/docs/x", Some(Runs::Assets)),
        ("/exact", Some(Runs::Worker)),
        ("/exact/", None),
        ("/abc", Some(Runs::Worker)),
        ("/a/x/b/y/c", Some(Runs::Worker)),
        ("/acb", None),
        ("/ab", None),
        ("/", None),
    ] {
        assert_eq!(rules.decide(path), expected, "{path}");
    }
    assert_eq!(RoutingRules::new(&RunWorkerFirst::All(true)).decide("/x"), Some(Runs::Worker));
    assert_eq!(RoutingRules::new(&RunWorkerFirst::All(false)).decide("/x"), None);
}
