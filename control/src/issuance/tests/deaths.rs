//! The process ends in the middle of an order, at every call to the authority, before it was heard and after.

use super::*;

/// Goes on to the end as a new process would after each end of one. Returns how many calls there were.
async fn through(ends_at: Option<(u32, bool)>, remembers: bool) -> Platform {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.told(|told| (told.ends_at, told.remembers) = (ends_at, remembers));
    for _ in 0..100 {
        if is_done(&platform.ssl().await) {
            return platform;
        }
        tokio::select! {
            biased;
            () = platform.ca.ends.notified() => {}
            _ = platform.step() => {}
        }
    }
    panic!("{:?}", platform.ssl().await);
}

#[tokio::test]
async fn whatever_step_a_process_ends_in_the_next_one_goes_on_with_the_same_order() {
    let calls = through(None, false).await.told(|told| told.calls);
    assert!(calls >= 10, "{calls}");
    for call in 1..=calls {
        for is_done in [false, true] {
            for remembers in [false, true] {
                let platform = through(Some((call, is_done)), remembers).await;
                let (orders, shows) = platform.told(|told| (told.orders, told.shows));
                let ordered_unheard = is_done && !remembers && [1, order_of_rsa()].contains(&call);
                // What was made in the very moment of the end is known to an authority that remembers; others forget it.
                assert_eq!(orders, 2 + u32::from(ordered_unheard), "{call} {is_done} {remembers}");
                assert!(shows <= 2, "{call} {is_done}: {shows}");
                let ssl = platform.ssl().await;
                assert_eq!((ssl.status, ssl.validation_errors.len()), (SslStatus::Active, 0));
                let label = key_label(&ssl.id, CertificateKey::Ecdsa);
                assert!(platform.ca.store.secret(&label).await.unwrap().is_none(), "no key is left behind");
            }
        }
    }
}

/// Which call orders the second certificate: order, look twice, show, look, finish, look, certificate come before.
fn order_of_rsa() -> u32 {
    9
}
