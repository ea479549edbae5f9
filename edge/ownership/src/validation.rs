//! What authorities of certificates look for in the DNS, looked for beforehand: texts under `_acme-challenge.`, and who may issue
//! at all. An order that fails costs a part of what an authority allows.
//!
//! Owns the two look-ups and their words. Every one is bounded, and more than half of the name servers must say the same.

use std::sync::Arc;

use futures::future::join_all;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{Flaw, FlawCode, FlawPlace};

use crate::dns::{Answer, Dns, Question, Record};
use crate::flaws::{self, above};
use crate::seen::{NoToken, Web, cut};

/// How many CNAMEs are followed.
const MOST_STEPS: usize = 8;
/// Most name servers that are named of a mistake.
const MOST_SEEN_BY: usize = 8;

/// Whether a text is published under a name.
///
/// # Errors
/// What is missing, with what was seen by whom.
///
/// # Cancel safety
/// Dropping the future ends all questions.
pub async fn has_text(servers: &[Arc<dyn Dns>], name: &str, text: &str) -> Result<(), Flaw> {
    let answers = join_all(servers.iter().map(|server| texts(server.as_ref(), name))).await;
    let shows = |found: &Texts| matches!(found, Texts::Are(found) if found.iter().any(|one| one == text));
    let (seen, enough) = (answers.iter().filter(|found| shows(found)).count(), servers.len() / 2 + 1);
    if seen >= enough {
        return Ok(());
    }
    let by = |is: &dyn Fn(&Texts) -> bool| -> Vec<String> {
        let all = servers.iter().zip(&answers).filter(|(_, found)| is(found));
        all.map(|(server, _)| server.name()).take(MOST_SEEN_BY).collect()
    };
    let flaw = |code, seen: String, seen_by| {
        let (place, name, expected) = (FlawPlace::Txt, name.to_owned(), Some(text.to_owned()));
        let mut flaw = Flaw { code, place, name, expected, seen, seen_by };
        cut(&mut flaw.seen);
        flaw
    };
    if seen > 0 {
        let told = format!("{seen} of {} name servers show the TXT record of {name}", servers.len());
        return Err(flaw(FlawCode::NameServersDisagree, told, by(&shows)));
    }
    let others = answers.iter().find_map(|found| match found {
        Texts::Are(texts) if !texts.is_empty() => Some(texts),
        _ => None,
    });
    if let Some(others) = others {
        let is_spelt = |other: &&String| other.contains(text);
        let (code, shown) = match others.iter().find(is_spelt) {
            Some(spelt) => (FlawCode::ValueMisspelt, spelt.as_str()),
            None => (FlawCode::ValueWrong, others.first().map(String::as_str).unwrap_or_default()),
        };
        let told =
            format!("no TXT record found: {name} has others than the one that is asked for: {shown:?}");
        return Err(flaw(code, told, by(&|found| matches!(found, Texts::Are(texts) if !texts.is_empty()))));
    }
    if let Some((code, why)) = answers.iter().find_map(Texts::failed) {
        let told = format!("no TXT record found: {name}: {why}");
        return Err(flaw(code, told, by(&|found| found.failed().is_some())));
    }
    // Most panels put the domain behind what is typed in.
    if let Some(place) = misplaced(servers, name, text).await {
        let told = format!("no TXT record found: it is at {place}, and not at {name}");
        return Err(flaw(FlawCode::RecordMisplaced, told, by(&|_| true)));
    }
    Err(flaw(FlawCode::RecordMissing, format!("no TXT record found: {name} has none"), by(&|_| true)))
}

/// Whether a web server gives a text out.
///
/// # Errors
/// What it does instead.
///
/// # Cancel safety
/// Dropping the future ends the request.
pub async fn has_file(web: &dyn Web, url: &str, text: &str) -> Result<(), Flaw> {
    let refused = match web.get(url).await {
        Ok(body) if body.trim() == text => return Ok(()),
        Ok(_) => NoToken::Other,
        Err(refused) => refused,
    };
    let code = flaws::code_of(&refused).unwrap_or(FlawCode::RecordMissing);
    let (place, name, expected) = (FlawPlace::Http, url.to_owned(), Some(text.to_owned()));
    let mut flaw =
        Flaw { code, place, name, expected, seen: format!("{url}: {refused}"), seen_by: Vec::new() };
    cut(&mut flaw.seen);
    Err(flaw)
}

