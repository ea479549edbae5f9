//! `[tls]`: where visitors are served over TLS, and with which certificates. The files are read here, so that a mistake in
//! one is told with its line, before anything starts and before a reload changes anything.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use wasmyard_hostnames::ServedName;
use wasmyard_hostnames::certificates::{Kind, LARGEST_FILE, Pair, Served};
use wasmyard_listener::tls::{ClientAuth, Settings};

use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::{ClientCertificates, RawCertificate, RawServer, RawTls};
use super::super::locate::below;
use super::super::{Purpose, TlsConfig};

/// Resolves `[tls]` and `listen_tls`.
pub(super) fn tls(
    server: &RawServer,
    raw: &RawTls,
    root: &Path,
    purpose: Purpose,
    faults: &mut Vec<Fault>,
) -> TlsConfig {
    let listen = server.listen_tls.as_ref().and_then(|spot| address(spot, faults));
    // Whoever deploys has not the server's files, and `dev` has certificates of its own.
    let (certificates, default) = match purpose {
        Purpose::Serve | Purpose::Check => certificates(raw, root, faults),
        Purpose::Dev | Purpose::Deploy => (Vec::new(), None),
    };
    let redirect = raw.redirect.as_ref().is_some_and(|spot| spot.value);
    if let (None, Some(spot)) = (listen, &raw.redirect)
        && redirect
    {
        let fault = spot.fault("there is nothing to send visitors to without `listen_tls`").value("true");
        faults.push(fault.remedy("say under [server] where visitors connect over TLS"));
    }
    if let (None, Some(first)) = (listen, raw.certificates.first()) {
        let fault =
            Fault::new(first.place.line, "tls.certificates", "without `listen_tls` nobody is served with it");
        faults.push(fault.remedy("say under [server] where visitors connect over TLS").warning());
    }
    let redirect_port = raw.redirect_port.as_ref().and_then(|spot| match u16::try_from(spot.value) {
        Ok(port) if port > 0 => Some(port),
        _ => {
            let fault = spot.fault("expected a port").value(spot.value.to_string());
            faults.push(fault.remedy("write a number from 1 to 65535"));
            None
        }
    });
    let strict = raw.hsts_seconds.as_ref().map(|spot| Duration::from_secs(spot.value));
    let http3 = server.http3.as_ref().is_none_or(|spot| spot.value);
    TlsConfig { listen, http3, redirect, redirect_port, strict, certificates, default }
}

pub(super) fn address(spot: &Spot<String>, faults: &mut Vec<Fault>) -> Option<SocketAddr> {
    let parsed = spot.value.parse();
    if parsed.is_err() {
        let fault = spot.fault_shown("expected an IP address and a port");
        faults.push(fault.remedy("write it as \"0.0.0.0:443\""));
    }
    parsed.ok()
}

/// All certificates by the names that they serve, and the name of the default one.
fn certificates(raw: &RawTls, root: &Path, faults: &mut Vec<Fault>) -> (Vec<Served>, Option<ServedName>) {
    let mut found = BTreeMap::<ServedName, Served>::new();
    let mut default: Option<ServedName> = None;
    for entry in raw.certificates.iter() {
        let Some(pair) = pair(entry, root, faults) else { continue };
        let http2 = entry.http2.as_ref().is_none_or(|spot| spot.value);
        let least_version = entry.min_version.get(faults);
        let Ok(clients) = clients(entry, root, faults) else { continue };
        let settings = Settings { least_version, http2, clients, ..Settings::default() };
        let hosts = hosts(entry, &pair, faults);
        if let Some(spot) = entry.default.as_ref().filter(|spot| spot.value) {
            let first = hosts.first().map(|(_, name)| name);
            match (&default, first) {
                // The other certificate of the same host.
                (Some(before), Some(first)) if before == first => {}
                (Some(_), Some(_)) => {
                    let fault = spot.fault("another certificate is the default one already").value("true");
                    faults.push(fault.remedy("say it of one host"));
                }
                (None, first) => default = first.cloned(),
                (Some(_), None) => {}
            }
        }
        for (line, name) in hosts {
            let pairs = vec![pair.clone()];
            let served = Served { name: name.clone(), kind: Kind::Host, settings: settings.clone(), pairs };
            match found.get_mut(&name) {
                None => drop(found.insert(name, served)),
                Some(before) => join(before, served, line, faults),
            }
        }
    }
    (found.into_values().collect(), default)
}

