//! How often an authority is sent an order, and how often a zone may ask.

use wasmyard_namespaces::registry::OrderPace;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

fn ssl() -> SslEdit {
    SslEdit { method: Some(ValidationMethod::Txt), kind: Some(CertificateType::Dv), ..SslEdit::default() }
}

fn named(name: &str) -> NewCustomHostname {
    let edit = CustomHostnameEdit { ssl: Some(ssl()), ..CustomHostnameEdit::default() };
    NewCustomHostname { name: CustomName::parse(name).unwrap(), edit }
}

#[tokio::test]
async fn orders_have_turns_an_hours_worth_at_once_and_then_evenly() {
    let platform = platform(90 * DAY).await;
    let registry = platform.control.registry().clone();
    let pace = OrderPace { all: 60, per_zone: 30 };
    let authority = CertificateAuthority::LetsEncrypt;
    let now = platform.control.now();
    let mut turns = Vec::new();
    for _ in 0..200 {
        turns.push(registry.order_turn(authority, pace).await.unwrap().since(now).as_secs());
    }
    assert!(turns[..60].iter().all(|at| *at == 0), "{turns:?}");
    assert_eq!(turns[60..64], [60, 120, 180, 240]);
    assert_eq!(turns[199], 140 * 60);
    let busiest = (0..3).map(|hour| turns.iter().filter(|at| **at / 3_600 == hour).count()).max().unwrap();
    assert!(busiest <= 120, "an hour's worth is had at once, and the next within the hour: {busiest}");
    platform.hand.advance(10 * HOUR);
    let now = platform.control.now();
    assert_eq!(
        registry.order_turn(authority, pace).await.unwrap(),
        now,
        "what was not taken is not saved up"
    );
    for _ in 0..30 {
        assert_eq!(registry.zone_turn(authority, &platform.zone, pace).await.unwrap(), now);
    }
    let next = registry.next_turn(authority, &platform.zone, pace).await.unwrap();
    assert_eq!(next.since(now).as_secs(), 120, "shown, and not taken");
    assert_eq!(registry.zone_turn(authority, &platform.zone, pace).await.unwrap(), next);
}

#[tokio::test]
async fn an_order_waits_for_its_turn_and_says_when_that_is_and_renewals_that_were_wished_for_do_not() {
    let authority = CertificateAuthority::LetsEncrypt;
    let platform = platform_with(90 * DAY, |issuers, _| issuers.with_orders_per_hour(authority, 2)).await;
    *platform.names.0.lock().unwrap() = true;
    let began = platform.control.now();
    let pace = OrderPace { all: 2, per_zone: 1 };
    platform.control.registry().zone_turn(authority, &platform.zone, pace).await.unwrap();
    let left = platform.control.orders_left(&platform.zone).await.unwrap();
    assert_eq!((left[0].authority, left[0].pace, left[0].next_at.since(began)), (authority, pace, HOUR));
    platform.control.issue(&platform.zone, &platform.id, &platform.lookout).await.unwrap();
    let wait = platform.control.issue(&platform.zone, &platform.id, &platform.lookout).await.unwrap();
    assert_eq!(wait, Some(HOUR));
    let waiting = platform.ssl().await;
    assert_eq!(waiting.status, SslStatus::Initializing);
    assert!(waiting.validation_errors[0].contains("waits for its turn"), "{waiting:?}");
    assert_eq!(platform.told(|told| told.orders), 0);
    platform.hand.advance(HOUR);
    platform.until(is_done).await;
    let at: Vec<u64> =
        platform.told(|told| told.ordered_at.iter().map(|at| at.since(began).as_secs() / 3_600).collect());
    assert_eq!(at, [1, 2], "one an hour of this zone");
    let now = platform.control.now();
    platform.told(|told| told.window = Some((now, now)));
    platform.until(|ssl| is_done(ssl) && ssl.certificates[1].not_before > now).await;
    assert!(platform.control.now().since(now) < 2 * DAY);
    let renewed = platform.told(|told| told.ordered_at[3].since(told.ordered_at[2]));
    assert!(renewed < HOUR / 2, "nothing to wait for: {renewed:?}");
}

#[tokio::test]
async fn a_zone_asks_for_so_many_certificates_within_a_minute_and_after_one_more_for_none_for_half_of_one() {
    let platform = platform(90 * DAY).await;
    let control = platform.control.clone().with_certificates_per_minute(15);
    let zone = control.create_zone("other.test", ZoneType::Full).await.unwrap().result.id.clone();
    let ask =
        async |number: u32| control.create_hostname(&zone, &named(&format!("a{number}.customer.test"))).await;
    let quota = async || control.issue_quota(&zone).await.unwrap().unwrap();
    assert_eq!((quota().await.used, quota().await.returns_at), (0, None));
    for number in 0..15 {
        ask(number).await.unwrap();
    }
    let began = control.now();
    assert_eq!(
        (quota().await.used, quota().await.returns_at),
        (15, Some(began.later(Duration::from_secs(60))))
    );
    let refused = |wanted: u64| {
        move |error: ControlError| match error {
            ControlError::Registry(RegistryError::Zone(ZoneError::TooOften { wait, .. })) => {
                wait.as_secs() == wanted
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(ask(15).await.is_err_and(refused(30)));
    platform.hand.advance(Duration::from_secs(10));
    assert!(ask(15).await.is_err_and(refused(20)), "asking again makes it no longer");
    assert!(quota().await.is_blocked);
    // What asks for no certificate is not counted, nor is what another zone asks for.
    let plain = NewCustomHostname { edit: CustomHostnameEdit::default(), ..named("plain.customer.test") };
    let plain = control.create_hostname(&zone, &plain).await.unwrap().result;
    let edit = CustomHostnameEdit { ssl: Some(ssl()), ..CustomHostnameEdit::default() };
    let asked = control.edit_hostname(&zone, &plain.id, &edit, crate::Force::No).await;
    assert!(asked.is_err_and(refused(20)), "an edit asks as well");
    control.create_hostname(&platform.zone, &named("b.customer.test")).await.unwrap();
    platform.hand.advance(Duration::from_secs(20));
    let made = control.edit_hostname(&zone, &plain.id, &edit, crate::Force::No).await.unwrap().result;
    assert_eq!(made.ssl.as_ref().unwrap().status, SslStatus::Initializing);
    assert_eq!(quota().await.used, 1);
    // The same again asks for nothing more.
    control.edit_hostname(&zone, &plain.id, &edit, crate::Force::No).await.unwrap();
    assert_eq!(quota().await.used, 1);
    platform.hand.advance(Duration::from_secs(60));
    assert_eq!(quota().await.used, 0);
}
