//! Connections: kept and used again, each sender's own, and no more than there may be.

use futures::future::join_all;
use wasmyard_namespaces::{EgressRules, Namespace, NamespaceName, NewNamespace, Registry};

use super::*;

/// A namespace with these rules.
async fn namespace(name: &str, rules: Option<EgressRules>) -> Arc<Namespace> {
    let registry = Registry::in_memory().await.unwrap();
    let new = NewNamespace { egress: rules, ..NewNamespace::named(NamespaceName::parse(name).unwrap()) };
    registry.create_namespace(new).await.unwrap()
}

async fn answered(egress: &NetworkEgress, sender: Sender, url: &str) -> Result<(), String> {
    let response = egress.send(sender, get(url)).await.map_err(|error| format!("{error:?}"))?;
    let body = response.into_body().collect().await.map_err(|error| format!("{error:?}"))?;
    assert_eq!(body.to_bytes(), "ok");
    Ok(())
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn under_steady_load_more_than_99_of_100_requests_find_a_connection() {
    const WORKERS: usize = 16;
    const EACH: usize = 200;
    let (address, connections) = saying(ANSWER).await;
    let (shown, figures) = figures();
    let egress = NetworkEgress::with(patient(), figures, Arc::new(names()), RootCertStore::empty()).unwrap();
    let url = format!("http://origin.test:{}/", address.port());
    let sender = Sender::Namespace(namespace("production", None).await);
    let worker = || async {
        for _ in 0..EACH {
            answered(&egress, sender.clone(), &url).await.unwrap();
        }
    };
    join_all((0..WORKERS).map(|_| worker())).await;
    let opened = connections.load(Ordering::SeqCst);
    assert!(opened * 100 < WORKERS * EACH, "{opened} connections for {} requests", WORKERS * EACH);
    assert_eq!(shown("wasmyard_egress_connections_opened_total"), opened as f64);
    let reused = shown("wasmyard_egress_connections_reused_total");
    assert!(reused >= (WORKERS * EACH) as f64 * 0.99, "{reused}");
    assert_eq!(shown("wasmyard_egress_requests_total"), (WORKERS * EACH) as f64);
}

#[tokio::test]
async fn no_sender_uses_a_connection_of_another_and_rules_that_changed_open_new_ones() {
    let (address, connections) = saying(ANSWER).await;
    let egress = open();
    let url = format!("http://{address}/");
    let one = namespace("one", None).await;
    let two = namespace("two", None).await;
    for _ in 0..3 {
        for sender in
            [Sender::Platform, Sender::Namespace(Arc::clone(&one)), Sender::Namespace(Arc::clone(&two))]
        {
            answered(&egress, sender, &url).await.unwrap();
        }
    }
    assert_eq!(connections.load(Ordering::SeqCst), 3);

    let with = |rules: EgressRules| {
        Sender::Namespace(Arc::new(Namespace { egress: Some(Arc::new(rules)), ..(*one).clone() }))
    };
    let ports = |ports: &[u16]| EgressRules { ports: Some(ports.to_vec()), ..EgressRules::default() };
    let refused = answered(&egress, with(ports(&[443])), &url).await;
    assert_eq!(refused, Err("HttpRequestDenied".to_owned()), "the open connection is not asked");
    for expected in [4, 4] {
        answered(&egress, with(ports(&[address.port()])), &url).await.unwrap();
        assert_eq!(connections.load(Ordering::SeqCst), expected, "the same rules read anew are the same");
    }
}

#[tokio::test]
async fn one_host_gets_so_many_connections_and_whoever_waits_is_served_by_those() {
    let open_now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (counted, seen) = (Arc::clone(&open_now), Arc::clone(&most));
    let (address, _) = origin(move |mut stream| {
        let (counted, seen) = (Arc::clone(&counted), Arc::clone(&seen));
        async move {
            seen.fetch_max(counted.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            while head(&mut stream).await.is_some() {
                if stream.write_all(ANSWER.as_bytes()).await.is_err() {
                    break;
                }
            }
            counted.fetch_sub(1, Ordering::SeqCst);
        }
    })
    .await;
    let egress = egress_of(EgressConfig { max_connections_per_host: 4, ..patient() });
    let url = format!("http://{address}/");
    let answers = join_all((0..200).map(|_| answered(&egress, Sender::Platform, &url))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert!(most.load(Ordering::SeqCst) <= 4, "{most:?}");
}

#[tokio::test]
async fn a_namespace_that_holds_all_it_may_have_waits_for_itself_and_nobody_else_does() {
    let (stalled, _) = saying("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
    let (good, _) = saying(ANSWER).await;
    let egress = egress_of(EgressConfig {
        max_connections: 8,
        max_connections_per_namespace: 4,
        connect_timeout: SOON,
        ..patient()
    });
    let greedy = Sender::Namespace(namespace("greedy", None).await);
    let other = Sender::Namespace(namespace("other", None).await);
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(egress.send(greedy.clone(), get(&format!("http://{stalled}/"))).await.unwrap());
    }
    let url = format!("http://{good}/");
    let began = std::time::Instant::now();
    assert_eq!(answered(&egress, greedy.clone(), &url).await, Err("ConnectionLimitReached".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for sender in [other, Sender::Platform] {
        assert_eq!(answered(&egress, sender, &url).await, Ok(()));
    }
    held.pop();
    assert_eq!(answered(&egress, greedy, &url).await, Ok(()));
}

#[tokio::test]
async fn kept_connections_give_their_places_to_whoever_needs_them_and_are_kept_until_then() {
    const HOSTS: usize = 12;
    let mut urls = Vec::new();
    let mut accepted = Vec::new();
    for _ in 0..HOSTS {
        let (address, connections) = saying(ANSWER).await;
        urls.push(format!("http://{address}/"));
        accepted.push(connections);
    }
    let opened = || accepted.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>();
    let egress =
        egress_of(EgressConfig { max_connections: 8, max_connections_per_namespace: 4, ..patient() });
    let one = Sender::Namespace(namespace("one", None).await);
    // As many hosts as there are places: all are kept, and every request after the first finds its own.
    for _ in 0..10 {
        for url in &urls[..4] {
            answered(&egress, one.clone(), url).await.unwrap();
        }
    }
    assert_eq!(opened()[..4], [1; 4]);
    // More hosts than places: each still gets its turn.
    for url in &urls {
        answered(&egress, one.clone(), url).await.unwrap();
    }
    // And what one sender keeps makes room for others when all places are taken.
    for name in ["two", "three", "four"] {
        let sender = Sender::Namespace(namespace(name, None).await);
        for url in &urls[..4] {
            answered(&egress, sender.clone(), url).await.unwrap();
        }
    }
    assert_eq!(opened()[..4], [4; 4]);
}

#[tokio::test]
async fn under_full_use_connections_are_used_again_all_the_same() {
    let (address, connections) = saying(ANSWER).await;
    let egress =
        egress_of(EgressConfig { max_connections: 16, max_connections_per_namespace: 16, ..patient() });
    let url = format!("http://{address}/");
    let worker = || async {
        for _ in 0..100 {
            answered(&egress, Sender::Platform, &url).await.unwrap();
        }
    };
    join_all((0..16).map(|_| worker())).await;
    let opened = connections.load(Ordering::SeqCst);
    assert!(opened <= 16, "{opened} connections for 1600 requests");
}

#[tokio::test]
async fn figures_say_how_every_request_ended() {
    let (shown, figures) = figures();
    let mut policy = Policy::default();
    policy.allow_loopback();
    let egress =
        NetworkEgress::with(short(policy), figures, Arc::new(names()), RootCertStore::empty()).unwrap();
    let (good, _) = saying(ANSWER).await;
    let (silent, _) = origin(holding).await;
    let (nonsense, _) = saying("220 smtp ready\r\n\r\n").await;
    let (plain, _) = origin(|mut stream| async move {
        stream.write_all(b"220 smtp ready\r\n").await.unwrap();
        holding(stream).await;
    })
    .await;
    let (half, _) = origin(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await.unwrap();
    })
    .await;
    // Bound and not listened on: nobody else gets the port meanwhile.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind(std::net::SocketAddr::from((LOOPBACK, 0))).unwrap();
    let closed = nobody.local_addr().unwrap();
    for (url, result) in [
        (format!("http://origin.test:{}/", good.port()), "ok"),
        ("http://10.0.0.1/".to_owned(), "refused"),
        ("http://nobody.test/".to_owned(), "dns"),
        (format!("http://{closed}/"), "connect"),
        (format!("https://{plain}/"), "tls"),
        (format!("http://{silent}/"), "timeout"),
        (format!("http://{nonsense}/"), "protocol"),
        (format!("http://{half}/"), "reset"),
    ] {
        let series = format!("wasmyard_egress_requests_total{{result={result:?}}}");
        let before = shown(&series);
        let _ended = answered(&egress, Sender::Platform, &url).await;
        assert_eq!(shown(&series), before + 1.0, "{url}: {result}");
    }
    // Whoever goes away in the middle is counted, too.
    let response = egress.send(Sender::Platform, get(&format!("http://{half}/"))).await.unwrap();
    drop(response);
    let waiting = egress.send(Sender::Platform, get(&format!("http://{silent}/")));
    assert!(waiting.now_or_never().is_none());
    assert_eq!(shown(r#"wasmyard_egress_requests_total{result="canceled"}"#), 2.0);

    assert_eq!(shown(r#"wasmyard_egress_refused_total{rule="address"}"#), 1.0);
    assert_eq!(shown("wasmyard_egress_dns_seconds_count"), 2.0);
    assert!(shown(r#"wasmyard_egress_bytes_total{direction="received"}"#) > ANSWER.len() as f64);
    assert!(shown(r#"wasmyard_egress_bytes_total{direction="sent"}"#) > 100.0);
    drop(egress);
    let mut waited = 0;
    while shown("wasmyard_egress_connections") > 0.0 {
        waited += 1;
        assert!(waited < 1_000, "{} connections are still open", shown("wasmyard_egress_connections"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
