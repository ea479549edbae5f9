//! What is refused of an upload of assets, with which code, and that nothing of it stays.

use wasmyard_api::UploadLimits;

use super::*;

const HASH: &str = "36b8be012ee77df5f269b11b975611d3";

fn one(path: &str, hash: &str, size: &str) -> String {
    format!("{{\"manifest\":{{{}:{{\"hash\":\"{hash}\",\"size\":{size}}}}}}}", Value::from(path))
}

#[tokio::test]
async fn manifests() {
    let api = api().await;
    let before = api.stored().await;
    let at = format!("{SCRIPT}/assets-upload-session");
    let many: Vec<String> =
        (0..20_001).map(|n| format!("\"/{n}\":{{\"hash\":\"{HASH}\",\"size\":1}}")).collect();
    let many = format!("{{\"manifest\":{{{}}}}}", many.join(","));
    let two = |first: &str, second: &str| format!("{{\"manifest\":{{{first},{second}}}}}");
    let entry =
        |path: &str, hash: &str, size: u32| format!("\"{path}\":{{\"hash\":\"{hash}\",\"size\":{size}}}");
    let cases = [
        (one("/../x", HASH, "1"), 90012, ".."),
        (one("/a/%2e%2e/x", HASH, "1"), 90012, "escaped"),
        (one("/a%2Fb", HASH, "1"), 90012, "escaped"),
        (one("/a\\b", HASH, "1"), 90012, "backslash"),
        (one("/a\0b", HASH, "1"), 90012, "control"),
        (one("index.html", HASH, "1"), 90012, "slash"),
        (one("/", HASH, "1"), 90012, "name a file"),
        (one("", HASH, "1"), 90012, "slash"),
        (one(&format!("/{}", "x".repeat(1024)), HASH, "1"), 90012, "1024"),
        (one("/a", "08f1dfda4574284ab3c21666d1ee8c7d4", "1"), 90012, "33"),
        (one("/a", "zzz8be012ee77df5f269b11b975611d3", "1"), 90012, "32 hex"),
        (one("/a", HASH, "-1"), 90012, "-1"),
        (one("/a", HASH, "1.5"), 90012, "1.5"),
        (one("/a", HASH, "26214401"), 90012, "26214400"),
        (one("/a", HASH, "\"1\""), 10021, "number"),
        (one("/a", HASH, "1e999"), 10006, "number"),
        (two(&entry("/a//b", HASH, 1), &entry("/a/b", HASH, 1)), 90012, "Two files"),
        (two(&entry("/a", HASH, 1), &entry("/a", HASH, 1)), 90012, "Two files"),
        (two(&entry("/a", HASH, 1), &entry("/b", HASH, 2)), 90012, "1 and 2 bytes"),
        (many, 10021, "20000"),
        ("{}".to_owned(), 10021, "manifest"),
        ("{\"manifest\":[]}".to_owned(), 10021, "object"),
        ("{\"manifest\":{\"/a\":{\"size\":1}}}".to_owned(), 10021, "hash"),
        ("{\"manifest\"".to_owned(), 10006, "JSON"),
    ];
    for (body, code, named) in cases {
        let shown: String = body.chars().take(120).collect();
        let message = api.send(Method::POST, &at, "application/json", body).await.refused(400, code);
        assert!(message.contains(named) && message.len() < 500, "{shown}: {message}");
    }
    assert_eq!(api.stored().await, before);
    let nowhere = format!("{NAMESPACES}/nowhere/scripts/a/assets-upload-session");
    api.post(&nowhere, &manifest(&SITE)).await.refused(404, 100_119);
    let long = Api::with_limits(UploadLimits { manifest_bytes: 100, ..UploadLimits::default() }).await;
    long.with_namespace().await;
    long.post(&at, &manifest(&SITE)).await.refused(413, 10027);
}

