//! Memory as it is used here: a stretch of reserved address space that one owner has, of which the first part can be
//! read and written and the rest faults. Owns every system call that changes memory.

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use crate::image::Image;
use crate::page::Extent;
pub(crate) use crate::page::page_bytes;
use crate::watch::Watch;

/// Address space of this process, unmapped when the last span of it is gone.
pub(crate) struct Reservation {
    base: NonNull<u8>,
    len: usize,
}

#[expect(unsafe_code, reason = "a raw pointer has to be declared fit for other threads")]
// SAFETY: the pointer is an address and nothing is read or written through a `Reservation`: each `Span` has bytes of
// its own.
unsafe impl Send for Reservation {}
#[expect(unsafe_code, reason = "a raw pointer has to be declared fit for other threads")]
// SAFETY: as above; no method changes anything.
unsafe impl Sync for Reservation {}

impl Reservation {
    /// Reserves `len` bytes that nobody can read or write.
    #[expect(unsafe_code, reason = "mmap")]
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: without MAP_FIXED a mapping is put where there is none, so nothing that exists changes.
        let base = unsafe { libc::mmap(ptr::null_mut(), len, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast::<u8>()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        // A page is 4 KiB here, wherever the system prefers huge ones: what a guest has touched is what is reset. A
        // kernel without huge pages refuses, and that is all right.
        // SAFETY: the range is the mapping just made; the advice changes no content.
        unsafe { libc::madvise(base.as_ptr().cast(), len, libc::MADV_NOHUGEPAGE) };
        Ok(Self { base, len })
    }

    /// `count` spans of `len` bytes each, with `guard` bytes before, between and behind them that stay as they are.
    /// Fewer where there is no room for them.
    pub(crate) fn split(self, count: usize, len: usize, guard: usize) -> Vec<Span> {
        let reservation = Arc::new(self);
        let mut spans = Vec::with_capacity(count);
        let mut end = 0_usize;
        for _ in 0..count {
            let Some(offset) = end.checked_add(guard) else { break };
            match offset.checked_add(len) {
                Some(past) if past.checked_add(guard).is_some_and(|all| all <= reservation.len) => end = past,
                _ => break,
            }
            // Each begins behind the end of the one before: no two have a byte in common.
            spans.push(Span {
                reservation: Arc::clone(&reservation),
                offset,
                len,
                open: 0,
                image: None,
                watch: None,
            });
        }
        spans
    }
}

impl Drop for Reservation {
    #[expect(unsafe_code, reason = "munmap")]
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` and belongs to this value; spans keep it alive, and whoever was lent one
        // keeps the span. So nobody has an address in it any more.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// A stretch of address space that belongs to whoever has this value. Its first [`Self::open`] bytes can be read and
/// written, by whoever was given [`Self::as_ptr`] for as long as the owner lets them; the rest faults.
pub(crate) struct Span {
    reservation: Arc<Reservation>,
    offset: usize,
    len: usize,
    open: usize,
    /// What its beginning is mapped from, privately: until it is written to, it is what the image holds.
    image: Option<Arc<Image>>,
    /// Who notes which pages of the image's part are written to.
    watch: Option<&'static Watch>,
}

impl Span {
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        // `split` made sure that the offset is inside.
        self.reservation.base.as_ptr().wrapping_add(self.offset)
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How many bytes can be read and written.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Lets the first `open` bytes be read and written and no others. What is there already stays; what was never
    /// written is zero.
    ///
    /// # Errors
    ///
    /// What the system said; then as much is open as before.
    #[expect(unsafe_code, reason = "mprotect")]
    pub(crate) fn resize(&mut self, open: usize) -> io::Result<()> {
        if open > self.len {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        }
        let (from, to, protection) = if open > self.open {
            (self.open, open, libc::PROT_READ | libc::PROT_WRITE)
        } else {
            (open, self.open, libc::PROT_NONE)
        };
        if from == to {
            return Ok(());
        }
        let address = self.as_ptr().wrapping_add(from);
        // SAFETY: `from..to` lies within this span, which is part of the reservation and of no other span. Nobody
        // holds a reference into it: guests reach it by address alone, and a guest's access to what is closed faults,
        // which Wasmtime makes a trap of.
        let done = unsafe { libc::mprotect(address.cast(), to - from, protection) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        self.open = open;
        Ok(())
    }

    /// What it begins with; zeros where there is none.
    pub(crate) fn image(&self) -> Option<&Arc<Image>> {
        self.image.as_ref()
    }

    /// How much of its beginning is watched: there the kernel knows which pages were written to.
    pub(crate) fn watched(&self) -> usize {
        self.watch.and(self.image.as_ref()).map_or(0, |image| image.len())
    }

    /// What is open, for whoever asks the kernel about it.
    pub(crate) fn extent(&self) -> Extent {
        Extent { start: self.as_ptr() as usize, watched: self.watched(), open: self.open }
    }

    /// Closes it, forgets everything in it, and has it begin with an image from now on, or with zeros. Where `watch` can,
    /// it notes which pages of the image are written to.
    ///
    /// # Errors
    ///
    /// What the system said; then nobody knows what it holds, and it is not to be used again.
    #[expect(unsafe_code, reason = "mmap over what is this span's own")]
    pub(crate) fn begin_with(
        &mut self,
        image: Option<Arc<Image>>,
        watch: Option<&'static Watch>,
    ) -> io::Result<()> {
        self.discard(0..self.open);
        self.resize(0)?;
        let (flags, len) = (libc::MAP_PRIVATE | libc::MAP_FIXED | libc::MAP_NORESERVE, self.len);
        let covered = self.image.as_ref().map_or(0, |before| before.len());
        let address = self.as_ptr().cast();
        let map = |len: usize, flags: libc::c_int, file: libc::c_int| {
            // SAFETY: the range lies within this span, which is part of the reservation and of no other span, and is
            // closed: no guest is on it, and nobody holds a reference into it. What was mapped there goes.
            match unsafe { libc::mmap(address, len, libc::PROT_NONE, flags, file, 0) } {
                libc::MAP_FAILED => Err(io::Error::last_os_error()),
                _ => Ok(()),
            }
        };
        match &image {
            Some(image) if image.len() <= len => map(image.len(), flags, image.file().as_raw_fd())?,
            Some(_) => return Err(io::Error::from(io::ErrorKind::InvalidInput)),
            None if covered > 0 => map(covered, flags | libc::MAP_ANONYMOUS, -1)?,
            None => {}
        }
        // An image that was longer leaves nothing behind the new one's end.
        if let Some(new) = &image
            && covered > new.len()
        {
            let rest = self.as_ptr().wrapping_add(new.len()).cast();
            // SAFETY: as above: the part of the old image behind the new one.
            let mapped = unsafe {
                libc::mmap(rest, covered - new.len(), libc::PROT_NONE, flags | libc::MAP_ANONYMOUS, -1, 0)
            };
            if mapped == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
        }
        // What was mapped anew is watched by nobody, whatever was there before.
        let (start, covered) = (self.as_ptr() as usize, image.as_ref().map_or(0, |image| image.len()));
        self.watch = watch.filter(|watch| covered > 0 && watch.begin(start, covered).is_ok());
        self.image = image;
        Ok(())
    }

    /// Writes bytes to a part of what is open; what is not inside of it is left out.
    #[expect(unsafe_code, reason = "memory that guests reach by address")]
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let Some((address, len)) = self.part(at..at.saturating_add(bytes.len())) else { return };
        // SAFETY: `part` made sure that the range is open, so it can be written; it belongs to this span alone, which is
        // borrowed exclusively and lent to nobody at the moment. `bytes` is no part of it: it is borrowed from elsewhere.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), address, len) };
    }

    /// A copy of everything that is open.
    #[expect(unsafe_code, reason = "memory that guests reach by address")]
    pub(crate) fn copied(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.open);
        // SAFETY: what is open can be read; no guest runs on it: it came back to its owner.
        unsafe {
            ptr::copy_nonoverlapping(self.as_ptr(), copy.as_mut_ptr(), self.open);
            copy.set_len(self.open);
        }
        copy
    }

    /// Makes this part of what is open what it was at first and gives its pages back.
    pub(crate) fn discard(&mut self, part: Range<usize>) {
        let Some((address, len)) = self.part(part.clone()) else { return };
        // Private: what is discarded reads as zero, or as the image, from then on, whether it was in memory, in swap or
        // between the two.
        if self.advise(address, len, libc::MADV_DONTNEED).is_err() {
            // Memory that is locked cannot be given back, but can be overwritten.
            return self.wipe(part);
        }
        let watched = part.start.min(self.watched())..part.end.min(self.watched()).min(self.open);
        if let Some(watch) = self.watch
            && !watched.is_empty()
        {
            // Pages that were written to are the image's again.
            let noted = watch.protect(self.as_ptr() as usize + watched.start, watched.len());
            if let Err(error) = noted {
                tracing::debug!(%error, "pages that were given back count as written");
            }
        }
    }

    /// Overwrites this part of what is open with what it was at first.
    pub(crate) fn wipe(&mut self, part: Range<usize>) {
        let Some(image) = self.image.clone() else { return self.zero(part) };
        let (covered, rest) = split(part, image.len());
        if let Some(bytes) = image.bytes().get(covered.clone()) {
            self.write(covered.start, bytes);
        }
        self.zero(rest);
    }

    #[expect(unsafe_code, reason = "memory that guests reach by address")]
    fn zero(&mut self, part: Range<usize>) {
        let Some((address, len)) = self.part(part) else { return };
        // SAFETY: `part` made sure that the range is open, so it can be written; it belongs to this span alone, which is
        // borrowed exclusively. No guest runs on it: a span is lent to one guest at a time, and is wiped by its owner.
        unsafe { ptr::write_bytes(address, 0, len) };
    }

    #[expect(unsafe_code, reason = "madvise")]
    fn advise(&mut self, address: *mut u8, len: usize, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is a part of what is open, see `part`; it belongs to this span alone, and nobody relies on
        // what it holds.
        match unsafe { libc::madvise(address.cast(), len, advice) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Where a part begins and how long it is, cut to what is open. None: it is empty.
    fn part(&self, part: Range<usize>) -> Option<(*mut u8, usize)> {
        let end = part.end.min(self.open);
        let len = end.checked_sub(part.start).filter(|len| *len > 0)?;
        Some((self.as_ptr().wrapping_add(part.start), len))
    }
}

#[cfg(test)]
impl Span {
    /// What is open, as bytes.
    #[expect(unsafe_code, reason = "memory that guests reach by address")]
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: what is open can be read and written, was zero when it was mapped, and belongs to this span alone.
        unsafe { std::slice::from_raw_parts_mut(self.as_ptr(), self.open) }
    }
}

/// The part of a range that an image of `len` bytes covers, and the part behind it.
fn split(part: Range<usize>, len: usize) -> (Range<usize>, Range<usize>) {
    let middle = part.end.min(len).max(part.start);
    (part.start..middle, middle..part.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 64 << 10;

    #[test]
    fn spans_are_apart_and_closed_at_first() {
        let reservation = Reservation::new(7 * PAGE).unwrap();
        let spans = reservation.split(10, PAGE, PAGE);
        assert_eq!(spans.len(), 3, "and no more than there is room for");
        for pair in spans.windows(2) {
            assert_eq!(pair[1].as_ptr() as usize - pair[0].as_ptr() as usize, 2 * PAGE);
        }
        assert!(spans.iter().all(|span| span.open() == 0 && span.len() == PAGE));
    }

    #[test]
    fn what_is_open_keeps_its_bytes_and_what_is_discarded_or_wiped_is_zero() {
        let mut spans = Reservation::new(6 * PAGE).unwrap().split(1, 4 * PAGE, PAGE);
        let span = &mut spans[0];
        span.resize(2 * PAGE).unwrap();
        span.bytes().fill(7);
        span.resize(4 * PAGE).unwrap();
        assert!(span.bytes()[..2 * PAGE].iter().all(|byte| *byte == 7));
        assert!(span.bytes()[2 * PAGE..].iter().all(|byte| *byte == 0));
        span.discard(0..PAGE);
        span.wipe(PAGE..2 * PAGE);
        assert!(span.bytes().iter().all(|byte| *byte == 0));
        assert!(span.resize(4 * PAGE + 1).is_err());
        assert_eq!(span.open(), 4 * PAGE);
        span.resize(0).unwrap();
        span.discard(0..PAGE);
        span.wipe(0..PAGE);
    }

    #[test]
    fn memory_that_is_locked_is_overwritten_instead() {
        let mut spans = Reservation::new(3 * PAGE).unwrap().split(1, PAGE, PAGE);
        let span = &mut spans[0];
        span.resize(PAGE).unwrap();
        span.bytes().fill(7);
        // SAFETY: the range is what is open of this span.
        #[expect(unsafe_code, reason = "mlock")]
        let locked = unsafe { libc::mlock(span.as_ptr().cast(), PAGE) };
        assert_eq!(locked, 0, "{}", io::Error::last_os_error());
        span.discard(0..PAGE);
        assert!(span.bytes().iter().all(|byte| *byte == 0));
    }
}
