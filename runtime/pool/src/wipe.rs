//! Makes a span that somebody used what it was at first, zeros or its image: the one place where it is decided what
//! happens to each page.

use std::ops::ControlFlow;

use crate::pagemap::Pagemap;
use crate::span::{Span, page_bytes};

/// Makes everything that is open what it was at first and says how many bytes of it stay resident: at most `keep`, the first ones.
///
/// Pages in memory are overwritten. Those that are away are given back, for overwriting would read them in first, and so is
/// everything past what may be kept. Where the kernel does not say which pages there are, all are given back.
pub(crate) fn wipe(span: &mut Span, pagemap: Option<&Pagemap>, keep: usize) -> usize {
    let keep = keep - keep % page_bytes();
    let Some(pagemap) = pagemap else {
        span.discard(0..span.open());
        return 0;
    };
    let open = span.open();
    let mut kept = 0;
    let asked = pagemap.touched(span.extent(), |touched| {
        if touched.away {
            span.discard(touched.part);
            return ControlFlow::Continue(());
        }
        let stays = touched.part.len().min(keep - kept);
        let end = touched.part.start + stays;
        span.wipe(touched.part.start..end);
        kept += stays;
        if end < touched.part.end {
            span.discard(end..open);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    match asked {
        Ok(()) => kept,
        Err(error) => {
            tracing::debug!(%error, "the kernel does not list pages; all are given back");
            span.discard(0..open);
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::span::Reservation;
    use crate::watch::Watch;

    const PAGES: usize = 96;

    fn span() -> Span {
        let page = page_bytes();
        Reservation::new((PAGES + 2) * page).unwrap().split(1, PAGES * page, page).remove(0)
    }

    /// What is done to a memory between two wipes.
    #[derive(Debug, Clone)]
    enum Step {
        /// Some pages are written to, each at one byte.
        Write { first: usize, count: usize, step: usize, at: usize },
        /// Some are read.
        Read { first: usize, count: usize },
        /// The kernel takes some away, as far as it can.
        PageOut { first: usize, count: usize },
        /// It grows, or is made smaller by whoever owns it.
        Resize { pages: usize },
        /// It changes hands, keeping so many pages.
        Wipe { keep: usize, listed: bool },
    }

    fn step() -> impl Strategy<Value = Step> {
        let place = || (0..PAGES, 0..PAGES);
        prop_oneof![
            4 => (place(), 1..5_usize, any::<usize>())
                .prop_map(|((first, count), step, at)| Step::Write { first, count, step, at }),
            1 => place().prop_map(|(first, count)| Step::Read { first, count }),
            1 => place().prop_map(|(first, count)| Step::PageOut { first, count }),
            1 => (0..=PAGES).prop_map(|pages| Step::Resize { pages }),
            2 => (0..PAGES, any::<bool>()).prop_map(|(keep, listed)| Step::Wipe { keep, listed }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Against a model: bytes are what was last written to them, and zero after a wipe, whatever was kept.
        #[test]
        fn after_any_history_a_wiped_span_is_all_zeros(steps in prop::collection::vec(step(), 1..40)) {
            let page = page_bytes();
            let pagemap = Pagemap::of_this_process();
            let mut span = span();
            span.resize(PAGES * page).unwrap();
            let mut model = vec![0_u8; PAGES * page];
            for step in steps {
                match step {
                    Step::Write { first, count, step, at } => {
                        write(&mut span, &mut model, (first..first + count).step_by(step), at);
                    }
                    Step::Read { first, count } => {
                        let end = ((first + count) * page).min(span.open());
                        let start = (first * page).min(end);
                        prop_assert!(span.bytes()[start..end] == model[start..end]);
                    }
                    Step::PageOut { first, count } => page_out(&mut span, first * page, count * page),
                    Step::Resize { pages } => {
                        // Whoever closes a part gives it back before, as `memories.rs` does.
                        span.discard(pages * page..PAGES * page);
                        span.resize(pages * page).unwrap();
                        model[pages * page..].fill(0);
                    }
                    Step::Wipe { keep, listed } => {
                        let kept = wipe(&mut span, pagemap.filter(|_| listed), keep * page);
                        prop_assert!(kept <= keep * page);
                        model.fill(0);
                    }
                }
                let open = span.open();
                prop_assert!(span.bytes() == &model[..open]);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The same where memories begin with images, and change from one to another.
        #[test]
        fn after_any_history_a_wiped_span_is_its_image(
            lengths in prop::collection::vec(1..PAGES, 3),
            watched in any::<bool>(),
            steps in prop::collection::vec((step(), 0..6_usize), 1..40),
        ) {
            let page = page_bytes();
            let pagemap = Pagemap::of_this_process();
            let watch = Watch::of_this_process().filter(|_| watched);
            let images: Vec<_> = lengths
                .iter()
                .enumerate()
                .map(|(number, pages)| {
                    // Some of its pages are zeros.
                    let byte = |at: usize| if (at / page).is_multiple_of(3) { 0 } else { (at % 251) as u8 ^ number as u8 };
                    crate::Image::new(&(0..pages * page).map(byte).collect::<Vec<u8>>()).unwrap()
                })
                .collect();
            let mut span = span();
            let begin = |span: &mut Span, choice: usize| {
                let image = images.get(choice);
                span.begin_with(image.cloned(), watch).unwrap();
                span.resize(PAGES * page).unwrap();
                let mut fresh = image.map_or_else(Vec::new, |image| image.bytes().to_vec());
                fresh.resize(PAGES * page, 0);
                fresh
            };
            let mut fresh = begin(&mut span, 0);
            let mut model = fresh.clone();
            for (step, choice) in steps {
                match step {
                    Step::Write { first, count, step, at } => {
                        write(&mut span, &mut model, (first..first + count).step_by(step), at);
                    }
                    Step::Read { first, count } => {
                        let end = ((first + count) * page).min(span.open());
                        let start = (first * page).min(end);
                        prop_assert!(span.bytes()[start..end] == model[start..end]);
                    }
                    Step::PageOut { first, count } => page_out(&mut span, first * page, count * page),
                    Step::Resize { .. } => {
                        fresh = begin(&mut span, choice);
                        model.clone_from(&fresh);
                    }
                    Step::Wipe { keep, listed } => {
                        let kept = wipe(&mut span, pagemap.filter(|_| listed), keep * page);
                        prop_assert!(kept <= keep * page);
                        model.clone_from(&fresh);
                    }
                }
                prop_assert!(span.bytes() == model.as_slice());
            }
        }
    }

    /// Writes to these pages, as far as they are open, and to the model.
    fn write(span: &mut Span, model: &mut [u8], pages: impl Iterator<Item = usize>, at: usize) {
        for index in pages {
            let at = index * page_bytes() + at % page_bytes();
            if at < span.open() {
                span.bytes()[at] = 0x5a;
                model[at] = 0x5a;
            }
        }
    }

    #[expect(unsafe_code, reason = "madvise")]
    fn page_out(span: &mut Span, from: usize, len: usize) {
        let len = len.min(span.open().saturating_sub(from));
        if len > 0 {
            // SAFETY: a part of what is open; the advice changes no content.
            unsafe { libc::madvise(span.as_ptr().wrapping_add(from).cast(), len, libc::MADV_PAGEOUT) };
        }
    }

    #[test]
    fn no_more_stays_resident_than_may_be_kept() {
        let page = page_bytes();
        let Some(pagemap) = Pagemap::of_this_process() else { return };
        let mut span = span();
        span.resize(PAGES * page).unwrap();
        for (keep, kept) in [(0, 0), (10, 10), (PAGES, PAGES), (PAGES * 2, PAGES)] {
            span.bytes().fill(1);
            assert_eq!(wipe(&mut span, Some(pagemap), keep * page), kept * page);
            let mut resident = 0;
            let count = |touched: crate::pagemap::Touched| {
                resident += touched.part.len();
                ControlFlow::Continue(())
            };
            pagemap.touched(span.extent(), count).unwrap();
            assert_eq!(resident, kept * page);
            assert!(span.bytes().iter().all(|byte| *byte == 0));
        }
    }
}