#[tokio::test]
async fn tokens_for_uploads() {
    let api = api().await;
    let (session, _) = begin(&api, SCRIPT, &SITE).await;
    let (_, other_api_session) = (0, begin(&super::api().await, SCRIPT, &SITE).await.0);
    let completion = completed(&api, PLATFORM, &SITE).await;
    let before = api.stored().await;
    let body = || contents(&["nf\n"]);
    let altered = format!("{}A{}", &session[..60], &session[61..]);
    for (token, named) in [
        (api.token(), "upload session"),
        (altered.as_str(), "altered"),
        (other_api_session.as_str(), "altered"),
        (completion.as_str(), "another step"),
        ("a.b.c", "altered"),
        ("", "Bearer"),
    ] {
        let message = send(&api, token, body()).await.refused(401, 10000);
        assert!(message.contains(named), "{token}: {message}");
    }
    // A good token at another account's path, without Base64, and none at all.
    let at = |path: &str| {
        let request =
            Request::builder().method(Method::POST).uri(path).header("content-type", Form::CONTENT_TYPE);
        request.header("authorization", format!("Bearer {session}")).body(Body::from(body())).unwrap()
    };
    let message = api.raw(at(&UPLOAD.replace("acc1", "acc2"))).await.refused(401, 10000);
    assert!(message.contains("another account"), "{message}");
    api.raw(at(&UPLOAD.replace("acc1", "!"))).await.refused(404, 7003);
    let message = api.raw(at(&UPLOAD.replace("?base64=true", ""))).await.refused(400, 10004);
    assert!(message.contains("base64=true"), "{message}");
    api.raw(at(&UPLOAD.replace("true", "false"))).await.refused(400, 10004);
    let none = Request::builder().method(Method::POST).uri(UPLOAD).body(Body::empty()).unwrap();
    api.raw(none).await.refused(401, 10000);
    assert_eq!(api.stored().await, before);
    // The token of a session is no API token.
    let list = Request::get(NAMESPACES).header("authorization", format!("Bearer {session}"));
    api.raw(list.body(Body::empty()).unwrap()).await.refused(401, 10000);
}

#[tokio::test]
async fn contents_that_are_not_what_was_declared() {
    let api = api().await;
    let (session, _) = begin(&api, SCRIPT, &SITE).await;
    let before = api.stored().await;
    let part = |name: &str, content: &[u8]| {
        Form::new().part(&format!("form-data; name=\"{name}\""), None, content).end()
    };
    let nf = hash("nf\n");
    let large = vec![b'A'; 100_000];
    for (body, status, code, named) in [
        (part("file", b"bmYK"), 400, 90013, "32 hex digits"),
        (part("", b"bmYK"), 400, 90013, "32 hex digits"),
        (part(HASH, b"bmYK"), 400, 90013, HASH),
        (part(&nf, b"bmY"), 400, 90013, "2 bytes"),
        (part(&nf, b""), 400, 90013, "0 bytes"),
        (part(&nf, b"bmYKbmYK"), 400, 90013, "more than the 3 bytes"),
        (part(&nf, &large), 400, 90013, "more than the 3 bytes"),
        (part(&nf, b"bm\x00K"), 400, 90013, "Base64"),
        (part(&hash("<h1>about</h1>\n"), b"bmY=bmYK"), 400, 90013, "Base64"),
        (
            Form::new().part(&format!("form-data; name=\"{nf}\""), Some("text/\u{e9}"), b"bmYK").end(),
            400,
            90013,
            "content type",
        ),
        (Form::new().end(), 400, 90013, "no part"),
        (b"no form".to_vec(), 400, 10006, "boundary"),
        (
            Form::new().part(&format!("form-data; name=\"{nf}\""), None, b"bmYK").half(),
            400,
            10006,
            "incomplete",
        ),
    ] {
        let message = send(&api, &session, body).await.refused(status, code);
        assert!(message.contains(named), "{named}: {message}");
    }
    let request = Request::builder()
        .method(Method::POST)
        .uri(UPLOAD)
        .header("authorization", format!("Bearer {session}"));
    api.raw(request.header("content-type", "application/json").body(Body::from("{}")).unwrap())
        .await
        .refused(415, 10001);
    assert_eq!(api.stored().await, before);
    // Other content under a hash that is taken; what was there first stays.
    taken(&send(&api, &session, part(&nf, b"bmYK")).await, 202);
    let before = api.stored().await;
    let message = send(&api, &session, part(&nf, b"bmYX")).await.refused(409, 90014);
    assert!(message.contains(&nf), "{message}");
    assert_eq!(api.stored().await, before);
}

#[tokio::test]
async fn bodies_out_of_bounds() {
    let limits = UploadLimits {
        asset_upload_bytes: 2_000,
        asset_parts: 3,
        idle: std::time::Duration::from_millis(50),
        ..UploadLimits::default()
    };
    let api = Api::with_limits(limits).await;
    api.with_namespace().await;
    let (session, _) = begin(&api, SCRIPT, &SITE).await;
    let before = api.stored().await;
    let request = |body: Body| {
        let request =
            Request::builder().method(Method::POST).uri(UPLOAD).header("content-type", Form::CONTENT_TYPE);
        request.header("authorization", format!("Bearer {session}")).body(body).unwrap()
    };
    let lines =
        Form::new().part(&format!("form-data; name=\"{}\"", hash("nf\n")), None, &[b'\n'; 3_000]).end();
    let pieces: Vec<Result<bytes::Bytes, std::io::Error>> =
        lines.chunks(100).map(|piece| Ok(bytes::Bytes::copy_from_slice(piece))).collect();
    let body = Body::from_stream(futures::stream::iter(pieces));
    api.raw(request(body)).await.refused(413, 10027);
    let stops = futures::StreamExt::chain(
        futures::stream::iter([Ok::<_, std::io::Error>(bytes::Bytes::from(
            contents(&["nf\n"])[..200].to_vec(),
        ))]),
        futures::stream::pending(),
    );
    api.raw(request(Body::from_stream(stops))).await.refused(408, 90006);
    assert_eq!(api.stored().await, before);
    let four = contents(&["nf\n"; 4]);
    assert!(send(&api, &session, four).await.refused(400, 10006).contains("3 parts"));
}

