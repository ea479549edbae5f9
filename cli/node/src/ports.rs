//! Opening the ports of a node, with what helps where one cannot be opened.

use std::net::{SocketAddr, UdpSocket};

use tokio::net::TcpListener;

use crate::error::StartError;

/// Opens a port; `name` is the key that says where.
pub(crate) fn bind(address: SocketAddr, name: &str) -> Result<TcpListener, StartError> {
    wasmyard_listener::bind(address).map_err(|error| {
        let option = match name {
            "listen" | "api_listen" => format!("with --{}", name.replace('_', "-")),
            "s3_listen" => "with `s3_listen` under [r2]".to_owned(),
            _ => format!("with `{name}` under [server]"),
        };
        StartError::with_remedy(
            format!("cannot listen on {address} ({name}): {error}"),
            format!("choose another address {option}, or port 0 for any that is free"),
        )
    })
}

/// How often both ports are tried where the system chooses, and the one that it chose for TCP is taken for UDP.
const TRIES: usize = 16;

/// Opens a port for visitors over TLS, and the same for HTTP/3 if that is wanted.
pub(crate) fn bind_both(
    address: SocketAddr,
    http3: bool,
) -> Result<(TcpListener, Option<UdpSocket>), StartError> {
    let mut tries = 0;
    loop {
        let listener = bind(address, "listen_tls")?;
        if !http3 {
            return Ok((listener, None));
        }
        match listener.local_addr().and_then(wasmyard_listener::bind_udp) {
            Ok(socket) => return Ok((listener, Some(socket))),
            Err(_) if address.port() == 0 && tries < TRIES => tries += 1,
            Err(error) => {
                return Err(StartError::with_remedy(
                    format!("cannot listen on {address} by UDP (listen_tls, for HTTP/3): {error}"),
                    "free that port, or serve without HTTP/3: `http3 = false` under [server]",
                ));
            }
        }
    }
}
