//! What one name server shows of a hostname.
//!
//! Owns the questions to one server: the text, and where the name leads, a question a step. Must never conclude anything from a
//! single server: that is whoever asks several.

use std::net::IpAddr;

use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{CustomHostname, FlawCode, FlawPlace};

use crate::dns::{Answer, Dns, Question, Record};
use crate::networks;
use crate::seen::{Expected, Leads, MOST_STEPS, Proof};

/// What one name server showed.
pub(crate) struct Sight {
    pub(crate) by: String,
    pub(crate) txt: bool,
    /// Whether it said anything about the text: then it can be asked more.
    pub(crate) is_heard: bool,
    pub(crate) leads: Leads,
    /// The name or the address of the zone that it leads to.
    pub(crate) to: Option<Proof>,
    pub(crate) saw: Vec<Saw>,
}

/// One thing that was seen or missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Saw {
    pub(crate) code: FlawCode,
    pub(crate) place: FlawPlace,
    pub(crate) name: String,
    pub(crate) expected: Option<String>,
    pub(crate) text: String,
}

/// Asks one name server.
pub(crate) async fn sight(expected: &Expected<'_>, server: &dyn Dns) -> Sight {
    let way = Way { expected, server, wanted: target(expected), asked: asked(expected.hostname) };
    let mut saw = Vec::new();
    let owner = expected.hostname.ownership_txt_name();
    let (text, (leads, to)) = futures::join!(server.ask(&owner, Question::Txt), way.follow(&mut saw));
    let txt = text.records().iter().any(|record| has(record, &expected.hostname.ownership_token));
    if !txt && leads != Leads::Here {
        saw.push(without_token(expected, owner, &text));
    }
    let is_heard = !matches!(text, Answer::Failed(_) | Answer::Bogus(_));
    Sight { by: server.name(), txt, is_heard, leads, to, saw }
}

/// Whether a record is the token.
pub(crate) fn has(record: &Record, token: &str) -> bool {
    matches!(record, Record::Txt(text) if text.trim() == token)
}

/// What was answered in place of a text with the token.
fn without_token(expected: &Expected<'_>, owner: String, text: &Answer) -> Saw {
    let token = &expected.hostname.ownership_token;
    let (code, said) = match text {
        Answer::Records(records) => {
            let spelt = records.iter().find_map(|record| match record {
                Record::Txt(text) if is_misspelt(text, token) => Some(text),
                _ => None,
            });
            match spelt {
                Some(text) => (
                    FlawCode::ValueMisspelt,
                    format!("the TXT record {owner} does not have the token alone: {text:?}"),
                ),
                None => (
                    FlawCode::ValueWrong,
                    format!("the TXT record {owner} does not have the token{}", shown(records)),
                ),
            }
        }
        Answer::None | Answer::NoName => (FlawCode::RecordMissing, format!("there is no TXT record {owner}")),
        Answer::Failed(why) => (FlawCode::NameServersFail, format!("TXT of {owner}: {why}")),
        Answer::Bogus(why) => (FlawCode::DnssecBroken, format!("TXT of {owner}: {why}")),
    };
    Saw { code, place: FlawPlace::Txt, name: owner, expected: Some(token.clone()), text: said }
}

/// Whether a text is the token for a reader, and not for a machine: the token is in it.
fn is_misspelt(text: &str, token: &str) -> bool {
    let bare: String = text.chars().filter(|sign| !sign.is_whitespace()).collect();
    text.trim() != token && (text.contains(token) || bare.contains(token))
}

/// The texts that are there, shortened.
fn shown(records: &[Record]) -> String {
    let texts = records.iter().filter_map(|record| match record {
        Record::Txt(text) => Some(format!("{:?}", text.chars().take(64).collect::<String>())),
        _ => None,
    });
    let texts: Vec<String> = texts.take(3).collect();
    if texts.is_empty() { String::new() } else { format!(": {}", texts.join(", ")) }
}

/// What customers of the zone point at.
pub(crate) fn target(expected: &Expected<'_>) -> Option<String> {
    let fallback = expected.zone.fallback_origin.as_ref().map(|fallback| fallback.origin.to_string());
    let record =
        || expected.records.iter().find(|record| record.proxied).map(|record| record.name.to_string());
    fallback.or_else(record)
}

