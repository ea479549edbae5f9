//! Whose a name is, and what becomes of it, with name servers that say what they are told.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use wasmyard_model::hostname::{CustomHostnameEdit, CustomName, MadeUp, NewCustomHostname};
use wasmyard_model::ids::{CertificatePackId, CustomHostnameId, DnsRecordId, ZoneId};
use wasmyard_model::zone::{DnsRecordEdit, ZoneEdit, ZoneType};

use std::sync::Arc;

use async_trait::async_trait;
use ipnet::IpNet;
use wasmyard_model::domain::Domain;
use wasmyard_model::hostname::{CustomHostname, HostnameStatus};
use wasmyard_model::timestamp::Timestamp;
use wasmyard_model::zone::{DnsRecord, Zone};
use wasmyard_ownership::dns::{Answer, Dns, Question, Record};
use wasmyard_ownership::rules::{Expected, Finding, LONGEST_NOTE, Leads, MOST_NOTES, Proof, Web, look};
use wasmyard_ownership::schedule::{AFTER_A_MISS, LONGEST_WAIT, MISSES, TRIES, WEEK, wait};
use wasmyard_ownership::{NoToken, Step, step};

pub(super) const TOKEN: &str = "29625d98-cb2e-4ec0-94d1-4f562ac2fec2";

/// A name server that says what it was told, and that other names are not there.
#[derive(Default)]
pub(super) struct Told(Mutex<HashMap<(String, Question), Answer>>);

impl Told {
    pub(super) fn say(&self, name: &str, question: Question, answer: Answer) {
        self.0.lock().unwrap().insert((name.to_owned(), question), answer);
    }

    pub(super) fn cname(&self, name: &str, target: &str) {
        self.say(name, Question::Cname, Answer::Records(vec![Record::Cname(Domain::parse(target).unwrap())]));
    }

    pub(super) fn address(&self, name: &str, address: &str) {
        self.say(name, Question::Cname, Answer::None);
        self.say(name, Question::A, Answer::Records(vec![Record::Address(address.parse().unwrap())]));
    }

    pub(super) fn text(&self, name: &str, text: &str) {
        self.say(name, Question::Txt, Answer::Records(vec![Record::Txt(text.to_owned())]));
    }
}

#[async_trait]
impl Dns for Told {
    fn name(&self) -> String {
        "192.0.2.53:53".to_owned()
    }

    async fn ask(&self, name: &str, question: Question) -> Answer {
        self.0.lock().unwrap().get(&(name.to_owned(), question)).cloned().unwrap_or(Answer::NoName)
    }
}

