//! A script that consists of files: JavaScript and what it imports, as one blob.
//!
//! What is uploaded is kept as it was: a bundle is the truth, and what is made of it can be made again. The same files in
//! the same order are the same bytes.

mod imports;

use bytes::Bytes;

use crate::limits::MAX_COMPONENT_BYTES;

/// How a bundle begins. The number is that of the format.
const MAGIC: &[u8; 8] = b"\0wyjsb1\n";
/// The most files that one script has.
pub const MAX_PARTS: usize = 1_000;
/// The longest name of a file, in bytes.
pub const MAX_NAME_BYTES: usize = 512;

/// The largest source map, in bytes.
pub const MAX_SOURCE_MAP_BYTES: usize = 16 << 20;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// An ECMAScript module.
    Module,
    /// A script in the older syntax, which listens for events.
    Script,
    /// Text, imported as a string.
    Text,
    /// Bytes, imported as an `ArrayBuffer`.
    Data,
    /// JSON, imported as what it says.
    Json,
    /// A WebAssembly module, imported as a `WebAssembly.Module`.
    Wasm,
    /// Where the places of another file were written. Nobody imports it.
    SourceMap,
}

impl PartKind {
    /// In the order of their numbers: a new one goes to the end.
    const ALL: [Self; 7] =
        [Self::Module, Self::Script, Self::Text, Self::Data, Self::Json, Self::Wasm, Self::SourceMap];

    /// The media type that says so.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Module => "application/javascript+module",
            Self::Script => "application/javascript",
            Self::Text => "text/plain",
            Self::Data => "application/octet-stream",
            Self::Json => "application/json",
            Self::Wasm => "application/wasm",
            Self::SourceMap => "application/source-map",
        }
    }

    /// What a file of this media type is. None: no file of a script is that.
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        Some(match essence.to_ascii_lowercase().as_str() {
            "application/javascript+module" | "text/javascript+module" => Self::Module,
            "application/javascript" | "text/javascript" | "application/x-javascript" => Self::Script,
            "text/plain" => Self::Text,
            "application/octet-stream" => Self::Data,
            "application/json" => Self::Json,
            "application/wasm" => Self::Wasm,
            "application/source-map" => Self::SourceMap,
            _ => return None,
        })
    }
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name: what others import it by.
    pub name: String,
    /// What it is.
    pub kind: PartKind,
    /// What it holds.
    pub bytes: Bytes,
}

/// The files of a script: the first is the main one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The files.
    pub parts: Vec<Part>,
}

/// Why files are no script.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleError {
    /// There is none.
    #[error("the script has no file; send its main module")]
    Empty,
    /// The main file is no code.
    #[error(
        "the main module {0:?} is no JavaScript; name a part of type application/javascript+module in main_module"
    )]
    Main(String),
    /// There are too many.
    #[error("the script has {0} files, and {MAX_PARTS} are allowed; bundle them")]
    TooMany(usize),
    /// A name breaks a rule.
    #[error("a file is called {0:?}; names have 1 to {MAX_NAME_BYTES} bytes and no control characters")]
    Name(String),
    /// Two have one name.
    #[error("two files are called {0:?}; each name is there once")]
    Twice(String),
    /// It is too large.
    #[error("the script's files have {0} bytes together, and {MAX_COMPONENT_BYTES} are allowed")]
    TooLarge(u64),
    /// A source map is too large.
    #[error(
        "the source map {0:?} has {1} bytes, and {MAX_SOURCE_MAP_BYTES} are allowed; build it without the sources' content"
    )]
    SourceMap(String, usize),
    /// It is none, or it is cut.
    #[error("this is no bundle of a script's files")]
    Broken,
}

/// Whether a file is JavaScript, by its name.
pub fn is_javascript(name: &str) -> bool {
    [".js", ".mjs"].iter().any(|end| name.ends_with(end))
}

