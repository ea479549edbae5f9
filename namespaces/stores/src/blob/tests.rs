//! Tests of [`super`].

use super::*;

fn file_of(folder: &Path, digest: &Digest) -> std::path::PathBuf {
    let hex = digest.to_string();
    folder.join(&hex[..2]).join(&hex[2..])
}

async fn listed(blobs: &Blobs) -> Vec<Digest> {
    let mut found: Vec<Digest> = blobs.list().map(|blob| blob.unwrap().digest).collect().await;
    found.sort();
    found
}

async fn behaves(blobs: Blobs) {
    let (small, large) = (Bytes::from_static(b"small"), Bytes::from(vec![7; 300_000]));
    let digest = blobs.put(small.clone()).await.unwrap();
    assert_eq!(digest, Digest::of(&small));
    assert_eq!(blobs.put(small.clone()).await.unwrap(), digest);
    let other = blobs.put(large.clone()).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), small);
    assert_eq!(blobs.get(&other).await.unwrap(), large);
    assert_eq!(blobs.info(&other).await.unwrap().unwrap().size, 300_000);
    let mut both = vec![digest, other];
    both.sort();
    assert_eq!(listed(&blobs).await, both);
    assert!(blobs.delete(&digest).await.unwrap());
    blobs.delete(&digest).await.unwrap();
    assert!(!blobs.exists(&digest).await.unwrap());
    assert!(matches!(blobs.get(&digest).await, Err(BlobError::NotFound { .. })));
    assert_eq!(listed(&blobs).await, [other]);
    let empty = blobs.put(Bytes::new()).await.unwrap();
    assert_eq!(blobs.get(&empty).await.unwrap(), Bytes::new());
}

#[tokio::test]
async fn blobs_in_memory_behave() {
    behaves(Blobs::memory()).await;
}

#[tokio::test]
async fn blobs_on_disk_behave() {
    let folder = tempfile::tempdir().unwrap();
    behaves(Blobs::open_local(&folder.path().join("blobs")).unwrap()).await;
}

#[tokio::test]
async fn what_was_put_is_there_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let digest = Blobs::open_local(folder.path()).unwrap().put(Bytes::from_static(b"kept")).await.unwrap();
    assert!(file_of(folder.path(), &digest).is_file());
    let reopened = Blobs::open_local(folder.path()).unwrap();
    assert_eq!(reopened.get(&digest).await.unwrap(), "kept");
}

#[tokio::test]
async fn content_that_is_not_what_its_name_says_is_never_returned() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_local(folder.path()).unwrap();
    let digest = blobs.put(Bytes::from_static(b"right")).await.unwrap();
    for wrong in [&b"wrong"[..], b"righ", b""] {
        std::fs::write(file_of(folder.path(), &digest), wrong).unwrap();
        let refused = blobs.get(&digest).await;
        assert!(matches!(refused, Err(BlobError::Corrupt { found, .. }) if found == Digest::of(wrong)));
    }
    blobs.put(Bytes::from_static(b"right")).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), "right");
}

#[tokio::test]
async fn what_a_crash_left_half_written_is_removed_at_opening() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_local(folder.path()).unwrap();
    let whole = blobs.put(Bytes::from_static(b"whole")).await.unwrap();
    drop(blobs);
    let torn = Digest::of(b"never finished");
    let staged = file_of(folder.path(), &torn).with_file_name(format!("{}#1", &torn.to_string()[2..]));
    std::fs::write(&staged, b"never fin").unwrap();
    let blobs = Blobs::open_local(folder.path()).unwrap();
    assert!(!staged.exists());
    assert_eq!(listed(&blobs).await, [whole]);
    assert_eq!(blobs.get(&whole).await.unwrap(), "whole");
    assert!(matches!(blobs.get(&torn).await, Err(BlobError::NotFound { .. })));
}

#[tokio::test]
async fn files_of_others_are_not_taken_for_blobs() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_local(folder.path()).unwrap();
    std::fs::write(folder.path().join("README"), b"hands off").unwrap();
    assert_eq!(listed(&blobs).await, []);
    drop(Blobs::open_local(folder.path()).unwrap());
    assert!(folder.path().join("README").exists());
}

#[tokio::test]
async fn the_same_content_may_be_put_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_local(folder.path()).unwrap();
    let content = Bytes::from(vec![9; 200_000]);
    let puts = (0..16).map(|_| {
        let (blobs, content) = (blobs.clone(), content.clone());
        tokio::spawn(async move { blobs.put(content).await })
    });
    for put in futures::future::join_all(puts).await {
        let digest = put.unwrap().unwrap();
        assert_eq!(blobs.get(&digest).await.unwrap(), content);
    }
    assert_eq!(
        std::fs::read_dir(file_of(folder.path(), &Digest::of(&content)).parent().unwrap()).unwrap().count(),
        1
    );
}
