//! What a section of the file is: keys, each declared once, and how it is read.
//!
//! Owns the ways in which sections hold each other, and what the documentation is told of a key. It must never know a key:
//! `keys` does.

use std::marker::PhantomData;
use std::ops::Deref;

use serde_json::Value as Json;
use toml::de::DeTable;

use super::document::{Reader, Spot, Table};
use super::fault::Fault;

/// What can be said of a key without a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// As it is written.
    pub(super) name: String,
    /// What is written behind it: its shape and its bounds.
    pub(super) value: String,
    /// What holds without it; empty where that goes without saying.
    pub(super) default: String,
    /// What it means.
    pub(super) about: String,
    /// The keys in it.
    pub(super) inside: Vec<Key>,
    /// The part of the documentation that tells of these, where it is another one.
    pub(super) apart: Option<&'static str>,
}

impl Key {
    /// A key that only says what is written behind it.
    pub(super) fn of(value: impl Into<String>) -> Self {
        let (name, default, about) = Default::default();
        Self { name, value: value.into(), default, about, inside: Vec::new(), apart: None }
    }

    /// Adds what holds without it.
    pub(super) fn or(self, default: impl Into<String>) -> Self {
        Self { default: default.into(), ..self }
    }

    fn named(self, name: &str, about: &[&str]) -> Self {
        let about = about.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        Self { name: name.to_owned(), about, ..self }
    }
}

/// How the value of a key is read, with its default and its bounds.
pub(super) trait Form {
    /// What is read.
    type Read;

    /// What is read where there is no file.
    fn unset(self) -> Self::Read;

    /// What the table has under this name. Faults of its shape are in `reader` afterwards.
    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Self::Read;

    /// What can be said of the key of this name.
    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key>;
}

/// A table of fixed keys.
pub(super) trait Section: Sized {
    /// The table where nothing is written.
    fn unset() -> Self;

