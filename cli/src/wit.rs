//! `wasmyard wit`: writes the platform's interfaces into a folder, in the version of WASI that a toolchain builds for.
//!
//! Owns which versions there are. The platform takes every one of them: they differ in nothing but their number, as far as
//! the interfaces have the functions.

use std::path::{Path, PathBuf};

use crate::args::WitArgs;
use crate::failure::Failure;
use crate::init::{sdk_files, write_new};
use crate::output::Output;

/// The version in which the interfaces are kept.
const KEPT: &str = "0.2.12";
/// The versions of WASI 0.2 by their last number.
const LAST: u64 = 12;

/// Writes the files and says how many. Nothing is overwritten.
///
/// # Errors
/// [`Failure::Usage`] for a version that there is not, [`Failure::Failed`] when a file exists already or cannot be written.
pub fn run(args: &WitArgs, output: &Output) -> Result<(), Failure> {
    let last = last(&args.wasi)?;
    let version = format!("0.2.{last}");
    let files: Vec<(PathBuf, String)> =
        sdk_files("sdk/wit/").map(|(path, text)| (args.dir.join(path), of_version(text, last))).collect();
    if let Some((taken, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(Failure::with_remedy(
            format!("{} exists already, and nothing is overwritten", taken.display()),
            "name a folder that is new or empty: wasmyard wit DIR",
        ));
    }
    for (path, text) in &files {
        write_new(Path::new(path), text.as_bytes())
            .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
    }
    let dir = args.dir.display();
    output.note(&format!(
        "{} files written to {dir}, for WASI {version}; the worlds are in {dir}/platform.wit",
        files.len()
    ));
    Ok(())
}

/// The last number of a version that there is.
fn last(asked: &str) -> Result<u64, Failure> {
    let last = asked.strip_prefix("0.2.").and_then(|last| last.parse::<u64>().ok());
    last.filter(|last| *last <= LAST).ok_or_else(|| {
        Failure::Usage(format!(
            "--wasi {asked:?}: the platform runs components of WASI 0.2.0 to {KEPT}; name the version that the toolchain's \
             message names"
        ))
    })
}

/// The text as that version has it: without the functions that came later. A type that came later is another name for one
/// that was there, and stays.
fn of_version(text: &str, last: u64) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let since = line.trim().strip_prefix("@since(version = 0.2.").and_then(|rest| rest.strip_suffix(')'));
        if since.and_then(|since| since.parse::<u64>().ok()).is_none_or(|since| since <= last) {
            kept.push_str(&line.replace(KEPT, &format!("0.2.{last}")));
            kept.push('\n');
            continue;
        }
        let mut item = String::new();
        for line in lines.by_ref() {
            item.push_str(line);
            item.push('\n');
            if line.trim_end().ends_with(';') {
                break;
            }
        }
        if item.trim_start().starts_with("type ") {
            kept.push_str(&item);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::captured;

    fn written(wasi: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("wit");
        run(&WitArgs { dir: dir.clone(), wasi: wasi.to_owned() }, &captured().0).unwrap();
        (folder, dir)
    }

    #[test]
    fn every_version_is_one_package_whose_worlds_resolve() {
        for last in 0..=LAST {
            let version = format!("0.2.{last}");
            let (_folder, dir) = written(&version);
            let mut resolve = wit_parser::Resolve::default();
            let (package, _) = resolve.push_dir(&dir).unwrap_or_else(|error| panic!("{version}: {error:#}"));
            resolve.select_world(&[package], Some("worker")).unwrap();
            let http = resolve.package_names.keys().find(|name| name.name == "http").unwrap();
            assert_eq!(http.version.as_ref().unwrap().to_string(), version);
        }
    }

    #[test]
    fn nothing_is_overwritten_and_no_other_version_is_made_up() {
        let (_folder, dir) = written("0.2.10");
        let again = run(&WitArgs { dir, wasi: "0.2.10".to_owned() }, &captured().0).unwrap_err();
        assert!(again.to_string().contains("nothing is overwritten"), "{again}");
        for bad in ["0.3.0", "0.2.13", "0.2", "0.2.x", ""] {
            let failure = last(bad).unwrap_err();
            assert_eq!(failure.exit_code(), 2, "{bad}");
            assert!(failure.to_string().contains("0.2.12"), "{failure}");
        }
    }
}
