//! What authorities of certificates are shown in handshakes, and that nobody else is shown anything.

use super::*;

impl Challenges for Table {
    fn shown(&self, name: &str) -> Option<Keys> {
        (name == "waits.test").then(|| Arc::clone(&self.keys))
    }
}

#[tokio::test]
async fn an_authority_is_shown_what_it_waits_for_and_the_connection_ends_with_that() {
    let running = running(ListenerConfig::default());
    let authority = Arc::new(running.client(&[b"acme-tls/1"]));
    for count in 1..=2 {
        let mut stream = running.connect(&authority, "waits.test").await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.alpn_protocol(), Some(&b"acme-tls/1"[..]));
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full), "no session is taken up again");
        let mut read = Vec::new();
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nhost: waits.test\r\n\r\n").await;
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("its end");
        assert!(read.is_empty(), "{asked:?} {ended:?}");
        running.counts(Handshaken::Validation, count).await;
    }
    assert_eq!(running.certificates.asked.load(Ordering::Relaxed), 0, "no visitor's keys are used");
}

#[tokio::test]
async fn who_is_no_authority_or_asks_for_a_name_that_nobody_waits_with_is_shown_nothing() {
    let running = running(ListenerConfig::default());
    for (protocols, name, refused) in [
        (&[&b"acme-tls/1"[..]][..], "a.test", rustls::AlertDescription::NoApplicationProtocol),
        (&[b"acme-tls/1"], "unknown.test", rustls::AlertDescription::UnrecognisedName),
        (&[b"acme-tls/1", b"h2"], "waits.test", rustls::AlertDescription::UnrecognisedName),
        (&[b"h2"], "waits.test", rustls::AlertDescription::UnrecognisedName),
        (&[], "waits.test", rustls::AlertDescription::UnrecognisedName),
    ] {
        let client = Arc::new(running.client(protocols));
        assert_eq!(alert(&running.connect(&client, name).await), refused, "{name} {protocols:?}");
    }
    let both = Arc::new(running.client(&[b"acme-tls/1", b"h2"]));
    let stream = running.connect(&both, "a.test").await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "a visitor like any other");
    assert_eq!(running.tls.count(Handshaken::Validation), 0);
}
