//! One order as a step sees it: what it is for, what its authority wants to see, and whether that can be seen.

use std::sync::Arc;
use std::time::Duration;

use wasmyard_acme::{Authorities, Failure, Order, Proof, Wanted, schedule};
use wasmyard_hostnames::ServedName;
use wasmyard_hostnames::certificates::{CertificateStore, KeyKind};
use wasmyard_namespaces::Timestamp;
use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::hostname::{
    CertificateAuthority, CertificateKey, CustomHostname, Flaw, Issuing, Shown, Ssl, SslStatus,
    ValidationProof, ValidationRecord,
};
use wasmyard_ownership::validation;

use super::Issuers;
use crate::{Lookout, Result};

/// How soon an authority is asked again how far something is that it works on. What it does takes it milliseconds or minutes: the
/// wait doubles until it is a second, and grows by a second each time from then on.
const SOON: Duration = Duration::from_millis(20);
/// How often it doubles.
const DOUBLED: u32 = 6;
/// How soon it is looked whether an order of the name still goes on for another hostname, at first and at last.
const SHORTEST_TURN: Duration = Duration::from_secs(60);
const LONGEST_TURN: Duration = Duration::from_secs(3_600);
/// How often the second certificate of a pack is tried before the first does alone.
const SECOND_TRIES: u32 = 5;

/// What becomes of an order after a step.
pub(super) struct After {
    pub(super) issuing: Option<Issuing>,
    /// The status, where it changes and no certificate is served yet.
    pub(super) status: Option<SslStatus>,
    /// What the authority wants to see, where that changes.
    pub(super) records: Option<Vec<ValidationRecord>>,
    pub(super) errors: Vec<String>,
    /// What of it the customer can mend.
    pub(super) flaws: Vec<Flaw>,
    pub(super) wait: Duration,
}

impl After {
    pub(super) fn going_on(issuing: Issuing, wait: Duration) -> After {
        let (errors, flaws) = (Vec::new(), Vec::new());
        After { issuing: Some(issuing), status: None, records: None, errors, flaws, wait }
    }

    /// Nothing came of it, for this reason.
    pub(super) fn tried(issuing: &Issuing, error: String) -> After {
        let wait = schedule::wait(issuing.tries);
        let issuing = Issuing { tries: issuing.tries.saturating_add(1), ..issuing.clone() };
        After { errors: vec![error], ..After::going_on(issuing, wait) }
    }

    /// The same with another order: it has other tokens, and those of this one are good for nothing.
    pub(super) fn anew(self) -> After {
        let issuing = self.issuing.map(|issuing| issuing.clone().anew(issuing.authority));
        After { issuing, records: Some(Vec::new()), ..self }
    }
}

impl After {
    /// Nothing came of it, for a reason that the customer can mend.
    pub(super) fn flawed(issuing: &Issuing, error: String, flaw: Flaw) -> After {
        After { flaws: vec![flaw], ..After::tried(issuing, error) }
    }
}

/// An order that is worked on.
pub(super) struct Work<'w> {
    pub(super) hostname: &'w CustomHostname,
    pub(super) ssl: &'w Ssl,
    pub(super) issuing: &'w Issuing,
    pub(super) issuer: &'w Arc<dyn Authorities>,
    pub(super) issuers: &'w Issuers,
    pub(super) store: &'w Arc<CertificateStore>,
    pub(super) lookout: &'w Lookout,
    /// Below which name validation of the zone is delegated; none: it is not.
    pub(super) delegated_below: Option<String>,
}

/// An order of the name goes on for another hostname: it is waited for, the longer it lasts.
pub(super) fn waits_for_another(issuing: &Issuing, now: Timestamp) -> After {
    let wait = (now.since(issuing.began) / 10).clamp(SHORTEST_TURN, LONGEST_TURN);
    let errors = vec!["waits: an order of this name goes on for another custom hostname".to_owned()];
    After { errors, ..After::going_on(issuing.clone().anew(issuing.authority), wait) }
}

/// What is looked at again in a moment: the more often it was, the longer that is, and never sooner than the authority says.
pub(super) fn again_soon(issuing: &Issuing, said: Option<Duration>) -> After {
    let wait = match issuing.tries {
        few @ 0..DOUBLED => SOON * 2_u32.pow(few),
        many => Duration::from_secs(u64::from((many - DOUBLED).min(59)) + 1),
    };
    let wait = wait.max(said.unwrap_or_default()).min(schedule::LONGEST_WAIT);
    After::going_on(Issuing { tries: issuing.tries.saturating_add(1), ..issuing.clone() }, wait)
}

