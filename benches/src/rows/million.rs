//! A million custom hostnames, each with a certificate of its own, on one node: how soon it is ready, what it holds while it
//! idles, and how long the first handshake of a name takes whose certificate is on the disk.
//!
//! The data directory is made once and kept. One hostname is made as the API makes it; all others are its records under other
//! names, written by the store itself, many at a time. Their certificates go the way of every certificate, in batches.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use wasmyard_hostnames::ServedName;
use wasmyard_hostnames::certificates::{CertificateStore, Kind, Pair, Served};
use wasmyard_listener::tls::Settings;
use wasmyard_namespaces::hostname::{
    CertificateKey, CertificateType, CustomHostname, CustomHostnameEdit, CustomName, HostnameCertificate,
    HostnameStatus, NewCustomHostname, SslEdit, SslStatus, ValidationMethod,
};
use wasmyard_namespaces::store::{Entry, Precondition, SqliteStore, Store, Write};
use wasmyard_namespaces::zone::{DnsRecordEdit, NewZone, ZoneEdit, ZoneType};
use wasmyard_namespaces::{Blobs, Domain, Registry, RegistryOptions, Timestamp};

use super::Effort;
use crate::report::{Reading, Target as Goal};
use crate::secure;
use crate::servers::wasmyard::{Budget, Platform, Site};
use crate::{Error, scratch};

/// Names of the whole run, and of the quick one.
const NAMES: [usize; 2] = [1_000_000, 20_000];
/// How many are written at a time.
const BATCH: usize = 1_000;
/// What says that a data directory is whole, and of which form.
const MADE: &str = "made-2";

/// The name of a hostname; all are equally long.
fn name(number: usize) -> String {
    format!("n{number:07}.customers.test")
}

pub(super) fn run(effort: &Effort) -> Result<Vec<Reading>, Error> {
    let count = effort.pick(NAMES[0], NAMES[1]);
    let folder = format!("site-hostnames-{count}");
    let mut site = Site::new(&folder, Budget::AsShipped)?;
    site.server("listen_tls = \"127.0.0.1:0\"\nreserved_names = true\n");
    // Nobody is asked whose the names are: that would be a measurement of name servers.
    site.lines("[hostnames]\nname_servers = [\"127.0.0.1:9\"]\n");
    site.route("service.saas.test/*", "script = \"hello\"")?;
    site.script("scripts.hello", &crate::guest("hello")?, "")?;
    let data = scratch()?.join(&folder).join("data");
    let made = make(&data, count)?;
    // Compiles what was not compiled before, and starts again: nothing but the names is left to be done.
    let site = site.without_logs();
    site.prepare()?;
    let mut starts = Vec::new();
    let mut platform = None;
    for _ in 0..effort.pick(3, 1) {
        platform.take().map(|before: Platform| before.process.end()).transpose()?;
        forget(&data)?;
        let begun = Instant::now();
        let started = site.again()?;
        let secure = started.secure.ok_or("the platform announced no https")?;
        secure::one_by_one(secure, &[name(7)], "/", Duration::ZERO)?;
        starts.push(begun.elapsed().as_secs_f64());
        platform = Some(started);
    }
    let platform = platform.ok_or("it did not start")?;
    let secure = platform.secure.ok_or("the platform announced no https")?;
    std::thread::sleep(effort.pick(Duration::from_secs(5), Duration::from_secs(1)));
    let idle = platform.process.memory();
    forget(&data)?;
    let asked = effort.pick(5_000, 500);
    let mut picked = Numbers(0x9e37_79b9_7f4a_7c15);
    let names: Vec<String> = (0..asked).map(|_| name(picked.below(count))).collect();
    let time = effort.pick(Duration::from_secs(25), Duration::from_secs(2));
    let cold = secure::one_by_one(secure, &names, "/", time)?;
    let warm = secure::one_by_one(secure, &names, "/", time)?;
    let loaded = platform.process.memory();
    let millions = |bytes: u64| bytes as f64 / 1e6;
    let (most_start, most_idle, most_cold) = match effort.quick {
        false => (Goal::AtMost(2.0), Goal::AtMost(400.0), Goal::AtMost(5_000.0)),
        true => (Goal::None, Goal::None, Goal::None),
    };
    let made = made.map(|took| Reading::once("made, once, in", took, "s", Goal::None));
    let readings = vec![
        Reading::once("names with a certificate each", count as f64, "", Goal::None),
        Reading::of(
            "from the start to the first handshake, nothing in the page cache",
            &starts,
            "s",
            most_start,
        ),
        Reading::once("memory while it idles", millions(idle.resident), "MB", most_idle),
        Reading::once("of it its own", millions(idle.anonymous), "MB", Goal::None),
        Reading::once(
            "first handshake of a name, from the disk: p50",
            cold.microseconds(0.5),
            "us",
            Goal::None,
        ),
        Reading::once("the same: p99", cold.microseconds(0.99), "us", most_cold),
        Reading::once("the same names again: p50", warm.microseconds(0.5), "us", Goal::None),
        Reading::once("the same: p99", warm.microseconds(0.99), "us", Goal::None),
        Reading::once("memory after all of them", millions(loaded.resident), "MB", Goal::None),
    ];
    Ok(made.into_iter().chain(readings).collect())
}

