//! Certificates of a hundred thousand names that live for 6 to 45 days, ordered and renewed by a clock that is moved by hand, of an
//! authority that is made up: it loses calls, takes proofs for wrong, is down for a day, and has processes end in the middle of
//! calls. What is counted is what it was asked for.
//!
//! The steps are those of the platform, over a registry in memory and certificates on the disk. Names come evenly over two thirds of
//! the time, and what is said of hours is said of the last third.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::sync::Notify;
use wasmyard_acme::{Authorities, Failure, Order, Proof, Stage, Wanted, Window};
use wasmyard_control::{Checked, ComponentChecker, Control, Issuers, Lookout, Refusal, RefusalCode};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_kv::{Kv, KvLimits, SqliteKv};
use wasmyard_namespaces::clock::ClockHand;
use wasmyard_namespaces::hostname::{
    CertificateAuthority, CertificateType, CustomHostnameEdit, CustomName, NewCustomHostname, SslEdit,
    ValidationMethod,
};
use wasmyard_namespaces::ids::{CertificatePackId, CustomHostnameId, ZoneId};
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::zone::ZoneType;
use wasmyard_namespaces::{
    Blobs, Clock, Digest, LimitSpec, Registry, RegistryOptions, Store as _, Timestamp,
};
use wasmyard_ownership::NoToken;
use wasmyard_ownership::dns::{Answer, Dns, Question, Record};
use wasmyard_ownership::rules::Web;

use super::Effort;
use crate::Error;
use crate::report::{Reading, Target as Goal};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: u64 = 3_600;
/// Names of the whole run, and of the quick one.
const NAMES: [usize; 2] = [100_000, 2_000];
/// How many days pass.
const DAYS: u32 = 30;
/// Zones that they are in.
const ZONES: usize = 10;
/// Orders an hour that the authority is sent at most for every thousand names, and three times as many within three hours that it
/// takes.
const PACE: u64 = 20;
/// How long a job is believed to be worked on whose process ended.
const LEASE: Duration = Duration::from_secs(60);
/// Calls of a thousand that fail.
const FAILS: u64 = 50;
/// Proofs of a thousand that it takes for wrong.
const WRONG: u64 = 10;
/// Calls of a thousand in which a process ends.
const ENDS: u64 = 5;

/// One order.
struct Open {
    stage: Stage,
    /// The order for the second key of a name, whose text nobody publishes.
    is_second: bool,
    /// Nobody heard where it is.
    is_lost: bool,
    url: String,
}

impl Open {
    /// Whether somebody waits for it: nobody does for one that is over, or whose text is never published.
    fn goes_on(&self) -> bool {
        let is_open = matches!(self.stage, Stage::Pending | Stage::Ready | Stage::Processing);
        is_open && !self.is_second && !self.is_lost
    }
}

#[derive(Default)]
struct Told {
    open: HashMap<String, Open>,
    names: HashMap<String, String>,
    packs: HashMap<String, (CertificatePackId, Duration)>,
    /// Of each hour, how many orders were made.
    hours: HashMap<u64, u64>,
    orders: u64,
    lost: u64,
    wrong: u64,
    issued: u64,
    duplicates: u64,
    over_quota: u64,
    random: u64,
}

struct Made {
    told: Mutex<Told>,
    clock: Clock,
    began: Timestamp,
    store: Arc<CertificateStore>,
    most: u64,
    down: (Timestamp, Timestamp),
    ends: Notify,
}

impl Made {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of a thousand, picked the same in every run.
    fn is_one_of(&self, parts: u64) -> bool {
        let mut told = self.told();
        let mut random = told.random;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        told.random = random;
        random % 1_000 < parts
    }

    /// The process of whoever called ends here, now and then.
    async fn may_end(&self) {
        if self.is_one_of(ENDS) {
            self.ends.notify_one();
            std::future::pending::<()>().await;
        }
    }

    async fn call(&self) -> Result<(), Failure> {
        self.may_end().await;
        let now = self.clock.now();
        if (self.down.0..self.down.1).contains(&now) || self.is_one_of(FAILS) {
            return Err(Failure::Unreachable("it is away".to_owned()));
        }
        Ok(())
    }

