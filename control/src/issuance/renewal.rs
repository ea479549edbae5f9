//! When the next certificate is asked for: as the authority says (RFC 9773), where it says so, else by a part of the life.
//!
//! Owns no count of days: lives are six days, ninety, or a year.

use std::time::Duration;

use wasmyard_acme::{Window, schedule};
use wasmyard_namespaces::RegistryError;
use wasmyard_namespaces::Timestamp;
use wasmyard_namespaces::hostname::{CustomHostname, Ssl};
use wasmyard_namespaces::registry::ZoneError;

use super::Issuers;
use crate::{Control, Result};

/// How soon an authority is asked again that did not answer.
const NO_ANSWER: Duration = Duration::from_secs(3_600);

/// What is known of the next certificate.
pub(super) enum Next {
    /// It is time; whether the authority says so itself.
    Now {
        /// Whether it takes the place of another one.
        replaces: bool,
    },
    /// Nothing is to be done until then.
    Wait(Duration),
}

/// What an authority said of when to renew.
enum Said {
    Window(Window),
    /// It says nothing of that.
    Nothing,
    /// It did not answer, and is asked again after this.
    NoAnswer(Duration),
}

impl Control {
    /// Whether it is time to ask for the next certificates of a hostname; none where they are not renewed.
    pub(super) async fn next_certificate(
        &self,
        hostname: &CustomHostname,
        ssl: &Ssl,
        issuers: &Issuers,
        now: Timestamp,
    ) -> Result<Option<Next>> {
        let Some(renew_at) = ssl.renew_at else { return Ok(None) };
        let window = match self.said_of_renewal(ssl, issuers).await? {
            Said::Window(window) => window,
            Said::Nothing | Said::NoAnswer(_) if renew_at <= now => {
                return Ok(Some(Next::Now { replaces: false }));
            }
            Said::Nothing => return Ok(Some(Next::Wait(renew_at.since(now)))),
            Said::NoAnswer(again) => return Ok(Some(Next::Wait(renew_at.since(now).min(again)))),
        };
        let Some(first) = ssl.certificates.first() else { return Ok(None) };
        let (from, until) = (window.from, window.until);
        let id = hostname.id.as_str();
        let at = schedule::within(from, until, first.not_before, first.expires_on, id);
        if at <= now {
            return Ok(Some(Next::Now { replaces: true }));
        }
        if at != renew_at {
            tracing::info!(hostname = %hostname.name, %at, "the authority says when to renew");
            self.renew_at(hostname, ssl, at).await?;
        }
        Ok(Some(Next::Wait(at.since(now).min(schedule::ask_again(window.again)))))
    }

    /// What the authority says that issued the certificates: of several, what is sooner.
    async fn said_of_renewal(&self, ssl: &Ssl, issuers: &Issuers) -> Result<Said> {
        let issuer = ssl.issued_by.and_then(|name| issuers.get(name));
        let (Some(issuer), Some(store)) = (issuer, self.certificates()) else { return Ok(Said::Nothing) };
        let mut soonest: Option<Window> = None;
        for pair in store.kept(&ssl.id).await?.unwrap_or_default() {
            let Some(leaf) = pair.chain().first() else { continue };
            match issuer.renewal(leaf).await {
                Ok(Some(window)) if soonest.is_none_or(|soonest| window.from < soonest.from) => {
                    soonest = Some(window);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(soonest.map_or(Said::Nothing, Said::Window)),
                Err(failure) => {
                    tracing::debug!(%failure, "the authority did not say when to renew");
                    let again = schedule::ask_again(failure.after().unwrap_or(NO_ANSWER));
                    return Ok(soonest.map_or(Said::NoAnswer(again), Said::Window));
                }
            }
        }
        Ok(soonest.map_or(Said::Nothing, Said::Window))
    }

    /// Notes when the next certificates are asked for.
    async fn renew_at(&self, hostname: &CustomHostname, seen: &Ssl, at: Timestamp) -> Result<()> {
        let changed = self.registry.change_hostname(&hostname.zone, &hostname.id, |before, now| {
            let same = |ssl: &&Ssl| ssl.id == seen.id && ssl.renew_at == seen.renew_at;
            let Some(ssl) = before.ssl.as_ref().filter(same) else { return Ok(None) };
            let ssl = Ssl { renew_at: Some(at), ..ssl.clone() };
            Ok(Some(CustomHostname { ssl: Some(ssl), modified_at: now, ..before.clone() }))
        });
        match changed.await {
            Ok(_) | Err(RegistryError::Zone(ZoneError::HostnameNotFound(_))) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