/// A web server that answers everything with this, or with nothing at all.
struct Says(Option<&'static str>);

#[async_trait]
impl Web for Says {
    async fn get(&self, _url: &str) -> Result<String, NoToken> {
        self.0.map(str::to_owned).ok_or_else(|| NoToken::Closed("connection refused".to_owned()))
    }
}

pub(super) fn began() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

pub(super) struct Site {
    zone: Zone,
    records: Vec<DnsRecord>,
    pub(super) apex: Vec<IpNet>,
    pub(super) hostname: CustomHostname,
    held: bool,
    blocked: bool,
    pub(super) contested: bool,
}

impl Site {
    /// `shop.customer.test` in `saas.test`, whose customers point to `customers.saas.test`.
    pub(super) fn new() -> Site {
        Site::of("shop.customer.test")
    }

    fn of(name: &str) -> Site {
        let id: ZoneId =
            serde_json::from_value(serde_json::json!("e330ccb17b3f6f8b137ddda52a76d045")).unwrap();
        let domain = Domain::parse("saas.test").unwrap();
        let zone = Zone {
            id: id.clone(),
            name: domain.clone(),
            kind: ZoneType::Full,
            status: wasmyard_model::zone::ZoneStatus::Active,
            paused: false,
            created_on: began(),
            modified_on: began(),
            activated_on: Some(began()),
            settings: wasmyard_model::zone::ZoneSettings::default(),
            hold: None,
            fallback_origin: None,
            dcv_label: "0123456789abcdef".to_owned(),
            config: None,
        };
        let zone = zone.edited(
            &ZoneEdit {
                fallback_origin: Some(Some(Domain::parse("fallback.saas.test").unwrap())),
                ..ZoneEdit::default()
            },
            began(),
        );
        let record = |name: &str, proxied| {
            let edit = DnsRecordEdit {
                kind: Some("A".to_owned()),
                name: Some(name.to_owned()),
                content: Some("192.0.2.1".to_owned()),
                proxied: Some(proxied),
                ..DnsRecordEdit::default()
            };
            let new = edit.apply(None, &domain).unwrap();
            DnsRecord {
                id: serde_json::from_value::<DnsRecordId>(serde_json::json!(
                    "e330ccb17b3f6f8b137ddda52a76d046"
                ))
                .unwrap(),
                zone: id.clone(),
                name: new.name,
                content: new.content,
                ttl: new.ttl,
                proxied: new.proxied,
                comment: None,
                tags: Vec::new(),
                created_on: began(),
                modified_on: began(),
                configuration: None,
            }
        };
        let new =
            NewCustomHostname { name: CustomName::parse(name).unwrap(), edit: CustomHostnameEdit::default() };
        let uuid = |text: &str| serde_json::json!(text);
        let made_up = MadeUp {
            id: serde_json::from_value::<CustomHostnameId>(uuid("1d74f419-c24c-4619-9ff2-489751b61d27"))
                .unwrap(),
            ownership_token: TOKEN.to_owned(),
            pack: serde_json::from_value::<CertificatePackId>(uuid("198d3c94-cd7b-46e6-9a49-d44dab59dfb5"))
                .unwrap(),
        };
        let hostname = CustomHostname::new(id.clone(), &new, made_up, began()).unwrap();
        let records = vec![record("customers", true), record("mail", false)];
        Site { zone, records, apex: Vec::new(), hostname, held: false, blocked: false, contested: false }
    }

    pub(super) fn expected(&self) -> Expected<'_> {
        Expected {
            hostname: &self.hostname,
            zone: &self.zone,
            records: &self.records,
            apex: &self.apex,
            held: self.held,
            blocked: self.blocked,
            contested: self.contested,
        }
    }

    pub(super) async fn look(&self, dns: &[&Arc<Told>], web: &dyn Web) -> Finding {
        let servers: Vec<Arc<dyn Dns>> = dns.iter().map(|told| Arc::clone(told) as Arc<dyn Dns>).collect();
        look(&self.expected(), &servers, web).await
    }

    /// Looks and goes a step; when to look again.
    async fn check(&mut self, dns: &Arc<Told>, now: Timestamp) -> Option<Timestamp> {
        let finding = self.look(&[dns], &Says(None)).await;
        let Step { hostname, next } = step(&self.expected(), &finding, now);
        self.hostname = hostname;
        next
    }
}

fn missing(site: &Site) -> Option<&str> {
    site.hostname.verification_errors.first().map(String::as_str)
}

#[tokio::test]
async fn each_of_the_four_ways_shows_whose_a_name_is() {
    let mut site = Site::new();
    let dns = Arc::new(Told::default());
    assert_eq!(site.look(&[&dns], &Says(None)).await.proof, None);
    dns.text("_cf-custom-hostname.shop.customer.test", &format!(" {TOKEN} "));
    assert_eq!(site.look(&[&dns], &Says(None)).await.proof, Some(Proof::Txt));
    let none = Arc::new(Told::default());
    // The sample server of the product's page ends the token with a newline.
    let served = site.look(&[&none], &Says(Some("29625d98-cb2e-4ec0-94d1-4f562ac2fec2\n"))).await;
    assert_eq!((served.proof, served.leads), (Some(Proof::Http), Leads::Elsewhere));
    dns.cname("shop.customer.test", "www.customer.test");
    dns.cname("www.customer.test", "customers.saas.test");
    let led = site.look(&[&dns], &Says(None)).await;
    assert_eq!(led.leads, Leads::Here);
    assert_eq!(led.proof, Some(Proof::Cname(Domain::parse("customers.saas.test").unwrap())));
    none.address("shop.customer.test", "198.51.100.7");
    assert_eq!(site.look(&[&none], &Says(None)).await.proof, None, "the zone has no addresses of its own");
    site.apex = vec!["198.51.100.0/28".parse().unwrap()];
    let led = site.look(&[&none], &Says(None)).await;
    assert_eq!(led.proof, Some(Proof::Address("198.51.100.7".parse().unwrap())));
}

