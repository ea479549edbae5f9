//! Tests of [`super`].

use super::*;
use crate::code::Component;
use crate::digest::Digest;

fn tags(names: &[&str]) -> Vec<Tag> {
    names.iter().map(|name| Tag::parse(name).unwrap()).collect()
}

#[test]
fn a_key_shows_its_namespace() {
    let script = ScriptName::parse("a").unwrap();
    assert_eq!(ScriptKey::Platform(script.clone()).to_string(), "a");
    let key = ScriptKey::user(NamespaceName::parse("production").unwrap(), script.clone());
    assert_eq!((key.to_string().as_str(), key.script()), ("production/a", &script));
}

#[test]
fn a_key_is_read_as_it_is_shown() {
    for text in ["dispatcher", "production/a"] {
        assert_eq!(ScriptKey::parse(text).unwrap().to_string(), text);
    }
    for none in ["", "/", "production/", "/a", "production/a/b", "Production/a b"] {
        assert_eq!(ScriptKey::parse(none), None, "{none}");
    }
}

#[test]
fn tags_are_sorted_and_at_most_eight() {
    let draft = |tags| UploadDraft { tags: Some(tags), ..UploadDraft::default() };
    let upload = Upload::parse(draft(tags(&["b", "a", "b"]))).unwrap();
    assert_eq!(upload.tags, Some(tags(&["a", "b"])));
    let eight = ["1", "2", "3", "4", "5", "6", "7", "8"];
    assert!(Upload::parse(draft(tags(&eight))).is_ok());
    let nine = [&eight[..], &["9"]].concat();
    let error = Upload::parse(draft(tags(&nine))).unwrap_err();
    assert_eq!(error, UploadError::TooManyTags { found: 9 });
    assert_eq!(error.to_string(), "9 tags are more than the 8 that a script may have; remove some");
}

#[test]
fn dates_are_dates() {
    let draft =
        |date: &str| UploadDraft { compatibility_date: Some(date.to_owned()), ..UploadDraft::default() };
    for good in ["2026-01-31", "2024-02-29"] {
        assert!(Upload::parse(draft(good)).is_ok(), "{good}");
    }
    for bad in ["", "2026-02-29", "2026-1-31", "2026-01-31T00:00:00Z", "today", "20260131__", "２０26-01"] {
        assert!(matches!(Upload::parse(draft(bad)), Err(UploadError::CompatibilityDate { .. })), "{bad}");
    }
}

#[test]
fn metadata_is_bounded_in_number_and_length() {
    let flags = |count: usize, length: usize| UploadDraft {
        compatibility_flags: vec!["x".repeat(length); count],
        ..UploadDraft::default()
    };
    assert!(Upload::parse(flags(MAX_METADATA_ENTRIES, MAX_METADATA_BYTES)).is_ok());
    assert!(Upload::parse(flags(MAX_METADATA_ENTRIES + 1, 1)).is_err());
    assert!(Upload::parse(flags(1, MAX_METADATA_BYTES + 1)).is_err());
    let main_module = "x".repeat(MAX_METADATA_BYTES + 1);
    let code = Component { main_module, ..Component::new(Digest::of(b"code"), 4) };
    let long = UploadDraft { code: code.into(), ..UploadDraft::default() };
    assert_eq!(Upload::parse(long).unwrap_err(), UploadError::Metadata { field: "main_module" });
}

#[test]
fn limits_beyond_the_ceiling_are_refused() {
    let limits = LimitSpec { depth: Some(17), ..LimitSpec::default() };
    let refused = Upload::parse(UploadDraft { limits, ..UploadDraft::default() });
    assert!(matches!(refused, Err(UploadError::Limit(_))));
}
