//! Reads one page of a list. Of keys that have the delimiter none is read but the first of each common prefix: a list of the
//! top of a million keys is as quick as its page is short.

use rusqlite::{Connection, Row, params};

use super::rows::object_of;
use crate::list::{Page, Place, Wanted};
use crate::object::Object;

/// Metadata of one page, in bytes: a page of large ones ends early.
const PAGE_BYTES: usize = 1 << 20;

const NEXT: &str = "SELECT key, version, size, etag, uploaded, checksums, metadata, parts FROM objects \
     WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) ORDER BY key";

pub(super) fn page(connection: &Connection, bucket: i64, wanted: &Wanted) -> rusqlite::Result<Page> {
    let end = upper_bound(wanted.prefix.as_bytes());
    let mut start = match &wanted.place {
        Place::Start => Some(Vec::new()),
        Place::Key(key) => Some(after(key)),
        Place::Prefix(prefix) => upper_bound(prefix.as_bytes()),
    };
    let (mut page, mut last, mut bytes) = (Page::default(), Place::Start, 0);
    let mut statement = connection.prepare_cached(NEXT)?;
    'groups: while let Some(from) = start.take() {
        let from = from.max(wanted.prefix.as_bytes().to_vec());
        let mut rows = statement.query(params![bucket, from, end])?;
        while let Some(row) = rows.next()? {
            if page.objects.len() + page.prefixes.len() >= wanted.limit || bytes > PAGE_BYTES {
                page.cursor = last.to_cursor();
                return Ok(page);
            }
            if let Some(prefix) = group(row, wanted)? {
                start = upper_bound(prefix.as_bytes());
                last = Place::Prefix(prefix.clone());
                page.prefixes.push(prefix);
                continue 'groups;
            }
            let object: Object = object_of(row)?;
            bytes += object.metadata.size();
            last = Place::Key(object.key.clone());
            page.objects.push(object);
        }
    }
    Ok(page)
}

/// What a key begins with, up to the delimiter behind the prefix, if it has that.
fn group(row: &Row<'_>, wanted: &Wanted) -> rusqlite::Result<Option<String>> {
    let Some(delimiter) = &wanted.delimiter else { return Ok(None) };
    let key: Vec<u8> = row.get(0)?;
    let key = String::from_utf8_lossy(&key);
    let found = key.get(wanted.prefix.len()..).and_then(|rest| rest.find(delimiter.as_str()));
    Ok(found.and_then(|at| key.get(..wanted.prefix.len() + at + delimiter.len())).map(str::to_owned))
}

/// A key with a zero byte at its end is the very next one in the order of bytes.
fn after(key: &str) -> Vec<u8> {
    [key.as_bytes(), &[0]].concat()
}

/// The first key after all that begin with `prefix`; none where all others do.
fn upper_bound(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut bound = prefix.to_vec();
    while let Some(last) = bound.pop() {
        if let Some(next) = last.checked_add(1) {
            bound.push(next);
            return Some(bound);
        }
    }
    None
}
