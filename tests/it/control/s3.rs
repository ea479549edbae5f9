//! The S3 protocol: URLs and requests that another program signs, by Python's standard library.

use http::Method;
use reqwest::Client;
use serde_json::json;

use crate::support::{Server, within};

const BUCKETS: &str = "/client/v4/accounts/0/r2/buckets";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

struct S3 {
    server: Server,
    url: String,
    key: (String, String),
}

impl S3 {
    async fn serving() -> S3 {
        let server = Server::serving("[r2]\ns3_listen = \"127.0.0.1:0\"\n").await;
        let url = server.s3().await;
        server.api().post(BUCKETS, &json!({"name": "photos"})).await.result();
        let verified = server.api().get("/client/v4/user/tokens/verify").await;
        let id = verified.result()["id"].as_str().unwrap().to_owned();
        let secret = wasmyard_namespaces::Digest::of(server.api().token().as_bytes()).to_string();
        S3 { server, url: format!("http://{url}"), key: (id, secret) }
    }

    /// What the program prints for a request that is made now.
    fn url_of(&self, method: &str, path: &str, key: (&str, &str), expires: &str) -> String {
        self.signed(method, path, key, &[expires]).trim().to_owned()
    }

    fn signed(&self, method: &str, path: &str, key: (&str, &str), rest: &[&str]) -> String {
        let time = wasmyard_namespaces::Timestamp::now().to_string();
        let digits: String =
            time.split('.').next().unwrap().chars().filter(char::is_ascii_alphanumeric).collect();
        let time = format!("{}Z", digits.trim_end_matches('Z'));
        let output = std::process::Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/clients/presign.py"))
            .args([method, &format!("{}{path}", self.url), key.0, key.1, &time])
            .args(rest)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn presigned(&self, method: &str, path: &str) -> String {
        self.url_of(method, path, (&self.key.0, &self.key.1), "300")
    }

    /// Puts a content in chunks that are signed, after `change` was at the body.
    async fn put_in_chunks(
        &self,
        path: &str,
        content: &str,
        trailer: &[&str],
        change: impl FnOnce(&str) -> String,
    ) -> (u16, String) {
        let rest = [&["chunked", content], trailer].concat();
        let signed = self.signed("PUT", path, (&self.key.0, &self.key.1), &rest);
        let (fields, body) = signed.split_once("Signature=").unwrap();
        let (signature, body) = body.split_once('\n').unwrap();
        let mut request =
            Client::new().request(Method::PUT, format!("{}{path}", self.url)).body(change(body));
        for field in format!("{fields}Signature={signature}").lines() {
            let (name, value) = field.split_once(':').unwrap();
            request = request.header(name, value);
        }
        let answer = within(path, request.send()).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Sends a request that is signed in its fields.
    async fn send(&self, method: &str, path: &str, fields: &[&str], content: &str) -> (u16, String) {
        let rest = [&["header", UNSIGNED], fields].concat();
        let signed = self.signed(method, path, (&self.key.0, &self.key.1), &rest);
        let method: Method = method.parse().unwrap();
        let mut request =
            Client::new().request(method, format!("{}{path}", self.url)).body(content.to_owned());
        for field in signed.lines() {
            let (name, value) = field.split_once(':').unwrap();
            request = request.header(name, value);
        }
        let answer = within(path, request.send()).await.unwrap();
        let etag = answer.headers().get("etag").map(|etag| etag.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, if text.is_empty() { etag.unwrap_or_default() } else { text })
    }
}

async fn plain(method: Method, url: &str, content: &str) -> (u16, String) {
    let answer =
        within(url, Client::new().request(method, url).body(content.to_owned()).send()).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_signed_url_puts_and_reads_one_object_and_nothing_else() {
    let s3 = S3::serving().await;
    let put = s3.presigned("PUT", "/photos/a%20b/%C3%A5.txt");
    assert_eq!(plain(Method::PUT, &put, "by a visitor").await.0, 200);
    let get = s3.presigned("GET", "/photos/a%20b/%C3%A5.txt?response-content-type=text%2Fx-own");
    let answer = within("get", Client::new().get(&get).header("range", "bytes=3-3").send()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (206, &"text/x-own".parse().unwrap())
    );
    assert_eq!(answer.text().await.unwrap(), "a");
    // What the API has is the same.
    let found = s3.server.api().request(Method::GET, &format!("{BUCKETS}/photos/objects/a%20b/%C3%A5.txt"));
    assert_eq!(found.send().await.unwrap().text().await.unwrap(), "by a visitor");
    for (method, url, code) in [
        (Method::DELETE, get.clone(), "SignatureDoesNotMatch"),
        (Method::GET, get.replace("%C3%A5", "b"), "SignatureDoesNotMatch"),
        (Method::GET, get.replace("x-own", "html"), "SignatureDoesNotMatch"),
        (Method::GET, get.replace("X-Amz-Expires=300", "X-Amz-Expires=3000"), "SignatureDoesNotMatch"),
        (Method::GET, format!("{}/photos/a", s3.url), "AccessDenied"),
        (Method::GET, s3.url_of("GET", "/photos/a", ("nobody", "x"), "300"), "InvalidAccessKeyId"),
        (Method::GET, s3.url_of("GET", "/photos/a", (&s3.key.0, "x"), "300"), "SignatureDoesNotMatch"),
    ] {
        let (status, text) = plain(method, &url, "").await;
        assert!(status == 403 && text.contains(&format!("<Code>{code}</Code>")), "{url}: {status} {text}");
    }
    let (status, text) = plain(Method::GET, &s3.presigned("GET", "/photos/none"), "").await;
    assert!(status == 404 && text.contains("NoSuchKey"), "{text}");
    let (status, text) = plain(Method::GET, &s3.presigned("GET", "/nobody/none"), "").await;
    assert!(status == 404 && text.contains("NoSuchBucket"), "{text}");
}

#[tokio::test]
async fn the_operations_of_clients_work_by_fields() {
    let s3 = S3::serving().await;
    let put = s3.send("PUT", "/photos/k", &["x-amz-meta-by:me"], "0123456789").await;
    assert_eq!(put, (200, "\"781e5e245d69b566979b86e28d23f2c7\"".to_owned()));
    assert_eq!(s3.send("HEAD", "/photos/k", &[], "").await, put);
    let copied = s3.send("PUT", "/photos/dir/copy", &["x-amz-copy-source:/photos/k"], "").await;
    assert!(copied.0 == 200 && copied.1.contains("CopyObjectResult"), "{copied:?}");
    let listed = s3.send("GET", "/photos?list-type=2&delimiter=%2F", &[], "").await.1;
    assert!(listed.contains("<Key>k</Key>") && listed.contains("<Prefix>dir/</Prefix>"), "{listed}");
    assert!(s3.send("GET", "/", &[], "").await.1.contains("<Name>photos</Name>"));
    assert_eq!(s3.send("HEAD", "/photos", &[], "").await.0, 200);
    let upload = s3.send("POST", "/photos/parts?uploads", &[], "").await.1;
    let id = upload.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let (status, etag) =
        s3.send("PUT", &format!("/photos/parts?partNumber=1&uploadId={id}"), &[], "part").await;
    assert_eq!(status, 200);
    assert!(
        s3.send("GET", &format!("/photos/parts?uploadId={id}"), &[], "").await.1.contains("<PartNumber>1<")
    );
    assert!(s3.send("GET", "/photos?uploads", &[], "").await.1.contains(&id));
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let made = s3.send("POST", &format!("/photos/parts?uploadId={id}"), &[], &parts).await;
    assert!(made.0 == 200 && made.1.contains("-1"), "{made:?}");
    assert_eq!(s3.send("GET", "/photos/parts", &[], "").await, (200, "part".to_owned()));
    let keys = "<Delete><Object><Key>k</Key></Object><Object><Key>parts</Key></Object></Delete>";
    assert_eq!(s3.send("POST", "/photos?delete", &[], keys).await.0, 200);
    assert_eq!(s3.send("DELETE", "/photos/dir/copy", &[], "").await.0, 204);
    assert!(s3.send("GET", "/photos?list-type=2", &[], "").await.1.contains("<KeyCount>0</KeyCount>"));
    let bad = s3.send("PUT", "/photos/k", &["content-md5:AAAAAAAAAAAAAAAAAAAAAA=="], "x").await;
    assert!(bad.0 == 400 && bad.1.contains("BadDigest"), "{bad:?}");
    assert_eq!(s3.send("PUT", "/new-bucket", &[], "").await.0, 200);
    let again = s3.send("PUT", "/new-bucket", &[], "").await;
    assert!(again.0 == 409 && again.1.contains("BucketAlreadyOwnedByYou"), "{again:?}");
    let gone = s3.send("DELETE", "/new-bucket", &[], "").await;
    assert!(gone.0 == 501 && gone.1.contains("NotImplemented"), "{gone:?}");
}

#[tokio::test]
async fn chunks_are_put_if_each_of_them_is_what_was_signed() {
    let s3 = S3::serving().await;
    let content = "a chunk of some text ".repeat(2_000);
    let crc = "x-amz-checksum-crc32:Pc6sFA==";
    assert_eq!(s3.put_in_chunks("/photos/k", &content, &[], str::to_owned).await, (200, String::new()));
    assert_eq!(s3.send("GET", "/photos/k", &[], "").await, (200, content.clone()));
    let put = s3.put_in_chunks("/photos/checked", &content, &[crc], str::to_owned).await;
    assert_eq!(put, (200, String::new()));
    let shown = s3.send("GET", "/photos/checked", &["x-amz-checksum-mode:ENABLED"], "").await;
    assert_eq!(shown, (200, content.clone()));
    // A letter of the content, one of a signature, a chunk that is left out, an end that is.
    let changed = |from: &'static str, to: &'static str| move |body: &str| body.replacen(from, to, 1);
    for (code, status, (status_of, text)) in [
        (
            "SignatureDoesNotMatch",
            403,
            s3.put_in_chunks("/photos/bad", &content, &[], changed("chunk of", "chunk_of")).await,
        ),
        (
            "InvalidRequest",
            400,
            s3.put_in_chunks("/photos/bad", &content, &[], changed(";chunk-signature", ";signature")).await,
        ),
        (
            "IncompleteBody",
            400,
            s3.put_in_chunks("/photos/bad", &content, &[], |body| body[..9_000].to_owned()).await,
        ),
        (
            "MalformedTrailerError",
            400,
            s3.put_in_chunks(
                "/photos/bad",
                &content,
                &[crc],
                changed("x-amz-checksum-crc32", "x-amz-checksum-sha1"),
            )
            .await,
        ),
        (
            "BadDigest",
            400,
            s3.put_in_chunks("/photos/bad", &content, &["x-amz-checksum-crc32:AAAAAA=="], str::to_owned)
                .await,
        ),
        (
            "InvalidRequest",
            400,
            s3.put_in_chunks("/photos/bad", &content, &["x-amz-meta-late:1"], str::to_owned).await,
        ),
    ] {
        assert!(
            status_of == status && text.contains(&format!("<Code>{code}</Code>")),
            "{code}: {status_of} {text}"
        );
    }
    assert_eq!(s3.send("GET", "/photos/bad", &[], "").await.0, 404, "nothing of it was put");
}

#[tokio::test]
async fn what_is_not_there_is_refused_by_name_and_touches_no_object() {
    let s3 = S3::serving().await;
    assert_eq!(s3.send("PUT", "/photos/k", &[], "content").await.0, 200);
    for (method, path, field) in [
        ("PUT", "/photos/k?tagging", ""),
        ("GET", "/photos/k?acl", ""),
        ("PUT", "/photos/k?acl", ""),
        ("DELETE", "/photos/k?tagging", ""),
        ("GET", "/photos?versioning", ""),
        ("GET", "/photos?lifecycle", ""),
        ("GET", "/photos/k?versionId=1", ""),
        ("PUT", "/photos/k", "x-amz-tagging:a=b"),
        ("PUT", "/photos/k", "x-amz-server-side-encryption-customer-algorithm:AES256"),
    ] {
        let fields: Vec<&str> = Some(field).filter(|field| !field.is_empty()).into_iter().collect();
        let (status, text) = s3.send(method, path, &fields, "other").await;
        assert!(status == 501 && text.contains("NotImplemented"), "{method} {path} {field}: {status} {text}");
    }
    assert_eq!(s3.send("GET", "/photos/k", &[], "").await, (200, "content".to_owned()));
    assert!(s3.send("GET", "/photos/k?tagging", &[], "").await.1.contains("<TagSet></TagSet>"));
}

#[tokio::test]
async fn an_access_key_may_do_what_its_token_may() {
    let s3 = S3::serving().await;
    s3.send("PUT", "/photos/k", &[], "x").await;
    let policy = json!({"name": "reader", "policies": [{"effect": "allow",
        "permission_groups": [{"id": "b4992e1108244f5d8bfbd5744320c2e1"}], "resources": {"com.cloudflare.api.account.*": "*"}}]});
    let made = s3.server.api().post("/client/v4/user/tokens", &policy).await.result().clone();
    let secret = wasmyard_namespaces::Digest::of(made["value"].as_str().unwrap().as_bytes()).to_string();
    let key = (made["id"].as_str().unwrap(), secret.as_str());
    assert_eq!(
        plain(Method::GET, &s3.url_of("GET", "/photos/k", key, "60"), "").await,
        (200, "x".to_owned())
    );
    let (status, text) = plain(Method::PUT, &s3.url_of("PUT", "/photos/k", key, "60"), "y").await;
    assert!(status == 403 && text.contains("Workers R2 Storage Write"), "{text}");
    s3.server.api().delete(&format!("/client/v4/user/tokens/{}", key.0)).await.result();
    assert_eq!(plain(Method::GET, &s3.url_of("GET", "/photos/k", key, "60"), "").await.0, 403);
}
