//! The names of a certificate, and its life: read from the leaf, whoever brought it.

use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::name::ServedName;

/// The most names of one certificate: as many as authorities give.
const MOST_NAMES: usize = 250;
/// A time after all that certificates can name, in seconds.
const THE_END: u64 = 1 << 40;

/// The names of a certificate that was read before; none of one that cannot be read.
pub(super) fn names_of(leaf: &[u8]) -> Vec<ServedName> {
    read(&CertificateDer::from_slice(leaf)).map(|(names, ..)| names).unwrap_or_default()
}

/// Whether one of these names is another one, or a wildcard that stands for it.
pub(super) fn are_for(names: &[ServedName], name: &ServedName) -> bool {
    let by_wildcard = |wildcard: &ServedName| {
        let parent = name.as_str().split_once('.').map(|(_, parent)| parent);
        !name.is_wildcard() && wildcard.as_str().strip_prefix("*.").is_some_and(|of| parent == Some(of))
    };
    names.iter().any(|own| own == name || by_wildcard(own))
}

/// The names of a certificate, and from when to when it is valid; none if it cannot be read.
pub(super) fn read(leaf: &CertificateDer<'_>) -> Option<(Vec<ServedName>, SystemTime, SystemTime)> {
    let certificate = EndEntityCert::try_from(leaf).ok()?;
    let names = certificate.valid_dns_names().filter_map(|name| ServedName::parse(name).ok());
    let names: Vec<ServedName> = names.take(MOST_NAMES).collect();
    // Whoever verifies says from when to when it is valid if it is asked about another time.
    let judged = |seconds: u64| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        certificate.verify_for_usage(&[], &[], &[], time, KeyUsage::server_auth(), None, None).err()
    };
    let (Some(Error::CertNotValidYet { not_before, .. }), Some(Error::CertExpired { not_after, .. })) =
        (judged(0), judged(THE_END))
    else {
        return None;
    };
    let time = |at: UnixTime| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(at.as_secs()));
    Some((names, time(not_before)?, time(not_after)?))
}