    fn name_of(&self, url: &str) -> Result<String, Failure> {
        self.told().names.get(url).cloned().ok_or_else(|| Failure::Gone(url.to_owned()))
    }
}

#[async_trait]
impl Authorities for Made {
    async fn order(&self, names: &[String], _: Option<&[u8]>) -> Result<String, Failure> {
        self.call().await?;
        let name = names.first().cloned().unwrap_or_default();
        let hour = self.clock.now().since(self.began).as_secs() / HOUR;
        let ends = self.is_one_of(ENDS);
        let url = {
            let mut told = self.told();
            let within: u64 = (hour.saturating_sub(2)..=hour).filter_map(|hour| told.hours.get(&hour)).sum();
            if within >= 3 * self.most {
                told.over_quota += 1;
                return Err(Failure::TooOften { after: None, text: "too many orders".to_owned() });
            }
            *told.hours.entry(hour).or_default() += 1;
            told.orders += 1;
            let before = told.open.get(&name);
            let goes_on = before.is_some_and(Open::goes_on);
            let is_second = before.is_some_and(|open| match open.stage {
                Stage::Valid => !open.is_second,
                _ => open.is_second && open.is_lost,
            });
            told.duplicates += u64::from(goes_on);
            let url = format!("order/{}", told.orders);
            told.lost += u64::from(ends);
            told.names.insert(url.clone(), name.clone());
            let open = Open { stage: Stage::Pending, is_second, is_lost: ends, url: url.clone() };
            if let Some(before) = told.open.insert(name, open) {
                told.names.remove(&before.url);
            }
            url
        };
        if ends {
            self.ends.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(url)
    }

    async fn look(&self, url: &str) -> Result<Order, Failure> {
        self.call().await?;
        let name = self.name_of(url)?;
        let told = self.told();
        let open = told.open.get(&name).ok_or_else(|| Failure::Gone(url.to_owned()))?;
        let wanted = Wanted {
            name,
            proof: Proof::Txt,
            status: if open.stage == Stage::Pending { "pending" } else { "valid" },
            token: "token".to_owned(),
            body: "token.thumbprint".to_owned(),
            text: if open.is_second { "nobody publishes it" } else { "text" }.to_owned(),
            problem: None,
        };
        let (url, stage) = (url.to_owned(), open.stage);
        Ok(Order { url, stage, wanted: vec![wanted], problem: None, again: None })
    }

    async fn show(&self, url: &str, _: Proof, _: &[String]) -> Result<(), Failure> {
        self.call().await?;
        let (name, wrong) = (self.name_of(url)?, self.is_one_of(WRONG));
        let mut told = self.told();
        told.wrong += u64::from(wrong);
        if let Some(open) = told.open.get_mut(&name) {
            open.stage = if wrong { Stage::Invalid } else { Stage::Ready };
        }
        Ok(())
    }

    async fn finish(&self, url: &str, _: &[u8]) -> Result<(), Failure> {
        self.call().await?;
        let name = self.name_of(url)?;
        if let Some(open) = self.told().open.get_mut(&name) {
            open.stage = Stage::Valid;
        }
        self.may_end().await;
        Ok(())
    }

    async fn certificate(&self, url: &str) -> Result<Option<String>, Failure> {
        self.call().await?;
        let name = self.name_of(url)?;
        let kept = self.told().packs.get(&name).cloned();
        let (pack, life) = kept.ok_or_else(|| Failure::Gone(url.to_owned()))?;
        let failed = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
        let secret = self.store.secret(&format!("acme-key:{pack}:ecdsa")).await;
        let secret = secret.map_err(|error| failed(&error))?.ok_or_else(|| failed(&"no key"))?;
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&secret.as_slice().into(), &PKCS_ECDSA_P256_SHA256);
        let pair = pair.map_err(|error| failed(&error))?;
        let mut params = CertificateParams::new([name]).map_err(|error| failed(&error))?;
        let now = self.clock.now();
        let date = |at: Timestamp| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(at.unix_seconds());
        (params.not_before, params.not_after) = (date(now), date(now.later(life)));
        let made = params.self_signed(&pair).map_err(|error| failed(&error))?.pem();
        self.told().issued += 1;
        Ok(Some(made))
    }

