//! Origins with certificates that nobody should believe, and handshakes that come to nothing.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

/// An authority, and whoever believes it.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A certificate for a name, and its key.
    fn vouch(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.0).unwrap();
        (made.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

/// An origin behind TLS that says "secret".
async fn behind(certificate: (CertificateDer<'static>, PrivateKeyDer<'static>)) -> SocketAddr {
    let acceptor = acceptor(certificate, &[]);
    let (address, _) = origin(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { return };
                seen.push(byte);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret").await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    address
}

#[tokio::test]
async fn certificates_are_believed_in_time_for_their_name_and_from_whom_the_operator_believes() {
    let authority = Authority::new();
    let good = |_: &mut CertificateParams| {};
    let expired = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    };
    let not_yet = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
        params.not_after = rcgen::date_time_ymd(2091, 1, 1);
    };
    let mut policy = Policy::default();
    policy.allow_loopback();
    let egress = egress_with(policy, authority.roots());
    let url = |address: SocketAddr| format!("https://origin.test:{}/", address.port());

    let address = behind(authority.vouch("origin.test", good)).await;
    let response = egress.send(Sender::Platform, get(&url(address))).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "secret");
    // Its name is not what it is called by.
    let refused = code(&egress, get(&format!("https://{address}/"))).await;
    assert_eq!(refused, "TlsCertificateError", "by its address");

    for (what, certificate) in [
        ("expired", authority.vouch("origin.test", expired)),
        ("not valid yet", authority.vouch("origin.test", not_yet)),
        ("for another name", authority.vouch("other.test", good)),
        ("for names below it", authority.vouch("*.origin.test", good)),
        ("of an unknown authority", Authority::new().vouch("origin.test", good)),
    ] {
        let address = behind(certificate).await;
        assert_eq!(code(&egress, get(&url(address))).await, "TlsCertificateError", "{what}");
    }
}

#[tokio::test]
async fn a_handshake_that_hangs_breaks_off_or_is_none_has_its_code() {
    let mut policy = Policy::default();
    policy.allow_loopback();
    let config = EgressConfig { tls_timeout: SOON, ..short(policy) };
    let egress = egress_of(config);
    let (hangs, _) = origin(holding).await;
    let (breaks_off, _) = origin(|stream| async move { drop(stream) }).await;
    let (plain, _) = saying("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    let (plain_at_once, _) = origin(|mut stream| async move {
        stream.write_all(b"220 smtp ready\r\n").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let (alert, _) = origin(|mut stream| async move {
        // A fatal alert: handshake_failure.
        stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    let (long_record, _) = origin(|mut stream| async move {
        stream.write_all(&[22, 3, 3, 0xff, 0xff]).await.unwrap();
        while stream.write_all(&[0; 1024]).await.is_ok() {}
    })
    .await;
    for (address, expected) in [
        (hangs, "ConnectionTimeout"),
        // It waits for an end of the head that does not come.
        (plain, "ConnectionTimeout"),
        (breaks_off, "TlsProtocolError"),
        (plain_at_once, "TlsProtocolError"),
        (alert, "TlsProtocolError"),
        (long_record, "TlsProtocolError"),
    ] {
        assert_eq!(code(&egress, get(&format!("https://{address}/"))).await, expected, "{address}");
    }
}

#[tokio::test]
async fn what_is_sent_over_tls_has_the_hosts_name_in_it_and_goes_out_encrypted() {
    let authority = Authority::new();
    let acceptor = acceptor(authority.vouch("origin.test", |_| {}), &[b"http/1.1"]);
    let (heads, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let (address, _) = origin(move |stream| {
        let (acceptor, heads) = (acceptor.clone(), heads.clone());
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            let name = stream.get_ref().1.server_name().map(str::to_owned);
            let protocol = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            heads.send((name, protocol)).unwrap();
            let mut head = [0; 4096];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            stream.flush().await.unwrap();
        }
    })
    .await;
    let mut policy = Policy::default();
    policy.allow_loopback();
    let egress = egress_with(policy, authority.roots());
    let url = format!("https://Origin.TEST.:{}/", address.port());
    assert_eq!(egress.send(Sender::Platform, get(&url)).await.unwrap().status(), 204);
    let (name, protocol) = seen.recv().await.unwrap();
    assert_eq!((name.as_deref(), protocol.as_deref()), (Some("origin.test"), Some(b"http/1.1".as_slice())));
}
