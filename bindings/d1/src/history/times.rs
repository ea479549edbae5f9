//! When what is in a log was committed.
//!
//! A moment begins a step: the first commit of a second, or the first one after somebody was told the present moment. Each
//! beginning is written to a file, without waiting for the disk: a power cut can take some away, and what was committed
//! then counts as the step before it, or as of the time of the log's file. A moment that somebody was told is written too:
//! what another process commits after a crash is later than it, whatever the clock says.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::{little, long};

/// Bytes of a beginning: frame, salt of nothing, moment.
const RECORD: usize = 12;
const SECOND: u64 = 1_000;

/// The beginnings of steps in one log.
#[derive(Debug)]
pub(crate) struct Times {
    path: PathBuf,
    file: Option<File>,
    begun: Vec<Begun>,
    /// The newest moment.
    last: u64,
    /// Whether the next commit begins a step in any case.
    cut: bool,
}

/// The beginning of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Begun {
    /// Its first frame.
    frame: u32,
    moment: u64,
}

/// A step: frames of a log with the moments of the first and the last commit in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Times {
    /// Those of a log that may have something in it. `past` is the newest moment that is not of this log; `wrote` is when
    /// the log was written last, if there is one.
    pub(crate) fn open(path: &Path, past: u64, wrote: Option<u64>) -> Times {
        let begun = match wrote {
            Some(_) => read(path),
            // A log that is gone was moved into its file; what a crash left of its times is of no other log.
            None => {
                drop(std::fs::remove_file(path));
                Vec::new()
            }
        };
        let newest = begun.last().map_or(0, |begun| begun.moment);
        let last = past.max(newest).max(wrote.unwrap_or_default());
        // What is added from here on is a step of its own.
        Times { path: path.to_owned(), file: None, begun, last, cut: true }
    }

    /// The newest moment.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The newest moment, for whoever may come back to it: nothing that follows, from this frame on, is of it.
    pub(crate) fn tell(&mut self, frame: u32) -> u64 {
        self.cut = true;
        if self.begun.last().is_some_and(|newest| newest.moment < self.last) {
            // A step that nothing is in yet. The next commit begins in its place.
            self.begin(Begun { frame, moment: self.last });
        }
        self.last
    }

    /// A moment that is later than all others.
    pub(crate) fn next(&mut self, now: u64) -> u64 {
        self.last = now.max(self.last + 1);
        self.last
    }

    /// Something was committed, from this frame on.
    pub(crate) fn committed(&mut self, frame: u32, now: u64) {
        let before = self.last;
        let moment = self.next(now);
        if !self.cut && !self.begun.is_empty() && moment / SECOND == before / SECOND {
            return;
        }
        self.cut = false;
        self.begin(Begun { frame, moment });
    }

    fn begin(&mut self, begun: Begun) {
        add(&mut self.begun, begun);
        if let Err(error) = self.write(begun) {
            tracing::debug!(path = %self.path.display(), %error, "the time of a commit was not written");
        }
    }

    /// The log was moved into its file.
    pub(crate) fn moved(&mut self) {
        self.begun.clear();
        if self.file.take().is_some() || self.path.exists() {
            // What is left of it belongs to no log.
            drop(std::fs::remove_file(&self.path));
        }
    }

    /// The steps of a log with so many frames, from the frame on that was not kept yet.
    pub(crate) fn steps(&self, kept: u32, frames: u32) -> Vec<Step> {
        let first = Begun { frame: 0, moment: self.begun.first().map_or(self.last, |begun| begun.moment) };
        let inner = self.begun.iter().copied().filter(|begun| begun.frame > 0 && begun.frame < frames);
        let begun: Vec<Begun> = std::iter::once(first).chain(inner).collect();
        let ends = begun.iter().skip(1).map(|next| (next.frame, Some(next.moment)));
        let steps = begun.iter().zip(ends.chain([(frames, None)])).map(|(begun, (to, next))| Step {
            from: begun.frame.max(kept),
            to,
            first: begun.moment,
            // Of a step that is over no more is known than that the next one had not begun.
            last: next.map_or(self.last, |next| {
                (begun.moment / SECOND * SECOND + SECOND - 1).min(next - 1).max(begun.moment)
            }),
        });
        steps.filter(|step| step.from < step.to).collect()
    }

    fn write(&mut self, begun: Begun) -> std::io::Result<()> {
        if self.file.is_none() {
            let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
            self.file = Some(opened);
        }
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&begun.frame.to_le_bytes());
        record[4..].copy_from_slice(&begun.moment.to_le_bytes());
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(&record))
    }
}

