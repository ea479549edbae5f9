//! Why the API gave no result, and what a user can do about it.

use reqwest::StatusCode;
use serde::Deserialize;

/// One `{code, message}` of the envelope.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ApiError {
    /// The stable number.
    pub code: i64,
    /// The text for people.
    #[serde(default)]
    pub message: String,
    /// Which value it is about, where the text is the same for all.
    #[serde(default)]
    pub error_chain: Vec<ApiError>,
}

/// Why the API gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the API is not one.
    #[error("`{url}` is not the address of an API: {reason}")]
    BadUrl {
        /// What was given.
        url: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// Nobody answers there.
    #[error("cannot reach the API at {url}: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// What the system says.
        reason: String,
    },
    /// It answered, and then no more.
    #[error("the API at {url} broke off: {reason}")]
    Interrupted {
        /// The address.
        url: String,
        /// What the system says.
        reason: String,
    },
    /// It answered with an error.
    #[error("{}", refusal(*status, errors))]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// What the envelope holds.
        errors: Vec<ApiError>,
    },
    /// It answered with something that is no v4 envelope.
    #[error("{url} answered HTTP {status} with something that is not the v4 API's")]
    NotTheApi {
        /// The address.
        url: String,
        /// The HTTP status.
        status: StatusCode,
    },
}

fn refusal(status: StatusCode, errors: &[ApiError]) -> String {
    if errors.is_empty() {
        return format!("the API refused without a reason (HTTP {})", status.as_u16());
    }
    let texts: Vec<String> = errors
        .iter()
        .map(|error| {
            let behind: String =
                error.error_chain.iter().map(|cause| format!(" {}.", cause.message)).collect();
            format!("{}{behind} (code {}, HTTP {})", error.message, error.code, status.as_u16())
        })
        .collect();
    texts.join("; ")
}

impl ClientError {
    /// The first code of the envelope, where there is one.
    pub fn code(&self) -> Option<i64> {
        match self {
            Self::Refused { errors, .. } => errors.first().map(|error| error.code),
            Self::BadUrl { .. }
            | Self::Unreachable { .. }
            | Self::Interrupted { .. }
            | Self::NotTheApi { .. } => None,
        }
    }

    /// What to do about it, where something can be said.
    pub fn remedy(&self) -> Option<String> {
        let remedy = match self {
            Self::BadUrl { .. } => "write it as http://127.0.0.1:8788",
            Self::Unreachable { .. } => {
                "is `wasmyard serve` or `wasmyard dev` running? Another address goes in WASMYARD_API_URL or --api-url"
            }
            Self::Interrupted { .. } => "look at the server's log; the change may or may not have been made",
            Self::NotTheApi { .. } => {
                "give the address of the API listener (server.api_listen), not the one for visitors"
            }
            Self::Refused { status, .. } => return self.code().and_then(|code| code_remedy(code, *status)),
        };
        Some(remedy.to_owned())
    }
}

/// What a user can do about a code of the v4 API.
fn code_remedy(code: i64, status: StatusCode) -> Option<String> {
    let text = match code {
        10000 if status == StatusCode::FORBIDDEN => {
            "`wasmyard token list`, with a token that may, shows what each may do; `wasmyard token create` makes another"
        }
        9109 => "use it from one of its networks, or make another token",
        10000 => {
            "put the admin token in WASMYARD_API_TOKEN, or run this in the folder of the server: it is kept in the file `admin-token` of its data directory"
        }
        100_119 => "`wasmyard namespace list` shows what exists; `wasmyard namespace create NAME` makes one",
        10092 | 10007 | 10090 => "`wasmyard script list [--namespace NS]` shows what exists",
        90005 => "change wasmyard.toml and start the server again; --force changes it until then",
        90015 => "change what refers to it first; --force goes on all the same",
        90010 => "`wasmyard token list` shows what exists",
        90011 => "deploy again: a new upload session asks only for what is missing",
        10027 => "build with --release, and strip debug information",
        _ if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE => {
            "the server is busy: try again in a moment"
        }
        _ => return None,
    };
    Some(text.to_owned())
}
