//! What a visitor's connection must be for the host that is asked for: encrypted, where that was asked for, and by the
//! certificate of that host. Never looks at what is served.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{Method, Response, StatusCode, Uri, Version};
use wasmyard_listener::tls::{Asking, Encrypted};
use wasmyard_namespaces::registry::{HostMatch, Registry};
use wasmyard_namespaces::zone::SettingId;

use crate::respond::Refusal;
use crate::visit::Visit;

/// What holds for all hosts of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HttpsConfig {
    /// The port to which requests in clear text are sent instead of being answered; none answers them.
    pub redirect_to: Option<u16>,
    /// The port at which visitors are served over TLS, for zones that ask for it; none where they are not.
    pub port: Option<u16>,
    /// For how long browsers are told to ask for a host over https alone (RFC 6797).
    pub strict: Option<Duration>,
    /// The port at which they are served over HTTP/3; none where they are not.
    pub http3: Option<u16>,
}

/// Refuses a request that came over the wrong connection, and sends one that came in clear text to where it should.
pub(crate) fn checked<B>(
    visit: &Visit<B>,
    config: HttpsConfig,
    asking: Option<&Asking>,
) -> Result<(), Refusal> {
    if let Some(encrypted) = &visit.client.encrypted
        && !encrypted.is_for(&visit.host)
    {
        return Err(Refusal::misdirected());
    }
    // Over a connection of the host's own the handshake has seen to it; what came another way showed nothing.
    if !showed_certificate(visit) && asking.is_some_and(|asking| asking.requires(&visit.host)) {
        return Err(unshown(visit, config));
    }
    match config.redirect_to {
        Some(port) if !visit.client.secure => Err(to_https(visit, port)),
        Some(_) | None => Ok(()),
    }
}

/// Sends a request that came in clear text to where it should, if the zone of its host asks for that
/// (`always_use_https`). What shows an authority whose a name is comes in clear text by its nature.
///
/// Refuses one without a certificate of its client, where the host requires that and has no certificate of its own yet.
pub(crate) fn of_zone<B>(visit: &Visit<B>, config: HttpsConfig, registry: &Registry) -> Result<(), Refusal> {
    let required = |found: &HostMatch| registry.requires_client_certificate(found, &visit.host);
    if !showed_certificate(visit) && visit.zone.as_ref().is_some_and(required) {
        return Err(unshown(visit, config));
    }
    let asked = visit.zone.as_ref().is_some_and(|found| found.zone.settings.is_on(SettingId::AlwaysUseHttps));
    match config.port {
        Some(port) if asked && !visit.client.secure && !is_challenge(visit.head.uri.path()) => {
            Err(to_https(visit, port))
        }
        Some(_) | None => Ok(()),
    }
}

/// Refuses a request over HTTP/3 for a host whose zone does not want that: its client asks again over TCP. For one that came over
/// TLS by TCP it says at which port the host is served over HTTP/3, if it is.
pub(crate) fn over_http3<B>(visit: &Visit<B>, config: HttpsConfig) -> Result<Option<u16>, Refusal> {
    let is_on = visit.zone.as_ref().is_none_or(|found| found.zone.settings.is_on(SettingId::Http3));
    if visit.head.version == Version::HTTP_3 {
        return if is_on { Ok(None) } else { Err(Refusal::misdirected()) };
    }
    let served = |encrypted: &Arc<Encrypted>| is_on && encrypted.may_go_on_over_quic(&visit.host);
    Ok(config.http3.filter(|_| visit.client.encrypted.as_ref().is_some_and(served)))
}

/// Says where a host is served over HTTP/3 as well (RFC 7838), for a day, as the hosted product does.
pub(crate) fn offer_http3<B>(response: &mut Response<B>, port: Option<u16>) {
    if let Some(port) = port
        && let Ok(value) = HeaderValue::try_from(format!("h3=\":{port}\"; ma=86400"))
    {
        // What an origin says of itself is true of its own ports, not of ours.
        response.headers_mut().insert(header::ALT_SVC, value);
    }
}

fn showed_certificate<B>(visit: &Visit<B>) -> bool {
    visit.client.encrypted.as_ref().is_some_and(|encrypted| encrypted.client_certificate.is_some())
}

