//! TLS with clients that are not ours: OpenSSL and curl, which come with the system. Whether a client got in is told by an answer:
//! OpenSSL says of handshakes that failed as well what was agreed upon, and that a certificate is good.

use std::path::Path;
use std::process::Stdio;

use rcgen::{
    CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::client_certificates::authority;
use super::hostnames::{becomes, zone_named};
use crate::support::dns::NameServer;
use crate::support::{Server, Site, eventually, guest, within};

/// Writes a certificate for these hosts, with the first as its common name, and its key.
fn write_certificate(site: &Site, file: &str, hosts: &[&str], kind: &'static SignatureAlgorithm) {
    let (certificate, key) = made(hosts, kind);
    site.write(&format!("{file}.key"), key);
    site.write(&format!("{file}.pem"), certificate);
}

fn made(hosts: &[&str], kind: &'static SignatureAlgorithm) -> (String, String) {
    let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, hosts[0]);
    let key = KeyPair::generate_for(kind).unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Writes a client's certificate and its key.
fn write_client(site: &Site, issuer: &super::client_certificates::Issuer) {
    site.write("clients.pem", issuer.pem());
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "till 7");
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let key = KeyPair::generate().unwrap();
    site.write("till.pem", params.signed_by(&key, issuer).unwrap().pem());
    site.write("till.key", key.serialize_pem());
}

/// What OpenSSL prints of a handshake and a request over it.
struct Told {
    text: String,
    good: bool,
}

impl Told {
    /// What was agreed upon, such as `New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256`; none where nothing was.
    fn agreed(&self) -> Option<&str> {
        let line = self.text.lines().find(|line| line.contains(", Cipher is "));
        line.filter(|line| !line.contains("(NONE)"))
    }

    #[track_caller]
    fn has(&self, part: &str) -> &Told {
        assert!(self.text.contains(part), "{part}: {}", self.text);
        self
    }

    #[track_caller]
    fn agreed_on(&self, line: &str) -> &Told {
        assert_eq!(self.agreed(), Some(line), "{}", self.text);
        self
    }

    /// The client was told why, and got no answer.
    #[track_caller]
    fn is_refused(&self, alert: &str) {
        let answered = self.text.contains("HTTP/1.1 ");
        assert!(!self.good && !answered && self.text.contains(alert), "{}", self.text);
    }
}

