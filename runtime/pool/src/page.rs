//! What the system maps at once.

/// Bytes of a page.
#[expect(unsafe_code, reason = "sysconf")]
pub(crate) fn page_bytes() -> usize {
    static BYTES: std::sync::LazyLock<usize> = std::sync::LazyLock::new(|| {
        // SAFETY: `sysconf` reads a number of the system's.
        let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        usize::try_from(bytes).ok().filter(|bytes| bytes.is_power_of_two()).unwrap_or(4096)
    });
    *BYTES
}

/// Where pages are that are asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// The address of the first.
    pub(crate) start: usize,
    /// In so many bytes writes are noted, see [`crate::watch`].
    pub(crate) watched: usize,
    /// How many bytes there are.
    pub(crate) open: usize,
}
