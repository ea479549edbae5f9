//! The writer: the one thread that changes a file.
//!
//! Owns the queue before it. Gathers all that waits, so that its work can make it durable with one fsync, and never
//! answers itself: that is the work's, after its commit.

use std::io;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;

/// What a writer does with its connection. It lives on the writer's thread.
pub trait Work: Send + 'static {
    /// What it can be asked for. Each request has its own way to be answered.
    type Request: Send + 'static;

    /// Does what was asked for, in this order, and answers.
    fn serve(&mut self, batch: Vec<Self::Request>);

    /// The end: the file then holds everything by itself.
    ///
    /// # Errors
    /// Whatever keeps it from being written.
    fn close(&mut self) -> Result<(), Fault>;
}

/// The way to a writer. Dropping it waits for what the writer has begun and what waits for it.
#[derive(Debug)]
pub struct Writer<R> {
    /// None once it is closing.
    queue: Option<mpsc::Sender<Message<R>>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Message<R> {
    Request(R),
    Close(oneshot::Sender<Result<(), Fault>>),
}

impl<R: Send + 'static> Writer<R> {
    /// Starts a thread of this name. So many requests may wait for it, and so many are served together.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn start(
        name: &'static str,
        waiting: usize,
        together: usize,
        work: impl Work<Request = R>,
    ) -> io::Result<Writer<R>> {
        let (sender, queue) = mpsc::channel(waiting.max(1));
        let thread = std::thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn(move || run(work, queue, together))?;
        Ok(Writer { queue: Some(sender), thread: Some(thread) })
    }

    /// Asks for something, and waits for the answer.
    ///
    /// # Errors
    /// [`Fault::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future does not take back what was asked for.
    pub async fn ask<T>(&self, make: impl FnOnce(oneshot::Sender<T>) -> R) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(Fault::Closed)?;
        queue.send(Message::Request(make(reply))).await.map_err(|_| Fault::Closed)?;
        answer.await.map_err(|_| Fault::Closed)
    }

    /// Tells it something, if there is room in the queue. Says whether there was.
    pub fn tell(&self, request: R) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.try_send(Message::Request(request)).is_ok())
    }

    /// Brings everything to its place. Whatever is asked for afterwards is told that the file is closed.
    ///
    /// # Errors
    /// [`Fault::Closed`] where it was closed before, and whatever keeps the file from being written.
    pub async fn close(&self) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or(Fault::Closed)?;
        queue.send(Message::Close(reply)).await.map_err(|_| Fault::Closed)?;
        answer.await.map_err(|_| Fault::Closed)?
    }
}

impl<R> Drop for Writer<R> {
    fn drop(&mut self) {
        self.queue = None;
        let Some(thread) = self.thread.take() else { return };
        let name = thread.thread().name().unwrap_or_default().to_owned();
        if thread.join().is_err() {
            tracing::error!(thread = name, "a store's writer ended in a panic");
        }
    }
}

/// Serves until it is told to close, or nobody can ask any more and the queue is empty.
fn run<W: Work>(mut work: W, mut queue: mpsc::Receiver<Message<W::Request>>, together: usize) {
    let mut closing = None;
    while let Some(first) = queue.blocking_recv() {
        let mut batch = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Request(request) => batch.push(request),
                Message::Close(reply) => closing = Some(reply),
            }
            let more = batch.len() < together && closing.is_none();
            next = if more { queue.try_recv().ok() } else { None };
        }
        if !batch.is_empty() {
            work.serve(batch);
        }
        if closing.is_some() {
            break;
        }
    }
    let closed = work.close();
    match closing {
        // An error says that whoever asked went away.
        Some(reply) => drop(reply.send(closed)),
        None => {
            if let Err(error) = closed {
                tracing::warn!(%error, "a store's log could not be moved into its file; the next start does so");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    type Sizes = Arc<Mutex<Vec<usize>>>;

    /// Notes how much was served together, after a gate has been opened.
    struct Batches {
        gate: std::sync::mpsc::Receiver<()>,
        sizes: Sizes,
    }

    impl Work for Batches {
        type Request = oneshot::Sender<()>;

        fn serve(&mut self, batch: Vec<Self::Request>) {
            self.gate.recv().unwrap();
            self.sizes.lock().unwrap().push(batch.len());
            batch.into_iter().for_each(|reply| reply.send(()).unwrap_or_default());
        }

        fn close(&mut self) -> Result<(), Fault> {
            self.sizes.lock().unwrap().push(0);
            Ok(())
        }
    }

    fn writer() -> (Writer<oneshot::Sender<()>>, std::sync::mpsc::Sender<()>, Sizes) {
        let (open, gate) = std::sync::mpsc::channel();
        let sizes = Sizes::default();
        let work = Batches { gate, sizes: Arc::clone(&sizes) };
        (Writer::start("batches", 64, 4, work).unwrap(), open, sizes)
    }

    #[tokio::test]
    async fn what_waits_is_served_together_and_no_more_than_may_be() {
        let (writer, open, sizes) = writer();
        let asked: Vec<_> = (0..10).map(|_| writer.ask(|reply| reply)).collect();
        let mut asked = Box::pin(futures_all(asked));
        // All of them are in the queue before the gate is opened for the first time.
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx))).await.is_pending()
        );
        for _ in 0..10 {
            open.send(()).unwrap();
        }
        asked.await;
        let sizes = sizes.lock().unwrap();
        assert_eq!(sizes.iter().sum::<usize>(), 10);
        assert!(sizes.iter().all(|size| *size <= 4), "{sizes:?}");
        // The first may have been taken alone; what came meanwhile waited.
        assert!(sizes.len() <= 4, "{sizes:?}");
    }

    /// Polls all of them once, and then waits for each.
    async fn futures_all<T>(futures: Vec<impl Future<Output = T>>) {
        let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
        std::future::poll_fn(|cx| {
            waiting.retain_mut(|future| future.as_mut().poll(cx).is_pending());
            if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }

    #[tokio::test]
    async fn what_is_asked_for_after_the_end_is_told_so() {
        let (writer, open, sizes) = writer();
        open.send(()).unwrap();
        writer.ask(|reply| reply).await.unwrap();
        writer.close().await.unwrap();
        assert!(matches!(writer.ask(|reply| reply).await, Err(Fault::Closed)));
        assert!(matches!(writer.close().await, Err(Fault::Closed)));
        assert_eq!(*sizes.lock().unwrap(), [1, 0], "it was closed once");
    }

    #[test]
    fn dropping_it_waits_for_what_was_told() {
        let (writer, open, sizes) = writer();
        for _ in 0..3 {
            assert!(writer.tell(oneshot::channel().0));
            open.send(()).unwrap();
        }
        drop(writer);
        assert_eq!(sizes.lock().unwrap().iter().sum::<usize>(), 3);
    }
}
