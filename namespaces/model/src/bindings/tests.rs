//! Tests of [`super`].

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::limits::{MAX_VAR_BYTES, MAX_VARS};
use crate::secret::Secret;

fn name(text: &str) -> BindingName {
    BindingName::parse(text).unwrap()
}

fn decl(value: Value) -> BindingDecl {
    BindingDecl::from_json(&value).unwrap()
}

fn text(binding: &str, held: &str) -> BindingDecl {
    BindingDecl { name: name(binding), kind: BindingKind::PlainText(PlainText { text: held.to_owned() }) }
}

fn secret(binding: &str, held: &str) -> BindingDecl {
    BindingDecl { name: name(binding), kind: BindingKind::SecretText(SecretText { text: Secret::new(held) }) }
}

#[test]
fn every_type_reads_and_shows_as_the_wire_has_it() {
    for wire in [
        json!({"type": "plain_text", "name": "A", "text": "x"}),
        json!({"type": "json", "name": "A", "json": {"a": [1, null]}}),
        json!({"type": "service", "name": "A", "service": "other"}),
        json!({"type": "service", "name": "A", "service": "other", "namespace": "production"}),
        json!({"type": "dispatch_namespace", "name": "A", "namespace": "production"}),
        json!({"type": "dispatch_namespace", "name": "A", "namespace": "production",
               "outbound": {"worker": {"service": "out"}, "params": [{"name": "p"}, {"name": "q"}]}}),
        json!({"type": "assets", "name": "A"}),
        json!({"type": "version_metadata", "name": "A"}),
        json!({"type": "kv_namespace", "name": "A", "namespace_id": "60bd86bd5f3d2649fcd7e1a5013a8bc3"}),
        json!({"type": "d1", "name": "A", "id": "5d2ae24e-1d5c-4a7e-9a0e-6f3c1f6f8d01", "database_id": "5d2ae24e-1d5c-4a7e-9a0e-6f3c1f6f8d01"}),
        json!({"type": "r2_bucket", "name": "A", "bucket_name": "photos"}),
        json!({"type": "r2_bucket", "name": "A", "bucket_name": "photos", "jurisdiction": "eu"}),
    ] {
        let decl = decl(wire.clone());
        assert_eq!(serde_json::to_value(&decl).unwrap(), wire);
        assert_eq!(decl.to_record(), wire);
        assert_eq!(wire["type"], decl.kind.binding_type().as_str());
    }
}

#[test]
fn no_view_shows_a_secret() {
    let secret = decl(json!({"type": "secret_text", "name": "KEY", "text": "hunter2"}));
    assert_eq!(serde_json::to_value(&secret).unwrap(), json!({"type": "secret_text", "name": "KEY"}));
    assert!(!format!("{secret:?}").contains("hunter2"));
    assert_eq!(BindingDecl::from_json(&secret.to_record()).unwrap(), secret);
}

#[test]
fn an_unknown_type_is_named_with_the_known_ones() {
    let error = BindingDecl::from_json(&json!({"type": "vectorize", "name": "DB", "id": "x"})).unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.contains("\"DB\"") && shown.contains("\"vectorize\"") && shown.contains("dispatch_namespace"),
        "{shown}"
    );
}

#[test]
fn what_is_wrong_with_a_binding_is_said() {
    for (wire, said) in [
        (json!({"type": "plain_text", "text": "x"}), "\"name\" must be a text"),
        (json!({"name": "A", "text": "x"}), "\"type\" must be a text"),
        (json!({"type": "plain_text", "name": "A"}), "\"text\" must be a text"),
        (json!({"type": "plain_text", "name": "A-B", "text": "x"}), "binding name"),
        (json!({"type": "service", "name": "A", "service": "No"}), "script name"),
        (json!({"type": "json", "name": "A"}), "JSON value"),
        (json!({"type": "kv_namespace", "name": "A"}), "\"namespace_id\" must be a text"),
        (json!({"type": "kv_namespace", "name": "A", "namespace_id": "my kv"}), "not its title"),
        (json!({"type": "d1", "name": "A"}), "\"database_id\" must be a text"),
        (json!({"type": "d1", "name": "A", "id": "my database"}), "not its name"),
        (json!({"type": "r2_bucket", "name": "A", "bucket_name": "x"}), "3 to 63 lower-case letters"),
        (json!({"type": "r2_bucket", "name": "A", "bucket_name": "-ab"}), "begins and ends with a letter"),
        (
            json!({"type": "r2_bucket", "name": "A", "bucket_name": "abc", "jurisdiction": "moon"}),
            "jurisdiction",
        ),
        (
            json!({"type": "dispatch_namespace", "name": "A", "namespace": "n", "outbound": {}}),
            "outbound.worker",
        ),
        (
            json!({"type": "dispatch_namespace", "name": "A", "namespace": "n",
                   "outbound": {"worker": {"service": "o"}, "params": [{"name": "p"}, "p"]}}),
            "different",
        ),
        (json!("A"), "\"name\" must be a text"),
    ] {
        let error = BindingDecl::from_json(&wire).unwrap_err().to_string();
        assert!(error.contains(said), "{wire}: {error}");
    }
}

