//! Owns the one list that both the router and the OpenAPI document are made from, so that they cannot drift apart.
//! Must never know a path: those are in `router.rs`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};

use wasmyard_namespaces::access::{Family, Level};

use crate::state::Shared;

pub(crate) use op::{Op, op};

mod op;

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Small bodies and registry work.
    Call,
    /// A component is received, compiled and stored.
    Upload,
}

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Whoever has an API token.
    Token,
    /// Whoever has the token of an upload session; the handler checks it.
    Session,
    /// Anybody.
    Open,
}

/// Which permission a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// None: it tells nothing but what whoever has a token knows.
    Nothing,
    /// One of this family.
    Of {
        family: Family,
        level: Level,
        at: At,
        /// Whether its answer has rows, of which it shows those that the token may see. Then it is enough that there may be
        /// some.
        lists: bool,
    },
}

/// Where the permission has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// On what the path names: a script, a namespace, a zone, or else the account.
    Named,
    /// On the account, whatever the path names.
    Account,
    /// On all zones.
    Zones,
}

/// What a call takes as its body.
pub(crate) enum Takes {
    Nothing,
    /// A form of contents, each named by its hash.
    Contents,
    Json(fn(&mut SchemaGenerator) -> Schema),
    /// JSON with these keys and no others.
    Exactly(fn(&mut SchemaGenerator) -> Schema),
    /// A form with these parts (name, meaning), or the component by itself.
    Module,
    /// A form with a file of DNS records.
    ZoneFile,
    /// Bytes, or a form of bytes and JSON.
    Value,
    /// A form with one JSON part called `settings`, or that JSON by itself.
    Settings(fn(&mut SchemaGenerator) -> Schema),
}

/// What a call gives back.
pub(crate) enum Returns {
    /// This type, in the envelope.
    Enveloped(fn(&mut SchemaGenerator) -> Schema),
    /// A body of this media type, bare.
    Raw(&'static str),
}

/// A parameter of a query.
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    /// What it can be; empty where that is said by its name.
    pub(crate) choices: &'static [&'static str],
    /// Whether more than there can be is held to that, and nothing is the same as none.
    pub(crate) held: bool,
}

/// One row: a method on a path, with all that the document says of it.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) area: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: Vec<Parameter>,
    pub(crate) takes: Takes,
    /// Whether the body may be left out.
    pub(crate) bodiless: bool,
    pub(crate) returns: Returns,
    pub(crate) pace: Pace,
    pub(crate) access: Access,
    pub(crate) asks: Asks,
    /// The statuses of success with their meanings.
    pub(crate) successes: Vec<(u16, &'static str)>,
    pub(crate) handler: MethodRouter<Arc<Shared>, Infallible>,
}

/// The rows, in the order in which `router.rs` writes them.
pub(crate) struct Table {
    pub(crate) operations: Vec<Operation>,
    area: &'static str,
    prefix: &'static str,
    base: &'static str,
    access: Access,
    family: Family,
}

impl Table {
    pub(crate) fn new() -> Self {
        let (operations, access) = (Vec::new(), Access::Token);
        Self { operations, area: "", prefix: "", base: "", access, family: Family::Admin }
    }

    /// Rows that follow belong to this area; their paths begin with `base`, their identifiers with `prefix`.
    pub(crate) fn area(&mut self, area: &'static str, prefix: &'static str, base: &'static str) -> &mut Self {
        (self.area, self.prefix, self.base, self.access) = (area, prefix, base, Access::Token);
        // Who says nothing of permissions says that only an admin may.
        self.family = Family::Admin;
        self
    }

    /// Rows that follow need a permission of this family: to look for GET, to change for any other method.
    pub(crate) fn needs(&mut self, family: Family) -> &mut Self {
        self.family = family;
        self
    }

    /// Rows that follow need no token.
    pub(crate) fn open(&mut self) -> &mut Self {
        self.access = Access::Open;
        self
    }

    /// Rows that follow take the token of an upload session.
    pub(crate) fn session(&mut self) -> &mut Self {
        self.access = Access::Session;
        self
    }

    pub(crate) fn get<H, T>(&mut self, path: &str, handler: H, op: Op) -> &mut Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        self.row(Method::GET, path, on(MethodFilter::GET, handler), op)
    }

    pub(crate) fn put<H, T>(&mut self, path: &str, handler: H, op: Op) -> &mut Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        self.row(Method::PUT, path, on(MethodFilter::PUT, handler), op)
    }

    pub(crate) fn post<H, T>(&mut self, path: &str, handler: H, op: Op) -> &mut Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        self.row(Method::POST, path, on(MethodFilter::POST, handler), op)
    }

    pub(crate) fn patch<H, T>(&mut self, path: &str, handler: H, op: Op) -> &mut Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        self.row(Method::PATCH, path, on(MethodFilter::PATCH, handler), op)
    }

    pub(crate) fn delete<H, T>(&mut self, path: &str, handler: H, op: Op) -> &mut Self
    where
        H: Handler<T, Arc<Shared>>,
        T: 'static,
    {
        self.row(Method::DELETE, path, on(MethodFilter::DELETE, handler), op)
    }

    fn row(&mut self, method: Method, path: &str, handler: MethodRouter<Arc<Shared>>, op: Op) -> &mut Self {
        let asks = if op.asks.nothing {
            Asks::Nothing
        } else {
            let looks = method == Method::GET || op.asks.reads;
            Asks::Of {
                family: op.asks.family.unwrap_or(self.family),
                level: if looks { Level::Read } else { Level::Write },
                at: op.asks.at.unwrap_or(At::Named),
                lists: op.asks.lists,
            }
        };
        self.operations.push(Operation {
            asks,
            method,
            path: format!("{}{path}", self.base),
            id: format!("{}.{}", self.prefix, op.id),
            area: self.area,
            summary: op.summary,
            query: op.query,
            takes: op.takes,
            bodiless: op.bodiless,
            returns: op.returns,
            pace: op.pace,
            access: self.access,
            successes: op.successes,
            handler,
        });
        self
    }
}

/// A generator whose definitions land where an OpenAPI 3.1 document keeps them.
pub(crate) fn schema_generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .into_generator()
}
