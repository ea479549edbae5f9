//! Why something cannot be done with objects.
//!
//! Owns the one error of the crate, with the numbers that the product gives such errors. Its texts are safe to show, but for
//! those of [`R2Error::is_internal`], which are for the log. Must never hold a content.

use wasmyard_model::BucketName;

/// Why something cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum R2Error {
    /// There is no such bucket.
    #[error("there is no bucket \"{0}\"; list the buckets for those there are")]
    BucketNotFound(BucketName),
    /// There is a bucket of that name.
    #[error("a bucket \"{0}\" exists already; choose another name")]
    BucketTaken(BucketName),
    /// The bucket holds objects.
    #[error("the bucket \"{bucket}\" holds {objects} objects; delete them first")]
    BucketNotEmpty {
        /// The bucket.
        bucket: BucketName,
        /// How many objects it holds.
        objects: u64,
    },
    /// There is no such upload.
    #[error(
        "there is no upload \"{0}\" of this key: it was completed, aborted, or is older than a week; begin another"
    )]
    UploadNotFound(String),
    /// A part that is named is not there, or is another one.
    #[error("{0}")]
    InvalidPart(String),
    /// A part that is not the last is too short.
    #[error("part {part} has {found} bytes, and all but the last have at least {least}; upload larger parts")]
    PartTooSmall {
        /// Its number.
        part: u64,
        /// How large it is.
        found: u64,
        /// How large it must be.
        least: u64,
    },
    /// What was given breaks a rule; the text names field, value and remedy.
    #[error("{0}")]
    Invalid(String),
    /// The range has nothing of the object in it.
    #[error("the range begins at byte {offset}, and the object has {size} bytes; ask for a range within it")]
    InvalidRange {
        /// Where it begins.
        offset: u64,
        /// How large the object is.
        size: u64,
    },
    /// A checksum that was given is not the content's.
    #[error("the {algorithm} checksum is {given}, and what came has {found}; send the content again")]
    BadDigest {
        /// Which checksum.
        algorithm: &'static str,
        /// What was given, in hexadecimal digits.
        given: String,
        /// What came.
        found: String,
    },
    /// Something is larger than it may be.
    #[error("{what} has more than {most} bytes; make it shorter")]
    TooLarge {
        /// What: the key, the content, the metadata.
        what: &'static str,
        /// How large it may be.
        most: u64,
    },
    /// The bucket holds as much as it may.
    #[error("the bucket holds as many {unit} as it may: {limit} is {most}; delete objects")]
    Quota {
        /// The limit's name.
        limit: &'static str,
        /// What it counts.
        unit: &'static str,
        /// The limit.
        most: u64,
    },
    /// Too much is under way in this bucket.
    #[error("too much is under way in this bucket ({limit} is {most}); try again in a moment")]
    Busy {
        /// The limit's name.
        limit: &'static str,
        /// How many may be.
        most: usize,
    },
    /// Whoever sent a content stopped before its end.
    #[error("the content stopped before its end: {0}; send it again")]
    Interrupted(String),
    /// The disk is full.
    #[error("the disk is full: objects cannot be written; make room on it")]
    Full,
    /// A content is not what was put.
    #[error("the content of version {version} is damaged: {found}")]
    Damaged {
        /// The object's version, which names the file.
        version: String,
        /// What is wrong with it.
        found: String,
    },
    /// The store failed.
    #[error("the store of objects could not {action}: {source}")]
    Store {
        /// What it was to do.
        action: &'static str,
        /// Why it could not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl R2Error {
    /// A failure of the store.
    pub fn store(
        action: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> R2Error {
        R2Error::Store { action, source: source.into() }
    }

    /// A failure of the file system.
    pub(crate) fn io(action: &'static str, source: std::io::Error) -> R2Error {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => R2Error::Full,
            _ => R2Error::store(action, source),
        }
    }

    /// Whether the text is for the log alone.
    #[must_use]
    pub const fn is_internal(&self) -> bool {
        matches!(self, R2Error::Store { .. })
    }

    /// The number that the product gives such an error.
    #[must_use]
    pub fn code(&self) -> u32 {
        match self {
            R2Error::Store { .. } | R2Error::Damaged { .. } => 10001,
            R2Error::BucketTaken(_) => 10004,
            R2Error::BucketNotFound(_) => 10006,
            R2Error::BucketNotEmpty { .. } => 10008,
            R2Error::PartTooSmall { .. } => 10011,
            R2Error::TooLarge { what: "the metadata", .. } => 10012,
            R2Error::TooLarge { what: "the key", .. } => 10020,
            R2Error::UploadNotFound(_) => 10024,
            R2Error::InvalidPart(_) => 10025,
            R2Error::Invalid(_) | R2Error::Interrupted(_) => 10029,
            R2Error::BadDigest { .. } => 10037,
            R2Error::InvalidRange { .. } => 10039,
            R2Error::Full => 10043,
            R2Error::Busy { .. } => 10058,
            R2Error::TooLarge { .. } => 100_100,
            R2Error::Quota { .. } => 90_026,
        }
    }
}
