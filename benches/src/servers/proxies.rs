//! nginx and Caddy as servers of TLS that answer two bytes by themselves: one process on one processor, no log, the
//! certificate of the bench.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::{free_address, program};
use crate::process::{Place, Process};
use crate::{Error, scratch};

/// How to get them.
pub const REMEDY: &str = "apt-get install nginx-light caddy";

/// The host that everybody has a certificate for.
pub const HOST: &str = "shop.test";

/// The certificate of [`HOST`] on P-256, and its key, in PEM files.
pub struct Certificate {
    /// The certificate.
    pub chain: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes one.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub fn make() -> Result<Certificate, Error> {
        let folder = scratch()?.join("tls");
        std::fs::create_dir_all(&folder)?;
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()])?;
        let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
        std::fs::write(&chain, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        Ok(Certificate { chain, key })
    }
}

/// Starts nginx; none where it is not installed.
///
/// # Errors
/// When it does not start.
pub fn nginx(certificate: &Certificate) -> Result<Option<(Process, SocketAddr)>, Error> {
    let Some(program) = program("NGINX", "nginx", &PathBuf::from("/usr/sbin/nginx")) else { return Ok(None) };
    let folder = scratch()?.join("nginx");
    std::fs::create_dir_all(&folder)?;
    let address = free_address()?;
    let here = folder.display();
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {here}/{kind};\n"))
        .concat();
    let text = format!(
        "daemon off; master_process off; pid {here}/pid; error_log {here}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\naccess_log off;\n{paths}\
         ssl_certificate {chain}; ssl_certificate_key {key};\n\
         ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:all:10m; keepalive_requests 1000000;\n\
         server {{ listen {address} ssl; server_name {HOST}; location / {{ return 200 \"ok\"; }} }}\n}}\n",
        chain = certificate.chain.display(),
        key = certificate.key.display(),
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, text)?;
    let mut process = Process::start("nginx", &program, Place::ServerCpu, |command| {
        command.arg("-p").arg(&folder).arg("-c").arg(&file);
    })?;
    process.opens(address)?;
    Ok(Some((process, address)))
}

/// Starts Caddy; none where it is not installed.
///
/// # Errors
/// When it does not start.
pub fn caddy(certificate: &Certificate) -> Result<Option<(Process, SocketAddr)>, Error> {
    let Some(program) = program("CADDY", "caddy", &PathBuf::from("/usr/bin/caddy")) else { return Ok(None) };
    let folder = scratch()?.join("caddy");
    std::fs::create_dir_all(&folder)?;
    let address = free_address()?;
    let text = format!(
        "{{\n\tadmin off\n\tskip_install_trust\n\tauto_https off\n\tlog {{\n\t\toutput discard\n\t}}\n}}\n\
         https://{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls {chain} {key}\n\trespond \"ok\"\n}}\n",
        port = address.port(),
        chain = certificate.chain.display(),
        key = certificate.key.display(),
    );
    let file = folder.join("Caddyfile");
    std::fs::write(&file, text)?;
    let mut process = Process::start("caddy", &program, Place::ServerCpu, |command| {
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file);
        command.env("HOME", &folder).env("XDG_DATA_HOME", &folder).env("GOMAXPROCS", "1");
    })?;
    process.opens(address)?;
    Ok(Some((process, address)))
}