#[test]
fn a_variable_may_be_five_kibibytes_and_no_more() {
    let wire = |size: usize| json!({"type": "plain_text", "name": "A", "text": "x".repeat(size)});
    assert!(BindingDecl::from_json(&wire(MAX_VAR_BYTES)).is_ok());
    assert!(matches!(BindingDecl::from_json(&wire(MAX_VAR_BYTES + 1)), Err(BindingError::TooLarge { .. })));
    let json = json!({"type": "json", "name": "A", "json": "x".repeat(MAX_VAR_BYTES - 1)});
    assert!(matches!(BindingDecl::from_json(&json), Err(BindingError::TooLarge { .. })));
}

#[test]
fn bindings_are_inherited_by_name() {
    let before = [secret("KEY", "s"), text("GREETING", "hello")];
    let inputs = [
        BindingInput::from_json(&json!({"type": "inherit", "name": "TOKEN", "old_name": "KEY"})).unwrap(),
        BindingInput::from_json(&json!({"type": "inherit", "name": "GREETING"})).unwrap(),
        BindingInput::from_json(&json!({"type": "secret_text", "name": "KEY"})).unwrap(),
    ];
    let resolved = resolve(&inputs, &before, &[], true).unwrap();
    assert_eq!(resolved, [text("GREETING", "hello"), secret("KEY", "s"), secret("TOKEN", "s")]);
}

#[test]
fn nothing_to_inherit_is_an_error_or_left_out() {
    let before = [text("A", "a")];
    let inputs = [BindingInput::from_json(&json!({"type": "secret_text", "name": "A"})).unwrap()];
    assert!(matches!(resolve(&inputs, &before, &[], true), Err(BindingError::NothingToInherit { .. })));
    assert_eq!(resolve(&inputs, &before, &[], false).unwrap(), []);
}

#[test]
fn kept_types_stay_unless_declared_anew() {
    let before = [secret("S", "old"), secret("T", "t"), text("P", "p")];
    let inputs = [BindingInput::from(secret("S", "new"))];
    let resolved = resolve(&inputs, &before, &[BindingType::SecretText], true).unwrap();
    assert_eq!(resolved, [secret("S", "new"), secret("T", "t")]);
}

#[test]
fn names_are_unique_and_counts_are_bounded() {
    let twice = [text("A", "1").into(), text("A", "2").into()];
    assert!(matches!(resolve(&twice, &[], &[], true), Err(BindingError::Duplicate { .. })));
    let many = |count: usize| (0..count).map(|n| text(&format!("V{n}"), "").into()).collect::<Vec<_>>();
    assert_eq!(resolve(&many(MAX_VARS), &[], &[], true).unwrap().len(), MAX_VARS);
    assert!(matches!(
        resolve(&many(MAX_VARS + 1), &[], &[], true),
        Err(BindingError::TooMany { what: "variables", .. })
    ));
    let kept = [text("W", "")];
    assert!(resolve(&many(MAX_VARS), &kept, &[BindingType::PlainText], true).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zA-Z_-]{0,12}".prop_map(Value::from),
        proptest::sample::select(BindingType::ALL.map(BindingType::as_str).to_vec()).prop_map(Value::from),
    ];
    let field = "type|name|text|json|service|namespace|outbound|worker|params|old_name";
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(field, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_makes_it_panic_and_what_is_taken_reads_back(value in any_json()) {
        if let Ok(decl) = BindingDecl::from_json(&value) {
            prop_assert_eq!(BindingDecl::from_json(&decl.to_record()).unwrap(), decl);
        }
        if let Ok(input) = BindingInput::from_json(&value) {
            prop_assert_eq!(input.name().as_str(), value["name"].as_str().unwrap());
        }
    }
}

#[test]
fn storage_of_its_own_has_no_other_name() {
    for kind in [StorageKind::KvNamespace, StorageKind::D1, StorageKind::Queue, StorageKind::R2Bucket] {
        let wire = json!({"type": kind.binding_type().as_str(), "name": "MINE", "own": true});
        let input = BindingInput::from_json(&wire).unwrap();
        assert_eq!(input, BindingInput::Own { name: "MINE".parse().unwrap(), kind });
        // It is made before a version is stored; nothing else makes it.
        let error = resolve(&[input], &[], &[], true).unwrap_err();
        assert!(matches!(error, BindingError::NotMade { .. }), "{error}");
        let stand_in = kind.stand_in().unwrap().bound("MINE".parse().unwrap());
        assert_eq!(stand_in.kind.binding_type(), kind.binding_type());
        assert_eq!(BindingDecl::from_json(&stand_in.to_record()).unwrap(), stand_in);
    }
    for (wire, told) in [
        (json!({"type": "d1", "name": "A", "own": true, "id": "x"}), "the only field"),
        (
            json!({"type": "plain_text", "name": "A", "own": true, "text": "x"}),
            "only kv_namespace, d1, queue",
        ),
        (json!({"type": "queue", "name": "A", "own": "yes"}), "true or false"),
        (json!({"type": "kv_namespace", "name": "A", "own": false}), "namespace_id"),
        (json!({"type": "kv_namespace", "name": "A"}), "namespace_id"),
    ] {
        let error = BindingInput::from_json(&wire).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}
