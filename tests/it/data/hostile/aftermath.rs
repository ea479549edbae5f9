//! What is left when a thousand attacks are over: nothing that grows with their number.

use super::rows::{GUEST, WRITTEN};
use super::{attacked, idle, server};

/// Attacks in all; each kind comes round many times.
const RUNS: usize = 1_000;
/// Attacks at the same time.
const AT_ONCE: usize = 8;
/// What a thousand attacks may leave: warm slots of the pool keep up to 4 MiB of pages that were written, for as
/// many instances as ever ran at once (8, and the callees of a fan-out), and allocators keep some of what they
/// had. What grew with the runs would be far more: one leaked store of `/grow` alone holds 32 MiB, and a
/// thousand stores of the smallest kind hold 64 MiB.
const KEPT: u64 = 160 << 20;

#[tokio::test]
async fn memory_and_descriptors_come_back_after_a_thousand_attacks() {
    let server = server().await;
    // Those that wait for the clock would make this long, and hold nothing that others do not.
    let mix: Vec<(String, &str)> = GUEST
        .iter()
        .filter(|attack| {
            !["/never", "/pending", "/clock-storm", "/log-storm", "/log-flood"].contains(&attack.path)
        })
        .map(|attack| (attack.host.to_owned(), attack.path))
        .chain(
            WRITTEN
                .iter()
                .filter(|row| row.limits.is_empty() || row.limits.starts_with("memory"))
                .map(|row| (format!("{}.test", row.script), "/")),
        )
        .collect();
    let run = async |runs: usize| {
        let mut left = mix.iter().cycle().take(runs);
        loop {
            let wave: Vec<_> =
                left.by_ref().take(AT_ONCE).map(|(host, path)| attacked(&server, host, path)).collect();
            if wave.is_empty() {
                break;
            }
            for attack in wave {
                let answer = attack.await.unwrap();
                assert!([200, 500, 503, 508].contains(&answer.status), "{answer:?}");
            }
        }
        idle(&server).await;
    };
    // Once round: everything is loaded, and slots are warm.
    run(mix.len()).await;
    let (memory, files) = (server.resident_bytes(), server.open_files());
    run(RUNS).await;
    let kept = server.resident_bytes().saturating_sub(memory);
    assert!(kept < KEPT, "{kept} bytes are kept after {RUNS} attacks");
    // Connections of visitors close a moment after they were left.
    crate::support::eventually("open files are as before", async || {
        (server.open_files() <= files + 16).then_some(())
    })
    .await;
    assert_eq!(server.get("neighbour.test", "/").await.status, 200);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
