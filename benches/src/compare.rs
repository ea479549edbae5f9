//! Two files of figures beside each other. Only ratios are compared, and only differences beyond the spread of
//! both runs are called differences: absolute figures of two runs met two machines.

use std::path::Path;

use serde_json::Value;

use crate::Error;
use crate::report::{FORM, spread_text};
use crate::stats::Spread;

/// Prints every row that both files have.
///
/// # Errors
/// When a file cannot be read, or has another form.
pub fn compare(before: &Path, after: &Path) -> Result<(), Error> {
    let (before, after) = (read(before)?, read(after)?);
    for (name, file) in [("before", &before), ("after", &after)] {
        let fact = |name: &str| file.pointer(&format!("/facts/{name}")).cloned().unwrap_or_default();
        println!("{name}: {} {} on {}", fact("date"), fact("commit"), fact("cpu"));
    }
    println!("\n| row | before | after | change | |");
    println!("| --- | --- | --- | --- | --- |");
    for line in lines(&before, &after) {
        println!("{line}");
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value, Error> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let file: Value = serde_json::from_slice(&text)?;
    if file.get("form").and_then(Value::as_u64) != Some(FORM) {
        return Err(format!("{}: not a file of this bench", path.display()).into());
    }
    Ok(file)
}

fn lines(before: &Value, after: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for (list, figures) in [("rates", &["busy", "wrk", "cpu"][..]), ("others", &["value"][..])] {
        for row in rows(after, list) {
            let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
            let Some(earlier) =
                rows(before, list).find(|row| row.get("id").and_then(Value::as_str) == Some(id))
            else {
                lines.push(format!("| {id} | | | | new |"));
                continue;
            };
            for figure in figures {
                let of = |row: &Value| row.get(*figure).and_then(Spread::from_json);
                if let (Some(before), Some(after)) = (of(earlier), of(row)) {
                    lines.push(line(id, figure, before, after));
                }
            }
        }
    }
    lines
}

fn line(id: &str, figure: &str, before: Spread, after: Spread) -> String {
    let single = before.least == before.most && after.least == after.most;
    let verdict = match (single, after.apart_from(&before)) {
        (true, _) => "measured once each",
        (false, true) => "**differs**",
        (false, false) => "within the spread",
    };
    format!(
        "| {id} ({figure}) | {} | {} | {:+.1} % | {verdict} |",
        spread_text(before, 2),
        spread_text(after, 2),
        (after.median / before.median - 1.0) * 100.0
    )
}

fn rows<'a>(file: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    file.get(list).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_lies_beyond_the_spread_differs() {
        let file = |least: f64, most: f64| {
            let spread = json!({ "median": least, "least": least, "most": most });
            json!({ "rates": [{ "id": "a/b", "busy": spread, "wrk": null }], "others": [] })
        };
        let lines_of = |before, after| lines(&before, &after);
        assert_eq!(
            lines_of(file(2.0, 2.5), file(4.0, 4.5)),
            ["| a/b (busy) | 2.00 (2.00 - 2.50) | 4.00 (4.00 - 4.50) | +100.0 % | **differs** |"]
        );
        assert!(lines_of(file(2.0, 2.5), file(2.4, 3.0))[0].contains("within the spread"));
        let none = json!({ "rates": [], "others": [] });
        assert_eq!(lines_of(none, file(1.0, 1.0)), ["| a/b | | | | new |"]);
    }
}
