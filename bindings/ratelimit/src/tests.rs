//! Tests of [`super`]: time is tokio's, and stands still.

use super::*;

const TEN: Rate = Rate { limit: 10, period: Duration::from_secs(10) };

fn allowed(limiter: &Limiter, key: &str, tries: u32) -> u32 {
    (0..tries).map(|_| u32::from(limiter.allow(key).unwrap())).sum()
}

#[tokio::test(start_paused = true)]
async fn a_key_is_let_through_so_often_in_a_period_and_again_when_it_is_over() {
    let limiter = RateLimits::new([7; 16]).of("production/shop").limiter("1", TEN);
    assert_eq!(allowed(&limiter, "a", 30), 10);
    assert_eq!(allowed(&limiter, "b", 5), 5, "another key has its own");
    tokio::time::advance(Duration::from_secs(15)).await;
    // Half of the period before is not over yet: five of its ten count.
    assert_eq!(allowed(&limiter, "a", 30), 5);
    tokio::time::advance(Duration::from_secs(20)).await;
    assert_eq!(allowed(&limiter, "a", 30), 10);
}

#[tokio::test(start_paused = true)]
async fn tenants_and_names_do_not_share_and_two_of_a_name_do() {
    let all = RateLimits::new([7; 16]);
    let (shop, blog) = (all.of("production/shop"), all.of("production/blog"));
    assert_eq!(allowed(&shop.limiter("1", TEN), "a", 30), 10);
    assert_eq!(allowed(&blog.limiter("1", TEN), "a", 30), 10);
    assert_eq!(allowed(&shop.limiter("2", TEN), "a", 30), 10);
    assert_eq!(allowed(&all.of("production/shop").limiter("1", TEN), "a", 1), 0);
    // A name and a key are not the same as another name and another key.
    assert_eq!(allowed(&shop.limiter("1a", TEN), "", 1), 1);
}

#[tokio::test(start_paused = true)]
async fn made_up_keys_cost_whoever_lets_them_in_and_are_forgotten() {
    let mut all = RateLimits::new([7; 16]);
    (all.most_keys, all.most_of_all) = (8, 12);
    let (shop, blog) = (all.of("shop").limiter("1", TEN), all.of("blog").limiter("1", TEN));
    let through: u32 = (0..1_000).map(|key| allowed(&shop, &key.to_string(), 1)).sum();
    assert_eq!((through, all.keys()), (8 + 10, 8), "those without room share one count");
    assert_eq!(allowed(&blog, "a", 30), 10, "nobody else is hit");
    for key in 0..100 {
        allowed(&blog, &key.to_string(), 1);
    }
    assert_eq!(all.keys(), 12, "never more than that");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(allowed(&all.of("new").limiter("1", TEN), "a", 30), 10);
    assert_eq!(all.keys(), 1, "what is of no more use is gone");
}

#[test]
fn a_long_key_is_refused() {
    let limiter = RateLimits::new([7; 16]).of("shop").limiter("1", TEN);
    let refused = limiter.allow(&"k".repeat(MAX_KEY_BYTES + 1)).unwrap_err();
    assert_eq!(refused.to_string(), "the key has 513 bytes; a key of a rate limit has 512 at most: hash it");
}

proptest::proptest! {
    /// Over any whole period that begins where windows do, no more than the limit; over any span as long, no more than twice.
    #[test]
    fn no_more_is_let_through_than_the_rate(steps in proptest::collection::vec((0_u64..4_000, 1_u32..6), 1..80)) {
        let mut window = Window::default();
        let (mut now, mut through) = (0_u64, Vec::new());
        for (after, tries) in steps {
            now += after;
            for _ in 0..tries {
                if window.allow(TEN, now) {
                    through.push(now);
                }
            }
        }
        for begin in &through {
            let within = |from: u64| through.iter().filter(|at| (from..from + 10_000).contains(*at)).count();
            proptest::prop_assert!(within(begin / 10_000 * 10_000) <= 10);
            proptest::prop_assert!(within(*begin) <= 20);
        }
    }
}
