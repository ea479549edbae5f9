//! A real browser, headless, driven through its WebDriver. `make browser-test` runs this, and installs one where it is
//! missing; a run without it leaves this test out and says so.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{Server, eventually, within};

use super::single_page_application;

/// A window of a browser that ends with this.
struct Browser {
    http: reqwest::Client,
    session: String,
    _driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts a browser with an empty profile.
    async fn start() -> Browser {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let mut driver = driver.expect("chromedriver is not installed; scripts/browser-tests.sh installs it");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = within("the port of chromedriver", async {
            loop {
                let line = lines.next_line().await.unwrap().expect("chromedriver ended");
                if let Some((_, port)) = line.rsplit_once("started successfully on port ") {
                    break port.trim_end_matches('.').to_owned();
                }
            }
        })
        .await;
        // What it prints afterwards must go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let profile = tempfile::tempdir().unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().unwrap();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", profile.path().display()),
        ]
        .map(str::to_owned);
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let sessions = format!("http://127.0.0.1:{port}/session");
        let answer = http.post(&sessions).json(&wanted).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {answer}"));
        let session = format!("{sessions}/{id}");
        Browser { http, session, _driver: driver, _profile: profile }
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        let sent = self.http.post(format!("{}/{path}", self.session)).json(&body).send();
        let answer: Value = within(path, sent).await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path} {body}: {answer}");
        answer["value"].clone()
    }

    async fn open(&self, url: &str) {
        self.command("url", json!({ "url": url })).await;
    }

    async fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// Waits until the page shows a text.
    async fn shows(&self, text: &str) {
        eventually(&format!("the page shows {text:?}"), || async {
            let seen = self.run("return document.getElementById('view')?.textContent").await;
            (seen.as_str() == Some(text)).then_some(())
        })
        .await;
    }

    async fn click(&self, id: &str) {
        self.run(&format!("document.getElementById({id:?}).click()")).await;
    }

    async fn path(&self) -> String {
        self.run("return location.pathname").await.as_str().unwrap().to_owned()
    }

    async fn close(self) {
        // The window's own process ends with its session, and not with the driver's.
        let ended = within("the end of a session", self.http.delete(&self.session).send()).await.unwrap();
        assert_eq!(ended.status(), 200);
    }
}

async fn not_modified(server: &Server) -> f64 {
    server.metric(r#"wasmyard_asset_requests_total{result="not_modified"}"#).await
}

#[tokio::test]
async fn a_single_page_application_works_in_a_browser() {
    let browser = Browser::start().await;
    let server = single_page_application().await;
    // Browsers take every name under localhost for this machine.
    let url = format!("http://app.localhost:{}", server.visitors.port());

    browser.open(&url).await;
    browser.shows("Choose a note.").await;
    // A mark that only a load of the page would take away.
    browser.run("window.mark = 1").await;
    browser.click("to-note").await;
    browser.shows("Note 7").await;
    assert_eq!(browser.path().await, "/notes/7");
    browser.run("history.back()").await;
    browser.shows("Choose a note.").await;
    browser.run("history.forward()").await;
    browser.shows("Note 7").await;
    assert_eq!(browser.run("return window.mark").await, json!(1), "the page was loaded again");

    // A hard reload of a deep link.
    let before = not_modified(&server).await;
    browser.command("refresh", json!({})).await;
    browser.shows("Note 7").await;
    assert_eq!(browser.run("return window.mark ?? null").await, Value::Null);
    // The page and its style are asked for again and are not sent again; the program is immutable.
    let unchanged = not_modified(&server).await - before;
    assert!(unchanged >= 1.0, "{unchanged} answers of a second load were 304");
    let again = not_modified(&server).await;
    browser.open(&format!("{url}/notes/7")).await;
    browser.shows("Note 7").await;
    assert!(not_modified(&server).await > again, "a second load of the page was sent whole");

    browser.open(&format!("{url}/nowhere/at/all")).await;
    browser.shows("Nothing is at /nowhere/at/all.").await;
    browser.close().await;
}
