//! What a memory begins with where that is not zeros: an image that many share, and the pages of one owner on top of it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::{Mmap, MmapOptions};
use rustix::fs::{MemfdFlags, SealFlags};

use crate::page::page_bytes;

/// Bytes that memories are mapped from. They never change: the file behind them has no name, and is sealed.
pub struct Image {
    file: File,
    view: Mmap,
}

impl Image {
    /// An image of these bytes, filled up to whole pages with zeros.
    ///
    /// # Errors
    ///
    /// What the system said: it has no memory, or knows no files without names.
    pub fn new(bytes: &[u8]) -> io::Result<Arc<Self>> {
        let len = bytes.len().max(1).next_multiple_of(page_bytes());
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(rustix::fs::memfd_create("wasmyard-image", flags)?);
        file.write_all(bytes)?;
        file.set_len(len as u64)?;
        let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
        rustix::fs::fcntl_add_seals(&file, seals)?;
        #[expect(unsafe_code, reason = "a mapping is the only way to have the bytes and their file at once")]
        // SAFETY: a mapping must not change while it is a slice. This file has no name, nobody else has it, and the seals
        // have the kernel refuse whatever would change its content or its length, for ever.
        let view = unsafe { MmapOptions::new().len(len).map(&file)? };
        Ok(Arc::new(Self { file, view }))
    }

    /// Its size in bytes, in whole pages.
    pub fn len(&self) -> usize {
        self.view.len()
    }

    /// Whether there is nothing in it: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.view
    }

    /// The file that it is mapped from.
    pub(crate) fn file(&self) -> &File {
        &self.file
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