#[tokio::test]
async fn what_is_no_proof_is_told_apart() {
    let site = Site::new();
    let seen = async |tell: &dyn Fn(&Told)| {
        let dns = Arc::new(Told::default());
        tell(&dns);
        let finding = site.look(&[&dns], &Says(Some("another token"))).await;
        assert_eq!(finding.proof, None, "{finding:?}");
        (finding.leads, finding.notes.join("\n"))
    };
    let (leads, notes) = seen(&|_| {}).await;
    assert_eq!(leads, Leads::Elsewhere);
    assert!(notes.contains("192.0.2.53:53: there is no name shop.customer.test"), "{notes}");
    assert!(notes.contains("there is no TXT record _cf-custom-hostname.shop.customer.test"), "{notes}");
    assert!(notes.contains("answers with something else than the token"), "{notes}");
    let (_, notes) = seen(&|dns| dns.text("_cf-custom-hostname.shop.customer.test", "nonsense")).await;
    assert!(notes.contains("does not have the token"), "{notes}");
    // A record of the zone that visitors do not come through, and a name of another zone.
    for target in ["mail.saas.test", "customers.other.test", "saas.test"] {
        let (leads, notes) = seen(&|dns| {
            dns.cname("shop.customer.test", target);
            dns.say(target, Question::Cname, Answer::None);
        })
        .await;
        assert_eq!(leads, Leads::Elsewhere, "{target}");
        assert!(notes.contains(&format!("ends at {target}, which is no target of saas.test")), "{notes}");
    }
    let (leads, notes) = seen(&|dns| {
        dns.cname("shop.customer.test", "a.customer.test");
        dns.cname("a.customer.test", "shop.customer.test");
    })
    .await;
    assert_eq!(leads, Leads::Elsewhere);
    assert!(notes.contains("lead in a circle"), "{notes}");
    let (_, notes) = seen(&|dns| {
        dns.cname("shop.customer.test", "a0.customer.test");
        for step in 0..20 {
            dns.cname(&format!("a{step}.customer.test"), &format!("a{}.customer.test", step + 1));
        }
    })
    .await;
    assert!(notes.contains("more than 8 CNAMEs follow"), "{notes}");
    let (leads, notes) = seen(&|dns| {
        dns.say("shop.customer.test", Question::Cname, Answer::Failed("no answer within 5 s".to_owned()));
    })
    .await;
    assert_eq!(leads, Leads::Unknown);
    assert!(notes.contains("no answer within 5 s"), "{notes}");
}

#[tokio::test]
async fn one_name_server_of_several_proves_nothing_and_takes_nobody_away() {
    let mut site = Site::new();
    let (liar, honest, other) =
        (Arc::new(Told::default()), Arc::new(Told::default()), Arc::new(Told::default()));
    liar.cname("shop.customer.test", "customers.saas.test");
    liar.text("_cf-custom-hostname.shop.customer.test", TOKEN);
    for all in [vec![&liar, &honest], vec![&liar, &honest, &other]] {
        let finding = site.look(&all, &Says(None)).await;
        assert_eq!(finding.proof, None);
        assert!(finding.notes.iter().any(|note| note.contains("1 of")), "{finding:?}");
    }
    honest.cname("shop.customer.test", "customers.saas.test");
    assert_eq!(site.look(&[&liar, &honest, &other], &Says(None)).await.leads, Leads::Here);
    site.check(&honest, began()).await;
    assert_eq!(site.hostname.status, HostnameStatus::Active);
    // In use: two that fail and one that denies it are no majority.
    let (failed, denies) = (Arc::new(Told::default()), Arc::new(Told::default()));
    failed.say("shop.customer.test", Question::Cname, Answer::Failed("refused".to_owned()));
    for _ in 0..10 {
        let finding = site.look(&[&failed, &failed, &denies], &Says(None)).await;
        assert_eq!(finding.leads, Leads::Unknown);
        let gone = step(&site.expected(), &finding, began());
        assert_eq!(gone.hostname.status, HostnameStatus::Active);
        site.hostname = gone.hostname;
    }
    assert_eq!(site.look(&[], &Says(None)).await.leads, Leads::Unknown, "nobody to ask");
}

