//! Managed certificates: from what was asked for to what is served, and on to the next one.
//!
//! Owns the steps of an order. Each step reads the hostname's record, asks the authority at most a few things, and writes what
//! came of it: the record holds all that is known, so that a process which ends between two steps goes on with the same order.
//! Nothing is ordered for a name that is not in a record, and one order at a time for each hostname. What to wait for between two
//! steps is said, never slept.

use std::sync::Arc;
use std::time::Duration;

use wasmyard_acme::{Failure, Stage, keys, schedule};
use wasmyard_hostnames::certificates::{KeyKind, LARGEST_FILE, Pair, PairError};
use wasmyard_namespaces::domain::Domain;
use wasmyard_namespaces::hostname::{
    CertificateKey, CustomHostname, HostnameStatus, Issuing, Ssl, SslStatus,
};
use wasmyard_namespaces::ids::{CertificatePackId, CustomHostnameId, ZoneId};
use wasmyard_namespaces::registry::ZoneError;
use wasmyard_namespaces::{RegistryError, Timestamp};
use zeroize::Zeroizing;

use crate::{Control, ControlError, Lookout, Result, ageing};

use renewal::Next;
use work::{After, Work, again_soon, kind, waits_for_another};

pub use issuers::{InHandshakes, Issuers};
pub use turns::OrdersLeft;

mod accounts;
mod issuers;
mod renewal;
mod turns;
mod work;

/// How long a new order is left alone: what it wants to see is shown by the API meanwhile, and clients wait to see that.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How soon a request is made again that an authority was asked for too often, where it does not say.
const TOO_OFTEN: Duration = Duration::from_secs(600);

impl Control {
    /// The same use cases, where certificates are asked of these authorities.
    #[must_use]
    pub fn with_issuers(mut self, issuers: Issuers) -> Control {
        self.issuers = Some(issuers);
        self
    }

    /// The same, where validation can be delegated to names below this one.
    #[must_use]
    pub fn with_delegation(mut self, suffix: Domain) -> Control {
        self.delegation = Some(suffix);
        self
    }

    /// Below which name validation of a zone's hostnames is delegated; none where that is not offered.
    #[must_use]
    pub fn delegated_below(&self, zone: &ZoneId) -> Option<String> {
        let (suffix, zone) = (self.delegation.as_ref()?, self.registry.zone(zone)?);
        Some(format!("{}.{suffix}", zone.dcv_label))
    }

