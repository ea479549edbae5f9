//! Has the kernel note which pages of an image's mapping are written to: `userfaultfd`'s asynchronous write protection,
//! Linux 6.7 and later.
//!
//! Without it the kernel says of every page whether it is still the file's, which takes a look at the page itself. With it a bit in the
//! entry says so: it is set here, and the kernel takes it away before the first write. **A page without the bit counts as
//! written**, whatever the reason, so that what is forgotten here costs time and gives nothing away.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::sync::OnceLock;

/// Takes faults of this process's own code alone, which needs no privilege; nobody is asked to handle any.
const USER_MODE_ONLY: libc::c_int = 1;
/// `UFFD_API`.
const API: u64 = 0xaa;
/// `UFFD_FEATURE_WP_UNPOPULATED` and `UFFD_FEATURE_WP_ASYNC`.
const FEATURES: u64 = (1 << 13) | (1 << 15);
/// `UFFDIO_REGISTER_MODE_WP` and `UFFDIO_WRITEPROTECT_MODE_WP`.
const REGISTER_PROTECTED: u64 = 1 << 1;
const PROTECT: u64 = 1 << 0;

/// `struct uffdio_api`.
#[repr(C)]
struct Handshake {
    api: u64,
    features: u64,
    ioctls: u64,
}

/// `struct uffdio_register`.
#[repr(C)]
struct Registration {
    start: u64,
    len: u64,
    mode: u64,
    ioctls: u64,
}

/// `struct uffdio_writeprotect`.
#[repr(C)]
struct Protection {
    start: u64,
    len: u64,
    mode: u64,
}

const fn both_ways(number: u64, size: usize) -> u64 {
    (3 << 30) | ((size as u64) << 16) | (API << 8) | number
}

const HANDSHAKE: u64 = both_ways(0x3f, size_of::<Handshake>());
const REGISTER: u64 = both_ways(0x00, size_of::<Registration>());
const WRITE_PROTECT: u64 = both_ways(0x06, size_of::<Protection>());

/// What has the kernel note writes in this process.
pub(crate) struct Watch(OwnedFd);

impl Watch {
    /// None where the kernel cannot, or may not.
    pub(crate) fn of_this_process() -> Option<&'static Self> {
        static WATCH: OnceLock<Option<Watch>> = OnceLock::new();
        WATCH.get_or_init(|| Self::open().ok()).as_ref()
    }

    #[expect(unsafe_code, reason = "userfaultfd")]
    fn open() -> io::Result<Self> {
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | USER_MODE_ONLY;
        // SAFETY: the call makes a descriptor and changes nothing that exists.
        let made = unsafe { libc::syscall(libc::SYS_userfaultfd, flags) };
        let made = libc::c_int::try_from(made).ok().filter(|made| *made >= 0);
        let made = made.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the descriptor was made a moment ago and nobody else has it.
        let watch = Self(unsafe { OwnedFd::from_raw_fd(made) });
        let mut handshake = Handshake { api: API, features: FEATURES, ioctls: 0 };
        // SAFETY: `handshake` has the layout that `HANDSHAKE` names, and is borrowed exclusively.
        unsafe { watch.ask(HANDSHAKE, &raw mut handshake) }?;
        Ok(watch)
    }

    /// Has writes to a mapping of a file be noted from now on; nobody has written to it yet.
    ///
    /// # Errors
    ///
    /// What the system said: then writes may not be noted, and nobody is to rely on it.
    #[expect(unsafe_code, reason = "ioctl")]
    pub(crate) fn begin(&self, start: usize, len: usize) -> io::Result<()> {
        let mut registration =
            Registration { start: start as u64, len: len as u64, mode: REGISTER_PROTECTED, ioctls: 0 };
        // SAFETY: `registration` has the layout that `REGISTER` names, and is borrowed exclusively. What is registered
        // keeps its content, and no access to it waits for anybody: protection is asynchronous, as the handshake says.
        unsafe { self.ask(REGISTER, &raw mut registration) }?;
        self.protect(start, len)
    }

    /// Takes pages for unwritten: they hold what the image does.
    ///
    /// # Errors
    ///
    /// What the system said: then they may count as written, which is always right.
    #[expect(unsafe_code, reason = "ioctl")]
    pub(crate) fn protect(&self, start: usize, len: usize) -> io::Result<()> {
        let mut protection = Protection { start: start as u64, len: len as u64, mode: PROTECT };
        // SAFETY: `protection` has the layout that `WRITE_PROTECT` names, and is borrowed exclusively. No content changes.
        unsafe { self.ask(WRITE_PROTECT, &raw mut protection) }
    }

    /// # Safety
    ///
    /// `argument` is what this request reads and writes, and nobody else has it.
    #[expect(unsafe_code, reason = "ioctl")]
    unsafe fn ask<T>(&self, request: u64, argument: *mut T) -> io::Result<()> {
        // SAFETY: the caller's promise.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), request, argument) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;
    use crate::image::Image;
    use crate::pagemap::{Pagemap, Touched};
    use crate::span::{Reservation, Span, page_bytes};

    #[test]
    fn requests_are_the_ones_of_the_kernel() {
        assert_eq!((HANDSHAKE, REGISTER, WRITE_PROTECT), (0xc018_aa3f, 0xc020_aa00, 0xc018_aa06));
    }

    #[test]
    fn pages_of_an_image_are_told_when_they_were_written_to_and_not_once_they_were_given_back() {
        let (Some(watch), Some(pagemap)) = (Watch::of_this_process(), Pagemap::of_this_process()) else {
            eprintln!("not run: this kernel notes no writes");
            return;
        };
        assert!(pagemap.agrees_with(watch));
        let (page, pages) = (page_bytes(), 300);
        let mut span = Reservation::new((pages + 2) * page).unwrap().split(1, pages * page, page).remove(0);
        // Half of it is the image's, half is zeros behind it.
        span.begin_with(Some(Image::new(&vec![7; pages / 2 * page]).unwrap()), Some(watch)).unwrap();
        span.resize(pages * page).unwrap();
        assert_eq!(span.watched(), pages / 2 * page);
        let told = |span: &Span| {
            let mut told = Vec::new();
            let tell = |touched: Touched| {
                told.extend(touched.part.step_by(page).map(|at| at / page));
                ControlFlow::Continue(())
            };
            pagemap.touched(span.extent(), tell).unwrap();
            told
        };
        // All is read, some is written to: with what was there, and with something else.
        assert_eq!(span.bytes().iter().filter(|byte| **byte == 7).count(), pages / 2 * page);
        assert_eq!(told(&span), Vec::<usize>::new());
        let written = [0, 1, 17, 120, 149, 150, 299];
        for index in written {
            span.write(index * page, &[7]);
        }
        assert_eq!(told(&span), written);
        // What was overwritten is told again, for it is this span's own; what was given back is not.
        span.wipe(0..pages * page / 4);
        assert_eq!(told(&span).first(), Some(&0));
        span.discard(0..pages * page);
        assert_eq!(span.bytes().iter().filter(|byte| **byte == 7).count(), pages / 2 * page);
        assert_eq!(told(&span), Vec::<usize>::new());
        span.write(3 * page, &[1]);
        assert_eq!(told(&span), [3]);
        // Mapped anew, and watched by nobody.
        span.begin_with(None, Some(watch)).unwrap();
        assert_eq!(span.watched(), 0);
    }
}
