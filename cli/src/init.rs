//! `wasmyard init`: writes a project folder from a template, with the guest SDK inside.
//!
//! Owns the embedded files and where they go. It must never overwrite a file, and writes nothing at all if
//! it cannot write everything.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::args::{InitArgs, Template};
use crate::failure::Failure;
use crate::output::Output;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

/// Writes the project and says what to do next.
///
/// # Errors
/// [`Failure::Failed`] when a file exists already or cannot be written.
pub fn run(args: &InitArgs, output: &Output) -> Result<(), Failure> {
    let files: Vec<(PathBuf, &[u8])> =
        files(args.template).map(|(path, bytes)| (args.dir.join(path), bytes)).collect();
    let taken: Vec<String> = files
        .iter()
        .filter(|(path, _)| path.symlink_metadata().is_ok())
        .map(|(path, _)| path.display().to_string())
        .collect();
    if let Some(first) = taken.first() {
        let more =
            if taken.len() > 1 { format!(" (and {} more files)", taken.len() - 1) } else { String::new() };
        return Err(Failure::with_remedy(
            format!("{first}{more} exists already, and nothing is overwritten"),
            "name a folder that is new or empty: wasmyard init DIR",
        ));
    }
    for (path, bytes) in &files {
        write_new(path, bytes)
            .map_err(|error| Failure::failed(format!("{} cannot be written: {error}", path.display())))?;
    }
    let dir = args.dir.display();
    output.note(&format!(
        "{} files written to {dir}, from the template `{}`",
        files.len(),
        name(args.template)
    ));
    output.note("Next (README.md tells what there is to see):");
    if args.template.is_rust() {
        output.note("  rustup target add wasm32-wasip2");
    }
    output.note(&format!("  wasmyard dev {dir}"));
    output.note(&format!("  curl http://{}:8787/", host(args.template)));
    Ok(())
}

/// The files of a project, as paths in it. Templates keep `.gitignore` under a name that git does not obey.
fn files(template: Template) -> impl Iterator<Item = (PathBuf, &'static [u8])> {
    let prefix = format!("{}/", name(template));
    embedded::EMBEDDED.iter().filter_map(move |(path, bytes)| {
        let is_sdk = ["sdk/rust/", "sdk/wit/"].iter().any(|sdk| path.starts_with(sdk)) && template.is_rust();
        let path = if is_sdk { path } else { path.strip_prefix(prefix.as_str())? };
        let path = Path::new(path);
        let renamed = path.file_name().is_some_and(|name| name == "gitignore");
        Some((if renamed { path.with_file_name(".gitignore") } else { path.to_path_buf() }, *bytes))
    })
}

/// The texts below a folder of the SDK, by their paths in it.
pub(crate) fn sdk_files(folder: &'static str) -> impl Iterator<Item = (&'static Path, &'static str)> {
    embedded::EMBEDDED.iter().filter_map(move |(path, bytes)| {
        Some((Path::new(path.strip_prefix(folder)?), std::str::from_utf8(bytes).ok()?))
    })
}

/// A host that the template's routes answer for.
fn host(template: Template) -> &'static str {
    match template {
        Template::Hello => "127.0.0.1",
        Template::Dispatcher | Template::Javascript | Template::Wrangler => "customer-a.localhost",
        Template::Outbound => "customer-1.localhost",
    }
}

fn name(template: Template) -> String {
    template.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    // `create_new` and not `create`: between the look and the write somebody else may have made the file.
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::output::tests::captured;
    use wasmyard_node::config::{self, ConfigSource, Purpose};

    fn write(template: Template) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let args = InitArgs { dir: folder.path().join("new"), template };
        run(&args, &captured().0).unwrap();
        folder
    }

    fn names(template: Template) -> BTreeSet<String> {
        files(template).map(|(path, _)| path.display().to_string()).collect()
    }

    #[test]
    fn a_project_has_its_sources_the_sdk_and_the_wit() {
        for template in Template::value_variants().iter().copied() {
            let folder = write(template);
            for file in ["wasmyard.toml", "README.md", ".gitignore"] {
                assert!(folder.path().join("new").join(file).is_file(), "{template:?} lacks {file}");
            }
            for file in [
                "Cargo.toml",
                "sdk/rust/Cargo.toml",
                "sdk/rust/src/lib.rs",
                "sdk/rust/macros/Cargo.toml",
                "sdk/wit/platform.wit",
            ] {
                let is_there = folder.path().join("new").join(file).is_file();
                assert_eq!(is_there, template.is_rust(), "{template:?}, {file}");
            }
        }
    }

    #[test]
    fn nothing_that_a_build_left_behind_is_written() {
        for name in Template::value_variants().iter().flat_map(|template| names(*template)) {
            let parts: Vec<&str> = name.split('/').collect();
            assert!(!parts.contains(&"target") && !parts.contains(&"gitignore"), "{name}");
            assert!(!name.ends_with(".wasm") && !name.ends_with("Cargo.lock"), "{name}");
        }
    }

    #[test]
    fn templates_do_not_mix() {
        assert!(names(Template::Dispatcher).contains("dispatcher/src/lib.rs"));
        assert!(!names(Template::Hello).contains("dispatcher/src/lib.rs"));
        assert!(names(Template::Hello).iter().all(|name| !name.starts_with("hello/")));
    }

    #[test]
    fn a_written_configuration_has_no_mistake_and_no_warning() {
        for template in Template::value_variants().iter().copied() {
            let folder = write(template);
            let source = ConfigSource::find(None, &folder.path().join("new")).unwrap();
            let (config, warnings) = config::load(source, Purpose::Dev).unwrap();
            assert!(warnings.list.is_empty(), "{warnings}");
            assert!(!config.routes.is_empty());
            for script in &config.scripts {
                assert_eq!(script.build.is_some(), template.is_rust());
                for path in script.build.iter().flat_map(|build| &build.watch) {
                    assert!(path.exists(), "{path:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_written() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("README.md"), "mine").unwrap();
        let args = InitArgs { dir: folder.path().to_owned(), template: Template::Hello };
        let failure = run(&args, &captured().0).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        assert!(failure.to_string().contains("README.md"), "{failure}");
        assert_eq!(std::fs::read_to_string(folder.path().join("README.md")).unwrap(), "mine");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn other_files_in_the_folder_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let args = InitArgs { dir: folder.path().to_owned(), template: Template::Dispatcher };
        run(&args, &captured().0).unwrap();
        assert!(folder.path().join("wasmyard.toml").is_file());
    }
}
