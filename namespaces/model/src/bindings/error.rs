//! Why a binding cannot be taken. Must never hold what a binding holds: it may be a secret.

use super::BindingType;
use crate::name::{BindingName, NameError};

/// A binding that cannot be taken. Safe to show: holds names and rules, never what a binding holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The type is not one of those the platform gives.
    #[error("binding \"{name}\" has the type \"{found}\", which this platform does not give{nearest}; the types are {supported}", nearest = nearest(found), supported = supported())]
    UnsupportedType {
        /// The binding's name, shortened.
        name: String,
        /// The type that was asked for, shortened.
        found: String,
    },
    /// A field is missing or has the wrong JSON type.
    #[error("binding \"{name}\": field \"{field}\" must be {expected}; add or correct it")]
    Field {
        /// The binding's name, shortened.
        name: String,
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A name inside the binding breaks its grammar.
    #[error("{}", named(name, source))]
    Name {
        /// The binding's name, shortened.
        name: String,
        /// The rule.
        source: NameError,
    },
    /// Two bindings of one version have the same name.
    #[error("binding \"{name}\" is declared twice; rename one of the two")]
    Duplicate {
        /// The name.
        name: BindingName,
    },
    /// A variable holds too much.
    #[error("binding \"{name}\" holds {found} bytes, more than the {max} that are allowed; shorten it")]
    TooLarge {
        /// The name.
        name: BindingName,
        /// Its size.
        found: usize,
        /// The bound.
        max: usize,
    },
    /// Too many bindings or variables.
    #[error("the version declares {found} {what}, more than the {max} that are allowed; remove some")]
    TooMany {
        /// Variables, bindings or parameters.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The bound.
        max: usize,
    },
    /// A binding leads to what is the script's own, and whoever stores the version did not make it.
    #[error(
        "binding \"{name}\" leads to storage of the script's own, which this call does not make; deploy the script with it"
    )]
    NotMade {
        /// The name.
        name: BindingName,
    },
    /// A binding is to be kept, and there is none of that name to keep.
    #[error(
        "binding \"{name}\" is to be inherited, and the version before has no \"{old_name}\"; declare it in full"
    )]
    NothingToInherit {
        /// The name it was to have.
        name: BindingName,
        /// The name it was looked for under.
        old_name: BindingName,
    },
}

/// The rule that a name breaks, and the binding where it is the name of something in it.
fn named(binding: &str, error: &NameError) -> String {
    if error.value() == binding { error.to_string() } else { format!("binding \"{binding}\": {error}") }
}

/// What comes nearest to a type of the hosted product that there is not, where something does.
fn nearest(found: &str) -> String {
    let way = match found {
        "ai" | "ai_search" | "ai_search_namespace" | "images" | "media" | "browser" | "browser_rendering" => {
            "fetch the service's own HTTP API, with its key as a secret_text"
        }
        "vectorize" | "hyperdrive" | "vpc_service" => {
            "fetch the database's own HTTP API, with its key as a secret_text"
        }
        "durable_object_namespace" => {
            "keep state in a kv_namespace, and call another script through a service"
        }
        "workflow" | "workflows" => "use cron triggers, and keep how far it is in a kv_namespace",
        "pipelines" | "analytics_engine" | "logfwdr" => {
            "write lines to the log, or fetch whoever collects them"
        }
        "send_email" => "fetch a mail service's HTTP API, with its key as a secret_text",
        "wasm_module" | "text_blob" | "data_blob" => "upload it as a part of its own, and import that",
        _ => return String::new(),
    };
    format!(" ({way})")
}

fn supported() -> String {
    BindingType::ALL.map(BindingType::as_str).join(", ")
}
