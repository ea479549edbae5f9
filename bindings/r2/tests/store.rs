//! What the service over the embedded index and local files promises: rules, isolation, ranges, pages, quotas, readers that
//! are not disturbed, and that nothing which was answered for is lost.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers as well")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use wasmyard_model::{BucketName, Clock, ClockHand, Timestamp};
use wasmyard_r2::checksum::{digest, hex};
use wasmyard_r2::{
    Algorithm, Bucket, CompleteOptions, Condition, GetOptions, HttpMetadata, Incoming, Index, ListOptions,
    LocalContents, Metadata, Object, OfParts, Part, Promise, PutOptions, R2, R2Error, R2Limits, Range,
    StorageClass,
};

#[path = "store/killed.rs"]
mod killed;
#[path = "store/parts.rs"]
mod parts;

struct Fixture {
    folder: tempfile::TempDir,
    r2: R2,
    hand: ClockHand,
}

fn over(folder: &Path, clock: &Clock, limits: R2Limits) -> R2 {
    let folder = folder.to_owned();
    let open = move || {
        let contents = LocalContents::open(&folder.join("objects"))?;
        Ok((Index::open(&folder)?, Arc::new(contents) as _))
    };
    R2::open(open, clock.clone(), limits).unwrap()
}

fn fixture(limits: R2Limits) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let began: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    let (clock, hand) = Clock::by_hand(began);
    Fixture { r2: over(folder.path(), &clock, limits), folder, hand }
}

fn name(text: &str) -> BucketName {
    BucketName::parse(text).unwrap()
}

async fn bucket(r2: &R2, text: &str) -> Bucket {
    r2.create(&name(text), None, StorageClass::default()).await.unwrap();
    r2.bucket(&name(text))
}

async fn put(bucket: &Bucket, key: &str, content: &str) -> Result<Object, R2Error> {
    let content = Bytes::copy_from_slice(content.as_bytes());
    bucket.put(key, content, PutOptions::default()).await.map(Option::unwrap)
}

async fn read(mut body: wasmyard_r2::Body) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(bytes) = body.next().await.unwrap() {
        whole.extend_from_slice(&bytes);
    }
    whole
}

async fn get(bucket: &Bucket, key: &str) -> Option<String> {
    let found = bucket.get(key, &GetOptions::default()).await.unwrap()?;
    Some(String::from_utf8(read(found.body.unwrap()).await).unwrap())
}

/// Metadata of what was put without any.
fn plain() -> Metadata {
    Metadata { storage_class: Some(StorageClass::Standard), ..Metadata::default() }
}

/// Files of contents.
fn files(folder: &Path) -> usize {
    let shards = std::fs::read_dir(folder.join("objects")).unwrap();
    shards.map(|shard| std::fs::read_dir(shard.unwrap().path()).unwrap().count()).sum()
}