/// Connects with OpenSSL, and asks for a page of the host.
async fn openssl(server: &Server, folder: &Path, host: &str, more: &[&str]) -> Told {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &server.https().await.to_string(), "-ign_eof"]);
    command.args(more).current_dir(folder);
    if !more.contains(&"-noservername") && !more.contains(&"-servername") {
        command.args(["-servername", host]);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("openssl is among what the tests need");
    let mut input = child.stdin.take().unwrap();
    let request = format!("GET /page HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    // Who is refused at once does not read it.
    let _gone = input.write_all(request.as_bytes()).await;
    let output = within("openssl", child.wait_with_output()).await.unwrap();
    drop(input);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Told { text, good: output.status.success() }
}

fn config(entries: &[(&str, &str)]) -> String {
    let entry = |(file, more): &(&str, &str)| {
        format!("[[tls.certificates]]\nchain = \"{file}.pem\"\nkey = \"{file}.key\"\n{more}\n")
    };
    format!(
        "[server]\nlisten_tls = \"127.0.0.1:0\"\n{}\n[scripts.probe]\n{}\n[[routes]]\npattern = \"*/*\"\nscript = \"probe\"\n",
        entries.iter().map(entry).collect::<String>(),
        guest::main("probe"),
    )
}

#[tokio::test]
async fn versions_suites_and_protocols_are_those_of_the_host() {
    let site = Site::new(&config(&[
        ("usual", ""),
        ("strict", "min_version = \"1.3\""),
        ("old", "http2 = false\ndefault = true"),
    ]));
    for file in ["usual", "strict", "old"] {
        write_certificate(&site, file, &[&format!("{file}.test")], &PKCS_ECDSA_P256_SHA256);
    }
    let server = site.serve().await;
    let asked = async |host: &str, more: &[&str]| openssl(&server, &site.path(""), host, more).await;

    let told = asked("usual.test", &[]).await;
    told.agreed_on("New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256").has("HTTP/1.1 200");
    told.has("\ntls TLSv1.3 AEAD-AES128-GCM-SHA256 usual.test\n");
    let told = asked("usual.test", &["-tls1_2"]).await;
    told.agreed_on("New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256").has("HTTP/1.1 200");
    told.has("\ntls TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 usual.test\n");
    let told = asked("usual.test", &["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"]).await;
    told.agreed_on("New, TLSv1.3, Cipher is TLS_CHACHA20_POLY1305_SHA256").has("HTTP/1.1 200");
    // What is old, or secures little, is not spoken.
    for (more, alert) in [
        (&["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"][..], "alert"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"], "alert"),
        (&["-tls1_2", "-cipher", "AES128-GCM-SHA256"], "alert"),
    ] {
        asked("usual.test", more).await.is_refused(alert);
    }
    asked("strict.test", &["-tls1_2"]).await.is_refused("protocol version");
    asked("strict.test", &[]).await.has("HTTP/1.1 200");

    asked("usual.test", &["-alpn", "http/1.1"]).await.has("ALPN protocol: http/1.1");
    let told = asked("usual.test", &["-alpn", "h2,http/1.1"]).await;
    told.has("ALPN protocol: h2");
    asked("old.test", &["-alpn", "h2,http/1.1"]).await.has("ALPN protocol: http/1.1").has("HTTP/1.1 200");
    // Nothing that both speak (RFC 7301 section 3.2).
    asked("usual.test", &["-alpn", "spdy/1"]).await.is_refused("alert");

    asked("usual.test", &["-servername", "nobody.test"]).await.is_refused("unrecognized name");
    let told = asked("old.test", &["-noservername"]).await;
    told.has("CN = old.test").has("HTTP/1.1 200").has("\ntls TLSv1.3 AEAD-AES128-GCM-SHA256 -\n");
    // A host with other settings than those that were agreed upon.
    asked("strict.test", &["-noservername"]).await.has("HTTP/1.1 421");
}

#[tokio::test]
async fn the_name_that_fits_best_is_served_by_the_key_that_the_client_knows() {
    let hosts = "hosts = [\"shop.test\"]";
    let site = Site::new(&config(&[
        ("wild", "hosts = [\"*.shop.test\"]"),
        ("exact", "hosts = [\"a.shop.test\"]"),
        ("curve", hosts),
        ("rsa", hosts),
    ]));
    write_certificate(&site, "wild", &["wild.test", "*.shop.test"], &PKCS_ECDSA_P256_SHA256);
    write_certificate(&site, "exact", &["exact.test", "a.shop.test"], &PKCS_ECDSA_P256_SHA256);
    write_certificate(&site, "curve", &["shop.test"], &PKCS_ECDSA_P256_SHA256);
    write_certificate(&site, "rsa", &["shop.test"], &PKCS_RSA_SHA256);
    let server = site.serve().await;
    let asked = async |host: &str, more: &[&str]| openssl(&server, &site.path(""), host, more).await;
    asked("a.shop.test", &[]).await.has("subject=CN = exact.test").has("HTTP/1.1 200");
    asked("b.shop.test", &[]).await.has("subject=CN = wild.test").has("HTTP/1.1 200");
    asked("a.b.shop.test", &[]).await.is_refused("unrecognized name");
    for (more, kind) in [
        (&[][..], "ECDSA"),
        (&["-sigalgs", "ECDSA+SHA256"], "ECDSA"),
        (&["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"], "RSA-PSS"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], "ECDSA"),
        (&["-tls1_2", "-sigalgs", "RSA+SHA256"], "RSA"),
    ] {
        let told = asked("shop.test", more).await;
        told.has(&format!("Peer signature type: {kind}\n")).has("HTTP/1.1 200");
    }
}

#[tokio::test]
async fn sessions_are_taken_up_under_their_name_and_settings_alone() {
    let site = Site::new(&config(&[("all", "hosts = [\"one.test\"]"), ("all", "hosts = [\"two.test\"]")]));
    write_certificate(&site, "all", &["one.test", "two.test"], &PKCS_ECDSA_P256_SHA256);
    let clients = authority("clients");
    write_client(&site, &clients);
    let server = site.serve().await;
    for version in ["-tls1_3", "-tls1_2"] {
        let new = format!("New, TLSv1.{}", &version[6..]);
        let reused = format!("Reused, TLSv1.{}", &version[6..]);
        let first =
            openssl(&server, &site.path(""), "one.test", &[version, "-sess_out", "one.session"]).await;
        first.has(&new).has("HTTP/1.1 200");
        let again = [version, "-sess_in", "one.session"];
        openssl(&server, &site.path(""), "one.test", &again).await.has(&reused).has("HTTP/1.1 200");
        openssl(&server, &site.path(""), "two.test", &again).await.has(&new).has("HTTP/1.1 200");
    }
    // The same host asks for certificates now: the session of before does not get in.
    let asking = "hosts = [\"one.test\"]\nclient_ca = \"clients.pem\"";
    site.write("wasmyard.toml", config(&[("all", asking), ("all", "hosts = [\"two.test\"]")]));
    server.hang_up();
    server.noted("configuration reloaded").await;
    let told = openssl(&server, &site.path(""), "one.test", &["-sess_in", "one.session", "-tls1_2"]).await;
    told.is_refused("alert");
}

#[tokio::test]
async fn client_certificates_of_openssl_and_curl_get_in() {
    let site = Site::new(&config(&[
        ("all", "hosts = [\"strict.test\"]\nclient_ca = \"clients.pem\""),
        ("all", "hosts = [\"asks.test\"]\nclient_ca = \"clients.pem\"\nclient_certificates = \"optional\""),
    ]));
    write_certificate(&site, "all", &["strict.test", "asks.test"], &PKCS_ECDSA_P256_SHA256);
    write_client(&site, &authority("clients"));
    let server = site.serve().await;
    let asked = async |host: &str, more: &[&str]| openssl(&server, &site.path(""), host, more).await;
    for version in ["-tls1_2", "-tls1_3"] {
        let shows = [version, "-cert", "till.pem", "-key", "till.key"];
        for host in ["strict.test", "asks.test"] {
            let told = asked(host, &shows).await;
            told.has("HTTP/1.1 200").has("\nclient-certificate CN=till 7\n");
            told.has("Acceptable client certificate CA names\nCN = clients\n");
        }
        // From 1.3 on the handshake has ended well for the client when the alert comes.
        asked("strict.test", &[version]).await.is_refused("certificate required");
        let told = asked("asks.test", &[version]).await;
        assert!(!told.has("HTTP/1.1 200").text.contains("client-certificate "), "{}", told.text);
        let own = [version, "-cert", "all.pem", "-key", "all.key"];
        let refused = asked("asks.test", &own).await;
        assert!(!refused.good && !refused.text.contains("HTTP/1.1 "), "{}", refused.text);
    }
    let port = server.https().await.port();
    let curl = async |more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--http2", "--cacert", "all.pem", "--resolve"]);
        curl.arg(format!("strict.test:{port}:127.0.0.1")).args(more).current_dir(site.path(""));
        let output = within("curl", curl.arg(format!("https://strict.test:{port}/page")).output()).await;
        let output = output.expect("curl is among what the tests need");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (good, told) = curl(&["--cert", "till.pem", "--key", "till.key"]).await;
    assert!(good && told.contains("\nclient-certificate CN=till 7\n"), "{told}");
    let (good, told) = curl(&[]).await;
    assert!(!good && told.is_empty(), "{told}");
}

/// A platform with a zone, whose customers' hostnames are answered by a script.
async fn customers(dns: &NameServer) -> (Server, String) {
    let text = format!(
        "[server]\nreserved_names = true\nlisten_tls = \"127.0.0.1:0\"\n[hostnames]\nname_servers = [\"{}\"]\n\
         [scripts.probe]\n{}\n[[routes]]\npattern = \"service.saas.test/*\"\nscript = \"probe\"\n",
        dns.address,
        guest::main("probe"),
    );
    let server = Server::serving(&text).await;
    let zone = zone_named(&server.api(), "saas.test").await;
    (server, zone)
}

/// A customer's hostname with certificates of both kinds and these settings, served.
async fn served(server: &Server, dns: &NameServer, zone: &str, name: &str, settings: Value) -> String {
    dns.cname(name, "service.saas.test");
    let pairs = [&PKCS_ECDSA_P256_SHA256, &PKCS_RSA_SHA256].map(|kind| {
        let (certificate, key) = made(&[name], kind);
        json!({"custom_certificate": certificate, "custom_key": key})
    });
    let ssl = json!({"bundle_method": "force", "custom_cert_bundle": pairs, "settings": settings});
    let api = server.api();
    let made = api.post(&format!("{zone}/custom_hostnames"), &json!({"hostname": name, "ssl": ssl})).await;
    assert_eq!(made.status, 201, "{}", made.envelope);
    let path = format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap());
    becomes(&api, &path, "active").await;
    let folder = std::env::temp_dir();
    eventually("its certificate is served", async || {
        let told = openssl(server, &folder, name, &[]).await;
        told.text.contains("HTTP/1.1 200").then_some(())
    })
    .await;
    path
}

