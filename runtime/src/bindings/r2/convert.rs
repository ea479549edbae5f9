//! What passes between a guest and the service, in the words of either.

use wasmyard_r2::checksum::from_hex;
use wasmyard_r2::{Algorithm, Range, StorageClass};

use crate::bindings::r2_wit as wit;

pub(super) fn object(object: wasmyard_r2::Object) -> wit::Object {
    let class = object.metadata.storage_class.unwrap_or_default();
    let checksum = |of| object.checksums.of(of).and_then(from_hex);
    let checksums = wit::Checksums {
        md5: checksum(Algorithm::Md5),
        sha1: checksum(Algorithm::Sha1),
        sha256: checksum(Algorithm::Sha256),
        sha384: checksum(Algorithm::Sha384),
        sha512: checksum(Algorithm::Sha512),
    };
    let http = object.metadata.http;
    wit::Object {
        checksums,
        key: object.key,
        version: object.version,
        size: object.size,
        etag: object.etag,
        uploaded: object.uploaded,
        http_metadata: wit::HttpMetadata {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry,
        },
        custom_metadata: object.metadata.custom,
        storage_class: class.as_str().to_owned(),
    }
}

fn condition(condition: wit::Condition) -> wasmyard_r2::Condition {
    wasmyard_r2::Condition {
        etag_matches: condition.etag_matches,
        etag_does_not_match: condition.etag_does_not_match,
        uploaded_before: condition.uploaded_before,
        uploaded_after: condition.uploaded_after,
        seconds_granularity: condition.seconds_granularity,
    }
}

pub(super) fn get_options(options: wit::GetOptions) -> Result<wasmyard_r2::GetOptions, wasmyard_r2::R2Error> {
    let wit::ByteRange { offset, length, suffix } = options.range;
    let range = Range::of(offset, length, suffix)?;
    Ok(wasmyard_r2::GetOptions { condition: condition(options.only_if), range })
}

pub(super) fn put_options(options: wit::PutOptions) -> Result<wasmyard_r2::PutOptions, wasmyard_r2::R2Error> {
    let wit::Checksums { md5, sha1, sha256, sha384, sha512 } = options.checksums;
    let checksums = [
        (Algorithm::Md5, md5),
        (Algorithm::Sha1, sha1),
        (Algorithm::Sha256, sha256),
        (Algorithm::Sha384, sha384),
        (Algorithm::Sha512, sha512),
    ];
    let http = options.http_metadata;
    let metadata = wasmyard_r2::Metadata {
        http: wasmyard_r2::HttpMetadata {
            content_type: http.content_type,
            content_language: http.content_language,
            content_disposition: http.content_disposition,
            content_encoding: http.content_encoding,
            cache_control: http.cache_control,
            cache_expiry: http.cache_expiry,
        },
        custom: options.custom_metadata,
        storage_class: options.storage_class.as_deref().map(StorageClass::parse).transpose()?,
    };
    let given = checksums.into_iter().filter_map(|(of, bytes)| Some((of, bytes?)));
    let condition = condition(options.only_if);
    Ok(wasmyard_r2::PutOptions { condition, metadata, checksums: given.collect() })
}

pub(super) fn list_options(options: wit::ListOptions) -> wasmyard_r2::ListOptions {
    wasmyard_r2::ListOptions {
        prefix: options.prefix.unwrap_or_default(),
        delimiter: options.delimiter,
        cursor: options.cursor,
        start_after: options.start_after,
        limit: options.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
    }
}

pub(super) fn page(page: wasmyard_r2::Page) -> wit::Page {
    wit::Page {
        objects: page.objects.into_iter().map(object).collect(),
        delimited_prefixes: page.prefixes,
        cursor: page.cursor,
    }
}

pub(super) fn part(part: wasmyard_r2::Part) -> wit::Part {
    wit::Part { number: u32::try_from(part.number).unwrap_or(u32::MAX), etag: part.etag }
}
