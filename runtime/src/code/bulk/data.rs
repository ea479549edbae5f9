//! Data segments that are copied into memory at the start, in pieces.

use wasmparser::{BinaryReader, DataKind, DataSectionReader};

use super::binary::{push_leb, push_signed_leb, push_sized};
use super::{ADD, END, PIECE};

const ACTIVE: u8 = 0;
const PASSIVE: u8 = 1;
const ACTIVE_IN: u8 = 2;
const I32_CONST: u8 = 0x41;

/// The section with its long segments in pieces. None: there is no long one, or it cannot be read.
///
/// Instructions name segments by their number, and later ones overwrite what earlier ones wrote. So from the first long one
/// on, a segment leaves an empty one in its place, as it does when it was copied, and its pieces follow in the same order
/// at the end.
pub(super) fn segments_in_pieces(payload: &[u8]) -> Option<Vec<u8>> {
    let reader = || DataSectionReader::new(BinaryReader::new(payload, 0)).ok();
    let is_long = |piece: usize, kind: &DataKind<'_>| {
        matches!(kind, DataKind::Active { .. }) && piece > usize::try_from(PIECE).unwrap_or(usize::MAX)
    };
    let mut first_long = None;
    for (at, segment) in reader()?.into_iter().enumerate() {
        let segment = segment.ok()?;
        if is_long(segment.data.len(), &segment.kind) {
            first_long = Some(at);
            break;
        }
    }
    let first_long = first_long?;
    let (mut kept, mut pieces) = (Vec::new(), Vec::new());
    let (mut count, mut added) = (0_u32, 0_u32);
    for (at, segment) in reader()?.into_iter().enumerate() {
        let segment = segment.ok()?;
        count = count.checked_add(1)?;
        match segment.kind {
            DataKind::Active { memory_index, offset_expr } if at >= first_long => {
                kept.extend([PASSIVE, 0]);
                let mut reader = offset_expr.get_binary_reader();
                let offset = reader.read_bytes(reader.bytes_remaining()).ok()?;
                added = added.checked_add(in_pieces(&mut pieces, memory_index, offset, segment.data)?)?;
            }
            _ => kept.extend_from_slice(payload.get(segment.range)?),
        }
    }
    let mut out = Vec::with_capacity(payload.len() + 1024);
    push_leb(&mut out, count.checked_add(added)?);
    out.append(&mut kept);
    out.append(&mut pieces);
    Some(out)
}

/// Writes one segment as several, and says how many. `offset` is an expression with its end.
fn in_pieces(out: &mut Vec<u8>, memory: u32, offset: &[u8], data: &[u8]) -> Option<u32> {
    let (&END, offset) = offset.split_last()? else { return None };
    let (mut behind, mut written) = (0_u32, 0_u32);
    let piece = usize::try_from(PIECE).ok()?;
    // Also an empty segment is one: where it lies is checked.
    let mut rest = data;
    loop {
        let (now, later) = rest.split_at(rest.len().min(piece));
        if memory == 0 {
            out.push(ACTIVE);
        } else {
            out.push(ACTIVE_IN);
            push_leb(out, memory);
        }
        out.extend_from_slice(offset);
        if behind > 0 {
            out.push(I32_CONST);
            push_signed_leb(out, i64::from(behind.cast_signed()));
            out.push(ADD);
        }
        out.push(END);
        push_sized(out, now);
        written = written.checked_add(1)?;
        behind = behind.checked_add(PIECE)?;
        rest = later;
        if rest.is_empty() {
            return Some(written);
        }
    }
}
