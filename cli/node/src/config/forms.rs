//! The values that keys may have: each form with its default, its bounds, and what is said of a value outside of them.
//!
//! A default that belongs to another part of the platform is taken from there. Must never look outside the text.

use std::fmt::{Debug, Display};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::str::FromStr;

use serde_json::Value as Json;
use wasmyard_namespaces::NameError;

use super::document::{Reader, Spot, Table};
use super::fault::Fault;
use super::section::{Form, Key, leaf};

pub(super) mod numbers;

/// Reads a value of this type, if it is there.
pub(super) type Reading<T> = fn(&mut Table<'_, '_>, &mut Reader<'_>, &'static str) -> Option<Spot<T>>;

/// A value that is judged by itself, and has a default.
pub(super) trait Judged: Sized {
    /// What is written.
    type Written: Debug;
    /// What it stands for.
    type Value;

    /// How what is written is read.
    const READ: Reading<Self::Written>;

    /// What it stands for, or what is wrong with it.
    fn judge(&self, spot: &Spot<Self::Written>) -> Result<Self::Value, Fault>;

    /// What holds without it, and instead of a value that is wrong.
    fn default(&self) -> Self::Value;

    /// What is said of its value and its default.
    fn told(&self) -> Key;
}

/// What was read of such a value.
#[derive(Debug)]
pub(super) struct Given<F: Judged> {
    form: F,
    pub(super) spot: Option<Spot<F::Written>>,
}

impl<F: Judged> Given<F> {
    /// The value that holds. What is wrong is noted.
    pub(super) fn get(&self, faults: &mut Vec<Fault>) -> F::Value {
        let Some(spot) = &self.spot else { return self.form.default() };
        self.form.judge(spot).unwrap_or_else(|fault| {
            faults.push(fault);
            self.form.default()
        })
    }
}

impl<F: Judged> Form for F {
    type Read = Given<F>;

    fn unset(self) -> Given<F> {
        Given { form: self, spot: None }
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Given<F> {
        Given { spot: F::READ(table, reader, name), form: self }
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        leaf(name, about, self.told())
    }
}

/// An IP address and a port.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address(pub(super) SocketAddr);

impl Judged for Address {
    type Written = String;
    type Value = SocketAddr;

    const READ: Reading<String> = |table, reader, name| table.string(reader, name);

    fn judge(&self, spot: &Spot<String>) -> Result<SocketAddr, Fault> {
        spot.value.parse().map_err(|_| {
            let fault = spot.fault_shown("expected an IP address and a port");
            fault.remedy(format!("write it as \"{}\"", self.0))
        })
    }

    fn default(&self) -> SocketAddr {
        self.0
    }

    fn told(&self) -> Key {
        Key::of("IP address and port").or(format!("`\"{}\"`", self.0))
    }
}

/// One of a few words, whatever their case. The first is the default.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice<T: 'static> {
    pub(super) words: &'static [(&'static str, T)],
    /// What is expected.
    pub(super) expected: &'static str,
    pub(super) default: T,
}

impl<T> Choice<T> {
    fn shown(&self, quote: &str) -> String {
        let words: Vec<String> =
            self.words.iter().map(|(word, _)| format!("{quote}\"{word}\"{quote}")).collect();
        match words.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }
}

impl<T: Copy + Debug + PartialEq> Judged for Choice<T> {
    type Written = String;
    type Value = T;

    const READ: Reading<String> = |table, reader, name| table.string(reader, name);

    fn judge(&self, spot: &Spot<String>) -> Result<T, Fault> {
        let meant = self.words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&spot.value));
        meant.map(|(_, value)| *value).ok_or_else(|| {
            spot.fault_shown(format!("expected {}", self.expected))
                .remedy(format!("write {}", self.shown("")))
        })
    }

    fn default(&self) -> T {
        self.default
    }

    fn told(&self) -> Key {
        let default = self.words.iter().find(|(_, value)| *value == self.default);
        Key::of(self.shown("`")).or(default.map(|(word, _)| format!("`\"{word}\"`")).unwrap_or_default())
    }
}

/// A name of the platform's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<T>(PhantomData<T>);

impl<T> Name<T> {
    /// A name with its usual default.
    pub(super) fn usual() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromStr<Err = NameError> + Default + Display> Judged for Name<T> {
    type Written = String;
    type Value = T;

    const READ: Reading<String> = |table, reader, name| table.string(reader, name);

    fn judge(&self, spot: &Spot<String>) -> Result<T, Fault> {
        spot.value.parse().map_err(|error: NameError| spot.fault_shown(error.rule).remedy(error.remedy))
    }

    fn default(&self) -> T {
        T::default()
    }

    fn told(&self) -> Key {
        Key::of("name").or(format!("`\"{}\"`", T::default()))
    }
}

/// A path with a default. Whether anything is there is another question.
#[derive(Debug, Clone, Copy)]
pub(super) struct PathOr(pub(super) &'static str);

impl Judged for PathOr {
    type Written = String;
    type Value = String;

    const READ: Reading<String> = |table, reader, name| table.string(reader, name);

    fn judge(&self, spot: &Spot<String>) -> Result<String, Fault> {
        Ok(spot.value.clone())
    }

    fn default(&self) -> String {
        self.0.to_owned()
    }

    fn told(&self) -> Key {
        Key::of("path").or(format!("`\"{}\"`", self.0))
    }
}

/// Forms whose value is what is written: what it means depends on other keys.
macro_rules! plain {
    ($($(#[doc = $about:literal])+ $name:ident: $read:ty = $reader:ident, $value:literal;)+) => {$(
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(
            /// What holds without it, in words.
            pub(super) &'static str,
        );

        impl Form for $name {
            type Read = Option<$read>;

            fn unset(self) -> Self::Read {
                None
            }

            fn read(
                self,
                table: &mut Table<'_, '_>,
                reader: &mut Reader<'_>,
                name: &'static str,
            ) -> Self::Read {
                table.$reader(reader, name)
            }

            fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
                leaf(name, about, Key::of($value).or(self.0))
            }
        }
    )+};
}

plain! {
    /// `true` or `false`; false without it.
    Flag: Spot<bool> = boolean, "`true` or `false`";
    /// A string.
    Text: Spot<String> = string, "string";
    /// A whole number.
    Number: Spot<u64> = number, "number";
    /// A list of strings, each with its line. None and an empty one may mean different things.
    Texts: Vec<Spot<String>> = strings, "list of strings";
    /// The same of numbers.
    Numbers: Vec<Spot<u64>> = numbers, "list of numbers";
}

/// A value whose grammar belongs to another crate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Any {
    /// What may be written.
    pub(super) value: &'static str,
    /// What holds without it.
    pub(super) without: &'static str,
}

impl Form for Any {
    type Read = Option<Spot<Json>>;

    fn unset(self) -> Self::Read {
        None
    }

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) -> Self::Read {
        table.json(reader, name)
    }

    fn keys(self, name: &'static str, about: &[&str]) -> Vec<Key> {
        leaf(name, about, Key::of(self.value).or(self.without))
    }
}

/// What looks like a key and is none, with what to do instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoKey(pub(super) (&'static str, &'static str));

impl Form for NoKey {
    type Read = ();

    fn unset(self) {}

    fn read(self, table: &mut Table<'_, '_>, reader: &mut Reader<'_>, name: &'static str) {
        table.refuse(reader, name, self.0);
    }

    fn keys(self, _: &'static str, _: &[&str]) -> Vec<Key> {
        Vec::new()
    }
}
