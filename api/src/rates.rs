//! Owns how often a client may call: so many times within a window for each token, and for each address.
//! Must never hold more windows than it is bounded to, whoever comes.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmyard_namespaces::{Clock, Timestamp};

use crate::error::{ApiError, Code};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How often clients may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// With one token, within five minutes. Default 1,200.
    pub per_token: u32,
    /// From one address, within a second, good token or not. Default 200.
    pub per_address: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { per_token: 1_200, per_address: 200 }
    }
}

/// The window of a token.
const TOKEN_WINDOW: Duration = Duration::from_secs(300);
/// The window of an address.
const ADDRESS_WINDOW: Duration = Duration::from_secs(1);
/// Addresses that are told apart at the same time; more share one window.
const MOST_ADDRESSES: usize = 16_384;
/// The same of tokens, of which there are fewer than that.
const MOST_TOKENS: usize = 4_096;
/// The bits of an IPv6 address that name one customer of a provider.
const CUSTOMER: u32 = 64;

/// The windows of all clients.
pub(crate) struct Limits {
    clock: Clock,
    tokens: Windows<String>,
    addresses: Windows<IpAddr>,
}

/// Calls within fixed windows, each of which begins with its first call.
struct Windows<K> {
    quota: u32,
    length: Duration,
    most: usize,
    open: Mutex<Open<K>>,
}

struct Open<K> {
    of: HashMap<K, Window>,
    /// Of those for whom there is no room.
    others: Window,
}

#[derive(Clone, Copy, Default)]
struct Window {
    began: Option<Timestamp>,
    calls: u32,
}

/// What is left of a window after a call, or that nothing was left for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    quota: u32,
    length: Duration,
    /// None: the call is one too many.
    calls: Option<u32>,
    /// When the window is over.
    over: Duration,
}

impl Limits {
    pub(crate) fn new(rates: Rates, clock: Clock) -> Limits {
        Limits {
            clock,
            tokens: Windows::new(rates.per_token, TOKEN_WINDOW, MOST_TOKENS),
            addresses: Windows::new(rates.per_address, ADDRESS_WINDOW, MOST_ADDRESSES),
        }
    }

    /// Counts a call with a token.
    pub(crate) fn token(&self, id: &str) -> Left {
        self.tokens.count(id.to_owned(), self.clock.now())
    }

    /// Counts a call from an address, before anything else is done for it.
    pub(crate) fn address(&self, address: IpAddr) -> Left {
        self.addresses.count(customer(address), self.clock.now())
    }
}

/// One IPv4 address, or one network of IPv6 of the size that a single customer is given: its addresses cost nothing.
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - CUSTOMER))).into()
        }
    }
}

impl<K: Hash + Eq> Windows<K> {
    fn new(quota: u32, length: Duration, most: usize) -> Windows<K> {
        let open = Mutex::new(Open { of: HashMap::new(), others: Window::default() });
        Windows { quota, length, most, open }
    }

    fn count(&self, key: K, now: Timestamp) -> Left {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Open { of, others } = &mut *open;
        if !of.contains_key(&key) && of.len() >= self.most {
            of.retain(|_, window| window.is_open(now, self.length));
        }
        let window =
            if of.contains_key(&key) || of.len() < self.most { of.entry(key).or_default() } else { others };
        window.count(now, self.quota, self.length)
    }
}

impl Window {
    /// Whether it is not over. A clock that was set back opens none that would last longer than a window does.
    fn is_open(&self, now: Timestamp, length: Duration) -> bool {
        self.began.is_some_and(|began| began <= now && now.since(began) < length)
    }

    fn count(&mut self, now: Timestamp, quota: u32, length: Duration) -> Left {
        if !self.is_open(now, length) {
            *self = Window { began: Some(now), calls: 0 };
        }
        let over = self.began.map_or(length, |began| length.saturating_sub(now.since(began)));
        let calls = quota.checked_sub(self.calls + 1);
        if calls.is_some() {
            self.calls += 1;
        }
        Left { quota, length, calls, over }
    }
}

impl Left {
    /// The call, if it is not one too many.
    pub(crate) fn admits(self) -> bool {
        self.calls.is_some()
    }

    /// The answer to one too many.
    pub(crate) fn refusal(self, whose: &str) -> Response {
        let (quota, seconds) = (self.quota, self.length.as_secs());
        let wait = Duration::from_secs(self.seconds());
        let message = format!(
            "Please wait and consider throttling your request speed: {whose} may make {quota} calls within {seconds} s."
        );
        let mut answer = ApiError::new(Code::TooManyCalls, message).with_retry_after(wait).into_response();
        self.tell(answer.headers_mut());
        answer
    }

    /// Says in the head of an answer what is left.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let (left, wait) = (self.calls.unwrap_or_default(), self.seconds());
        let value = format!("\"default\";r={left};t={wait}");
        let policy = format!("\"default\";q={};w={}", self.quota, self.length.as_secs());
        for (name, value) in [(RATELIMIT, value), (RATELIMIT_POLICY, policy)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }

    /// Whole seconds until the window is over.
    fn seconds(self) -> u64 {
        self.over.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_token: u32, per_address: u32) -> (Limits, wasmyard_namespaces::ClockHand) {
        let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
        (Limits::new(Rates { per_token, per_address }, clock), hand)
    }

    #[test]
    fn a_token_has_so_many_calls_within_five_minutes_and_then_as_many_again() {
        let (limits, hand) = limits(1_200, 200);
        for number in 1..=1_200 {
            assert_eq!(limits.token("a").calls, Some(1_200 - number));
        }
        hand.advance(Duration::from_millis(299_500));
        let refused = limits.token("a");
        assert!(!refused.admits());
        let answer = refused.refusal("this token");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(answer.status(), 429);
        assert_eq!(
            (header("retry-after"), header("ratelimit")),
            ("1".to_owned(), "\"default\";r=0;t=1".to_owned())
        );
        assert_eq!(header("ratelimit-policy"), "\"default\";q=1200;w=300");
        assert!(limits.token("b").admits(), "another token has its own");
        hand.advance(Duration::from_millis(500));
        assert_eq!(limits.token("a").calls, Some(1_199));
    }

    #[test]
    fn the_addresses_of_one_customer_share_a_second() {
        let (limits, hand) = limits(1_200, 2);
        let admits = |text: &str| limits.address(text.parse().unwrap()).admits();
        assert!(admits("2001:db8::1") && admits("2001:db8::2") && !admits("2001:db8::3"));
        assert!(admits("2001:db8:0:1::1"));
        assert!(admits("192.0.2.1") && admits("::ffff:192.0.2.1") && !admits("192.0.2.1"));
        assert!(admits("192.0.2.2"));
        hand.advance(Duration::from_secs(1));
        assert!(admits("2001:db8::3") && admits("192.0.2.1"));
    }

    #[test]
    fn however_many_come_no_more_windows_are_held_than_there_may_be() {
        let (clock, hand) = Clock::by_hand("2026-01-02T03:04:05Z".parse().unwrap());
        let windows: Windows<u32> = Windows::new(2, Duration::from_secs(1), 10);
        let count = |key: u32| windows.count(key, clock.now()).admits();
        assert!((0..10).all(count));
        // They share what is left, and take nothing from those who were there.
        assert_eq!((10..1_000).filter(|key| count(*key)).count(), 2);
        assert!((0..10).all(count));
        assert_eq!(windows.open.lock().unwrap().of.len(), 10);
        hand.advance(Duration::from_secs(1));
        assert!((1_000..1_010).all(count));
        assert_eq!(windows.open.lock().unwrap().of.len(), 10);
    }
}
