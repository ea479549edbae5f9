//! `[zones.NAME]`: zones, their records and custom hostnames, each value read by the grammar that the API has for it.

use std::collections::HashMap;

use wasmyard_control::configuration::DeclaredZone;
use wasmyard_namespaces::hostname::{
    BundleMethod, CertificateAuthority, CertificateType, HostnameMetadata, OriginEdit, OriginSni, SslEdit,
    TlsSettings, ValidationMethod,
};
use wasmyard_namespaces::tls::{Cipher, Switch, TlsVersion};
use wasmyard_namespaces::zone::{
    DnsRecordEdit, DnsRecordType, FALLBACK_ORIGIN, HOLD, NewDnsRecord, SETTINGS, Setting, SettingId, ZoneHold,
};
use wasmyard_namespaces::{
    ConfigKeys, CustomHostnameEdit, CustomName, Domain, DomainError, HostnameError, NewCustomHostname, Zone,
    ZoneEdit,
};

use super::super::Purpose;
use super::super::document::Spot;
use super::super::fault::Fault;
use super::super::keys::{RawDnsRecord, RawHostname, RawSsl, RawTlsSettings, RawZone};
use super::super::section::Named;

/// Resolves all zones. `reserved` lets customers have names that are kept for tests.
pub(super) fn zones(
    raw: &[Named<RawZone>],
    reserved: bool,
    purpose: Purpose,
    faults: &mut Vec<Fault>,
) -> Vec<DeclaredZone> {
    let mut reader = Zones { reserved, purpose, faults };
    let mut lines: HashMap<Domain, usize> = HashMap::new();
    let mut found = Vec::new();
    for raw in raw {
        let Some(zone) = reader.zone(raw) else { continue };
        if let Some(line) = lines.insert(zone.name.clone(), raw.name.line) {
            let fault = raw.name.fault(format!("line {line} already declares the zone {}", zone.name));
            reader.faults.push(fault.remedy("remove one of the two"));
        }
        found.push(zone);
    }
    found
}

struct Zones<'f> {
    reserved: bool,
    purpose: Purpose,
    faults: &'f mut Vec<Fault>,
}

/// A closed word, or a fault that names those that there are.
fn word<T: Copy>(
    spot: Option<&Spot<String>>,
    all: &[T],
    text: fn(T) -> &'static str,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    let spot = spot?;
    let found = all.iter().copied().find(|one| text(*one) == spot.value);
    if found.is_none() {
        let words: Vec<String> = all.iter().map(|one| format!("\"{}\"", text(*one))).collect();
        faults
            .push(spot.fault_shown("there is no such value").remedy(format!("write {}", words.join(" or "))));
    }
    found
}

