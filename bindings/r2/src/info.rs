//! What is known of buckets, of uploads that are not complete, and of their parts.

use wasmyard_model::BucketName;

use crate::checksum::Checksums;
use crate::object::StorageClass;

/// What is known of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: BucketName,
    /// When it was made, in milliseconds since 1970.
    pub created: u64,
    /// Where its maker wanted it. There is one place, so that it is kept and means nothing.
    pub location: Option<String>,
    /// Of what is put without one.
    pub storage_class: StorageClass,
    /// How many objects it holds.
    pub objects: u64,
    /// Bytes of keys, metadata, contents and parts.
    pub bytes: u64,
    /// Uploads that are not complete.
    pub uploads: u64,
}

/// A part, as whoever uploaded it names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Its number, from 1 to 10,000.
    pub number: u64,
    /// The etag that it was answered with.
    pub etag: String,
    /// Its checksums. Where it is named, those that are said have to be the ones that are kept.
    pub checksums: Checksums,
}

/// A part that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number.
    pub number: u64,
    /// Bytes of its content.
    pub size: u64,
    /// The MD5 of its content.
    pub etag: String,
    /// What else is kept of its content.
    pub checksums: Checksums,
    /// When it came, in milliseconds since 1970.
    pub uploaded: u64,
}

/// An upload that is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    /// The key of the object that it is to be.
    pub key: String,
    /// Its identifier.
    pub id: String,
    /// When it was begun, in milliseconds since 1970.
    pub started: u64,
}