/// Whether bytes are a bundle, to look at.
pub fn is_bundle(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

impl Bundle {
    /// Checks the files.
    ///
    /// # Errors
    ///
    /// The first rule that one of them breaks.
    pub fn new(parts: Vec<Part>) -> Result<Self, BundleError> {
        let main = parts.first().ok_or(BundleError::Empty)?;
        if !matches!(main.kind, PartKind::Module | PartKind::Script) {
            return Err(BundleError::Main(crate::name::shorten(&main.name)));
        }
        Self::of_files(parts)
    }

    /// Checks files of which none has to be a script's main one: those that are kept beside a component.
    ///
    /// # Errors
    ///
    /// The first rule that one of them breaks.
    pub fn of_files(parts: Vec<Part>) -> Result<Self, BundleError> {
        if parts.len() > MAX_PARTS {
            return Err(BundleError::TooMany(parts.len()));
        }
        let mut names = std::collections::HashSet::new();
        let mut all = 0_u64;
        for part in &parts {
            let is_name =
                (1..=MAX_NAME_BYTES).contains(&part.name.len()) && !part.name.contains(char::is_control);
            if !is_name {
                return Err(BundleError::Name(crate::name::shorten(&part.name)));
            }
            if part.kind == PartKind::SourceMap && part.bytes.len() > MAX_SOURCE_MAP_BYTES {
                return Err(BundleError::SourceMap(part.name.clone(), part.bytes.len()));
            }
            if !names.insert(part.name.as_str()) {
                return Err(BundleError::Twice(part.name.clone()));
            }
            all = all.saturating_add(part.bytes.len() as u64);
        }
        if all > MAX_COMPONENT_BYTES {
            return Err(BundleError::TooLarge(all));
        }
        Ok(Self { parts })
    }

    /// As one blob.
    pub fn written(&self) -> Bytes {
        let mut out = MAGIC.to_vec();
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes();
        out.extend_from_slice(&number(self.parts.len()));
        for part in &self.parts {
            let kind = PartKind::ALL.iter().position(|kind| *kind == part.kind).unwrap_or_default();
            out.push(u8::try_from(kind).unwrap_or_default());
            for bytes in [part.name.as_bytes(), part.bytes.as_ref()] {
                out.extend_from_slice(&number(bytes.len()));
                out.extend_from_slice(bytes);
            }
        }
        out.into()
    }

    /// Reads what [`Bundle::written`] wrote.
    ///
    /// # Errors
    ///
    /// [`BundleError::Broken`] for anything else, and what [`Bundle::new`] says of its files.
    pub fn read(bytes: &Bytes) -> Result<Self, BundleError> {
        Self::new(Self::read_files(bytes)?.parts)
    }

    /// The same for what [`Bundle::of_files`] takes.
    ///
    /// # Errors
    ///
    /// [`BundleError::Broken`] for anything else, and what [`Bundle::of_files`] says of its files.
    pub fn read_files(bytes: &Bytes) -> Result<Self, BundleError> {
        fn taken<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BundleError> {
            let (now, later) = rest.split_first_chunk().ok_or(BundleError::Broken)?;
            *rest = later;
            Ok(*now)
        }
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(BundleError::Broken)?;
        let count = u32::from_le_bytes(taken(&mut rest)?) as usize;
        if count > MAX_PARTS {
            return Err(BundleError::TooMany(count));
        }
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            let [kind] = taken(&mut rest)?;
            let kind = *PartKind::ALL.get(usize::from(kind)).ok_or(BundleError::Broken)?;
            let mut field = || {
                let len = u32::from_le_bytes(taken(&mut rest)?) as usize;
                let (now, later) = rest.split_at_checked(len).ok_or(BundleError::Broken)?;
                rest = later;
                Ok::<_, BundleError>(bytes.slice_ref(now))
            };
            let name = String::from_utf8(field()?.to_vec()).map_err(|_| BundleError::Broken)?;
            parts.push(Part { name, kind, bytes: field()? });
        }
        if !rest.is_empty() {
            return Err(BundleError::Broken);
        }
        Self::of_files(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, kind: PartKind, bytes: &str) -> Part {
        Part { name: name.to_owned(), kind, bytes: Bytes::copy_from_slice(bytes.as_bytes()) }
    }

    fn bundle() -> Bundle {
        Bundle::new(vec![
            part("worker.js", PartKind::Module, "export default {}"),
            part("lib/page.html", PartKind::Text, "<p>"),
            part("empty.bin", PartKind::Data, ""),
        ])
        .unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_not() {
        let written = bundle().written();
        assert!(is_bundle(&written));
        assert_eq!(Bundle::read(&written), Ok(bundle()));
        for len in 0..written.len() {
            assert!(Bundle::read(&written.slice(..len)).is_err(), "{len}");
        }
        let mut longer = written.to_vec();
        longer.push(0);
        assert_eq!(Bundle::read(&longer.into()), Err(BundleError::Broken));
    }

    #[test]
    fn each_rule_is_named() {
        let module = |name: &str| part(name, PartKind::Module, "");
        assert_eq!(Bundle::new(Vec::new()), Err(BundleError::Empty));
        assert_eq!(
            Bundle::new(vec![part("a.txt", PartKind::Text, "")]),
            Err(BundleError::Main("a.txt".to_owned()))
        );
        assert_eq!(Bundle::new(vec![module("a"), module("a")]), Err(BundleError::Twice("a".to_owned())));
        assert!(matches!(Bundle::new(vec![module("a\n")]), Err(BundleError::Name(_))));
        assert!(matches!(Bundle::new(vec![module("")]), Err(BundleError::Name(_))));
        let files = vec![part("a.txt", PartKind::Text, "")];
        let files = Bundle::of_files(files).unwrap();
        assert_eq!(Bundle::read_files(&files.written()), Ok(files.clone()));
        assert_eq!(Bundle::read(&files.written()), Err(BundleError::Main("a.txt".to_owned())));
        let map = part("a.map", PartKind::SourceMap, &" ".repeat(MAX_SOURCE_MAP_BYTES + 1));
        let refused = Bundle::new(vec![module("a"), map]);
        assert_eq!(refused, Err(BundleError::SourceMap("a.map".to_owned(), MAX_SOURCE_MAP_BYTES + 1)));
        let many = (0..=MAX_PARTS).map(|number| module(&number.to_string())).collect();
        assert_eq!(Bundle::new(many), Err(BundleError::TooMany(MAX_PARTS + 1)));
        for kind in PartKind::ALL {
            assert_eq!(PartKind::of_media_type(&format!("{}; charset=utf-8", kind.media_type())), Some(kind));
        }
        assert_eq!(PartKind::of_media_type("application/zip"), None);
    }
}
