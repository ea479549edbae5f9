//! The way back to a moment.
//!
//! The database is made anew beside its file, step by step, and takes the file's place when it is whole. Going back is a
//! step itself, and can be gone back over.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};

use wasmyard_sqlite::sync_folder;

use super::past::Past;
use super::segment::Filling;
use super::{Files, page, pages, place};
use crate::limits::PAGE_BYTES;

/// Goes back to `moment`, at the moment `now`. The log is empty, and nobody has the file open.
pub(crate) fn back(files: &Files, past: &mut Past, moment: u64, now: u64) -> io::Result<()> {
    let current = File::open(&files.main)?;
    drop(std::fs::remove_file(&files.anew));
    std::fs::copy(&files.main, &files.anew)?;
    let mut options = OpenOptions::new();
    let anew = options.read(true).write(true).mode(0o600).open(&files.anew)?;
    let touched = undo(&anew, past, moment)?;
    anew.sync_data()?;
    keep(&current, touched, past, now)?;
    // A crash before this leaves a step that changes nothing.
    std::fs::rename(&files.anew, &files.main)?;
    files.main.parent().map_or(Ok(()), sync_folder)
}

/// Undoes all steps that are newer than a moment. Says which pages are not what they were.
fn undo(file: &File, past: &Past, moment: u64) -> io::Result<BTreeSet<u32>> {
    let mut touched = BTreeSet::new();
    for placed in past.all()?.into_iter().rev() {
        if placed.heading.last <= moment {
            break;
        }
        for step in past.steps(placed)?.into_iter().rev().filter(|step| step.first > moment) {
            let before = pages(file)?;
            touched.extend(step.pages.saturating_add(1)..=before);
            file.set_len(u64::from(step.pages) * PAGE_BYTES as u64)?;
            for (number, bytes) in step.each {
                file.write_all_at(&bytes, place(number))?;
                touched.insert(number);
            }
        }
    }
    Ok(touched)
}

/// Keeps the pages of the present that going back replaces.
fn keep(current: &File, touched: BTreeSet<u32>, past: &mut Past, now: u64) -> io::Result<()> {
    let all = pages(current)?;
    let mut filling = Filling::default();
    filling.begin(now, now, all);
    for number in touched.into_iter().filter(|number| *number <= all) {
        if filling.is_full() {
            past.add(&filling.finish(0, 0)?)?;
            filling.begin(now, now, all);
        }
        filling.add(number, &page(current, number)?);
    }
    past.add(&filling.finish(0, 0)?)?;
    past.sync()
}