impl Zones<'_> {
    /// Keeps what was read, or notes what is wrong with it.
    fn keep<T, E: std::fmt::Display, V>(
        &mut self,
        spot: &Spot<V>,
        read: Result<T, E>,
        remedy: &str,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(spot.fault(error.to_string()).remedy(remedy));
                None
            }
        }
    }

    fn zone(&mut self, raw: &Named<RawZone>) -> Option<DeclaredZone> {
        let spot = &raw.name;
        let name = self.keep(
            spot,
            Zone::parse_name(&spot.value),
            "a zone is a domain of yours, [zones.\"saas.example\"]",
        );
        let mut keys = ConfigKeys::default();
        let mut edit = ZoneEdit::default();
        for spot in &raw.settings {
            let (id, value) = &spot.value;
            let known = SettingId::parse(id);
            let setting = match known {
                Some(id) => self.keep(spot, Setting::parse(id, value), "write one of them"),
                None => {
                    let known: Vec<&str> = SettingId::ALL.iter().map(|id| id.as_str()).collect();
                    let fault = spot.fault("there is no such setting");
                    self.faults.push(fault.remedy(format!("the settings are {}", known.join(", "))));
                    None
                }
            };
            if let Some(setting) = setting {
                keys.insert(format!("{SETTINGS}{id}"));
                edit.settings.push(setting);
            }
        }
        if let Some(hold) = &raw.hold {
            let include_subdomains = hold.include_subdomains.as_ref().is_some_and(|spot| spot.value);
            keys.insert(HOLD);
            edit.hold = Some(Some(ZoneHold { include_subdomains, hold_after: None }));
        }
        let fallback = raw.fallback_origin.as_ref().and_then(|spot| {
            let origin =
                self.keep(spot, Domain::from_any_alphabet(&spot.value), "write a name of the zone")?;
            Some((spot, origin))
        });
        let name = name?;
        let (records, origins) = self.records(&raw.dns_records, &name);
        if let Some((spot, origin)) = fallback {
            if origin.is_within(&name) {
                self.origin(spot, &origin, &origins);
            } else {
                let fault = spot.fault_shown(format!("this is not in the zone {name}"));
                self.faults.push(fault.remedy("a fallback origin is one of the zone's own names"));
            }
            keys.insert(FALLBACK_ORIGIN);
            edit.fallback_origin = Some(Some(origin));
        }
        let hostnames = self.hostnames(&raw.hostnames, &origins);
        Some(DeclaredZone { name, edit, keys, records, hostnames })
    }

    /// The records, and the names that are origins by them.
    fn records(&mut self, raw: &[RawDnsRecord], zone: &Domain) -> (Vec<DnsRecordEdit>, Vec<String>) {
        let mut found: Vec<(usize, NewDnsRecord)> = Vec::new();
        let (mut edits, mut origins) = (Vec::new(), Vec::new());
        for raw in raw {
            let text = |spot: &Option<Spot<String>>| spot.as_ref().map(|spot| spot.value.clone());
            let edit = DnsRecordEdit {
                kind: text(&raw.r#type),
                name: text(&raw.name),
                content: text(&raw.content),
                ttl: raw.ttl.as_ref().map(|spot| spot.value),
                proxied: raw.proxied.as_ref().map(|spot| spot.value),
                comment: Some(text(&raw.comment)),
                tags: raw.tags.as_ref().map(|tags| tags.iter().map(|spot| spot.value.clone()).collect()),
            };
            let (line, place) = (raw.place.line, &raw.place);
            let missing = [("type", &edit.kind), ("name", &edit.name), ("content", &edit.content)]
                .into_iter()
                .find(|(_, given)| given.is_none());
            if let Some((key, _)) = missing {
                let fault = Fault::new(line, place.key(key), "the key is missing");
                self.faults.push(fault.remedy("a record needs type, name and content"));
                continue;
            }
            let record = match edit.apply(None, zone) {
                Ok(record) => record,
                Err(error) => {
                    self.faults.push(Fault::new(line, place.key.clone(), error.to_string()));
                    continue;
                }
            };
            let is_cname = |record: &NewDnsRecord| record.content.kind() == DnsRecordType::Cname;
            let clash = found.iter().find(|(_, other)| {
                let same = other.content == record.content || is_cname(other) || is_cname(&record);
                other.name == record.name && same
            });
            if let Some((other, _)) = clash {
                let text = format!("it does not go with the record of {} in line {other}", record.name);
                let fault = Fault::new(line, place.key.clone(), text);
                self.faults.push(fault.remedy("no two are the same, and a CNAME stands alone"));
                continue;
            }
            if record.proxied {
                origins.push(record.name.to_string());
            }
            found.push((line, record));
            edits.push(edit);
        }
        (edits, origins)
    }

    /// Notes an origin that no record of the file makes one: the API may have.
    fn origin(&mut self, spot: &Spot<String>, origin: &Domain, origins: &[String]) {
        if self.purpose == Purpose::Deploy || origins.iter().any(|known| known == origin.as_str()) {
            return;
        }
        let fault = spot.fault_shown("this file has no proxied record for it");
        let remedy = "add one to the zone's dns_records";
        self.faults.push(match self.purpose {
            Purpose::Dev => fault.remedy(remedy),
            Purpose::Serve | Purpose::Check | Purpose::Deploy => {
                fault.remedy(format!("{remedy}, or make it through the API")).warning()
            }
        });
    }

    fn hostnames(
        &mut self,
        raw: &[Named<RawHostname>],
        origins: &[String],
    ) -> Vec<(NewCustomHostname, ConfigKeys)> {
        let mut lines: HashMap<CustomName, usize> = HashMap::new();
        let mut found = Vec::new();
        for raw in raw {
            let Some(name) = self.customer_name(&raw.name) else { continue };
            if let Some(line) = lines.insert(name.clone(), raw.name.line) {
                let fault = raw.name.fault(format!("line {line} already declares {name}"));
                self.faults.push(fault.remedy("remove one of the two"));
                continue;
            }
            let mut keys = ConfigKeys::default();
            let metadata = raw.custom_metadata.as_ref().and_then(|spot| {
                keys.insert("custom_metadata");
                self.keep(spot, HostnameMetadata::take(&spot.value), "write a table like { plan = \"gold\" }")
            });
            let server = raw.custom_origin_server.as_ref().and_then(|spot| {
                keys.insert("custom_origin_server");
                let read = OriginEdit::parse_server(&spot.value, self.lets_reserved());
                let server = self.keep(spot, read, "write a name of the zone")?;
                self.origin(spot, &server, origins);
                Some(Some(server))
            });
            let sni = raw.custom_origin_sni.as_ref().and_then(|spot| {
                keys.insert("custom_origin_sni");
                self.keep(spot, OriginSni::parse(&spot.value), "write a name, or \":request_host_header:\"")
                    .map(Some)
            });
            let ssl = raw.ssl.as_ref().map(|ssl| self.ssl(ssl, &mut keys));
            let origin = OriginEdit { server, sni };
            let edit = CustomHostnameEdit { name: None, metadata, origin, ssl };
            if let Err(error) = edit.check(&name) {
                self.faults.push(raw.name.fault(error.to_string()));
                continue;
            }
            found.push((NewCustomHostname { name, edit }, keys));
        }
        found
    }

    fn lets_reserved(&self) -> bool {
        self.reserved || self.purpose != Purpose::Serve
    }

    fn customer_name(&mut self, spot: &Spot<String>) -> Option<CustomName> {
        match CustomName::for_customer(&spot.value, self.reserved || self.purpose == Purpose::Dev) {
            Ok(name) => Some(name),
            Err(error @ (DomainError::Reserved { .. } | DomainError::Documentation { .. })) => {
                let remedy =
                    "`dev` lets customers have it; `serve` does with reserved_names = true under [server]";
                let fault = spot.fault(HostnameError::Name(error).to_string()).remedy(remedy);
                let only_dev = self.purpose != Purpose::Serve;
                self.faults.push(if only_dev { fault.warning() } else { fault });
                CustomName::for_customer(&spot.value, true).ok().filter(|_| only_dev)
            }
            Err(error) => {
                self.faults.push(spot.fault(HostnameError::Name(error).to_string()));
                None
            }
        }
    }

    fn ssl(&mut self, raw: &RawSsl, keys: &mut ConfigKeys) -> SslEdit {
        let named = [
            ("ssl.method", raw.method.is_some()),
            ("ssl.type", raw.r#type.is_some()),
            ("ssl.certificate_authority", raw.certificate_authority.is_some()),
            ("ssl.bundle_method", raw.bundle_method.is_some()),
            ("ssl.wildcard", raw.wildcard.is_some()),
            ("ssl.cloudflare_branding", raw.cloudflare_branding.is_some()),
            ("ssl.settings", raw.settings.is_some()),
        ];
        named.into_iter().filter(|(_, named)| *named).for_each(|(key, _)| keys.insert(key));
        let faults = &mut *self.faults;
        // Mail is a way of the API's that this server does not have.
        let methods = [ValidationMethod::Http, ValidationMethod::Txt];
        let authority = raw.certificate_authority.as_ref();
        let settings = raw.settings.as_ref().map(|settings| tls_settings(settings, faults));
        SslEdit {
            method: word(raw.method.as_ref(), &methods, ValidationMethod::as_str, faults),
            kind: word(raw.r#type.as_ref(), CertificateType::ALL, CertificateType::as_str, faults),
            certificate_authority: match authority {
                Some(spot) if spot.value.is_empty() => Some(None),
                spot => word(spot, CertificateAuthority::ALL, CertificateAuthority::as_str, faults).map(Some),
            },
            bundle_method: word(raw.bundle_method.as_ref(), BundleMethod::ALL, BundleMethod::as_str, faults),
            wildcard: raw.wildcard.as_ref().map(|spot| spot.value),
            branding: raw.cloudflare_branding.as_ref().map(|spot| spot.value),
            settings,
            uploaded: None,
        }
    }
}

fn tls_settings(raw: &RawTlsSettings, faults: &mut Vec<Fault>) -> TlsSettings {
    let ciphers = raw.ciphers.as_ref().map(|spots| {
        let known = |spot: &Spot<String>| word(Some(spot), Cipher::ALL, Cipher::as_str, faults);
        spots.iter().filter_map(known).collect()
    });
    let mut switch = |spot: &Option<Spot<String>>| word(spot.as_ref(), Switch::ALL, Switch::as_str, faults);
    let (http2, tls_1_3, early_hints) = (switch(&raw.http2), switch(&raw.tls_1_3), switch(&raw.early_hints));
    TlsSettings {
        http2,
        tls_1_3,
        tls_1_2_only: None,
        min_tls_version: word(raw.min_tls_version.as_ref(), TlsVersion::ALL, TlsVersion::as_str, faults),
        early_hints,
        ciphers,
    }
}
