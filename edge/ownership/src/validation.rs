//! What authorities of certificates look for in the DNS, looked for beforehand: texts under `_acme-challenge.`, and who may issue
//! at all. An order that fails costs a part of what an authority allows.
//!
//! Owns the two look-ups and their words. Every one is bounded, and more than half of the name servers must say the same.

use std::sync::Arc;

use futures::future::join_all;
use wasmyard_model::domain::Domain;

use crate::dns::{Answer, Dns, Question, Record};

/// How many CNAMEs are followed.
const MOST_STEPS: usize = 8;

/// Whether a text is published under a name.
///
/// # Errors
/// What is missing, in one sentence for people, with what was seen.
///
/// # Cancel safety
/// Dropping the future ends all questions.
pub async fn has_text(servers: &[Arc<dyn Dns>], name: &str, text: &str) -> Result<(), String> {
    let answers = join_all(servers.iter().map(|server| texts(server.as_ref(), name))).await;
    let count =
        answers.iter().filter(|found| matches!(found, Ok(found) if found.iter().any(|one| one == text)));
    let (seen, enough) = (count.count(), servers.len() / 2 + 1);
    if seen >= enough {
        return Ok(());
    }
    if seen > 0 {
        return Err(format!("{seen} of {} name servers show the TXT record of {name}", servers.len()));
    }
    let others =
        answers.iter().filter_map(|found| found.as_ref().ok()).map(Vec::len).max().unwrap_or_default();
    let failed = answers.iter().find_map(|found| found.as_ref().err());
    Err(match (others, failed) {
        (0, Some(why)) => format!("no TXT record found: {name}: {why}"),
        (0, None) => format!("no TXT record found: {name} has none"),
        (_, _) => format!("no TXT record found: {name} has others than the one that is asked for"),
    })
}

/// The texts of a name, or of the name that stands in its place.
async fn texts(server: &dyn Dns, name: &str) -> Result<Vec<String>, String> {
    let mut name = name.to_owned();
    for _ in 0..MOST_STEPS {
        match server.ask(&name, Question::Txt).await {
            Answer::Records(records) => {
                let texts = records.into_iter().filter_map(|record| match record {
                    Record::Txt(text) => Some(text),
                    _ => None,
                });
                return Ok(texts.collect());
            }
            Answer::Failed(why) => return Err(why),
            Answer::NoName | Answer::None => {}
        }
        let answer = server.ask(&name, Question::Cname).await;
        match answer.records() {
            [Record::Cname(target), ..] => name = target.as_str().to_owned(),
            _ => return Ok(Vec::new()),
        }
    }
    Err(format!("more than {MOST_STEPS} CNAMEs stand in its place"))
}

/// Whether an authority, known by these names, may issue for a domain, by the CAA records of it and of what is above (RFC 8659).
/// Where the name servers do not say, it may: the authority looks as well.
pub async fn may_issue(
    servers: &[Arc<dyn Dns>],
    domain: &Domain,
    wildcard: bool,
    authority: &[String],
) -> bool {
    let judged = join_all(servers.iter().map(|server| judge(server.as_ref(), domain, wildcard, authority)));
    let refused = judged.await.iter().filter(|may| **may == Some(false)).count();
    refused < servers.len() / 2 + 1
}

/// What one name server says; none where it does not say.
async fn judge(server: &dyn Dns, domain: &Domain, wildcard: bool, authority: &[String]) -> Option<bool> {
    let mut name = domain.as_str();
    loop {
        match server.ask(name, Question::Caa).await {
            Answer::Records(records) => return Some(allows(&records, wildcard, authority)),
            Answer::Failed(_) => return None,
            Answer::None | Answer::NoName => {}
        }
        match name.split_once('.') {
            Some((_, above)) if above.contains('.') => name = above,
            _ => return Some(true),
        }
    }
}

fn allows(records: &[Record], wildcard: bool, authority: &[String]) -> bool {
    let of = |wanted: &str| -> Vec<&str> {
        let values = records.iter().filter_map(|record| match record {
            Record::Caa { tag, value } if tag == wanted => Some(value.as_str()),
            _ => None,
        });
        values.collect()
    };
    let wild = if wildcard { of("issuewild") } else { Vec::new() };
    let named = if wild.is_empty() { of("issue") } else { wild };
    // Records that say nothing of who may issue forbid nobody.
    named.is_empty()
        || named.iter().any(|value| {
            let name = value.split(';').next().unwrap_or_default().trim();
            authority.iter().any(|own| own.eq_ignore_ascii_case(name))
        })
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
        assert_eq!(has_text(&[delegated], NAME, "tok").await, Ok(()));
        assert_eq!(has_text(&[shows(), other(), shows()], NAME, "tok").await, Ok(()));
        for (servers, part) in [
            (vec![shows(), other()], "1 of 2"),
            (vec![other()], "others than"),
            (vec![Zone::default().shared()], "has none"),
            (vec![Zone::default().silent(NAME, Question::Txt).shared()], "no answer"),
        ] {
            let missing = has_text(&servers, NAME, "tok").await.unwrap_err();
            assert!(missing.contains(part), "{missing}");
        }
        let itself = Domain::parse("loop.test").unwrap();
        let circle = Zone::default().with("loop.test", Question::Cname, vec![Record::Cname(itself)]).shared();
        assert!(has_text(&[circle], "loop.test", "tok").await.unwrap_err().contains("CNAMEs"));
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
            async move { may_issue(&servers, &domain, wildcard, &own).await }
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
        assert!(may_issue(&[silent], &domain, false, &own).await, "the authority looks as well");
    }
}