/// Where a text is that was to be under a name, and has the domain behind that.
async fn misplaced(servers: &[Arc<dyn Dns>], name: &str, text: &str) -> Option<String> {
    let server = servers.first()?;
    let base = name.split_once('.').map(|(_, base)| base)?;
    let places: Vec<String> = above(base).iter().map(|above| format!("{name}.{above}")).collect();
    let answers = join_all(places.iter().map(|place| server.ask(place, Question::Txt))).await;
    let shows = |answer: &Answer| {
        answer.records().iter().any(|record| matches!(record, Record::Txt(found) if found == text))
    };
    places.into_iter().zip(&answers).find(|(_, answer)| shows(answer)).map(|(place, _)| place)
}

/// What a name server says of the texts of a name.
enum Texts {
    Are(Vec<String>),
    Failed(FlawCode, String),
}

impl Texts {
    fn failed(&self) -> Option<(FlawCode, &str)> {
        match self {
            Texts::Are(_) => None,
            Texts::Failed(code, why) => Some((*code, why)),
        }
    }
}

/// Whether a CNAME leads from a name to another one, as more than half of the name servers say.
///
/// # Cancel safety
/// Dropping the future ends all questions.
pub async fn leads_to(servers: &[Arc<dyn Dns>], name: &str, target: &str) -> bool {
    let answers = join_all(servers.iter().map(|server| server.ask(name, Question::Cname))).await;
    let leads =
        |answer: &&Answer| matches!(answer.records(), [Record::Cname(own), ..] if own.as_str() == target);
    answers.iter().filter(leads).count() > servers.len() / 2
}

/// The texts of a name, or of the name that stands in its place.
async fn texts(server: &dyn Dns, name: &str) -> Texts {
    let mut name = name.to_owned();
    for _ in 0..MOST_STEPS {
        match server.ask(&name, Question::Txt).await {
            Answer::Records(records) => {
                let texts = records.into_iter().filter_map(|record| match record {
                    Record::Txt(text) => Some(text),
                    _ => None,
                });
                return Texts::Are(texts.collect());
            }
            Answer::Failed(why) => return Texts::Failed(FlawCode::NameServersFail, why),
            Answer::Bogus(why) => return Texts::Failed(FlawCode::DnssecBroken, why),
            Answer::NoName | Answer::None => {}
        }
        let answer = server.ask(&name, Question::Cname).await;
        match answer.records() {
            [Record::Cname(target), ..] => name = target.as_str().to_owned(),
            _ => return Texts::Are(Vec::new()),
        }
    }
    Texts::Failed(FlawCode::CnameChain, format!("more than {MOST_STEPS} CNAMEs stand in its place"))
}

/// Whether an authority, known by these names, may issue for a domain, by the CAA records of it and of what is above (RFC 8659).
/// Where the name servers do not say, it may: the authority looks as well.
///
/// # Errors
/// Which records forbid it.
pub async fn may_issue(
    servers: &[Arc<dyn Dns>],
    domain: &Domain,
    wildcard: bool,
    authority: &[String],
) -> Result<(), Flaw> {
    let judged = join_all(servers.iter().map(|server| judge(server.as_ref(), domain, wildcard, authority)));
    let judged = judged.await;
    let refused: Vec<(String, &Refused)> = servers
        .iter()
        .zip(&judged)
        .filter_map(|(server, refused)| Some((server.name(), refused.as_ref()?)))
        .collect();
    if refused.len() < servers.len() / 2 + 1 {
        return Ok(());
    }
    let Some((_, Refused { name, tag, values })) = refused.first() else { return Ok(()) };
    let own = authority.first().map(String::as_str).unwrap_or_default();
    let mut flaw = Flaw {
        code: FlawCode::CaaForbids,
        place: FlawPlace::Caa,
        name: name.clone(),
        expected: Some(format!("0 {tag} \"{own}\"")),
        seen: format!("the CAA records of {name} allow {values} to issue certificates, and not {own}"),
        seen_by: refused.iter().map(|(by, _)| by.clone()).take(MOST_SEEN_BY).collect(),
    };
    cut(&mut flaw.seen);
    Err(flaw)
}

