//! Orders over days and years, by a clock that is moved by hand, of an authority that does as it is told.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use wasmyard_hostnames::ServedName;
use wasmyard_namespaces::Clock;
use wasmyard_namespaces::clock::ClockHand;
use wasmyard_namespaces::hostname::{
    CertificateAuthority, CertificateType, CustomCertificate, CustomHostname, CustomHostnameEdit, CustomName,
    NewCustomHostname, SslEdit,
};
use wasmyard_namespaces::zone::ZoneType;
use wasmyard_ownership::NoToken;
use wasmyard_ownership::dns::{Answer, Dns, Question, Record};
use wasmyard_ownership::rules::Web;

use super::*;
use wasmyard_acme::{Authorities, Order, Proof, Wanted, Window};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_namespaces::hostname::ValidationMethod;

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Default)]
struct Told {
    orders: u32,
    shows: u32,
    calls: u32,
    stage: Option<Stage>,
    /// What the next calls fail with.
    failures: VecDeque<Failure>,
    /// Until when every call fails.
    down_until: Option<Timestamp>,
    requested: bool,
    /// When it would have certificates renewed; none: it does not say.
    window: Option<(Timestamp, Timestamp)>,
    /// How often it was asked for that.
    asked: u32,
    /// Of each order, whether it takes the place of a certificate.
    replaced: Vec<bool>,
    /// When each was made.
    ordered_at: Vec<Timestamp>,
    /// At which call the process ends, and whether the authority has done then what it was called for.
    ends_at: Option<(u32, bool)>,
    /// Whether every order wants to see something, and nobody publishes it for the second one.
    hides_second: bool,
    /// It does not say when to renew, and when to ask again.
    away: Option<Duration>,
    /// How soon it says to look again.
    again: Option<Duration>,
    /// Whether an order for the same names is the one that is open, as at Let's Encrypt.
    remembers: bool,
}

struct Ca {
    told: Mutex<Told>,
    clock: Clock,
    store: Arc<CertificateStore>,
    life: Duration,
    pack: Mutex<Option<CertificatePackId>>,
    /// The process ends.
    ends: tokio::sync::Notify,
}

impl Ca {
    /// The process ends here, if it is to: whoever called never hears of it.
    async fn may_end(&self, is_done: bool) {
        let ends = {
            let told = self.told.lock().unwrap();
            told.ends_at == Some((told.calls, is_done))
        };
        if ends {
            self.ends.notify_one();
            std::future::pending::<()>().await;
        }
    }

    async fn call(&self) -> std::result::Result<(), Failure> {
        self.told.lock().unwrap().calls += 1;
        self.may_end(false).await;
        let mut told = self.told.lock().unwrap();
        if told.down_until.is_some_and(|until| self.clock.now() < until) {
            return Err(Failure::Unreachable("it is down".to_owned()));
        }
        told.failures.pop_front().map_or(Ok(()), Err)
    }

    fn order(&self) -> Order {
        let told = self.told.lock().unwrap();
        let wanted = Wanted {
            name: "shop.customer.test".to_owned(),
            proof: Proof::Txt,
            status: if told.stage == Some(Stage::Pending) { "pending" } else { "valid" },
            token: "token".to_owned(),
            body: "token.thumbprint".to_owned(),
            text: if told.hides_second && told.orders.is_multiple_of(2) { "hidden" } else { "text" }
                .to_owned(),
            problem: None,
        };
        let stage = told.stage.unwrap_or(Stage::Pending);
        let url = format!("order/{}", told.orders);
        Order { url, stage, wanted: vec![wanted], problem: None, again: told.again }
    }
}

