//! Tests of [`super`]: what is not exactly what this node wrote is never loaded.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

/// Megabytes would only be slower: the hash covers every byte alike.
const CODE: &[u8] = &[0xc3; 10_000];

fn found(artifacts: &Artifacts, digest: &Digest) -> Option<Vec<u8>> {
    match artifacts.find(digest).unwrap() {
        Found::Artifact(file) => {
            let mut bytes = Vec::new();
            io::Seek::rewind(&mut &file).unwrap();
            (&file).read_to_end(&mut bytes).unwrap();
            Some(bytes)
        }
        Found::Nothing => None,
    }
}

/// An artifact is put, spoilt, and must be refused and gone.
#[track_caller]
fn refused(what: &str, spoil: impl FnOnce(&Artifacts, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::open(folder.path(), "f1").unwrap();
    let digest = Digest::of(b"component");
    artifacts.put(&digest, CODE).unwrap();
    let path = artifacts.path(&digest);
    spoil(&artifacts, &path);
    assert!(found(&artifacts, &digest).is_none(), "{what}");
    assert!(path.symlink_metadata().is_err(), "{what}: it is not left to be tried again");
    artifacts.put(&digest, CODE).unwrap();
    assert!(found(&artifacts, &digest).is_some(), "{what}: it is made anew");
}

#[test]
fn an_artifact_is_found_again_with_the_same_key() {
    let folder = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"component");
    Artifacts::open(folder.path(), "f1").unwrap().put(&digest, CODE).unwrap();
    let again = Artifacts::open(folder.path(), "f1").unwrap();
    assert_eq!(&found(&again, &digest).unwrap()[..CODE.len()], CODE);
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let whole = CODE.len() + MAC_BYTES;
    let offsets = (0..whole).step_by(997).chain([1, CODE.len() - 1, CODE.len(), whole - 1]);
    for (offset, bit) in offsets.zip((0..8).cycle()) {
        refused(&format!("bit {bit} of byte {offset}"), |_, path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[offset] ^= 1 << bit;
            fs::write(path, bytes).unwrap();
        });
    }
}

#[test]
fn a_file_that_was_cut_or_grew_is_refused() {
    for length in [0, 1, MAC_BYTES - 1, MAC_BYTES, CODE.len(), CODE.len() + MAC_BYTES - 1] {
        refused(&format!("cut to {length}"), |_, path| {
            let bytes = fs::read(path).unwrap();
            fs::write(path, &bytes[..length]).unwrap();
        });
    }
    refused("one byte more", |_, path| {
        let mut bytes = fs::read(path).unwrap();
        bytes.push(0);
        fs::write(path, bytes).unwrap();
    });
}

#[test]
fn code_under_the_name_of_another_component_is_refused() {
    refused("another digest", |artifacts, path| {
        let other = Digest::of(b"other");
        artifacts.put(&other, CODE).unwrap();
        fs::copy(artifacts.path(&other), path).unwrap();
    });
}

#[test]
fn code_of_another_node_and_of_another_engine_is_refused() {
    for (what, fingerprint) in [("another key", "f1"), ("another engine", "f2")] {
        refused(what, |artifacts, path| {
            let stranger = tempfile::tempdir().unwrap();
            if fingerprint != "f1" {
                let key = artifacts.folder.parent().unwrap().join("node.key");
                fs::copy(key, stranger.path().join("node.key")).unwrap();
            }
            let theirs = Artifacts::open(stranger.path(), fingerprint).unwrap();
            let digest = Digest::of(b"component");
            theirs.put(&digest, CODE).unwrap();
            fs::copy(theirs.path(&digest), path).unwrap();
        });
    }
}

#[test]
fn what_is_no_file_of_ours_is_refused_even_with_the_right_bytes() {
    refused("a symbolic link", |_, path| {
        let aside = path.with_extension("aside");
        fs::rename(path, &aside).unwrap();
        symlink(&aside, path).unwrap();
    });
    refused("a link to nothing", |_, path| {
        fs::remove_file(path).unwrap();
        symlink("/nonexistent", path).unwrap();
    });
    refused("a folder", |_, path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    for mode in [0o620, 0o602, 0o644, 0o666] {
        refused(&format!("mode {mode:o}"), |_, path| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        });
    }
}

#[test]
fn what_the_engine_before_compiled_stays_and_what_older_ones_did_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let digest = Digest::of(b"component");
    let left = || ["a", "b", "c", "d"].map(|name| folder.path().join(name).exists());
    // Each start has two folders, one for each way of metering, or one.
    let start = |names: &[&str]| {
        for name in names {
            let artifacts = Artifacts::open(folder.path(), name).unwrap();
            artifacts.put(&digest, CODE).unwrap();
        }
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        retire(folder.path(), &names).unwrap();
    };
    start(&["a", "b"]);
    assert_eq!(left(), [true, true, false, false]);
    start(&["c"]);
    assert_eq!(left(), [true, true, true, false], "one may go back to the engine before");
    start(&["c"]);
    assert_eq!(left(), [true, true, true, false], "a second start is not a second engine");
    start(&["b", "a"]);
    assert_eq!(left(), [true, true, true, false], "gone back to");
    start(&["d"]);
    assert_eq!(left(), [true, true, false, true]);
    // A component that is gone goes for all of them.
    let mut all = older_than(folder.path(), Duration::ZERO).unwrap();
    assert_eq!(all, [digest]);
    remove_everywhere(folder.path(), &digest).unwrap();
    all = older_than(folder.path(), Duration::ZERO).unwrap();
    assert_eq!(all, []);
}

#[test]
fn what_was_compiled_before_there_was_a_list_is_of_the_engine_before() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["old-time", "old-fuel", "new"] {
        Artifacts::open(folder.path(), name).unwrap();
    }
    retire(folder.path(), &["new".to_owned()]).unwrap();
    assert!(folder.path().join("old-time").exists() && folder.path().join("old-fuel").exists());
    Artifacts::open(folder.path(), "newer").unwrap();
    retire(folder.path(), &["newer".to_owned()]).unwrap();
    assert!(!folder.path().join("old-time").exists() && folder.path().join("new").exists());
}

#[test]
fn a_key_that_others_can_read_or_that_is_no_key_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    Artifacts::open(folder.path(), "f1").unwrap();
    let key = folder.path().join("node.key");
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = Artifacts::open(folder.path(), "f1").err().unwrap().to_string();
    assert!(error.contains("0600") && error.contains("remove the file"), "{error}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, [0; 31]).unwrap();
    let error = Artifacts::open(folder.path(), "f1").err().unwrap().to_string();
    assert!(error.contains("32 bytes"), "{error}");
}

#[test]
fn only_what_is_old_enough_is_listed_and_halves_are_cleared_away() {
    let folder = tempfile::tempdir().unwrap();
    let artifacts = Artifacts::open(folder.path(), "f1").unwrap();
    let digest = Digest::of(b"component");
    artifacts.put(&digest, CODE).unwrap();
    let half = artifacts.folder.join(".new-abc");
    fs::write(&half, b"half").unwrap();
    assert_eq!(older_than(folder.path(), Duration::from_secs(3_600)).unwrap(), []);
    assert!(half.exists());
    assert_eq!(older_than(folder.path(), Duration::ZERO).unwrap(), [digest]);
    assert!(half.exists(), "it may still be written to");
    let long_ago = std::time::SystemTime::now() - 2 * BEING_WRITTEN;
    fs::File::options().write(true).open(&half).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(older_than(folder.path(), Duration::ZERO).unwrap(), [digest]);
    assert!(!half.exists());
}
