//! An authority over HTTP, and the account that is had with it: made when it is first needed, and once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeStatus, ChallengeType, Error,
    ExternalAccountKey, Identifier, NewAccount, NewOrder, OrderStatus,
};
use tokio::sync::Mutex;
use wasmyard_hostnames::certificates::CertificateStore;
use wasmyard_net::Network;
use zeroize::Zeroizing;

use crate::authority::{Authorities, Failure, Order, Proof, Stage, Wanted, Window};
use crate::calls::{again, failure, is_too_often, told, tried, within};
use crate::http::Requests;
use crate::renewal;

/// How an authority is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityConfig {
    /// Its directory.
    pub directory: String,
    /// Whom it may write to: `mailto:` addresses.
    pub contacts: Vec<String>,
    /// The account that it keeps outside of ACME.
    pub external_account: Option<ExternalAccount>,
}

/// An account that an authority keeps outside of ACME (RFC 8555 section 7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// The id of its key.
    pub id: String,
    /// Its key.
    pub key: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalAccount").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An authority that is asked over HTTP.
pub struct Authority {
    config: AuthorityConfig,
    pub(crate) requests: Requests,
    pub(crate) store: Arc<CertificateStore>,
    /// None before it was needed, and while its key changes.
    pub(crate) account: Mutex<Option<Account>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("directory", &self.config.directory).finish_non_exhaustive()
    }
}

impl Authority {
    /// Asks nobody yet. The account's key is sealed in `store`.
    #[must_use]
    pub fn new(config: AuthorityConfig, network: &Network, store: Arc<CertificateStore>) -> Self {
        Self { config, requests: Requests::over(network), store, account: Mutex::default() }
    }

    async fn account(&self) -> Result<Account, Failure> {
        let mut account = self.account.lock().await;
        if let Some(account) = &*account {
            return Ok(account.clone());
        }
        let opened = self.open_account().await?;
        *account = Some(opened.clone());
        Ok(opened)
    }

    pub(crate) fn directory(&self) -> &str {
        &self.config.directory
    }

    /// Under which label the account is kept.
    pub(crate) fn label(&self) -> String {
        format!("acme-account:{}", self.config.directory)
    }

    /// Under which label it is kept with a key that its authority may not have taken yet.
    pub(crate) fn next_label(&self) -> String {
        format!("acme-account-next:{}", self.config.directory)
    }

    pub(crate) async fn open_account(&self) -> Result<Account, Failure> {
        self.settle().await?;
        let label = self.label();
        let kept =
            self.store.secret(&label).await.map_err(|error| Failure::Unreachable(error.to_string()))?;
        if let Some(kept) = kept {
            let credentials: AccountCredentials = serde_json::from_slice(&kept)
                .map_err(|error| Failure::Refused(format!("the account that is kept is damaged: {error}")))?;
            let builder = Account::builder_with_http(Box::new(self.requests.clone()));
            return within(builder.from_credentials(credentials)).await.map(|(account, _)| account);
        }
        let contacts: Vec<&str> = self.config.contacts.iter().map(String::as_str).collect();
        let new =
            NewAccount { contact: &contacts, terms_of_service_agreed: true, only_return_existing: false };
        let external = self
            .config
            .external_account
            .as_ref()
            .map(|account| ExternalAccountKey::new(account.id.clone(), &account.key));
        let made = again(|| {
            let builder = Account::builder_with_http(Box::new(self.requests.clone()));
            builder.create(&new, self.config.directory.clone(), external.as_ref())
        });
        let ((account, credentials), _) = made.await?;
        let bytes = serde_json::to_vec(&credentials).map_err(|error| Failure::Refused(error.to_string()))?;
        let kept = self.store.keep_secret(&label, Zeroizing::new(bytes)).await;
        kept.map_err(|error| Failure::Unreachable(error.to_string()))?;
        tracing::info!(directory = self.config.directory, account = account.id(), "an account was made");
        Ok(account)
    }
}

#[async_trait]
impl Authorities for Authority {
    async fn order(&self, names: &[String], replaces: Option<&[u8]>) -> Result<String, Failure> {
        let account = self.account().await?;
        let names: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
        if let Some(replaced) = replaces.and_then(renewal::identifier) {
            let new = NewOrder::new(&names).replaces(replaced);
            let (made, said) = tried(|| account.new_order(&new)).await?;
            match made {
                Ok(order) => return Ok(order.url().to_owned()),
                Err(Error::Api(problem))
                    if !is_too_often(&problem) && problem.status.is_some_and(|status| status < 500) =>
                {
                    tracing::debug!(problem = told(&problem), "nothing is replaced: an order like any other");
                }
                Err(error) if is_about_replacing(&error) => {}
                Err(error) => return Err(failure(error, said)),
            }
        }
        let new = NewOrder::new(&names);
        let (order, _) = again(|| account.new_order(&new)).await?;
        Ok(order.url().to_owned())
    }

