//! Whether a name is its customer's, as far as name servers and the customer's web server show.
//!
//! Owns the four ways to show it (a TXT record, a token over HTTP, a CNAME to the zone, an address of the zone's), and how many
//! name servers must say the same. Source: the product's pages *Hostname validation* (pre-validation, real-time validation).
//! Must never believe a single server where there are several.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use wasmyard_model::hostname::{Flaw, FlawCode, FlawPlace};

use crate::dns::Dns;
use crate::flaws;
use crate::sight::{Saw, Sight, asked, sight, target};

use crate::seen::cut;
pub use crate::seen::{Expected, LONGEST_NOTE, Leads, MOST_STEPS, NoToken, Proof, Web};

/// Most sentences that are kept of a check.
pub const MOST_NOTES: usize = 16;
/// How long one name server may take for all that it is asked at first.
const PATIENCE: Duration = Duration::from_secs(12);

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What shows that the name is its customer's; none where nothing does.
    pub proof: Option<Proof>,
    /// Where its requests go.
    pub leads: Leads,
    /// What was seen and what is missing, a sentence each, for people. Bounded.
    pub notes: Vec<String>,
    /// The mistakes among that, what explains others first. Bounded.
    pub flaws: Vec<Flaw>,
}

impl Finding {
    /// Of a check that looked at nothing.
    #[must_use]
    pub fn nothing() -> Finding {
        Finding { proof: None, leads: Leads::Unknown, notes: Vec::new(), flaws: Vec::new() }
    }

    /// What is left of it, judged by what holds now: another zone may have come to the name since it was looked for, and what
    /// zones share shows nothing then.
    #[must_use]
    pub fn judged(mut self, expected: &Expected<'_>) -> Finding {
        let shared = match self.proof {
            Some(Proof::Address(address)) if expected.contested => shared(expected, Some(address)),
            Some(Proof::Http) if expected.contested => shared(expected, None),
            _ => return self,
        };
        self.proof = None;
        self.notes.truncate(MOST_NOTES - 1);
        self.notes.push(shared.seen.clone());
        self.flaws.insert(0, shared);
        self.flaws.truncate(flaws::MOST_FLAWS);
        self
    }
}

