//! From a log into the past: what the log's pages replace.
//!
//! The file of the database is as it was when the log began. So what a step replaced is in an earlier frame of the log, or
//! in the file.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use super::past::Past;
use super::segment::Filling;
use super::times::{Step, Times};
use super::wal::Wal;
use super::{Files, page, pages};

/// Keeps what the log in `files` replaces, as far as it is not kept yet. It is on the disk when this returns, and the log
/// may be moved into its file.
pub(crate) fn keep(files: &Files, times: &Times, past: &mut Past) -> io::Result<()> {
    let Some(wal) = Wal::read(&files.wal)? else { return Ok(()) };
    let tail = past.tail()?.filter(|tail| tail.heading.salt == wal.salt);
    let kept = tail.map_or(0, |tail| tail.heading.frames);
    let main = File::open(&files.main)?;
    let mut keeper =
        Keeper { newest: HashMap::new(), pages: pages(&main)?, wal: &wal, main, filling: Filling::default() };
    keeper.pass(0, kept);
    let frames = u32::try_from(wal.frames.len()).unwrap_or(u32::MAX);
    for step in times.steps(kept, frames) {
        keeper.step(step, past)?;
    }
    keeper.flush(frames, past)?;
    past.sync()
}

struct Keeper<'w> {
    wal: &'w Wal,
    main: File,
    /// The newest frame of each page, of the frames so far.
    newest: HashMap<u32, u32>,
    /// How many pages the database had after the frames so far.
    pages: u32,
    filling: Filling,
}

impl Keeper<'_> {
    /// Goes over frames.
    fn pass(&mut self, from: u32, to: u32) {
        let frames = self.wal.frames.get(from as usize..to as usize).unwrap_or_default();
        for (number, frame) in (from..).zip(frames) {
            self.newest.insert(frame.page, number);
            if frame.pages > 0 {
                self.pages = frame.pages;
            }
        }
    }

    /// Keeps what one step replaced.
    fn step(&mut self, step: Step, past: &mut Past) -> io::Result<()> {
        let frames = self.wal.frames.get(step.from as usize..step.to as usize).unwrap_or_default();
        let after =
            frames.iter().rev().map(|frame| frame.pages).find(|pages| *pages > 0).unwrap_or(self.pages);
        let mut replaced: Vec<u32> =
            frames.iter().map(|frame| frame.page).filter(|page| *page <= self.pages).collect();
        // Pages that a shorter file lacks are in no frame.
        replaced.extend(after.saturating_add(1)..=self.pages);
        replaced.sort_unstable();
        replaced.dedup();
        self.filling.begin(step.first, step.last, self.pages);
        for number in replaced {
            if self.filling.is_full() {
                // Of a step that is not whole nothing counts as kept.
                self.flush(step.from, past)?;
                self.filling.begin(step.first, step.last, self.pages);
            }
            let bytes = match self.newest.get(&number) {
                Some(frame) => self.wal.page(*frame as usize)?,
                None => page(&self.main, number)?,
            };
            self.filling.add(number, &bytes);
        }
        self.pass(step.from, step.to);
        Ok(())
    }

    fn flush(&mut self, frames: u32, past: &mut Past) -> io::Result<()> {
        if self.filling.is_empty() {
            return Ok(());
        }
        let segment = self.filling.finish(self.wal.salt, frames)?;
        past.add(&segment)
    }
}
