//! Mistakes, found by looking closer where nothing shows whose a name is, and put together from what several servers saw.
//!
//! Owns where records usually end up by mistake, and which mistakes explain others. Every question is one of a fixed few, asked of
//! one name server. Must never make a proof of what it finds.

use std::collections::BTreeSet;
use std::time::Duration;

use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{Flaw, FlawCode, FlawPlace};

use crate::dns::{Answer, Dns, Question, Record};
use crate::seen::{Expected, LONGEST_NOTE, Leads, NoToken, cut};
use crate::sight::{Saw, Sight, asked, has, target};

/// Most mistakes that are kept of a check.
pub const MOST_FLAWS: usize = 8;
/// Most name servers that are named of one.
const MOST_SEEN_BY: usize = 8;
/// How long looking closer may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// Of how many names above one it is tried whether it was put behind what was typed in.
const MOST_ABOVE: usize = 3;

/// Looks where records usually are that are not where they should be.
pub(crate) async fn look_closer(expected: &Expected<'_>, server: &dyn Dns) -> Vec<Saw> {
    let closer = async {
        let (texts, names, domain) = futures::join!(
            misplaced_text(expected, server),
            misplaced_name(expected, server),
            missing_domain(expected, server)
        );
        [texts, names, domain].into_iter().flatten().collect()
    };
    tokio::time::timeout(PATIENCE, closer).await.unwrap_or_default()
}

/// What the DNS panels of a customer may have put behind a name: what it is below, as far as somebody can own that.
pub(crate) fn above(base: &str) -> Vec<String> {
    let Ok(domain) = Domain::parse(base) else { return Vec::new() };
    let Ok(owned) = domain.registrable() else { return Vec::new() };
    let names = std::iter::successors(Some(base), |name| name.split_once('.').map(|(_, parent)| parent));
    let mut names: Vec<String> = names.filter(|name| name.len() >= owned.len()).map(str::to_owned).collect();
    // What is owned is the usual one.
    names.reverse();
    names.truncate(MOST_ABOVE);
    names
}

async fn misplaced_text(expected: &Expected<'_>, server: &dyn Dns) -> Option<Saw> {
    let hostname = expected.hostname;
    let (base, owner, token) =
        (hostname.name.base(), hostname.ownership_txt_name(), &hostname.ownership_token);
    let above = above(base);
    let mut places: BTreeSet<String> = above.iter().map(|above| format!("{owner}.{above}")).collect();
    places.extend(above.iter().map(|above| format!("_cf-custom-hostname.{above}")));
    places.extend(above.iter().cloned());
    places.insert(base.to_owned());
    places.remove(&owner);
    let saw = |code, text| Saw {
        code,
        place: FlawPlace::Txt,
        name: owner.clone(),
        expected: Some(token.clone()),
        text,
    };
    let places: Vec<String> = places.into_iter().collect();
    let asked = places.iter().map(|place| server.ask(place, Question::Txt));
    let (alias, texts) =
        futures::join!(server.ask(&owner, Question::Cname), futures::future::join_all(asked));
    if let [Record::Cname(target), ..] = alias.records() {
        return Some(saw(FlawCode::CnameInPlaceOfTxt, format!("{owner} is a CNAME of {target}")));
    }
    let mut found = places.iter().zip(&texts);
    let (place, _) = found.find(|(_, text)| text.records().iter().any(|record| has(record, token)))?;
    Some(saw(FlawCode::RecordMisplaced, format!("the token is at {place}, and not at {owner}")))
}

async fn misplaced_name(expected: &Expected<'_>, server: &dyn Dns) -> Option<Saw> {
    let (base, name) = (expected.hostname.name.base(), asked(expected.hostname));
    let places: Vec<String> = above(base).iter().map(|above| format!("{name}.{above}")).collect();
    let asked = places.iter().map(|place| server.ask(place, Question::Cname));
    let answers = futures::future::join_all(asked).await;
    let wanted = target(expected)?;
    let is_wanted = |record: &Record| matches!(record, Record::Cname(target) if target.as_str() == wanted);
    let mut found = places.iter().zip(&answers);
    let (place, _) = found.find(|(_, answer)| answer.records().iter().any(is_wanted))?;
    let text = format!("the CNAME is at {place}, and not at {name}");
    Some(Saw { code: FlawCode::RecordMisplaced, place: FlawPlace::Cname, name, expected: Some(wanted), text })
}