/// A week and more, by hand: 75 tries at the page's times, then moved, a week later deleted, then never again.
#[tokio::test]
async fn a_name_that_nobody_shows_to_be_theirs_moves_and_is_deleted() {
    let mut site = Site::new();
    let dns = Arc::new(Told::default());
    let mut now = began();
    let mut tries = 0;
    loop {
        let next = site.check(&dns, now).await.expect("there is always a next one until it is deleted");
        tries += 1;
        if site.hostname.status == HostnameStatus::Moved {
            assert_eq!(next, now.later(WEEK));
            break;
        }
        assert_eq!(site.hostname.status, HostnameStatus::Pending);
        assert_eq!(missing(&site), Some("custom hostname does not CNAME to this zone."));
        assert_eq!(next, now.later(wait(tries - 1)), "after {tries} tries");
        now = next;
    }
    assert_eq!(tries, TRIES);
    assert!(!site.hostname.check_notes.is_empty());
    // What is seen in between does not bring it back: that takes a refresh.
    dns.cname("shop.customer.test", "customers.saas.test");
    assert_eq!(site.check(&dns, now.later(Duration::from_secs(3_600))).await, Some(now.later(WEEK)));
    assert_eq!(site.hostname.status, HostnameStatus::Moved);
    assert_eq!(site.check(&dns, now.later(WEEK)).await, None);
    assert_eq!(site.hostname.status, HostnameStatus::Deleted);
    assert_eq!(site.check(&dns, now.later(WEEK)).await, None);
}

#[tokio::test]
async fn one_in_use_moves_when_its_dns_left_and_not_for_a_moments_mistake() {
    let mut site = Site::new();
    let dns = Arc::new(Told::default());
    dns.cname("shop.customer.test", "customers.saas.test");
    let mut now = began();
    assert_eq!(site.check(&dns, now).await, Some(now.later(LONGEST_WAIT)));
    assert_eq!((site.hostname.activated_at, site.hostname.led_here_at), (Some(now), Some(now)));
    // Gone for two checks, and back: the count begins anew.
    for _ in 0..2 {
        dns.cname("shop.customer.test", "elsewhere.test");
        for _ in 1..MISSES {
            now = now.later(AFTER_A_MISS);
            assert_eq!(site.check(&dns, now).await, Some(now.later(AFTER_A_MISS)));
            assert_eq!(site.hostname.status, HostnameStatus::Active);
        }
        dns.cname("shop.customer.test", "customers.saas.test");
        assert_eq!(site.check(&dns, now).await, Some(now.later(LONGEST_WAIT)));
    }
    dns.cname("shop.customer.test", "elsewhere.test");
    for _ in 0..MISSES {
        now = now.later(AFTER_A_MISS);
        site.check(&dns, now).await;
    }
    assert_eq!(site.hostname.status, HostnameStatus::Moved);
    assert_eq!(missing(&site), Some("custom hostname does not CNAME to this zone."));
}

#[tokio::test]
async fn one_that_was_shown_beforehand_stays_until_it_leads_here_and_leaves() {
    let mut site = Site::new();
    let dns = Arc::new(Told::default());
    dns.text("_cf-custom-hostname.shop.customer.test", TOKEN);
    site.check(&dns, began()).await;
    assert_eq!((site.hostname.status, site.hostname.led_here_at), (HostnameStatus::Active, None));
    // Customers may remove the record once it is active.
    let bare = Arc::new(Told::default());
    for day in 1..30 {
        site.check(&bare, began().later(Duration::from_secs(day * 86_400))).await;
    }
    assert_eq!(site.hostname.status, HostnameStatus::Active);
}