/// Records that forbid an authority to issue.
struct Refused {
    /// Whose they are.
    name: String,
    /// Of which kind they are.
    tag: &'static str,
    /// Whom they allow.
    values: String,
}

/// Why one name server says that an authority may not issue; none where it may, or where that is not said.
async fn judge(server: &dyn Dns, domain: &Domain, wildcard: bool, authority: &[String]) -> Option<Refused> {
    let mut name = domain.as_str();
    loop {
        match server.ask(name, Question::Caa).await {
            Answer::Records(records) => return refused(name, &records, wildcard, authority),
            Answer::Failed(_) | Answer::Bogus(_) => return None,
            Answer::None | Answer::NoName => {}
        }
        match name.split_once('.') {
            Some((_, above)) if above.contains('.') => name = above,
            _ => return None,
        }
    }
}

fn refused(name: &str, records: &[Record], wildcard: bool, authority: &[String]) -> Option<Refused> {
    let of = |wanted: &str| -> Vec<&str> {
        let values = records.iter().filter_map(|record| match record {
            Record::Caa { tag, value } if tag == wanted => Some(value.as_str()),
            _ => None,
        });
        values.collect()
    };
    let wild = if wildcard { of("issuewild") } else { Vec::new() };
    let (tag, named) = if wild.is_empty() { ("issue", of("issue")) } else { ("issuewild", wild) };
    let issuer = |value: &str| value.split(';').next().unwrap_or_default().trim().to_owned();
    let is_own = |value: &&str| authority.iter().any(|own| own.eq_ignore_ascii_case(&issuer(value)));
    // Records that say nothing of who may issue forbid nobody.
    if named.is_empty() || named.iter().any(is_own) {
        return None;
    }
    let named: Vec<String> =
        named.iter().map(|value| issuer(value)).filter(|name| !name.is_empty()).collect();
    let values = if named.is_empty() { "nobody".to_owned() } else { named.join(", ") };
    Some(Refused { name: name.to_owned(), tag, values })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use async_trait::async_trait;

    use super::*;

    #[derive(Default)]
    struct Zone(HashMap<(String, Question), Answer>);

    impl Zone {
        fn with(mut self, name: &str, question: Question, records: Vec<Record>) -> Self {
            self.0.insert((name.to_owned(), question), Answer::Records(records));
            self
        }

        fn silent(mut self, name: &str, question: Question) -> Self {
            self.0.insert((name.to_owned(), question), Answer::Failed("no answer".to_owned()));
            self
        }

        fn shared(self) -> Arc<dyn Dns> {
            Arc::new(self)
        }
    }

    #[async_trait]
    impl Dns for Zone {
        fn name(&self) -> String {
            "zone".to_owned()
        }

        async fn ask(&self, name: &str, question: Question) -> Answer {
            self.0.get(&(name.to_owned(), question)).cloned().unwrap_or(Answer::NoName)
        }
    }

    fn text(text: &str) -> Vec<Record> {
        vec![Record::Txt(text.to_owned())]
    }

    fn caa(tag: &str, value: &str) -> Record {
        Record::Caa { tag: tag.to_owned(), value: value.to_owned() }
    }

    #[tokio::test]
    async fn a_text_counts_when_more_than_half_show_it_also_where_a_cname_leads() {
        const NAME: &str = "_acme-challenge.shop.test";
        let shows = || Zone::default().with(NAME, Question::Txt, text("tok")).shared();
        let other = || Zone::default().with(NAME, Question::Txt, text("old")).shared();
        let target = Domain::parse("shop.dcv.test").unwrap();
        let delegated = Zone::default()
            .with(NAME, Question::Cname, vec![Record::Cname(target)])
            .with("shop.dcv.test", Question::Txt, text("tok"))
            .shared();
        assert_eq!(has_text(&[shows()], NAME, "tok").await, Ok(()));
        assert_eq!(has_text(&[Arc::clone(&delegated)], NAME, "tok").await, Ok(()));
        assert!(leads_to(&[Arc::clone(&delegated)], NAME, "shop.dcv.test").await);
        assert!(!leads_to(&[delegated, shows()], NAME, "shop.dcv.test").await);
        assert!(!leads_to(&[], NAME, "shop.dcv.test").await);
        assert_eq!(has_text(&[shows(), other(), shows()], NAME, "tok").await, Ok(()));
        for (servers, part) in [
            (vec![shows(), other()], "1 of 2"),
            (vec![other()], "others than"),
            (vec![Zone::default().shared()], "has none"),
            (vec![Zone::default().silent(NAME, Question::Txt).shared()], "no answer"),
        ] {
            let missing = has_text(&servers, NAME, "tok").await.unwrap_err();
            assert!(missing.seen.contains(part) && missing.seen_by == ["zone"], "{missing:?}");
        }
        let doubled = format!("{NAME}.shop.test");
        let doubled = Zone::default().with(&doubled, Question::Txt, text("tok")).shared();
        let missing = has_text(&[doubled], NAME, "tok").await.unwrap_err();
        assert_eq!(missing.code, FlawCode::RecordMisplaced, "{missing:?}");
        let itself = Domain::parse("loop.test").unwrap();
        let circle = Zone::default().with("loop.test", Question::Cname, vec![Record::Cname(itself)]).shared();
        let missing = has_text(&[circle], "loop.test", "tok").await.unwrap_err();
        assert_eq!(missing.code, FlawCode::CnameChain, "{missing:?}");
    }

    #[tokio::test]
    async fn who_may_issue_is_said_by_the_nearest_records() {
        let domain = Domain::parse("shop.customer.test").unwrap();
        let own = ["letsencrypt.org".to_owned()];
        let may = |records: &[(&str, Vec<Record>)], wildcard| {
            let zone = records.iter().fold(Zone::default(), |zone, (name, records)| {
                zone.with(name, Question::Caa, records.clone())
            });
            let (servers, domain, own) = ([zone.shared()], domain.clone(), own.clone());
            async move { may_issue(&servers, &domain, wildcard, &own).await.is_ok() }
        };
        assert!(may(&[], false).await);
        assert!(may(&[("customer.test", vec![caa("issue", "letsencrypt.org; x=1")])], false).await);
        assert!(!may(&[("customer.test", vec![caa("issue", "other.example")])], false).await);
        assert!(!may(&[("customer.test", vec![caa("issue", ";")])], true).await);
        assert!(may(&[("customer.test", vec![caa("iodef", "mailto:a@b.test")])], false).await);
        let nearest = [
            ("shop.customer.test", vec![caa("issue", "LetsEncrypt.org")]),
            ("customer.test", vec![caa("issue", "other.example")]),
        ];
        assert!(may(&nearest, false).await);
        let wild = [("customer.test", vec![caa("issue", "letsencrypt.org"), caa("issuewild", ";")])];
        assert!(may(&wild, false).await && !may(&wild, true).await);
        let silent = Zone::default().silent("shop.customer.test", Question::Caa).shared();
        assert_eq!(may_issue(&[silent], &domain, false, &own).await, Ok(()), "the authority looks as well");
        let records = vec![caa("issue", "other.example; x=1"), caa("issue", "third.example")];
        let zone = Zone::default().with("customer.test", Question::Caa, records).shared();
        let flaw = may_issue(&[zone], &domain, false, &own).await.unwrap_err();
        assert_eq!((flaw.code, flaw.name.as_str()), (FlawCode::CaaForbids, "customer.test"));
        assert!(flaw.seen.contains("other.example, third.example"), "{flaw:?}");
        assert_eq!(flaw.expected.as_deref(), Some("0 issue \"letsencrypt.org\""));
    }
}