/// What a client is told that showed no certificate: where to show it, if it asks in clear text.
fn unshown<B>(visit: &Visit<B>, config: HttpsConfig) -> Refusal {
    match config.port {
        Some(port) if !visit.client.secure => to_https(visit, port),
        Some(_) | None => Refusal::no_client_certificate(),
    }
}

fn is_challenge(path: &str) -> bool {
    path.starts_with("/.well-known/acme-challenge/")
}

/// Says that browsers are to ask over https alone. Heard only over https, and so said only there.
pub(crate) fn strict<B>(response: &mut Response<B>, secure: bool, config: HttpsConfig) {
    if let Some(time) = config.strict.filter(|_| secure)
        && let Ok(value) = HeaderValue::try_from(format!("max-age={}", time.as_secs()))
    {
        // A script that says so itself knows better for how long.
        response.headers_mut().entry(header::STRICT_TRANSPORT_SECURITY).or_insert(value);
    }
}

fn to_https<B>(visit: &Visit<B>, port: u16) -> Refusal {
    let host = visit.head.uri.host().unwrap_or(&visit.host);
    let authority = if port == 443 { host.to_owned() } else { format!("{host}:{port}") };
    let mut parts = visit.head.uri.clone().into_parts();
    parts.scheme = Some(Scheme::HTTPS);
    parts.authority = Authority::try_from(authority).ok();
    let target = Uri::from_parts(parts).ok().and_then(|uri| HeaderValue::try_from(uri.to_string()).ok());
    // With another method than these, browsers would turn a 301 into a GET.
    let keeps_method = matches!(visit.head.method, Method::GET | Method::HEAD);
    let status = if keeps_method { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    Refusal::to_https(status, target)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::Request;
    use wasmyard_listener::Client;

    use super::*;
    use crate::head;
    use crate::visit::VisitLog;

    fn checked_by(
        config: HttpsConfig,
        secure: bool,
        request: http::request::Builder,
    ) -> Option<(u16, String)> {
        let request = request.body(()).unwrap();
        let trace = crate::trace::Trace::of_visit(
            &(Arc::new(wasmyard_events::Sinks::new(Vec::new())) as Arc<dyn wasmyard_events::Sink>),
            &crate::trace::Underway::new(&prometheus::Registry::new()).unwrap(),
        );
        let client = Client::at(IpAddr::from([192, 0, 2, 1]), secure);
        let log = VisitLog::open(trace, client.address, &request);
        let visit = head::read(request, client, &log).unwrap();
        let refusal = checked(&visit, config, None).err()?;
        let page = crate::respond::page(&refusal, crate::respond::Wanted::Text, "ray");
        let location = page.headers().get(header::LOCATION)?.to_str().unwrap().to_owned();
        Some((page.status().as_u16(), location))
    }

    #[test]
    fn who_asks_in_clear_text_is_sent_to_the_same_url_over_https() {
        let to = |port| HttpsConfig { redirect_to: Some(port), ..HttpsConfig::default() };
        let get = || Request::get("/a%2Fb?x=1").header("host", "Shop.test:8080");
        let asked = checked_by(to(443), false, get());
        assert_eq!(asked, Some((301, "https://Shop.test/a%2Fb?x=1".to_owned())));
        assert_eq!(checked_by(to(8443), false, get()).unwrap().1, "https://Shop.test:8443/a%2Fb?x=1");
        let post = Request::post("/").header("host", "shop.test");
        assert_eq!(checked_by(to(443), false, post), Some((308, "https://shop.test/".to_owned())));
        assert_eq!(checked_by(to(443), true, get()), None, "encrypted up to a trusted proxy");
        assert_eq!(checked_by(HttpsConfig::default(), false, get()), None);
    }

    #[test]
    fn that_https_is_wanted_is_said_over_https_and_not_over_a_scripts_word() {
        let config = HttpsConfig { strict: Some(Duration::from_secs(300)), ..HttpsConfig::default() };
        let said = |secure, own: Option<&'static str>| {
            let mut response = Response::new(());
            if let Some(own) = own {
                let own = HeaderValue::from_static(own);
                response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, own);
            }
            strict(&mut response, secure, config);
            let said = response.headers().get(header::STRICT_TRANSPORT_SECURITY);
            said.map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(said(true, None).as_deref(), Some("max-age=300"));
        assert_eq!(said(true, Some("max-age=0")).as_deref(), Some("max-age=0"));
        assert_eq!(said(false, None), None);
    }
}
