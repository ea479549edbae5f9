//! When an authority would have certificates renewed (RFC 9773), and how it tells one from another.

use instant_acme::{Account, CertificateIdentifier, Error};
use rustls::pki_types::CertificateDer;
use wasmyard_model::timestamp::Timestamp;

use crate::authority::{Failure, Window};
use crate::calls::{PATIENCE, failure};
use crate::waits::listening;

/// How an authority calls a certificate; none for one that does not say whose it is.
pub(crate) fn identifier(certificate: &[u8]) -> Option<CertificateIdentifier<'static>> {
    let certificate = CertificateDer::from(certificate);
    CertificateIdentifier::try_from(&certificate).ok().map(CertificateIdentifier::into_owned)
}

/// Asks an authority that says so when it would have a certificate renewed.
pub(crate) async fn window(account: &Account, certificate: &[u8]) -> Result<Option<Window>, Failure> {
    let Some(id) = identifier(certificate) else { return Ok(None) };
    let (asked, wait) = listening(tokio::time::timeout(PATIENCE, account.renewal_info(&id))).await;
    let (said, again) = match asked {
        Ok(Ok(said)) => said,
        Ok(Err(Error::Unsupported(_))) => return Ok(None),
        Ok(Err(error)) => return Err(failure(error, wait)),
        Err(_elapsed) => return Err(Failure::Unreachable("it does not answer in time".to_owned())),
    };
    let window = said.suggested_window;
    let (from, until) = (Timestamp::from(window.start), Timestamp::from(window.end));
    // One that ends before it begins is as good as none.
    Ok((until >= from).then_some(Window { from, until, again }))
}
