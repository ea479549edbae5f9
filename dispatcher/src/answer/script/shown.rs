//! Certificates that requests show: which of them a request shows that an outbound worker sends on, and with which key.
//!
//! A tenant's request goes to the outbound worker first, whatever it shows. What that worker then sends to the very place for
//! which the request was shows the tenant's certificate; what it sends elsewhere does not: a certificate is for whom its owner
//! shows it to. Must never give a key to anybody but egress.

use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, Scheme};
use wasmyard_namespaces::registry::{ClientIdentity, Registry};
use wasmyard_runtime::{BodyError, ShownCertificate};

use super::outbound::in_one_spelling;

/// A certificate, and to whom its owner shows it.
#[derive(Debug)]
pub(super) struct Shown {
    certificate: Arc<ShownCertificate>,
    to: (Scheme, Authority),
}

impl Shown {
    /// Of a request for this URL, which is in its one spelling.
    pub(super) fn of(certificate: Option<Arc<ShownCertificate>>, uri: &Uri) -> Option<Arc<Shown>> {
        let to = uri.scheme().cloned().zip(uri.authority().cloned())?;
        Some(Arc::new(Shown { certificate: certificate?, to }))
    }

    /// The certificate, if this URL is at the place that it is shown to.
    pub(super) fn at(&self, uri: &Uri) -> Option<Arc<ShownCertificate>> {
        let uri = in_one_spelling(uri).ok()?;
        let to = uri.scheme().zip(uri.authority())?;
        (to == (&self.to.0, &self.to.1)).then(|| Arc::clone(&self.certificate))
    }
}

/// The certificate with its key. It is looked for at each request: one that was deleted is shown no more.
pub(super) async fn identity(
    registry: &Registry,
    shown: &ShownCertificate,
) -> Result<Arc<ClientIdentity>, BodyError> {
    let failed = |text: String| BodyError::InternalError(Some(text));
    match registry.client_identity(&shown.id).await {
        Ok(Some(identity)) => Ok(Arc::new(identity)),
        Ok(None) => Err(failed(format!(
            "binding \"{}\": its mTLS certificate was deleted; upload one, and bind the script to that",
            shown.binding
        ))),
        Err(error) => {
            tracing::error!(certificate = %shown.id, %error, "an mTLS certificate cannot be read");
            Err(failed(format!(
                "binding \"{}\": its mTLS certificate cannot be read at the moment",
                shown.binding
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmyard_namespaces::ids::MtlsCertificateId;

    use super::*;

    #[test]
    fn a_certificate_is_shown_at_the_place_that_it_was_for_and_nowhere_else() {
        let id = MtlsCertificateId::parse("1d74f419-c24c-4619-9ff2-489751b61d27").unwrap();
        let certificate = Arc::new(ShownCertificate { binding: "CERT".to_owned(), id });
        let of = |uri: &str| {
            Shown::of(Some(Arc::clone(&certificate)), &in_one_spelling(&uri.parse().unwrap()).unwrap())
        };
        let shown = of("https://Bank.test/pay").unwrap();
        for same in ["https://bank.test/", "https://BANK.test:443/other?x", "https://bank.test./"] {
            assert_eq!(shown.at(&same.parse().unwrap()), Some(Arc::clone(&certificate)), "{same}");
        }
        for other in
            ["http://bank.test/", "https://bank.test:8443/", "https://a.bank.test/", "https://x@bank.test/"]
        {
            assert_eq!(shown.at(&other.parse().unwrap()), None, "{other}");
        }
        assert!(Shown::of(None, &"https://bank.test/".parse().unwrap()).is_none());
    }
}
