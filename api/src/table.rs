//! Owns the one list that both the router and the OpenAPI document are made from, so that they cannot drift apart.
//! Must never know a path: those are in `router.rs`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};

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

/// What a call takes as its body.
pub(crate) enum Takes {
    Nothing,
    /// A form of contents, each named by its hash.
    Contents,
    Json(fn(&mut SchemaGenerator) -> Schema),
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

/// One row: a method on a path, with all that the document says of it.
pub(crate) struct Operation {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) area: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: Vec<(&'static str, &'static str)>,
    pub(crate) takes: Takes,
    pub(crate) returns: Returns,
    pub(crate) pace: Pace,
    pub(crate) access: Access,
    /// The statuses of success with their meanings.
    pub(crate) successes: Vec<(u16, &'static str)>,
    pub(crate) handler: MethodRouter<Arc<Shared>, Infallible>,
}

/// The description of a row, written beside its handler.
pub(crate) struct Op {
    id: &'static str,
    summary: &'static str,
    query: Vec<(&'static str, &'static str)>,
    takes: Takes,
    returns: Returns,
    successes: Vec<(u16, &'static str)>,
    pace: Pace,
}

/// Describes a call by its name within its area and one sentence.
pub(crate) fn op(id: &'static str, summary: &'static str) -> Op {
    let returns = Returns::Enveloped(schema_of::<()>);
    let successes = vec![(200, "Done.")];
    Op { id, summary, query: Vec::new(), takes: Takes::Nothing, returns, successes, pace: Pace::Call }
}

impl Op {
    /// The call understands this query parameter.
    pub(crate) fn query(mut self, name: &'static str, meaning: &'static str) -> Self {
        self.query.push((name, meaning));
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
        self.query("per_page", "Rows of a page, 1000 at most").query("page", "Number of the page, from 1")
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
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { operations: Vec::new(), area: "", prefix: "", base: "", access: Access::Token }
    }

    /// Rows that follow belong to this area; their paths begin with `base`, their identifiers with `prefix`.
    pub(crate) fn area(&mut self, area: &'static str, prefix: &'static str, base: &'static str) -> &mut Self {
        (self.area, self.prefix, self.base, self.access) = (area, prefix, base, Access::Token);
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
        self.operations.push(Operation {
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
