//! A body far larger than the memory that anybody may use for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{DISPATCHED, config};
use crate::support::{Server, request, within};

const MIB: u64 = 1 << 20;
const CHUNK: usize = 64 << 10;
/// How much more memory the server may hold during the transfer than after the first requests. The script's own
/// memory, buffers of sockets, and what the allocator keeps fit in many times.
const GROWTH: u64 = 32 * MIB;

/// Asks for another volume, in MiB: a shorter run while working on something else.
const VOLUME: &str = "WASMYARD_TEST_STREAM_MIB";

fn volume() -> u64 {
    std::env::var(VOLUME).map_or(1024, |text| text.parse().unwrap_or_else(|_| panic!("{VOLUME}={text:?}")))
        * MIB
}

/// Looks at the server's memory until told to stop; returns the most that was seen.
async fn watch(server: &Server, stop: &AtomicBool) -> u64 {
    let mut most = 0;
    while !stop.load(Ordering::SeqCst) {
        most = most.max(server.resident_bytes());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_streams_through_dispatcher_and_script_in_constant_memory() {
    let server = Server::serving(&config()).await;
    // Once before, so that everything that is made once is there.
    server.send(request(Method::POST, DISPATCHED, "/").body(crate::support::body("warm")).unwrap()).await;
    let before = server.resident_bytes();

    let chunk = Bytes::from((0..CHUNK).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    let chunks = volume() / CHUNK as u64;
    let sent = futures::stream::iter((0..chunks).map({
        let chunk = chunk.clone();
        move |_| Ok::<_, std::io::Error>(Frame::data(chunk.clone()))
    }));
    let body = BodyExt::boxed_unsync(StreamBody::new(sent));
    let stop = Arc::new(AtomicBool::new(false));
    let receive = async {
        let response =
            server.connect().await.send(request(Method::POST, DISPATCHED, "/").body(body).unwrap()).await;
        assert_eq!(response.status(), 200);
        let mut received = 0_u64;
        let mut frames = response.into_body().into_data_stream();
        while let Some(bytes) = within("the next bytes", frames.next()).await {
            let mut bytes = bytes.unwrap();
            while !bytes.is_empty() {
                let expected = &chunk[(received % CHUNK as u64) as usize..];
                let part = bytes.split_to(bytes.len().min(expected.len()));
                assert!(part == expected[..part.len()], "other bytes than were sent, after {received}");
                received += part.len() as u64;
            }
        }
        stop.store(true, Ordering::SeqCst);
        received
    };
    let (received, most) = tokio::join!(receive, watch(&server, &stop));
    assert_eq!(received, volume());
    assert!(most < before + GROWTH, "{} MiB before, {} MiB at most", before / MIB, most / MIB);
}
