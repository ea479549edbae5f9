//! A body far larger than the memory that anybody may use for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::Method;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};

use super::{DISPATCHED, config};
use crate::support::{ClientBody, Server, body, eventually, request, within};

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

/// `count` chunks, and how many bytes of them have been taken.
fn counted(chunk: &Bytes, count: u64) -> (ClientBody, Arc<AtomicU64>) {
    let taken = Arc::new(AtomicU64::new(0));
    let chunks = futures::stream::iter((0..count).map({
        let (chunk, taken) = (chunk.clone(), Arc::clone(&taken));
        move |_| {
            taken.fetch_add(CHUNK as u64, Ordering::SeqCst);
            Ok(Frame::data(chunk.clone()))
        }
    }));
    (StreamBody::new(chunks).boxed_unsync(), taken)
}

/// Reads an echo to its end; every byte must be the one that was sent. Returns how many there were.
async fn read_echo(body: Incoming, chunk: &Bytes) -> u64 {
    let mut received = 0_u64;
    let mut frames = body.into_data_stream();
    while let Some(bytes) = within("the next bytes", frames.next()).await {
        let mut bytes = bytes.unwrap();
        while !bytes.is_empty() {
            let expected = &chunk[(received % CHUNK as u64) as usize..];
            let part = bytes.split_to(bytes.len().min(expected.len()));
            assert!(part == expected[..part.len()], "other bytes than were sent, after {received}");
            received += part.len() as u64;
        }
    }
    received
}

/// A server that has answered once, so that everything that is made once is there; and a chunk of bytes.
async fn warm() -> (Server, Bytes) {
    let server = Server::serving(&config()).await;
    server.send(request(Method::POST, DISPATCHED, "/").body(body("warm")).unwrap()).await;
    (server, Bytes::from((0..CHUNK).map(|at| (at % 251) as u8).collect::<Vec<_>>()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gibibyte_streams_through_dispatcher_and_script_in_constant_memory() {
    let (server, chunk) = warm().await;
    let before = server.resident_bytes();
    let (sent, _) = counted(&chunk, volume() / CHUNK as u64);
    let stop = AtomicBool::new(false);
    let receive = async {
        let request = request(Method::POST, DISPATCHED, "/").body(sent).unwrap();
        let response = server.connect().await.send(request).await;
        assert_eq!(response.status(), 200);
        let received = read_echo(response.into_body(), &chunk).await;
        stop.store(true, Ordering::SeqCst);
        received
    };
    let (received, most) = tokio::join!(receive, watch(&server, &stop));
    assert_eq!(received, volume());
    assert!(most < before + GROWTH, "{} MiB before, {} MiB at most", before / MIB, most / MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visitor_who_does_not_read_is_not_read_from_either() {
    let (server, chunk) = warm().await;
    let before = server.resident_bytes();
    let whole = 256 * MIB;
    let (sent, taken) = counted(&chunk, whole / CHUNK as u64);
    let request = request(Method::POST, DISPATCHED, "/").body(sent).unwrap();
    let response = server.connect().await.send(request).await;
    // Nothing is read of the answer: once the buffers in between are full, nothing more may be taken.
    let (mut last, mut still) = (0, 0);
    eventually("the body stands still", || {
        let now = taken.load(Ordering::SeqCst);
        still = if now == last { still + 1 } else { 0 };
        last = now;
        std::future::ready((still >= 100).then_some(()))
    })
    .await;
    assert!(last < whole / 2, "{} MiB were taken though nobody reads", last / MIB);
    let held = server.resident_bytes();
    assert!(held < before + GROWTH, "{} MiB before, {} MiB now", before / MIB, held / MIB);
    assert_eq!(read_echo(response.into_body(), &chunk).await, whole, "and it goes on when somebody does");
}
