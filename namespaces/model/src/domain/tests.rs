//! Tests of [`super`].

use proptest::prelude::*;

use super::*;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[test]
fn a_domain_has_one_spelling() {
    for (text, canonical) in [
        ("Shop.Customer.TEST", "shop.customer.test"),
        ("shop.customer.test.", "shop.customer.test"),
        ("xn--BCHER-kva.example", "xn--bcher-kva.example"),
        ("my_app.customer.dev", "my_app.customer.dev"),
        ("localhost", "localhost"),
        ("1.2.3.4.dev", "1.2.3.4.dev"),
    ] {
        assert_eq!(domain(text).as_str(), canonical);
    }
    assert_eq!(Domain::from_any_alphabet("BÜCHER.example").unwrap().as_str(), "xn--bcher-kva.example");
    assert_eq!(Domain::from_any_alphabet("bücher。dev").unwrap().as_str(), "xn--bcher-kva.dev");
}

#[test]
fn what_is_no_domain_is_refused() {
    let long_label = format!("{}.dev", "a".repeat(64));
    let long_name = format!("{}dev", "abcdefghi.".repeat(26));
    for bad in [
        "",
        ".",
        "..",
        "a..b",
        ".a.dev",
        "a.dev..",
        &long_label,
        &long_name,
        "-a.dev",
        "a-.dev",
        "a b.dev",
        "*.a.dev",
        "a*.dev",
        "a.dev:80",
        "a/b.dev",
        "a@b.dev",
        "127.0.0.1",
        "::1",
        "[::1]",
        "a%.dev",
        "a\n.dev",
        "xn--a.dev",
        "xn--.dev",
        "!a.dev",
        "a,b.dev",
    ] {
        assert!(
            matches!(Domain::parse(bad), Err(DomainError::Grammar { .. })),
            "{bad:?}: {:?}",
            Domain::parse(bad)
        );
    }
    assert!(matches!(Domain::parse("bücher.dev"), Err(DomainError::NonAscii { .. })));
    for number in ["127.1", "shop.0x7f", "shop.123", "1"] {
        let error = Domain::parse(number).unwrap_err();
        assert!(error.to_string().starts_with("publicsuffix: invalid public suffix"), "{number}: {error}");
    }
}

#[test]
fn what_nobody_can_own_is_told_from_what_somebody_can() {
    for (name, owned) in [
        ("customer.dev", "customer.dev"),
        ("shop.customer.co.uk", "customer.co.uk"),
        ("a.b.customer.test", "customer.test"),
        ("someone.github.io", "someone.github.io"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
    ] {
        assert_eq!(domain(name).registrable().unwrap(), owned);
    }
    for suffix in ["com", "co.uk", "github.io", "localhost"] {
        let error = domain(suffix).registrable().unwrap_err();
        assert_eq!(error.to_string(), format!("publicsuffix: cannot derive eTLD+1 for domain \"{suffix}\""));
    }
}

#[test]
fn reserved_names_are_told() {
    for name in ["a.test", "a.example", "b.a.invalid", "a.localhost", "localhost"] {
        assert!(matches!(domain(name).refuse_reserved(), Err(DomainError::Reserved { .. })), "{name}");
    }
    for name in ["example.com", "a.example.net", "b.a.example.org"] {
        assert!(matches!(domain(name).refuse_reserved(), Err(DomainError::Documentation { .. })), "{name}");
    }
    for name in ["a.dev", "notexample.com", "example.de", "test.dev", "example.com.dev"] {
        assert!(domain(name).refuse_reserved().is_ok(), "{name}");
    }
}

#[test]
fn a_name_is_within_itself_and_what_is_above() {
    assert!(domain("a.b.dev").is_within(&domain("b.dev")) && domain("b.dev").is_within(&domain("b.dev")));
    assert!(!domain("ab.dev").is_within(&domain("b.dev")) && !domain("b.dev").is_within(&domain("a.b.dev")));
    assert_eq!((domain("a.b.dev").parent(), domain("dev").parent()), (Some("b.dev"), None));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_and_what_is_read_stays(text in "[a-zA-Z0-9._*-]{0,80}|.{0,300}|xn--[a-z0-9-]{0,40}") {
        for read in [Domain::parse(&text), Domain::from_any_alphabet(&text)].into_iter().flatten() {
            prop_assert_eq!(&Domain::parse(read.as_str()).unwrap(), &read);
            prop_assert!(read.as_str().len() <= 253);
            let host = Hostname::parse(read.as_str()).unwrap();
            prop_assert_eq!(host.as_str(), read.as_str());
            drop(read.registrable());
        }
    }
}