/// What the hosts of an entry ask of clients. An error was told.
fn clients(entry: &RawCertificate, root: &Path, faults: &mut Vec<Fault>) -> Result<Option<ClientAuth>, ()> {
    let required = entry.client_certificates.get(faults) == ClientCertificates::Required;
    let Some(spot) = &entry.client_ca else { return Ok(None) };
    let text = file(Some(spot), "client_ca", entry.place.line, root, faults).ok_or(())?;
    let clients = ClientAuth::from_pem(&text, required).map_err(|error| {
        let fault = spot.fault_shown(error.to_string());
        faults
            .push(fault.remedy("give the certificates of the authorities that issue those of your clients"));
    });
    clients.map(Some)
}

/// Adds a second certificate of a name, if it is for another kind of key.
fn join(before: &mut Served, also: Served, line: usize, faults: &mut Vec<Fault>) {
    let fault = |expected: &str| Fault::new(line, "tls.certificates", expected).value(also.name.to_string());
    if before.settings != also.settings {
        let fault = fault(
            "both certificates of a host need the same `min_version`, `http2` and authorities of clients",
        );
        return faults.push(fault.remedy("write the same in both"));
    }
    let differs = |pair: &Pair| before.pairs.iter().all(|other| !other.is_of_the_kind_of(pair));
    match also.pairs.into_iter().find(differs) {
        Some(pair) => before.pairs.push(pair),
        None => {
            let fault = Fault::new(
                line,
                "tls.certificates",
                "this host has a certificate for that kind of key already",
            );
            let fault = fault.value(also.name.to_string());
            faults.push(fault.remedy("name in `hosts` which hosts each certificate is to serve"));
        }
    }
}

/// The hosts that a certificate is to serve, each with the line that names it.
fn hosts(entry: &RawCertificate, pair: &Pair, faults: &mut Vec<Fault>) -> Vec<(usize, ServedName)> {
    let Some(named) = &entry.hosts else {
        return pair.names().iter().map(|name| (entry.place.line, name.clone())).collect();
    };
    let mut found = Vec::new();
    for spot in named {
        match ServedName::parse(&spot.value) {
            Err(error) => {
                let fault = spot.fault_shown(error.to_string());
                faults.push(fault.remedy("write a host name, or `*.` and a host name"));
            }
            Ok(name) if pair.is_for(&name) => found.push((spot.line, name)),
            Ok(_) => {
                let names: Vec<&str> = pair.names().iter().map(ServedName::as_str).collect();
                let fault = spot.fault_shown("the certificate is not for this host");
                faults.push(fault.remedy(format!("it is for {}", names.join(", "))));
            }
        }
    }
    found
}

/// Reads the two files of an entry.
fn pair(entry: &RawCertificate, root: &Path, faults: &mut Vec<Fault>) -> Option<Pair> {
    let line = entry.place.line;
    let chain = file(entry.chain.as_ref(), "chain", line, root, faults);
    let key = file(entry.key.as_ref(), "key", line, root, faults);
    let (chain, key) = (chain?, key?);
    let spot = entry.chain.as_ref()?;
    let pair = Pair::from_pem(&chain, &key);
    let pair = pair.map_err(|error| {
        let fault = spot.fault_shown(error.to_string());
        faults.push(
            fault.remedy("give the chain and the key that belong together, as the authority issued them"),
        );
    });
    let pair = pair.ok()?;
    let now = SystemTime::now();
    let told = if pair.not_after() <= now {
        Some("it has expired: browsers refuse it")
    } else if pair.not_before() > now {
        Some("it is not valid yet: browsers refuse it until then")
    } else if pair.is_late(now) {
        Some("less than a third of its life is left")
    } else {
        None
    };
    if let Some(told) = told {
        faults.push(spot.fault_shown(told).remedy("renew it, and send SIGHUP to the server").warning());
    }
    Some(pair)
}

fn file(
    spot: Option<&Spot<String>>,
    key: &str,
    line: usize,
    root: &Path,
    faults: &mut Vec<Fault>,
) -> Option<Vec<u8>> {
    let Some(spot) = spot else {
        let fault =
            Fault::new(line, format!("tls.certificates.{key}"), "a certificate needs its chain and its key");
        faults.push(fault.remedy(format!("add `{key}` with the path of a file in PEM form")));
        return None;
    };
    let path = below(root, &spot.value);
    let read = std::fs::metadata(&path).and_then(|file| {
        if file.len() > u64::try_from(LARGEST_FILE).unwrap_or(u64::MAX) {
            return Err(std::io::Error::other("it has more than 256 KiB"));
        }
        std::fs::read(&path)
    });
    match read {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let fault = spot.fault_shown(format!("the file cannot be read: {error}"));
            faults.push(fault.remedy(
                "paths are below the folder of this file; the server's user has to be able to read it",
            ));
            None
        }
    }
}
