//! Names that an authority is shown in a handshake (TLS-ALPN-01), because it looks for no file where they lead.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::json;
use tokio_rustls::TlsConnector;

use super::{Platform, Setup, connect, has_both, hostname, shows, zone_named};
use crate::support::{Server, eventually, within};

/// Believes everybody.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Asks as an authority does.
async fn asks(server: &Server, name: &'static str) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let stream = connect(server.https().await).await;
    let connector = TlsConnector::from(Arc::new(config));
    let shaken = within("a handshake", connector.connect(ServerName::try_from(name).unwrap(), stream)).await;
    shaken.map(drop).map_err(|error| error.to_string())
}

#[tokio::test]
async fn where_no_file_is_seen_the_authority_is_shown_the_name_in_a_handshake() {
    let platform = Platform::start(Setup { in_handshakes: true, ..Setup::default() }).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    platform.leads_here("shop.customer.test");
    let ssl = json!({"method": "http", "type": "dv"});
    let path = hostname(&api, &zone, "shop.customer.test", ssl.clone()).await;
    let failed =
        |ssl: &serde_json::Value| ssl["validation_errors"].to_string().contains("connection refused");
    shows(&api, &path, "no file was seen", failed).await;
    let again = api.patch(&path, &json!({ "ssl": ssl })).await;
    assert_eq!(again.status, 202, "{}", again.envelope);
    shows(&api, &path, "both certificates", has_both).await;
    platform.is_served(&server, "shop.customer.test").await;
    let shown = server.metric(r#"wasmyard_tls_handshakes_total{result="validation"}"#).await;
    assert!(shown >= 1.0, "{shown}");
    eventually("nobody waits any more", async || asks(&server, "shop.customer.test").await.err()).await;
    assert!(asks(&server, "other.customer.test").await.is_err(), "nobody waits for that one");
}