/// Looks once: asks all name servers, and the customer's web server where they show nothing and the token has not been seen
/// yet; then looks closer at what the customer may have done instead. Ends in time whoever does not answer.
///
/// # Cancel safety
/// Dropping the future ends all questions.
pub async fn look(expected: &Expected<'_>, servers: &[Arc<dyn Dns>], web: &dyn Web) -> Finding {
    let mut sights = join_all(servers.iter().map(|server| in_time(expected, server.as_ref()))).await;
    let enough = servers.len() / 2 + 1;
    let count = |seen: fn(&Sight) -> bool| sights.iter().filter(|sight| seen(sight)).count();
    let leads = if count(|sight| sight.leads == Leads::Here) >= enough {
        Leads::Here
    } else if count(|sight| sight.leads == Leads::Elsewhere) >= enough {
        Leads::Elsewhere
    } else {
        Leads::Unknown
    };
    let mut more: Vec<Flaw> = Vec::new();
    let mut said: Vec<String> = Vec::new();
    let mut proof = match leads {
        Leads::Here => sights.iter().find_map(|sight| sight.to.clone()),
        Leads::Elsewhere | Leads::Unknown => None,
    };
    if let Some(Proof::Address(address)) = proof
        && expected.contested
    {
        let shared = shared(expected, Some(address));
        said.push(shared.seen.clone());
        more.push(shared);
        proof = None;
    }
    proof = proof.or_else(|| (count(|sight| sight.txt) >= enough).then_some(Proof::Txt));
    let seen = count(|sight| sight.txt || sight.to.is_some());
    if proof.is_none() && seen > 0 && seen < enough {
        let all = servers.len();
        let text = format!("{seen} of {all} name servers show it; {enough} must, so it is not counted yet");
        more.push(disagree(expected, &text, &sights));
        said.push(text);
    }
    if servers.is_empty() {
        said.push("no name server is configured to ask".to_owned());
    }
    let is_served = expected.hostname.status.is_served();
    if proof.is_none() && !is_served && !expected.hostname.name.is_wildcard() && !expected.contested {
        let url = expected.hostname.ownership_http_url();
        let token = &expected.hostname.ownership_token;
        let refused = match web.get(&url).await {
            Ok(body) if body.trim() == token => None,
            Ok(_) => Some(NoToken::Other),
            Err(refused) => Some(refused),
        };
        match refused {
            None => proof = Some(Proof::Http),
            Some(refused) => {
                said.push(format!("{url}: {refused}"));
                more.extend(flaws::of_web(&url, token, &refused));
            }
        }
    }
    let heard = sights.iter().position(|sight| sight.is_heard && !sight.txt && sight.to.is_none());
    if proof.is_none()
        && !is_served
        && let Some(place) = heard
        && let (Some(server), Some(sight)) = (servers.get(place), sights.get_mut(place))
    {
        sight.saw.extend(flaws::look_closer(expected, server.as_ref()).await);
    }
    let seen =
        sights.iter().flat_map(|sight| sight.saw.iter().map(|saw| format!("{}: {}", sight.by, saw.text)));
    let mut notes: Vec<String> = seen.chain(said).collect();
    notes.truncate(MOST_NOTES);
    notes.iter_mut().for_each(cut);
    more.extend(flaws::together(&sights));
    let led_here = expected.hostname.led_here_at.is_some();
    let flaws = flaws::settle(more, proof.is_some() || is_served, leads, led_here);
    Finding { proof, leads, notes, flaws }
}

/// What one name server shows, unless it takes too long.
async fn in_time(expected: &Expected<'_>, server: &dyn Dns) -> Sight {
    let Ok(sight) = tokio::time::timeout(PATIENCE, sight(expected, server)).await else {
        let name = asked(expected.hostname);
        let text = format!("{name}: no answer within {} s", PATIENCE.as_secs());
        let saw =
            Saw { code: FlawCode::NameServersFail, place: FlawPlace::Cname, name, expected: None, text };
        let (by, leads) = (server.name(), Leads::Unknown);
        return Sight { by, txt: false, is_heard: false, leads, to: None, saw: vec![saw] };
    };
    sight
}

/// An address that shows nothing, or a web server at one.
fn shared(expected: &Expected<'_>, address: Option<IpAddr>) -> Flaw {
    let zone = &expected.zone.name;
    let what = match address {
        Some(address) => format!("{address} is an address of every zone"),
        None => "the web server may be this platform".to_owned(),
    };
    Flaw {
        code: FlawCode::AddressShared,
        place: if address.is_some_and(|address| address.is_ipv6()) { FlawPlace::Aaaa } else { FlawPlace::A },
        name: asked(expected.hostname),
        expected: target(expected),
        seen: format!(
            "{what}, and another zone has or had this name: a TXT record or a CNAME to {zone} shows whose it is"
        ),
        seen_by: Vec::new(),
    }
}

/// Servers of which some show what shows whose the name is.
fn disagree(expected: &Expected<'_>, text: &str, sights: &[Sight]) -> Flaw {
    let is_text = sights.iter().any(|sight| sight.txt);
    let shows = |sight: &&Sight| sight.txt || sight.to.is_some();
    Flaw {
        code: FlawCode::NameServersDisagree,
        place: if is_text { FlawPlace::Txt } else { FlawPlace::Cname },
        name: if is_text { expected.hostname.ownership_txt_name() } else { asked(expected.hostname) },
        expected: None,
        seen: text.to_owned(),
        seen_by: sights.iter().filter(shows).map(|sight| sight.by.clone()).take(8).collect(),
    }
}
