//! Bodies that need no host: what is put in comes out, in order and to the last byte.

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::*;

/// Runs the future on the worker's executor and gives its result.
fn run<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    let result = Rc::new(Cell::new(None));
    let out = result.clone();
    crate::executor::run(async move { out.set(Some(future.await)) });
    result.take().unwrap()
}

struct Chunks(Vec<Result<Vec<u8>, Error>>);

impl Stream for Chunks {
    type Item = Result<Vec<u8>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(if self.0.is_empty() { None } else { Some(self.0.remove(0)) })
    }
}

#[test]
fn a_body_of_bytes_is_one_chunk_and_an_empty_one_is_none() {
    run(async {
        let mut body = Body::from("abc");
        assert_eq!(body.known_length(), Some(3));
        assert_eq!(body.chunk().await.unwrap().unwrap(), b"abc");
        assert_eq!(body.chunk().await.unwrap(), None);
        assert_eq!(Body::from("").chunk().await.unwrap(), None);
    });
}

#[test]
fn streams_skip_empty_chunks_and_report_their_error() {
    run(async {
        let chunks = vec![Ok(b"a".to_vec()), Ok(vec![]), Ok(b"b".to_vec()), Err(Error::msg("torn"))];
        let mut body = Body::from_stream(Chunks(chunks));
        assert_eq!(body.chunk().await.unwrap().unwrap(), b"a");
        assert_eq!(body.chunk().await.unwrap().unwrap(), b"b");
        assert_eq!(body.chunk().await.unwrap_err().to_string(), "torn");
    });
}

#[test]
fn a_writer_waits_for_its_reader_and_adds_trailers() {
    run(async {
        let written = Rc::new(Cell::new(0));
        let count = written.clone();
        let mut body = Body::from_writer(|mut out| async move {
            for n in 0..3 {
                out.write(format!("{n}")).await?;
                count.set(count.get() + 1);
            }
            out.write("").await?;
            let mut trailers = Headers::new();
            trailers.set("x-sum", "3")?;
            out.set_trailers(trailers);
            Ok(())
        });
        assert_eq!(body.chunk().await.unwrap().unwrap(), b"0");
        assert_eq!(written.get(), 0, "the writer ran ahead of its reader");
        assert_eq!(body.chunk().await.unwrap().unwrap(), b"1");
        assert_eq!(body.chunk().await.unwrap().unwrap(), b"2");
        assert_eq!(body.chunk().await.unwrap(), None);
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!(trailers.get("x-sum").as_deref(), Some("3"));
    });
}

#[test]
fn a_failing_writer_breaks_the_body_off() {
    run(async {
        let mut body = Body::from_writer(|mut out| async move {
            out.write("a").await?;
            Err(Error::msg("no more"))
        });
        assert_eq!(body.chunk().await.unwrap().unwrap(), b"a");
        assert_eq!(body.chunk().await.unwrap_err().to_string(), "no more");
    });
}

#[test]
fn a_body_longer_than_allowed_is_refused_and_one_as_long_is_not() {
    run(async {
        let chunks = || Body::from_stream(Chunks(vec![Ok(b"abc".to_vec()), Ok(b"de".to_vec())]));
        assert_eq!(chunks().bytes_up_to(5).await.unwrap(), b"abcde");
        assert!(chunks().bytes_up_to(4).await.unwrap_err().to_string().contains("4 bytes"));
    });
}

#[test]
fn text_must_be_utf8() {
    run(async {
        assert_eq!(Body::from("grün").text().await.unwrap(), "grün");
        assert!(Body::from(vec![0xff]).text().await.unwrap_err().to_string().contains("UTF-8"));
    });
}

#[test]
fn trailers_come_after_what_was_not_read() {
    run(async {
        let mut trailers = Headers::new();
        trailers.set("x-end", "1").unwrap();
        let mut body = Body::from("skipped").with_trailers(trailers);
        assert_eq!(body.known_length(), None, "a length would leave no room for trailers");
        assert_eq!(body.trailers().await.unwrap().unwrap().get("x-end").as_deref(), Some("1"));
        assert_eq!(body.chunk().await.unwrap(), None);
    });
}