/// The name that is asked for in the place of a hostname. For a wildcard it is one that nobody made a record for, so that
/// what answers is the wildcard's.
pub(crate) fn asked(hostname: &CustomHostname) -> String {
    if hostname.name.is_wildcard() {
        let id = hostname.id.to_string();
        format!("check-{}.{}", id.get(..8).unwrap_or(&id), hostname.name.base())
    } else {
        hostname.name.as_str().to_owned()
    }
}

/// Whether a name is one that customers of the zone point to: the fallback origin, or a record whose requests come through
/// the platform.
fn leads_to_zone(expected: &Expected<'_>, target: &Domain) -> bool {
    let fallback = expected.zone.fallback_origin.as_ref().is_some_and(|fallback| fallback.origin == *target);
    fallback || expected.records.iter().any(|record| record.proxied && record.name.covers(target))
}

/// The way from a name, as one server shows it.
struct Way<'w> {
    expected: &'w Expected<'w>,
    server: &'w dyn Dns,
    wanted: Option<String>,
    asked: String,
}

impl Way<'_> {
    fn saw(&self, code: FlawCode, place: FlawPlace, name: &str, text: String) -> Saw {
        Saw { code, place, name: name.to_owned(), expected: self.wanted.clone(), text }
    }

    /// Follows CNAMEs from the name, a question a step, until one leads to the zone, or to addresses.
    async fn follow(&self, saw: &mut Vec<Saw>) -> (Leads, Option<Proof>) {
        let Way { expected, server, asked, .. } = self;
        let mut name = asked.clone();
        let mut passed: Vec<String> = Vec::new();
        let chain = |text| self.saw(FlawCode::CnameChain, FlawPlace::Cname, asked, text);
        loop {
            match server.ask(&name, Question::Cname).await {
                Answer::Records(records) => {
                    let Some(target) = records.iter().find_map(|record| match record {
                        Record::Cname(target) => Some(target.clone()),
                        Record::Txt(_) | Record::Address(_) | Record::Caa { .. } => None,
                    }) else {
                        saw.push(chain(format!("{name} has a CNAME that is no name")));
                        return (Leads::Elsewhere, None);
                    };
                    if leads_to_zone(expected, &target) {
                        return (Leads::Here, Some(Proof::Cname(target)));
                    }
                    if self.is_misspelt(&target) {
                        let text = format!("{name} is a CNAME of {target}");
                        saw.push(self.saw(FlawCode::TargetMisspelt, FlawPlace::Cname, &name, text));
                        return (Leads::Elsewhere, None);
                    }
                    if target.as_str() == name || passed.iter().any(|one| one == target.as_str()) {
                        saw.push(chain(format!("the CNAMEs from {asked} lead in a circle at {target}")));
                        return (Leads::Elsewhere, None);
                    }
                    passed.push(std::mem::replace(&mut name, target.as_str().to_owned()));
                    if passed.len() >= MOST_STEPS {
                        saw.push(chain(format!("more than {MOST_STEPS} CNAMEs follow from {asked}")));
                        return (Leads::Elsewhere, None);
                    }
                }
                Answer::None => return self.addresses(&name, &passed, saw).await,
                Answer::NoName => {
                    saw.push(match passed.first() {
                        None => self.saw(
                            FlawCode::RecordMissing,
                            FlawPlace::Cname,
                            &name,
                            format!("there is no name {name}"),
                        ),
                        Some(_) => {
                            let text = format!("there is no name {name}, which {asked} is a CNAME of");
                            self.saw(FlawCode::CnameElsewhere, FlawPlace::Cname, asked, text)
                        }
                    });
                    return (Leads::Elsewhere, None);
                }
                Answer::Failed(why) => {
                    let text = format!("CNAME of {name}: {why}");
                    saw.push(self.saw(FlawCode::NameServersFail, FlawPlace::Cname, &name, text));
                    return (Leads::Unknown, None);
                }
                Answer::Bogus(why) => {
                    let text = format!("CNAME of {name}: {why}");
                    saw.push(self.saw(FlawCode::DnssecBroken, FlawPlace::Cname, &name, text));
                    return (Leads::Unknown, None);
                }
            }
        }
    }

    /// Whether a name is what was wanted with something behind it, as it comes of a target without its dot.
    fn is_misspelt(&self, target: &Domain) -> bool {
        let behind = |wanted: &String| {
            target.as_str().strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        self.wanted.as_ref().is_some_and(behind)
    }

    async fn addresses(&self, name: &str, passed: &[String], saw: &mut Vec<Saw>) -> (Leads, Option<Proof>) {
        let (zone, asked, apex) = (&self.expected.zone.name, &self.asked, self.expected.apex);
        let (four, six) =
            futures::join!(self.server.ask(name, Question::A), self.server.ask(name, Question::Aaaa));
        let found: Vec<IpAddr> = [&four, &six]
            .into_iter()
            .flat_map(|answer| answer.records())
            .filter_map(|record| match record {
                Record::Address(address) => Some(*address),
                Record::Txt(_) | Record::Cname(_) | Record::Caa { .. } => None,
            })
            .collect();
        let is_ours = |address: &IpAddr| apex.iter().any(|net| net.contains(address));
        if let Some(address) = found.iter().find(|address| is_ours(address)) {
            if let Some(other) =
                found.iter().find(|other| !is_ours(other) && other.is_ipv6() && address.is_ipv4())
            {
                let text = format!("{name} has the address {address} of {zone}, and {other}, which is none");
                saw.push(self.saw(FlawCode::Ipv6Elsewhere, FlawPlace::Aaaa, name, text));
            }
            // By way of another name it is that name's owner who says where it leads: to another zone of this platform, maybe.
            if passed.is_empty() {
                return (Leads::Here, Some(Proof::Address(*address)));
            }
            let text = format!("{asked} leads to {address} by way of {name}, which is no target of {zone}");
            saw.push(self.saw(FlawCode::CnameElsewhere, FlawPlace::Cname, asked, text));
            return (Leads::Here, None);
        }
        if !apex.is_empty() {
            for answer in [&four, &six] {
                let (code, why) = match answer {
                    Answer::Failed(why) => (FlawCode::NameServersFail, why),
                    Answer::Bogus(why) => (FlawCode::DnssecBroken, why),
                    Answer::Records(_) | Answer::None | Answer::NoName => continue,
                };
                saw.push(self.saw(code, FlawPlace::A, name, format!("addresses of {name}: {why}")));
                return (Leads::Unknown, None);
            }
        }
        saw.push(self.elsewhere(name, passed, &found));
        (Leads::Elsewhere, None)
    }

    /// What is told of a name that ends elsewhere.
    fn elsewhere(&self, name: &str, passed: &[String], found: &[IpAddr]) -> Saw {
        let (zone, asked) = (&self.expected.zone.name, &self.asked);
        let shown = found.iter().take(4).map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        let network = passed
            .iter()
            .map(String::as_str)
            .chain([name])
            .find_map(networks::of_name)
            .or_else(|| found.iter().find_map(|address| networks::of_address(*address)));
        let (code, place, text) = match (passed.is_empty(), found.first()) {
            (false, _) => {
                let text = format!("{asked} is a CNAME that ends at {name}, which is no target of {zone}");
                (FlawCode::CnameElsewhere, FlawPlace::Cname, text)
            }
            (true, None) if self.expected.apex.is_empty() => {
                (FlawCode::RecordMissing, FlawPlace::Cname, format!("{name} has no CNAME"))
            }
            (true, None) => {
                (FlawCode::RecordMissing, FlawPlace::Cname, format!("{name} has no CNAME and no address"))
            }
            (true, Some(first)) => {
                let place = if first.is_ipv4() { FlawPlace::A } else { FlawPlace::Aaaa };
                let text = format!("{name} has the addresses {shown}, none of which is one of {zone}");
                (FlawCode::AddressElsewhere, place, text)
            }
        };
        match network {
            Some(whose) => {
                self.saw(FlawCode::ProxiedElsewhere, place, asked, format!("{text}: it is {whose}'s"))
            }
            None => self.saw(code, place, asked, text),
        }
    }
}
