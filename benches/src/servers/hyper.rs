//! The floor: hyper answering with a constant, on one processor. What it costs, everybody pays.

use std::process::Stdio;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Error;
use crate::load::{Aim, GREETING};
use crate::process::{Place, Process};

/// The argument by which the bench's own binary becomes this server, on a runtime of one thread.
pub const ONE_THREAD: &str = "serve-hyper";
/// The same on a runtime as the platform's.
pub const MANY_THREADS: &str = "serve-hyper-threads";

/// Starts it.
///
/// # Errors
/// When it does not start.
pub fn start(argument: &str) -> Result<(Process, Aim), Error> {
    let mut process = Process::start("hyper", &std::env::current_exe()?, Place::ServerCpu, |command| {
        command.arg(argument).stdout(Stdio::piped());
    })?;
    let [address] = process.announced([""])?;
    Ok((process, Aim::at(address, "one.localhost")))
}

/// Is it, and says where.
///
/// # Errors
/// When the port fails.
pub async fn serve() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    answer(listener).await
}

/// Is it, on a port that is open.
///
/// # Errors
/// When the port fails.
pub async fn answer(listener: TcpListener) -> Result<(), Error> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service_fn(|_| async {
            let body = Full::new(Bytes::from_static(GREETING.as_bytes()));
            Ok::<_, std::convert::Infallible>(Response::new(body))
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
