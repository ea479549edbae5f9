//! Where the origins of a zone are, by its DNS records.
//!
//! Owns how the records of a zone are read for that: a name goes before a wildcard, and what leads to another name of the
//! zone is followed there, because out on the Internet that name leads back to the platform. Never resolves anything.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::dns::{DnsContent, DnsRecord};
use crate::domain::Domain;

/// More steps from name to name than this are not followed.
const MOST_STEPS: usize = 8;

/// Where an origin is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OriginPlace {
    /// At these addresses, in the order in which they are worth trying.
    Addresses(Arc<[IpAddr]>),
    /// Where this name, which is none of the zone's records, leads.
    Name(Domain),
}

/// What the records of a zone say of where its names are.
#[derive(Clone, Debug, Default)]
pub struct OriginTable {
    names: HashMap<Box<str>, Said>,
}

/// What the records of one name say.
#[derive(Clone, Debug)]
struct Said {
    /// Those that make it an origin; none does where none is proxied.
    proxied: Option<OriginPlace>,
    all: OriginPlace,
}

impl OriginTable {
    /// Reads the records of a zone.
    #[must_use]
    pub fn of(records: &[DnsRecord]) -> OriginTable {
        let mut by_name: HashMap<&str, Vec<&DnsRecord>> = HashMap::new();
        for record in records {
            by_name.entry(record.name.as_str()).or_default().push(record);
        }
        let said = |records: &[&DnsRecord]| {
            let proxied: Vec<_> = records.iter().filter(|record| record.proxied).copied().collect();
            place(records).map(|all| Said { proxied: place(&proxied), all })
        };
        let names = by_name.iter().filter_map(|(name, records)| Some((Box::from(*name), said(records)?)));
        OriginTable { names: names.collect() }
    }

    /// Where the origin of a name is; none where it is none, or leads in a circle. Wildcards make the names below theirs
    /// origins where they are asked for.
    #[must_use]
    pub fn find(&self, name: &str, wildcards: bool) -> Option<OriginPlace> {
        let said = self.names.get(name).or_else(|| self.covering(name).filter(|_| wildcards))?;
        let mut place = said.proxied.as_ref()?;
        for _ in 0..MOST_STEPS {
            let OriginPlace::Name(target) = place else { return Some(place.clone()) };
            match self.names.get(target.as_str()).or_else(|| self.covering(target.as_str())) {
                Some(next) => place = &next.all,
                None => return Some(place.clone()),
            }
        }
        None
    }

    /// What the nearest wildcard above a name says.
    fn covering(&self, name: &str) -> Option<&Said> {
        let mut rest = name;
        loop {
            rest = rest.split_once('.')?.1;
            if let Some(said) = self.names.get(format!("*.{rest}").as_str()) {
                return Some(said);
            }
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        /// A name, its place in the map, and an address or two.
        const EACH: usize = 256;
        self.names.keys().map(|name| name.len() + EACH).sum()
    }
}

/// Where records of one name lead: to the one name that a CNAME says, or to all addresses, those of IPv4 first.
fn place(records: &[&DnsRecord]) -> Option<OriginPlace> {
    let mut addresses = Vec::new();
    for record in records {
        match &record.content {
            DnsContent::Cname(target) => return Some(OriginPlace::Name(target.clone())),
            DnsContent::A(address) => addresses.push(IpAddr::V4(*address)),
            DnsContent::Aaaa(address) => addresses.push(IpAddr::V6(*address)),
        }
    }
    addresses.sort_unstable();
    (!addresses.is_empty()).then(|| OriginPlace::Addresses(addresses.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DnsRecordId, ZoneId};
    use crate::timestamp::Timestamp;
    use crate::zone::DnsRecordEdit;

    fn table(records: &[(&str, &str, &str, bool)]) -> OriginTable {
        let zone = Domain::parse("saas.test").unwrap();
        let made = records.iter().map(|(name, kind, content, proxied)| {
            let edit = DnsRecordEdit {
                kind: Some((*kind).to_owned()),
                name: Some((*name).to_owned()),
                content: Some((*content).to_owned()),
                proxied: Some(*proxied),
                ..DnsRecordEdit::default()
            };
            let new = edit.apply(None, &zone).unwrap();
            DnsRecord {
                id: DnsRecordId::parse(&"0".repeat(32)).unwrap(),
                zone: ZoneId::parse(&"0".repeat(32)).unwrap(),
                name: new.name,
                content: new.content,
                ttl: 1,
                proxied: new.proxied,
                comment: None,
                tags: Vec::new(),
                created_on: Timestamp::now(),
                modified_on: Timestamp::now(),
                configuration: None,
            }
        });
        OriginTable::of(&made.collect::<Vec<_>>())
    }

    fn at(addresses: &[&str]) -> Option<OriginPlace> {
        Some(OriginPlace::Addresses(addresses.iter().map(|address| address.parse().unwrap()).collect()))
    }

    fn named(name: &str) -> Option<OriginPlace> {
        Some(OriginPlace::Name(Domain::parse(name).unwrap()))
    }

    #[test]
    fn an_origin_is_where_its_proxied_records_say() {
        let table = table(&[
            ("one", "AAAA", "2001:db8::1", true),
            ("one", "A", "192.0.2.2", true),
            ("one", "A", "192.0.2.1", true),
            ("plain", "A", "192.0.2.3", false),
            ("mixed", "A", "192.0.2.4", false),
            ("mixed", "A", "192.0.2.5", true),
            ("away", "CNAME", "host.provider.test", true),
        ]);
        let find = |name: &str| table.find(&format!("{name}.saas.test"), true);
        assert_eq!(find("one"), at(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]));
        assert_eq!(find("plain"), None);
        assert_eq!(find("mixed"), at(&["192.0.2.5"]));
        assert_eq!(find("away"), named("host.provider.test"));
        assert_eq!(find("nobody"), None);
    }

    #[test]
    fn a_name_of_the_zone_is_followed_in_the_zone_and_circles_lead_nowhere() {
        let table = table(&[
            ("customers", "CNAME", "proxy.saas.test", true),
            ("proxy", "CNAME", "machine.saas.test", true),
            ("machine", "A", "192.0.2.1", false),
            ("gone", "CNAME", "nothing.saas.test", true),
            ("round", "CNAME", "about.saas.test", true),
            ("about", "CNAME", "round.saas.test", true),
        ]);
        assert_eq!(table.find("customers.saas.test", false), at(&["192.0.2.1"]));
        assert_eq!(table.find("gone.saas.test", false), named("nothing.saas.test"));
        assert_eq!(table.find("round.saas.test", false), None);
    }

    #[test]
    fn a_name_goes_before_a_wildcard_and_the_nearest_wildcard_before_others() {
        let table = table(&[
            ("*", "A", "192.0.2.1", true),
            ("*.shops", "A", "192.0.2.2", true),
            ("plain.shops", "A", "192.0.2.3", false),
        ]);
        assert_eq!(table.find("a.saas.test", true), at(&["192.0.2.1"]));
        assert_eq!(table.find("a.b.saas.test", true), at(&["192.0.2.1"]));
        assert_eq!(table.find("a.shops.saas.test", true), at(&["192.0.2.2"]));
        assert_eq!(table.find("plain.shops.saas.test", true), None);
        assert_eq!(table.find("saas.test", true), None);
        assert_eq!(table.find("a.saas.test", false), None);
    }
}
