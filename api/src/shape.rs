//! Owns one rule of bodies: an object is written as an object. The types would take a list of the same values by position.
//! Must never say of a value what the type that reads it says itself.

use schemars::JsonSchema;
use serde_json::Value;

use crate::error::ApiError;
use crate::table;

/// Checks that there is an object wherever the type is one.
///
/// # Errors
/// The place of a list that is none.
pub(crate) fn check<T: JsonSchema>(value: &Value) -> Result<(), ApiError> {
    let schema = table::schema_generator().into_root_schema_for::<T>();
    let schema = schema.as_value();
    Walk { root: schema }.check(value, schema, "").map_err(|place| {
        ApiError::invalid(format_args!(
            "The body does not fit: {place} must be a JSON object, and is an array; write its values with their names."
        ))
    })
}

struct Walk<'s> {
    root: &'s Value,
}

impl<'s> Walk<'s> {
    /// The place of the first list that should have been an object.
    fn check(&self, value: &Value, schema: &'s Value, place: &str) -> Result<(), String> {
        let schema = self.resolved(schema);
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            let fitting = choices.iter().filter(|choice| value.is_null() || choice["type"] != "null");
            let tried = fitting.map(|choice| self.check(value, choice, place));
            return tried.reduce(|one, other| one.or(other)).unwrap_or(Ok(()));
        }
        match value {
            Value::Array(_) if is_object(schema) => Err(place.to_owned()),
            Value::Array(values) => {
                let Some(items) = schema.get("items") else { return Ok(()) };
                let mut each = values.iter().enumerate();
                each.try_for_each(|(at, value)| self.check(value, items, &format!("{place}[{at}]")))
            }
            Value::Object(fields) => fields.iter().try_for_each(|(name, value)| {
                let Some(schema) = schema.get("properties").and_then(|known| known.get(name)) else {
                    return Ok(());
                };
                let dot = if place.is_empty() { "" } else { "." };
                self.check(value, schema, &format!("{place}{dot}{name}"))
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    /// What a reference leads to. Types hold no references to references without end.
    fn resolved(&self, schema: &'s Value) -> &'s Value {
        let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }
}

/// Whether a schema takes objects and no lists.
fn is_object(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => {
            kinds.iter().any(|kind| kind == "object") && !kinds.iter().any(|kind| kind == "array")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Outer {
        inner: Option<Inner>,
        list: Vec<Inner>,
        any: Value,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        names: Vec<String>,
    }

    #[test]
    fn a_list_in_place_of_an_object_is_named_however_deep_it_lies() {
        let place = |value: Value| check::<Outer>(&value).err().map(|error| error.message().to_owned());
        assert_eq!(place(serde_json::json!({"inner": null, "list": [], "any": [1]})), None);
        assert_eq!(place(serde_json::json!({"inner": {"names": ["a"]}, "list": [{"names": []}]})), None);
        let inner = place(serde_json::json!({"inner": [["a"]]})).unwrap();
        assert!(inner.contains("fit: inner must be a JSON object"), "{inner}");
        let listed = place(serde_json::json!({"list": [{"names": []}, [[]]]})).unwrap();
        assert!(listed.contains("fit: list[1] must be a JSON object"), "{listed}");
    }
}
