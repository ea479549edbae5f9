//! Tails: who is told what, and what becomes of a slow reader.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, Method};
use serde_json::json;

use super::*;
use crate::event::{RequestHead, Trigger, Usage};
use crate::level::Level;

fn script(namespace: &str, name: &str) -> ScriptKey {
    ScriptKey::user(namespace.parse().unwrap(), name.parse().unwrap())
}

fn line(ray: &str, number: u32, script: &ScriptKey, text: &str) -> Event {
    Event::Log(Arc::new(LogRecord {
        time: SystemTime::now(),
        ray_id: Arc::from(ray),
        number,
        script: script.clone(),
        level: Level::Warn,
        stream: "stderr",
        text: text.to_owned(),
    }))
}

fn record(ray: &str, number: u32, script: &ScriptKey) -> InvocationRecord {
    let mut headers = HeaderMap::new();
    headers.insert("x-kind", "special one".parse().unwrap());
    let head = RequestHead { headers, client: Some("192.0.2.7".parse().unwrap()) };
    InvocationRecord {
        time: SystemTime::now(),
        ray_id: Arc::from(ray),
        number,
        trigger: Trigger::Fetch {
            method: Method::POST,
            url: "http://shop.test/orders?page=2".parse().unwrap(),
            head: Some(Arc::new(head)),
        },
        outcome: "ok",
        fault: None,
        usage: Usage {
            script: script.clone(),
            version: "v1".to_owned(),
            depth: 0,
            status: Some(201),
            cpu: Duration::from_micros(1_500),
            fuel: None,
            wall: Duration::from_millis(2),
            instantiation: Duration::ZERO,
            peak_memory_bytes: 0,
            subrequests: 0,
            bytes_in: 0,
            bytes_out: 0,
            log_lines: 0,
            log_dropped: 0,
        },
    }
}

fn end(ray: &str, number: u32, script: &ScriptKey) -> Event {
    Event::Invocation(Arc::new(record(ray, number, script)))
}

#[tokio::test]
async fn an_invocation_is_told_with_its_own_lines_to_whoever_watches_it() {
    let tails = Tails::default();
    let (shop, blog, other) =
        (script("production", "shop"), script("production", "blog"), script("other", "shop"));
    assert!(!tails.wants_heads(&shop));
    let mut one = tails.open(Watched::Script(shop.clone())).unwrap();
    let mut all = tails.open(Watched::Namespace("production".parse().unwrap())).unwrap();
    assert!(tails.wants_heads(&shop) && tails.wants_heads(&blog) && !tails.wants_heads(&other));
    for event in [
        line("a", 0, &shop, "first"),
        line("b", 0, &shop, "of another request"),
        line("a", 1, &blog, "of another script"),
        line("a", 0, &shop, "second"),
        line("a", 0, &other, "of a stranger"),
        end("a", 0, &shop),
        end("a", 1, &blog),
        end("c", 0, &other),
    ] {
        tails.event(&event);
    }
    let (told, lost) = one.next().await.unwrap();
    let texts: Vec<&str> = told.lines.iter().map(|line| line.text.as_str()).collect();
    assert_eq!((texts, lost), (vec!["first", "second"], 0));
    let message = told.message(0);
    assert_eq!(message["event"]["request"]["url"], "http://shop.test/orders?page=2");
    assert_eq!(message["event"]["request"]["headers"], json!({"x-kind": "special one"}));
    assert_eq!(message["event"]["response"], json!({"status": 201}));
    assert_eq!(message["logs"][1]["message"], json!(["second"]));
    assert_eq!(message["logs"][1]["level"], "warn");
    assert_eq!((&message["dispatchNamespace"], &message["cpuTime"]), (&json!("production"), &json!(1.5)));
    assert_eq!(all.next().await.unwrap().0.record.number, 0);
    assert_eq!(all.next().await.unwrap().0.lines[0].text, "of another script");
    drop(one);
    drop(all);
    tails.event(&line("b", 0, &shop, "to nobody"));
    assert!(!tails.wants_heads(&shop) && tails.0.lock().underway.lines.is_empty());
}