    async fn renewal(&self, _: &[u8]) -> Result<Option<Window>, Failure> {
        Ok(None)
    }

    async fn roll_key(&self) -> Result<(), Failure> {
        Ok(())
    }
}

/// Name servers that say the text of every first order.
struct Names;

#[async_trait]
impl Dns for Names {
    fn name(&self) -> String {
        "names".to_owned()
    }

    async fn ask(&self, _: &str, question: Question) -> Answer {
        match question {
            Question::Txt => Answer::Records(vec![Record::Txt("text".to_owned())]),
            _ => Answer::NoName,
        }
    }
}

struct Nobody;

#[async_trait]
impl Web for Nobody {
    async fn get(&self, _: &str) -> Result<String, NoToken> {
        Err(NoToken::Closed("nobody is there".to_owned()))
    }
}

#[async_trait]
impl ComponentChecker for Nobody {
    async fn check(&self, _: &Digest, _: Bytes, _: &[LimitSpec]) -> Result<Checked, Refusal> {
        Err(Refusal { code: RefusalCode::Failed, message: "nothing is uploaded here".to_owned() })
    }
}

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(through(effort.pick(NAMES[0], NAMES[1])))
}

/// A name that is looked after.
struct Name {
    zone: ZoneId,
    id: CustomHostnameId,
}

async fn through(count: usize) -> Result<Vec<Reading>, Error> {
    let data = tempfile::tempdir()?;
    let store = Arc::new(CertificateStore::open(data.path())?);
    let began: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let (clock, hand) = Clock::by_hand(began);
    let kv = Kv::new(Arc::new(SqliteKv::open(data.path())?), clock.clone(), KvLimits::default());
    let options =
        RegistryOptions { clock: clock.clone(), hostname_quota: count as u64, ..RegistryOptions::default() };
    let memory = Arc::new(MemoryStore::new());
    let registry = Registry::open_with(Arc::clone(&memory) as _, Blobs::memory(), options).await?;
    let most = (count as u64 * PACE).div_ceil(1_000);
    let down = (began.later(DAY * (DAYS - 4)), began.later(DAY * (DAYS - 4) + DAY / 24));
    let told = Told { random: 0x9e37_79b9_7f4a_7c15, ..Told::default() };
    let made = Made {
        told: Mutex::new(told),
        clock: clock.clone(),
        began,
        store: Arc::clone(&store),
        most,
        down,
        ends: Notify::new(),
    };
    let made = Arc::new(made);
    let issuers = Issuers::new(vec![(CertificateAuthority::LetsEncrypt, Arc::clone(&made) as _)]);
    let issuers = issuers.with_orders_per_hour(CertificateAuthority::LetsEncrypt, most);
    let control = Control::new(registry, Arc::new(Nobody), kv).with_reserved_names();
    let control = control.with_certificates(store).with_issuers(issuers);
    let lookout = Lookout { servers: vec![Arc::new(Names)], web: Arc::new(Nobody), apex: Vec::new() };
    let mut zones = Vec::new();
    for number in 0..ZONES {
        let zone = control.create_zone(&format!("saas-{number}.test"), ZoneType::Full).await?;
        zones.push(zone.result.id.clone());
    }
    let (end, apart) = (began.later(DAY * DAYS), DAY * DAYS / 3 * 2 / u32::try_from(count)?);
    let mut names: Vec<Name> = Vec::with_capacity(count);
    let mut due: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
    let (mut steps, mut expired, mut ended) = (0u64, 0u64, 0u64);
    let walked = Instant::now();
    loop {
        let next_name = (names.len() < count)
            .then(|| began.later(apart.saturating_mul(u32::try_from(names.len()).unwrap_or(u32::MAX))));
        let next_step = due.peek().map(|Reverse((at, _))| *at);
        let at = match (next_name, next_step) {
            (Some(name), Some(step)) => name.min(step),
            (Some(at), None) | (None, Some(at)) => at,
            (None, None) => break,
        };
        if at >= end {
            break;
        }
        hand_to(&hand, &clock, at);
        if next_name == Some(at) {
            let number = names.len();
            names.push(comes(&control, &made, &zones, number).await?);
            due.push(Reverse((at, number)));
            continue;
        }
        let Some(Reverse((_, number))) = due.pop() else { break };
        let Some(name) = names.get(number) else { break };
        steps += 1;
        let wait = tokio::select! {
            biased;
            wait = control.issue(&name.zone, &name.id, &lookout) => wait?,
            () = made.ends.notified() => {
                ended += 1;
                Some(LEASE)
            }
        };
        if let Some(wait) = wait {
            due.push(Reverse((at.later(wait), number)));
        }
        if steps.is_multiple_of(100_000) {
            // What a node that follows it has seen is not needed.
            memory.compact(u64::MAX).await?;
        }
    }
    for name in &names {
        let hostname = control.registry().hostname(&name.zone, &name.id).await?;
        let certificates = hostname.ssl.iter().flat_map(|ssl| &ssl.certificates);
        expired +=
            u64::from(certificates.map(|one| one.expires_on).max().is_some_and(|ends| ends <= clock.now()));
    }
    let took = walked.elapsed();
    Ok(readings(&made.told(), count, steps, ended, expired, took))
}

