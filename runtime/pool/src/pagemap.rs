//! Asks the kernel which pages of a range may hold something: `PAGEMAP_SCAN`, Linux 6.7 and later.
//!
//! A page is named unless it was never touched or is known to read as zero. That a page was **swapped out**, or is
//! **being moved**, makes it one that may hold something: its entry in the page table is there, and not "present".
//! Whether a page is "written" is asked where writes are noted ([`crate::watch`]) and nowhere else: without write protection
//! every page that is there is.

use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::fd::AsRawFd as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::image::Image;
use crate::page::Extent;
use crate::span::{Reservation, Span, page_bytes};
use crate::watch::Watch;

/// What the kernel says about a page (`PAGE_IS_...` of its `linux/fs.h`).
mod page {
    /// Its entry has no write protection: it was written to, or nobody said that writes are to be noted.
    pub(super) const WRITTEN: u64 = 1 << 1;
    /// It is in memory.
    pub(super) const PRESENT: u64 = 1 << 3;
    /// It is not, and its entry says where it is: in swap, on its way, or broken.
    pub(super) const SWAPPED: u64 = 1 << 4;
    /// It is a page of the file that is mapped, and not one of this process's own: nobody here has written to it.
    pub(super) const FILE: u64 = 1 << 2;
    /// It is the one page of zeros that all share: it was read and never written.
    pub(super) const ZERO: u64 = 1 << 5;
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    answers: u64,
    answers_len: u64,
    max_pages: u64,
    inverted: u64,
    all_of: u64,
    any_of: u64,
    returned: u64,
}

/// `struct page_region`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct Answer {
    start: u64,
    end: u64,
    categories: u64,
}

/// `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: libc::c_ulong =
    (3 << 30) | ((size_of::<Question>() as libc::c_ulong) << 16) | (0x66 << 8) | 16;

/// How many stretches are asked for at once. There may be any number of them: then it is asked again.
const ANSWERS: usize = 64;

impl Question {
    /// Which pages of `start..end` may hold something, and which of those are not in memory. Where a file is mapped, and
    /// privately, what is still the file's is what it holds, and is not told.
    fn new(start: usize, end: usize) -> Self {
        let untouched = page::ZERO | page::FILE;
        Self {
            size: size_of::<Self>() as u64,
            flags: 0,
            start: start as u64,
            end: end as u64,
            walk_end: 0,
            answers: 0,
            answers_len: 0,
            max_pages: 0,
            inverted: untouched,
            all_of: untouched,
            any_of: page::PRESENT | page::SWAPPED,
            returned: page::SWAPPED,
        }
    }

    /// Which pages of `start..end` may have been written to, where writes are noted. A page that has no entry has no
    /// content of its own.
    fn written(start: usize, end: usize) -> Self {
        let written = page::WRITTEN;
        Self { inverted: 0, all_of: written, any_of: written, ..Self::new(start, end) }
    }
}

/// How a question about the pages from one address to another is put.
type Asking = fn(usize, usize) -> Question;

/// Pages that may hold something, side by side, all in memory or all not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Touched {
    /// Where they are, from the beginning of what was asked about.
    pub(crate) part: Range<usize>,
    /// They are not in memory: writing to them would read them in first.
    pub(crate) away: bool,
}

/// This process's page map.
pub(crate) struct Pagemap(File);

/// Set in a child that was forked and runs on: the open file is the parent's page map there and says nothing about
/// the child's memory.
static FORKED: AtomicBool = AtomicBool::new(false);

