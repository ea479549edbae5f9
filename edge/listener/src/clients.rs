//! How many connections each client has open. One client is one IPv4 address, or one network of IPv6 of the size that
//! a single customer of a provider is given (RFC 6177): its addresses cost nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The bits of an IPv6 address that name a customer.
const CUSTOMER: u32 = 64;

/// The open connections of all clients. Holds one entry for each client that has any.
#[derive(Debug)]
pub(crate) struct Clients {
    most: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
    /// When it was last said that one has too many.
    told: Mutex<Option<Instant>>,
}

/// How often it is said that a client has too many connections: it may try thousands of times a second.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// One connection of one client, until this is dropped.
#[derive(Debug)]
pub(crate) struct ClientPermit {
    clients: Arc<Clients>,
    client: IpAddr,
}

impl Clients {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default(), told: Mutex::default() })
    }

    /// How many each may have, where it is time to say that one has as many.
    pub(crate) fn is_to_be_told(&self, now: Instant) -> Option<usize> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| now.saturating_duration_since(told) < TELL_EVERY) {
            return None;
        }
        *told = Some(now);
        Some(self.most)
    }

    /// Counts one more connection of this address; none when it has as many as it may have.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<ClientPermit> {
        let client = customer(address);
        let mut open = self.open();
        let count = open.entry(client).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(ClientPermit { clients: Arc::clone(self), client })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPermit {
    fn drop(&mut self) {
        let mut open = self.clients.open();
        if let Some(count) = open.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.client);
            }
        }
    }
}

/// What stands for all addresses that one customer has.
fn customer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> CUSTOMER << CUSTOMER)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_one_has_too_many_is_said_once_a_minute() {
        let (clients, begun) = (Clients::new(8), Instant::now());
        assert_eq!(clients.is_to_be_told(begun), Some(8));
        assert_eq!(clients.is_to_be_told(begun + Duration::from_secs(59)), None);
        assert_eq!(clients.is_to_be_told(begun + Duration::from_secs(60)), Some(8));
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_so_many_and_gets_them_back() {
        let clients = Clients::new(2);
        let one = clients.enter(address("192.0.2.1")).unwrap();
        let _two = clients.enter(address("192.0.2.1")).unwrap();
        assert!(clients.enter(address("192.0.2.1")).is_none());
        let _neighbour = clients.enter(address("192.0.2.2")).unwrap();
        drop(one);
        assert!(clients.enter(address("192.0.2.1")).is_some());
    }

    #[test]
    fn the_addresses_of_one_customer_are_one_client() {
        let clients = Clients::new(1);
        let _one = clients.enter(address("2001:db8:0:1::1")).unwrap();
        assert!(clients.enter(address("2001:db8:0:1:ffff::2")).is_none());
        let _next = clients.enter(address("2001:db8:0:2::1")).unwrap();
        let _mapped = clients.enter(address("::ffff:192.0.2.1")).unwrap();
        assert!(clients.enter(address("192.0.2.1")).is_none(), "the same client in another spelling");
    }

    #[test]
    fn nothing_is_kept_of_clients_that_have_gone() {
        let clients = Clients::new(1);
        for last in 0..=255 {
            drop(clients.enter(IpAddr::from([192, 0, 2, last])));
        }
        assert!(clients.open().is_empty());
    }
}
