//! Who computes when, as far as it can be told without a clock.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use super::credit::{MOST_DEBT, WAIT_PER_CREDIT};
use super::fair::Turn;
use super::turns::FOREGROUND;
use super::{Background, Fair, Habit, stepped_back};

const MS: Duration = Duration::from_millis(1);
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn places(places: usize) -> Arc<Background> {
    Arc::new(Background::new(Some(places)))
}

type Guest = Pin<Box<dyn Future<Output = ()> + Send>>;

fn fair(background: &Arc<Background>, guest: impl Future<Output = ()> + Send + 'static) -> Fair<Guest> {
    Fair::new(Box::pin(guest) as Guest, background, &Arc::default())
}

/// Computes for so many slices of a millisecond, as far as anybody can tell.
async fn compute(slices: u32) {
    for _ in 0..slices {
        stepped_back(MS);
        tokio::task::yield_now().await;
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: it hangs"))
}

#[tokio::test]
async fn long_runners_take_turns_of_several_slices() {
    let background = places(1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let runner = |name: char| {
        let order = Arc::clone(&order);
        tokio::spawn(fair(&background, async move {
            for _ in 0..50 {
                order.lock().unwrap().push(name);
                compute(1).await;
            }
        }))
    };
    let runners = [runner('a'), runner('b'), runner('c')];
    for runner in runners {
        in_time("a runner", runner).await.unwrap();
    }
    let order = order.lock().unwrap();
    assert_eq!(order.len(), 150);
    // The first slices of each are in the foreground, one by one; then a turn at a time.
    let changes = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes <= 25, "{changes} changes: {}", order.iter().collect::<String>());
}

#[tokio::test]
async fn a_short_guest_does_not_wait_for_a_turn() {
    let background = places(1);
    let runners: Vec<_> = (0..8).map(|_| tokio::spawn(fair(&background, compute(10_000)))).collect();
    in_time("the queue", async {
        while background.lock().waiting < 7 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // One slice of somebody else may be under way; nobody's turn has to end.
    let mut slices = 0;
    let mut short = fair(&background, compute(1));
    poll_fn(|cx| {
        slices += 1;
        Pin::new(&mut short).poll(cx)
    })
    .await;
    assert_eq!(slices, 3, "it was held back");
    assert!(runners.iter().all(|runner| !runner.is_finished()));
    for runner in runners {
        runner.abort();
    }
}

#[track_caller]
fn assert_idle(background: &Background) {
    let queue = background.lock();
    assert_eq!((queue.holders.len(), queue.waiting), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_comes_in_during_a_slice_is_served_before_the_next_one() {
    use std::io::Write as _;

    use tokio::io::AsyncReadExt as _;

    let background = places(1);
    let order = Arc::new(Mutex::new(String::new()));
    let (mut visitor, socket) = std::os::unix::net::UnixStream::pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut socket = tokio::net::UnixStream::from_std(socket).unwrap();
    let served = Arc::clone(&order);
    let serves = tokio::spawn(async move {
        while socket.read_exact(&mut [0]).await.is_ok() {
            served.lock().unwrap().push('r');
        }
    });
    let computed = Arc::clone(&order);
    let computes = tokio::spawn(fair(&background, async move {
        for _ in 0..100 {
            computed.lock().unwrap().push('s');
            visitor.write_all(b"x").unwrap();
            compute(1).await;
        }
    }));
    in_time("the slices", computes).await.unwrap();
    in_time("the requests", serves).await.unwrap();
    let order = order.lock().unwrap();
    assert!(!order.contains("ss"), "a request waited for two slices: {order}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_comes_while_many_compute_waits_for_a_few_slices_and_not_for_one_of_each() {
    const MANY: usize = 200;
    let background = places(1);
    let slices = Arc::new(AtomicUsize::new(0));
    let begun = Arc::new(AtomicUsize::new(0));
    let guests: Vec<_> = (0..MANY)
        .map(|_| {
            let (slices, begun) = (Arc::clone(&slices), Arc::clone(&begun));
            tokio::spawn(fair(&background, async move {
                begun.fetch_add(1, Ordering::SeqCst);
                // Less than their credit.
                for _ in 0..10 {
                    slices.fetch_add(1, Ordering::SeqCst);
                    stepped_back(MS / 10);
                    tokio::task::yield_now().await;
                }
            }))
        })
        .collect();
    let counted = Arc::clone(&slices);
    let newcomer = tokio::spawn(async move {
        let mut most = 0;
        loop {
            let before = counted.load(Ordering::SeqCst);
            tokio::task::yield_now().await;
            let after = counted.load(Ordering::SeqCst);
            if before == after && after == MANY * 10 {
                return most;
            }
            // Each begins once; from then on few of them stand before whoever comes.
            if begun.load(Ordering::SeqCst) == MANY && before > MANY {
                most = most.max(after - before);
            }
        }
    });
    for guest in guests {
        in_time("a guest", guest).await.unwrap();
    }
    let most = in_time("the newcomer", newcomer).await.unwrap();
    assert!((1..=FOREGROUND * 2 + 4).contains(&most), "it waited for {most} slices");
    assert_idle(&background);
    assert_eq!(background.between.load(Ordering::SeqCst), 0);
}

/// Of a script that computed the last time.
fn known(background: &Arc<Background>, guest: impl Future<Output = ()> + Send + 'static) -> Fair<Guest> {
    Fair::new(Box::pin(guest) as Guest, background, &Arc::new(Habit(AtomicBool::new(true))))
}

/// Polls many guests in turn, again and again, and counts how often somebody computed before all that is behind them
/// in the queue had its first turn.
async fn first_slices(guests: Vec<Fair<Guest>>, slices: &Arc<AtomicUsize>) -> usize {
    let guests: Vec<_> = guests.into_iter().map(tokio::spawn).collect();
    let counted = Arc::clone(slices);
    let newcomer = tokio::spawn(async move {
        tokio::task::yield_now().await;
        counted.load(Ordering::SeqCst)
    });
    let before = in_time("the newcomer", newcomer).await.unwrap();
    for guest in guests {
        in_time("a guest", guest).await.unwrap();
    }
    before
}

#[tokio::test]
async fn of_a_flood_that_is_known_to_compute_few_begin_before_what_comes_next() {
    let counting = |slices: &Arc<AtomicUsize>| {
        let slices = Arc::clone(slices);
        async move {
            slices.fetch_add(1, Ordering::SeqCst);
            compute(2).await;
        }
    };
    let (background, slices) = (places(1), Arc::default());
    let guests = (0..100).map(|_| known(&background, counting(&slices))).collect();
    let before = first_slices(guests, &slices).await;
    assert!(before <= FOREGROUND + 1, "{before} began");
    assert_idle(&background);

    // Called by others who are not known to compute: the same.
    let (background, slices) = (places(1), Arc::default());
    let guests = (0..100).map(|_| fair(&background, known(&background, counting(&slices)))).collect();
    let before = first_slices(guests, &slices).await;
    assert!(before <= FOREGROUND + 1, "{before} began inside others");
    assert_idle(&background);

    // Nobody knows yet.
    let (background, slices) = (places(1), Arc::default());
    let guests = (0..100).map(|_| fair(&background, counting(&slices))).collect();
    assert_eq!(first_slices(guests, &slices).await, 100);
}

#[tokio::test]
async fn a_script_is_known_by_what_it_did_itself_the_last_time() {
    let background = places(1);
    let (caller, callee): (Arc<Habit>, Arc<Habit>) = Default::default();
    let of = |guest: Guest, habit: &Arc<Habit>| Fair::new(guest, &background, habit);
    let known = |habit: &Arc<Habit>| habit.computes();
    in_time("one that calls", of(Box::pin(of(Box::pin(compute(3)), &callee)), &caller)).await;
    assert_eq!((known(&caller), known(&callee)), (false, true), "what a callee computes is the callee's");
    in_time("one that computes", of(Box::pin(compute(3)), &caller)).await;
    assert!(known(&caller));
    in_time("one that does not", of(Box::pin(async {}), &caller)).await;
    assert!(!known(&caller), "it is what it did last");
}

/// Burns, calls the rest of the chain inside its own poll, and burns again.
fn chain(background: Arc<Background>, depth: u32) -> Guest {
    Box::pin(async move {
        compute(20).await;
        if depth > 0 {
            fair(&background, chain(Arc::clone(&background), depth - 1)).await;
        }
        compute(20).await;
    })
}

#[tokio::test]
async fn chains_that_compute_at_every_step_end_with_a_single_place() {
    let background = places(1);
    let chains: Vec<_> =
        (0..8).map(|_| tokio::spawn(fair(&background, chain(Arc::clone(&background), 7)))).collect();
    for chain in chains {
        in_time("a chain", chain).await.unwrap();
    }
    assert_idle(&background);
}

#[tokio::test]
async fn a_guest_that_waits_for_one_in_a_task_of_its_own_is_not_in_its_way() {
    let background = places(1);
    let inner = Arc::clone(&background);
    let caller = fair(&background, async move {
        compute(20).await;
        tokio::spawn(fair(&inner, compute(100))).await.unwrap();
        compute(20).await;
    });
    in_time("the caller", tokio::spawn(caller)).await.unwrap();
}

#[tokio::test]
async fn a_caller_goes_on_while_nobody_polls_the_one_it_called() {
    let background = places(1);
    let inner = Arc::clone(&background);
    let caller = fair(&background, async move {
        compute(20).await;
        let mut callee = fair(&inner, compute(1_000));
        // Both are in the background now; the caller looks at the callee for a while and then no more.
        for _ in 0..40 {
            let polled = poll_fn(|cx| Poll::Ready(Pin::new(&mut callee).poll(cx))).await;
            assert!(polled.is_pending());
            tokio::task::yield_now().await;
        }
        compute(100).await;
        drop(callee);
    });
    in_time("the caller", tokio::spawn(caller)).await.unwrap();
}

#[tokio::test]
async fn who_is_called_and_does_not_come_holds_nobody_up() {
    let background = places(1);
    let poll = |guest: &mut Fair<Guest>| {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        Pin::new(guest).poll(&mut cx).is_pending()
    };
    let mut mine = fair(&background, compute(1_000));
    for _ in 0..5 {
        assert!(poll(&mut mine));
    }
    assert!(matches!(mine.turn, Turn::Mine(..)));
    let (mut second, mut third) = (fair(&background, compute(1_000)), fair(&background, compute(1_000)));
    for _ in 0..5 {
        assert!(poll(&mut second) && poll(&mut third));
    }
    assert!(matches!(second.turn, Turn::Waiting(_)) && matches!(third.turn, Turn::Waiting(_)));
    // Nobody polls the first one any more, though it is its turn: others run all the same.
    in_time("a fourth one", tokio::spawn(fair(&background, compute(100)))).await.unwrap();
    // The second one is called, and nobody polls it.
    drop(mine);
    in_time("a fifth one", tokio::spawn(fair(&background, compute(100)))).await.unwrap();
    drop((second, third));
    assert_idle(&background);
}

#[tokio::test(start_paused = true)]
async fn waiting_gives_credit_back() {
    let background = places(1);
    let mut guest = fair(&background, async {
        compute(10).await;
        tokio::time::sleep(MOST_DEBT * WAIT_PER_CREDIT * 2).await;
        compute(1).await;
    });
    let mut most = Duration::ZERO;
    poll_fn(|cx| {
        let polled = Pin::new(&mut guest).poll(cx);
        most = most.max(guest.credit.debt);
        polled
    })
    .await;
    assert_eq!(most, MOST_DEBT);
    assert_eq!(guest.credit.debt, MS, "only what was burned after the wait");
}
