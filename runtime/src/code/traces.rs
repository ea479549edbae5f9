//! Where the places of a stack trace were written: by the source maps that came with a script.
//!
//! A map is a stranger's. It is bounded before it is read, what it names is shown and nowhere opened, and whoever reads one does so
//! where no request waits.

use std::collections::HashMap;

use base64::Engine as _;
use bytes::Bytes;
use sourcemap::SourceMap;
use wasmyard_namespaces::bundle::{Bundle, MAX_SOURCE_MAP_BYTES, PartKind};

/// How a file names its map, in its last lines.
const NAMES_IT: &str = "//# sourceMappingURL=";
/// So far from a file's end it is looked for, beside what a map takes that is in the file itself.
const NEAR_THE_END: usize = 4096;
/// The most places that a map has: each takes some thirty bytes of memory.
const MOST_PLACES: usize = 1_000_000;
/// The longest name of a source that is shown.
const LONGEST_SOURCE: usize = 300;

/// The source maps of one script.
pub struct SourceMaps {
    /// By the name of the file that each is of: the map, and the folder that its sources are named from.
    files: HashMap<String, (SourceMap, String)>,
}

impl SourceMaps {
    /// Those of a script's files, as they were uploaded. None where no file has any that can be read.
    pub fn of_bundle(bundle: &Bytes) -> Option<Self> {
        let bundle = Bundle::read(bundle).ok()?;
        let kept: HashMap<&str, &Bytes> = bundle
            .parts
            .iter()
            .filter(|part| part.kind == PartKind::SourceMap)
            .map(|part| (part.name.as_str(), &part.bytes))
            .collect();
        let mut files = HashMap::new();
        for part in &bundle.parts {
            if !matches!(part.kind, PartKind::Module | PartKind::Script) {
                continue;
            }
            let named = named(&part.bytes);
            let read = match named {
                Some(Named::Inside(map)) => read(&map).map(|map| (map, folder_of(&part.name))),
                Some(Named::Beside(name)) => {
                    let name = joined(&folder_of(&part.name), &name);
                    kept.get(name.as_str()).and_then(|map| read(map)).map(|map| (map, folder_of(&name)))
                }
                None => {
                    let name = format!("{}.map", part.name);
                    kept.get(name.as_str()).and_then(|map| read(map)).map(|map| (map, folder_of(&name)))
                }
            };
            if let Some(read) = read {
                files.insert(part.name.clone(), read);
            }
        }
        (!files.is_empty()).then_some(Self { files })
    }

    /// About how many bytes of memory they take.
    pub fn weight(&self) -> usize {
        let places = self.files.values().map(|(map, _)| map.get_token_count() as usize * 40 + 4096);
        places.sum()
    }

    /// A text in which each place of a stack trace is where it was written. None where nothing of it is known.
    pub fn mapped(&self, text: &str) -> Option<String> {
        let mut changed = false;
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| {
                let mapped = frame(line).and_then(|frame| self.frame(line, &frame));
                changed |= mapped.is_some();
                mapped.unwrap_or_else(|| line.to_owned())
            })
            .collect();
        changed.then(|| lines.join("\n"))
    }

    fn frame(&self, line: &str, frame: &Frame<'_>) -> Option<String> {
        let (map, folder) = self.files.get(frame.file)?;
        let (row, column) = (frame.line.checked_sub(1)?, frame.column.checked_sub(1)?);
        let token = map.lookup_token(row, column).filter(|token| token.get_dst_line() == row)?;
        let source = token.get_source()?;
        // Bundlers give addresses of their own to what they make up.
        let source = if source.contains("://") { source.to_owned() } else { joined(folder, source) };
        let source: String = source.chars().filter(|c| !c.is_control()).take(LONGEST_SOURCE).collect();
        let (before, after) = (line.get(..frame.at)?, line.get(frame.end..)?);
        let (row, column) = (token.get_src_line() + 1, token.get_src_col() + 1);
        Some(format!("{before}{source}:{row}:{column}{after}"))
    }
}

/// Whether a line is one of a stack trace.
pub fn is_frame(line: &str) -> bool {
    frame(line).is_some()
}

/// A place in a stack trace: `    at work (worker.js:3:15)`, or `    at worker.js:3:15`.
struct Frame<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    /// Where the place begins and ends.
    at: usize,
    end: usize,
}

fn frame(line: &str) -> Option<Frame<'_>> {
    let trimmed = line.trim_end();
    let rest = trimmed.trim_start().strip_prefix("at ")?;
    let begins = trimmed.len() - rest.len();
    let (at, end) = match trimmed.strip_suffix(')') {
        Some(open) => (open.rfind('(')? + 1, open.len()),
        None => (begins, trimmed.len()),
    };
    let place = trimmed.get(at.max(begins)..end)?;
    let mut parts = place.rsplitn(3, ':');
    let (column, line, file) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    Some(Frame { file, line, column, at: at.max(begins), end })
}

/// Where a file says that its map is.
enum Named {
    Inside(Vec<u8>),
    Beside(String),
}

fn named(source: &[u8]) -> Option<Named> {
    // A map inside is most of the file: the last line is looked for from the end.
    let trimmed = source.trim_ascii_end();
    let last =
        trimmed.rsplit(|byte| *byte == b'\n').take(4).find(|line| line.starts_with(NAMES_IT.as_bytes()))?;
    let name = last.get(NAMES_IT.len()..)?.trim_ascii();
    if let Some(data) = name.strip_prefix(b"data:") {
        let at = data.iter().take(NEAR_THE_END).position(|byte| *byte == b',')?;
        let (about, data) = data.split_at_checked(at)?;
        if !about.ends_with(b";base64") || data.len() > MAX_SOURCE_MAP_BYTES / 3 * 4 {
            return None;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(data.get(1..)?).ok()?;
        return Some(Named::Inside(decoded));
    }
    let name = std::str::from_utf8(name).ok().filter(|name| name.len() <= NEAR_THE_END)?;
    Some(Named::Beside(name.to_owned()))
}

/// Reads a map, if it is one of a size that is kept in memory. Maps of maps are not taken: no bundler makes any for a worker.
fn read(map: &[u8]) -> Option<SourceMap> {
    if map.len() > MAX_SOURCE_MAP_BYTES || places(map) > MOST_PLACES {
        return None;
    }
    let mut map = SourceMap::from_slice(map).ok()?;
    // What was written is most of a map, and nobody is shown it.
    for source in 0..map.get_source_count() {
        map.set_source_contents(source, None);
    }
    Some(map)
}

/// The most places that a map can have: they are parted by commas and semicolons, of which its texts have some as well.
fn places(map: &[u8]) -> usize {
    map.iter().filter(|byte| matches!(byte, b',' | b';')).count()
}

fn folder_of(name: &str) -> String {
    name.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned()
}

/// A name seen from a folder, without what leads above the uppermost one.
fn joined(folder: &str, name: &str) -> String {
    let mut path: Vec<&str> = if name.starts_with('/') { Vec::new() } else { folder.split('/').collect() };
    for step in name.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(path.pop()),
            step => path.push(step),
        }
    }
    path.retain(|step| !step.is_empty());
    path.join("/")
}

#[cfg(test)]
mod tests;
