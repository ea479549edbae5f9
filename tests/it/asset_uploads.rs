//! Folders of files on their way up: deployed, resumed after kill -9, and followed by `wasmyard dev`.

use std::process::Output;

use serde_json::Value;

use crate::support::{Server, Site, eventually, within};

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn deploy(site: &Site, server: &Server, more: &[&str]) -> Output {
    let url = server.api().url.clone();
    site.run(&[&["deploy", "--api-url", &url], more].concat()).await
}

/// What the API says of the script's assets.
async fn assets(server: &Server) -> Option<Value> {
    let scripts = server.api().get(crate::support::PLATFORM_SCRIPTS).await;
    let found = scripts.result().as_array().unwrap().iter().find(|script| script["id"] == "site").cloned();
    found.map(|script| script["assets"].clone()).filter(|assets| !assets.is_null())
}

#[tokio::test]
async fn a_folder_is_deployed_and_then_only_what_changed() {
    let site = Site::new("");
    for (name, content) in [
        ("public/index.html", "home"),
        ("public/notes.md", "left out"),
        ("public/.assetsignore", "*.md"),
        ("public/_headers", "/*\n  X-Test: 1"),
        ("public/app.js", "1"),
    ] {
        site.write(name, content);
    }
    let server = site.serve().await;
    let first = deploy(&site, &server, &["--assets", "public", "--name", "site"]).await;
    assert!(first.status.success(), "{}", text(&first));
    assert!(text(&first).contains("2 files, 2 to upload"), "{}", text(&first));
    let shown = assets(&server).await.unwrap();
    assert_eq!((&shown["files"], &shown["bytes"]), (&Value::from(2), &Value::from(5)));
    assert_eq!(shown["config"]["_headers"], "/*\n  X-Test: 1");
    site.write("public/app.js", "2");
    let second = deploy(&site, &server, &["--assets", "public", "--name", "site"]).await;
    assert!(text(&second).contains("2 files, 1 to upload"), "{}", text(&second));
    let third = deploy(&site, &server, &["--assets", "public", "--name", "site"]).await;
    assert!(text(&third).contains("2 files, 0 to upload"), "{}", text(&third));
    let missing = deploy(&site, &server, &["--assets", "nowhere", "--name", "site"]).await;
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing));
    assert!(text(&missing).contains("there is no folder"), "{}", text(&missing));
}

#[tokio::test]
async fn a_configuration_deploys_its_assets_by_either_command() {
    let config = "[scripts.site.assets]\ndirectory = \"public\"\nnot_found_handling = \"404-page\"\n";
    let site = Site::new(config);
    site.write("public/index.html", "home");
    let ok = site.run(&["check"]).await;
    assert!(ok.status.success(), "{}", text(&ok));
    let server = site.serve().await;
    let shown = assets(&server).await.unwrap();
    assert_eq!(shown["config"]["not_found_handling"], "404-page");
    site.write("public/more.html", "more");
    let again = deploy(&site, &server, &[]).await;
    assert!(text(&again).contains("2 files, 1 to upload"), "{}", text(&again));
    assert_eq!(assets(&server).await.unwrap()["files"], 2);
    site.write("public/a\\b", "");
    let refused = site.run(&["check"]).await;
    assert_eq!(refused.status.code(), Some(64), "{}", text(&refused));
    assert!(text(&refused).contains("backslash"), "{}", text(&refused));
}

#[tokio::test]
async fn an_upload_goes_on_after_kill_9_of_both_sides() {
    const FILES: usize = 400;
    let site = Site::new("");
    for n in 0..FILES {
        // Large enough that the sockets between the two cannot hold them all.
        site.write(&format!("public/{n:03}.bin"), format!("{n:06}").repeat(20_000));
    }
    let server = site.serve().await;
    let before = blobs(&site);
    let url = server.api().url.clone();
    let mut client = site.spawn(&["deploy", "--api-url", &url, "--assets", "public", "--name", "site"]);
    eventually("some files to arrive", || std::future::ready((blobs(&site) >= before + 80).then_some(())))
        .await;
    client.start_kill().unwrap();
    server.kill().await;
    within("the end of the client", client.wait()).await.unwrap();
    let server = site.serve().await;
    assert_eq!(assets(&server).await, None, "nothing is deployed before everything is there");
    let again = deploy(&site, &server, &["--assets", "public", "--name", "site"]).await;
    assert!(again.status.success(), "{}", text(&again));
    let told = text(&again);
    let rest = told.split_once("400 files, ").unwrap().1;
    let rest: usize = rest.split_once(" to upload").unwrap().0.parse().unwrap();
    assert!((1..FILES).contains(&rest), "{told}");
    assert_eq!(assets(&server).await.unwrap()["files"], FILES);
}

/// How many blobs there are on the disk.
fn blobs(site: &Site) -> usize {
    let shards = std::fs::read_dir(site.data().join("blobs")).into_iter().flatten().flatten();
    shards.map(|shard| std::fs::read_dir(shard.path()).map_or(0, Iterator::count)).sum()
}

#[tokio::test]
async fn dev_follows_the_folder() {
    let site = Site::new("[scripts.site.assets]\ndirectory = \"public\"\n");
    site.write("public/index.html", "one");
    let server = site.dev().await;
    let bytes = |wanted: u64| {
        let server = &server;
        async move {
            let shown = assets(server).await?;
            (shown["bytes"] == wanted).then_some(())
        }
    };
    eventually("the first deployment", || bytes(3)).await;
    site.write("public/index.html", "changed");
    eventually("a changed file", || bytes(7)).await;
    site.write("public/.well-known/deep/new.txt", "x");
    eventually("a new file in a new hidden folder", || bytes(8)).await;
    std::fs::remove_file(site.path("public/index.html")).unwrap();
    eventually("a file that went", || bytes(1)).await;
}
