//! Folders of files on their way up: deployed, resumed after kill -9, and followed by `wasmyard dev`.

mod between;

use std::process::Output;

use serde_json::Value;

use crate::support::{Server, Site, eventually, within};
use between::Between;

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
async fn rules_that_break_a_rule_are_told_by_file_and_line_wherever_they_come_in() {
    let site = Site::new("[scripts.site.assets]\ndirectory = \"public\"\n");
    site.write("public/index.html", "home");
    site.write("public/_headers", "/*\n  X-Good: 1\n  Content-Length: 5\n\n# fine\nno path\n");
    site.write("public/_redirects", "/old /new 301\n/old /newer\n/only-from\n/* /index.html\n");
    let wrong = [
        ("_headers", "line 3: content-length is set by the platform"),
        ("_headers", "line 6: a header must be written as"),
        ("_redirects", "line 2: there is a rule for /old already"),
        ("_redirects", "line 3: "),
        ("_redirects", "line 4: "),
    ];
    let checked = site.run(&["check"]).await;
    assert!(checked.status.success(), "the rest of the rules holds: {}", text(&checked));
    for (file, expected) in wrong {
        let line = format!("warning: site.assets = \"public/{file}\": {expected}");
        assert!(text(&checked).contains(&line), "{line}\n{}", text(&checked));
    }
    assert_eq!(text(&checked).matches("left out").count(), wrong.len(), "{}", text(&checked));

    // Where the server reads them itself, its log says so.
    let server = site.serve().await;
    let logged = |line: &Value| line["file"] == "_redirects" && line["line"] == 2;
    let line = server.logged("a rule that is left out", logged).await;
    assert_eq!((&line["level"], &line["script"]), (&"WARN".into(), &"site".into()));
    // Where a client brings them, both say so: the client of the files, the API of what arrived.
    let deployed = deploy(&site, &server, &[]).await;
    assert!(deployed.status.success(), "{}", text(&deployed));
    for (file, expected) in wrong {
        assert!(text(&deployed).contains(&format!("public/{file}: {expected}")), "{}", text(&deployed));
    }
    let config = assets(&server).await.unwrap()["config"].clone();
    let kept = serde_json::json!({"keep_assets": true, "assets": {"config": config}});
    let form = reqwest::multipart::Form::new().text("metadata", kept.to_string());
    let path = format!("{}/site", crate::support::PLATFORM_SCRIPTS);
    let notes = server.api().form(&path, form).await.envelope["messages"].clone();
    let notes: Vec<&str> =
        notes.as_array().unwrap().iter().map(|note| note["message"].as_str().unwrap()).collect();
    for (note, (file, expected)) in notes.iter().zip(wrong) {
        assert!(note.starts_with(&format!("{file} {expected}")), "{note}");
    }
    assert_eq!(notes.len(), wrong.len(), "{notes:?}");

    site.write("public/_headers", "/*\n  X-Good: 1\n");
    site.write("public/_redirects", "/old /new 301\n");
    let checked = site.run(&["check"]).await;
    assert!(checked.status.success() && !text(&checked).contains("warning: scripts"), "{}", text(&checked));
}

#[tokio::test]
async fn what_was_damaged_on_the_disk_is_healed_by_an_ordinary_deploy() {
    let site = Site::new(
        "[scripts.site.assets]\ndirectory = \"public\"\n[[routes]]\npattern = \"site.test/*\"\nscript = \"site\"\n",
    );
    // Held in memory when it was read; an open file; one that will be cut short; one that will be gone.
    let contents = [("turned", 5), ("large", 3 << 20), ("cut", 700), ("gone", 9)]
        .map(|(name, length)| (name, name.bytes().cycle().take(length).collect::<Vec<u8>>()));
    for (name, content) in &contents {
        site.write(&format!("public/{name}.bin"), content);
    }
    site.write("public/whole.bin", "whole");
    let server = site.serve().await;
    let mut found = 0;
    for blob in blob_files(&site) {
        let mut bytes = std::fs::read(&blob).unwrap();
        match contents.iter().find(|(_, content)| *content == bytes) {
            Some(("gone", _)) => std::fs::remove_file(blob).unwrap(),
            Some(("cut", _)) => std::fs::write(blob, &bytes[1..]).unwrap(),
            Some(_) => {
                bytes[0] ^= 0xff;
                std::fs::write(blob, bytes).unwrap();
            }
            None => continue,
        }
        found += 1;
    }
    assert_eq!(found, contents.len());
    for (name, _) in &contents {
        // The first finds it out, the second is told what is known.
        for _ in 0..2 {
            assert_eq!(server.get("site.test", &format!("/{name}.bin")).await.status, 500, "{name}");
        }
    }
    assert_eq!(server.get("site.test", "/whole.bin").await.text(), "whole");
    let healed = deploy(&site, &server, &[]).await;
    assert!(healed.status.success(), "{}", text(&healed));
    assert!(text(&healed).contains("5 files, 4 to upload"), "{}", text(&healed));
    for (name, content) in &contents {
        let answer = server.get("site.test", &format!("/{name}.bin")).await;
        assert!(answer.status == 200 && answer.body == content[..], "{name}: {}", answer.status);
    }
    let again = deploy(&site, &server, &[]).await;
    assert!(text(&again).contains("5 files, 0 to upload"), "{}", text(&again));
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

#[tokio::test]
async fn a_session_that_ends_midway_is_followed_by_one_for_the_rest() {
    const FILES: usize = 1_600;
    let site = Site::new("");
    for n in 0..FILES {
        site.write(&format!("public/{n:04}.txt"), format!("{n}"));
    }
    let server = site.serve().await;
    // Some buckets arrive; then the session's token is worth nothing any more, as after its hour.
    let between = Between::start(&server, 2).await;
    let run = ["deploy", "--api-url", &between.url, "--assets", "public", "--name", "site"];
    let deployed = site.run(&run).await;
    assert!(deployed.status.success(), "{}", text(&deployed));
    assert!(text(&deployed).contains("the upload session has ended"), "{}", text(&deployed));
    assert_eq!(assets(&server).await.unwrap()["files"], FILES);
    let sessions = between.asked.lock().unwrap().clone();
    assert_eq!((sessions.len(), sessions[0]), (2, FILES), "two sessions, the first for everything");
    let arrived = FILES - sessions[1];
    assert!((2 * 250..FILES).contains(&arrived), "what has arrived is not asked for again: {sessions:?}");

    // One that ends before anything arrives is not begun for ever.
    site.write("public/new.txt", "new");
    let between = Between::start(&server, 0).await;
    let run = ["deploy", "--api-url", &between.url, "--assets", "public", "--name", "site"];
    let failed = site.run(&run).await;
    assert_eq!(failed.status.code(), Some(1), "{}", text(&failed));
    assert!(text(&failed).contains("ends upload sessions before any file has arrived"), "{}", text(&failed));
    assert_eq!(*between.asked.lock().unwrap(), [1, 1]);
    assert_eq!(assets(&server).await.unwrap()["files"], FILES, "what is deployed stays");
}

/// How many blobs there are on the disk.
fn blobs(site: &Site) -> usize {
    blob_files(site).len()
}

/// Where they are.
fn blob_files(site: &Site) -> Vec<std::path::PathBuf> {
    let shards = std::fs::read_dir(site.data().join("blobs")).into_iter().flatten().flatten();
    let blobs = shards.flat_map(|shard| std::fs::read_dir(shard.path()).into_iter().flatten().flatten());
    blobs.map(|blob| blob.path()).collect()
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