    async fn look(&self, url: &str) -> Result<Order, Failure> {
        let account = self.account().await?;
        let (order, said) = again(|| account.order(url.to_owned())).await?;
        shown(order, account.key_thumbprint(), said).await
    }

    async fn show(&self, url: &str, proof: Proof, names: &[String]) -> Result<(), Failure> {
        let account = self.account().await?;
        let (mut order, _) = again(|| account.order(url.to_owned())).await?;
        let kind = match proof {
            Proof::Http => ChallengeType::Http01,
            Proof::Txt => ChallengeType::Dns01,
            Proof::Handshake => ChallengeType::TlsAlpn01,
        };
        let telling = async {
            let mut authorizations = order.authorizations();
            while let Some(authorization) = authorizations.next().await {
                let mut authorization = authorization?;
                let name = name_of(authorization.identifier().identifier);
                if authorization.status != AuthorizationStatus::Pending || !names.contains(&name) {
                    continue;
                }
                if let Some(mut challenge) = authorization.challenge(kind.clone())
                    && challenge.status == ChallengeStatus::Pending
                {
                    challenge.set_ready().await?;
                }
            }
            Ok(())
        };
        within(telling).await.map(|(told, _)| told)
    }

    async fn finish(&self, url: &str, request: &[u8]) -> Result<(), Failure> {
        let account = self.account().await?;
        let (mut order, _) = again(|| account.order(url.to_owned())).await?;
        within(order.finalize_csr(request)).await.map(|(done, _)| done)
    }

    async fn certificate(&self, url: &str) -> Result<Option<String>, Failure> {
        let account = self.account().await?;
        let (mut order, _) = again(|| account.order(url.to_owned())).await?;
        within(order.certificate()).await.map(|(chain, _)| chain)
    }

    async fn renewal(&self, certificate: &[u8]) -> Result<Option<Window>, Failure> {
        renewal::window(&self.account().await?, certificate).await
    }

    async fn roll_key(&self) -> Result<(), Failure> {
        self.roll().await
    }
}

fn name_of(identifier: &Identifier) -> String {
    match identifier {
        Identifier::Dns(name) => name.trim_start_matches("*.").to_owned(),
        _ => String::new(),
    }
}

/// Whether an authority that says when to renew does not speak of what is replaced, as it would have to.
fn is_about_replacing(error: &Error) -> bool {
    match error {
        Error::Unsupported(_) => true,
        // The library's own words, which have no type.
        Error::Other(error) => error.to_string().starts_with("replaces field mismatch"),
        _ => false,
    }
}

/// Reads an order with all that it wants to see.
async fn shown(
    mut order: instant_acme::Order,
    thumbprint: &str,
    said: Option<Duration>,
) -> Result<Order, Failure> {
    let reading = async {
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let authorization = authorization?;
            let name = name_of(authorization.identifier().identifier);
            let is_over = authorization.status == AuthorizationStatus::Valid;
            for challenge in &authorization.challenges {
                let proof = match challenge.r#type {
                    ChallengeType::Http01 => Proof::Http,
                    ChallengeType::Dns01 => Proof::Txt,
                    ChallengeType::TlsAlpn01 => Proof::Handshake,
                    _ => continue,
                };
                let status = match challenge.status {
                    _ if is_over => "valid",
                    ChallengeStatus::Pending => "pending",
                    ChallengeStatus::Processing => "processing",
                    ChallengeStatus::Valid => "valid",
                    ChallengeStatus::Invalid => "invalid",
                };
                // RFC 8555 sections 8.1 and 8.4, RFC 8737 section 3.
                let body = format!("{}.{thumbprint}", challenge.token);
                let text = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, body.as_bytes()));
                wanted.push(Wanted {
                    name: name.clone(),
                    proof,
                    status,
                    token: challenge.token.clone(),
                    body,
                    text,
                    problem: challenge.error.as_ref().map(told),
                });
            }
        }
        // Authorities show them in any order; ours is always the same.
        wanted.sort_by(|one, other| (&one.name, &one.token).cmp(&(&other.name, &other.token)));
        Ok(wanted)
    };
    let (wanted, of_proofs) = within(reading).await?;
    let state = order.state();
    let stage = match state.status {
        OrderStatus::Pending => Stage::Pending,
        OrderStatus::Ready => Stage::Ready,
        OrderStatus::Processing => Stage::Processing,
        OrderStatus::Valid => Stage::Valid,
        OrderStatus::Invalid => Stage::Invalid,
    };
    let problem = state.error.as_ref().map(told);
    Ok(Order { url: order.url().to_owned(), stage, wanted, problem, again: said.max(of_proofs) })
}
