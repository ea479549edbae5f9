//! The code of a script, from its files on this machine: a component is one file; a script in JavaScript is its main file
//! with those that it imports by relative names.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use wasmyard_namespaces::bundle::{self, Bundle, MAX_PARTS, MAX_SOURCE_MAP_BYTES, Part, PartKind};
use wasmyard_namespaces::limits::MAX_COMPONENT_BYTES;

/// Whether a file is JavaScript, by its name.
pub fn is_javascript(file: &Path) -> bool {
    bundle::is_javascript(&file.file_name().unwrap_or_default().to_string_lossy())
}

/// Reads the code of a script: the bytes that are uploaded. At most one byte more than a component may have is read of
/// each file.
///
/// # Errors
///
/// When a file cannot be read; [`io::ErrorKind::InvalidData`] for files that are no script.
pub async fn read(main: &Path) -> io::Result<Bytes> {
    if is_javascript(main) { bundled(main).await } else { read_file(main).await }
}

async fn read_file(file: &Path) -> io::Result<Bytes> {
    let opened = tokio::fs::File::open(file).await?;
    let mut bytes = Vec::new();
    opened.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes).await?;
    Ok(bytes.into())
}

/// The main file under its own name, and the others under the names by which it reaches them.
async fn bundled(main: &Path) -> io::Result<Bytes> {
    let folder = main.parent().unwrap_or(Path::new(""));
    let name = main.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (mut parts, mut maps, mut known) = (Vec::new(), Vec::new(), HashSet::from([name.clone()]));
    let mut open = VecDeque::from([name]);
    while let Some(name) = open.pop_front() {
        let is_main = parts.is_empty();
        let bytes = match read_file(&folder.join(&name)).await {
            // What looked like an import was none, or is one of another kind: the engine says so if it matters.
            Err(error) if !is_main && error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        let kind = kind_of(&name);
        if kind == PartKind::Module {
            map_of(folder, &name, &bytes).await.into_iter().for_each(|map| maps.push(map));
            for import in imports(&String::from_utf8_lossy(&bytes)) {
                let Some(name) = joined(&name, &import) else { continue };
                if known.len() <= MAX_PARTS && known.insert(name.clone()) {
                    open.push_back(name);
                }
            }
        }
        parts.push(Part { name, kind, bytes });
    }
    // A file that is imported as what it is stays that.
    parts.extend(maps.into_iter().filter(|map: &Part| known.insert(map.name.clone())));
    let bundle = Bundle::new(parts).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(bundle.written())
}

/// The source map beside a file: the one that it names, or the one of its name. One that is too large is left out.
async fn map_of(folder: &Path, name: &str, source: &[u8]) -> Option<Part> {
    let last = source.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let named = last.strip_prefix(b"//# sourceMappingURL=").and_then(|named| std::str::from_utf8(named).ok());
    let name = match named.map(str::trim) {
        Some(inside) if inside.starts_with("data:") => return None,
        Some(named) => joined(name, named)?,
        None => format!("{name}.map"),
    };
    let bytes = read_file(&folder.join(&name)).await.ok()?;
    let fits = bytes.len() <= MAX_SOURCE_MAP_BYTES;
    if !fits {
        tracing::warn!(map = name, bytes = bytes.len(), "a source map is too large, and left out");
    }
    fits.then_some(Part { name, kind: PartKind::SourceMap, bytes })
}

/// What a file is, by its name.
fn kind_of(name: &str) -> PartKind {
    if bundle::is_javascript(name) {
        return PartKind::Module;
    }
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("json") => PartKind::Json,
        Some("wasm") => PartKind::Wasm,
        Some("txt" | "html" | "sql" | "css" | "svg" | "md") => PartKind::Text,
        _ => PartKind::Data,
    }
}

/// The relative names that a module imports: each text in quotes behind `from`, `import` or `import(`. What stands so in a
/// comment or a text is among them.
fn imports(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, quote) in source.match_indices(['"', '\'']) {
        let before = source.get(..at).unwrap_or_default().trim_end();
        let before = before.strip_suffix('(').unwrap_or(before).trim_end();
        if !(before.ends_with("from") || before.ends_with("import")) {
            continue;
        }
        let rest = source.get(at + 1..).unwrap_or_default();
        let Some(end) = rest.find(quote) else { continue };
        let name = rest.get(..end).unwrap_or_default();
        if (name.starts_with("./") || name.starts_with("../")) && !name.contains('\n') {
            found.push(name.to_owned());
        }
    }
    found
}

/// The file that a relative name means, seen from another. None: it lies above the main file's folder.
fn joined(base: &str, name: &str) -> Option<String> {
    let mut path = PathBuf::from(base);
    path.pop();
    for step in Path::new(name).components() {
        match step {
            Component::CurDir => {}
            Component::Normal(step) => path.push(step),
            Component::ParentDir => path.pop().then_some(())?,
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    path.to_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_script_is_its_main_file_and_what_that_imports() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "worker.js",
            "import a, { b } from './lib/a.mjs'; import page from \"./page.html\";\n// import './gone.js'\nimport \"node:buffer\"; const x = await import ( './late.js' ); import './worker.js'",
        );
        write(
            "lib/a.mjs",
            "export * from '../data.json'; import '../../outside.js'; const s = 'from x'; export default './page.html'",
        );
        write("page.html", "<p>");
        write("data.json", "{}");
        write("late.js", "");
        write("unused.js", "");
        let bundle = Bundle::read(&read(&folder.path().join("worker.js")).await.unwrap()).unwrap();
        let parts: Vec<_> = bundle.parts.iter().map(|part| (part.name.as_str(), part.kind)).collect();
        assert_eq!(
            parts,
            [
                ("worker.js", PartKind::Module),
                ("lib/a.mjs", PartKind::Module),
                ("page.html", PartKind::Text),
                ("late.js", PartKind::Module),
                ("data.json", PartKind::Json),
            ]
        );
        assert_eq!(
            read(&folder.path().join("missing.js")).await.unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        write("mapped.js", "import './lib/named.js'\n");
        write("mapped.js.map", "{}");
        write("lib/named.js", "1\n//# sourceMappingURL=../maps/n.map\n");
        write("maps/n.map", "{}");
        let bundle = Bundle::read(&read(&folder.path().join("mapped.js")).await.unwrap()).unwrap();
        let maps: Vec<_> = bundle.parts.iter().skip(2).map(|part| (part.name.as_str(), part.kind)).collect();
        assert_eq!(maps, [("mapped.js.map", PartKind::SourceMap), ("maps/n.map", PartKind::SourceMap)]);
        write("a.wasm", "bytes");
        assert_eq!(read(&folder.path().join("a.wasm")).await.unwrap(), "bytes");
    }
}
