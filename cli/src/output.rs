//! What a person or a program reads from a command: tables, JSON, notes and progress.
//!
//! Owns standard output and standard error; nothing else in this crate prints. Results go to standard
//! output, everything else to standard error. It must never pass on control characters that came from
//! elsewhere (a terminal obeys them), and never fail a command because a pipe was closed.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The two streams of this process, or two buffers in a test. Cheap to clone.
#[derive(Clone)]
pub struct Output {
    streams: Arc<Mutex<Streams>>,
    terminal: bool,
}

struct Streams {
    results: Box<dyn Write + Send>,
    notes: Box<dyn Write + Send>,
    /// Whether they are this process's own.
    own: bool,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Output {
    /// Standard output and standard error.
    pub fn stdio() -> Self {
        let (results, notes) = (Box::new(std::io::stdout()), Box::new(std::io::stderr()));
        let streams = Streams { results, notes, own: true };
        Self { streams: Arc::new(Mutex::new(streams)), terminal: std::io::stderr().is_terminal() }
    }

    /// Two other streams, for tests and for embedding.
    pub fn to(results: Box<dyn Write + Send>, notes: Box<dyn Write + Send>) -> Self {
        Self { streams: Arc::new(Mutex::new(Streams { results, notes, own: false })), terminal: false }
    }

    /// From now on writes to the streams of this process through these, which must not wait for a reader. What was made
    /// for other streams keeps them.
    pub fn go_through(&self, results: Box<dyn Write + Send>, notes: Box<dyn Write + Send>) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.own {
            *streams = Streams { results, notes, own: true };
        }
    }

    /// Whether a person is looking at standard error.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One line of result.
    pub fn line(&self, text: &str) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        write_line(&mut streams.results, text);
    }

    /// One or more lines beside the result: what is being done, what went wrong.
    pub fn note(&self, text: &str) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        for line in text.lines() {
            write_line(&mut streams.notes, line);
        }
    }

    /// A result as JSON, indented.
    pub fn json(&self, value: &serde_json::Value) {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        // `{:#}` of a JSON value escapes control characters already.
        write_raw(&mut streams.results, &format!("{value:#}\n"));
    }

    /// A table with aligned columns, or `empty` when it has no row.
    pub fn table(&self, headers: &[&str], rows: &[Vec<String>], empty: &str) {
        if rows.is_empty() {
            self.note(empty);
            return;
        }
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
        let widths: Vec<usize> = headers
            .iter()
            .enumerate()
            .map(|(column, header)| {
                let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
                cells.chain(std::iter::once(header.chars().count())).max().unwrap_or(0)
            })
            .collect();
        self.line(&aligned(headers.iter().copied(), &widths));
        for row in &rows {
            self.line(&aligned(row.iter().map(String::as_str), &widths));
        }
    }

    /// Names and values of one thing, one to a line.
    pub fn fields(&self, fields: &[(&str, String)]) {
        let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in fields {
            self.line(format!("{name:width$}  {}", clean(value)).trim_end());
        }
    }

    /// Progress of an upload of `total` bytes: a bar on a terminal, one plain line elsewhere.
    pub fn upload(&self, what: &str, total: u64) -> Progress {
        if !self.terminal {
            self.note(&format!("uploading {what} ({})", bytes(total)));
            return Progress(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes}/{total_bytes}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(format!("uploading {}", clean(what)));
        Progress(bar)
    }
}

/// A bar that is being drawn, or not. Gone from the screen when dropped.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// Nothing is drawn and nothing is said.
    pub fn none() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Counts `bytes` more as done.
    pub fn add(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    /// Turns the bar into a spinner: all is sent, the other side is working.
    pub fn wait(&self, what: &str) {
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            self.0.set_style(style);
        }
        self.0.set_message(clean(what));
        self.0.enable_steady_tick(Duration::from_millis(100));
    }

    /// Takes it off the screen.
    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}

/// A number of bytes as people read it.
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// The text without characters that a terminal would obey; tabs and newlines become spaces.
pub fn clean(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\t' | '\n' => Some(' '),
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

fn aligned<'a>(cells: impl Iterator<Item = &'a str>, widths: &[usize]) -> String {
    let padded: Vec<String> = cells.zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    padded.join("  ").trim_end().to_owned()
}

fn write_line(stream: &mut Box<dyn Write + Send>, text: &str) {
    write_raw(stream, &format!("{}\n", clean(text)));
}

/// A closed pipe is the reader's choice and no failure of ours; there is nobody left to tell.
fn write_raw(stream: &mut Box<dyn Write + Send>, text: &str) {
    if stream.write_all(text.as_bytes()).is_ok() {
        stream.flush().ok();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What was written to one stream.
    #[derive(Clone, Default)]
    pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buffer);
            Ok(buffer.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// An output whose two streams can be read again.
    pub(crate) fn captured() -> (Output, Sink, Sink) {
        let (results, notes) = (Sink::default(), Sink::default());
        (Output::to(Box::new(results.clone()), Box::new(notes.clone())), results, notes)
    }

    #[test]
    fn a_table_is_aligned_and_has_no_trailing_blanks() {
        let (output, results, _) = captured();
        let rows = [vec!["production".into(), "2".into()], vec!["é".into(), String::new()]];
        output.table(&["NAME", "SCRIPTS"], &rows, "none");
        assert_eq!(results.text(), "NAME        SCRIPTS\nproduction  2\né\n");
    }

    #[test]
    fn an_empty_table_says_so_beside_the_result() {
        let (output, results, notes) = captured();
        output.table(&["NAME"], &[], "no namespaces");
        assert_eq!(results.text(), "");
        assert_eq!(notes.text(), "no namespaces\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let (output, results, _) = captured();
        output.table(&["NAME"], &[vec!["a\u{1b}[31mb\nc".into()]], "");
        output.line("x\u{7}y");
        assert_eq!(results.text(), "NAME\na[31mb c\nxy\n");
    }

    #[test]
    fn json_is_what_was_given() {
        let (output, results, _) = captured();
        output.json(&serde_json::json!([{"name": "a\u{1b}"}]));
        let back: serde_json::Value = serde_json::from_str(&results.text()).unwrap();
        assert_eq!(back, serde_json::json!([{"name": "a\u{1b}"}]));
        assert!(!results.text().contains('\u{1b}'));
    }

    #[test]
    fn an_upload_away_from_a_terminal_is_one_plain_line() {
        let (output, _, notes) = captured();
        let progress = output.upload("a.wasm", 2048);
        progress.add(2048);
        progress.done();
        assert_eq!(notes.text(), "uploading a.wasm (2.00 KiB)\n");
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (_, notes) = ((), Sink::default());
        let output = Output::to(Box::new(Closed), Box::new(notes.clone()));
        output.line("lost");
        output.note("kept");
        assert_eq!(notes.text(), "kept\n");
    }
}
