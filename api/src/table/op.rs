//! The description of a row, as `router.rs` writes it beside the handler.

use schemars::generate::SchemaGenerator;
use schemars::{JsonSchema, Schema};
use wasmyard_namespaces::access::Family;

use super::{At, Pace, Parameter, Returns, Takes};

/// The description of a row, written beside its handler.
pub(crate) struct Op {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: Vec<Parameter>,
    pub(super) takes: Takes,
    pub(super) returns: Returns,
    pub(super) successes: Vec<(u16, &'static str)>,
    pub(super) bodiless: bool,
    pub(super) pace: Pace,
    pub(super) asks: Wish,
}

/// What a row says of permissions that its area does not.
#[derive(Clone, Copy, Default)]
pub(super) struct Wish {
    pub(super) nothing: bool,
    pub(super) family: Option<Family>,
    pub(super) reads: bool,
    pub(super) at: Option<At>,
    pub(super) lists: bool,
}

/// Describes a call by its name within its area and one sentence.
pub(crate) fn op(id: &'static str, summary: &'static str) -> Op {
    let returns = Returns::Enveloped(schema_of::<()>);
    let successes = vec![(200, "Done.")];
    let asks = Wish::default();
    Op {
        id,
        summary,
        query: Vec::new(),
        takes: Takes::Nothing,
        bodiless: false,
        returns,
        successes,
        pace: Pace::Call,
        asks,
    }
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

    /// The body may be left out.
    pub(crate) fn or_nothing(mut self) -> Self {
        self.bodiless = true;
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