#[async_trait]
impl Authorities for Ca {
    async fn order(&self, names: &[String], replaces: Option<&[u8]>) -> std::result::Result<String, Failure> {
        self.call().await?;
        assert_eq!(names, ["shop.customer.test"], "never a name that nobody asked for");
        {
            let mut told = self.told.lock().unwrap();
            let is_open = matches!(told.stage, Some(Stage::Pending | Stage::Ready));
            if !(told.remembers && is_open) {
                told.orders += 1;
                told.replaced.push(replaces.is_some());
                told.ordered_at.push(self.clock.now());
                // What was shown once is remembered.
                let is_remembered = told.shows > 0 && !told.hides_second;
                told.stage = Some(if is_remembered { Stage::Ready } else { Stage::Pending });
            }
        }
        self.may_end(true).await;
        Ok(Ca::order(self).url)
    }

    async fn look(&self, url: &str) -> std::result::Result<Order, Failure> {
        self.call().await?;
        assert_eq!(url, format!("order/{}", self.told.lock().unwrap().orders), "the same order");
        Ok(Ca::order(self))
    }

    async fn show(&self, _: &str, _: Proof, _: &[String]) -> std::result::Result<(), Failure> {
        self.call().await?;
        {
            let mut told = self.told.lock().unwrap();
            told.shows += 1;
            told.stage = Some(Stage::Ready);
        }
        self.may_end(true).await;
        Ok(())
    }

    async fn finish(&self, _: &str, _: &[u8]) -> std::result::Result<(), Failure> {
        self.call().await?;
        {
            let mut told = self.told.lock().unwrap();
            (told.stage, told.requested) = (Some(Stage::Valid), true);
        }
        self.may_end(true).await;
        Ok(())
    }

    async fn certificate(&self, _: &str) -> std::result::Result<Option<String>, Failure> {
        self.call().await?;
        assert!(self.told.lock().unwrap().requested);
        self.may_end(true).await;
        let pack = self.pack.lock().unwrap().clone().unwrap();
        let now = self.clock.now();
        for (key, algorithm) in
            [(CertificateKey::Ecdsa, &PKCS_ECDSA_P256_SHA256), (CertificateKey::Rsa, &PKCS_RSA_SHA256)]
        {
            let Some(secret) = self.store.secret(&key_label(&pack, key)).await.unwrap() else { continue };
            let pair = KeyPair::from_pkcs8_der_and_sign_algo(&secret.as_slice().into(), algorithm).unwrap();
            let mut params = CertificateParams::new(["shop.customer.test".to_owned()]).unwrap();
            let date =
                |at: Timestamp| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.unix_seconds());
            (params.not_before, params.not_after) = (date(now), date(now.later(self.life)));
            return Ok(Some(params.self_signed(&pair).unwrap().pem()));
        }
        panic!("no key is kept");
    }

    async fn renewal(&self, certificate: &[u8]) -> std::result::Result<Option<Window>, Failure> {
        assert!(!certificate.is_empty());
        let mut told = self.told.lock().unwrap();
        told.asked += 1;
        if told.down_until.is_some_and(|until| self.clock.now() < until) {
            return Err(Failure::Unreachable("it is down".to_owned()));
        }
        if let Some(after) = told.away {
            return Err(Failure::Busy { after, text: "maintenance".to_owned() });
        }
        let window = |(from, until)| Window { from, until, again: Duration::from_secs(6 * 3_600) };
        Ok(told.window.map(window))
    }

    async fn roll_key(&self) -> std::result::Result<(), Failure> {
        self.call().await
    }
}

/// A name server that says the text, or nothing.
#[derive(Default)]
struct Names(Mutex<bool>);

#[async_trait]
impl Dns for Names {
    fn name(&self) -> String {
        "names".to_owned()
    }

    async fn ask(&self, name: &str, question: Question) -> Answer {
        let shown = *self.0.lock().unwrap() && name == "_acme-challenge.shop.customer.test";
        match question {
            Question::Txt if shown => Answer::Records(vec![Record::Txt("text".to_owned())]),
            _ => Answer::NoName,
        }
    }
}

struct Nobody;

#[async_trait]
impl Web for Nobody {
    async fn get(&self, _: &str) -> std::result::Result<String, NoToken> {
        Err(NoToken::Closed("nobody is there".to_owned()))
    }
}

