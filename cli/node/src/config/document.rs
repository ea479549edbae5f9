//! Reading a TOML document piece by piece, with the line of every piece.
//!
//! Owns the shapes (string, number, list, table) and the faults about shapes and unknown keys. It must
//! never stop at the first mistake: each reader notes what is wrong and goes on, so that the user sees all
//! of it at once. Serde stops at the first, which is why it is not used here.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, closest};

/// A value, with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spot<T> {
    pub(super) value: T,
    pub(super) line: usize,
    pub(super) key: String,
}

impl<T> Spot<T> {
    /// The key alone, without where it stands.
    pub(super) fn name(&self) -> &str {
        self.key.rsplit('.').next().unwrap_or(&self.key)
    }

    /// A fault about this value.
    pub(super) fn fault(&self, expected: impl Into<String>) -> Fault {
        Fault::new(self.line, self.key.clone(), expected)
    }
}

impl<T: Into<Json>> Spot<T> {
    /// The same as JSON.
    pub(super) fn into_json(self) -> Spot<Json> {
        Spot { value: self.value.into(), line: self.line, key: self.key }
    }
}

impl Spot<String> {
    /// A fault that shows the value.
    pub(super) fn fault_shown(&self, expected: impl Into<String>) -> Fault {
        self.fault(expected).value(format!("{:?}", self.value))
    }
}

