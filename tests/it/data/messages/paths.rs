//! One path for routes, for rules and for files: no spelling of a path leads around a rule for it.

use crate::support::{Server, Site, guest};

/// Every spelling of `/admin/secret.html` that a server must not take for something else.
const SPELLINGS: [&str; 11] = [
    "/admin/secret.html",
    "/x/../admin/secret.html",
    "/./admin/secret.html",
    "/x/%2e%2e/admin/secret.html",
    "/%2e/admin/secret.html",
    "/x\\..\\admin/secret.html",
    "/admin\\secret.html",
    "//admin/secret.html",
    "/%61dmin/secret.html",
    "/admin%2fsecret.html",
    "http://shop.test/x/../admin/secret.html",
];

async fn asked(server: &Server, host: &str, path: &str) -> (u16, String) {
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let answer = server.raw(head).await.answer().await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_closed_route_cannot_be_walked_around() {
    let site = Site::new(&format!(
        r#"
        [scripts.front]
        assets = {{ directory = "public", html_handling = "none" }}
        [scripts.probe]
        {probe}
        [[routes]]
        pattern = "shop.test/*"
        script = "front"
        [[routes]]
        pattern = "shop.test/%61dmin/*"
        respond = 403
        [[routes]]
        pattern = "code.test/*"
        script = "probe"
        [[routes]]
        pattern = "code.test/admin/*"
        respond = 403
        "#,
        probe = guest::main("probe"),
    ));
    site.write("public/admin/secret.html", "the secret");
    site.write("public/open.html", "open");
    let server = site.serve().await;
    for path in SPELLINGS {
        assert_eq!(asked(&server, "shop.test", path).await.0, 403, "{path}");
        let path = path.replace("shop.test", "code.test");
        assert_eq!(asked(&server, "code.test", &path).await.0, 403, "{path}");
    }
    assert_eq!(asked(&server, "shop.test", "/open.html").await, (200, "open".to_owned()));
    let (status, seen) = asked(&server, "code.test", "/%65mpty").await;
    assert_eq!(status, 200);
    assert!(seen.contains("/%65mpty"), "a script sees the path as it was sent: {seen}");
    assert_eq!(asked(&server, "code.test", "/empty").await.0, 204);
}

/// Names that the platform itself escapes in the address of a file, and the address that browsers ask for.
const ESCAPED: [(&str, &str); 9] = [
    ("@me", "/%40me/"),
    ("[id]", "/%5Bid%5D/"),
    ("a+b", "/a%2Bb/"),
    ("a,b", "/a%2Cb/"),
    ("a=b", "/a%3Db/"),
    ("a:b", "/a%3Ab/"),
    ("$x", "/%24x/"),
    ("a b", "/a%20b/"),
    ("café", "/caf%C3%A9/"),
];

#[tokio::test]
async fn rules_for_paths_hold_for_the_address_that_a_file_is_given() {
    let rules: Vec<String> = ESCAPED.iter().map(|(folder, _)| format!("\"/{folder}/code.txt\"")).collect();
    let site = Site::new(&format!(
        r#"
        [scripts.app]
        {probe}
        assets = {{ directory = "public", run_worker_first = [{rules}] }}
        [[routes]]
        pattern = "app.test/*"
        script = "app"
        "#,
        probe = guest::main("probe"),
        rules = rules.join(", "),
    ));
    let mut headers = String::new();
    for (folder, _) in ESCAPED {
        site.write(&format!("public/{folder}/code.txt"), "the file");
        site.write(&format!("public/{folder}/page.txt"), "a page");
        // A rule's path holds no spaces: it is written as browsers send it.
        headers += &format!("/{}/*\n  x-ruled: yes\n", folder.replace(' ', "%20"));
    }
    site.write("public/_headers", headers);
    let server = site.serve().await;
    for (folder, address) in ESCAPED {
        let as_browsers_send_it = format!("/{}/", folder.replace(' ', "%20").replace('é', "%C3%A9"));
        for spelled in [address, &as_browsers_send_it] {
            let (status, body) = asked(&server, "app.test", &format!("{spelled}code.txt")).await;
            assert_eq!(status, 200, "{spelled}");
            assert!(body.contains("code.txt"), "the script answers for {spelled}: {body}");
        }
        let answer = server.get("app.test", &format!("{address}page.txt")).await;
        assert_eq!((answer.status, answer.text()), (200, "a page"), "{address}");
        assert_eq!(answer.header("x-ruled"), "yes", "{address}");
    }
}
