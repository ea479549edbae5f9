//! What runs of a version, by kind.
//!
//! This is the one place that knows the kinds apart: which uploads each takes, what is loaded before it runs, how large it
//! is and what it refers to. A new kind is a variant of [`CodeKind`] and of [`Code`], and the arms that the compiler then
//! asks for, here and in the few places that do a different thing with each kind. Never reads what it names.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::bundle;
use crate::digest::Digest;
use crate::name::shorten;

/// The code of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Code {
    /// A WebAssembly component, as it was uploaded.
    Component(Component),
    /// A script's files, JavaScript and what it imports, as a [bundle](crate::bundle::Bundle).
    Modules(Component),
    /// There is none: only files are served.
    #[default]
    None,
}

/// One component, and what is known of it since it was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The blob that holds it.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What its file was called.
    pub main_module: String,
    /// How long it took to start when it was judged, in milliseconds.
    pub startup_time_ms: u64,
    /// What it handles, each at most once.
    pub handlers: Vec<EventKind>,
    /// What it imports of the platform, without versions, sorted; see [`crate::capabilities`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
    /// Files that came with it and do not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
}

/// Files that were uploaded beside a component, such as the one in JavaScript that some clients cannot do without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beside {
    /// What the component's own file is called.
    pub component: String,
    /// The blob with the others, as a [bundle](crate::bundle::Bundle).
    pub digest: Digest,
}

impl Component {
    /// One that handles requests, whose file had no name, and that started at once.
    pub fn new(digest: Digest, size: u64) -> Self {
        let handlers = vec![EventKind::Fetch];
        Self {
            digest,
            size,
            main_module: String::new(),
            startup_time_ms: 0,
            handlers,
            imports: Vec::new(),
            beside: None,
        }
    }
}

/// Why a script runs, as versions say what they handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A request.
    Fetch,
    /// A time that came.
    Scheduled,
    /// Messages of a queue.
    Queue,
    /// What became of invocations of other scripts.
    Tail,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Fetch, Self::Scheduled, Self::Queue, Self::Tail];

    /// The name of the handler, as in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Scheduled => "scheduled",
            Self::Queue => "queue",
            Self::Tail => "tail",
        }
    }
}

impl Code {
    /// The blob of the component that has to be loaded before it can run; none where nothing runs.
    pub fn loads(&self) -> Option<Digest> {
        match self {
            Self::Component(component) | Self::Modules(component) => Some(component.digest),
            Self::None => None,
        }
    }

    /// The blobs that it refers to by name: a sweep leaves them.
    pub fn blobs(&self) -> impl Iterator<Item = Digest> + use<> {
        let digests = match self {
            Self::Component(component) | Self::Modules(component) => {
                [Some(component.digest), component.beside.as_ref().map(|beside| beside.digest)]
            }
            Self::None => [None, None],
        };
        digests.into_iter().flatten()
    }

    /// Identifies the content: what has the same runs alike, and consists of the same files. None where there is none.
    pub fn content(&self) -> Option<Digest> {
        match self {
            Self::Component(component) | Self::Modules(component) => {
                Some(component.beside.as_ref().map_or(component.digest, |beside| {
                    Digest::of(&[*component.digest.as_bytes(), *beside.digest.as_bytes()].concat())
                }))
            }
            Self::None => None,
        }
    }

    /// How many bytes were uploaded.
    pub fn size(&self) -> u64 {
        match self {
            Self::Component(component) | Self::Modules(component) => component.size,
            Self::None => 0,
        }
    }

    /// About how many bytes of memory this value takes beside its own size.
    pub fn weight(&self) -> usize {
        match self {
            Self::Component(component) | Self::Modules(component) => {
                let beside = component.beside.as_ref().map_or(0, |beside| beside.component.len());
                let imports: usize = component.imports.iter().map(|name| name.len() + 24).sum();
                let handlers = component.handlers.len() * size_of::<EventKind>();
                component.main_module.len() + beside + imports + handlers
            }
            Self::None => 0,
        }
    }

    /// What it imports of the platform, without versions, sorted.
    pub fn imports(&self) -> &[String] {
        match self {
            Self::Component(component) | Self::Modules(component) => &component.imports,
            Self::None => &[],
        }
    }

    /// The name of the file that it begins with; empty where there is none.
    pub fn main_module(&self) -> &str {
        match self {
            Self::Component(component) | Self::Modules(component) => &component.main_module,
            Self::None => "",
        }
    }

    /// How long it took to start when it was judged, in milliseconds.
    pub fn startup_time_ms(&self) -> u64 {
        match self {
            Self::Component(component) | Self::Modules(component) => component.startup_time_ms,
            Self::None => 0,
        }
    }

    /// What it handles. Files answer requests, too.
    pub fn handlers(&self) -> &[EventKind] {
        match self {
            Self::Component(component) | Self::Modules(component) => &component.handlers,
            Self::None => &[EventKind::Fetch],
        }
    }

    /// Whether a request that no file answers is for it.
    pub fn answers_requests(&self) -> bool {
        match self {
            Self::Component(component) | Self::Modules(component) => {
                component.handlers.contains(&EventKind::Fetch)
            }
            Self::None => false,
        }
    }

    /// Whether it is a script in JavaScript.
    pub fn is_javascript(&self) -> bool {
        matches!(self, Self::Modules(_))
    }