#[tokio::test]
async fn deploys_without_a_good_completion_token_leave_the_live_version_alone() {
    let api = api().await;
    let jwt = completed(&api, SCRIPT, &SITE).await;
    deploy(&api, SCRIPT, &json!({"assets": {"jwt": jwt}})).await.result();
    let live = api.get(SCRIPT).await.result();
    let others = [("/other", "other")];
    let (session, _) = begin(&api, SCRIPT, &others).await;
    let (for_other_script, _) = begin(&api, &SCRIPT.replace("customer-a", "customer-b"), &SITE).await;
    let before = api.stored().await;
    let altered = jwt.replace('.', "x.");
    for (token, named) in [
        (session.as_str(), "another step"),
        (for_other_script.as_str(), "another script"),
        (altered.as_str(), "altered"),
        ("", "token"),
        (api.token(), "token"),
    ] {
        let metadata = json!({"assets": {"jwt": token}});
        let message = deploy(&api, SCRIPT, &metadata).await.refused(400, 90011);
        assert!(message.contains(named), "{token}: {message}");
    }
    // The same token for the platform script of that name, and under another account.
    deploy(&api, &PLATFORM.replace("dispatcher", "customer-a"), &json!({"assets": {"jwt": jwt}}))
        .await
        .refused(400, 90011);
    deploy(&api, &SCRIPT.replace("acc1", "acc2"), &json!({"assets": {"jwt": jwt}})).await.refused(400, 90011);
    for (metadata, named) in [
        (json!({"assets": {}}), "jwt"),
        (json!({"assets": {"config": {"html_handling": "none"}}}), "jwt"),
        (json!({"assets": {"jwt": jwt, "config": {"html_handling": "x"}}}), "auto-trailing-slash"),
        (json!({"assets": {"jwt": jwt, "config": {"run_worker_first": ["api"]}}}), "api"),
        (json!({"assets": {"jwt": jwt, "conf": {}}}), "conf"),
        (json!({"assets": 5}), "metadata"),
        (json!({"main_module": "w.wasm", "assets": {"jwt": jwt}}), "no component yet"),
        (json!({"assets": {"jwt": jwt}, "limits": {"cpu_ms": 999_999_999}}), "cpu_ms"),
    ] {
        let message = deploy(&api, SCRIPT, &metadata).await.refused(400, 10021);
        assert!(message.contains(named), "{metadata}: {message}");
    }
    // A component that is refused, with good assets.
    let metadata = json!({"main_module": "w.wasm", "assets": {"jwt": jwt}});
    api.upload(SCRIPT, &metadata, crate::common::CORE_MODULE).await.refused(400, 10021);
    // A component that metadata does not name would be lost.
    let lost = Form::new()
        .part("form-data; name=\"metadata\"", None, json!({"assets": {"jwt": jwt}}).to_string().as_bytes())
        .part("form-data; name=\"w.wasm\"; filename=\"w.wasm\"", None, &component("x"));
    assert!(api.form(Method::PUT, SCRIPT, lost).await.refused(400, 10021).contains("w.wasm"));
    let nothing = json!({"keep_assets": true});
    let fresh = SCRIPT.replace("customer-a", "customer-c");
    assert!(deploy(&api, &fresh, &nothing).await.refused(400, 10021).contains("neither"));
    assert_eq!(api.stored().await, before);
    assert_eq!(api.get(SCRIPT).await.result(), live);
    assert_eq!(paths_and_contents(&served(&api, &key()).await), SITE);
}

#[tokio::test]
async fn a_session_that_is_over() {
    let api = api().await;
    let key = key();
    let draft = wasmyard_namespaces::AssetDraft::new(Vec::new()).unwrap();
    let session = api.registry.begin_assets(&key, draft, std::time::Duration::ZERO).await.unwrap();
    let gone = api.registry.asset_session(&session.scope, &session.id).await.unwrap_err();
    assert!(gone.to_string().contains("over"), "{gone}");
}