/// Numbers that look picked, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap_or_default()
    }
}

/// Has the kernel forget what it holds of the files of a data directory.
fn forget(data: &Path) -> Result<(), Error> {
    for file in ["registry.sqlite", "certificates.sqlite"] {
        let file = std::fs::File::open(data.join(file))?;
        file.sync_all()?;
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    }
    Ok(())
}

/// Makes the data directory, unless it is there; how many seconds that took.
fn make(data: &Path, count: usize) -> Result<Option<f64>, Error> {
    if data.join(MADE).exists() {
        return Ok(None);
    }
    if data.exists() {
        std::fs::remove_dir_all(data)?;
    }
    std::fs::create_dir_all(data)?;
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        hostnames(data, count).await?;
        certificates(data, count).await
    })?;
    std::fs::write(data.join(MADE), format!("{count}\n"))?;
    Ok(Some(begun.elapsed().as_secs_f64()))
}

/// One hostname as the API makes it and checks leave it.
async fn first(registry: &Registry) -> Result<Arc<CustomHostname>, Error> {
    let zone =
        registry.create_zone(NewZone { name: Domain::parse("saas.test")?, kind: ZoneType::Full }).await?;
    let record = DnsRecordEdit {
        kind: Some("AAAA".to_owned()),
        name: Some("service".to_owned()),
        content: Some("100::".to_owned()),
        proxied: Some(true),
        ..DnsRecordEdit::default()
    };
    registry.create_dns_record(&zone.id, &record).await?;
    let fallback = Some(Some(Domain::parse("service.saas.test")?));
    registry.update_zone(&zone.id, ZoneEdit { fallback_origin: fallback, ..ZoneEdit::default() }).await?;
    let ssl = SslEdit {
        method: Some(ValidationMethod::Http),
        kind: Some(CertificateType::Dv),
        ..SslEdit::default()
    };
    let edit = CustomHostnameEdit { ssl: Some(ssl), ..CustomHostnameEdit::default() };
    let new = NewCustomHostname { name: CustomName::parse(&name(0))?, edit };
    let made = registry.create_hostname(&zone.id, &new).await?;
    let changed = registry.change_hostname(&zone.id, &made.id, |before, now| {
        let mut after = before.clone();
        (after.status, after.led_here_at) = (HostnameStatus::Active, Some(now));
        if let Some(ssl) = &mut after.ssl {
            ssl.status = SslStatus::Active;
            ssl.certificates = vec![known(now)];
            ssl.renew_at = Some(now.later(FAR));
        }
        Ok(Some(after))
    });
    Ok(changed.await?)
}

/// What the record of a hostname says of its certificate.
fn known(now: Timestamp) -> HostnameCertificate {
    let id = serde_json::from_value(serde_json::json!("198d3c94-cd7b-46e6-9a49-d44dab59dfb6"));
    HostnameCertificate {
        id: id.unwrap_or_else(|error| unreachable!("{error}")),
        key: CertificateKey::Ecdsa,
        hosts: vec![name(0)],
        issuer: "Authority of the bench".to_owned(),
        serial_number: "1234567890123456789012345678901234567890".to_owned(),
        signature: "ECDSAWithSHA256".to_owned(),
        not_before: now,
        expires_on: now.later(FAR),
        fingerprint_sha256: "ab".repeat(32),
        uploaded_on: now,
    }
}

