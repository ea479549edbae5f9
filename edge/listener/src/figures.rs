//! What is counted of one listener. No label names a client.

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
        for reason in [Refused::Client, Refused::ProxyHeader, Refused::Frames] {
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
        self.refused.with_label_values(&[Refused::Frames.label()]).get()
    }
}

impl Refused {
    fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::ProxyHeader => "proxy_header",
            Self::Frames => "frames",
        }
    }
}
