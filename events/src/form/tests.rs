use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, Uri};
use serde_json::{Value, json};
use wasmyard_model::script::ScriptKey;

use super::*;
use crate::event::{Fault, Trigger};
use crate::level::Level;

pub(crate) fn visit() -> VisitRecord {
    VisitRecord {
        time: SystemTime::UNIX_EPOCH,
        ray_id: Arc::from("0123456789abcdef"),
        client: IpAddr::from([127, 0, 0, 1]),
        host: Arc::from("shop.test"),
        method: Method::GET,
        path: "/\"\n\u{1b}[31m".to_owned(),
        script: Some(ScriptKey::Platform("edge".parse().unwrap())),
        user_script: Some(ScriptKey::user("production".parse().unwrap(), "shop".parse().unwrap())),
        origin: None,
        status: Some(200),
        reason: "ok",
        cut: false,
        bytes_out: 42,
        wall: Duration::from_micros(12),
    }
}

pub(crate) fn invocation(fault: Option<Fault>) -> InvocationRecord {
    InvocationRecord {
        time: SystemTime::UNIX_EPOCH,
        ray_id: Arc::from("0123456789abcdef"),
        number: 1,
        trigger: Trigger::Fetch {
            method: Method::GET,
            url: Uri::from_static("http://shop.test/?secret"),
            head: None,
        },
        outcome: if fault.is_some() { "exceededCpu" } else { "ok" },
        fault,
        usage: Usage {
            script: ScriptKey::Platform("edge".parse().unwrap()),
            version: "v1".to_owned(),
            depth: 0,
            status: Some(200),
            cpu: Duration::from_micros(5),
            fuel: None,
            wall: Duration::from_micros(6),
            instantiation: Duration::from_micros(1),
            peak_memory_bytes: 65_536,
            subrequests: 0,
            bytes_in: 0,
            bytes_out: 3,
            log_lines: 2,
            log_dropped: 0,
        },
    }
}

fn as_json(event: Event) -> Value {
    let mut line = Vec::new();
    Form::Json.write(&mut line, &event);
    let text = std::str::from_utf8(&line).unwrap();
    assert!(text.ends_with("}\n") && !text.trim_end().contains(['\n', '\u{1b}']), "{text:?}");
    serde_json::from_str(text).unwrap()
}

fn as_text(event: Event) -> String {
    let mut line = Vec::new();
    Form::Text.write(&mut line, &event);
    String::from_utf8(line).unwrap()
}

#[test]
fn an_access_line_names_the_tenant_and_is_one_json_object_whatever_the_visitor_sent() {
    let line = as_json(Event::Visit(Arc::new(visit())));
    let expected = json!({
        "timestamp": "1970-01-01T00:00:00.000000Z", "level": "INFO", "message": "request",
        "ray_id": "0123456789abcdef", "client": "127.0.0.1", "host": "shop.test", "method": "GET",
        "path": "/\"\n\u{1b}[31m", "script": "edge", "namespace": "production", "user_script": "shop",
        "status": 200, "reason": "ok", "bytes_out": 42, "wall_us": 12, "target": "wasmyard::access",
    });
    assert_eq!(line, expected);
}

#[test]
fn an_access_line_says_that_an_answer_was_cut_or_that_there_was_none() {
    let cut = VisitRecord { cut: true, reason: "exceeded_cpu", ..visit() };
    let line = as_json(Event::Visit(Arc::new(cut)));
    assert_eq!((&line["cut"], &line["status"]), (&json!("exceeded_cpu"), &json!(200)));
    let left = VisitRecord { status: None, reason: "canceled", script: None, user_script: None, ..visit() };
    let line = as_json(Event::Visit(Arc::new(left)));
    assert_eq!(
        (&line["status"], &line["script"], &line["user_script"]),
        (&json!(499), &json!(""), &Value::Null)
    );
}

#[test]
fn a_failed_invocation_is_a_warning_with_its_text_and_no_line_shows_a_query() {
    let line = as_json(Event::Invocation(Arc::new(invocation(None))));
    assert_eq!((&line["level"], &line["message"]), (&json!("DEBUG"), &json!("invocation")));
    assert!(!line.to_string().contains("secret"), "{line}");
    let fault =
        Fault { message: "Too slow.".to_owned(), limit: Some("CPU time 5 ms".to_owned()), detail: None };
    let line = as_json(Event::Invocation(Arc::new(invocation(Some(fault)))));
    let seen = (&line["level"], &line["message"], &line["limit"], &line["outcome"]);
    assert_eq!(seen, (&json!("WARN"), &json!("Too slow."), &json!("CPU time 5 ms"), &json!("exceededCpu")));
}

#[test]
fn a_line_of_a_script_has_the_time_and_the_level_at_which_it_was_written() {
    let log = LogRecord {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
        ray_id: Arc::from("0123456789abcdef"),
        number: 0,
        script: ScriptKey::Platform("edge".parse().unwrap()),
        level: Level::Error,
        stream: "stderr",
        text: "bell\u{7} and \u{1b}[31mred".to_owned(),
    };
    let line = as_json(Event::Log(Arc::new(log.clone())));
    assert_eq!(
        (&line["timestamp"], &line["log_level"]),
        (&json!("1970-01-01T00:00:01.500000Z"), &json!("error"))
    );
    assert_eq!(line["message"], "bell\u{7} and \u{1b}[31mred");
    let text = as_text(Event::Log(Arc::new(log)));
    let expected = "1970-01-01T00:00:01.500000Z  INFO bell and [31mred ray_id=\"0123456789abcdef\" script=edge \
                    stream=\"stderr\" log_level=\"error\"\n";
    assert_eq!(text, expected, "a terminal obeys nothing that a script wrote");
}

#[test]
fn lost_lines_are_counted_by_what_they_were() {
    let mut line = Vec::new();
    Form::Json.write_lost(&mut line, &[("access", 3), ("script", 0)]);
    let line: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!((&line["access"], &line["script"], &line["level"]), (&json!(3), &json!(0), &json!("WARN")));
    assert_eq!(line["target"], "wasmyard::log");
}
