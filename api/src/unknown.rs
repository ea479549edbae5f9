//! Owns what becomes of keys that a body has and nothing here knows. Clients grow keys faster than servers: such a key is
//! taken with a remark. One that looks like a slip of a known key stays where it is, and is refused by the type.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use crate::table;

/// More names than this are no help.
const MOST_NAMES: usize = 20;

/// Takes the keys out of an object that the type does not know, and returns a remark on them.
pub(crate) fn take<T: JsonSchema>(keys: &mut Map<String, Value>) -> Vec<String> {
    let schema = table::schema_generator().into_root_schema_for::<T>();
    let known: Vec<&str> = schema
        .as_value()
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|properties| properties.keys().map(String::as_str))
        .collect();
    take_beside(keys, &known)
}

/// The same for keys that are listed.
pub(crate) fn take_beside(keys: &mut Map<String, Value>, known: &[&str]) -> Vec<String> {
    let mut taken = Vec::new();
    keys.retain(|key, _| {
        let stays = known.iter().any(|known| is_slip(key, known));
        if !stays {
            taken.push(key.chars().take(64).flat_map(char::escape_debug).collect::<String>());
        }
        stays
    });
    if taken.is_empty() {
        return taken;
    }
    let more = taken.len().saturating_sub(MOST_NAMES);
    taken.truncate(MOST_NAMES);
    let names = taken.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    vec![format!("{names}{more}: this server does not know this; it was accepted and has no effect.")]
}

/// A remark on keys that are none of the known ones, where nothing refuses those that are near to one.
pub(crate) fn beside(keys: &Map<String, Value>, known: &[&str]) -> Option<String> {
    let mut rest = keys.clone();
    rest.retain(|key, _| !known.contains(&key.as_str()));
    take_beside(&mut rest, &[]).into_iter().next()
}

/// Whether a key is a known one, or so near to it that somebody meant it.
fn is_slip(key: &str, known: &str) -> bool {
    let near = (known.len() / 3).max(1);
    key.len() <= known.len() + near && strsim::damerau_levenshtein(key, known) <= near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_keys_are_taken_and_slips_stay() {
        let object =
            serde_json::json!({"name": 1, "nmae": 2, "some_new_key": 3, "main_modul": 4, "\u{1b}[2J": 5});
        let mut keys = object.as_object().unwrap().clone();
        let remarks = take_beside(&mut keys, &["name", "main_module"]);
        assert_eq!(keys.keys().collect::<Vec<_>>(), ["main_modul", "name", "nmae"]);
        assert!(remarks[0].contains("\"some_new_key\"") && remarks[0].contains("\\u{1b}[2J"), "{remarks:?}");
        assert!(take_beside(&mut keys, &["name", "main_module"]).is_empty());
    }

    #[test]
    fn many_keys_are_not_all_named() {
        let mut keys: Map<String, Value> = (0..500).map(|n| (format!("key-{n}"), Value::Null)).collect();
        let remarks = take_beside(&mut keys, &["name"]);
        assert!(
            keys.is_empty() && remarks[0].contains("and 480 more") && remarks[0].len() < 1_000,
            "{remarks:?}"
        );
    }
}
