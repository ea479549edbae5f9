//! Opening the ports of a node, with what helps where one cannot be opened.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::error::StartError;

/// Opens a port; `name` is the key that says where.
pub(crate) fn bind(address: SocketAddr, name: &str) -> Result<TcpListener, StartError> {
    wasmyard_listener::bind(address).map_err(|error| {
        let option = match name {
            "listen" | "api_listen" => format!("with --{}", name.replace('_', "-")),
            _ => format!("with `{name}` under [server]"),
        };
        StartError::with_remedy(
            format!("cannot listen on {address} ({name}): {error}"),
            format!("choose another address {option}, or port 0 for any that is free"),
        )
    })
}
