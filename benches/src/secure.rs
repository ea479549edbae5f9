//! A client of TLS that loads a server: connections that are made, asked one thing and closed, and connections that are
//! kept. It believes every certificate: what it connects to was started by the bench itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::stats::Latencies;
use crate::{Error, wire};

/// The most bytes of an answer that is looked at.
const LARGEST_ANSWER: usize = 16 << 10;

/// Whom to connect to, by which name, and what to ask there.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The server.
    pub address: SocketAddr,
    /// The name in the hello and in `Host`.
    pub name: String,
    /// The path.
    pub path: &'static str,
}

/// Whether a connection may go on with what one before it agreed upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Each handshake is a whole one.
    New,
    /// Tickets are kept and used.
    Resumed,
}

/// What connections came to.
#[derive(Debug, Default)]
pub struct Made {
    /// Those that were made, asked and answered.
    pub connections: u64,
    /// Those of them that went on with an earlier session.
    pub resumed: u64,
    /// From the first packet to the end of the handshake.
    pub handshakes: Latencies,
}

/// How a client of this bench is set up: TLS 1.3, AES-128, X25519, so that all servers do the same work.
///
/// # Errors
/// When the provider lacks one of them.
pub fn config(sessions: Sessions) -> Result<Arc<ClientConfig>, Error> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
    let builder = ClientConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13])?;
    let mut config =
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody)).with_no_client_auth();
    config.resumption = match sessions {
        Sessions::New => Resumption::disabled(),
        Sessions::Resumed => Resumption::in_memory_sessions(4_096),
    };
    Ok(Arc::new(config))
}

/// One connection after the other over each of `at_once` lines, for `time`: connect, handshake, ask, answer, reset.
///
/// # Errors
/// When one of them fails, or is answered with another status than 200.
pub fn connections(
    target: &Endpoint,
    sessions: Sessions,
    at_once: usize,
    time: Duration,
) -> Result<Made, Error> {
    let connector = TlsConnector::from(config(sessions)?);
    runtime()?.block_on(async {
        let until = Instant::now() + time;
        let mut lines = JoinSet::new();
        for _ in 0..at_once {
            let (target, connector) = (target.clone(), connector.clone());
            lines.spawn(async move {
                let mut made = (0_u64, 0_u64, Vec::new());
                while Instant::now() < until {
                    let (mut stream, took) = open(&connector, &target).await?;
                    made.2.push(took);
                    ask(&mut stream, &target).await?;
                    let kind = stream.get_ref().1.handshake_kind();
                    made.0 += 1;
                    made.1 += u64::from(kind == Some(HandshakeKind::Resumed));
                    reset(&stream)?;
                }
                Ok::<_, Error>(made)
            });
        }
        let (mut all, mut times) = (Made::default(), Vec::new());
        while let Some(line) = lines.join_next().await {
            let (connections, resumed, handshakes) = line??;
            all.connections += connections;
            all.resumed += resumed;
            times.extend(handshakes);
        }
        all.handshakes = Latencies::of(times);
        Ok(all)
    })
}

/// A closed loop over connections that are kept. Returns what was answered in a second.
///
/// # Errors
/// When a connection breaks, or is answered with another status than 200.
pub fn kept(target: &Endpoint, encrypted: bool, connections: usize, time: Duration) -> Result<f64, Error> {
    let connector = TlsConnector::from(config(Sessions::New)?);
    runtime()?.block_on(async {
        let begun = Instant::now();
        let until = begun + time;
        let mut lines = JoinSet::new();
        for _ in 0..connections {
            let (target, connector) = (target.clone(), connector.clone());
            lines.spawn(async move {
                if encrypted {
                    let (stream, _) = open(&connector, &target).await?;
                    again(stream, &target, until).await
                } else {
                    again(connect(target.address).await?, &target, until).await
                }
            });
        }
        let mut answered = 0_u64;
        while let Some(line) = lines.join_next().await {
            answered += line??;
        }
        Ok(answered as f64 / begun.elapsed().as_secs_f64())
    })
}

/// Handshakes with names in turn, one at a time, spread evenly over `time`.
///
/// # Errors
/// When one of them fails.
pub fn one_by_one(
    address: SocketAddr,
    names: &[String],
    path: &'static str,
    time: Duration,
) -> Result<Latencies, Error> {
    let connector = TlsConnector::from(config(Sessions::New)?);
    let pause = time / u32::try_from(names.len()).unwrap_or(u32::MAX).max(1);
    runtime()?.block_on(async {
        let begun = Instant::now();
        let mut times = Vec::with_capacity(names.len());
        for (number, name) in (0_u32..).zip(names) {
            tokio::time::sleep_until((begun + pause * number).into()).await;
            let target = Endpoint { address, name: name.clone(), path };
            let (stream, took) = open(&connector, &target).await?;
            times.push(took);
            reset(&stream)?;
        }
        Ok(Latencies::of(times))
    })
}

/// Connects, asks once and is answered.
///
/// # Errors
/// When that fails, or the answer has another status than 200.
pub fn answered(target: &Endpoint) -> Result<(), Error> {
    let connector = TlsConnector::from(config(Sessions::New)?);
    runtime()?.block_on(async {
        let (mut stream, _) = open(&connector, target).await?;
        ask(&mut stream, target).await?;
        reset(&stream)
    })
}

/// A client on one thread: the load has one processor.
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Connects, and says how many nanoseconds that took.
async fn open(connector: &TlsConnector, target: &Endpoint) -> Result<(TlsStream<TcpStream>, u64), Error> {
    let begun = Instant::now();
    let stream = connect(target.address).await?;
    let name = ServerName::try_from(target.name.clone())?;
    let stream =
        connector.connect(name, stream).await.map_err(|error| format!("{}: {error}", target.name))?;
    Ok((stream, begun.elapsed().as_nanos() as u64))
}

/// A client that waited for more to send would wait for an acknowledgement that is late: forty milliseconds a request.
#[expect(clippy::disallowed_methods, reason = "a visitor's socket, not a guest's")]
async fn connect(address: SocketAddr) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn again<S>(mut stream: S, target: &Endpoint, until: Instant) -> Result<u64, Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut answered = 0;
    while Instant::now() < until {
        ask(&mut stream, target).await?;
        answered += 1;
    }
    Ok(answered)
}

/// One request and the whole of its answer.
async fn ask<S>(stream: &mut S, target: &Endpoint) -> Result<(), Error>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    stream.write_all(&wire::get(&target.name, target.path)).await?;
    stream.flush().await?;
    let mut bytes = Vec::with_capacity(1_024);
    loop {
        if let Some(answer) = wire::answer(&bytes)? {
            if answer.status != 200 {
                return Err(format!("{} answered {}", target.name, answer.status).into());
            }
            return Ok(());
        }
        if bytes.len() > LARGEST_ANSWER || stream.read_buf(&mut bytes).await? == 0 {
            return Err(format!("{} answered nothing that ends", target.name).into());
        }
    }
}

/// Has the connection end at once: ports in `TIME_WAIT` would run out.
fn reset(stream: &TlsStream<TcpStream>) -> Result<(), Error> {
    rustix::net::sockopt::set_socket_linger(stream.get_ref().0, Some(Duration::ZERO))?;
    Ok(())
}

#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256]
    }
}
