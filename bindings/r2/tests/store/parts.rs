//! Uploads in parts.

use super::*;

async fn part(bucket: &Bucket, key: &str, upload: &str, number: u64, content: &str) -> Result<Part, R2Error> {
    let content = Bytes::copy_from_slice(content.as_bytes());
    bucket.upload_part(key, upload, number, content, Vec::new()).await
}

#[tokio::test]
async fn an_upload_is_its_parts_in_their_order() {
    let f = fixture(R2Limits { part_bytes: 3, ..R2Limits::default() });
    let one = bucket(&f.r2, "one").await;
    let metadata = Metadata { custom: vec![("a".to_owned(), "b".to_owned())], ..plain() };
    let upload = one.create_upload("k", metadata.clone()).await.unwrap();
    let last = part(&one, "k", &upload, 7, "8").await.unwrap();
    let before = part(&one, "k", &upload, 2, "nothing of this").await.unwrap();
    let middle = part(&one, "k", &upload, 2, "4567").await.unwrap();
    let unused = part(&one, "k", &upload, 9, "not named").await.unwrap();
    let first = part(&one, "k", &upload, 1, "0123").await.unwrap();
    assert_eq!(get(&one, "k").await, None, "it is not there before it is complete");
    let listed = one.uploads("", (String::new(), String::new()), 10).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [upload.as_str()]);
    let there = one.parts("k", &upload, 1, 10).await.unwrap();
    assert_eq!(
        there.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>(),
        [(2, 4), (7, 1), (9, 9)]
    );
    for wrong in [
        vec![],
        vec![first.clone(), before],
        vec![first.clone(), first.clone()],
        vec![first.clone(), Part { number: 3, etag: first.etag.clone() }],
    ] {
        let refused = one.complete_upload("k", &upload, wrong).await;
        assert!(matches!(refused, Err(R2Error::InvalidPart(_))), "{refused:?}");
    }
    let refused = one.complete_upload("k", &upload, vec![first.clone(), last.clone(), unused.clone()]).await;
    assert!(matches!(refused, Err(R2Error::PartTooSmall { part: 7, found: 1, least: 3 })));
    let other = one.complete_upload("another", &upload, vec![first.clone()]).await;
    assert!(matches!(other, Err(R2Error::UploadNotFound(_))), "it is of one key");
    let made = one.complete_upload("k", &upload, vec![last, middle, first]).await.unwrap();
    assert!(made.etag.ends_with("-3") && made.checksums.md5.is_none());
    assert_eq!((made.size, &made.metadata), (9, &metadata));
    assert_eq!(get(&one, "k").await.as_deref(), Some("012345678"));
    let range = Some(Range::From { offset: 3, length: Some(3) });
    let found = one.get("k", &GetOptions { range, ..GetOptions::default() }).await.unwrap().unwrap();
    assert_eq!(read(found.body.unwrap()).await, b"345");
    let info = f.r2.info(&name("one")).await.unwrap();
    assert_eq!((info.objects, info.bytes, info.uploads), (1, 12, 0));
    assert_eq!(files(f.folder.path()), 3);
    let gone = one.complete_upload("k", &upload, vec![unused]).await;
    assert!(matches!(gone, Err(R2Error::UploadNotFound(_))));
    put(&one, "k", "one content").await.unwrap();
    assert_eq!(files(f.folder.path()), 1);
}

#[tokio::test]
async fn uploads_end_by_being_aborted_or_by_their_age() {
    let f = fixture(R2Limits { uploads: 2, bytes: 20, ..R2Limits::default() });
    let one = bucket(&f.r2, "one").await;
    let aborted = one.create_upload("k", Metadata::default()).await.unwrap();
    let old = one.create_upload("k", Metadata::default()).await.unwrap();
    let more = one.create_upload("k", Metadata::default()).await;
    assert!(matches!(more, Err(R2Error::Quota { limit: "r2_uploads", most: 2, .. })));
    part(&one, "k", &aborted, 1, "0123456789").await.unwrap();
    let over = part(&one, "k", &old, 1, "01234567890").await;
    assert!(matches!(over, Err(R2Error::Quota { limit: "r2_bytes", .. })), "parts count");
    part(&one, "k", &old, 1, "0123456789").await.unwrap();
    for wrong in [0, 10_001] {
        assert!(matches!(part(&one, "k", &old, wrong, "").await, Err(R2Error::Invalid(_))));
    }
    one.abort_upload("k", &aborted).await.unwrap();
    assert!(matches!(one.abort_upload("k", &aborted).await, Err(R2Error::UploadNotFound(_))));
    assert!(matches!(part(&one, "k", &aborted, 1, "x").await, Err(R2Error::UploadNotFound(_))));
    assert_eq!(files(f.folder.path()), 1);
    f.hand.advance(Duration::from_secs(7 * 24 * 3_600));
    f.r2.sweep().await.unwrap();
    assert_eq!(f.r2.info(&name("one")).await.unwrap().uploads, 1, "not before its time");
    f.hand.advance(Duration::from_secs(1));
    f.r2.sweep().await.unwrap();
    let info = f.r2.info(&name("one")).await.unwrap();
    assert_eq!((info.uploads, info.bytes, files(f.folder.path())), (0, 0, 0));
    let third = one.create_upload("k", Metadata::default()).await.unwrap();
    part(&one, "k", &third, 1, "x").await.unwrap();
    f.r2.delete(&name("one")).await.unwrap();
    assert_eq!(files(f.folder.path()), 0, "with the bucket its uploads go");
}