    /// Reads what the table has of these keys. Others may have more of it.
    fn read(table: &mut Table<'_, '_>, reader: &mut Reader<'_>) -> Self;

    /// All keys.
    fn keys() -> Vec<Key>;
}

/// Declares a section: each key with its form and what it means, in Markdown. This is the only place that names it.
macro_rules! section {
    (
        $(#[$attribute:meta])*
        $name:ident {
            $($(#[doc = $about:literal])+ $key:ident: $form:ty = $declared:expr,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub(super) struct $name {
            $($(#[doc = $about])+ pub(super) $key: <$form as $crate::config::section::Form>::Read,)+
            /// Where the table stands.
            #[allow(dead_code, reason = "not every section is told of as a whole")]
            pub(super) place: $crate::config::section::Place,
        }

        impl $crate::config::section::Section for $name {
            fn unset() -> Self {
                Self {
                    $($key: <$form as $crate::config::section::Form>::unset($declared),)+
                    place: $crate::config::section::Place::default(),
                }
            }

            fn read(
                table: &mut $crate::config::document::Table<'_, '_>,
                reader: &mut $crate::config::document::Reader<'_>,
            ) -> Self {
                Self {
                    $($key: <$form as $crate::config::section::Form>::read(
                        $declared,
                        table,
                        reader,
                        $crate::config::section::bare(stringify!($key)),
                    ),)+
                    place: $crate::config::section::Place::of(table),
                }
            }

            fn keys() -> Vec<$crate::config::section::Key> {
                let mut keys = Vec::new();
                $(keys.extend(
                    <$form as $crate::config::section::Form>::keys(
                        $declared,
                        $crate::config::section::bare(stringify!($key)),
                        &[$($about),+],
                    ),
                );)+
                keys
            }
        }
    };
}
pub(super) use section;

/// The name of a key that is a word of Rust as well, such as `r#type`.
pub(super) fn bare(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// Where a table stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    /// Its path.
    pub(super) key: String,
}

impl Place {
    pub(super) fn of(table: &Table<'_, '_>) -> Self {
        Self { line: table.line, key: table.path().to_owned() }
    }

    /// The path of a key in it.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.key)
    }
}

/// Reads a whole text; whatever is wrong with its shape is in `reader.faults` afterwards.
pub(super) fn read<T: Section>(reader: &mut Reader<'_>, text: &str) -> T {
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(0, |span| reader.line(span.start));
        reader.faults.push(Fault::new(line, "", format!("not valid TOML: {}", error.message())));
    }
    whole(Table::new(document.get_ref(), String::new(), 1), reader)
}

/// Reads a table to its end: what nobody asked for is refused.
fn whole<T: Section>(mut table: Table<'_, '_>, reader: &mut Reader<'_>) -> T {
    let read = T::read(&mut table, reader);
    table.finish(reader);
    read
}

/// A table that may be left out, and is then as if it were empty.
#[derive(Debug, Clone, Copy)]
pub(super) struct One<T>(Nesting<T>);

/// A table whose absence means something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maybe<T>(Nesting<T>);

/// Keys of this very table that other sections have, too.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared<T>(PhantomData<T>);

/// A list of tables, such as `[[routes]]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Many<T>(Nesting<T>);

/// A table whose keys the user chose, and under each of them a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByName<T> {
    /// What is expected, for messages.
    expected: &'static str,
    nesting: Nesting<T>,
}

/// Where the keys of an inner table are told of: beside those of the outer one, or apart.
#[derive(Debug, Clone, Copy)]
struct Nesting<T> {
    apart: Option<&'static str>,
    of: PhantomData<T>,
}

impl<T: Section> Nesting<T> {
    const BESIDE: Self = Self { apart: None, of: PhantomData };

    fn apart(part: &'static str) -> Self {
        Self { apart: Some(part), of: PhantomData }
    }

    fn keys(self, name: &str, about: &[&str], value: &str) -> Vec<Key> {
        let Self { apart, of: _ } = self;
        vec![Key { inside: T::keys(), apart, ..Key::of(value) }.named(name, about)]
    }
}

/// A table that a part of the documentation of its own tells of.
pub(super) fn one<T: Section>(part: &'static str) -> One<T> {
    One(Nesting::apart(part))
}

/// A table that is told of beside the keys around it, and whose absence means something.
pub(super) fn maybe<T: Section>() -> Maybe<T> {
    Maybe(Nesting::BESIDE)
}

/// The same, where a part of the documentation of its own tells of it.
pub(super) fn maybe_apart<T: Section>(part: &'static str) -> Maybe<T> {
    Maybe(Nesting::apart(part))
}

/// Keys that other sections have, too.
pub(super) fn shared<T: Section>() -> Shared<T> {
    Shared(PhantomData)
}

/// A list of tables that are told of beside the keys around them.
pub(super) fn many<T: Section>() -> Many<T> {
    Many(Nesting::BESIDE)
}

/// A list of tables that a part of the documentation of its own tells of.
pub(super) fn many_apart<T: Section>(part: &'static str) -> Many<T> {
    Many(Nesting::apart(part))
}

/// Tables by names, that a part of the documentation of its own tells of.
pub(super) fn by_name<T: Section>(part: &'static str, expected: &'static str) -> ByName<T> {
    ByName { expected, nesting: Nesting::apart(part) }
}

impl<T: Section> Form for One<T> {
    type Read = T;

    fn unset(self) -> T {
        T::unset()
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> T {
        table.table(reader, name).map_or_else(T::unset, |inner| whole(inner, reader))
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        self.0.keys(name, about, "table")
    }
}

impl<T: Section> Form for Maybe<T> {
    type Read = Option<T>;

    fn unset(self) -> Option<T> {
        None
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Option<T> {
        table.table(reader, name).map(|inner| whole(inner, reader))
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        self.0.keys(name, about, "table")
    }
}

impl<T: Section> Form for Shared<T> {
    type Read = T;

    fn unset(self) -> T {
        T::unset()
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, _: &'static str) -> T {
        T::read(table, reader)
    }

    fn keys(self, _: &'static str, _: &[&str]) -> Vec<Key> {
        T::keys()
    }
}

impl<T: Section> Form for Many<T> {
    type Read = Vec<T>;

    fn unset(self) -> Vec<T> {
        Vec::new()
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Vec<T> {
        table.tables(reader, name).into_iter().map(|inner| whole(inner, reader)).collect()
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        self.0.keys(name, about, "list of tables")
    }
}

/// A table under a name that the user chose.
#[derive(Debug)]
pub(super) struct Named<T> {
    pub(super) name: Spot<String>,
    table: T,
}

impl<T> Deref for Named<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.table
    }
}

impl<T: Section> Form for ByName<T> {
    type Read = Vec<Named<T>>;

    fn unset(self) -> Vec<Named<T>> {
        Vec::new()
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Vec<Named<T>> {
        let found = table.named_tables(reader, name, self.expected);
        found.into_iter().map(|(name, inner)| Named { name, table: whole(inner, reader) }).collect()
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        self.nesting.keys(&format!("{name}.NAME"), about, "table")
    }
}

/// A single value, under the name that it has in every section.
pub(super) fn leaf(name: &'static str, about: &[&str], value: Key) -> Vec<Key> {
    vec![value.named(name, about)]
}

/// A list of tables whose grammar belongs to another crate.
#[derive(Debug, Clone, Copy)]
pub(super) struct ForeignMany;

impl Form for ForeignMany {
    type Read = Vec<Spot<Json>>;

    fn unset(self) -> Self::Read {
        Vec::new()
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Self::Read {
        table.tables(reader, name).into_iter().filter_map(|inner| inner.into_json(reader)).collect()
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        leaf(name, about, Key::of("list of tables"))
    }
}

/// A table whose keys and values the user chose.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entries;

impl Form for Entries {
    type Read = Vec<Spot<(String, Json)>>;

    fn unset(self) -> Self::Read {
        Vec::new()
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Self::Read {
        table.json_entries(reader, name)
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        leaf(name, about, Key::of("table"))
    }
}
