//! Reading a wish from JSON. Owns the words for what is no wish at all: each names the limit, the value, and what
//! would be one. Never judges against the operator's ceilings: [`LimitSpec::validate`] does.

use serde_json::{Map, Value};

use super::{ByteSize, LimitError, LimitRow, LimitScope, LimitSpec, Unit, table};
use crate::name::shorten;

impl TryFrom<Map<String, Value>> for LimitSpec {
    type Error = String;

    fn try_from(fields: Map<String, Value>) -> Result<LimitSpec, String> {
        let mut spec = LimitSpec::default();
        for (key, value) in fields {
            let row = row(&key)?;
            if value.is_null() {
                continue;
            }
            if spec.value(row.name).is_some() {
                return Err(format!("limit {} is given twice, under two of its names", row.name));
            }
            spec.set(row, number(row, &value)?)?;
        }
        Ok(spec)
    }
}

/// The limit of that name, or of one that clients of the hosted product use.
fn row(key: &str) -> Result<&'static LimitRow, String> {
    let name = match key {
        "cpuMs" => "cpu_ms",
        "subRequests" => "subrequests",
        "memory" => "memory_bytes",
        "logs" => "log_bytes",
        other => other,
    };
    let mut rows = table().iter().filter(|row| row.scope == LimitScope::Invocation);
    rows.clone().find(|row| row.name == name).ok_or_else(|| {
        let names: Vec<&str> = rows.by_ref().map(|row| row.name).collect();
        format!("there is no limit {:?}; the limits are {}", shorten(key), names.join(", "))
    })
}

fn number(row: &LimitRow, value: &Value) -> Result<u64, String> {
    match (row.unit, value) {
        (_, Value::Number(number)) if number.is_u64() => Ok(number.as_u64().unwrap_or(u64::MAX)),
        (Unit::Bytes, Value::String(text)) => {
            let size: ByteSize = text.parse().map_err(|error| format!("limit {}: {error}", row.name))?;
            Ok(size.bytes())
        }
        (unit, other) => {
            let shown = match other {
                Value::String(text) => format!("\"{}\"", shorten(text)),
                other => shorten(&other.to_string()),
            };
            let LimitRow { name, min, ceiling, .. } = row;
            Err(format!("limit {name} = {shown} is not a whole number; choose {min} to {ceiling} {unit}"))
        }
    }
}

impl LimitSpec {
    fn set(&mut self, row: &LimitRow, value: u64) -> Result<(), String> {
        let small = || {
            u32::try_from(value).map_err(|_| {
                let LimitRow { name: field, min, ceiling: max, unit, .. } = *row;
                LimitError { field, value, min, max, unit }.to_string()
            })
        };
        match row.name {
            "cpu_ms" => self.cpu_ms = Some(value),
            "fuel" => self.fuel = Some(value),
            "subrequests" => self.subrequests = Some(small()?),
            "memory_bytes" => self.memory_bytes = Some(value),
            "first_byte_ms" => self.first_byte_ms = Some(value),
            "stream_idle_ms" => self.stream_idle_ms = Some(value),
            "depth" => self.depth = Some(small()?),
            "concurrent_subrequests" => self.concurrent_subrequests = Some(small()?),
            "log_bytes" => self.log_bytes = Some(value),
            "event_cpu_ms" => self.event_cpu_ms = Some(value),
            "event_wall_ms" => self.event_wall_ms = Some(value),
            "storage_bytes" => self.storage_bytes = Some(value),
            "storage_entries" => self.storage_entries = Some(value),
            other => return Err(format!("limit {other} cannot be set here")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        serde_json::from_str::<LimitSpec>(json).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_wish_is_named_with_its_value_and_what_would_be_one() {
        assert_eq!(
            refused(r#"{"cpu_ms": -1}"#),
            "limit cpu_ms = -1 is not a whole number; choose 1 to 30000 ms"
        );
        assert!(
            refused(r#"{"cpu_ms": "fast"}"#).starts_with("limit cpu_ms = \"fast\" is not a whole number")
        );
        assert!(refused(r#"{"depth": 1.5}"#).contains("depth = 1.5"));
        assert!(refused(r#"{"subrequests": 5000000000}"#).contains("= 5000000000 in number is outside 1 to"));
        assert!(refused(r#"{"memory": "lots"}"#).contains("memory_bytes"));
        assert!(
            refused(r#"{"cpu": 1}"#).starts_with("there is no limit \"cpu\"; the limits are cpu_ms, fuel,")
        );
        assert!(refused(r#"{"cpu_ms": 1, "cpuMs": 1}"#).contains("twice"));
        assert!(refused(r#"[1]"#).contains("map"));
    }

    #[test]
    fn null_is_no_wish() {
        let spec: LimitSpec = serde_json::from_str(r#"{"cpu_ms": null, "depth": 3}"#).unwrap();
        assert_eq!(spec, LimitSpec { depth: Some(3), ..LimitSpec::default() });
    }
}
