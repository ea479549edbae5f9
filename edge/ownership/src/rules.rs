//! Whether a name is its customer's, as far as name servers and the customer's web server show.
//!
//! Owns the four ways to show it (a TXT record, a token over HTTP, a CNAME to the zone, an address of the zone's), and how many
//! name servers must say the same. Source: the product's pages *Hostname validation* (pre-validation, real-time validation).
//! Must never believe a single server where there are several.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use ipnet::IpNet;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::CustomHostname;
use wasmyard_model::zone::{DnsRecord, Zone};

use crate::dns::{Answer, Dns, Question, Record};

/// Most CNAMEs that are followed from a name.
pub const MOST_STEPS: usize = 8;
/// Most sentences that are kept of a check.
pub const MOST_NOTES: usize = 16;
/// The longest of them, in bytes.
pub const LONGEST_NOTE: usize = 400;

/// What a hostname is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The hostname.
    pub hostname: &'e CustomHostname,
    /// Its zone.
    pub zone: &'e Zone,
    /// The records of the zone: customers' CNAMEs lead to those whose requests come through the platform.
    pub records: &'e [DnsRecord],
    /// Addresses at which this platform takes the zone's requests, for names that can have no CNAME.
    pub apex: &'e [IpNet],
    /// Whether another zone holds the name.
    pub held: bool,
    /// Whether another zone is served under the name, or was last, or has it as one of its own. What all zones share says
    /// nothing then: neither an address of the platform, nor a web server that may be the platform itself.
    pub contested: bool,
}

/// How a name was shown to be its customer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A TXT record has the token.
    Txt,
    /// The customer's web server gives the token out.
    Http,
    /// The name is a CNAME that leads to this name of the zone.
    Cname(Domain),
    /// The name itself has this address, which is the platform's, and no other zone has to do with it.
    Address(IpAddr),
}

/// Where requests for a name go, as its DNS says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leads {
    /// To this zone.
    Here,
    /// Not to this zone.
    Elsewhere,
    /// Too few name servers said.
    Unknown,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What shows that the name is its customer's; none where nothing does.
    pub proof: Option<Proof>,
    /// Where its requests go.
    pub leads: Leads,
    /// What was seen and what is missing, a sentence each, for people. Bounded.
    pub notes: Vec<String>,
}

/// The customer's own web server.
#[async_trait]
pub trait Web: Send + Sync + 'static {
    /// What it answers to a GET with status 200, bounded in length and time; or why that failed, for people.
    async fn get(&self, url: &str) -> Result<String, String>;
}

/// What one name server showed.
struct Sight {
    by: String,
    txt: bool,
    leads: Leads,
    /// The name or the address of the zone that it leads to.
    to: Option<Proof>,
    notes: Vec<String>,
}

/// Looks once: asks all name servers, and the customer's web server where they show nothing and the token has not been seen
/// yet.
///
/// # Cancel safety
/// Dropping the future ends all questions.
pub async fn look(expected: &Expected<'_>, servers: &[Arc<dyn Dns>], web: &dyn Web) -> Finding {
    let sights = join_all(servers.iter().map(|server| sight(expected, server.as_ref()))).await;
    let enough = servers.len() / 2 + 1;
    let count = |seen: fn(&Sight) -> bool| sights.iter().filter(|sight| seen(sight)).count();
    let leads = if count(|sight| sight.leads == Leads::Here) >= enough {
        Leads::Here
    } else if count(|sight| sight.leads == Leads::Elsewhere) >= enough {
        Leads::Elsewhere
    } else {
        Leads::Unknown
    };
    let mut notes: Vec<String> = sights
        .iter()
        .flat_map(|sight| sight.notes.iter().map(|note| format!("{}: {note}", sight.by)))
        .collect();
    let txt = count(|sight| sight.txt);
    let mut proof = match leads {
        Leads::Here => sights.iter().find_map(|sight| sight.to.clone()),
        Leads::Elsewhere | Leads::Unknown => None,
    };
    if let Some(Proof::Address(address)) = proof
        && expected.contested
    {
        notes.push(format!(
            "{address} is an address of every zone, and another zone has or had this name: a TXT record or a CNAME to {} \
             shows whose it is",
            expected.zone.name
        ));
        proof = None;
    }
    proof = proof.or_else(|| (txt >= enough).then_some(Proof::Txt));
    let seen = count(|sight| sight.txt || sight.to.is_some());
    if proof.is_none() && seen > 0 && seen < enough {
        notes.push(format!(
            "{seen} of {} name servers show it; {enough} must, so it is not counted yet",
            servers.len()
        ));
    }
    if servers.is_empty() {
        notes.push("no name server is configured to ask".to_owned());
    }
    let wildcard = expected.hostname.name.is_wildcard();
    if proof.is_none() && !expected.hostname.status.is_served() && !wildcard && !expected.contested {
        let url = expected.hostname.ownership_http_url();
        match web.get(&url).await {
            Ok(body) if body.trim() == expected.hostname.ownership_token => proof = Some(Proof::Http),
            Ok(_) => notes.push(format!("{url} answers with something else than the token")),
            Err(why) => notes.push(format!("{url}: {why}")),
        }
    }
    notes.truncate(MOST_NOTES);
    notes.iter_mut().for_each(cut);
    Finding { proof, leads, notes }
}

fn cut(note: &mut String) {
    if note.len() > LONGEST_NOTE {
        note.truncate(note.floor_char_boundary(LONGEST_NOTE));
        note.push_str("...");
    }
}

