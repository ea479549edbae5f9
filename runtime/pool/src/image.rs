//! What a memory begins with where that is not zeros: an image that many share, and the pages of one owner on top of it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use crate::page::page_bytes;

/// Bytes that memories are mapped from. They never change: the file behind them has no name, and is sealed.
pub struct Image {
    file: OwnedFd,
    view: NonNull<u8>,
    len: usize,
}

#[expect(unsafe_code, reason = "a raw pointer has to be declared fit for other threads")]
// SAFETY: what the pointer leads to is mapped for reading, of a file that nobody can write to any more.
unsafe impl Send for Image {}
#[expect(unsafe_code, reason = "a raw pointer has to be declared fit for other threads")]
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    /// An image of these bytes, filled up to whole pages with zeros.
    ///
    /// # Errors
    ///
    /// What the system said: it has no memory, or knows no files without names.
    #[expect(unsafe_code, reason = "memfd_create, fcntl, mmap")]
    pub fn new(bytes: &[u8]) -> io::Result<Arc<Self>> {
        let len = bytes.len().max(1).next_multiple_of(page_bytes());
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name is a C string; a new file is nobody else's.
        let file = unsafe {
            match libc::memfd_create(c"wasmyard-image".as_ptr(), flags) {
                -1 => return Err(io::Error::last_os_error()),
                new => File::from_raw_fd(new),
            }
        };
        (&file).write_all(bytes)?;
        file.set_len(len as u64)?;
        let file = OwnedFd::from(file);
        let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
        // SAFETY: seals are set on a file of this value's own.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: without MAP_FIXED a mapping is put where there is none. It is for reading, and the file is sealed.
        let view = unsafe {
            libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if view == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let view = NonNull::new(view.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))?;
        Ok(Arc::new(Self { file, view, len }))
    }

    /// Its size in bytes, in whole pages.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Its bytes.
    #[expect(unsafe_code, reason = "mapped memory as a slice")]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes are mapped for reading as long as this value lives, and never change.
        unsafe { std::slice::from_raw_parts(self.view.as_ptr(), self.len) }
    }

    /// The file that it is mapped from.
    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }
}

impl Drop for Image {
    #[expect(unsafe_code, reason = "munmap")]
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` and belongs to this value; slices of it borrow this value.
        unsafe { libc::munmap(self.view.as_ptr().cast(), self.len) };
    }
}

/// What one memory begins with: an image, stretches of bytes in place of its own, and zeros behind it.
pub struct Content {
    image: Arc<Image>,
    len: usize,
    stretches: Vec<(usize, Box<[u8]>)>,
}

impl Content {
    /// A memory of `len` bytes. None where a stretch, or the image, is not inside of it.
    pub fn new(image: Arc<Image>, len: usize, stretches: Vec<(usize, Box<[u8]>)>) -> Option<Arc<Self>> {
        let fits =
            |(at, bytes): &(usize, Box<[u8]>)| at.checked_add(bytes.len()).is_some_and(|end| end <= len);
        let fit = image.len() <= len && stretches.iter().all(fits) && len.is_multiple_of(page_bytes());
        fit.then(|| Arc::new(Self { image, len, stretches }))
    }

    /// How large the memory is, in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the memory has no byte: never, for it has an image.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// How many bytes of memory this takes beside the image.
    pub fn weight(&self) -> usize {
        self.stretches.iter().map(|(_, bytes)| bytes.len() + size_of::<(usize, Box<[u8]>)>()).sum()
    }

    pub(crate) fn image(&self) -> &Arc<Image> {
        &self.image
    }

    pub(crate) fn stretches(&self) -> &[(usize, Box<[u8]>)] {
        &self.stretches
    }
}

/// Takes what a memory holds when its instance is gone.
#[derive(Default)]
pub struct Capture(Mutex<Option<Vec<u8>>>);

impl Capture {
    /// What was taken.
    pub fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(crate) fn put(&self, bytes: Vec<u8>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }
}

/// What the memories are like that Wasmtime asks for on this thread.
#[derive(Clone, Default)]
pub struct Order {
    /// What they begin with; zeros where that is left out.
    pub content: Option<Arc<Content>>,
    /// Who takes what they hold in the end.
    pub capture: Option<Arc<Capture>>,
}

thread_local! {
    static ORDER: RefCell<Order> = const { RefCell::new(Order { content: None, capture: None }) };
}

impl Order {
    /// Has every memory that is made while `work` runs be as ordered. Wasmtime asks for memories in the thread, and within
    /// the poll, in which an instance is made.
    pub fn around<T>(&self, work: impl FnOnce() -> T) -> T {
        /// Puts back what was there, whatever becomes of the work.
        struct Before(Order);
        impl Drop for Before {
            fn drop(&mut self) {
                ORDER.set(std::mem::take(&mut self.0));
            }
        }
        let _before = Before(ORDER.replace(self.clone()));
        work()
    }

    pub(crate) fn current() -> Self {
        ORDER.with_borrow(Self::clone)
    }
}