#[tokio::test]
async fn a_fallback_origin_is_needed_unless_there_is_one_of_its_own_and_a_hold_blocks() {
    let mut site = Site::new();
    let dns = Arc::new(Told::default());
    dns.cname("shop.customer.test", "customers.saas.test");
    site.zone = site.zone.edited(&ZoneEdit { fallback_origin: Some(None), ..ZoneEdit::default() }, began());
    site.check(&dns, began()).await;
    assert_eq!(site.hostname.status, HostnameStatus::Pending);
    assert_eq!(missing(&site), Some("zone does not have a fallback origin set."));
    site.held = true;
    site.check(&dns, began()).await;
    assert_eq!(site.hostname.status, HostnameStatus::Blocked);
    assert!(missing(&site).is_some_and(|text| text.contains("held zone")));
    site.held = false;
    site.zone = site.zone.edited(
        &ZoneEdit { fallback_origin: Some(Domain::parse("fallback.saas.test").ok()), ..ZoneEdit::default() },
        began(),
    );
    site.check(&dns, began()).await;
    assert_eq!((site.hostname.status, missing(&site)), (HostnameStatus::Active, None));
}

#[tokio::test]
async fn with_addresses_of_its_own_the_zone_asks_for_them() {
    let mut site = Site::new();
    site.apex = vec!["198.51.100.0/28".parse().unwrap(), "2001:db8::/48".parse().unwrap()];
    let dns = Arc::new(Told::default());
    dns.address("shop.customer.test", "203.0.113.9");
    site.check(&dns, began()).await;
    assert!(missing(&site).is_some_and(|text| text.starts_with("none of the A or AAAA records are owned")));
    let notes = site.hostname.check_notes.join("\n");
    assert!(notes.contains("has the addresses 203.0.113.9, none of which is one of saas.test"), "{notes}");
    let six = Record::Address("2001:db8::1".parse().unwrap());
    dns.say("shop.customer.test", Question::Aaaa, Answer::Records(vec![six]));
    site.check(&dns, began()).await;
    assert_eq!(site.hostname.status, HostnameStatus::Active);
}

#[tokio::test]
async fn what_zones_share_shows_nothing_of_a_name_that_another_has_or_had() {
    let mut site = Site::new();
    site.apex = vec!["198.51.100.0/28".parse().unwrap()];
    site.contested = true;
    let dns = Arc::new(Told::default());
    dns.address("shop.customer.test", "198.51.100.7");
    // The web server at that address is the platform, and whoever is served there may write the token as well.
    let found = site.look(&[&dns], &Says(Some(TOKEN))).await;
    assert_eq!((found.proof, found.leads), (None, Leads::Here));
    assert!(found.notes.iter().any(|note| note.contains("is an address of every zone")), "{:?}", found.notes);
    dns.text("_cf-custom-hostname.shop.customer.test", TOKEN);
    assert_eq!(site.look(&[&dns], &Says(None)).await.proof, Some(Proof::Txt));
    dns.cname("shop.customer.test", "customers.saas.test");
    let target = Domain::parse("customers.saas.test").unwrap();
    assert_eq!(site.look(&[&dns], &Says(None)).await.proof, Some(Proof::Cname(target)));
}

#[tokio::test]
async fn an_address_of_another_name_is_that_names() {
    let mut site = Site::new();
    site.apex = vec!["198.51.100.0/28".parse().unwrap()];
    let dns = Arc::new(Told::default());
    dns.cname("shop.customer.test", "service.rival.test");
    dns.address("service.rival.test", "198.51.100.7");
    let found = site.look(&[&dns], &Says(None)).await;
    assert_eq!((found.proof, found.leads), (None, Leads::Here));
    assert!(
        found.notes.iter().any(|note| note.contains("by way of service.rival.test")),
        "{:?}",
        found.notes
    );
}

