//! Tests of [`super`].

use proptest::prelude::*;

use super::*;

#[test]
fn namespace_names_keep_their_grammar() {
    for good in ["a", "0", "production", "a-b_c", &"x".repeat(64)] {
        assert_eq!(NamespaceName::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "-a", "_a", "A", "a b", "a.b", "a/b", "é", "a\n", &"x".repeat(65)] {
        assert!(NamespaceName::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn script_names_keep_their_grammar() {
    for good in ["a", "_a", "9-", &"x".repeat(255)] {
        assert_eq!(ScriptName::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "-a", "A", "a.b", "a%20b", &"x".repeat(256)] {
        assert!(ScriptName::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn binding_names_are_identifiers() {
    for good in ["A", "_x9", "DISPATCHER", &"x".repeat(64)] {
        assert_eq!(BindingName::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "9a", "a-b", "a b", "ä", &"x".repeat(65)] {
        assert!(BindingName::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn tags_hold_nearly_anything() {
    for good in ["a", "user:7", "a b", "ключ", &"é".repeat(1024)] {
        assert_eq!(Tag::parse(good).unwrap().as_str(), good);
    }
    for bad in ["", "a,b", "a&b", "a\tb", "\u{7f}", &"é".repeat(1025)] {
        assert!(Tag::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn hostnames_have_one_spelling() {
    for (text, canonical) in [
        ("localhost", "localhost"),
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("my_app.example.com", "my_app.example.com"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bücher。example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "[::1]"),
        ("[2001:DB8::0:1]", "[2001:db8::1]"),
    ] {
        assert_eq!(Hostname::parse(text).unwrap().as_str(), canonical);
    }
    assert!(Hostname::parse("127.0.0.1").unwrap().is_ip() && Hostname::parse("::1").unwrap().is_ip());
    assert!(!Hostname::parse("a1.example").unwrap().is_ip());
}

#[test]
fn what_is_no_hostname_is_refused_with_its_rule() {
    let long_label = format!("{}.com", "a".repeat(64));
    let long_name = "a.".repeat(127) + "com";
    for (bad, rule) in [
        ("", "characters"),
        (".", "characters"),
        ("a..b", "63"),
        (".a", "63"),
        (long_label.as_str(), "63"),
        (long_name.as_str(), "253"),
        ("-a.com", "'-'"),
        ("a-.com", "'-'"),
        ("a b", "letters"),
        ("a*.com", "letters"),
        ("http://a.com", "host"),
        ("a.com/x", "host"),
        ("u@a.com", "host"),
        ("a.com:80", "IPv6"),
        ("[::1]:80", "IPv6"),
        ("[::1", "IPv6"),
        ("fe80::1%eth0", "IPv6"),
        ("127.1", "IPv4"),
        ("0x7f.1", "IPv4"),
        ("1.2.3.04", "IPv4"),
        ("256.1.1.1", "IPv4"),
        ("a.123", "IPv4"),
        ("xn--a", "international"),
    ] {
        let error = Hostname::parse(bad).unwrap_err();
        assert!(error.rule.contains(rule), "{bad:?}: {error}");
    }
}

#[test]
fn an_error_says_rule_value_and_remedy_and_is_short() {
    let text = NamespaceName::parse("My Shop").unwrap_err().to_string();
    assert_eq!(
        text,
        "namespace name \"My Shop\" is not valid: only a-z, 0-9, '-' and '_' are allowed; \
         write it in lower case and replace other characters by '-'"
    );
    let long = ScriptName::parse(&"\u{1b}[31m".repeat(100_000)).unwrap_err().to_string();
    assert!(long.len() < 800 && !long.contains('\u{1b}'), "{long}");
}

#[test]
fn json_is_checked_on_the_way_in() {
    assert_eq!(serde_json::from_str::<ScriptName>("\"a\"").unwrap(), ScriptName::parse("a").unwrap());
    assert!(serde_json::from_str::<ScriptName>("\"A\"").is_err());
    assert_eq!(serde_json::to_string(&Tag::parse("x").unwrap()).unwrap(), "\"x\"");
}

/// Whatever a parser takes, it takes again, unchanged; and it takes nothing outside its alphabet.
macro_rules! parser_laws {
    ($test:ident, $name:ident, $inside:expr) => {
        proptest! {
            #[test]
            fn $test(text in "[a-zA-Z0-9_.*:%-]{0,70}|[a-z0-9-]{1,300}|.{0,90}") {
                if let Ok(name) = $name::parse(&text) {
                    prop_assert_eq!(&$name::parse(name.as_str()).unwrap(), &name);
                    prop_assert_eq!(&name.to_string().parse::<$name>().unwrap(), &name);
                    let inside: fn(char) -> bool = $inside;
                    prop_assert!(name.as_str().chars().all(inside), "{}", name);
                }
            }
        }
    };
}

fn slug_char(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_'
}

parser_laws!(namespace_parser_is_stable, NamespaceName, slug_char);
parser_laws!(script_parser_is_stable, ScriptName, slug_char);
parser_laws!(binding_parser_is_stable, BindingName, |c| c.is_ascii_alphanumeric() || c == '_');
parser_laws!(tag_parser_is_stable, Tag, |c| !c.is_control() && c != ',' && c != '&');
parser_laws!(hostname_parser_is_stable, Hostname, |c| slug_char(c) || ".:[]".contains(c));

proptest! {
    #[test]
    fn every_well_formed_hostname_is_taken(
        labels in proptest::collection::vec("[a-z]([a-z0-9-]{0,20}[a-z0-9])?", 1..6)
    ) {
        let host = labels.join(".");
        // An A-label that nobody could have made is the one thing these labels can get wrong.
        prop_assume!(!host.contains("xn--"));
        prop_assert_eq!(Hostname::parse(&host.to_uppercase()).unwrap().to_string(), host);
    }

    #[test]
    fn unicode_hostnames_end_up_in_ascii(text in "\\PC{1,20}(\\.\\PC{1,20})?") {
        if let Ok(host) = Hostname::parse(&text) {
            prop_assert!(host.as_str().is_ascii() && host.as_str().len() <= 255);
            prop_assert_eq!(&Hostname::parse(host.as_str()).unwrap(), &host);
        }
    }
}