/// When the jobs of the hostnames are due: not while the bench runs, as few nodes check all their names at once.
const FAR: Duration = Duration::from_secs(20 * 365 * 86_400);

async fn hostnames(data: &Path, count: usize) -> Result<(), Error> {
    let store = Arc::new(SqliteStore::open(data)?);
    let shared: Arc<dyn Store> = Arc::clone(&store) as _;
    let registry =
        Registry::open_with(Arc::clone(&shared), Blobs::memory(), RegistryOptions::default()).await?;
    let template = first(&registry).await?;
    drop(registry);
    let all = store.scan("", None, 10_000).await?;
    let id = template.id.to_string();
    let own: Vec<&Entry> = all.iter().filter(|entry| is_of(entry, &id)).collect();
    let due: Vec<String> = own.iter().filter_map(|entry| due_of(&entry.key)).collect();
    let pack = template.ssl.as_ref().map(|ssl| ssl.id.as_str());
    let ids: Vec<&str> = [id.as_str(), &template.ownership_token].into_iter().chain(pack).collect();
    let now: Timestamp = template.created_at;
    for batch in (1..count).collect::<Vec<_>>().chunks(BATCH) {
        let mut writes = Vec::with_capacity(batch.len() * own.len());
        for number in batch {
            // Checks are spread over the four hours that lie between two of them.
            let spread = Duration::from_micros(14_400_000_000 / count as u64 * *number as u64);
            let later = now.later(FAR + spread).to_string();
            let renamed = |text: &str, is_job: bool| {
                let text = text.replace(&name(0), &name(*number));
                let text = ids.iter().fold(text, |text, id| text.replace(*id, &numbered(id, *number)));
                // When a hostname was made stays when it was made.
                let moved = due.iter().filter(|_| is_job);
                moved.fold(text, |text, due| text.replace(due, &later))
            };
            for entry in &own {
                let is_job = entry.key.starts_with("job");
                let value = renamed(std::str::from_utf8(&entry.value)?, is_job);
                writes.push(Write::put(renamed(&entry.key, is_job), value.into_bytes()));
            }
        }
        let first = writes.first().ok_or("the template has no record")?;
        let unseen = Precondition::as_read(first.key().to_owned(), None);
        store.append(&[unseen], &writes).await?;
    }
    let newest = store.revision().await?;
    store.compact(newest).await?;
    store.close().await;
    Ok(())
}

/// Whether an entry is one of a hostname's.
fn is_of(entry: &Entry, id: &str) -> bool {
    entry.key.contains(id) || std::str::from_utf8(&entry.value).is_ok_and(|value| value.contains(id))
}

/// The moment in the key of a job that is due.
fn due_of(key: &str) -> Option<String> {
    let (due, _) = key.strip_prefix("job-due/")?.split_once('/')?;
    Some(due.to_owned())
}

/// An id like another one, with a number at its end.
fn numbered(id: &str, number: usize) -> String {
    let kept = id.get(..id.len().saturating_sub(12)).unwrap_or_default();
    format!("{kept}{number:012x}")
}

async fn certificates(data: &Path, count: usize) -> Result<(), Error> {
    let store = CertificateStore::open(data)?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let above = KeyPair::generate()?;
    let authority = params.self_signed(&above)?.der().clone();
    let issuer = Issuer::new(params, above);
    // One key for all: what a record has of it is sealed for each name apart.
    let key = KeyPair::generate()?;
    for batch in (0..count).collect::<Vec<_>>().chunks(BATCH) {
        let served = batch.iter().map(|number| served(&name(*number), &key, &issuer, &authority));
        store.put(served.collect::<Result<_, _>>()?).await?;
    }
    Ok(())
}

fn served(
    name: &str,
    key: &KeyPair,
    issuer: &Issuer<'_, KeyPair>,
    authority: &CertificateDer<'static>,
) -> Result<Served, Error> {
    let leaf = CertificateParams::new([name.to_owned()])?.signed_by(key, issuer)?;
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let pair = Pair::new(vec![leaf.der().clone(), authority.clone()], private)?;
    let settings = Settings::default();
    Ok(Served { name: ServedName::parse(name)?, kind: Kind::Host, settings, pairs: vec![pair] })
}