#[tokio::test]
async fn a_wildcard_is_judged_by_a_name_that_nobody_made() {
    let site = Site::of("*.shop.customer.test");
    let dns = Arc::new(Told::default());
    dns.cname("check-1d74f419.shop.customer.test", "customers.saas.test");
    let finding = site.look(&[&dns], &Says(None)).await;
    assert_eq!(finding.leads, Leads::Here);
    let text = Arc::new(Told::default());
    text.text("_cf-custom-hostname.shop.customer.test", TOKEN);
    assert_eq!(site.look(&[&text], &Says(None)).await.proof, Some(Proof::Txt));
    // The token of one name over HTTP says nothing of all names below it.
    let served = site.look(&[&Arc::new(Told::default())], &Says(Some(TOKEN))).await;
    assert_eq!(served.proof, None);
}

#[tokio::test]
async fn what_is_kept_of_a_check_is_bounded() {
    let site = Site::new();
    let dns = Arc::new(Told::default());
    let long = "ü".repeat(5_000);
    dns.say("shop.customer.test", Question::Cname, Answer::Failed(long));
    let many: Vec<&Arc<Told>> = std::iter::repeat_n(&dns, 50).collect();
    let finding = site.look(&many, &Says(None)).await;
    assert_eq!(finding.notes.len(), MOST_NOTES);
    assert!(finding.notes.iter().all(|note| note.len() <= LONGEST_NOTE + 3), "{finding:?}");
}

#[tokio::test]
async fn one_in_use_whose_zone_has_no_origin_any_more_is_told_so_and_stays() {
    let mut site = Site::new();
    let dns = Arc::new(Told::default());
    dns.cname("shop.customer.test", "customers.saas.test");
    site.check(&dns, began()).await;
    assert_eq!((site.hostname.status, missing(&site)), (HostnameStatus::Active, None));
    let fallback = site.zone.fallback_origin.take();
    site.check(&dns, began()).await;
    let told = Some("zone does not have a fallback origin set.");
    assert_eq!((site.hostname.status, missing(&site)), (HostnameStatus::Active, told));
    site.zone.fallback_origin = fallback;
    site.check(&dns, began()).await;
    assert_eq!((site.hostname.status, missing(&site)), (HostnameStatus::Active, None));
}

#[tokio::test]
async fn a_name_that_nobody_may_have_is_blocked_from_any_status_for_as_long_as_it_is() {
    let mut site = Site::new();
    let dns = Arc::new(Told::default());
    dns.cname("shop.customer.test", "customers.saas.test");
    site.check(&dns, began()).await;
    assert_eq!(site.hostname.status, HostnameStatus::Active);
    site.blocked = true;
    let mut now = began();
    for _ in 0..100 {
        assert_eq!(site.check(&dns, now).await, Some(now.later(LONGEST_WAIT)));
        assert_eq!(site.hostname.status, HostnameStatus::Blocked);
        assert!(missing(&site).is_some_and(|text| text.starts_with("custom hostname cannot be added")));
        now = now.later(LONGEST_WAIT);
    }
    site.blocked = false;
    site.check(&dns, now).await;
    assert_eq!((site.hostname.status, missing(&site)), (HostnameStatus::Active, None));
}

#[tokio::test]
async fn a_proof_that_zones_share_is_none_when_another_came_meanwhile() {
    let mut site = Site::new();
    site.apex = vec!["198.51.100.0/28".parse().unwrap()];
    let dns = Arc::new(Told::default());
    dns.address("shop.customer.test", "198.51.100.7");
    let by_address = site.look(&[&dns], &Says(None)).await;
    let by_file = site.look(&[&Arc::new(Told::default())], &Says(Some(TOKEN))).await;
    assert!(by_address.proof.is_some() && by_file.proof == Some(Proof::Http));
    assert_eq!(by_address.clone().judged(&site.expected()), by_address);
    site.contested = true;
    for found in [by_address, by_file] {
        let judged = found.judged(&site.expected());
        assert_eq!(judged.proof, None);
        assert_eq!(judged.flaws[0].code.as_str(), "address_shared");
    }
}
