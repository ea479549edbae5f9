//! The authority that is made up: what it was asked for, and what it has go wrong.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::sync::Notify;
use wasmyard_acme::{Authorities, Failure, Order, Proof, Stage, Wanted, Window};
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_namespaces::ids::CertificatePackId;
use wasmyard_namespaces::{Clock, Timestamp};

use super::HOUR;

/// Calls of a thousand that fail.
const FAILS: u64 = 50;
/// Proofs of a thousand that it takes for wrong.
const WRONG: u64 = 10;
/// Calls of a thousand in which a process ends.
const ENDS: u64 = 5;

/// One order.
pub(super) struct Open {
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
pub(super) struct Told {
    pub(super) open: HashMap<String, Open>,
    pub(super) names: HashMap<String, String>,
    pub(super) packs: HashMap<String, (CertificatePackId, Duration)>,
    /// Of each hour, how many orders were made.
    pub(super) hours: HashMap<u64, u64>,
    pub(super) orders: u64,
    pub(super) lost: u64,
    pub(super) wrong: u64,
    pub(super) issued: u64,
    pub(super) duplicates: u64,
    pub(super) over_quota: u64,
    pub(super) random: u64,
}

pub(super) struct Made {
    pub(super) told: Mutex<Told>,
    pub(super) clock: Clock,
    pub(super) began: Timestamp,
    pub(super) store: Arc<CertificateStore>,
    pub(super) most: u64,
    pub(super) down: (Timestamp, Timestamp),
    pub(super) ends: Notify,
}

impl Made {
    pub(super) fn told(&self) -> std::sync::MutexGuard<'_, Told> {
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
