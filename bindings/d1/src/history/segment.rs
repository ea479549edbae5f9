//! Steps as bytes: a heading, pages that are packed, a trailer by which the last segment is found from the end.

use super::{little, long};
use crate::limits::PAGE_BYTES;

/// What pages are packed with: the fastest that there is.
const LEVEL: i32 = 1;
const MAGIC: u32 = 0x5344_5957;
pub(crate) const HEADING: usize = 56;
pub(crate) const TRAILER: usize = 16;
/// Bytes of pages that make a segment.
const FULL: usize = 4 << 20;
/// No segment is larger than this: a step that is begun in a full one goes on in the next.
const MOST: usize = FULL + (1 << 20);
const GROUP: usize = 24;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    /// The log that its steps are of; zero where they are of none.
    pub(crate) salt: u64,
    /// How many frames of that log are kept with it.
    pub(crate) frames: u32,
    /// The moments of its first and last commit.
    pub(crate) first: u64,
    pub(crate) last: u64,
    raw: u32,
    packed: u32,
    check: u64,
}

/// A step, or a part of one: pages as they were before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// The moments of the first and the last commit.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// How many pages there were.
    pub(crate) pages: u32,
    /// Pages with their numbers.
    pub(crate) each: Vec<(u32, Vec<u8>)>,
}

/// A segment that is being filled.
#[derive(Debug, Default)]
pub(crate) struct Filling {
    raw: Vec<u8>,
    /// Where the group begins that pages are added to, and how many it has.
    group: Option<(usize, u32)>,
    first: u64,
    last: u64,
}

impl Heading {
    /// Bytes of the segment, with its heading and trailer.
    pub(crate) fn len(&self) -> u64 {
        HEADING as u64 + u64::from(self.packed) + TRAILER as u64
    }

    /// The heading that bytes begin with.
    pub(crate) fn read(bytes: &[u8]) -> Option<Heading> {
        let heading = Heading {
            salt: long(bytes, 4)?,
            frames: little(bytes, 12)?,
            first: long(bytes, 16)?,
            last: long(bytes, 24)?,
            raw: little(bytes, 32)?,
            packed: little(bytes, 36)?,
            check: long(bytes, 40)?,
        };
        let sound = little(bytes, 0)? == MAGIC
            && long(bytes, 48)? == check(bytes.get(..48)?)
            && heading.raw as usize <= MOST
            && heading.packed as usize <= MOST * 2;
        sound.then_some(heading)
    }

    fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADING);
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(self.frames.to_le_bytes());
        bytes.extend(self.first.to_le_bytes());
        bytes.extend(self.last.to_le_bytes());
        bytes.extend(self.raw.to_le_bytes());
        bytes.extend(self.packed.to_le_bytes());
        bytes.extend(self.check.to_le_bytes());
        let own = check(&bytes);
        bytes.extend(own.to_le_bytes());
        bytes
    }

    /// The steps of packed bytes; none where they are not what was written.
    pub(crate) fn unpack(&self, packed: &[u8]) -> Option<Vec<Before>> {
        if check(packed) != self.check {
            return None;
        }
        let raw = zstd::bulk::decompress(packed, self.raw as usize).ok()?;
        let (mut found, mut rest) = (Vec::new(), raw.as_slice());
        while !rest.is_empty() {
            let (first, last) = (long(rest, 0)?, long(rest, 8)?);
            let (pages, count) = (little(rest, 16)?, little(rest, 20)?);
            rest = rest.get(GROUP..)?;
            let mut each = Vec::new();
            for _ in 0..count {
                each.push((little(rest, 0)?, rest.get(4..4 + PAGE_BYTES)?.to_vec()));
                rest = rest.get(4 + PAGE_BYTES..)?;
            }
            found.push(Before { first, last, pages, each });
        }
        Some(found)
    }
}

/// What a trailer says: the newest moment, and how long the segment is that ends with it.
pub(crate) fn trailer(bytes: &[u8]) -> Option<(u64, u32)> {
    (little(bytes, 12)? == MAGIC).then_some((long(bytes, 0)?, little(bytes, 8)?))
}

impl Filling {
    pub(crate) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.raw.len() >= FULL
    }

    /// Begins a step, or its next part.
    pub(crate) fn begin(&mut self, first: u64, last: u64, pages: u32) {
        if self.raw.is_empty() {
            self.first = first;
        }
        self.last = last;
        self.group = Some((self.raw.len(), 0));
        self.raw.extend(first.to_le_bytes());
        self.raw.extend(last.to_le_bytes());
        self.raw.extend(pages.to_le_bytes());
        self.raw.extend(0_u32.to_le_bytes());
    }

    /// Adds a page to the step that was begun.
    pub(crate) fn add(&mut self, page: u32, bytes: &[u8]) {
        let Some((at, count)) = self.group.as_mut() else { return };
        *count += 1;
        let place = *at + GROUP - 4;
        if let Some(field) = self.raw.get_mut(place..place + 4) {
            field.copy_from_slice(&count.to_le_bytes());
        }
        self.raw.extend(page.to_le_bytes());
        self.raw.extend(bytes);
    }

    /// The segment, with how much of a log is kept with it. It is empty afterwards.
    pub(crate) fn finish(&mut self, salt: u64, frames: u32) -> std::io::Result<Vec<u8>> {
        let filled = std::mem::take(self);
        let packed = zstd::bulk::compress(&filled.raw, LEVEL)?;
        let fits = |len: usize| u32::try_from(len).map_err(std::io::Error::other);
        let heading = Heading {
            salt,
            frames,
            first: filled.first,
            last: filled.last,
            raw: fits(filled.raw.len())?,
            packed: fits(packed.len())?,
            check: check(&packed),
        };
        let mut bytes = heading.write();
        bytes.extend(packed);
        bytes.extend(filled.last.to_le_bytes());
        bytes.extend(fits(bytes.len() + 8)?.to_le_bytes());
        bytes.extend(MAGIC.to_le_bytes());
        Ok(bytes)
    }
}

fn check(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    long(hash.as_bytes(), 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_read_as_it_was_written_and_not_otherwise() {
        let mut filling = Filling::default();
        let pages = [vec![7; PAGE_BYTES], vec![8; PAGE_BYTES]];
        filling.begin(10, 12, 5);
        filling.add(3, &pages[0]);
        filling.add(4, &pages[1]);
        filling.begin(20, 20, 6);
        let bytes = filling.finish(0x1234_5678_9abc_def0, 17).unwrap();
        assert!(filling.is_empty());
        let heading = Heading::read(&bytes).unwrap();
        assert_eq!(
            (heading.salt, heading.frames, heading.first, heading.last),
            (0x1234_5678_9abc_def0, 17, 10, 20)
        );
        assert_eq!(heading.len(), bytes.len() as u64);
        assert_eq!(trailer(&bytes[bytes.len() - TRAILER..]), Some((20, bytes.len() as u32)));
        let packed = &bytes[HEADING..bytes.len() - TRAILER];
        let [three, four] = pages;
        let expected = [
            Before { first: 10, last: 12, pages: 5, each: vec![(3, three), (4, four)] },
            Before { first: 20, last: 20, pages: 6, each: vec![] },
        ];
        assert_eq!(heading.unpack(packed).unwrap(), expected);
        for at in 0..bytes.len() - TRAILER {
            let mut other = bytes.clone();
            other[at] ^= 1;
            let read =
                Heading::read(&other).and_then(|read| read.unpack(&other[HEADING..bytes.len() - TRAILER]));
            assert_eq!(read, None, "byte {at}");
        }
    }
}
