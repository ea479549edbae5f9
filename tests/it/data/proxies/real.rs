//! nginx and Caddy themselves, with the lines of `docs/behind-a-proxy.md`. `make proxy-test` runs these, and installs the
//! two where they are missing; a run without them leaves these tests out and says so.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

use super::config;
use crate::support::{Server, eventually, within};

/// A block of the page in this language.
fn of_the_page(language: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/behind-a-proxy.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, block) = page.split_once(&format!("```{language}\n")).expect("the page has such a block");
    block.split_once("```").unwrap().0.to_owned()
}

/// The text with one line another one, which has to be there.
fn with(text: &str, line: &str, other: &str) -> String {
    assert!(text.contains(line), "{line:?} is not in {text}");
    text.replace(line, other)
}

/// A port that nobody listens on now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A proxy that runs as long as this.
struct Proxy {
    port: u16,
    _process: Child,
    folder: tempfile::TempDir,
}

impl Proxy {
    async fn caddy(server: &Server) -> Proxy {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let block = of_the_page("caddyfile");
        let site = format!("https://shop.test:{port} {{\n\ttls internal");
        let block = with(&block, "shop.example.com, *.apps.example.com {", &site);
        let block = with(&block, "127.0.0.1:8787", &server.visitors.to_string());
        let options = format!(
            "{{\n\tadmin off\n\tskip_install_trust\n\tauto_https disable_redirects\n\thttp_port {}\n\thttps_port {port}\n}}\n",
            free_port()
        );
        let file = folder.path().join("Caddyfile");
        std::fs::write(&file, options + &block).unwrap();
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        command.env("HOME", folder.path()).env("XDG_DATA_HOME", folder.path());
        Proxy::started(command, port, folder).await
    }

    /// One process alone: a worker would outlive a master that is killed.
    async fn nginx(server: &Server) -> Proxy {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let certified = rcgen::generate_simple_self_signed(vec!["shop.test".to_owned()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), certified.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), certified.signing_key.serialize_pem()).unwrap();
        let block = of_the_page("nginx");
        let block = with(&block, "127.0.0.1:8787", &server.visitors.to_string());
        let block = with(&block, "listen 443 ssl", &format!("listen 127.0.0.1:{port} ssl"));
        let block = with(&block, "shop.example.com *.apps.example.com", "shop.test");
        let here = folder.path().display();
        let certificate = format!("ssl_certificate {here}/cert.pem; ssl_certificate_key {here}/key.pem;");
        let block = with(&block, "# ssl_certificate, ssl_certificate_key ...", &certificate);
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
            .concat();
        let text = format!(
            "daemon off; master_process off; pid {here}/pid; error_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\nclient_max_body_size 8m;\n{paths}{block}}}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
        Proxy::started(command, port, folder).await
    }

    async fn started(mut command: Command, port: u16, folder: tempfile::TempDir) -> Proxy {
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command.stderr(std::fs::File::create(folder.path().join("log")).unwrap());
        let process =
            command.spawn().expect("the proxy is not installed; scripts/proxy-tests.sh installs it");
        let proxy = Proxy { port, _process: process, folder };
        eventually("the proxy answers", async || {
            let answer = proxy.curl(&["/"]).await;
            answer.status.success().then_some(())
        })
        .await;
        proxy
    }

    /// What curl says of requests to this path, from an address that is not the proxy's.
    async fn curl(&self, arguments: &[&str]) -> std::process::Output {
        let (path, options) = arguments.split_first().unwrap();
        let port = self.port;
        let mut command = Command::new("curl");
        command.args(["-sS", "-k", "--noproxy", "*", "--interface", "127.0.0.2"]);
        command.arg("--resolve").arg(format!("shop.test:{port}:127.0.0.1"));
        command.args(options).arg(format!("https://shop.test:{port}{path}")).stdin(Stdio::null());
        within("curl", command.output()).await.unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

async fn behind() -> Server {
    let config = config("trusted_proxies = [\"127.0.0.1\"]").replace("probe.test", "shop.test");
    Server::serving(&config).await
}

/// What the script sees of a visitor who claims to be somebody else.
async fn the_visitor_is_known(proxy: &Proxy) {
    let claims =
        ["-H", "X-Forwarded-For: 6.6.6.6", "-H", "X-Forwarded-Proto: http", "-H", "Forwarded: for=6.6.6.6"];
    for version in ["--http1.1", "--http2"] {
        let mut arguments = vec!["/page", version];
        arguments.extend(claims);
        let said = String::from_utf8(proxy.curl(&arguments).await.stdout).unwrap();
        for line in [
            "header cf-connecting-ip: 127.0.0.2",
            "header x-forwarded-for: 127.0.0.2",
            "header x-forwarded-proto: https",
        ] {
            assert!(said.contains(line), "{version}: {line}:\n{said}\n{}", proxy.log());
        }
        assert!(!said.contains("6.6.6.6"), "{said}");
        assert!(said.contains("authority shop.test"), "{said}");
    }
}

/// Bodies that nobody reads, and a request of somebody else right behind each on the proxy's connection.
async fn nobody_pays_for_the_body_of_another(proxy: &Proxy) {
    let large = proxy.folder.path().join("large");
    std::fs::write(&large, vec![b'x'; 200_000]).unwrap();
    let large = format!("@{}", Path::new(&large).display());
    let status = ["-o", "/dev/null", "-w", "%{http_code}"];
    for round in 0..20 {
        let mut unread = vec!["/empty", "--data-binary", &large];
        unread.extend(status);
        let unread = proxy.curl(&unread).await;
        assert_eq!(String::from_utf8_lossy(&unread.stdout), "204", "{round}: {}", proxy.log());
        let mut other = vec!["/length", "--data-binary", "abc"];
        other.extend(status);
        let other = proxy.curl(&other).await;
        assert_eq!(String::from_utf8_lossy(&other.stdout), "200", "{round}: {}", proxy.log());
    }
}

#[tokio::test]
async fn caddy_as_the_page_has_it() {
    let server = behind().await;
    let proxy = Proxy::caddy(&server).await;
    the_visitor_is_known(&proxy).await;
    nobody_pays_for_the_body_of_another(&proxy).await;
}

#[tokio::test]
async fn nginx_as_the_page_has_it() {
    let server = behind().await;
    let proxy = Proxy::nginx(&server).await;
    the_visitor_is_known(&proxy).await;
    nobody_pays_for_the_body_of_another(&proxy).await;
}
