//! Files as they are uploaded, and what comes of requests for them: the whole way but for the socket.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use http::Request;
use wasmyard_namespaces::assets::{
    AssetDraft, AssetHash, AssetPath, AssetsConfig, ContentType, Declared, NotFoundHandling, Served,
};
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::registry::RegistryOptions;
use wasmyard_namespaces::script::{AssetsUpload, ScriptKey, Upload, UploadDraft};
use wasmyard_runtime::CacheFigures;

use super::*;
use crate::observe::Metrics;

/// A platform with one script that has files and no code.
struct Platform {
    folder: tempfile::TempDir,
    registry: Registry,
    assets: Assets,
    metrics: Metrics,
    script: Arc<Script>,
}

/// An answer, read to its end.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn hash(content: &[u8]) -> AssetHash {
    let mut hash = [0; 16];
    hash.copy_from_slice(&Digest::of(content).as_bytes()[..16]);
    AssetHash::from_bytes(hash)
}

fn figures(metrics: &Metrics) -> AssetFigures {
    AssetFigures::new(metrics.registry()).unwrap()
}

impl Platform {
    async fn new(files: &[(&str, &[u8], &str)], config: AssetsConfig) -> Platform {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open_directory(folder.path(), RegistryOptions::default()).await.unwrap();
        let script = deploy(&registry, files, config).await;
        let metrics = Metrics::new().unwrap();
        let assets = Assets::new(&DispatcherConfig::default(), &registry, figures(&metrics));
        Platform { folder, registry, assets, metrics, script }
    }

    async fn answer(&self, request: http::request::Builder) -> Result<Answer, Failure> {
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        head.uri = format!("http://site.test{}", head.uri).parse().unwrap();
        let response = self.assets.first(&self.script, &head).await?.expect("there is no script to answer");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    }

    async fn get(&self, path: &str) -> Answer {
        self.answer(Request::get(path)).await.unwrap()
    }