    /// Whether nothing runs.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// By hand, so that a kind of a later version is named, and not taken for damage.
impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tagged {
            kind: String,
            #[serde(flatten)]
            rest: Value,
        }
        let Tagged { kind, rest } = Tagged::deserialize(deserializer)?;
        match kind.as_str() {
            "component" => Component::deserialize(rest).map(Self::Component).map_err(D::Error::custom),
            "modules" => Component::deserialize(rest).map(Self::Modules).map_err(D::Error::custom),
            "none" => Ok(Self::None),
            other => Err(D::Error::custom(format_args!(
                "the code is of the kind \"{}\", which this program does not run; start the version that deployed it, or \
                 a later one, or deploy the script again",
                shorten(other)
            ))),
        }
    }
}

/// The kinds of code that are uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeKind {
    /// See [`Code::Component`].
    Component,
    /// See [`Code::Modules`].
    Modules,
}

impl CodeKind {
    /// What kind an upload is, by how its main file begins; none where nothing begins so that runs here.
    pub fn of_upload(main: &[u8]) -> Option<Self> {
        if bundle::is_bundle(main) {
            return Some(Self::Modules);
        }
        main.starts_with(WASM_MAGIC).then_some(Self::Component)
    }

    /// The code of this kind.
    pub fn code(self, component: Component) -> Code {
        match self {
            Self::Component => Code::Component(component),
            Self::Modules => Code::Modules(component),
        }
    }
}

/// What an upload says of code.
#[derive(Clone, Debug)]
pub enum CodeUpload {
    /// This: its blobs were put into the registry beforehand.
    New(Code),
    /// That of the version before; none where there is none.
    Keep,
}

impl Default for CodeUpload {
    fn default() -> Self {
        Self::New(Code::None)
    }
}

impl From<Component> for CodeUpload {
    fn from(component: Component) -> Self {
        Self::New(Code::Component(component))
    }
}

impl CodeUpload {
    /// The code that it brings; none where the version before is to say.
    pub fn new_code(&self) -> Option<&Code> {
        match self {
            Self::New(code) => Some(code),
            Self::Keep => None,
        }
    }
}

/// Whether a WebAssembly binary is a component, by its head: a core module is of layer 0.
pub fn is_component(bytes: &[u8]) -> bool {
    bytes.starts_with(WASM_MAGIC) && bytes.get(6..8) == Some(&[1, 0])
}

/// What every WebAssembly binary begins with. Whether it is a component is for the engine to say, with what helps.
const WASM_MAGIC: &[u8] = b"\0asm";

#[cfg(test)]
mod tests {
    use super::*;

    fn component() -> Code {
        let component = Component::new(Digest::of(b"code"), 4);
        Code::Component(Component { main_module: "a.wasm".to_owned(), startup_time_ms: 7, ..component })
    }

    #[test]
    fn a_record_names_its_kind_and_comes_back_as_it_was() {
        for (code, kind) in [(component(), "component"), (Code::None, "none")] {
            let record = serde_json::to_value(&code).unwrap();
            assert_eq!(record["kind"], kind);
            assert_eq!(serde_json::from_value::<Code>(record).unwrap(), code);
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_refused_by_its_name() {
        let record = serde_json::json!({"kind": "programs", "engine": "a", "parts": []});
        let refused = serde_json::from_value::<Code>(record).unwrap_err().to_string();
        assert!(refused.contains("of the kind \"programs\", which this program does not run"), "{refused}");
        for (damaged, named) in [
            (serde_json::json!({}), "missing field `kind`"),
            (serde_json::json!({"kind": "component"}), "missing field `digest`"),
        ] {
            let refused = serde_json::from_value::<Code>(damaged).unwrap_err().to_string();
            assert!(refused.contains(named), "{refused}");
        }
    }

    #[test]
    fn every_kind_says_what_it_loads_and_refers_to() {
        let digest = Digest::of(b"code");
        let code = component();
        assert_eq!((code.loads(), code.content()), (Some(digest), Some(digest)));
        assert_eq!(code.blobs().collect::<Vec<_>>(), [digest]);
        let beside = Some(Beside { component: "b.wasm".to_owned(), digest: Digest::of(b"files") });
        let more = Code::Component(Component { beside, ..Component::new(digest, 4) });
        assert_eq!(more.blobs().collect::<Vec<_>>(), [digest, Digest::of(b"files")]);
        assert!(more.loads() == Some(digest) && more.content() != Some(digest));
        assert_eq!((code.size(), code.weight(), code.startup_time_ms()), (4, 7, 7));
        assert!(code.answers_requests() && !Code::None.answers_requests());
        let handlers = vec![EventKind::Queue];
        let code = Code::Component(Component { handlers, ..Component::new(digest, 4) });
        assert_eq!((code.answers_requests(), code.handlers()), (false, &[EventKind::Queue][..]));
        assert_eq!((Code::None.loads(), Code::None.blobs().count(), Code::None.size()), (None, 0, 0));
        assert!(Code::None.is_none() && !code.is_none());
    }

    #[test]
    fn the_kind_of_an_upload_is_told_by_how_it_begins() {
        assert_eq!(CodeKind::of_upload(b"\0asm\x0d\0\x01\0"), Some(CodeKind::Component));
        assert_eq!(
            CodeKind::of_upload(b"\0asm\x01\0\0\0"),
            Some(CodeKind::Component),
            "told apart by the engine"
        );
        assert!(is_component(b"\0asm\x0d\0\x01\0") && !is_component(b"\0asm\x01\0\0\0"));
        for other in [&b"export default {}"[..], b"\0as", b""] {
            assert_eq!(CodeKind::of_upload(other), None);
        }
    }
}