/// Where the lines of a text begin, and the faults found in it so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    line_starts: Vec<usize>,
    pub(super) faults: Vec<Fault>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let line_starts = std::iter::once(0).chain(newlines.map(|(at, _)| at + 1)).collect();
        Self { text, line_starts, faults: Vec::new() }
    }

    /// The line of a byte offset, from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    fn slice(&self, span: Range<usize>) -> &'t str {
        self.text.get(span).unwrap_or_default()
    }

    fn wrong_shape(&mut self, key: String, value: &Spanned<DeValue<'_>>, expected: &str) {
        let found = value.get_ref().type_str();
        let fault = Fault::new(
            self.line(value.span().start),
            key,
            format!("expected {expected}, found {} {found}", article(found)),
        );
        let shown = self.slice(value.span());
        self.faults.push(if value.get_ref().is_table() { fault } else { fault.value(shown) });
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// A table that is being read: remembers which keys were asked for, so that the rest can be refused.
pub(super) struct Table<'d, 't> {
    entries: &'d DeTable<'t>,
    path: String,
    pub(super) line: usize,
    asked: BTreeSet<&'static str>,
    /// What is no key, and was told so.
    refused: BTreeSet<&'static str>,
}

impl<'d, 't> Table<'d, 't> {
    pub(super) fn new(entries: &'d DeTable<'t>, path: String, line: usize) -> Self {
        Self { entries, path, line, asked: BTreeSet::new(), refused: BTreeSet::new() }
    }

    /// The path of this table.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The full path of a key in this table.
    fn key(&self, name: &str) -> String {
        join(&self.path, name)
    }

    fn find(&mut self, name: &'static str) -> Option<(usize, &'d Spanned<DeValue<'t>>)> {
        self.asked.insert(name);
        self.entry(name)
    }

    fn entry(&self, name: &str) -> Option<(usize, &'d Spanned<DeValue<'t>>)> {
        let mut entries = self.entries.iter();
        entries.find(|(key, _)| key.get_ref() == name).map(|(key, value)| (key.span().start, value))
    }

    fn read<T>(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
        expected: &str,
        take: impl FnOnce(&'d DeValue<'t>) -> Option<T>,
    ) -> Option<Spot<T>> {
        let (at, value) = self.find(name)?;
        let key = self.key(name);
        match take(value.get_ref()) {
            Some(taken) => Some(Spot { value: taken, line: reader.line(at), key }),
            None => {
                reader.wrong_shape(key, value, expected);
                None
            }
        }
    }

    pub(super) fn string(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Option<Spot<String>> {
        self.read(reader, name, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn boolean(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Option<Spot<bool>> {
        self.read(reader, name, "true or false", DeValue::as_bool)
    }

    pub(super) fn number(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Option<Spot<u64>> {
        self.read(reader, name, "a whole number, zero or more", whole_number)
    }

    /// Any value that JSON has, too.
    pub(super) fn json(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Option<Spot<Json>> {
        self.read(reader, name, "a value that JSON can hold", to_json)
    }

    /// Notes a fault where there is something of this name, which is no key.
    pub(super) fn refuse(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
        (why, remedy): (&str, &str),
    ) {
        self.refused.insert(name);
        if let Some((at, _)) = self.entry(name) {
            let fault = Fault::new(reader.line(at), self.key(name), format!("{name} {why}"));
            reader.faults.push(fault.remedy(remedy));
        }
    }

    /// A number of bytes: `134217728` or `"128MiB"`, given on as text.
    pub(super) fn byte_text(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Option<Spot<String>> {
        self.read(reader, name, "a size such as \"128MiB\" or a number of bytes", |value| {
            value.as_str().map(str::to_owned).or_else(|| whole_number(value).map(|n| n.to_string()))
        })
    }

    /// A list of strings; each one keeps its own line.
    pub(super) fn strings(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Option<Vec<Spot<String>>> {
        let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
        self.list(reader, name, "a list of strings", "a string", text)
    }

    /// A list of numbers; each one keeps its own line.
    pub(super) fn numbers(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Option<Vec<Spot<u64>>> {
        self.list(reader, name, "a list of numbers", "a whole number, zero or more", whole_number)
    }

    fn list<T>(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
        expected: &str,
        expected_item: &str,
        take: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<Vec<Spot<T>>> {
        let list = self.read(reader, name, expected, DeValue::as_array)?;
        let mut found = Vec::new();
        for (index, item) in list.value.iter().enumerate() {
            let key = format!("{}[{index}]", list.key);
            match take(item.get_ref()) {
                Some(value) => found.push(Spot { value, line: reader.line(item.span().start), key }),
                None => reader.wrong_shape(key, item, expected_item),
            }
        }
        Some(found)
    }

    /// A table of fixed keys.
    pub(super) fn table(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Option<Table<'d, 't>> {
        let spot = self.read(reader, name, "a table", DeValue::as_table)?;
        Some(Table::new(spot.value, spot.key, spot.line))
    }

    /// A table whose keys the user chose: each with its name and its own table.
    pub(super) fn named_tables(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
        expected: &str,
    ) -> Vec<(Spot<String>, Table<'d, 't>)> {
        let Some(outer) = self.read(reader, name, expected, DeValue::as_table) else { return Vec::new() };
        let mut found = Vec::new();
        for (key, value) in outer.value {
            let path = join(&outer.key, key.get_ref());
            let line = reader.line(key.span().start);
            match value.get_ref().as_table() {
                Some(inner) => {
                    let spot = Spot { value: key.get_ref().to_string(), line, key: path.clone() };
                    found.push((spot, Table::new(inner, path, line)));
                }
                None => reader.wrong_shape(path, value, "a table"),
            }
        }
        found
    }

    /// A list of tables, such as `[[routes]]`.
    pub(super) fn tables(&mut self, reader: &mut Reader<'_>, name: &'static str) -> Vec<Table<'d, 't>> {
        let Some(list) = self.read(reader, name, "a list of tables", DeValue::as_array) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (index, item) in list.value.iter().enumerate() {
            let path = format!("{}[{index}]", list.key);
            match item.get_ref().as_table() {
                Some(inner) => found.push(Table::new(inner, path, reader.line(item.span().start))),
                None => reader.wrong_shape(path, item, "a table"),
            }
        }
        found
    }

    /// A table whose keys and values the user chose, as JSON.
    pub(super) fn json_entries(
        &mut self,
        reader: &mut Reader<'_>,
        name: &'static str,
    ) -> Vec<Spot<(String, Json)>> {
        let Some(outer) = self.read(reader, name, "a table", DeValue::as_table) else { return Vec::new() };
        let mut found = Vec::new();
        for (key, value) in outer.value {
            let path = join(&outer.key, key.get_ref());
            let line = reader.line(key.span().start);
            match to_json(value.get_ref()) {
                Some(json) => {
                    found.push(Spot { value: (key.get_ref().to_string(), json), line, key: path });
                }
                None => reader.wrong_shape(path, value, "a value that JSON can hold"),
            }
        }
        found
    }

    /// This whole table as JSON: for parts whose grammar belongs to another crate.
    pub(super) fn into_json(self, reader: &mut Reader<'_>) -> Option<Spot<Json>> {
        match table_to_json(self.entries) {
            Some(value) => Some(Spot { value, line: self.line, key: self.path }),
            None => {
                reader.faults.push(Fault::new(self.line, self.path, "holds a value that JSON cannot hold"));
                None
            }
        }
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        for (key, _) in self.entries {
            let name: &str = key.get_ref();
            if self.asked.contains(name) || self.refused.contains(name) {
                continue;
            }
            let line = reader.line(key.span().start);
            let fault = Fault::new(line, self.key(name), "there is no such key");
            reader.faults.push(match closest(name, self.asked.iter().copied()) {
                Some(meant) => fault.remedy(format!("did you mean `{meant}`?")),
                None => {
                    let known = self.asked.iter().copied().collect::<Vec<_>>().join(", ");
                    fault.remedy(format!("the keys here are {known}"))
                }
            });
        }
    }
}

/// Joins a path and a key as TOML writes them.
fn join(path: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let name = if bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn whole_number(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn table_to_json(table: &DeTable<'_>) -> Option<Json> {
    let mut object = serde_json::Map::new();
    for (key, value) in table {
        object.insert(key.get_ref().to_string(), to_json(value.get_ref())?);
    }
    Some(Json::Object(object))
}

fn to_json(value: &DeValue<'_>) -> Option<Json> {
    Some(match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Integer(number) => {
            let wide = i64::from_str_radix(number.as_str(), number.radix());
            wide.map(Json::from).ok().or_else(|| whole_number(value).map(Json::from))?
        }
        DeValue::Float(number) => {
            Json::Number(serde_json::Number::from_f64(number.as_str().parse::<f64>().ok()?)?)
        }
        DeValue::Boolean(truth) => Json::Bool(*truth),
        DeValue::Datetime(moment) => Json::String(moment.to_string()),
        DeValue::Array(list) => {
            Json::Array(list.iter().map(|item| to_json(item.get_ref())).collect::<Option<Vec<_>>>()?)
        }
        DeValue::Table(table) => table_to_json(table)?,
    })
}
