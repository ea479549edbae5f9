//! What `wasmyard init` writes has no mistakes, builds, runs and reloads as it is.

use crate::support::{Server, Site, eventually, wat};

/// A project made from a template in the folder `new`, and a platform that runs it.
async fn started(template: &str) -> (Site, Server) {
    let site = Site::new("");
    let made = site.run(&["init", "new", "--template", template]).await;
    assert!(made.status.success(), "{made:?}");
    let server = site.dev_with_toolchain("new").await;
    (site, server)
}

/// Waits until the host answers this. First its scripts have to be compiled.
async fn answers(server: &Server, host: &str, text: &str) {
    eventually(text, || async {
        let answer = server.get(host, "/path").await;
        (answer.status == 200 && answer.text() == text).then_some(())
    })
    .await;
}

/// Every component that was built is one that the platform takes.
async fn passes_check(site: &Site) {
    let config = site.path("new/wasmyard.toml");
    let checked = site.run(&["check", "--config", config.to_str().unwrap()]).await;
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test]
async fn the_hello_template_builds_runs_and_reloads_as_it_is() {
    let (site, server) = started("hello").await;
    answers(&server, "any.test", "Hello from hello at /path\n").await;
    passes_check(&site).await;

    let source = std::fs::read_to_string(site.path("new/src/lib.rs")).unwrap();
    site.write("new/src/lib.rs", source.replace(" from ", " out of "));
    answers(&server, "any.test", "Hello out of hello at /path\n").await;

    site.write("new/src/lib.rs", source.replace("Response", "Resonse"));
    server.noted("[hello] build failed: the last good version goes on serving").await;
    assert!(server.log().contains("Resonse"), "what the compiler said is on the terminal");
    answers(&server, "any.test", "Hello out of hello at /path\n").await;
}

#[tokio::test]
async fn the_wrangler_template_builds_and_runs_as_it_is() {
    let (site, server) = started("wrangler").await;
    answers(&server, "customer-a.localhost", "Hello from customer-a at /path\n").await;
    passes_check(&site).await;
    let shim = std::fs::read_to_string(site.path("new/shim.js")).unwrap();
    let (_, component) = shim.split_once("from \"./").unwrap();
    assert!(site.path("new").join(component.split('"').next().unwrap()).is_file(), "{shim}");
}

#[tokio::test]
async fn the_dispatcher_template_builds_and_runs_as_it_is() {
    let (site, server) = started("dispatcher").await;
    answers(&server, "customer-a.localhost", "Hello from customer A: you asked for /path\n").await;
    answers(&server, "customer-b.localhost", "customer B echoes what you POST\n").await;
    let nobody = server.get("customer-z.localhost", "/").await;
    assert_eq!((nobody.status, nobody.text()), (404, "there is no customer customer-z\n"));
    passes_check(&site).await;
}

#[tokio::test]
async fn the_outbound_template_builds_and_runs_as_it_is() {
    let (site, server) = started("outbound").await;
    eventually("the outbound worker's own answer", || async {
        let answer = server.get("customer-1.localhost", "/").await;
        let expected =
            "user worker got \"intercepted a request for customer-1 by the outbound\" from fetch\n";
        (answer.status == 200 && answer.text() == expected).then_some(())
    })
    .await;
    let blocked = server.get("customer-1.localhost", "/ask?url=http://blocked.example/").await;
    assert_eq!(blocked.text(), "user worker got \"blocked.example is blocked\" from fetch\n");
    let refused = server.get("customer-1.localhost", "/ask?url=http://169.254.169.254/").await;
    assert_eq!((refused.status, refused.text()), (502, "the request failed: destination IP prohibited\n"));
    passes_check(&site).await;
}

#[tokio::test]
async fn the_javascript_template_runs_as_its_readme_shows_and_reloads() {
    let site = Site::new("");
    let made = site.run(&["init", "new", "--template", "javascript"]).await;
    assert!(made.status.success(), "{made:?}");
    let server = site.dev_with_toolchain("new").await;
    answers(&server, "customer-a.localhost", "Hello from JavaScript, at /path\n").await;
    let readme = std::fs::read_to_string(site.path("new/README.md")).unwrap();
    for (host, path) in [("customer-b", "/shop"), ("customer-a", "/outside"), ("nobody", "/")] {
        // Its scripts are deployed one after the other.
        eventually(&format!("what the README shows of {host}"), || async {
            let answer = server.get(&format!("{host}.localhost"), path).await;
            let shown = format!("$ curl http://{host}.localhost:8787{path}\n{}", answer.text());
            readme.contains(&shown).then_some(())
        })
        .await;
    }
    passes_check(&site).await;

    let page = std::fs::read_to_string(site.path("new/lib/page.js")).unwrap();
    site.write("new/lib/page.js", page.replace(" from ", " out of "));
    answers(&server, "customer-a.localhost", "Hello out of JavaScript, at /path\n").await;
    site.write("new/lib/page.js", page.replace("=>", "=>>"));
    server.noted("SyntaxError").await;
    answers(&server, "customer-a.localhost", "Hello out of JavaScript, at /path\n").await;
}

#[tokio::test]
async fn a_new_project_of_every_template_passes_the_check() {
    for template in ["hello", "dispatcher", "outbound", "javascript", "wrangler"] {
        let site = Site::new("");
        let made = site.run(&["init", "new", "--template", template]).await;
        assert!(made.status.success(), "{made:?}");
        let config = site.path("new/wasmyard.toml");
        let checked = site.run(&["check", "--json", "--config", config.to_str().unwrap()]).await;
        let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert_eq!((checked.status.code(), &report["ok"]), (Some(0), &true.into()), "{template}: {report}");
        let again = site.run(&["init", "new", "--template", template]).await;
        assert_eq!(again.status.code(), Some(1), "nothing is overwritten");
    }
}

#[tokio::test]
async fn every_mistake_of_a_configuration_is_told_at_once_with_its_line() {
    let site = Site::new("");
    // As it is: lines are counted.
    site.write(
        "wasmyard.toml",
        "[server]\nlisen = \"127.0.0.1:1\"\n[limits]\ncpu_ms = 0\n[[routes]]\npattern = \"*/*\"\nscript = \"absent\"\n",
    );
    let started = site.run(&["serve"]).await;
    assert_eq!(started.status.code(), Some(64));
    let text = String::from_utf8(started.stderr).unwrap();
    for expected in [":2: server.lisen", "did you mean `listen`", ":4: limits.cpu_ms", "absent"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[tokio::test]
async fn a_component_for_another_wasi_is_told_what_it_is_for_before_anything_starts() {
    let site =
        Site::new("[scripts.site]\nmain = \"site.wasm\"\n[[routes]]\npattern = \"*/*\"\nscript = \"site\"\n");
    site.write("site.wasm", wat::wasi_0_3());
    let checked = site.run(&["check"]).await;
    assert_ne!(checked.status.code(), Some(0));
    let text = [checked.stdout, checked.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    for expected in ["site.wasm", "imports wasi:http/types@0.3.0", "WASI version 0.2", "wasm32-wasip2"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