/// What is written, as far as it goes forward.
fn read(path: &Path) -> Vec<Begun> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut found: Vec<Begun> = Vec::new();
    for record in bytes.chunks_exact(RECORD) {
        let (Some(frame), Some(moment)) = (little(record, 0), long(record, 4)) else { break };
        if found.last().is_none_or(|last| last.frame <= frame && last.moment < moment) {
            add(&mut found, Begun { frame, moment });
        }
    }
    found
}

/// Adds a beginning, in the place of one that nothing came of.
fn add(begun: &mut Vec<Begun>, next: Begun) {
    if begun.last().is_some_and(|last| last.frame == next.frame) {
        begun.pop();
    }
    begun.push(next);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_within_a_second_is_a_step() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("times");
        let mut times = Times::open(&path, 0, None);
        for (frame, now) in [(0, 10_100), (2, 10_200), (4, 10_900), (6, 11_000), (8, 12_500), (10, 12_400)] {
            times.committed(frame, now);
        }
        assert_eq!(times.last(), 12_501, "a moment never goes back");
        times.tell(12);
        times.committed(12, 12_600);
        let steps = [
            Step { from: 0, to: 6, first: 10_100, last: 10_999 },
            Step { from: 6, to: 8, first: 11_000, last: 11_999 },
            Step { from: 8, to: 12, first: 12_500, last: 12_599 },
            Step { from: 12, to: 13, first: 12_600, last: 12_600 },
        ];
        assert_eq!(times.steps(0, 13), steps);
        assert_eq!(times.steps(7, 13)[0], Step { from: 7, ..steps[1] });
        assert_eq!(times.steps(13, 13), []);

        let again = Times::open(&path, 0, Some(13_000));
        assert_eq!(again.steps(0, 13)[..3], steps[..3]);
        assert_eq!(again.last(), 13_000);
        times.moved();
        assert_eq!(Times::open(&path, 7, None).last(), 7);
    }

    #[test]
    fn what_is_committed_after_a_crash_is_later_than_what_was_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("times");
        let mut times = Times::open(&path, 0, None);
        for frame in [0, 2, 4] {
            times.committed(frame, 10_100);
        }
        let told = times.tell(6);
        assert_eq!((told, times.tell(6)), (10_102, 10_102));
        let so_far = Step { from: 0, to: 6, first: 10_100, last: 10_102 };
        assert_eq!(times.steps(0, 6), [so_far], "a step that nothing is in is none");

        // The files' clock is behind.
        let mut again = Times::open(&path, 0, Some(9_000));
        assert_eq!((again.last(), again.steps(0, 6)), (told, vec![so_far]));
        again.committed(6, 9_500);
        let next = Step { from: 6, to: 8, first: 10_103, last: 10_103 };
        assert_eq!(again.steps(0, 8), [so_far, next]);
        assert_eq!(Times::open(&path, 0, Some(9_000)).steps(0, 8), [so_far, next]);
    }

    #[test]
    fn a_log_without_times_is_one_step() {
        let folder = tempfile::tempdir().unwrap();
        let times = Times::open(&folder.path().join("times"), 5, Some(9_000));
        assert_eq!(times.steps(0, 3), [Step { from: 0, to: 3, first: 9_000, last: 9_000 }]);
    }
}