#[tokio::test]
async fn what_is_put_is_found_with_all_that_belongs_to_it() {
    let f = fixture(R2Limits::default());
    let photos = bucket(&f.r2, "photos").await;
    let metadata = Metadata {
        http: HttpMetadata { content_type: Some("image/png".to_owned()), ..HttpMetadata::default() },
        custom: vec![("of".to_owned(), "å".to_owned())],
        storage_class: Some(StorageClass::InfrequentAccess),
    };
    let sha1 = wasmyard_r2::checksum::from_hex("a9993e364706816aba3e25717850c26c9cd0d89d").unwrap();
    let options = PutOptions {
        metadata: metadata.clone(),
        checksums: vec![(Algorithm::Sha1, sha1)],
        ..PutOptions::default()
    };
    let made = photos.put("a/å b", Bytes::from_static(b"abc"), options).await.unwrap().unwrap();
    assert_eq!(made.etag, "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(made.http_etag(), "\"900150983cd24fb0d6963f7d28e17f72\"");
    assert_eq!(made.uploaded, 1_767_323_045_000);
    assert_eq!(made.checksums.sha1.as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
    assert_eq!((made.size, &made.metadata), (3, &metadata));
    assert_eq!(photos.head("a/å b").await.unwrap(), Some(made.clone()));
    let found = photos.get("a/å b", &GetOptions::default()).await.unwrap().unwrap();
    assert_eq!((&found.object, found.range), (&made, (0, 3)));
    assert_eq!(read(found.body.unwrap()).await, b"abc");
    assert_eq!(photos.list(ListOptions::default()).await.unwrap().objects, std::slice::from_ref(&made));
    let again = put(&photos, "a/å b", "").await.unwrap();
    assert_ne!(again.version, made.version);
    assert_eq!(again.metadata, plain(), "a put leaves nothing of what was there");
    assert_eq!(get(&photos, "a/å b").await.as_deref(), Some(""));
    assert_eq!(files(f.folder.path()), 0, "the old content is gone, and an empty one has no file");
    photos.delete(&["a/å b".to_owned(), "never there".to_owned()]).await.unwrap();
    assert_eq!(photos.head("a/å b").await.unwrap(), None);
    assert_eq!(get(&photos, "a/å b").await, None);
}

#[tokio::test]
async fn two_buckets_never_see_each_other() {
    let f = fixture(R2Limits::default());
    let (one, other) = (bucket(&f.r2, "one").await, bucket(&f.r2, "other").await);
    put(&one, "key", "of one").await.unwrap();
    assert_eq!(get(&other, "key").await, None);
    put(&other, "key", "of the other").await.unwrap();
    one.delete(&["key".to_owned()]).await.unwrap();
    assert_eq!(get(&other, "key").await.as_deref(), Some("of the other"));
    let taken = f.r2.create(&name("one"), None, StorageClass::default()).await;
    assert!(matches!(taken, Err(R2Error::BucketTaken(_))));
    let kept = f.r2.delete(&name("other")).await;
    assert!(matches!(kept, Err(R2Error::BucketNotEmpty { objects: 1, .. })));
    f.r2.delete(&name("one")).await.unwrap();
    assert!(matches!(one.head("key").await, Err(R2Error::BucketNotFound(_))));
    assert!(matches!(put(&one, "key", "x").await, Err(R2Error::BucketNotFound(_))));
    assert!(matches!(one.list(ListOptions::default()).await, Err(R2Error::BucketNotFound(_))));
    assert_eq!(files(f.folder.path()), 1, "nothing is left of what could not be put");
    let names: Vec<_> = f.r2.buckets(None, Some("the"), 10, false).await.unwrap();
    assert_eq!(names.iter().map(|bucket| bucket.name.as_str()).collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn ranges_and_conditions_say_what_comes() {
    let f = fixture(R2Limits::default());
    let one = bucket(&f.r2, "one").await;
    let made = put(&one, "k", "0123456789").await.unwrap();
    let ranged = async |range| {
        let options = GetOptions { range: Some(range), ..GetOptions::default() };
        let found = one.get("k", &options).await?.unwrap();
        let range = found.range;
        Ok::<_, R2Error>((String::from_utf8(read(found.body.unwrap()).await).unwrap(), range))
    };
    let from = |offset, length| Range::From { offset, length };
    assert_eq!(ranged(from(2, Some(3))).await.unwrap(), ("234".to_owned(), (2, 3)));
    assert_eq!(ranged(from(7, None)).await.unwrap().0, "789");
    assert_eq!(ranged(Range::Suffix(2)).await.unwrap().0, "89");
    assert!(matches!(ranged(from(10, None)).await, Err(R2Error::InvalidRange { offset: 10, size: 10 })));
    let unless = Condition { etag_does_not_match: vec![made.http_etag()], ..Condition::default() };
    let options = GetOptions { condition: unless.clone(), range: None };
    let found = one.get("k", &options).await.unwrap().unwrap();
    assert!(found.body.is_none() && found.object == made);
    // A put that is made only where nothing is there.
    let only_new = Condition { etag_does_not_match: vec!["*".to_owned()], ..Condition::default() };
    let options =
        |condition: &Condition| PutOptions { condition: condition.clone(), ..PutOptions::default() };
    assert_eq!(one.put("k", Bytes::from_static(b"x"), options(&only_new)).await.unwrap(), None);
    assert_eq!(get(&one, "k").await.as_deref(), Some("0123456789"));
    assert!(one.put("new", Bytes::from_static(b"x"), options(&only_new)).await.unwrap().is_some());
    let same = Condition { etag_matches: vec![made.etag.clone()], ..Condition::default() };
    assert!(one.put("k", Bytes::from_static(b"y"), options(&same)).await.unwrap().is_some());
    assert_eq!(
        one.put("k", Bytes::from_static(b"z"), options(&same)).await.unwrap(),
        None,
        "it is another now"
    );
    assert_eq!(files(f.folder.path()), 2);
}

#[tokio::test]
async fn a_content_that_is_not_what_was_said_is_not_put() {
    let f = fixture(R2Limits { put_bytes: 600_000, ..R2Limits::default() });
    let one = bucket(&f.r2, "one").await;
    let options = PutOptions { checksums: vec![(Algorithm::Md5, vec![0; 16])], ..PutOptions::default() };
    let refused = one.put("k", Bytes::from_static(b"abc"), options).await;
    assert!(matches!(refused, Err(R2Error::BadDigest { algorithm: "md5", .. })));
    let pieces = |count: usize, last: Result<Bytes, String>| {
        let piece = Bytes::from(vec![7; 100_000]);
        let all: Vec<_> = (0..count).map(move |_| Ok(piece.clone())).chain([last]).collect();
        Incoming::new(futures::stream::iter(all), None)
    };
    let broken = one.put("k", pieces(4, Err("the sender is gone".to_owned())), PutOptions::default()).await;
    assert!(matches!(broken, Err(R2Error::Interrupted(_))));
    let large = one.put("k", pieces(6, Ok(Bytes::from_static(b"x"))), PutOptions::default()).await;
    assert!(matches!(large, Err(R2Error::TooLarge { what: "the content", most: 600_000 })));
    let short = Incoming::new(futures::stream::iter([Ok(Bytes::from_static(b"abc"))]), Some(4));
    assert!(matches!(one.put("k", short, PutOptions::default()).await, Err(R2Error::Interrupted(_))));
    assert_eq!((get(&one, "k").await, files(f.folder.path())), (None, 0));
    let whole = one.put("k", pieces(5, Ok(Bytes::from_static(b"x"))), PutOptions::default()).await;
    assert_eq!(whole.unwrap().unwrap().size, 500_001);
    let found = one.get("k", &GetOptions::default()).await.unwrap().unwrap();
    assert_eq!(read(found.body.unwrap()).await.len(), 500_001);
}

#[tokio::test]
async fn a_reader_is_not_disturbed_by_what_becomes_of_the_object() {
    let f = fixture(R2Limits { part_bytes: 1, ..R2Limits::default() });
    let one = bucket(&f.r2, "one").await;
    put(&one, "k", &"a".repeat(400_000)).await.unwrap();
    let upload = one.create_upload("parts", Metadata::default()).await.unwrap();
    let mut named = Vec::new();
    for number in 1..=3 {
        let content = Bytes::from(vec![b'0' + number as u8; 200_000]);
        named.push(one.upload_part("parts", &upload, number, content, Vec::new()).await.unwrap());
    }
    one.complete_upload("parts", &upload, named).await.unwrap();
    let mut bodies = Vec::new();
    for key in ["k", "parts"] {
        let mut body = one.get(key, &GetOptions::default()).await.unwrap().unwrap().body.unwrap();
        let first = body.next().await.unwrap().unwrap();
        bodies.push((body, first.to_vec()));
        one.delete(&[key.to_owned()]).await.unwrap();
        assert_eq!(get(&one, key).await, None);
    }
    f.r2.sweep().await.unwrap();
    for (body, mut whole) in bodies {
        whole.extend(read(body).await);
        assert!(whole.len() == 400_000 && whole.iter().all(|byte| *byte == b'a') || whole.len() == 600_000);
    }
    f.r2.sweep().await.unwrap();
    assert_eq!(files(f.folder.path()), 0, "with the last reader they go");
}

#[tokio::test]
async fn a_bucket_holds_no_more_than_it_may() {
    let f = fixture(R2Limits { buckets: 1, objects: 2, bytes: 20, ..R2Limits::default() });
    let one = bucket(&f.r2, "one").await;
    let more = f.r2.create(&name("two"), None, StorageClass::default()).await;
    assert!(matches!(more, Err(R2Error::Quota { limit: "r2_buckets", most: 1, .. })));
    put(&one, "a", "123456789").await.unwrap();
    assert!(matches!(put(&one, "b", "12345678901").await, Err(R2Error::Quota { limit: "r2_bytes", .. })));
    put(&one, "b", "1").await.unwrap();
    assert!(matches!(put(&one, "c", "").await, Err(R2Error::Quota { limit: "r2_objects", .. })));
    let info = f.r2.info(&name("one")).await.unwrap();
    assert_eq!((info.objects, info.bytes), (2, 12));
    one.delete(&["a".to_owned()]).await.unwrap();
    put(&one, "b", "1234567890123456789").await.unwrap();
    let info = f.r2.info(&name("one")).await.unwrap();
    assert_eq!((info.objects, info.bytes, files(f.folder.path())), (1, 20, 1));
}

#[tokio::test]
async fn who_reads_too_much_at_once_is_told_so() {
    let f = fixture(R2Limits { streams: 2, all_streams: 3, ..R2Limits::default() });
    let (one, other) = (bucket(&f.r2, "one").await, bucket(&f.r2, "other").await);
    for bucket in [&one, &other] {
        put(bucket, "k", "x").await.unwrap();
    }
    let options = GetOptions::default();
    let held = [one.get("k", &options).await.unwrap(), one.get("k", &options).await.unwrap()];
    assert!(matches!(one.get("k", &options).await, Err(R2Error::Busy { limit: "r2_streams", most: 2 })));
    let third = other.get("k", &options).await.unwrap();
    assert!(matches!(put(&other, "k", "y").await, Err(R2Error::Busy { most: 3, .. })));
    drop((held, third));
    put(&one, "k", "y").await.unwrap();
}

#[tokio::test]
async fn a_content_that_is_damaged_is_told_and_the_rest_is_served() {
    let f = fixture(R2Limits::default());
    let one = bucket(&f.r2, "one").await;
    let made = put(&one, "k", "0123456789").await.unwrap();
    put(&one, "other", "fine").await.unwrap();
    let (shard, rest) = made.version.split_at(2);
    let path = f.folder.path().join("objects").join(shard).join(rest);
    std::fs::write(&path, "0123").unwrap();
    let mut body = one.get("k", &GetOptions::default()).await.unwrap().unwrap().body.unwrap();
    assert!(matches!(body.next().await, Err(R2Error::Damaged { .. })));
    std::fs::remove_file(&path).unwrap();
    let gone = one.get("k", &GetOptions::default()).await;
    assert!(matches!(gone, Err(R2Error::Damaged { version, .. }) if version == made.version));
    assert_eq!(get(&one, "other").await.as_deref(), Some("fine"));
}

#[tokio::test]
async fn what_was_being_written_when_a_process_ended_goes_and_the_rest_stays() {
    let f = fixture(R2Limits::default());
    let one = bucket(&f.r2, "one").await;
    put(&one, "k", "kept").await.unwrap();
    let orphan = f.folder.path().join("objects/ab/00112233445566778899aabbccddee");
    std::fs::write(&orphan, "half of someth").unwrap();
    std::fs::write(f.folder.path().join("objects/ab/README"), "somebody else's").unwrap();
    assert_eq!(f.r2.sweep().await.unwrap(), 1);
    assert!(!orphan.exists());
    assert_eq!((get(&one, "k").await.as_deref(), files(f.folder.path())), (Some("kept"), 2));
    f.r2.close().await;
    let again = over(f.folder.path(), &Clock::system(), R2Limits::default());
    assert_eq!(get(&again.bucket(&name("one")), "k").await.as_deref(), Some("kept"));
}

/// A page of a list by its definition.
fn listed(
    keys: &BTreeMap<String, String>,
    prefix: &str,
    delimiter: Option<&str>,
) -> (Vec<String>, Vec<String>) {
    let (mut objects, mut prefixes) = (Vec::new(), BTreeSet::new());
    for key in keys.keys().filter(|key| key.starts_with(prefix)) {
        let rest = &key[prefix.len()..];
        match delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len())) {
            Some(end) => drop(prefixes.insert(format!("{prefix}{}", &rest[..end]))),
            None => objects.push(key.clone()),
        }
    }
    (objects, prefixes.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_list_is_the_same_however_long_its_pages_are(
        keys in prop::collection::btree_map("[ab/å]{1,5}", "[a-c]{0,3}", 0..30),
        prefix in "[ab/]{0,2}",
        delimiter in prop::option::of(prop::sample::select(vec!["/", "a", "b/"])),
        limit in 1usize..7,
        gone in prop::collection::vec("[ab/å]{1,5}", 0..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let f = fixture(R2Limits::default());
            let one = bucket(&f.r2, "one").await;
            let mut model = keys;
            for (key, content) in &model {
                put(&one, key, content).await.unwrap();
            }
            one.delete(&gone).await.unwrap();
            model.retain(|key, _| !gone.contains(key));
            let (mut objects, mut prefixes, mut cursor) = (Vec::new(), Vec::new(), None);
            loop {
                let options = ListOptions {
                    prefix: prefix.clone(),
                    delimiter: delimiter.map(str::to_owned),
                    cursor: cursor.take(),
                    limit: Some(limit),
                    start_after: None,
                };
                let page = one.list(options).await.unwrap();
                assert!(page.objects.len() + page.prefixes.len() <= limit);
                assert!(page.cursor.is_none() || page.objects.len() + page.prefixes.len() == limit);
                objects.extend(page.objects.into_iter().map(|object| object.key));
                prefixes.extend(page.prefixes);
                cursor = page.cursor;
                if cursor.is_none() {
                    break;
                }
            }
            assert_eq!((objects, prefixes), listed(&model, &prefix, delimiter));
            let info = f.r2.info(&name("one")).await.unwrap();
            let bytes: usize = model.iter().map(|(key, content)| key.len() + content.len()).sum();
            assert_eq!((info.objects, info.bytes), (model.len() as u64, bytes as u64));
            assert_eq!(files(f.folder.path()), model.values().filter(|content| !content.is_empty()).count());
        });
    }
}

#[tokio::test]
async fn a_list_begins_after_a_key_and_refuses_what_is_no_place() {
    let f = fixture(R2Limits::default());
    let one = bucket(&f.r2, "one").await;
    for key in ["a", "b", "c"] {
        put(&one, key, "").await.unwrap();
    }
    let options = ListOptions { start_after: Some("a".to_owned()), ..ListOptions::default() };
    let keys: Vec<_> = one.list(options).await.unwrap().objects.into_iter().map(|found| found.key).collect();
    assert_eq!(keys, ["b", "c"]);
    let options = ListOptions { cursor: Some("nonsense".to_owned()), ..ListOptions::default() };
    assert!(matches!(one.list(options).await, Err(R2Error::Invalid(_))));
    let many: Vec<String> = (0..1_001).map(|number| number.to_string()).collect();
    assert!(matches!(one.delete(&many).await, Err(R2Error::Invalid(_))));
}