fn hand_to(hand: &ClockHand, clock: &Clock, at: Timestamp) {
    hand.advance(at.since(clock.now()));
}

/// A customer comes with a name.
async fn comes(control: &Control, made: &Made, zones: &[ZoneId], number: usize) -> Result<Name, Error> {
    let zone = zones.get(number % ZONES).ok_or("no zone")?;
    let text = format!("n{number}.customers.test");
    let ssl = SslEdit {
        method: Some(ValidationMethod::Txt),
        kind: Some(CertificateType::Dv),
        ..SslEdit::default()
    };
    let edit = CustomHostnameEdit { ssl: Some(ssl), ..CustomHostnameEdit::default() };
    let new = NewCustomHostname { name: CustomName::parse(&text)?, edit };
    let hostname = control.create_hostname(zone, &new).await?.result;
    let pack = hostname.ssl.as_ref().ok_or("it asks for none")?.id.clone();
    let life = DAY * (6 + u32::try_from(number % 40)?);
    made.told().packs.insert(text, (pack, life));
    Ok(Name { zone: zone.clone(), id: hostname.id.clone() })
}

fn readings(told: &Told, count: usize, steps: u64, ended: u64, expired: u64, took: Duration) -> Vec<Reading> {
    let last = u64::from(DAYS) * 24;
    let hours: Vec<u64> =
        (last / 3 * 2..last).map(|hour| told.hours.get(&hour).copied().unwrap_or_default()).collect();
    let mean = hours.iter().sum::<u64>() as f64 / hours.len() as f64;
    let busiest = hours.iter().max().copied().unwrap_or_default() as f64;
    let figure = |what, value: f64, goal| Reading::once(what, value, "", goal);
    vec![
        figure("names, of 6 to 45 days", count as f64, Goal::None),
        figure("certificates issued", told.issued as f64, Goal::None),
        figure("orders", told.orders as f64, Goal::None),
        figure("orders whose proof the authority took for wrong", told.wrong as f64, Goal::None),
        figure("processes that ended in a call", ended as f64, Goal::None),
        figure(
            "orders that nobody heard of, because the process ended with them",
            told.lost as f64,
            Goal::None,
        ),
        figure("duplicates: orders beside one that went on", told.duplicates as f64, Goal::AtMost(0.0)),
        figure("orders beyond what the authority takes", told.over_quota as f64, Goal::AtMost(0.0)),
        figure("certificates that ran out", expired as f64, Goal::AtMost(0.0)),
        figure("orders of an hour, mean of the last third", mean, Goal::None),
        figure("busiest hour of it, in means", busiest / mean, Goal::AtMost(1.2)),
        Reading::once("a step of an order", took.as_secs_f64() * 1e6 / steps.max(1) as f64, "us", Goal::None),
    ]
}
