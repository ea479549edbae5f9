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
        vec![first.clone(), Part { number: 3, ..first.clone() }],
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

#[tokio::test]
async fn checksums_of_parts_become_that_of_the_object_if_they_are_those_that_are_named() {
    let f = fixture(R2Limits { part_bytes: 3, ..R2Limits::default() });
    let one = bucket(&f.r2, "one").await;
    for algorithm in [Algorithm::Crc64Nvme, Algorithm::Sha256] {
        let key = algorithm.name();
        let upload = one.create_upload(key, plain()).await.unwrap();
        let mut named = Vec::new();
        for (number, content) in [(1, "0123"), (2, "45")] {
            let promise = Promise::default();
            promise.keep(digest(algorithm, content.as_bytes()));
            let content = Incoming::from(Bytes::from(content)).promising(algorithm, promise);
            named.push(one.upload_part(key, &upload, number, content, Vec::new()).await.unwrap());
        }
        assert!(named[0].checksums.of(algorithm).is_some());
        let mut other = named.clone();
        other[0].checksums.set(algorithm, "00".to_owned());
        let refused = one.complete_upload(key, &upload, other).await;
        assert!(matches!(refused, Err(R2Error::InvalidPart(_))), "{refused:?}");
        let whole = match algorithm {
            Algorithm::Crc64Nvme => digest(algorithm, b"012345"),
            _ => digest(algorithm, &[digest(algorithm, b"0123"), digest(algorithm, b"45")].concat()),
        };
        let complete = async |checksum: Vec<u8>, etag_matches: &[&str]| {
            let etag_matches = etag_matches.iter().map(|etag| (*etag).to_owned()).collect();
            let condition = Condition { etag_matches, ..Condition::default() };
            let options = CompleteOptions { condition, checksums: vec![(algorithm, checksum)] };
            one.complete_upload_with(key, &upload, named.clone(), options).await
        };
        let refused = complete(vec![0; algorithm.length()], &[]).await;
        assert!(matches!(refused, Err(R2Error::BadDigest { .. })), "{refused:?}");
        assert_eq!(complete(whole.clone(), &["another"]).await.unwrap(), None, "the upload stays");
        let made = complete(whole.clone(), &[]).await.unwrap().unwrap();
        let kept = one.head(key).await.unwrap().unwrap().checksums;
        assert_eq!(kept, made.checksums);
        match algorithm {
            Algorithm::Crc64Nvme => assert_eq!(kept.crc64nvme, Some(hex(&whole))),
            _ => assert_eq!(kept.of_parts, Some(OfParts { algorithm, digits: hex(&whole), parts: 2 })),
        }
    }
}

#[tokio::test]
async fn a_promise_that_is_broken_or_forgotten_puts_nothing() {
    let f = fixture(R2Limits::default());
    let one = bucket(&f.r2, "one").await;
    for kept in [Some(vec![0; 4]), None] {
        let promise = Promise::default();
        if let Some(bytes) = &kept {
            promise.keep(bytes.clone());
        }
        let content = Incoming::from(Bytes::from("content")).promising(Algorithm::Crc32c, promise);
        let refused = one.put("k", content, PutOptions::default()).await;
        match kept {
            Some(_) => assert!(matches!(refused, Err(R2Error::BadDigest { algorithm: "crc32c", .. }))),
            None => assert!(matches!(refused, Err(R2Error::Interrupted(_)))),
        }
    }
    assert_eq!(one.head("k").await.unwrap(), None);
}
