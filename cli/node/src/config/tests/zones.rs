//! `[zones.NAME]`: what a good one becomes, and each mistake with its line.

use wasmyard_namespaces::hostname::ValidationMethod;

use super::*;

const WHOLE: &str = r#"
[zones."saas.dev"]
settings = { ssl = "strict", min_tls_version = "1.2" }
fallback_origin = "service.saas.dev"
hold = {}

[[zones."saas.dev".dns_records]]
type = "AAAA"
name = "service"
content = "100::"
proxied = true

[[zones."saas.dev".dns_records]]
type = "CNAME"
name = "*.customers"
content = "service.saas.dev"

[zones."saas.dev".hostnames."shop.customer.dev"]
ssl = { method = "txt", type = "dv", wildcard = false, settings = { http2 = "off" } }
custom_metadata = { plan = "gold", limits = { seats = 5 } }
custom_origin_server = "service.saas.dev"
custom_origin_sni = ":request_host_header:"

[zones."saas.dev".hostnames."plain.customer.dev"]
"#;

#[test]
fn a_whole_zone_is_understood_with_the_keys_that_it_names() {
    let config = good(WHOLE);
    let [zone] = config.zones.as_slice() else { panic!("{:?}", config.zones) };
    let keys: Vec<&str> = zone.keys.iter().collect();
    assert_eq!(keys, ["fallback_origin", "hold", "settings.min_tls_version", "settings.ssl"]);
    assert_eq!((zone.name.as_str(), zone.records.len(), zone.edit.settings.len()), ("saas.dev", 2, 2));
    let [(plain, nothing), (shop, keys)] = zone.hostnames.as_slice() else { panic!("{:?}", zone.hostnames) };
    assert_eq!(
        (plain.name.as_str(), nothing.iter().count(), &plain.edit.ssl),
        ("plain.customer.dev", 0, &None)
    );
    let keys: Vec<&str> = keys.iter().collect();
    let named = [
        "custom_metadata",
        "custom_origin_server",
        "custom_origin_sni",
        "ssl.method",
        "ssl.settings",
        "ssl.type",
        "ssl.wildcard",
    ];
    assert_eq!(keys, named);
    let ssl = shop.edit.ssl.as_ref().unwrap();
    assert_eq!((ssl.method, ssl.wildcard), (Some(ValidationMethod::Txt), Some(false)));
}

#[test]
fn each_mistake_is_told_with_its_line() {
    let zone = |rest: &str| format!("[zones.\"saas.dev\"]\n{rest}\n");
    let hostname =
        |name: &str, rest: &str| zone(&format!("[zones.\"saas.dev\".hostnames.\"{name}\"]\n{rest}"));
    let record = |rest: &str| zone(&format!("[[zones.\"saas.dev\".dns_records]]\n{rest}"));
    for (text, line, expected) in [
        ("[zones.\"co.uk\"]\n".to_owned(), 1, "publicsuffix"),
        (zone("settings = { ssl = \"best\" }"), 2, "it takes one of off, flexible, full, strict"),
        (zone("settings = { sll = \"full\" }"), 2, "there is no such setting"),
        (zone("fallback_origin = \"other.dev\""), 2, "is not in the zone saas.dev"),
        (zone("fallback_origin = \"o.saas.dev\""), 2, "no proxied record for it"),
        (zone("hostname = {}"), 2, "did you mean `hostnames`?"),
        (record("type = \"MX\"\nname = \"a\"\ncontent = \"b\""), 2, "\"MX\" are not kept here"),
        (record("type = \"A\"\nname = \"a\""), 2, "the key is missing"),
        (record("type = \"A\"\nname = \"a\"\ncontent = \"x\""), 2, "is no IPv4 address"),
        (
            record(
                "type = \"A\"\nname = \"a\"\ncontent = \"192.0.2.1\"\n[[zones.\"saas.dev\".dns_records]]\ntype = \
                 \"CNAME\"\nname = \"a\"\ncontent = \"b.dev\"",
            ),
            6,
            "does not go with the record of a.saas.dev in line 2",
        ),
        (hostname("a b", ""), 2, "hostname: \"a b\" is not valid"),
        (hostname("a.dev", "ssl = { method = \"txt\" }"), 2, "give method and type together"),
        (hostname("a.dev", "ssl = { method = \"email\", type = \"dv\" }"), 3, "write \"http\" or \"txt\""),
        (hostname("a.dev", "ssl = { settings = { http2 = \"yes\" } }"), 3, "write \"on\" or \"off\""),
        (hostname("*.a.dev", "custom_metadata = { a = 1 }"), 2, "wildcard hostnames have none"),
        (hostname("a.dev", "custom_metadata = 3"), 3, "it must be a JSON object"),
        (hostname("a.dev", "custom_origin_sni = \"a.dev\""), 2, "set custom_origin_server as well"),
        (hostname("a.dev", "custom_origin_server = \"o.saas.dev\""), 3, "no proxied record for it"),
    ] {
        let found = findings(&text, Purpose::Dev);
        let told = |found: &String| found.starts_with(&format!("{line}:")) && found.contains(expected);
        assert!(found.iter().any(told), "{expected}: {found:#?}");
    }
}

#[test]
fn names_that_are_kept_for_tests_need_a_word_in_the_file() {
    let text = "[zones.\"saas.test\"]\n[zones.\"saas.test\".hostnames.\"shop.customer.test\"]\n";
    assert_eq!(findings(text, Purpose::Dev), NOTHING);
    let found = findings(text, Purpose::Check);
    assert!(found[0].starts_with("2: warning:") && found[0].contains("reserved_names"), "{found:?}");
    let (_folder, loaded) = read(text, Purpose::Serve);
    assert!(loaded.unwrap_err().any_error());
    let lets = format!("[server]\nreserved_names = true\n{text}");
    assert_eq!(findings(&lets, Purpose::Serve), NOTHING);
}
