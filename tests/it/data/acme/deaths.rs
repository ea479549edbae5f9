//! The process is killed at each request of an order, before the authority got it and before its answer was heard: the next one
//! goes on with the same order. What is asked for in turn: the order (1), what is wanted of it (2), that the authority looks (3),
//! how far it is (4), the certificate (5), its text (6); then all of it once more for the second key.

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::proxy::Stop;
use super::{Platform, Setup, has_both, hostname, zone_named};
use crate::support::{eventually, within};

/// How many are killed at once.
const AT_ONCE: usize = 6;

async fn dies(stop: Stop) {
    let platform = Platform::start(Setup { stop: Some(stop), ..Setup::default() }).await;
    let server = platform.serve().await;
    let api = server.api();
    let zone = zone_named(&api, "saas.test").await;
    platform.leads_here("shop.customer.test");
    let path = hostname(&api, &zone, "shop.customer.test", json!({"method": "http", "type": "dv"})).await;
    let stopped = std::sync::Arc::clone(&platform.said.lock().unwrap().stopped);
    within(&format!("{stop:?}"), stopped.notified()).await;
    server.kill().await;
    let server = platform.serve().await;
    let api = server.api();
    let goes_on = |shown: &Value| has_both(&shown["ssl"]) || !shown["ssl"]["validation_checks"].is_null();
    let taken_over = "a job that was begun elsewhere and not finished is taken over";
    eventually("the step is taken over", async || server.log().contains(taken_over).then_some(())).await;
    let shown = eventually(&format!("both certificates: {stop:?}"), async || {
        let shown = api.get(&path).await.result().clone();
        assert!(goes_on(&shown) || shown["ssl"]["status"] != "active", "{stop:?}: {shown}");
        has_both(&shown["ssl"]).then_some(shown)
    })
    .await;
    assert_eq!(shown["ssl"]["status"], "active", "{stop:?}");
    platform.is_served(&server, "shop.customer.test").await;
    let said = platform.said.lock().unwrap();
    // Whose address was in the very answer that nobody heard is not known to anybody here.
    let unheard = usize::from(stop.is_done && stop.path == "order-plz");
    // And it may have looked for what a dead process does not show.
    let failed = said.failed.len();
    assert!(failed <= usize::from(stop.is_done && stop.path == "chalZ"), "{stop:?}: {:?}", said.failed);
    assert_eq!((said.orders, said.finished), (2 + unheard + failed, 2), "{stop:?}: {shown}");
}

async fn each(steps: [(&'static str, usize); 6]) {
    let stops = steps
        .into_iter()
        .flat_map(|(path, after)| [false, true].map(|is_done| Stop { path, after, is_done }));
    futures::stream::iter(stops).map(dies).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn whatever_step_of_its_first_order_a_killed_process_was_in_the_next_one_goes_on_with_that() {
    each([
        ("order-plz", 0),
        ("authZ", 0),
        ("chalZ", 0),
        ("my-order", 0),
        ("finalize-order", 0),
        ("certZ", 0),
    ])
    .await;
}

#[tokio::test]
async fn whatever_step_of_its_second_order_a_killed_process_was_in_the_next_one_goes_on_with_that() {
    each([
        ("order-plz", 1),
        ("authZ", 4),
        ("chalZ", 1),
        ("my-order", 6),
        ("finalize-order", 1),
        ("certZ", 1),
    ])
    .await;
}
