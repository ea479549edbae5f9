//! How a manifest looks as a blob.
//!
//! Owns the layout: magic, scope, table of content types, files sorted by path; all numbers little-endian.
//! Never allocates for what a number announces before the bytes are there.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{Manifest, ManifestError};
use crate::assets::{AssetEntry, AssetHash, AssetPath, AssetScope, ContentType};
use crate::digest::Digest;

const MAGIC: &[u8; 8] = b"wyassets";
const FORMAT: u16 = 1;
/// Stands for "without a content type".
const NO_TYPE: u16 = u16::MAX;
/// Bytes of a file beside its path.
const FILE_BYTES: usize = 2 + 16 + 32 + 4 + 2;

pub(super) fn encode(manifest: &Manifest) -> Bytes {
    let mut types: Vec<&ContentType> =
        manifest.entries.iter().filter_map(|entry| entry.content_type.as_ref()).collect();
    types.sort_unstable();
    types.dedup();
    // What does not fit the table is served without a type; no client sends that many.
    types.truncate(usize::from(NO_TYPE));
    let mut out = BytesMut::with_capacity(64 + manifest.paths.len() + manifest.len() * FILE_BYTES);
    out.put_slice(MAGIC);
    out.put_u16_le(FORMAT);
    put_text(&mut out, manifest.scope.as_str());
    out.put_u16_le(u16::try_from(types.len()).unwrap_or(NO_TYPE));
    types.iter().for_each(|content_type| put_text(&mut out, content_type.as_str()));
    out.put_u32_le(u32::try_from(manifest.len()).unwrap_or(u32::MAX));
    for (path, entry) in manifest.iter() {
        let place = entry.content_type.as_ref().and_then(|wanted| types.binary_search(&wanted).ok());
        put_text(&mut out, path);
        out.put_slice(entry.hash.as_bytes());
        out.put_slice(entry.digest.as_bytes());
        out.put_u32_le(u32::try_from(entry.size).unwrap_or(u32::MAX));
        out.put_u16_le(place.and_then(|place| u16::try_from(place).ok()).unwrap_or(NO_TYPE));
    }
    out.freeze()
}

/// Every text in it is far shorter than its length field can say.
fn put_text(out: &mut BytesMut, text: &str) {
    out.put_u16_le(u16::try_from(text.len()).unwrap_or(u16::MAX));
    out.put_slice(text.as_bytes());
}

pub(super) fn decode(bytes: &Bytes) -> Result<Manifest, ManifestError> {
    let mut rest = bytes.clone();
    if array(&mut rest)? != *MAGIC || number(&mut rest)? != FORMAT {
        return Err(ManifestError::Unreadable("it does not begin like one of this version"));
    }
    let scope = AssetScope::namespace(text(&mut rest)?.as_str());
    let mut types = Vec::new();
    for _ in 0..number(&mut rest)? {
        let content_type = text(&mut rest)?;
        types.push(ContentType::parse(&content_type).map_err(|_| ManifestError::Unreadable("a type"))?);
    }
    let count = rest.try_get_u32_le().map_err(|_| short())?;
    let count = usize::try_from(count).map_err(|_| short())?;
    if count.saturating_mul(FILE_BYTES) > rest.len() {
        return Err(short());
    }
    let mut files = Vec::with_capacity(count);
    for _ in 0..count {
        let path = text(&mut rest)?;
        let path = AssetPath::parse(&path).map_err(|_| ManifestError::Unreadable("a path"))?;
        let hash = AssetHash::from_bytes(array(&mut rest)?);
        let digest = Digest::from_bytes(array(&mut rest)?);
        let size = u64::from(rest.try_get_u32_le().map_err(|_| short())?);
        let content_type = match number(&mut rest)? {
            NO_TYPE => None,
            place => {
                let known = types.get(usize::from(place)).cloned();
                Some(known.ok_or(ManifestError::Unreadable("a file has a type that is not in its table"))?)
            }
        };
        files.push((path, AssetEntry { hash, size, digest, content_type }));
    }
    if rest.has_remaining() {
        return Err(ManifestError::Unreadable("something follows it"));
    }
    Manifest::new(scope, files)
}

fn short() -> ManifestError {
    ManifestError::Unreadable("it ends too early")
}

fn number(rest: &mut Bytes) -> Result<u16, ManifestError> {
    rest.try_get_u16_le().map_err(|_| short())
}

fn array<const N: usize>(rest: &mut Bytes) -> Result<[u8; N], ManifestError> {
    let mut array = [0; N];
    rest.try_copy_to_slice(&mut array).map_err(|_| short())?;
    Ok(array)
}

fn text(rest: &mut Bytes) -> Result<String, ManifestError> {
    let length = usize::from(number(rest)?);
    if length > rest.len() {
        return Err(short());
    }
    let text = rest.split_to(length);
    String::from_utf8(text.to_vec()).map_err(|_| ManifestError::Unreadable("a text is not UTF-8"))
}
