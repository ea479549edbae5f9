//! A load generator: a fixed number of connections, each sending its next request when it has the answer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::peers::Error;

/// Loads a server for about `time` and returns what it answered in a second. Every answer must be a 200.
pub(crate) async fn requests_per_second(
    address: SocketAddr,
    host: &str,
    connections: usize,
    time: Duration,
) -> Result<f64, Error> {
    let begun = Instant::now();
    let until = begun + time;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        tasks.push(tokio::spawn(connection(address, host.to_owned(), until)));
    }
    let mut answered = 0_u64;
    for task in tasks {
        answered += task.await??;
    }
    Ok(answered as f64 / begun.elapsed().as_secs_f64())
}

async fn connection(address: SocketAddr, host: String, until: Instant) -> Result<u64, Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let mut answered = 0;
    while Instant::now() < until {
        let request = Request::get("/").header("host", &host).body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        if response.status() != 200 {
            return Err(format!("{address} answered {} for {host}", response.status()).into());
        }
        response.into_body().collect().await?;
        answered += 1;
    }
    drop(sender);
    driver.await??;
    Ok(answered)
}
