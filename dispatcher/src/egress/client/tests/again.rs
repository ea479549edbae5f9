//! Origins that close a kept connection when the next request comes: where nothing is lost by it, it is sent again.

use http::Method;

use super::*;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// How a connection ends for its second request.
#[derive(Clone, Copy, Debug)]
enum Ends {
    /// It is closed.
    Closed,
    /// It is reset.
    Reset,
    /// It is closed in the middle of a head.
    InAHead,
}

/// An origin that answers the first request of each connection, reads the second one, and ends the connection. Counts
/// requests.
async fn closing(ends: Ends) -> (String, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let (address, connections) = origin(move |mut stream| {
        let requests = Arc::clone(&counted);
        async move {
            head(&mut stream).await.unwrap();
            requests.fetch_add(1, Ordering::SeqCst);
            stream.write_all(OK).await.unwrap();
            if head(&mut stream).await.is_none() {
                return;
            }
            requests.fetch_add(1, Ordering::SeqCst);
            match ends {
                Ends::Closed => {}
                Ends::Reset => stream.set_zero_linger().unwrap(),
                Ends::InAHead => stream.write_all(b"HTTP/1.1 200").await.unwrap(),
            }
        }
    })
    .await;
    (format!("http://origin.test:{}/", address.port()), requests, connections)
}

fn asking(method: &Method, url: &str, body: Body) -> OutboundRequest {
    let request = Request::builder().method(method).uri(url).header("x-own", "1").body(body).unwrap();
    OutboundRequest { request, ..get(url) }
}

/// What comes of the second request over a connection: its status, or the error.
async fn second(method: &Method, ends: Ends, body: Body) -> (String, usize, usize) {
    let (url, requests, connections) = closing(ends).await;
    let egress = egress_of(patient());
    let first = egress.send(Sender::Platform, get(&url)).await.unwrap();
    assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "ok");
    let came = match egress.send(Sender::Platform, asking(method, &url, body)).await {
        Ok(response) => response.status().as_str().to_owned(),
        Err(error) => format!("{error:?}"),
    };
    (came, requests.load(Ordering::SeqCst), connections.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_request_that_may_come_twice_is_sent_again_where_its_kept_connection_ends() {
    for ends in [Ends::Closed, Ends::Reset] {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let came = second(&method, ends, body::empty()).await;
            assert_eq!(came, ("200".to_owned(), 3, 2), "{method} {ends:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_turns_out_to_be_empty_is_none() {
    let empty = StreamBody::new(stream::empty::<Result<Frame<Bytes>, BodyError>>());
    let came = second(&Method::PUT, Ends::Closed, empty.boxed_unsync()).await;
    assert_eq!(came, ("200".to_owned(), 3, 2));
}

#[tokio::test]
async fn what_may_not_come_twice_or_has_a_body_is_sent_once() {
    for (method, with) in
        [(Method::POST, ""), (Method::PATCH, ""), (Method::PUT, "body"), (Method::POST, "body")]
    {
        let body = if with.is_empty() { body::empty() } else { body::full(with) };
        let (came, requests, connections) = second(&method, Ends::Closed, body).await;
        // What is left unread of a body makes a reset of the end.
        assert!(["HttpResponseIncomplete", "ConnectionTerminated"].contains(&came.as_str()), "{came}");
        assert_eq!((requests, connections), (2, 1), "{method} {with}");
    }
}

#[tokio::test]
async fn where_an_answer_has_begun_nothing_is_sent_again() {
    let came = second(&Method::GET, Ends::InAHead, body::empty()).await;
    assert_eq!(came, ("HttpResponseIncomplete".to_owned(), 2, 1));
}

#[tokio::test]
async fn a_connection_that_is_new_is_not_tried_twice() {
    let (address, connections) = origin(|mut stream| async move {
        head(&mut stream).await;
    })
    .await;
    let egress = egress_of(patient());
    let came = code(&egress, get(&format!("http://origin.test:{}/", address.port()))).await;
    assert_eq!((came.as_str(), connections.load(Ordering::SeqCst)), ("HttpResponseIncomplete", 1));
}
