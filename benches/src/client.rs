//! Single requests, each on a connection of its own: for the control plane, and where only one answer counts.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::Error;
use crate::wire;

/// One request to its end; the answer's status and body.
///
/// # Errors
/// When there is no answer.
pub fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<(u16, Vec<u8>), Error> {
    let mut stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
    stream.set_nodelay(true)?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let head = wire::head(&answer)?.ok_or_else(|| format!("{method} {path}: no answer"))?;
    Ok((head.status, wire::body(&answer)?))
}

/// The v4 API of a platform.
pub struct Api {
    /// Where it listens.
    pub address: SocketAddr,
    /// The admin token.
    pub token: String,
}

impl Api {
    /// A figure of `/metrics`, written as it is there; 0 where there is none of that name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn metric(&self, series: &str) -> Result<f64, Error> {
        let (_, text) = call(self.address, "GET", "/metrics", &[], b"")?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(value.map_or(Ok(0.0), str::parse)?)
    }

    /// Uploads a user script and returns when the platform has accepted it.
    ///
    /// # Errors
    /// When it does not.
    pub fn deploy(&self, namespace: &str, script: &str, component: &[u8]) -> Result<(), Error> {
        const BOUNDARY: &str = "a-line-that-no-component-holds";
        let mut form = Vec::with_capacity(component.len() + 1024);
        let part = |form: &mut Vec<u8>, head: &str, content: &[u8]| {
            form.extend_from_slice(
                format!("--{BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n").as_bytes(),
            );
            form.extend_from_slice(content);
            form.extend_from_slice(b"\r\n");
        };
        part(
            &mut form,
            "name=\"metadata\"\r\ncontent-type: application/json",
            br#"{"main_module":"worker.wasm"}"#,
        );
        let head = "name=\"worker.wasm\"; filename=\"worker.wasm\"\r\ncontent-type: application/wasm";
        part(&mut form, head, component);
        form.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        let path = format!("/client/v4/accounts/0/workers/dispatch/namespaces/{namespace}/scripts/{script}");
        let (token, form_type) =
            (format!("Bearer {}", self.token), format!("multipart/form-data; boundary={BOUNDARY}"));
        let headers = [("authorization", token.as_str()), ("content-type", form_type.as_str())];
        let (status, body) = call(self.address, "PUT", &path, &headers, &form)?;
        if status == 200 {
            return Ok(());
        }
        Err(format!("the upload was answered with {status}: {}", String::from_utf8_lossy(&body)).into())
    }
}
