//! What is counted of one listener. No label names a client.

use std::io;

use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};

/// The figures of one listener, which all its connections share.
#[derive(Debug, Clone)]
pub struct Figures {
    pub(crate) open: IntGauge,
    pub(crate) accepted: IntCounter,
    refused: IntCounterVec,
    pub(crate) unsent: IntGauge,
}

/// Why a connection was closed before it was served.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// Its client has as many as it may have.
    Client,
    /// What it began with is no header of the PROXY protocol.
    ProxyHeader,
    /// It went on sending frames that ask for nothing.
    Frames,
    /// There are as many connections as there may be, and what comes by UDP cannot wait for its turn.
    Full,
}

impl Figures {
    /// Makes the figures of a listener at zero: `prefix` is what their names begin with, `whose` who connects to it.
    ///
    /// # Errors
    ///
    /// When the registry has a figure of one of these names.
    pub fn new(registry: &Registry, prefix: &str, whose: &str) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: String| {
            let gauge = IntGauge::new(format!("{prefix}_{name}"), help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let accepted = IntCounter::new(
            format!("{prefix}_connections_total"),
            format!("Connections accepted on the listener of {whose}."),
        )?;
        registry.register(Box::new(accepted.clone()))?;
        let refused = IntCounterVec::new(
            Opts::new(
                format!("{prefix}_connections_refused_total"),
                format!("Connections of {whose} that were closed by a bound, by which."),
            ),
            &["reason"],
        )?;
        registry.register(Box::new(refused.clone()))?;
        for reason in [Refused::Client, Refused::ProxyHeader, Refused::Frames, Refused::Full] {
            refused.with_label_values(&[reason.label()]);
        }
        Ok(Self {
            open: gauge("connections", format!("Open connections of {whose}."))?,
            accepted,
            refused,
            unsent: gauge(
                "unsent_bytes",
                format!(
                    "Bytes of answers to {whose} that were handed to connections and not yet taken by sockets."
                ),
            )?,
        })
    }

    pub(crate) fn refused(&self, reason: Refused) {
        self.refused.with_label_values(&[reason.label()]).inc();
    }

    #[cfg(test)]
    pub(crate) fn refused_for_frames(&self) -> u64 {
        self.count(Refused::Frames)
    }

    #[cfg(test)]
    pub(crate) fn count(&self, reason: Refused) -> u64 {
        self.refused.with_label_values(&[reason.label()]).get()
    }
}

impl Refused {
    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ProxyHeader => "proxy_header",
            Self::Frames => "frames",
            Self::Full => "full",
        }
    }
}

/// What is counted of the handshakes of one listener.
#[derive(Debug, Clone)]
pub struct TlsFigures {
    handshakes: IntCounterVec,
}

/// What came of a handshake.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Handshaken {
    /// A new session.
    Full,
    /// One of before was taken up again.
    Resumed,
    /// A session of HTTP/3, new or taken up again: QUIC does not say which.
    Http3,
    /// A client by UDP was asked to show that its address is its own, before anything was done for it.
    Retry,
    /// An authority was shown that a name is ours.
    Validation,
    /// The client named no host.
    NoName,
    /// The client named a host that is not served.
    UnknownName,
    /// The certificate could not be had.
    Unavailable,
    /// The client showed no certificate where one is required, or one that is not accepted.
    ClientCertificate,
    /// What the client said is not TLS, or nothing that we agree to.
    Refused,
    /// The client went, or let the time for it pass.
    Abandoned,
}

impl TlsFigures {
    /// Makes the figures of a listener at zero, with names as [`Figures::new`] has them.
    ///
    /// # Errors
    ///
    /// When the registry has a figure of one of these names.
    pub fn new(registry: &Registry, prefix: &str, whose: &str) -> Result<Self, prometheus::Error> {
        let handshakes = IntCounterVec::new(
            Opts::new(
                format!("{prefix}_tls_handshakes_total"),
                format!("Handshakes of TLS with {whose}, by what came of them."),
            ),
            &["result"],
        )?;
        registry.register(Box::new(handshakes.clone()))?;
        for result in Handshaken::ALL {
            handshakes.with_label_values(&[result.label()]);
        }
        Ok(Self { handshakes })
    }

    /// Counts a handshake when it is over, however that came.
    pub(crate) fn begun(&self) -> Handshaking {
        Handshaking { figures: self.clone(), result: Handshaken::Abandoned }
    }

    #[cfg(test)]
    pub(crate) fn count(&self, result: Handshaken) -> u64 {
        self.handshakes.with_label_values(&[result.label()]).get()
    }
}

/// A handshake under way.
pub(crate) struct Handshaking {
    figures: TlsFigures,
    result: Handshaken,
}

impl Handshaking {
    pub(crate) fn is(&mut self, result: Handshaken) {
        self.result = result;
    }

    /// Takes note of an error: one of the socket, or one of what was said.
    pub(crate) fn failed(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::InvalidData {
            return;
        }
        self.result = match error.get_ref().and_then(|error| error.downcast_ref()) {
            Some(rustls::Error::NoCertificatesPresented | rustls::Error::InvalidCertificate(_)) => {
                Handshaken::ClientCertificate
            }
            _ => Handshaken::Refused,
        };
    }
}

impl Drop for Handshaking {
    fn drop(&mut self) {
        self.figures.handshakes.with_label_values(&[self.result.label()]).inc();
    }
}

impl Handshaken {
    const ALL: [Self; 11] = [
        Self::Full,
        Self::Resumed,
        Self::Http3,
        Self::Retry,
        Self::Validation,
        Self::NoName,
        Self::UnknownName,
        Self::Unavailable,
        Self::ClientCertificate,
        Self::Refused,
        Self::Abandoned,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::Http3 => "http3",
            Self::Retry => "retry",
            Self::Validation => "validation",
            Self::NoName => "no_name",
            Self::UnknownName => "unknown_name",
            Self::Unavailable => "unavailable",
            Self::ClientCertificate => "client_certificate",
            Self::Refused => "refused",
            Self::Abandoned => "abandoned",
        }
    }
}
