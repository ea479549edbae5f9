//! Certificates of a hundred thousand names that live for 6 to 45 days, ordered and renewed by a clock that is moved by hand, of an
//! authority that is made up: it loses calls, takes proofs for wrong, is away for an hour, and has processes end in the middle of
//! calls. What is counted is what it was asked for.
//!
//! The steps are those of the platform, over a registry in memory and certificates on the disk. Names come evenly over two thirds of
//! the time, and what is said of hours is said of the last third.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;
use wasmyard_control::{Checked, ComponentChecker, Control, Issuers, Lookout, Refusal, RefusalCode};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_kv::{Kv, KvLimits, SqliteKv};
use wasmyard_namespaces::clock::ClockHand;
use wasmyard_namespaces::hostname::{
    CertificateAuthority, CertificateType, CustomHostnameEdit, CustomName, NewCustomHostname, SslEdit,
    ValidationMethod,
};
use wasmyard_namespaces::ids::{CustomHostnameId, ZoneId};
use wasmyard_namespaces::store::MemoryStore;
use wasmyard_namespaces::zone::ZoneType;
use wasmyard_namespaces::{
    Blobs, Clock, Digest, LimitSpec, Registry, RegistryOptions, Store as _, Timestamp,
};
use wasmyard_ownership::NoToken;
use wasmyard_ownership::dns::{Answer, Dns, Question, Record};
use wasmyard_ownership::rules::Web;

use authority::{Made, Told};

use super::Effort;
use crate::Error;
use crate::report::{Reading, Target as Goal};

mod authority;

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
    let asked = std::env::var("NAMES").ok().map(|names| names.parse()).transpose()?;
    runtime.block_on(through(asked.unwrap_or(effort.pick(NAMES[0], NAMES[1]))))
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
