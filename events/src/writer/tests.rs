use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};

use prometheus::TextEncoder;
use serde_json::Value;

use super::*;
use crate::event::LogRecord;
use crate::level::Level as LogLevel;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A stream whose reader can pause: each write waits for a turn of the reader's.
struct Paused {
    turns: Receiver<()>,
    seen: Seen,
}

/// What was written.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap()
    }

    fn json(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Write for Seen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Paused {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A reader that is gone takes all.
        let _closed = self.turns.recv();
        self.seen.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn paused() -> (LogWriter, Seen, SyncSender<()>) {
    let (turn, turns) = mpsc::sync_channel(0);
    let seen = Seen::default();
    let writer = LogWriter::to(Form::Json, Seen::default(), Paused { turns, seen: seen.clone() }).unwrap();
    (writer, seen, turn)
}

fn printed(script: &str, text: String) -> Line {
    Line::Event(Event::Log(Arc::new(LogRecord {
        time: std::time::SystemTime::now(),
        ray_id: Arc::from("0123456789abcdef"),
        number: 0,
        script: ScriptKey::Platform(script.parse().unwrap()),
        level: LogLevel::Log,
        stream: "stdout",
        text,
    })))
}

fn dropped(writer: &LogWriter, kind: &str) -> f64 {
    let registry = Registry::new();
    writer.register(&registry).unwrap();
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let series = format!("wasmyard_log_dropped_total{{kind=\"{kind}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse().unwrap()
}

#[test]
fn lines_are_written_in_order_each_to_its_stream() {
    let (output, error) = (Seen::default(), Seen::default());
    let writer = LogWriter::to(Form::Json, output.clone(), error.clone()).unwrap();
    let mut out = writer.stream(Stream::Output);
    let mut err = writer.stream(Stream::Error);
    for number in 0..1_000 {
        out.write_all(format!("out {number}\n").as_bytes()).unwrap();
        err.write_all(format!("{{\"message\":\"err {number}\"}}\n").as_bytes()).unwrap();
        writer.push(printed("a", format!("event {number}")));
    }
    assert!(writer.flush(PATIENCE));
    let lines: Vec<String> = output.text().lines().map(str::to_owned).collect();
    assert_eq!(lines, (0..1_000).map(|number| format!("out {number}")).collect::<Vec<_>>());
    let messages: Vec<String> =
        error.json().iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<String> =
        (0..1_000).flat_map(|number| [format!("err {number}"), format!("event {number}")]).collect();
    assert_eq!(messages, expected);
}

#[test]
fn a_stream_that_nobody_reads_costs_lines_and_a_bounded_amount_of_memory_and_nobody_waits() {
    let (writer, seen, turn) = paused();
    let mut platform = writer.stream(Stream::Error);
    let line = format!("{}\n", "x".repeat(1 << 20));
    for _ in 0..16 {
        platform.write_all(line.as_bytes()).unwrap();
    }
    for number in 0..100_000 {
        writer.push(printed("flood", format!("{number} {}", "y".repeat(200))));
    }
    writer.push(printed("neighbour", "still heard".to_owned()));
    assert!(!writer.flush(Duration::from_millis(1)), "a flush is bounded");
    let lost = [dropped(&writer, "platform"), dropped(&writer, "script"), dropped(&writer, "access")];
    // The platform's lane has room for four of a megabyte, and the writer may have some of them in hand.
    assert!((9.0..=13.0).contains(&lost[0]), "{lost:?}");
    assert!(lost[1] > 50_000.0 && lost[2] == 0.0, "{lost:?}");
    // The reader is back, and is told what it missed.
    drop(turn);
    assert!(writer.flush(PATIENCE));
    let text = seen.text();
    let told = text.lines().filter(|line| line.contains("wasmyard::log"));
    let told: Vec<Value> = told.map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = |kind: &str| told.iter().map(|line| line[kind].as_f64().unwrap()).sum::<f64>();
    assert_eq!([sum("platform"), sum("script"), sum("access")], lost);
    assert!(text.contains("still heard"), "one tenant's flood is not another's loss");
    // From here on nothing is missing.
    writer.push(printed("flood", "and on".to_owned()));
    assert!(writer.flush(PATIENCE));
    assert!(seen.text().lines().last().unwrap().contains("and on"));
}

#[test]
fn what_a_stream_refuses_is_lost_and_told_when_it_takes_lines_again() {
    struct Full(Arc<Mutex<bool>>, Seen);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if *self.0.lock().unwrap() { Err(io::ErrorKind::StorageFull.into()) } else { self.1.write(bytes) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (full, seen) = (Arc::new(Mutex::new(true)), Seen::default());
    let writer = LogWriter::to(Form::Json, Seen::default(), Full(Arc::clone(&full), seen.clone())).unwrap();
    writer.push(printed("a", "lost".to_owned()));
    assert!(writer.flush(PATIENCE));
    assert_eq!((dropped(&writer, "script"), seen.text().as_str()), (1.0, ""));
    *full.lock().unwrap() = false;
    writer.push(printed("a", "kept".to_owned()));
    assert!(writer.flush(PATIENCE));
    let lines = seen.json();
    assert_eq!((&lines[0]["message"], &lines[1]["script"]), (&Value::from("kept"), &Value::from(1)));
}

#[test]
fn a_stream_that_does_not_make_writers_wait_is_tried_again() {
    struct Hesitant(bool, Seen);
    impl Write for Hesitant {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 { Err(io::ErrorKind::WouldBlock.into()) } else { self.1.write(&bytes[..1]) }
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let seen = Seen::default();
    let writer = LogWriter::to(Form::Json, Hesitant(false, seen.clone()), Seen::default()).unwrap();
    writer.stream(Stream::Output).write_all(b"in pieces\n").unwrap();
    assert!(writer.flush(PATIENCE));
    assert_eq!(seen.text(), "in pieces\n");
}