struct Platform {
    control: Control,
    ca: Arc<Ca>,
    names: Arc<Names>,
    lookout: Lookout,
    hand: ClockHand,
    zone: ZoneId,
    id: CustomHostnameId,
    _data: tempfile::TempDir,
}

async fn platform(life: Duration) -> Platform {
    platform_with(life, |issuers, _| issuers).await
}

async fn platform_with(life: Duration, set_up: impl FnOnce(Issuers, &Arc<Ca>) -> Issuers) -> Platform {
    let data = tempfile::tempdir().unwrap();
    let store = Arc::new(CertificateStore::open(data.path()).unwrap());
    let (clock, hand) = Clock::by_hand("2026-01-01T00:00:00Z".parse().unwrap());
    let (control, _) = crate::tests::control_at(clock.clone()).await;
    let told = Mutex::default();
    let (pack, ends) = Default::default();
    let ca = Arc::new(Ca { told, clock, store: Arc::clone(&store), life, pack, ends });
    let issuers = Issuers::new(vec![(CertificateAuthority::LetsEncrypt, Arc::clone(&ca) as _)]);
    let issuers = set_up(issuers, &ca);
    let control = control.with_reserved_names().with_certificates(store).with_issuers(issuers);
    let control = control.with_certificates_per_minute(100);
    let zone = control.create_zone("saas.test", ZoneType::Full).await.unwrap().result.id.clone();
    let ssl = SslEdit {
        method: Some(ValidationMethod::Txt),
        kind: Some(CertificateType::Dv),
        ..SslEdit::default()
    };
    let new = NewCustomHostname {
        name: CustomName::parse("shop.customer.test").unwrap(),
        edit: CustomHostnameEdit { ssl: Some(ssl), ..CustomHostnameEdit::default() },
    };
    let hostname = control.create_hostname(&zone, &new).await.unwrap().result;
    *ca.pack.lock().unwrap() = hostname.ssl.as_ref().map(|ssl| ssl.id.clone());
    let names = Arc::new(Names::default());
    let lookout = Lookout { servers: vec![Arc::clone(&names) as _], web: Arc::new(Nobody), apex: Vec::new() };
    Platform { control, ca, names, lookout, hand, zone, id: hostname.id.clone(), _data: data }
}

impl Platform {
    /// One step, and the wait after it.
    async fn step(&self) -> Option<Duration> {
        let wait = self.control.issue(&self.zone, &self.id, &self.lookout).await.unwrap();
        if let Some(wait) = wait {
            self.hand.advance(wait);
        }
        wait
    }

    async fn ssl(&self) -> Ssl {
        self.control.registry.hostname(&self.zone, &self.id).await.unwrap().ssl.clone().unwrap()
    }

    /// Steps until this holds. How many there were.
    async fn until(&self, holds: impl Fn(&Ssl) -> bool) -> u32 {
        for steps in 0..500 {
            if holds(&self.ssl().await) {
                return steps;
            }
            self.step().await;
        }
        panic!("{:?}", self.ssl().await);
    }

    fn told<T>(&self, read: impl FnOnce(&mut Told) -> T) -> T {
        read(&mut self.ca.told.lock().unwrap())
    }
}

fn is_done(ssl: &Ssl) -> bool {
    ssl.certificates.len() == 2 && ssl.issuing.is_none()
}

#[tokio::test]
async fn a_week_in_which_nothing_is_published_costs_one_order_and_no_try_of_the_authority() {
    let platform = platform(90 * DAY).await;
    let began = platform.control.now();
    let steps = platform.until(|ssl| ssl.status == SslStatus::ValidationTimedOut).await;
    let took = platform.control.now().since(began);
    assert!(took >= schedule::WEEK && took < schedule::WEEK + 2 * schedule::LONGEST_WAIT, "{took:?}");
    assert!(steps < 130, "{steps}");
    assert_eq!(platform.told(|told| (told.orders, told.shows)), (1, 0));
    let ssl = platform.ssl().await;
    assert!(ssl.validation_errors[0].contains("no TXT record found") && ssl.validation_records.is_empty());
    assert_eq!(platform.step().await, None, "until somebody asks again");
}

