//! A connection of HTTP/3, from the end of its handshake to its own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use h3::error::Code;
use hyper::rt::Executor as _;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Sleep};

use super::Shared;
use super::answer::Answering;
use super::link::Link;
use super::wire::Wire;
use crate::activity::Activity;
use crate::exchange::{Client, Exchange, Handler};
use crate::places::Place;
use crate::sent::Piece;
use crate::slow::Streams;
use crate::tls::encrypted::Encrypted;

/// `h3` has no answer for a head that is longer than it is told: up to this many times the bound there is ours.
const HEADS: u64 = 2;

type H3<H> = h3::server::Connection<Wire, Piece<<H as Handler>::Body>>;

/// One connection.
pub(super) struct Connection<H> {
    shared: Arc<Shared<H>>,
    quic: quinn::Connection,
    link: Arc<Link>,
    activity: Arc<Activity>,
    exchange: Arc<Exchange<H>>,
    _place: Place,
    ended: Arc<Notify>,
    /// How long there is for a request to come, while none goes on.
    quiet: Pin<Box<Sleep>>,
    is_draining: bool,
}

impl<H: Handler> Connection<H> {
    pub(super) fn new(
        shared: Arc<Shared<H>>,
        quic: quinn::Connection,
        encrypted: Arc<Encrypted>,
        place: Place,
    ) -> Self {
        let longest_head = u64::try_from(shared.max_header_bytes).unwrap_or(u64::MAX);
        let link = Link::new(quic.clone(), shared.figures.clone(), longest_head.saturating_mul(HEADS));
        let activity = Arc::new(Activity::new(shared.figures.clone()));
        let address = quic.remote_address().ip().to_canonical();
        let peer = Client { address, secure: true, encrypted: Some(encrypted) };
        let exchange = shared.exchange(peer, &activity);
        let quiet = Box::pin(tokio::time::sleep(shared.patience.head));
        let ended = Arc::default();
        Self { shared, quic, link, activity, exchange, _place: place, ended, quiet, is_draining: false }
    }

    /// Serves it. What goes on when this ends is dropped with the connection.
    pub(super) async fn serve(mut self, mut drain: watch::Receiver<()>) {
        let longest_head = u64::try_from(self.shared.max_header_bytes).unwrap_or(u64::MAX);
        let mut builder = h3::server::builder();
        builder.max_field_section_size(longest_head.saturating_mul(HEADS)).send_grease(false);
        let built = builder.build(Wire::new(Arc::clone(&self.link)));
        // A client that lets nobody begin a stream has as long as one that says nothing.
        let Ok(Ok(mut h3)) = tokio::time::timeout(self.shared.patience.head, built).await else {
            return self.link.close(Code::H3_GENERAL_PROTOCOL_ERROR);
        };
        let activity = Arc::clone(&self.activity);
        let ended = Arc::clone(&self.ended);
        let cut =
            std::future::poll_fn(
                move |cx| {
                    if activity.is_cut(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
                },
            );
        let mut cut = std::pin::pin!(cut);
        loop {
            let goes_on = tokio::select! {
                biased;
                () = &mut cut => false,
                told = drain.changed(), if !self.is_draining => {
                    let _stopped = told;
                    self.drain(&mut h3).await
                }
                () = ended.notified() => {
                    self.rest();
                    true
                }
                () = &mut self.quiet => self.is_in_time(),
                asked = h3.accept() => match asked {
                    Ok(Some(asked)) => self.answer(asked),
                    Ok(None) => false,
                    Err(error) => {
                        tracing::debug!(%error, "a connection of HTTP/3 ended early");
                        false
                    }
                },
            };
            if !goes_on {
                break;
            }
        }
        self.link.close(Code::H3_NO_ERROR);
    }

    /// Answers on a stream, in a task of its own. `false` when its client has to begin anew.
    fn answer(&self, asked: super::answer::Asked<H>) -> bool {
        let Some(gone) = self.link.gone() else { return true };
        if self.has_moved() {
            return false;
        }
        let answering = Answering {
            exchange: Arc::clone(&self.exchange),
            link: Arc::clone(&self.link),
            patience: self.shared.patience,
            max_header_bytes: self.shared.max_header_bytes,
            ended: Arc::clone(&self.ended),
        };
        Streams.execute(answering.answer(asked, gone));
        true
    }

    /// Whether its client sends from another address than before. It may, by the rules of QUIC, and it can write any sender on
    /// what it sends: until that is found out, who goes by addresses would believe it. It begins anew, and shows that the other
    /// one is its own. Another port is what some networks give to who was silent for a while.
    fn has_moved(&self) -> bool {
        self.quic.remote_address().ip().to_canonical() != self.exchange.peer.address
    }

    /// Tells its client that no further request is wanted. `false` when that cannot be told.
    async fn drain(&mut self, h3: &mut H3<H>) -> bool {
        self.is_draining = true;
        self.activity.drain();
        self.link.take_no_more();
        // The number that is told is that of the first stream that is not answered.
        let told = tokio::time::timeout(self.shared.patience.draining, h3.shutdown(1)).await;
        self.rest();
        matches!(told, Ok(Ok(())))
    }

    /// Begins to wait for the next request, if none goes on.
    fn rest(&mut self) {
        if !self.activity.is_busy() {
            self.wait();
        }
    }

    fn wait(&mut self) {
        let patience = self.shared.patience;
        let time = if self.is_draining { patience.draining } else { patience.idle };
        self.quiet.as_mut().reset(Instant::now() + time);
    }

    /// Whether a request goes on after all, when the time for one is over.
    fn is_in_time(&mut self) -> bool {
        self.wait();
        self.activity.is_busy()
    }
}
