//! Rules are read, written and kept in one form.

use super::*;

#[test]
fn rules_are_read_and_written_in_one_form() {
    for (text, shown) in [
        ("*", "*"),
        ("*.Example.COM", "*.example.com"),
        ("api.example.com.", "api.example.com"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::1", "::1/128"),
        ("[::1]", "::1/128"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("fd00::/8", "fd00::/8"),
    ] {
        assert_eq!(text.parse::<HostRule>().unwrap().to_string(), shown, "{text}");
    }
    for text in [
        "",
        "*.",
        "a.*.b",
        "**",
        "https://a.test",
        "a.test:80",
        "10.0.0.0/33",
        "10.0/8",
        "*.1.2.3.4",
        "a b",
        "127.1",
    ] {
        assert!(text.parse::<HostRule>().is_err(), "{text:?}");
    }
}

#[test]
fn rules_of_a_namespace_are_kept_as_they_are_written() {
    let text = r#"{"allow_hosts":["*.example.com"],"deny_hosts":["admin.example.com"],"allow_private":["10.1.0.0/16"],"ports":[443]}"#;
    let rules: EgressRules = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&rules).unwrap(), text);
    let nothing: EgressRules = serde_json::from_str("{}").unwrap();
    let said = r#"{"allow_hosts":null,"deny_hosts":null,"allow_private":null,"ports":null}"#;
    assert_eq!(serde_json::from_str::<EgressRules>(said).unwrap(), nothing);
    assert_eq!(
        (serde_json::to_string(&nothing).unwrap().as_str(), &nothing),
        ("{}", &EgressRules::default())
    );
    // "Nothing goes out" and "nothing is said" are two things.
    let closed: EgressRules = serde_json::from_str(r#"{"allow_hosts":[]}"#).unwrap();
    assert_eq!(closed.allow_hosts, Some(Vec::new()));
}

#[test]
fn rules_that_cannot_be_meant_are_refused() {
    for text in [
        r#"{"allow_host":[]}"#,
        r#"{"deny_hosts":["a b"]}"#,
        r#"{"ports":[65536]}"#,
        r#"{"allow_hosts":"*"}"#,
    ] {
        assert!(serde_json::from_str::<EgressRules>(text).is_err(), "{text}");
    }
    let error = serde_json::from_str::<EgressRules>(r#"{"deny_hosts":["https://a.test"]}"#).unwrap_err();
    assert!(error.to_string().contains("without scheme, port and path"), "{error}");
    let rules = |ports| EgressRules { ports: Some(ports), ..EgressRules::default() };
    assert_eq!(rules(vec![0]).validate(), Err(EgressRulesError::Port));
    assert_eq!(rules(vec![1; 256]).validate(), Ok(()));
    let too_many = rules(vec![1; 257]).validate().unwrap_err();
    assert_eq!(too_many.to_string(), "egress.ports has 257 entries; at most 256 are allowed");
}
