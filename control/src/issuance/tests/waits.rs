//! What an authority says of when to come again, and that it is kept to within bounds.

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn an_authority_that_is_away_is_asked_when_it_says_and_within_four_hours() {
    for (said, wait) in [(2 * HOUR, 2 * HOUR), (24 * HOUR, 4 * HOUR), (Duration::ZERO, HOUR / 60)] {
        let platform = platform(90 * DAY).await;
        platform.step().await;
        let failure = Failure::Busy { after: said, text: "maintenance".to_owned() };
        platform.told(|told| told.failures.push_back(failure));
        assert_eq!(platform.step().await, Some(wait), "{said:?}");
        let ssl = platform.ssl().await;
        assert!(ssl.validation_errors[0].contains("maintenance"), "{ssl:?}");
        let next = ssl.issuing.unwrap().next_at.unwrap();
        assert_eq!(next, platform.control.now(), "and the API says so");
    }
}

#[tokio::test]
async fn an_order_that_is_worked_on_is_looked_at_when_the_authority_says() {
    let platform = platform(90 * DAY).await;
    *platform.names.0.lock().unwrap() = true;
    platform.until(|ssl| ssl.issuing.as_ref().is_some_and(|issuing| issuing.order.is_some())).await;
    platform.told(|told| told.stage = Some(Stage::Processing));
    let first = platform.step().await.unwrap();
    assert!(first < Duration::from_secs(1), "{first:?}");
    for (said, wait) in [(HOUR / 2, HOUR / 2), (20 * HOUR, 4 * HOUR)] {
        platform.told(|told| told.again = Some(said));
        assert_eq!(platform.step().await, Some(wait));
    }
    platform.told(|told| told.again = Some(Duration::ZERO));
    assert!(platform.step().await.unwrap() < HOUR / 60, "and never without a pause");
    assert!(platform.step().await.unwrap() > Duration::ZERO);
}

#[tokio::test]
async fn an_authority_that_does_not_say_when_to_renew_for_now_is_asked_again_when_it_says() {
    for (said, wait) in [(5 * HOUR, 5 * HOUR), (HOUR / 60, HOUR), (100 * HOUR, 24 * HOUR)] {
        let platform = platform(90 * DAY).await;
        *platform.names.0.lock().unwrap() = true;
        platform.until(is_done).await;
        platform.told(|told| told.away = Some(said));
        assert_eq!(platform.step().await, Some(wait), "{said:?}");
    }
}
