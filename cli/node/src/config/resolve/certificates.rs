//! `[certificates]`: the authorities that certificates are asked of.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use wasmyard_acme::{AuthorityConfig, ExternalAccount};
use wasmyard_namespaces::hostname::CertificateAuthority;
use wasmyard_net::ExtraRoots;
use zeroize::Zeroizing;

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::{RawAuthority, RawCertificates};
use super::super::locate::below;
use super::super::section::Named;
use super::super::{CertificatesConfig, Purpose};

/// The most bytes of a file with a key.
const LARGEST_KEY: u64 = 4 << 10;

/// Resolves `[certificates]`.
pub(super) fn certificates(
    raw: &RawCertificates,
    root: &Path,
    purpose: Purpose,
    faults: &mut Vec<Fault>,
) -> CertificatesConfig {
    // Whoever deploys has not the server's files, and `dev` has certificates of its own.
    if matches!(purpose, Purpose::Dev | Purpose::Deploy) {
        return CertificatesConfig::default();
    }
    let (mut authorities, mut orders_per_hour) = (Vec::new(), BTreeMap::new());
    for entry in &raw.authorities {
        let known = name(&entry.name, faults);
        let most = u64::from(entry.orders_per_hour.get(faults));
        known.map(|name| orders_per_hour.insert(name, most));
        if let (Some(name), Some((config, roots))) = (known, authority(entry, root, faults)) {
            authorities.push((name, config, roots));
        }
    }
    authorities.sort_by_key(|(name, ..)| *name);
    if let Some(spot) = &raw.default
        && let Some(usual) = name(spot, faults)
    {
        if !authorities.iter().any(|(name, ..)| *name == usual) {
            let fault = spot.fault_shown("there is no such authority");
            faults.push(fault.remedy(format!("describe it under [certificates.authorities.{usual}]")));
        }
        authorities.sort_by_key(|(name, ..)| (*name != usual, *name));
    }
    let per_minute = u64::from(raw.per_minute.get(faults));
    let in_handshakes = raw.tls_alpn.get(faults);
    CertificatesConfig { authorities, orders_per_hour, per_minute, in_handshakes }
}

fn name(spot: &Spot<String>, faults: &mut Vec<Fault>) -> Option<CertificateAuthority> {
    let found = CertificateAuthority::parse(&spot.value);
    if found.is_none() {
        let names: Vec<&str> = CertificateAuthority::ALL.iter().map(|name| name.as_str()).collect();
        let fault = spot.fault_shown("authorities have the names that the v4 API knows");
        faults.push(fault.remedy(format!("take one of {}; the directory says who it is", names.join(", "))));
    }
    found
}

fn authority(
    raw: &Named<RawAuthority>,
    root: &Path,
    faults: &mut Vec<Fault>,
) -> Option<(AuthorityConfig, ExtraRoots)> {
    let Some(directory) = &raw.directory else {
        let fault = raw.name.fault_shown("an authority needs its directory");
        faults.push(fault.remedy("write directory = \"https://...\""));
        return None;
    };
    if !directory.value.starts_with("https://") {
        faults.push(
            directory
                .fault_shown("expected an https address")
                .remedy("write it like \"https://ca.example/dir\""),
        );
        return None;
    }
    let roots = match &raw.roots {
        None => ExtraRoots::default(),
        Some(spot) => ExtraRoots::read(&below(root, &spot.value)).unwrap_or_else(|error| {
            let fault = spot.fault_shown(error.to_string());
            faults.push(fault.remedy("name a file with one or more certificates in PEM form"));
            ExtraRoots::default()
        }),
    };
    let external_account = match (&raw.eab_kid, &raw.eab_key_file) {
        (None, None) => None,
        (Some(id), Some(file)) => {
            let key = key(file, root, faults)?;
            Some(ExternalAccount { id: id.value.clone(), key })
        }
        (Some(one), None) | (None, Some(one)) => {
            let fault = one.fault("an account outside of ACME has an id and a key");
            faults.push(fault.remedy("set both eab_kid and eab_key_file"));
            return None;
        }
    };
    let contacts = raw.contact.as_deref().unwrap_or_default();
    let contacts = contacts.iter().map(|spot| spot.value.clone()).collect();
    let config = AuthorityConfig { directory: directory.value.clone(), contacts, external_account };
    Some((config, roots))
}

fn key(spot: &Spot<String>, root: &Path, faults: &mut Vec<Fault>) -> Option<Zeroizing<Vec<u8>>> {
    let path = below(root, &spot.value);
    let read = match std::fs::metadata(&path) {
        Ok(file) if file.len() > LARGEST_KEY => Err(format!("it has more than {LARGEST_KEY} bytes")),
        Ok(_) => std::fs::read_to_string(&path).map(Zeroizing::new).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let decoded = read.and_then(|text| {
        let text = text.trim().trim_end_matches('=');
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(text);
        decoded.map(Zeroizing::new).map_err(|_| "it is not base64url".to_owned())
    });
    match decoded {
        Ok(key) => Some(key),
        Err(error) => {
            faults.push(spot.fault_shown(error).remedy("name a file with the key as the authority gave it"));
            None
        }
    }
}