#[tokio::test]
async fn a_reader_that_is_too_slow_loses_invocations_and_is_told_how_many() {
    let tails = Tails::default();
    let shop = script("production", "shop");
    let mut tail = tails.open(Watched::Script(shop.clone())).unwrap();
    for number in 0..100 {
        tails.event(&end("a", number, &shop));
    }
    for number in 0..64 {
        let (told, lost) = tail.next().await.unwrap();
        // What is lost is told with what is read first after it was.
        assert_eq!((told.record.number, lost), (number, if number == 0 { 36 } else { 0 }));
    }
    tails.event(&end("a", 100, &shop));
    assert_eq!(tail.next().await.map(|(told, lost)| (told.record.number, lost)), Some((100, 0)));
}

#[test]
fn lines_without_an_end_are_bounded() {
    let tails = Tails::default();
    let shop = script("production", "shop");
    let _tail = tails.open(Watched::Script(shop.clone())).unwrap();
    let long = "x".repeat(1 << 20);
    for number in 0..40 {
        tails.event(&line("a", number, &shop, &long));
    }
    let held = |tails: &Tails| {
        let state = tails.0.lock();
        (state.underway.bytes, state.underway.lines.len())
    };
    assert!(held(&tails).0 <= LINES_BYTES && held(&tails).1 == 40, "{:?}", held(&tails));
    for number in 0..20_000 {
        tails.event(&line("b", number, &shop, ""));
    }
    assert_eq!(held(&tails).1, UNDERWAY);
    assert_eq!(tails.0.lock().underway.order.len(), UNDERWAY);
}

#[test]
fn there_are_so_many_tails_and_not_one_more() {
    let tails = Tails::default();
    let watched = || Watched::Script(script("production", "shop"));
    let mut open: Vec<Tail> = (0..MOST_TAILS).map(|_| tails.open(watched()).unwrap()).collect();
    assert_eq!(tails.open(watched()).err(), Some(TooManyTails));
    open.pop();
    tails.open(watched()).unwrap();
}

#[test]
fn filters_take_what_they_say_and_all_of_them_have_to() {
    let shop = script("production", "shop");
    let Event::Log(said) = line("a", 0, &shop, "a needle here") else { unreachable!() };
    let traced = Traced { record: Arc::new(record("a", 0, &shop)), lines: vec![said], truncated: false };
    let caller = Some("192.0.2.7".parse().unwrap());
    let takes = |wire: serde_json::Value| {
        let filters = Filter::list(&[wire], caller).unwrap();
        filters.iter().all(|filter| filter.takes(&traced))
    };
    for (wire, wanted) in [
        (json!({"outcome": ["ok"]}), true),
        (json!({"outcome": ["exception", "exceededCpu"]}), false),
        (json!({"method": ["GET", "post"]}), true),
        (json!({"method": ["GET"]}), false),
        (json!({"header": {"key": "X-Kind"}}), true),
        (json!({"header": {"key": "x-kind", "query": "special"}}), true),
        (json!({"header": {"key": "x-kind", "query": "usual"}}), false),
        (json!({"header": {"key": "x-other"}}), false),
        (json!({"client_ip": ["self"]}), true),
        (json!({"client_ip": ["192.0.2.8"]}), false),
        (json!({"query": "needle"}), true),
        (json!({"query": "page=2"}), true),
        (json!({"query": "absent"}), false),
        (json!({"scriptVersion": "v1"}), true),
        (json!({"scriptVersion": "v2"}), false),
        (json!({"sampling_rate": 1}), true),
        (json!({"sampling_rate": 0}), false),
    ] {
        assert_eq!(takes(wire.clone()), wanted, "{wire}");
    }
    for (wire, rule) in [
        (json!({"sampling_rate": 2}), "from 0 to 1"),
        (json!({"client_ip": ["nowhere"]}), "IP addresses"),
        (json!({"header": {}}), "header.key"),
        (json!({"unheard-of": 1}), "one of sampling_rate"),
    ] {
        let error = Filter::list(&[json!({"query": "x"}), wire], caller).unwrap_err().to_string();
        assert!(error.starts_with("filter 1: ") && error.contains(rule), "{error}");
    }
}

#[test]
fn a_sample_is_about_as_large_as_asked_for() {
    let filters = Filter::list(&[json!({"sampling_rate": 0.25})], None).unwrap();
    let shop = script("production", "shop");
    let taken = (0..4_000).filter(|number| {
        let record = Arc::new(record(&format!("ray-{number}"), 0, &shop));
        filters[0].takes(&Traced { record, lines: Vec::new(), truncated: false })
    });
    let taken = taken.count();
    assert!((850..1_150).contains(&taken), "{taken} of 4000");
}