impl Pagemap {
    /// None where the kernel does not answer, or answers wrongly.
    pub(crate) fn of_this_process() -> Option<&'static Self> {
        static PAGEMAP: OnceLock<Option<Pagemap>> = OnceLock::new();
        PAGEMAP.get_or_init(|| Self::open().filter(Self::is_right)).as_ref()
    }

    #[expect(unsafe_code, reason = "pthread_atfork")]
    fn open() -> Option<Self> {
        extern "C" fn forked() {
            FORKED.store(true, Ordering::Relaxed);
        }
        // SAFETY: the handler stores to an atomic and does nothing else, which a child may do right after a fork.
        let registered = unsafe { libc::pthread_atfork(None, None, Some(forked)) };
        (registered == 0).then(|| File::open("/proc/self/pagemap").ok().map(Self)).flatten()
    }

    /// Tries it out on pages of which it is known what was done to them.
    fn is_right(&self) -> bool {
        let page = page_bytes();
        let Ok(reservation) = Reservation::new(6 * page) else { return false };
        let Some(mut span) = reservation.split(1, 4 * page, page).pop() else { return false };
        if span.resize(4 * page).is_err() {
            return false;
        }
        // Two that are written to, be it with zeros, and two that are not.
        span.wipe(page..2 * page);
        span.wipe(3 * page..4 * page);
        let mut touched = vec![false; 4];
        let asked = self.touched(span.extent(), |found| {
            for (index, touched) in touched.iter_mut().enumerate() {
                *touched |= found.part.contains(&(index * page));
            }
            ControlFlow::Continue(())
        });
        asked.is_ok()
            && matches!(touched.as_slice(), [_, true, _, true])
            && self.tells_files_apart(&mut span, None)
    }

    /// Whether writes are noted as they happen.
    pub(crate) fn agrees_with(&self, watch: &'static Watch) -> bool {
        let page = page_bytes();
        let Ok(reservation) = Reservation::new(6 * page) else { return false };
        let span = reservation.split(1, 4 * page, page).pop();
        span.is_some_and(|mut span| self.tells_files_apart(&mut span, Some(watch)) && span.watched() > 0)
    }

    /// Whether it tells pages of an image that were written to, and none that were not.
    fn tells_files_apart(&self, span: &mut Span, watch: Option<&'static Watch>) -> bool {
        let page = page_bytes();
        let Ok(image) = Image::new(&vec![1; 3 * page]) else { return false };
        if span.begin_with(Some(image), watch).and_then(|()| span.resize(4 * page)).is_err() {
            return false;
        }
        // The first is not looked at, the second is read, the third and the fourth are written to.
        let read = span.copied();
        span.write(2 * page, &[1]);
        span.write(3 * page, &[0]);
        let mut touched = vec![false; 4];
        let asked = self.touched(span.extent(), |found| {
            for (index, touched) in touched.iter_mut().enumerate() {
                *touched |= found.part.contains(&(index * page));
            }
            ControlFlow::Continue(())
        });
        asked.is_ok() && read.get(page) == Some(&1) && touched == [false, false, true, true]
    }

    /// Tells which pages may hold something other than they began with, from the first to the last.
    ///
    /// # Errors
    ///
    /// When the kernel does not say, or its answer makes no sense: then nothing is known about what was not told.
    pub(crate) fn touched(
        &self,
        extent: Extent,
        mut tell: impl FnMut(Touched) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let Extent { start, watched, open } = extent;
        let watched = watched.min(open);
        for (question, part) in [(Question::written as Asking, 0..watched), (Question::new, watched..open)] {
            if self.part_touched(question, start, part, &mut tell)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn part_touched(
        &self,
        question: Asking,
        start: usize,
        part: Range<usize>,
        tell: &mut impl FnMut(Touched) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let senseless = || io::Error::from(io::ErrorKind::InvalidData);
        let end = start.checked_add(part.end).ok_or_else(senseless)?;
        let mut at = start + part.start;
        while at < end {
            let mut answers = [Answer::default(); ANSWERS];
            let (count, reached) = self.ask(question(at, end), &mut answers)?;
            for answer in answers.get(..count).ok_or_else(senseless)? {
                let from = usize::try_from(answer.start).map_err(|_| senseless())?;
                let to = usize::try_from(answer.end).map_err(|_| senseless())?;
                if from < at || to <= from || to > end {
                    return Err(senseless());
                }
                let part = (from - start)..(to - start);
                if tell(Touched { part, away: answer.categories & page::SWAPPED != 0 }).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if reached <= at || reached > end {
                return Err(senseless());
            }
            at = reached;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// One question: how many answers there are, and how far the kernel looked.
    #[expect(unsafe_code, reason = "ioctl")]
    fn ask(&self, mut question: Question, answers: &mut [Answer; ANSWERS]) -> io::Result<(usize, usize)> {
        if FORKED.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        question.answers = answers.as_mut_ptr() as u64;
        question.answers_len = ANSWERS as u64;
        // SAFETY: the kernel reads `question`, which has the layout that it names `pm_scan_arg` and says how long it is,
        // writes `walk_end` into it, and writes at most `answers_len` values to `answers`, which is that long, is
        // borrowed exclusively, and holds plain integers. It changes no page: that takes a flag that is not set.
        let count = unsafe { libc::ioctl(self.0.as_raw_fd(), PAGEMAP_SCAN, &raw mut question) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        let reached = usize::try_from(question.walk_end).unwrap_or(0);
        Ok((count, reached))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every page whose state is not known to be "nothing was ever here" or "zero" must be told. So what is asked
    /// for may demand neither that a page is present nor that it counts as written.
    #[test]
    fn pages_that_are_swapped_out_or_moving_are_asked_for_as_those_in_memory_are() {
        let question = Question::new(0x1000, 0x3000);
        let told = |categories: u64| {
            let seen = categories ^ question.inverted;
            seen & question.all_of == question.all_of && seen & question.any_of != 0
        };
        const WRITTEN: u64 = 1 << 1;
        const HUGE: u64 = 1 << 6;
        const SOFT_DIRTY: u64 = 1 << 7;
        for other in [0, WRITTEN, HUGE, SOFT_DIRTY, WRITTEN | HUGE | SOFT_DIRTY] {
            assert!(told(page::PRESENT | other), "in memory, {other:#x}");
            // What is being moved has an entry of the same kind as what is in swap.
            assert!(told(page::SWAPPED | other), "away, {other:#x}");
            assert!(!told(page::PRESENT | page::ZERO | other), "read and never written, {other:#x}");
            assert!(!told(page::PRESENT | page::FILE | other), "the file's own, {other:#x}");
            assert!(!told(page::SWAPPED | page::FILE | other), "the file's own, on its way, {other:#x}");
        }
        assert!(!told(0), "never touched");
        assert_eq!(question.returned, page::SWAPPED, "away and in memory are told apart");
        assert_eq!((question.flags, question.max_pages), (0, 0), "it changes nothing and has no cap");
        assert_eq!((question.size, PAGEMAP_SCAN), (96, 0xc060_6610));
    }

    /// Where writes are noted, whatever lacks the bit that says "unwritten" is told, wherever it is.
    #[test]
    fn what_may_have_been_written_is_asked_for_wherever_it_is() {
        let question = Question::written(0x1000, 0x3000);
        assert_eq!((question.inverted, question.all_of), (0, page::WRITTEN));
        assert_eq!(question.any_of & page::WRITTEN, page::WRITTEN);
        assert_eq!(question.returned, page::SWAPPED, "away and in memory are told apart");
        assert_eq!((question.flags, question.max_pages), (0, 0), "it changes nothing and has no cap");
    }

    #[test]
    fn every_page_that_was_written_is_told_however_many_stretches_there_are() {
        let Some(pagemap) = Pagemap::of_this_process() else {
            eprintln!("not run: this kernel has no PAGEMAP_SCAN");
            return;
        };
        let page = page_bytes();
        let pages = 1_000;
        let mut span = Reservation::new((pages + 2) * page).unwrap().split(1, pages * page, page).remove(0);
        span.resize(pages * page).unwrap();
        let written = |index: usize| index % 3 == 1;
        for index in (0..pages).filter(|index| written(*index)) {
            span.bytes()[index * page + 17] = 1;
        }
        // Read, and so the page of zeros.
        assert!(span.bytes().chunks(page).step_by(3).all(|page| page[0] == 0));
        let mut found = Vec::new();
        let tell = |touched: Touched| {
            assert!(touched.part.start.is_multiple_of(page) && touched.part.end.is_multiple_of(page));
            found.extend(touched.part.step_by(page).map(|at| at / page));
            ControlFlow::Continue(())
        };
        pagemap.touched(span.extent(), tell).unwrap();
        assert_eq!(found, (0..pages).filter(|index| written(*index)).collect::<Vec<_>>());
    }

    #[test]
    fn a_range_that_is_none_is_an_error_and_no_silence() {
        let Some(pagemap) = Pagemap::of_this_process() else { return };
        for extent in [
            Extent { start: usize::MAX, watched: 0, open: 2 },
            Extent { start: 1, watched: 0, open: page_bytes() },
        ] {
            assert!(pagemap.touched(extent, |_| ControlFlow::Continue(())).is_err());
        }
    }
}