#[tokio::test]
async fn a_customers_hostname_is_served_by_its_own_settings_and_asks_for_its_own_clients() {
    let dns = NameServer::start().await;
    let (server, zone) = customers(&dns).await;
    let few = json!({"ciphers": ["ECDHE-RSA-AES256-GCM-SHA384"], "http2": "off"});
    served(&server, &dns, &zone, "few.customer.test", few).await;
    served(&server, &dns, &zone, "strict.customer.test", json!({"min_tls_version": "1.3"})).await;
    let site = Site::new("");
    let asked = async |host: &str, more: &[&str]| openssl(&server, &site.path(""), host, more).await;

    let told = asked("few.customer.test", &["-tls1_2", "-alpn", "h2,http/1.1"]).await;
    told.agreed_on("New, TLSv1.2, Cipher is ECDHE-RSA-AES256-GCM-SHA384").has("ALPN protocol: http/1.1");
    told.has("HTTP/1.1 200").has("\nhostname few.customer.test\n");
    asked("few.customer.test", &["-tls1_2", "-sigalgs", "ECDSA+SHA256"]).await.is_refused("alert");
    asked("few.customer.test", &[]).await.has("Peer signature type: ECDSA\n").has("HTTP/1.1 200");
    let by_rsa = ["-sigalgs", "RSA-PSS+SHA256"];
    asked("few.customer.test", &by_rsa).await.has("Peer signature type: RSA-PSS\n").has("HTTP/1.1 200");
    asked("strict.customer.test", &["-tls1_2"]).await.is_refused("protocol version");
    let told = asked("strict.customer.test", &[]).await;
    told.agreed_on("New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256").has("HTTP/1.1 200");

    // One of them asks for certificates, from the next handshake on.
    let (clients, others) = (authority("clients"), authority("others"));
    write_client(&site, &clients);
    let api = server.api();
    let upload = |pem: String| json!({"ca": true, "certificates": pem});
    let authorities = "/client/v4/accounts/0/mtls_certificates";
    let id = api.post(authorities, &upload(clients.pem())).await.result()["id"].clone();
    let other = api.post(authorities, &upload(others.pem())).await.result()["id"].clone();
    let associate = async |id: &Value, mode: &str| {
        let wanted = json!({
            "hostnames": ["strict.customer.test"], "mtls_certificate_id": id, "client_certificates": mode,
        });
        let path = format!("{zone}/certificate_authorities/hostname_associations");
        api.put(&path, &wanted).await.result();
    };
    let shows = ["-cert", "till.pem", "-key", "till.key"];
    associate(&id, "required").await;
    let told = asked("strict.customer.test", &shows).await;
    told.has("HTTP/1.1 200").has("\nclient-certificate CN=till 7\n");
    assert!(!asked("strict.customer.test", &[]).await.text.contains("HTTP/1.1 "));
    assert!(
        !asked("few.customer.test", &shows).await.has("HTTP/1.1 200").text.contains("\nclient-certificate ")
    );
    let told = asked("strict.customer.test", &["-servername", "few.customer.test"]).await;
    told.has("HTTP/1.1 421");
    assert_eq!(server.get("strict.customer.test", "/page").await.status, 301);
    associate(&other, "optional").await;
    let refused = asked("strict.customer.test", &shows).await;
    assert!(!refused.text.contains("HTTP/1.1 "), "{}", refused.text);
    assert!(
        !asked("strict.customer.test", &[]).await.has("HTTP/1.1 200").text.contains("\nclient-certificate ")
    );
    assert_eq!(server.get("strict.customer.test", "/page").await.status, 200);
}

#[tokio::test]
async fn a_hostname_that_requires_certificates_is_closed_before_it_has_one_of_its_own() {
    let dns = NameServer::start().await;
    let (server, zone) = customers(&dns).await;
    let api = server.api();
    dns.cname("early.customer.test", "service.saas.test");
    let made =
        api.post(&format!("{zone}/custom_hostnames"), &json!({"hostname": "early.customer.test"})).await;
    let path = format!("{zone}/custom_hostnames/{}", made.envelope["result"]["id"].as_str().unwrap());
    becomes(&api, &path, "active").await;
    assert_eq!(server.get("early.customer.test", "/page").await.status, 200);
    let clients = authority("clients");
    let upload = json!({"ca": true, "certificates": clients.pem()});
    let id = api.post("/client/v4/accounts/0/mtls_certificates", &upload).await.result()["id"].clone();
    let wanted = json!({
        "hostnames": ["early.customer.test"], "mtls_certificate_id": id, "client_certificates": "required",
    });
    api.put(&format!("{zone}/certificate_authorities/hostname_associations"), &wanted).await.result();
    assert_eq!(server.get("early.customer.test", "/page").await.status, 301, "in clear text");
}