#[tokio::test]
async fn an_authority_that_is_down_for_a_day_is_asked_seldom_and_issues_then() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    let until = platform.control.now().later(DAY);
    platform.told(|told| told.down_until = Some(until));
    platform.until(is_done).await;
    assert_eq!(platform.told(|told| (told.orders, told.shows)), (2, 1), "one for each key");
    assert!(platform.told(|told| told.calls) < 60, "{}", platform.told(|told| told.calls));
    let ssl = platform.ssl().await;
    assert_eq!((ssl.status, ssl.validation_errors.len()), (SslStatus::Active, 0));
}

#[tokio::test]
async fn an_authority_that_was_asked_too_often_is_asked_when_it_says() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    let after = Some(Duration::from_secs(3_600));
    let failure = Failure::TooOften { after, text: "too many orders".to_owned() };
    platform.told(|told| told.failures = VecDeque::from(vec![failure; 3]));
    let began = platform.control.now();
    platform.until(is_done).await;
    assert!(platform.control.now().since(began) >= Duration::from_secs(3 * 3_600));
    assert_eq!(platform.told(|told| told.orders), 2);
}

#[tokio::test]
async fn an_order_that_the_authority_forgot_is_made_anew() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(|ssl| ssl.issuing.as_ref().is_some_and(|issuing| issuing.order.is_some())).await;
    platform.told(|told| told.failures.push_back(Failure::Gone("no such order".to_owned())));
    platform.until(is_done).await;
    assert_eq!(platform.told(|told| told.orders), 3);
}

#[tokio::test]
async fn certificates_are_renewed_for_a_year_and_for_lives_of_six_days_without_a_gap() {
    for (life, span) in [(90 * DAY, 365 * DAY), (6 * DAY, 20 * DAY)] {
        let platform = platform(life).await;
        *platform.names.0.lock().unwrap() = true;
        platform.until(is_done).await;
        let pack = platform.ssl().await.id;
        let end = platform.control.now().later(span);
        while platform.control.now() < end {
            platform.step().await.expect("there is always a next one");
            let ssl = platform.ssl().await;
            assert_eq!((ssl.status, &ssl.id), (SslStatus::Active, &pack));
            let now = platform.control.now();
            assert!(ssl.certificates.iter().all(|one| one.expires_on.since(now) > life / 4), "{ssl:?}");
        }
        let rounds = platform.told(|told| told.orders) / 2;
        let fewest = u32::try_from(span.as_secs() / (life.as_secs() * 2 / 3)).unwrap();
        assert!(rounds >= fewest && rounds <= fewest * 5 / 4 + 2, "{rounds} rounds, {fewest} are needed");
        let kept = platform.ca.store.kept(&pack).await.unwrap().unwrap();
        let name = ServedName::parse("shop.customer.test").unwrap();
        assert!(kept.len() == 2 && kept.iter().all(|pair| pair.is_for(&name)));
    }
}

#[tokio::test]
async fn certificates_that_somebody_brought_are_never_ordered_over() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let bring = |before: &CustomHostname, _| {
        let mut after = before.clone();
        let ssl = after.ssl.as_mut().unwrap();
        let id = ssl.certificates.first().unwrap().id.clone();
        ssl.custom = vec![CustomCertificate { id, text: "theirs".to_owned(), csr: None }];
        Ok(Some(after))
    };
    platform.control.registry.change_hostname(&platform.zone, &platform.id, bring).await.unwrap();
    let orders = platform.told(|told| told.orders);
    platform.hand.advance(365 * DAY);
    assert_eq!(platform.step().await, None);
    assert_eq!(platform.told(|told| told.orders), orders);
}

mod deaths;
mod lateness;
mod names;
mod renewals;
mod turns;
mod waits;