async fn missing_domain(expected: &Expected<'_>, server: &dyn Dns) -> Option<Saw> {
    let domain = Domain::parse(expected.hostname.name.base()).ok()?;
    let owned = domain.registrable().ok()?.to_owned();
    let saw =
        |code, text: String| Saw { code, place: FlawPlace::A, name: owned.clone(), expected: None, text };
    match server.ask(&owned, Question::A).await {
        Answer::NoName => Some(saw(FlawCode::DomainMissing, format!("there is no domain {owned}"))),
        Answer::Failed(_) | Answer::Bogus(_) | Answer::Records(_) | Answer::None => None,
    }
}

/// What a web server that does not give the token out means; nothing where the name has no address anyway.
pub(crate) fn code_of(refused: &NoToken) -> Option<FlawCode> {
    Some(match refused {
        NoToken::NoAddress(_) => return None,
        NoToken::Closed(_) => FlawCode::Port80Closed,
        NoToken::Redirects { .. } => FlawCode::HttpRedirects,
        NoToken::Status(_) => FlawCode::HttpTokenMissing,
        NoToken::Other | NoToken::Broken(_) => FlawCode::HttpTokenWrong,
    })
}

/// The same, as it is told.
pub(crate) fn of_web(url: &str, token: &str, refused: &NoToken) -> Option<Flaw> {
    let (place, name, expected) = (FlawPlace::Http, url.to_owned(), Some(token.to_owned()));
    let (seen, seen_by) = (refused.to_string(), Vec::new());
    code_of(refused).map(|code| Flaw { code, place, name, expected, seen, seen_by })
}

/// Puts together what several servers saw alike.
pub(crate) fn together(sights: &[Sight]) -> Vec<Flaw> {
    let mut flaws: Vec<Flaw> = Vec::new();
    for sight in sights {
        for saw in &sight.saw {
            let known = flaws.iter_mut().find(|flaw| {
                flaw.code == saw.code
                    && flaw.place == saw.place
                    && flaw.name == saw.name
                    && flaw.seen == saw.text
            });
            match known {
                Some(flaw) if flaw.seen_by.len() < MOST_SEEN_BY => flaw.seen_by.push(sight.by.clone()),
                Some(_) => {}
                None => flaws.push(saw.clone().by(sight.by.clone())),
            }
        }
    }
    flaws
}

impl Saw {
    pub(crate) fn by(self, server: String) -> Flaw {
        Flaw {
            code: self.code,
            place: self.place,
            name: self.name,
            expected: self.expected,
            seen: self.text,
            seen_by: vec![server],
        }
    }
}

/// What of it is told: what explains something before what it explains, and nothing that is explained. `is_shown` is whether
/// the name is known to be its customer's.
pub(crate) fn settle(mut flaws: Vec<Flaw>, is_shown: bool, leads: Leads, led_here: bool) -> Vec<Flaw> {
    if is_shown {
        // Only what its visitors meet is left to be told.
        flaws.retain(|flaw| flaw.place != FlawPlace::Txt && flaw.place != FlawPlace::Http);
        let has_left = leads != Leads::Here && led_here;
        flaws.retain(|flaw| has_left || flaw.code == FlawCode::Ipv6Elsewhere);
    }
    // Below a domain that is not there, nothing is: whatever is seen there says that it is.
    let is_absence = |flaw: &Flaw| {
        matches!(flaw.code, FlawCode::DomainMissing | FlawCode::RecordMissing)
            || flaw.place == FlawPlace::Http
    };
    let is_gone = flaws.iter().all(is_absence);
    if flaws.iter().any(|flaw| flaw.code == FlawCode::DomainMissing) {
        flaws.retain(|flaw| is_gone == (flaw.code == FlawCode::DomainMissing));
    }
    let is_particular =
        |flaw: &Flaw| flaw.code < FlawCode::RecordMissing && flaw.code != FlawCode::NameServersDisagree;
    if flaws.iter().any(is_particular) {
        flaws.retain(|flaw| flaw.code != FlawCode::RecordMissing);
    }
    flaws.sort_by_key(|flaw| flaw.code);
    flaws.truncate(MOST_FLAWS);
    for flaw in &mut flaws {
        cut(&mut flaw.seen);
        if let Some(expected) = flaw.expected.as_mut().filter(|expected| expected.len() > LONGEST_NOTE) {
            cut(expected);
        }
    }
    flaws
}
