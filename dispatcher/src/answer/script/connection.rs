//! What scripts are told of a visitor's connection, and of the certificate that was shown on it.

use std::time::SystemTime;

use wasmyard_listener::tls::{ClientCertificate, Encrypted};
use wasmyard_runtime::{ClientCertificateInfo, TlsInfo};

pub(super) fn told(encrypted: &Encrypted) -> TlsInfo {
    TlsInfo {
        version: encrypted.version.name(),
        cipher: encrypted.cipher,
        server_name: encrypted.server_name.clone(),
        client_certificate: encrypted.client_certificate.as_ref().map(certificate),
    }
}

fn certificate(shown: &ClientCertificate) -> ClientCertificateInfo {
    ClientCertificateInfo {
        subject: shown.subject.clone(),
        issuer: shown.issuer.clone(),
        serial: shown.serial.clone(),
        fingerprint_sha256: shown.fingerprint_sha256.clone(),
        fingerprint_sha1: shown.fingerprint_sha1.clone(),
        not_before: seconds(shown.not_before),
        not_after: seconds(shown.not_after),
        subject_key: shown.subject_key.clone(),
        issuer_key: shown.issuer_key.clone(),
    }
}

/// Seconds since 1970, which may be before.
fn seconds(time: SystemTime) -> i64 {
    let whole = |length: std::time::Duration| i64::try_from(length.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => whole(since),
        Err(before) => -whole(before.duration()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_told_in_seconds_before_and_after_1970() {
        assert_eq!(seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(7)), 7);
        assert_eq!(seconds(SystemTime::UNIX_EPOCH - Duration::from_secs(7)), -7);
    }
}