    /// Asks until a variant is there.
    async fn encoded(&self, path: &str, encoding: &str) -> Answer {
        for _ in 0..6000 {
            let answer = self.answer(Request::get(path).header("accept-encoding", encoding)).await.unwrap();
            if answer.header("content-encoding") == encoding {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} was not encoded in {encoding} within a minute");
    }

    fn count(&self, series: &str) -> u64 {
        let text = self.metrics.render(CacheFigures::default());
        let line = text.lines().find_map(|line| line.strip_prefix(series));
        line.map_or(0, |value| value.trim().parse().unwrap())
    }
}

async fn deploy(registry: &Registry, files: &[(&str, &[u8], &str)], config: AssetsConfig) -> Arc<Script> {
    let key = ScriptKey::Platform("site".parse().unwrap());
    let declared = files.iter().map(|(path, content, _)| {
        (AssetPath::parse(path).unwrap(), Declared { hash: hash(content), size: content.len() as u64 })
    });
    let draft = AssetDraft::new(declared.collect()).unwrap();
    let session = registry.begin_assets(&key, draft, Duration::from_secs(60)).await.unwrap();
    for (_, content, kind) in files {
        let served = Served::As(ContentType::parse(kind).unwrap());
        let bytes = bytes::Bytes::copy_from_slice(content);
        registry.put_asset(&session, hash(content), served, bytes).await.unwrap();
    }
    let assets = registry.finish_assets(&session).await.unwrap();
    let draft = UploadDraft { assets: AssetsUpload::Attach { assets, config }, ..UploadDraft::default() };
    registry.deploy(&key, Upload::parse(draft).unwrap()).await.unwrap()
}

/// Turns the last byte round of every blob of this length.
fn damage(folder: &Path, len: usize) {
    let mut damaged = 0;
    for shard in std::fs::read_dir(folder.join("blobs")).unwrap() {
        for blob in std::fs::read_dir(shard.unwrap().path()).into_iter().flatten() {
            let path = blob.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            if bytes.len() == len {
                *bytes.last_mut().unwrap() ^= 0xff;
                std::fs::write(&path, bytes).unwrap();
                damaged += 1;
            }
        }
    }
    assert_eq!(damaged, 1);
}

const PAGE: &str = "text/html; charset=utf-8";

fn text(len: usize) -> Vec<u8> {
    b"All work and no play makes Jack a dull boy.\n".iter().copied().cycle().take(len).collect()
}

#[tokio::test]
async fn a_file_is_served_and_held() {
    let platform = Platform::new(&[("/index.html", b"<h1>hello</h1>", PAGE)], AssetsConfig::default()).await;
    let first = platform.get("/").await;
    assert_eq!((first.status, &first.body[..]), (200, &b"<h1>hello</h1>"[..]));
    assert_eq!(first.header("etag"), format!("\"{}\"", hash(b"<h1>hello</h1>")));
    assert_eq!((first.header("content-type"), first.header("cf-cache-status")), (PAGE, "MISS"));
    assert_eq!(platform.get("/").await.header("cf-cache-status"), "HIT");
    assert_eq!(platform.get("/missing").await.status, 404);
    let known = Request::get("/").header("if-none-match", first.header("etag"));
    assert_eq!(platform.answer(known).await.unwrap().status, 304);
    let posted = platform.answer(Request::post("/")).await.unwrap();
    assert_eq!((posted.status, posted.header("allow")), (405, "GET, HEAD"));
    for (result, times) in [("full", 2), ("not_found", 1), ("not_modified", 1), ("not_allowed", 1)] {
        let series = format!("wasmyard_asset_requests_total{{result=\"{result}\"}}");
        assert_eq!(platform.count(&series), times, "{result}");
    }
}

#[tokio::test]
async fn rules_act_on_every_answer_of_the_assets() {
    let config = AssetsConfig {
        headers: Some("/*\n  x-rule: 1\n  ! cache-control\n".into()),
        redirects: Some("/old /new 301\n".into()),
        not_found_handling: NotFoundHandling::Page404,
        ..AssetsConfig::default()
    };
    let files: [(&str, &[u8], &str); 2] = [("/index.html", b"home", PAGE), ("/404.html", b"lost", PAGE)];
    let platform = Platform::new(&files, config).await;
    let tag = platform.get("/").await.header("etag").to_owned();
    for (request, status) in [
        (Request::get("/"), 200),
        (Request::get("/index.html"), 307),
        (Request::get("/old"), 301),
        (Request::get("/missing"), 404),
        (Request::get("/").header("if-none-match", tag), 304),
        (Request::delete("/"), 405),
    ] {
        let answer = platform.answer(request).await.unwrap();
        assert_eq!(
            (answer.status, answer.header("x-rule"), answer.header("cache-control")),
            (status, "1", "")
        );
    }
    assert_eq!(platform.get("/missing").await.body, b"lost");
    assert_eq!(platform.get("/old").await.header("location"), "/new");
}

#[tokio::test]
async fn parts_are_the_bytes_that_were_asked_for_from_memory_and_from_files() {
    for len in [10_000, 3 << 20] {
        let content: Vec<u8> = (0..len).map(|n: usize| (n % 251) as u8).collect();
        let platform = Platform::new(&[("/f.bin", &content, "image/png")], AssetsConfig::default()).await;
        assert!(platform.get("/f.bin").await.body == content);
        let part = |range: &str| platform.answer(Request::get("/f.bin").header("range", range.to_owned()));
        let one = part("bytes=100-8099").await.unwrap();
        assert_eq!((one.status, one.header("content-range")), (206, &*format!("bytes 100-8099/{len}")));
        assert!(one.body == content[100..8100]);
        let end = part("bytes=-5").await.unwrap();
        assert!(end.body == content[len - 5..]);
        assert_eq!(part(&format!("bytes={len}-")).await.unwrap().status, 416);

        let two = part("bytes=5000-5009,0-9").await.unwrap();
        assert_eq!((two.status, two.body.len().to_string().as_str()), (206, two.header("content-length")));
        let boundary = two.header("content-type").rsplit_once('=').unwrap().1;
        let expected = [
            format!(
                "\r\n--{boundary}\r\ncontent-type: image/png\r\ncontent-range: bytes 5000-5009/{len}\r\n\r\n"
            )
            .into_bytes(),
            content[5000..5010].to_vec(),
            format!("\r\n--{boundary}\r\ncontent-type: image/png\r\ncontent-range: bytes 0-9/{len}\r\n\r\n")
                .into_bytes(),
            content[0..10].to_vec(),
            format!("\r\n--{boundary}--\r\n").into_bytes(),
        ];
        assert!(two.body == expected.concat());
    }
}

#[tokio::test]
async fn variants_are_made_in_the_background_and_are_the_same_content() {
    let page = text(20_000);
    let files: [(&str, &[u8], &str); 3] =
        [("/index.html", &page, PAGE), ("/tiny.html", b"tiny", PAGE), ("/p.png", &text(9_999), "image/png")];
    let platform = Platform::new(&files, AssetsConfig::default()).await;
    let br = platform.encoded("/", "br").await;
    let mut back = Vec::new();
    brotli::Decompressor::new(&br.body[..], 4096).read_to_end(&mut back).unwrap();
    assert!(back == page);
    assert_eq!(br.header("content-length"), br.body.len().to_string());
    assert_eq!(br.header("etag"), format!("\"{}-br\"", hash(&page)));
    back.clear();
    let gzip = platform.encoded("/", "gzip").await;
    flate2::read::GzDecoder::new(&gzip.body[..]).read_to_end(&mut back).unwrap();
    assert!(back == page);
    assert!(zstd::decode_all(&platform.encoded("/", "zstd").await.body[..]).unwrap() == page);
    // Other files have none, and never will.
    for (path, vary) in [("/tiny", ""), ("/p.png", "")] {
        let answer = platform.answer(Request::get(path).header("accept-encoding", "br")).await.unwrap();
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), ("", vary));
    }
    assert_eq!(platform.count("wasmyard_asset_variants_total{encoding=\"br\",result=\"kept\"}"), 1);

    // Another node, or this one after a start, finds them and makes none.
    let metrics = Metrics::new().unwrap();
    let assets = Assets::new(&DispatcherConfig::default(), &platform.registry, figures(&metrics));
    let later = Platform { assets, metrics, ..platform };
    later.encoded("/", "br").await;
    assert_eq!(later.count("wasmyard_asset_variants_total{encoding=\"br\",result=\"kept\"}"), 0);
}

