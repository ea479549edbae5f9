//! Connections that are kept between requests, and closed where their places are needed.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use wasmyard_model::egress::Host;

use crate::kept::{IdleConnections, Listed};
use crate::places::{Bounded, ConnectionPermit, Places};
use crate::sync::pass;
use crate::{abandoned, any_below, run_all, step_aside};

/// Longer than a connection has to rest before it may be closed.
const LONG: Duration = Duration::from_secs(1);

/// A connection as its users and its reader see it.
struct Connection {
    listed: Listed,
    /// Odd while a request is under way; another number for each.
    requests: AtomicUsize,
    users: AtomicUsize,
    is_closed: AtomicBool,
}

impl Connection {
    fn new(listed: Listed) -> Arc<Connection> {
        Arc::new(Connection {
            listed,
            requests: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
        })
    }

    /// Sends a request over it. Says whether it was the first.
    async fn serve(&self) -> bool {
        let in_use = self.listed.usage.begin();
        self.users.fetch_add(1, Ordering::SeqCst);
        self.requests.fetch_add(1, Ordering::SeqCst);
        step_aside().await;
        self.requests.fetch_add(1, Ordering::SeqCst);
        self.users.fetch_sub(1, Ordering::SeqCst);
        !in_use.is_again()
    }

    /// What reads from it: until it is to be closed.
    async fn read(&self) {
        poll_fn(|cx| {
            let before = (self.users.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst));
            let ends = self.listed.usage.ends(cx);
            let after = (self.users.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst));
            assert!(!ends || before.0 == 0 || before != after, "closed with a request under way");
            if ends { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.is_closed.store(true, Ordering::SeqCst);
    }
}

/// A connection is closed when it rests, whoever uses it meanwhile, and never during a request. Its reader hears of it.
pub fn none_is_closed_during_a_request() {
    let kept = Arc::new(IdleConnections::default());
    let connection = Connection::new(kept.opened(kept.sender()));
    let firsts = Arc::new(AtomicUsize::new(0));
    let users = (0..2).map(|_| {
        let (connection, firsts) = (Arc::clone(&connection), Arc::clone(&firsts));
        Box::pin(async move {
            for _ in 0..2 {
                firsts.fetch_add(usize::from(connection.serve().await), Ordering::SeqCst);
            }
        }) as _
    });
    let closes = Arc::clone(&connection);
    let room = Box::pin(async move {
        // Until it is closed: it may be in use, or have been a moment ago.
        while !closes.is_closed.load(Ordering::SeqCst) {
            pass(LONG);
            kept.make_room(None);
            step_aside().await;
        }
    }) as _;
    let reads = Arc::clone(&connection);
    let reader = Box::pin(async move { reads.read().await }) as _;
    run_all(users.chain([room, reader]));
    assert_eq!(firsts.load(Ordering::SeqCst), 1, "one of the requests is the first");
}

/// What asks for room is heard, by a reader that waits and by one whose requests end at that moment: once is enough.
pub fn a_reader_is_woken_when_its_connection_is_to_end() {
    let kept = Arc::new(IdleConnections::default());
    let connection = Connection::new(kept.opened(kept.sender()));
    pass(LONG);
    let reads = Arc::clone(&connection);
    let reader = Box::pin(async move { reads.read().await }) as _;
    let uses = Arc::clone(&connection);
    let user = Box::pin(async move {
        if any_below(2) == 0 {
            // The reader is told at once, or when the request that came at the last moment has ended.
            kept.make_room(None);
            uses.serve().await;
        } else {
            uses.serve().await;
            pass(LONG);
            kept.make_room(None);
        }
    }) as _;
    run_all([reader, user]);
}

/// Never more connections are open than may be, and whoever waits gets the place of one that only rests.
pub fn whoever_waits_gets_a_place_and_the_bound_holds() {
    const MOST: usize = 2;
    const SENDERS: usize = 4;
    let kept = Arc::new(IdleConnections::default());
    let all = Bounded::new(MOST);
    let open = Arc::new(AtomicUsize::new(0));
    let places: Vec<Arc<Places>> = (0..2)
        .map(|_| Arc::new(Places::new(all.clone(), Bounded::new(MOST), MOST, Arc::clone(&kept))))
        .collect();
    let taken = Arc::new(AtomicUsize::new(0));
    let stays = (0..SENDERS).map(|number| {
        let (places, open, taken) = (Arc::clone(&places[number % 2]), Arc::clone(&open), Arc::clone(&taken));
        Box::pin(async move {
            let Some(permit) = places.take(&host(number), 80).await else {
                panic!("places are given out for ever");
            };
            taken.fetch_add(1, Ordering::SeqCst);
            let now = open.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(now <= MOST, "{now} are open at once");
            keep(&places, permit, &open).await;
        }) as _
    });
    let goes = (0..2).map(|number| {
        let (places, polls) = (Arc::clone(&places[number]), any_below(4));
        Box::pin(async move {
            abandoned(Box::pin(places.take(&host(number), 80)), polls).await;
        }) as _
    });
    // When all have had a place, somebody needs those of the last ones, too.
    let (last, left, taken) = (Arc::clone(&kept), Arc::clone(&open), Arc::clone(&taken));
    let room = Box::pin(async move {
        while taken.load(Ordering::SeqCst) < SENDERS || left.load(Ordering::SeqCst) > 0 {
            if taken.load(Ordering::SeqCst) == SENDERS {
                pass(LONG);
                last.make_room(None);
            }
            step_aside().await;
        }
    }) as _;
    run_all(stays.chain(goes).chain([room]));
    assert_eq!(open.load(Ordering::SeqCst), 0);
    assert_eq!(kept.all().len(), 0, "a connection is gone and still listed");
}

/// Serves one request, and is kept until somebody needs its place.
async fn keep(places: &Places, permit: ConnectionPermit, open: &AtomicUsize) {
    let connection = Connection::new(places.opened());
    connection.serve().await;
    connection.read().await;
    open.fetch_sub(1, Ordering::SeqCst);
    drop(connection);
    drop(permit);
}

fn host(number: usize) -> Host {
    Host::parse(&format!("{number}.test")).unwrap_or_else(|_| panic!("this is a host"))
}