    /// Makes the next step towards the certificate that a custom hostname waits for, or that it needs soon. Returns how long to
    /// wait for the next step; none where there is nothing to be done, or the hostname is gone.
    ///
    /// # Errors
    /// The registry's failure, or that of the store of certificates: then nothing was lost.
    pub async fn issue(
        &self,
        zone: &ZoneId,
        id: &CustomHostnameId,
        lookout: &Lookout,
    ) -> Result<Option<Duration>> {
        let hostname = match self.registry.hostname(zone, id).await {
            Ok(hostname) => hostname,
            Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // What somebody brought is theirs to renew, and is not ordered over.
        let Some(ssl) = hostname.ssl.as_ref().filter(|ssl| ssl.is_ordered()) else { return Ok(None) };
        // It is gone from its customer's DNS, and its certificates with it.
        if hostname.status == HostnameStatus::Deleted {
            return Ok(None);
        }
        // Nothing is asked for of a name that nobody may have.
        let is_blocked = hostname.status == HostnameStatus::Blocked || self.is_blocked(&hostname);
        let (Some(store), Some(issuers), false) = (self.certificates(), &self.issuers, is_blocked) else {
            self.age_certificates(zone, id).await?;
            // A later start may have somebody to ask, and what is blocked may be free again.
            let is_awaited = is_blocked || ssl.status.awaits_issue() || ssl.renew_at.is_some();
            return Ok(is_awaited.then_some(schedule::LONGEST_WAIT));
        };
        let now = self.now();
        let Some(issuing) = &ssl.issuing else {
            return self.begin(&hostname, ssl, issuers, now).await;
        };
        if issuing.order.is_some() && !self.registry.has_order(&hostname).await? {
            // Whoever is served under the name took it over.
            let after = After { records: Some(Vec::new()), ..waits_for_another(issuing, now) };
            return self.went(&hostname, ssl, after).await;
        }
        if now.since(issuing.began) >= schedule::WEEK {
            return self.time_out(&hostname, ssl, issuing, now).await;
        }
        let Some(issuer) = issuers.get(issuing.authority) else {
            let error = format!("no authority is set up as {}", issuing.authority);
            return self.went(&hostname, ssl, After::tried(issuing, error)).await;
        };
        let delegated_below = self.delegated_below(zone);
        let work =
            Work { hostname: &hostname, ssl, issuing, issuer, issuers, store, lookout, delegated_below };
        let after = match self.work(&work).await {
            Ok(Some(after)) => after,
            // The certificate is there: the record has changed, and says what is next.
            Ok(None) => return Ok(Some(Duration::ZERO)),
            Err(failure) => failed(&work, &failure?),
        };
        self.went(&hostname, ssl, after).await
    }

    /// Begins where something was asked for, or is to be renewed.
    async fn begin(
        &self,
        hostname: &CustomHostname,
        ssl: &Ssl,
        issuers: &Issuers,
        now: Timestamp,
    ) -> Result<Option<Duration>> {
        let mut replaces = false;
        if !ssl.status.awaits_issue() {
            match self.next_certificate(hostname, ssl, issuers, now).await? {
                Some(Next::Now { replaces: wished }) => replaces = wished,
                Some(Next::Wait(wait)) => return Ok(Some(wait)),
                None => return Ok(None),
            }
        }
        let chosen = ssl.config.certificate_authority;
        // Only who issued a certificate takes another one in its place.
        let authority = match ssl.issued_by.filter(|_| replaces && chosen.is_none()) {
            Some(issued_by) => Some(issued_by),
            None => chosen.or(issuers.usual()),
        };
        let Some(authority) = authority else { return Ok(None) };
        let replaces = replaces && ssl.issued_by == Some(authority);
        let issuing = Issuing { replaces, ..Issuing::begins(now, CertificateKey::Ecdsa, authority) };
        self.went(hostname, ssl, After::going_on(issuing, Duration::ZERO)).await
    }

    /// Gives up after a week. A certificate that is served stays so, and its renewal begins anew.
    async fn time_out(
        &self,
        hostname: &CustomHostname,
        ssl: &Ssl,
        issuing: &Issuing,
        now: Timestamp,
    ) -> Result<Option<Duration>> {
        let status = match ssl.status {
            SslStatus::Initializing => Some(SslStatus::InitializingTimedOut),
            SslStatus::PendingValidation => Some(SslStatus::ValidationTimedOut),
            SslStatus::PendingIssuance => Some(SslStatus::IssuanceTimedOut),
            _ => None,
        };
        tracing::warn!(hostname = %hostname.name, "no certificate was issued within a week");
        let again = Issuing::begins(now, issuing.key, issuing.authority);
        let after = After {
            issuing: status.is_none().then_some(again),
            status,
            records: Some(Vec::new()),
            errors: ssl.validation_errors.clone(),
            flaws: Vec::new(),
            wait: schedule::LONGEST_WAIT,
        };
        self.went(hostname, ssl, after).await
    }

    /// Writes what came of a step, unless somebody asked for something else meanwhile.
    async fn went(&self, seen: &CustomHostname, ssl: &Ssl, after: After) -> Result<Option<Duration>> {
        let (mut stands, mut aged) = (true, None);
        let changed = self.registry.change_hostname(&seen.zone, &seen.id, |before, now| {
            let Some(present) = &before.ssl else { return Ok(None) };
            stands = present.issuing == ssl.issuing && present.awaited() == ssl.awaited();
            if !stands {
                return Ok(None);
            }
            let mut next = present.clone();
            next.issuing = after.issuing.clone().map(|issuing| {
                let (flaws, next_at) = (after.flaws.clone(), Some(now.later(after.wait)));
                Issuing { flaws, next_at, ..issuing }
            });
            next.validation_errors.clone_from(&after.errors);
            if let Some(records) = &after.records {
                next.validation_records.clone_from(records);
            }
            if let Some(status) = after.status.filter(|_| next.status.awaits_issue()) {
                next.status = status;
            }
            // Whatever is tried: what visitors are served with runs out, or has.
            aged = ageing::age(&mut next, now);
            let is_same = next == *present;
            let hostname = CustomHostname { ssl: Some(next), modified_at: now, ..before.clone() };
            Ok((!is_same).then_some(hostname))
        });
        match changed.await {
            Ok(_) if !stands => Ok(Some(Duration::ZERO)),
            Ok(changed) => {
                if let Some(status) = aged {
                    ageing::tell(&changed, status);
                }
                // One that needs no more steps is looked at again for its renewal.
                let renewed = changed.ssl.as_ref().and_then(|ssl| ssl.renew_at).map(|_| Duration::ZERO);
                Ok(after.issuing.map(|_| after.wait).or(renewed))
            }
            Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The next step of an order. None when a certificate was installed.
    async fn work(&self, work: &Work<'_>) -> std::result::Result<Option<After>, Result<Failure>> {
        let issuing = work.issuing;
        let Some(url) = &issuing.order else {
            return self.order(work).await;
        };
        let order = work.issuer.look(url).await.map_err(Ok)?;
        match order.stage {
            // What is shown can be acted on: whoever looks is to see it before it is over.
            Stage::Pending if work.is_news(&order) => {
                let records = Some(work.records(&order));
                Ok(Some(After { records, ..After::going_on(issuing.clone(), FIRST_LOOK) }))
            }
            Stage::Pending => work.validate(&order).await.map(Some).map_err(Ok),
            Stage::Ready => {
                let key = self.key_of(work).await.map_err(Err)?;
                let request = keys::request(kind(issuing.key), &key, &work.names());
                let request = request.map_err(|error| Ok(Failure::Refused(error.to_string())))?;
                work.issuer.finish(url, &request).await.map_err(Ok)?;
                let after = After::going_on(issuing.clone(), Duration::ZERO);
                let (status, records) = (Some(SslStatus::PendingIssuance), Some(work.records(&order)));
                Ok(Some(After { status, records, ..after }))
            }
            Stage::Processing => Ok(Some(again_soon(issuing, order.again))),
            Stage::Valid => self.install_issued(work, url).await,
            Stage::Invalid => {
                let problems = order.wanted.iter().filter_map(|wanted| wanted.problem.clone());
                let mut errors: Vec<String> = order.problem.iter().cloned().chain(problems).collect();
                errors.dedup();
                let text = if errors.is_empty() { "the order failed".to_owned() } else { errors.join("; ") };
                tracing::warn!(hostname = %work.hostname.name, error = text, "a certificate was not issued");
                // A new order has new tokens; those of this one are good for nothing.
                let tried = After::tried(issuing, text).anew();
                let other = tried.issuing.map(|next| Issuing { shown: issuing.shown.failed(), ..next });
                Ok(Some(work.or_first_alone(After { issuing: other, ..tried })))
            }
        }
    }

    /// Orders, when it may.
    async fn order(&self, work: &Work<'_>) -> std::result::Result<Option<After>, Result<Failure>> {
        let issuing = work.issuing;
        if let Some(flaw) = work.forbidden().await {
            let error = format!("caa_error: {}", work.hostname.name.base());
            let tried = work.of_another(After::flawed(issuing, error, flaw));
            let after = After { status: Some(SslStatus::PendingValidation), ..tried };
            return Ok(Some(work.or_first_alone(after)));
        }
        if !self.registry.take_order(work.hostname).await.map_err(|error| Err(error.into()))? {
            return Ok(Some(waits_for_another(issuing, self.now())));
        }
        let pace = work.issuers.pace(issuing.authority);
        if let Some(waits) = self.turns(work.hostname, issuing, pace).await.map_err(Err)? {
            return Ok(Some(waits));
        }
        let replaced = work.replaced().await.map_err(Err)?;
        let order = work.issuer.order(&work.names(), replaced.as_deref()).await.map_err(Ok)?;
        tracing::info!(hostname = %work.hostname.name, order, "a certificate was ordered");
        let next = Issuing { order: Some(order), ..issuing.clone().anew(issuing.authority) };
        // What it wants to see is asked for when it is written down where the order is.
        let (status, records) = (Some(SslStatus::PendingValidation), Some(Vec::new()));
        Ok(Some(After { status, records, ..After::going_on(next, Duration::ZERO) }))
    }

    /// The key that a request is signed with: one for each order, kept until its certificate is there.
    async fn key_of(&self, work: &Work<'_>) -> Result<Zeroizing<Vec<u8>>> {
        let label = key_label(work.ssl.awaited(), work.issuing.key);
        if let Some(kept) = work.store.secret(&label).await? {
            return Ok(kept);
        }
        let kind = kind(work.issuing.key);
        let made = tokio::task::spawn_blocking(move || keys::make(kind)).await;
        let made = made.map_err(ControlError::invalid)?.map_err(ControlError::invalid)?;
        work.store.keep_secret(&label, made.clone()).await?;
        Ok(made)
    }

    /// Fetches a certificate and has it served. None when that is done.
    async fn install_issued(
        &self,
        work: &Work<'_>,
        url: &str,
    ) -> std::result::Result<Option<After>, Result<Failure>> {
        let issuing = work.issuing;
        let pack = work.ssl.awaited();
        let Some(chain) = work.issuer.certificate(url).await.map_err(Ok)? else {
            return Ok(Some(again_soon(issuing, None)));
        };
        let label = key_label(pack, issuing.key);
        let key = work.store.secret(&label).await.map_err(|error| Err(error.into()))?;
        let pair = key.as_ref().map(|key| pair(&chain, key));
        let Some(Ok(pair)) = pair else {
            let lost = "its key is not here any more: another one is ordered".to_owned();
            let fresh = issuing.clone().anew(issuing.authority);
            return Ok(Some(After { errors: vec![lost], ..After::going_on(fresh, schedule::wait(0)) }));
        };
        let kept = work.store.kept(pack).await.map_err(|error| Err(error.into()))?;
        // Like by like: what the pack has of the other kind stays until its own turn.
        let others = kept.into_iter().flatten().filter(|other| !other.is_of_the_kind_of(&pair));
        let names = work.served_names();
        let mut pairs: Vec<Pair> =
            others.filter(|other| names.iter().all(|name| other.is_for(name))).collect();
        pairs.insert(0, pair);
        pairs.sort_by_key(|pair| pair.kind() == KeyKind::Rsa);
        let hostname = work.hostname;
        let installed = self.install_certificates(&hostname.zone, &hostname.id, pack, pairs).await;
        let installed = installed.map_err(Err)?;
        tracing::info!(hostname = %hostname.name, key = %issuing.key, "a certificate was issued");
        let next = match issuing.key {
            CertificateKey::Ecdsa => {
                let begins = Issuing::begins(self.now(), CertificateKey::Rsa, issuing.authority);
                Some(Issuing { replaces: issuing.replaces, ..begins })
            }
            CertificateKey::Rsa => None,
        };
        self.issued(&installed, issuing, next).await.map_err(Err)?;
        work.store.forget_secret(&label).await.map_err(|error| Err(error.into()))?;
        Ok(None)
    }

    /// Writes that one order is over, and what comes next.
    async fn issued(
        &self,
        hostname: &CustomHostname,
        done: &Issuing,
        next: Option<Issuing>,
    ) -> Result<Arc<CustomHostname>> {
        let changed = self.registry.change_hostname(&hostname.zone, &hostname.id, |before, now| {
            let Some(ssl) = before.ssl.as_ref().filter(|ssl| ssl.issuing.as_ref() == Some(done)) else {
                return Ok(None);
            };
            let mut ssl = ssl.clone();
            ssl.issuing.clone_from(&next);
            ssl.validation_records.clear();
            ssl.issued_by = Some(done.authority);
            // Of the one that was issued just now: the other has its turn together with it.
            let own = ssl.certificates.iter().find(|certificate| certificate.key == done.key);
            ssl.renew_at =
                own.map(|own| schedule::renewal(own.not_before, own.expires_on, hostname.id.as_str()));
            Ok(Some(CustomHostname { ssl: Some(ssl), modified_at: now, ..before.clone() }))
        });
        let changed = changed.await?;
        if next.is_none() {
            self.registry.leave_order(hostname).await?;
        }
        Ok(changed)
    }
}

/// What a failure of an authority leads to.
fn failed(work: &Work<'_>, failure: &Failure) -> After {
    let issuing = work.issuing;
    tracing::warn!(hostname = %work.hostname.name, authority = %issuing.authority, %failure, "no step towards a certificate");
    let tried = After::tried(issuing, failure.to_string());
    let after = match failure {
        Failure::TooOften { .. } | Failure::Busy { .. } => {
            let wait = failure.after().unwrap_or(TOO_OFTEN).max(tried.wait).min(schedule::LONGEST_WAIT);
            After { wait, ..tried }
        }
        Failure::Gone(_) => tried.anew(),
        Failure::Unreachable(_) | Failure::Refused(_) => tried,
    };
    work.or_first_alone(work.of_another(after))
}

fn key_label(pack: &CertificatePackId, key: CertificateKey) -> String {
    format!("acme-key:{pack}:{key}")
}

/// What an authority sent, with the key that it was asked for with.
fn pair(chain: &str, key: &[u8]) -> std::result::Result<Pair, PairError> {
    if chain.len() > LARGEST_FILE {
        return Err(PairError::TooLarge("chain"));
    }
    Pair::with_pkcs8(chain.as_bytes(), key)
}

#[cfg(test)]
mod tests;