impl Work<'_> {
    /// The names that the certificate is to be for.
    pub(super) fn names(&self) -> Vec<String> {
        self.hostname.served_names().map(|name| name.to_string()).collect()
    }

    pub(super) fn served_names(&self) -> Vec<ServedName> {
        let names = self.names();
        names.iter().filter_map(|name| ServedName::parse(name).ok()).collect()
    }

    /// Which of the customer's CAA records forbid the authority to issue.
    pub(super) async fn forbidden(&self) -> Option<Flaw> {
        let base = self.hostname.name.base();
        let domain = Domain::parse(base).ok()?;
        let wildcard = self.ssl.config.wildcard == Some(true);
        let authority: Vec<String> =
            caa_names(self.issuing.authority).iter().map(|name| (*name).to_owned()).collect();
        validation::may_issue(&self.lookout.servers, &domain, wildcard, &authority).await.err()
    }

    fn proof(&self) -> Proof {
        match self.issuing.shown {
            _ if self.ssl.config.is_shown_by_text() => Proof::Txt,
            Shown::Handshake => Proof::Handshake,
            Shown::File | Shown::NotByFile | Shown::NotByHandshake => Proof::Http,
        }
    }

    /// Whether visitors of the name come here, and with them authorities that look for what it shows.
    fn leads_here(&self) -> bool {
        self.hostname.status.is_served() && self.hostname.led_here_at.is_some()
    }

    /// The other one of two ways in which a name can be shown that leads here, if it is that one's turn; nothing was told to
    /// the authority before.
    fn other_way(&self, order: &Order) -> Option<Shown> {
        if self.issuing.told || self.proof() == Proof::Txt {
            return None;
        }
        let offered = order.wanted.iter().any(|wanted| wanted.proof == Proof::Handshake);
        let in_handshake =
            offered && self.leads_here() && self.issuers.shows_in_handshake(self.issuing.shown);
        match (in_handshake, self.issuing.shown) {
            (true, Shown::File | Shown::NotByFile) => Some(Shown::Handshake),
            (false, Shown::Handshake) => Some(Shown::File),
            _ => None,
        }
    }

    fn wanted<'o>(&self, order: &'o Order) -> impl Iterator<Item = &'o Wanted> {
        let proof = self.proof();
        order.wanted.iter().filter(move |wanted| wanted.proof == proof)
    }

    /// Whether an order wants to see something, and nobody was told of it yet.
    pub(super) fn is_news(&self, order: &Order) -> bool {
        !self.issuing.told && self.ssl.validation_records.is_empty() && self.wanted(order).next().is_some()
    }

    pub(super) fn records(&self, order: &Order) -> Vec<ValidationRecord> {
        self.records_shown(order, self.proof())
    }

    fn records_shown(&self, order: &Order, shown: Proof) -> Vec<ValidationRecord> {
        let record = |wanted: &Wanted| ValidationRecord {
            status: wanted.status.to_owned(),
            proof: match wanted.proof {
                Proof::Txt => ValidationProof::Txt {
                    txt_name: format!("_acme-challenge.{}", wanted.name),
                    txt_value: wanted.text.clone(),
                },
                Proof::Http => ValidationProof::Http {
                    http_url: format!("http://{}{CHALLENGE_PATH}{}", wanted.name, wanted.token),
                    http_body: wanted.body.clone(),
                },
                Proof::Handshake => ValidationProof::Handshake {
                    tls_alpn_name: wanted.name.clone(),
                    tls_alpn_digest: wanted.text.clone(),
                },
            },
        };
        order.wanted.iter().filter(|wanted| wanted.proof == shown).map(record).collect()
    }

    /// Looks whether what the authority wants to see can be seen, and tells it so: an order that fails costs a part of what it
    /// allows.
    pub(super) async fn validate(&self, order: &Order) -> std::result::Result<After, Failure> {
        let issuing = self.issuing;
        if let Some(shown) = self.other_way(order) {
            // What is shown is in the record, and so served, before the authority is told to look.
            let proof = if shown == Shown::Handshake { Proof::Handshake } else { Proof::Http };
            let records = Some(self.records_shown(order, proof));
            let next = Issuing { shown, ..issuing.clone() };
            return Ok(After { records, ..After::going_on(next, Duration::ZERO) });
        }
        let records = Some(self.records(order));
        let is_looking = self.wanted(order).any(|wanted| wanted.status == "processing");
        if is_looking || (issuing.told && self.wanted(order).all(|wanted| wanted.status != "pending")) {
            return Ok(After { records, ..again_soon(issuing, order.again) });
        }
        let pending: Vec<&Wanted> = self.wanted(order).filter(|wanted| wanted.status == "pending").collect();
        for wanted in &pending {
            let Err(flaw) = self.sees(wanted).await else { continue };
            // A second certificate for which a customer would have to publish something once more is not worth that.
            let is_second = issuing.key == CertificateKey::Rsa && self.proof() == Proof::Txt;
            if is_second && !self.is_delegated(&wanted.name).await {
                let alone = After { issuing: None, ..After::going_on(issuing.clone(), Duration::ZERO) };
                return Ok(After { records: Some(Vec::new()), ..alone });
            }
            let after = After::flawed(issuing, flaw.seen.clone(), flaw);
            return Ok(self.or_first_alone(After { records, ..after }));
        }
        let names: Vec<String> = pending.iter().map(|wanted| wanted.name.clone()).collect();
        self.issuer.show(&order.url, self.proof(), &names).await?;
        let next = Issuing { told: true, tries: 0, ..issuing.clone() };
        Ok(After { records, ..After::going_on(next, SOON) })
    }

    /// Whether what authorities look for at a name is looked for here.
    async fn is_delegated(&self, name: &str) -> bool {
        let Some(below) = &self.delegated_below else { return false };
        let (own, target) = (format!("_acme-challenge.{name}"), format!("{name}.{below}"));
        validation::leads_to(&self.lookout.servers, &own, &target).await
    }

    /// Whether what is wanted can be seen from here; if not, what is missing.
    async fn sees(&self, wanted: &Wanted) -> std::result::Result<(), Flaw> {
        match wanted.proof {
            Proof::Txt => {
                let name = format!("_acme-challenge.{}", wanted.name);
                validation::has_text(&self.lookout.servers, &name, &wanted.text).await
            }
            // Its requests come here, and here is the answer.
            Proof::Http | Proof::Handshake if self.leads_here() => Ok(()),
            Proof::Http | Proof::Handshake => {
                let url = format!("http://{}{CHALLENGE_PATH}{}", wanted.name, wanted.token);
                validation::has_file(self.lookout.web.as_ref(), &url, &wanted.body).await
            }
        }
    }

    /// Whom nobody chose may be another one: the next is tried before anything is ordered twice of this one. When all were, it
    /// is waited as long as for one.
    pub(super) fn of_another(&self, after: After) -> After {
        let is_free = self.issuing.order.is_none() && self.ssl.config.certificate_authority.is_none();
        let other = self.issuers.after(self.issuing.authority).filter(|_| is_free);
        let (Some(other), Some(issuing)) = (other, &after.issuing) else { return after };
        let round = issuing.tries / self.issuers.count().max(1);
        let is_last = issuing.tries % self.issuers.count().max(1) == 0;
        let wait =
            if is_last { after.wait.min(schedule::wait(round)) } else { after.wait.min(schedule::wait(0)) };
        After { issuing: Some(Issuing { replaces: false, ..issuing.clone().anew(other) }), wait, ..after }
    }

    /// The certificate whose place the ordered one takes, as DER, if its authority wished for that.
    pub(super) async fn replaced(&self) -> Result<Option<Vec<u8>>> {
        if !self.issuing.replaces {
            return Ok(None);
        }
        let kept = self.store.kept(&self.ssl.id).await?.unwrap_or_default();
        let of_the_kind = kept.iter().find(|pair| pair.kind() == kind(self.issuing.key));
        Ok(of_the_kind.and_then(|pair| pair.chain().first()).map(|leaf| leaf.to_vec()))
    }

    /// Where only the second certificate of a pack fails, the first does alone after a few tries.
    pub(super) fn or_first_alone(&self, after: After) -> After {
        let tries = after.issuing.as_ref().map_or(0, |issuing| issuing.tries);
        if self.issuing.key == CertificateKey::Rsa && tries >= SECOND_TRIES {
            return After { issuing: None, records: Some(Vec::new()), errors: Vec::new(), ..after };
        }
        after
    }
}

/// Where an authority looks for a token (RFC 8555 section 8.3).
const CHALLENGE_PATH: &str = "/.well-known/acme-challenge/";

/// What CAA records call the authorities (their own documentation).
fn caa_names(authority: CertificateAuthority) -> &'static [&'static str] {
    match authority {
        CertificateAuthority::Digicert => &["digicert.com", "www.digicert.com", "digicert.ne.jp"],
        CertificateAuthority::Google => &["pki.goog"],
        CertificateAuthority::LetsEncrypt => &["letsencrypt.org"],
        CertificateAuthority::SslCom => &["ssl.com"],
    }
}

pub(super) fn kind(key: CertificateKey) -> KeyKind {
    match key {
        CertificateKey::Ecdsa => KeyKind::Elliptic,
        CertificateKey::Rsa => KeyKind::Rsa,
    }
}