async fn sight(expected: &Expected<'_>, server: &dyn Dns) -> Sight {
    let mut notes = Vec::new();
    let owner = expected.hostname.ownership_txt_name();
    let (text, (leads, to)) =
        futures::join!(server.ask(&owner, Question::Txt), follow(expected, server, &mut notes));
    let token = expected.hostname.ownership_token.as_str();
    let is_token = |record: &Record| matches!(record, Record::Txt(text) if text.trim() == token);
    let txt = text.records().iter().any(is_token);
    if !txt && leads != Leads::Here {
        notes.push(match &text {
            Answer::Records(_) => format!("the TXT record {owner} does not have the token"),
            Answer::None | Answer::NoName => format!("there is no TXT record {owner}"),
            Answer::Failed(why) => format!("TXT of {owner}: {why}"),
        });
    }
    Sight { by: server.name(), txt, leads, to, notes }
}

/// The name that is asked for in the place of a hostname. For a wildcard it is one that nobody made a record for, so that
/// what answers is the wildcard's.
fn asked(hostname: &CustomHostname) -> String {
    if hostname.name.is_wildcard() {
        let id = hostname.id.to_string();
        format!("check-{}.{}", id.get(..8).unwrap_or(&id), hostname.name.base())
    } else {
        hostname.name.as_str().to_owned()
    }
}

/// Follows CNAMEs from the name, a question a step, until one leads to the zone, or to addresses.
async fn follow(
    expected: &Expected<'_>,
    server: &dyn Dns,
    notes: &mut Vec<String>,
) -> (Leads, Option<Proof>) {
    let mut name = asked(expected.hostname);
    let mut passed: Vec<String> = Vec::new();
    loop {
        match server.ask(&name, Question::Cname).await {
            Answer::Records(records) => {
                let Some(target) = records.iter().find_map(|record| match record {
                    Record::Cname(target) => Some(target.clone()),
                    Record::Txt(_) | Record::Address(_) | Record::Caa { .. } => None,
                }) else {
                    notes.push(format!("{name} has a CNAME that is no name"));
                    return (Leads::Elsewhere, None);
                };
                if leads_to_zone(expected, &target) {
                    return (Leads::Here, Some(Proof::Cname(target)));
                }
                if target.as_str() == name || passed.iter().any(|one| one == target.as_str()) {
                    notes.push(format!(
                        "the CNAMEs from {} lead in a circle at {target}",
                        asked(expected.hostname)
                    ));
                    return (Leads::Elsewhere, None);
                }
                passed.push(std::mem::replace(&mut name, target.as_str().to_owned()));
                if passed.len() >= MOST_STEPS {
                    notes.push(format!(
                        "more than {MOST_STEPS} CNAMEs follow from {}",
                        asked(expected.hostname)
                    ));
                    return (Leads::Elsewhere, None);
                }
            }
            Answer::None => return addresses(expected, server, &name, &passed, notes).await,
            Answer::NoName => {
                notes.push(format!("there is no name {name}"));
                return (Leads::Elsewhere, None);
            }
            Answer::Failed(why) => {
                notes.push(format!("CNAME of {name}: {why}"));
                return (Leads::Unknown, None);
            }
        }
    }
}

/// Whether a name is one that customers of the zone point to: the fallback origin, or a record whose requests come through
/// the platform.
fn leads_to_zone(expected: &Expected<'_>, target: &Domain) -> bool {
    let fallback = expected.zone.fallback_origin.as_ref().is_some_and(|fallback| fallback.origin == *target);
    fallback || expected.records.iter().any(|record| record.proxied && record.name.covers(target))
}

async fn addresses(
    expected: &Expected<'_>,
    server: &dyn Dns,
    name: &str,
    passed: &[String],
    notes: &mut Vec<String>,
) -> (Leads, Option<Proof>) {
    let zone = &expected.zone.name;
    if expected.apex.is_empty() {
        notes.push(match passed.first() {
            Some(first) => format!("{first} is a CNAME that ends at {name}, which is no target of {zone}"),
            None => format!("{name} has no CNAME"),
        });
        return (Leads::Elsewhere, None);
    }
    let (four, six) = futures::join!(server.ask(name, Question::A), server.ask(name, Question::Aaaa));
    let found: Vec<IpAddr> = [&four, &six]
        .into_iter()
        .flat_map(|answer| answer.records())
        .filter_map(|record| match record {
            Record::Address(address) => Some(*address),
            Record::Txt(_) | Record::Cname(_) | Record::Caa { .. } => None,
        })
        .collect();
    let ours = |address: &&IpAddr| expected.apex.iter().any(|net| net.contains(*address));
    if let Some(address) = found.iter().find(ours) {
        // By way of another name it is that name's owner who says where it leads: to another zone of this platform, maybe.
        if passed.is_empty() {
            return (Leads::Here, Some(Proof::Address(*address)));
        }
        notes.push(format!(
            "{} leads to {address} by way of {name}, which is no target of {zone}",
            asked(expected.hostname)
        ));
        return (Leads::Here, None);
    }
    for answer in [&four, &six] {
        if let Answer::Failed(why) = answer {
            notes.push(format!("addresses of {name}: {why}"));
            return (Leads::Unknown, None);
        }
    }
    let shown = found.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
    notes.push(match shown.is_empty() {
        true => format!("{name} has no CNAME and no address"),
        false => format!("{name} has the addresses {shown}, none of which is one of {zone}"),
    });
    (Leads::Elsewhere, None)
}
