//! When the next certificates are asked for, and what is said of those that ran out.

use super::*;

#[tokio::test]
async fn an_authority_that_says_when_to_renew_is_believed_also_when_it_changes_its_mind() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let issued = platform.control.now();
    let by_life = platform.ssl().await.renew_at.unwrap();
    assert!(by_life.since(issued) > 50 * DAY);
    let (from, until) = (issued.later(40 * DAY), issued.later(42 * DAY));
    platform.told(|told| told.window = Some((from, until)));
    platform.step().await;
    let renew_at = platform.ssl().await.renew_at.unwrap();
    assert!(renew_at >= from && renew_at <= until, "{renew_at}");
    let orders = platform.told(|told| told.orders);
    while platform.control.now() < issued.later(10 * DAY) {
        platform.step().await;
    }
    assert_eq!(platform.told(|told| told.orders), orders, "not yet");
    let asked = platform.told(|told| told.asked);
    assert!(asked > 20 && asked < 120, "a few times a day, of two certificates: {asked}");
    // It has to revoke many, and says so.
    let now = platform.control.now();
    platform.told(|told| told.window = Some((now, now)));
    while platform.told(|told| told.orders) == orders {
        platform.step().await;
    }
    assert!(platform.control.now().since(now) <= DAY, "within the day");
    let later = platform.control.now();
    platform.told(|told| told.window = Some((later.later(60 * DAY), later.later(61 * DAY))));
    platform.until(is_done).await;
    // Certificates know whole seconds.
    platform.until(|ssl| ssl.certificates.iter().all(|one| one.not_before > issued)).await;
    assert_eq!(
        platform.told(|told| told.replaced.clone()),
        [false, false, true, true],
        "and which is replaced"
    );
}

#[tokio::test]
async fn a_certificate_whose_second_key_nobody_shows_a_text_for_is_renewed_alone() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.told(|told| told.hides_second = true);
    platform.until(|ssl| ssl.certificates.len() == 1 && ssl.issuing.is_none()).await;
    let end = platform.control.now().later(365 * DAY);
    while platform.control.now() < end {
        platform.step().await.expect("there is always a next one");
        let ssl = platform.ssl().await;
        assert_eq!((ssl.status, ssl.certificates.len()), (SslStatus::Active, 1));
        assert!(ssl.certificates[0].expires_on > platform.control.now());
    }
    assert!(platform.told(|told| told.orders) >= 2 * 6);
}

#[tokio::test]
async fn an_authority_that_does_not_say_when_to_renew_or_is_down_changes_nothing() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let renew_at = platform.ssl().await.renew_at.unwrap();
    let until = renew_at.later(2 * DAY);
    platform.told(|told| told.down_until = Some(until));
    while platform.control.now() < until {
        platform.step().await.unwrap();
        assert_eq!(platform.ssl().await.status, SslStatus::Active);
    }
    platform.until(|ssl| is_done(ssl) && ssl.certificates[0].not_before >= renew_at).await;
    assert_eq!(platform.told(|told| told.replaced.clone()), [false; 4]);
}

#[tokio::test]
async fn what_could_not_be_renewed_in_time_is_said_to_have_expired_and_is_active_again_with_the_next() {
    let platform = platform(6 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(is_done).await;
    let until = platform.control.now().later(8 * DAY);
    platform.told(|told| told.down_until = Some(until));
    platform.until(|ssl| ssl.status == SslStatus::Expired).await;
    let ssl = platform.ssl().await;
    let now = platform.control.now();
    assert!(now >= ssl.certificates[0].expires_on && now < until);
    platform.until(|ssl| is_done(ssl) && ssl.status == SslStatus::Active).await;
    assert!(platform.ssl().await.certificates[0].expires_on > until);
}

#[tokio::test]
async fn what_nobody_could_order_for_a_week_never_began() {
    let platform = platform(90 * DAY).await;
    let until = platform.control.now().later(30 * DAY);
    platform.told(|told| told.down_until = Some(until));
    assert_eq!(platform.ssl().await.status, SslStatus::Initializing);
    platform.until(|ssl| ssl.status == SslStatus::InitializingTimedOut).await;
    assert_eq!(platform.step().await, None, "until somebody asks again");
    assert_eq!(platform.told(|told| told.orders), 0);
}

#[tokio::test]
async fn whom_nobody_chose_is_another_one_where_the_first_is_down_and_both_are_asked_seldom() {
    let (first, second) = (CertificateAuthority::LetsEncrypt, CertificateAuthority::Google);
    let other = Arc::new(Mutex::new(None));
    let made = Arc::clone(&other);
    let platform = platform_with(90 * DAY, move |_, ca| {
        let (pack, ends) = Default::default();
        let other = Ca {
            told: Mutex::default(),
            clock: ca.clock.clone(),
            store: Arc::clone(&ca.store),
            life: ca.life,
            pack,
            ends,
        };
        let other = Arc::new(other);
        *made.lock().unwrap() = Some(Arc::clone(&other));
        Issuers::new(vec![(first, Arc::clone(ca) as Arc<dyn Authorities>), (second, other as _)])
    })
    .await;
    let other = other.lock().unwrap().clone().unwrap();
    other.pack.lock().unwrap().clone_from(&*platform.ca.pack.lock().unwrap());
    *platform.names.0.lock().unwrap() = true;
    let began = platform.control.now();
    platform.told(|told| told.down_until = Some(began.later(30 * DAY)));
    other.told.lock().unwrap().down_until = Some(began.later(DAY));
    platform.until(is_done).await;
    let calls = platform.told(|told| told.calls) + other.told.lock().unwrap().calls;
    assert!(calls < 120, "a day of two that are down: {calls}");
    assert_eq!((platform.told(|told| told.orders), other.told.lock().unwrap().orders), (0, 2));
    assert_eq!(platform.ssl().await.issued_by, Some(second));
}
