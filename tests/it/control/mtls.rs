//! Requests of scripts that show a certificate, against a server that asks for one: granted, not granted, of another tenant,
//! through an outbound worker, deleted by force; and what is refused.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::{Api, Server, Site, body, guest, request, script_path};

const CERTIFICATES: &str = "/client/v4/accounts/0/mtls_certificates";

/// Whoever vouches for the server and for its clients.
type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A client's certificate and key.
struct Client {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

fn client(issuer: &Issuer) -> Client {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::new(Vec::new()).unwrap().signed_by(&key, issuer).unwrap();
    Client { certificate, key }
}

impl Client {
    async fn uploaded(&self, api: &Api, name: &str) -> String {
        let wanted = json!({"ca": false, "name": name, "certificates": self.certificate.pem(),
            "private_key": self.key.serialize_pem()});
        api.post(CERTIFICATES, &wanted).await.result()["id"].as_str().unwrap().to_owned()
    }
}

/// A server that asks for certificates, and says of each request whose it was shown and over which connection it came.
async fn bank(issuer: &Issuer, clients: &[(&'static str, &Client)], is_required: bool) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, issuer).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = if is_required { verifier } else { verifier.allow_unauthenticated() };
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier.build().unwrap());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let acceptor =
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![own.der().clone()], key).unwrap()));
    let known: Arc<Vec<(&'static str, CertificateDer<'static>)>> =
        Arc::new(clients.iter().map(|(name, client)| (*name, client.certificate.der().clone())).collect());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, known, connections) =
                (acceptor.clone(), Arc::clone(&known), Arc::clone(&connections));
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let number = connections.fetch_add(1, Ordering::SeqCst) + 1;
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                let shown = shown.map_or("nobody", |shown| {
                    known.iter().find(|(_, known)| known == shown).map_or("a stranger", |(name, _)| name)
                });
                let answer = hyper::service::service_fn(move |request: Request<Incoming>| async move {
                    let method = request.method().clone();
                    let sent = request.into_body().collect().await.unwrap().to_bytes();
                    let text = format!("{shown} {number} {method} {}", sent.len());
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(text))))
                });
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await
                    .ok();
            });
        }
    });
    address
}

const ASKS: &str = r#"
    export default {
      async fetch(request, env) {
        const { searchParams } = new URL(request.url);
        const by = searchParams.has("plain") ? { fetch } : env.CERT;
        try {
          const body = searchParams.has("stream") ? request.body : undefined;
          return await by.fetch(searchParams.get("to"), body ? { method: "POST", body } : undefined);
        } catch (error) {
          return new Response(`${error.name}: ${error.message}`, { status: 500 });
        }
      },
    };
"#;

const EDGE: &str = "export default { fetch: (request, env) => env.D.get(new URL(request.url).hostname.split('.')[0]).fetch(request) };";

/// A platform whose scripts reach these servers, with this outbound worker.
async fn platform(issuer: &Issuer, servers: &[SocketAddr], outbound: Option<&str>) -> (Site, Server) {
    let ports: Vec<String> = servers.iter().map(|server| server.port().to_string()).collect();
    let mut config = format!(
        r#"
        [egress]
        allow_private = ["127.0.0.1"]
        ports = [{ports}]
        roots = "none"
        ca_file = "ca.pem"
        [namespaces.production]
        {outbound}
        [namespaces.production.egress]
        allow_private = ["127.0.0.1"]
        [scripts.edge]
        main = "edge.js"
        bindings = [{{ type = "dispatch_namespace", name = "D", namespace = "production" }}]
        [[routes]]
        pattern = "*/*"
        script = "edge"
        "#,
        ports = ports.join(", "),
        outbound = if outbound.is_some() { "outbound = { script = \"gate\" }" } else { "" },
    );
    if outbound.is_some() {
        config.push_str("[scripts.gate]\nmain = \"gate.js\"\n");
    }
    let site = Site::new(&config);
    site.write("ca.pem", issuer.pem());
    site.write("edge.js", EDGE);
    site.write("gate.js", outbound.unwrap_or_default());
    let server = site.serve().await;
    (site, server)
}

fn metadata(bindings: &Value) -> Value {
    json!({"main_module": "worker.js", "bindings": bindings})
}

fn bound(id: &str) -> Value {
    json!([{"type": "mtls_certificate", "name": "CERT", "certificate_id": id}])
}

async fn asks(server: &Server, script: &str, to: SocketAddr, how: &str) -> String {
    let path = format!("/?to=https%3A%2F%2F{to}%2F{how}");
    server.get(&format!("{script}.localhost"), &path).await.text().to_owned()
}