#[tokio::test]
async fn damaged_content_is_never_served_and_an_upload_heals_it() {
    for len in [10_000, 3 << 20] {
        let content = text(len);
        let files: [(&str, &[u8], &str); 1] = [("/f.png", &content, "image/png")];
        let platform = Platform::new(&files, AssetsConfig::default()).await;
        damage(platform.folder.path(), len);
        let refused = platform.answer(Request::get("/f.png")).await.err().expect("it was served");
        assert!(!refused.to_string().contains(&hash(&content).to_string()), "only the log names the file");
        assert!(refused.detail().unwrap().contains(&hash(&content).to_string()));
        assert_eq!(platform.count("wasmyard_assets_corrupt_total"), 1);
        assert_eq!(platform.count("wasmyard_asset_requests_total{result=\"failed\"}"), 1);
        deploy(&platform.registry, &files, AssetsConfig::default()).await;
        assert!(platform.get("/f.png").await.body == content);
    }
}

#[tokio::test]
async fn a_damaged_variant_is_made_again_and_the_file_served_meanwhile() {
    let page = text(20_000);
    let platform = Platform::new(&[("/index.html", &page, PAGE)], AssetsConfig::default()).await;
    let br = platform.encoded("/", "br").await;
    damage(platform.folder.path(), br.body.len());
    // A node that holds nothing yet: one that knows of the variant, and finds it damaged when it is asked for.
    let metrics = Metrics::new().unwrap();
    let assets = Assets::new(&DispatcherConfig::default(), &platform.registry, figures(&metrics));
    let later = Platform { assets, metrics, ..platform };
    let answer = later.answer(Request::get("/").header("accept-encoding", "br")).await.unwrap();
    assert!(answer.status == 200 && answer.body == page);
    let again = later.encoded("/", "br").await;
    assert!(again.body == br.body, "the same variant was made again");
}
