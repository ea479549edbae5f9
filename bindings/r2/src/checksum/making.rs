//! Checksums in the making: of bytes as they come, and of an object's parts.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest::{self, Context};
use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};

use super::{Algorithm, Checksums, OfParts, from_hex, hex};

/// One checksum of bytes that come.
pub(super) enum Making {
    Md5(Md5),
    Sha(Box<Context>),
    /// With how many of its bytes count.
    Crc(Box<crc_fast::Digest>, usize),
}

impl Making {
    pub(super) fn new(algorithm: Algorithm) -> Making {
        match algorithm {
            Algorithm::Crc32 | Algorithm::Crc32c | Algorithm::Crc64Nvme => {
                Making::Crc(Box::new(crc_fast::Digest::new(crc(algorithm))), algorithm.length())
            }
            Algorithm::Md5 => Making::Md5(Md5::new()),
            Algorithm::Sha1 => Making::sha(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::Sha256 => Making::sha(&digest::SHA256),
            Algorithm::Sha384 => Making::sha(&digest::SHA384),
            Algorithm::Sha512 => Making::sha(&digest::SHA512),
        }
    }

    fn sha(algorithm: &'static digest::Algorithm) -> Making {
        Making::Sha(Box::new(Context::new(algorithm)))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Making::Md5(md5) => md5.update(bytes),
            Making::Sha(context) => context.update(bytes),
            Making::Crc(digest, _) => digest.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Making::Md5(md5) => md5.finalize().to_vec(),
            Making::Sha(context) => context.finish().as_ref().to_vec(),
            Making::Crc(digest, length) => last(digest.finalize(), length),
        }
    }
}

/// The parameters of a CRC.
fn crc(algorithm: Algorithm) -> CrcAlgorithm {
    match algorithm {
        Algorithm::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
        Algorithm::Crc32c => CrcAlgorithm::Crc32Iscsi,
        _ => CrcAlgorithm::Crc64Nvme,
    }
}

/// The last bytes of a number, as protocols have them.
fn last(number: u64, length: usize) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    bytes.get(bytes.len().saturating_sub(length)..).unwrap_or_default().to_vec()
}

/// The checksum of bytes that are there.
#[must_use]
pub fn digest(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
    let mut making = Making::new(algorithm);
    making.update(bytes);
    making.finish()
}

/// A checksum that comes behind the content which it is of. Whoever reads the content keeps the promise before its end.
#[derive(Clone, Debug, Default)]
pub struct Promise(Arc<OnceLock<Vec<u8>>>);

impl Promise {
    /// Says what the checksum is. What is said first counts.
    pub fn keep(&self, bytes: Vec<u8>) {
        self.0.get_or_init(|| bytes);
    }

    /// What it is, once that was said.
    #[must_use]
    pub fn kept(&self) -> Option<&[u8]> {
        self.0.get().map(Vec::as_slice)
    }
}

/// The checksum of an object, of those of its parts.
#[derive(Default)]
pub(crate) struct Composing {
    parts: Vec<(u64, Checksums)>,
}

impl Composing {
    /// The next part: how large it is, and its checksums.
    pub(crate) fn add(&mut self, size: u64, checksums: Checksums) {
        self.parts.push((size, checksums));
    }

    /// By the first algorithm of which every part has a checksum. CRC-64/NVME of parts is that of the content; of the others
    /// there is a checksum of checksums. So it is in the hosted product.
    pub(crate) fn finish(self) -> Checksums {
        let all = |algorithm: Algorithm| {
            let each = self.parts.iter().map(|(_, checksums)| checksums.of(algorithm).and_then(from_hex));
            each.collect::<Option<Vec<_>>>()
        };
        let mut checksums = Checksums::default();
        if let Some(each) = all(Algorithm::Crc64Nvme) {
            let sizes = self.parts.iter().map(|(size, _)| *size);
            let whole = each.iter().zip(sizes).fold(0, |whole, (part, size)| {
                let part = part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
                crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, whole, part, size)
            });
            checksums.crc64nvme = Some(hex(&last(whole, 8)));
            return checksums;
        }
        let others = [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Sha1, Algorithm::Sha256];
        checksums.of_parts = others.into_iter().find_map(|algorithm| {
            let each = all(algorithm)?;
            let (digits, parts) = (hex(&digest(algorithm, &each.concat())), each.len() as u64);
            Some(OfParts { algorithm, digits, parts })
        });
        checksums
    }
}

/// The etag of an object of parts, of which these are the MD5s.
pub(crate) fn etag_of_parts<'p>(parts: impl Iterator<Item = &'p str>) -> String {
    let (mut md5, mut count) = (Md5::new(), 0u64);
    for part in parts {
        md5.update(from_hex(part).unwrap_or_default());
        count += 1;
    }
    format!("{}-{count}", hex(&md5.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_parts_has_an_etag_with_their_number() {
        // The MD5 of the sixteen bytes of the MD5 of nothing.
        let part = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(etag_of_parts([part].into_iter()), "59adb24ef3cdbe0297f05b395827453f-1");
    }

    #[test]
    fn cyclic_checksums_are_those_of_the_catalogue() {
        // What the catalogue of parametrised CRC algorithms gives as check values.
        let checks = [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
        ];
        for (algorithm, check) in checks {
            assert_eq!(hex(&digest(algorithm, b"123456789")), check, "{algorithm:?}");
            assert_eq!(digest(algorithm, b"").len(), algorithm.length());
        }
    }

    fn of_parts(algorithm: Algorithm, parts: &[&[u8]]) -> Checksums {
        let mut composing = Composing::default();
        for part in parts {
            let mut checksums = Checksums::default();
            checksums.set(algorithm, hex(&digest(algorithm, part)));
            composing.add(part.len() as u64, checksums);
        }
        composing.finish()
    }

    #[test]
    fn of_parts_the_long_crc_is_of_the_content_and_the_others_are_of_checksums() {
        let parts: [&[u8]; 3] = [b"some ", b"", b"parts"];
        let whole = of_parts(Algorithm::Crc64Nvme, &parts);
        assert_eq!(whole.crc64nvme, Some(hex(&digest(Algorithm::Crc64Nvme, b"some parts"))));
        assert_eq!(whole.of_parts, None);
        let of_checksums = of_parts(Algorithm::Sha256, &parts);
        let each: Vec<u8> = parts.iter().flat_map(|part| digest(Algorithm::Sha256, part)).collect();
        let digits = hex(&digest(Algorithm::Sha256, &each));
        assert_eq!(of_checksums.of_parts, Some(OfParts { algorithm: Algorithm::Sha256, digits, parts: 3 }));
        assert_eq!(of_checksums.sha256, None, "it is none of the content");
        let mut some = Composing::default();
        some.add(1, Checksums::default());
        assert_eq!(some.finish(), Checksums::default());
    }
}