#[tokio::test]
async fn each_script_shows_its_own_certificate_over_connections_of_its_own() {
    let issuer = issuer();
    let (one, two) = (client(&issuer), client(&issuer));
    let bank = bank(&issuer, &[("one", &one), ("two", &two)], false).await;
    let (site, server) = platform(&issuer, &[bank], None).await;
    let api = server.api();
    let ids = [one.uploaded(&api, "first").await, two.uploaded(&api, "second").await];
    for (script, bindings) in
        [("one", bound(&ids[0])), ("two", bound(&ids[1])), ("same", bound(&ids[0])), ("none", json!([]))]
    {
        let reply = api.javascript_with(&script_path(script), &metadata(&bindings), ASKS).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    // In turns, over connections that are kept: none is used for whoever shows something else.
    for _ in 0..2 {
        assert_eq!(asks(&server, "one", bank, "").await, "one 1 GET 0");
        assert_eq!(asks(&server, "one", bank, "&plain").await, "nobody 2 GET 0");
        assert_eq!(asks(&server, "two", bank, "").await, "two 3 GET 0");
        assert_eq!(asks(&server, "none", bank, "&plain").await, "nobody 2 GET 0");
        assert_eq!(asks(&server, "same", bank, "").await, "one 1 GET 0");
    }
    assert!(asks(&server, "none", bank, "").await.starts_with("TypeError"), "it was not given one");
    let post = request(Method::POST, "one.localhost", &format!("/?stream&to=https%3A%2F%2F{bank}%2F"));
    let posted = server.send(post.body(body("x".repeat(100_000))).unwrap()).await;
    assert_eq!(posted.text(), "one 1 POST 100000");

    // No call gives the key back, and it lies nowhere in clear.
    let secret = one.key.serialize_pem().lines().nth(1).unwrap().to_owned();
    for path in [
        CERTIFICATES.to_owned(),
        format!("{CERTIFICATES}/{}", ids[0]),
        format!("{}/bindings", script_path("one")),
    ] {
        let shown = api.get(&path).await;
        assert!(!format!("{shown:?}").contains(&secret), "{path}");
    }
    let only = api.get(&format!("{CERTIFICATES}?ca=false&name=first")).await.result().clone();
    assert_eq!(json!([only[0]["id"], only[0]["ca"], only[1]]), json!([ids[0], false, null]));
    assert_eq!(api.get(&format!("{CERTIFICATES}?ca=true")).await.result(), &json!([]));
    let used = api.get(&format!("{CERTIFICATES}/{}/associations", ids[0])).await;
    assert_eq!(used.result(), &json!([{"service": "workers", "status": "active"}]));

    // It outlives the process.
    server.kill().await;
    for file in ["registry.sqlite", "registry.sqlite-wal"] {
        let kept = std::fs::read(site.data().join(file)).unwrap();
        let has = |text: &str| kept.windows(text.len()).any(|bytes| bytes == text.as_bytes());
        assert!(!has(&secret), "the key lies in {file} in clear");
        assert!(file == "registry.sqlite" || has("mtls-key/"), "it lies there");
    }
    let server = site.serve().await;
    let api = server.api();
    assert!(asks(&server, "two", bank, "").await.starts_with("two "));

    // What scripts are bound to stays, and says who they are; what is deleted by force is shown no more.
    let path = format!("{CERTIFICATES}/{}", ids[0]);
    let refused = api.delete(&path).await;
    let told = refused.refused(409, 90015);
    assert!(told.contains("\"CERT\"") && told.contains("production/one"), "{told}");
    assert!(asks(&server, "one", bank, "").await.starts_with("one "));
    api.delete(&format!("{path}?force=true")).await.result();
    let gone = asks(&server, "one", bank, "").await;
    assert!(gone.contains("\"CERT\"") && gone.contains("was deleted"), "{gone}");
    api.get(&path).await.refused(404, 90030);
    api.javascript_with(&script_path("two"), &metadata(&json!([])), ASKS).await.result();
    api.delete(&format!("{CERTIFICATES}/{}", ids[1])).await.result();
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_answers_components_that_show_one() {
    let issuer = issuer();
    let one = client(&issuer);
    let bank = bank(&issuer, &[("one", &one)], true).await;
    let (_site, server) = platform(&issuer, &[bank], None).await;
    let api = server.api();
    let id = one.uploaded(&api, "").await;
    let binding = json!({"type": "mtls_certificate", "name": "BANK", "certificate_id": id});
    let metadata = |bindings: Value| json!({"main_module": "worker.wasm", "bindings": bindings});
    let component = || guest::bytes("mtls");
    api.upload(&script_path("one"), &metadata(json!([binding])), component()).await.result();
    api.upload(&script_path("none"), &metadata(json!([])), component()).await.result();
    let path = format!("/{bank}/balance");
    assert_eq!(server.get("one.localhost", &path).await.text(), "one 1 GET 0");
    let post = request(Method::POST, "one.localhost", &path);
    assert_eq!(server.send(post.body(body("some bytes")).unwrap()).await.text(), "one 1 POST 10");
    let none = server.get("none.localhost", &path).await;
    assert!(none.status == 500, "{none:?}");
    let plain = api.javascript_with(&script_path("plain"), &json!({"main_module": "worker.js"}), ASKS).await;
    plain.result();
    assert!(asks(&server, "plain", bank, "&plain").await.contains("Network connection lost"));
}

/// Lets everything pass, and asks a second place of its own accord.
const GATE: &str = r#"
    export default {
      async fetch(request) {
        const answer = await fetch(request);
        const elsewhere = request.headers.get("x-elsewhere");
        const told = elsewhere ? await (await fetch(elsewhere)).text() : "";
        return new Response(`${await answer.text()}, ${told}`);
      },
    };
"#;

#[tokio::test]
async fn an_outbound_worker_sends_on_with_the_certificate_and_shows_it_nowhere_else() {
    let issuer = issuer();
    let one = client(&issuer);
    let (first, second) =
        (bank(&issuer, &[("one", &one)], false).await, bank(&issuer, &[("one", &one)], false).await);
    let (_site, server) = platform(&issuer, &[first, second], Some(GATE)).await;
    let api = server.api();
    let id = one.uploaded(&api, "").await;
    let asks_with = format!(
        r#"export default {{ async fetch(request, env) {{
            const plain = new URL(request.url).pathname === "/plain";
            return (plain ? {{ fetch }} : env.CERT).fetch("https://{first}/", {{ headers: {{ "x-elsewhere": "https://{second}/" }} }});
        }} }};"#
    );
    api.javascript_with(&script_path("one"), &metadata(&bound(&id)), &asks_with).await.result();
    assert_eq!(server.get("one.localhost", "/").await.text(), "one 1 GET 0, nobody 1 GET 0");
    assert_eq!(server.get("one.localhost", "/plain").await.text(), "nobody 2 GET 0, nobody 1 GET 0");
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_by_its_rule() {
    let issuer = issuer();
    let (one, two) = (client(&issuer), client(&issuer));
    let server = Server::serving("[namespaces.production]\n").await;
    let api = server.api();
    let (pem, key) = (one.certificate.pem(), one.key.serialize_pem());
    for (wanted, rule) in [
        (json!({"ca": false, "certificates": pem}), "is uploaded with its key"),
        (json!({"ca": true, "certificates": issuer.pem(), "private_key": key}), "keep it to yourself"),
        (
            json!({"ca": false, "certificates": pem, "private_key": two.key.serialize_pem()}),
            "not the one of the first",
        ),
        (json!({"ca": false, "certificates": pem, "private_key": pem}), "no private key"),
        (json!({"ca": false, "certificates": key, "private_key": key}), "no certificate"),
        (json!({"ca": false, "certificates": pem, "private_key": "x".repeat(300 << 10)}), "256 KiB"),
        (json!({"ca": false, "certificates": pem.repeat(20), "private_key": key}), "more than"),
    ] {
        let refused = api.post(CERTIFICATES, &wanted).await;
        let told = refused.refused(400, 90031);
        assert!(told.contains(rule) && !told.contains("BEGIN"), "{rule}: {told}");
    }
    let authority = api.post(CERTIFICATES, &json!({"ca": true, "certificates": issuer.pem()})).await;
    let authority = authority.result()["id"].as_str().unwrap().to_owned();
    for (id, rule) in [
        (authority.as_str(), "is of an authority"),
        ("1d74f419-c24c-4619-9ff2-489751b61d27", "there is no mTLS certificate"),
        ("bank", "a UUID"),
    ] {
        let reply = api.javascript_with(&script_path("one"), &metadata(&bound(id)), ASKS).await;
        let told = reply.refused(400, 10021);
        assert!(told.contains("\"CERT\"") && told.contains(rule), "{rule}: {told}");
    }
    assert_eq!(api.get(&script_path("one")).await.status, 404, "nothing of it was stored");
    // Whoever may write some scripts, and no certificates, binds none to one.
    let id = one.uploaded(&api, "").await;
    let policy = json!({"name": "scripts", "policies": [{"effect": "allow",
        "permission_groups": [{"id": "e086da7e2179491d91ee5f35b3ca210a"}], "resources": {"com.cloudflare.api.account.dispatch_namespace.production": "*"}}]});
    let made = api.post("/client/v4/user/tokens", &policy).await.result().clone();
    let token: &'static str = made["value"].as_str().unwrap().to_owned().leak();
    let refused =
        api.with_token(token).javascript_with(&script_path("one"), &metadata(&bound(&id)), ASKS).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert!(format!("{refused:?}").contains("SSL and Certificates Write"), "{refused:?}");
}
