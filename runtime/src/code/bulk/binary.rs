//! The little of the binary format that cutting bulk instructions needs: sections, counts, numbers.

use wasmparser::{BinaryReader, DataSectionReader, ImportSectionReader, TypeRef};

/// One section, of a module or a component.
pub(in crate::code) struct Section<'a> {
    pub(in crate::code) id: u8,
    pub(in crate::code) payload: &'a [u8],
}

/// The sections behind the header; none in place of one that cannot be read.
pub(in crate::code) fn sections(bytes: &[u8]) -> impl Iterator<Item = Option<Section<'_>>> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&id, after) = rest.split_first()?;
        let section = leb(after).and_then(|(size, after)| {
            let (payload, after) = after.split_at_checked(usize::try_from(size).ok()?)?;
            rest = after;
            Some(Section { id, payload })
        });
        if section.is_none() {
            rest = &[];
        }
        Some(section)
    })
}

/// A number at the beginning, and what follows it.
pub(in crate::code) fn leb(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0u64;
    for (at, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((u32::try_from(value).ok()?, bytes.get(at + 1..)?));
        }
    }
    None
}

/// How many entries a section has, and the entries.
pub(in crate::code) fn counted(payload: &[u8]) -> Option<(u32, &[u8])> {
    leb(payload)
}

/// A section with more entries at its end.
pub(in crate::code) fn appended(payload: &[u8], entries: &[Vec<u8>]) -> Option<Vec<u8>> {
    let (count, rest) = counted(payload)?;
    let mut out = Vec::with_capacity(payload.len() + 16 * entries.len());
    push_leb(&mut out, count.checked_add(u32::try_from(entries.len()).ok()?)?);
    out.extend_from_slice(rest);
    out.extend(entries.iter().flatten());
    Some(out)
}

pub(in crate::code) fn imported_functions(payload: &[u8]) -> Option<u32> {
    let reader = ImportSectionReader::new(BinaryReader::new(payload, 0)).ok()?;
    let mut functions = 0u32;
    for import in reader.into_imports() {
        if matches!(import.ok()?.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)) {
            functions = functions.checked_add(1)?;
        }
    }
    Some(functions)
}

/// How long each data segment is.
pub(in crate::code) fn segment_lengths(payload: &[u8]) -> Option<Vec<u32>> {
    let reader = DataSectionReader::new(BinaryReader::new(payload, 0)).ok()?;
    reader.into_iter().map(|segment| u32::try_from(segment.ok()?.data.len()).ok()).collect()
}

/// Whether a custom section speaks of places in the code.
pub(in crate::code) fn is_about_code(payload: &[u8]) -> bool {
    let name = leb(payload).and_then(|(size, rest)| rest.get(..usize::try_from(size).ok()?));
    name.is_some_and(|name| name.starts_with(b"metadata.code.") || name.starts_with(b".debug_"))
}

pub(in crate::code) fn push_section(out: &mut Vec<u8>, id: u8, payload: &[u8]) {
    out.push(id);
    push_sized(out, payload);
}

pub(in crate::code) fn push_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    // What is written here came out of a component that is far below 4 GiB.
    push_leb(out, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
}

pub(in crate::code) fn push_leb(out: &mut Vec<u8>, mut value: u32) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(in crate::code) fn push_signed_leb(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        let low = low & 0x7f;
        value >>= 7;
        // The sign bit of the last byte says how the number goes on.
        if (value == 0 && low & 0x40 == 0) || (value == -1 && low & 0x40 != 0) {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}
