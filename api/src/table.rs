//! Owns the one list that both the router and the OpenAPI document are made from, so that they cannot drift apart.
//! Must never know a path: those are in `router.rs`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};

use wasmyard_namespaces::access::{Family, Level};

use crate::state::Shared;

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
    pub(crate) returns: Returns,
    pub(crate) pace: Pace,
    pub(crate) access: Access,
    pub(crate) asks: Asks,
    /// The statuses of success with their meanings.
    pub(crate) successes: Vec<(u16, &'static str)>,
    pub(crate) handler: MethodRouter<Arc<Shared>, Infallible>,
}

/// The description of a row, written beside its handler.
pub(crate) struct Op {
    id: &'static str,
    summary: &'static str,
    query: Vec<Parameter>,
    takes: Takes,
    returns: Returns,
    successes: Vec<(u16, &'static str)>,
    pace: Pace,
    asks: Wish,
}

/// What a row says of permissions that its area does not.
#[derive(Clone, Copy, Default)]
struct Wish {
    nothing: bool,
    family: Option<Family>,
    reads: bool,
    at: Option<At>,
    lists: bool,
}

/// Describes a call by its name within its area and one sentence.
pub(crate) fn op(id: &'static str, summary: &'static str) -> Op {
    let returns = Returns::Enveloped(schema_of::<()>);
    let successes = vec![(200, "Done.")];
    let asks = Wish::default();
    Op { id, summary, query: Vec::new(), takes: Takes::Nothing, returns, successes, pace: Pace::Call, asks }
}

impl Op {
    /// The call understands this query parameter.
    pub(crate) fn query(self, name: &'static str, meaning: &'static str) -> Self {
        self.one_of(name, meaning, &[])
    }

    /// The call understands this query parameter, which has one of a few values.
    pub(crate) fn one_of(
        mut self,
        name: &'static str,
        meaning: &'static str,
        choices: &'static [&'static str],
    ) -> Self {
        self.query.push(Parameter { name, meaning, choices, held: false });
        self
    }

    /// Whoever has a token may make the call.
    pub(crate) fn for_any_token(mut self) -> Self {
        self.asks.nothing = true;
        self
    }

    /// The call needs a permission of another family than its area.
    pub(crate) fn needs(mut self, family: Family) -> Self {
        self.asks.family = Some(family);
        self
    }

    /// The call only looks, whatever its method.
    pub(crate) fn reads(mut self) -> Self {
        self.asks.reads = true;
        self
    }

    /// The permission has to hold here, and not on what the path names.
    pub(crate) fn on(mut self, at: At) -> Self {
        self.asks.at = Some(at);
        self
    }

    /// The call shows those of its rows that the token may see, and no others.
    pub(crate) fn of_what_may_be_seen(mut self) -> Self {
        self.asks.lists = true;
        self
    }

    /// The call gives a list by pages, if it is asked to.
    pub(crate) fn pages(self) -> Self {
        self.query("per_page", "Rows of a page, 1 to 1000; left out, the list comes whole on page 1")
            .query("page", "Number of the page, from 1")
            .query("cursor", "The cursor of the page before, instead of a number")
    }

    /// The call gives a list by pages, which are counted.
    pub(crate) fn counted(self) -> Self {
        let mut counted = self
            .query("per_page", "Rows of a page, 1000 at most")
            .query("page", "Number of the page, from 1");
        counted.query.iter_mut().for_each(|parameter| parameter.held = true);
        counted
    }

    /// The call may be forced.
    pub(crate) fn forced(self) -> Self {
        self.query("force", "\"true\": go on although the configuration declares it, or others refer to it")
    }

    /// The call takes this type as JSON.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Json(schema_of::<T>);
        self
    }

    /// The same, and refuses what else is in it.
    pub(crate) fn takes_exactly<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Exactly(schema_of::<T>);
        self
    }

    /// The call takes a component, and may take its time.
    pub(crate) fn takes_module(mut self) -> Self {
        self.takes = Takes::Module;
        self.pace = Pace::Upload;
        self
    }

    /// The call takes a form of contents, and may take its time.
    pub(crate) fn takes_contents(mut self) -> Self {
        self.takes = Takes::Contents;
        self.pace = Pace::Upload;
        self
    }

    /// The call takes a value with what comes beside it, and may take its time.
    pub(crate) fn takes_value(mut self) -> Self {
        self.takes = Takes::Value;
        self.pace = Pace::Upload;
        self
    }

    /// The call takes a form with a file of DNS records.
    pub(crate) fn takes_zone_file(mut self) -> Self {
        self.takes = Takes::ZoneFile;
        self
    }

    /// The call takes JSON that may be long, and may take its time.
    pub(crate) fn takes_long<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Json(schema_of::<T>);
        self.pace = Pace::Upload;
        self
    }

    /// The call succeeds with these statuses.
    pub(crate) fn succeeds(mut self, successes: &[(u16, &'static str)]) -> Self {
        self.successes = successes.to_vec();
        self
    }

    /// The call takes a form whose part `settings` is this type.
    pub(crate) fn takes_settings<T: JsonSchema>(mut self) -> Self {
        self.takes = Takes::Settings(schema_of::<T>);
        self
    }

    /// The `result` is of this type.
    pub(crate) fn returns<T: JsonSchema>(mut self) -> Self {
        self.returns = Returns::Enveloped(schema_of::<T>);
        self
    }

    /// The answer is not enveloped.
    pub(crate) fn returns_raw(mut self, media_type: &'static str) -> Self {
        self.returns = Returns::Raw(media_type);
        self
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
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
