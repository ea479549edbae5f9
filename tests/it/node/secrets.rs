//! What a copy of the data directory gives away: nothing, where the master key lies elsewhere.

use std::path::Path;

use serde_json::json;

use crate::support::{Api, Site, script_path};

/// Looked for in every file, in each form in which it could lie there.
const CANARY: &str = "canary-7f3a9c1e5b2d4860";

const ECHO: &str = "export default { fetch: (request, env) => new Response(env.KEY) };";

const CONFIG: &str = r#"
    [namespaces.production]
    [scripts.edge]
    main = "edge.js"
    bindings = [{ type = "dispatch_namespace", name = "D", namespace = "production" }]
    [[routes]]
    pattern = "*/*"
    script = "edge"
"#;

const EDGE: &str = "export default { fetch: (request, env) => env.D.get('shop').fetch(request) };";

fn site(server: &str) -> Site {
    let site = Site::new(&format!("{server}\n{CONFIG}"));
    site.write("edge.js", EDGE);
    site
}

/// Gives the platform the canary as a secret: of versions that serve and that do not, of user scripts and platform scripts.
async fn plant(api: &Api) {
    let secret = json!({ "type": "secret_text", "name": "KEY", "text": CANARY });
    let metadata = json!({ "main_module": "worker.js", "bindings": [secret] });
    for path in [script_path("shop"), "/client/v4/accounts/0/workers/scripts/other".to_owned()] {
        assert_eq!(api.javascript_with(&path, &metadata, ECHO).await.status, 200);
        // The one before is kept, and holds the secret as well.
        assert_eq!(api.javascript_with(&path, &metadata, &format!("{ECHO}//")).await.status, 200);
        let reply = api.put(&format!("{path}/secrets"), &secret).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
}

/// The files below a folder in which a text lies.
fn files_with(folder: &Path, text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                if bytes.windows(text.len()).any(|part| part == text) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn no_secret_lies_in_clear_while_it_serves_nor_after() {
    let site = site("");
    let server = site.serve().await;
    plant(&server.api()).await;
    assert_eq!(server.get("a.localhost", "/").await.text(), CANARY);
    // The search itself finds what is there.
    assert!(!files_with(&site.data(), b"other").is_empty());
    assert_eq!(files_with(&site.data(), CANARY.as_bytes()), [""; 0], "while it serves");
    server.kill().await;
    assert_eq!(files_with(&site.data(), CANARY.as_bytes()), [""; 0], "after a stop");
    let server = site.serve().await;
    assert_eq!(server.get("a.localhost", "/").await.text(), CANARY, "it is there again");
}

#[tokio::test]
async fn a_copy_of_the_data_directory_does_not_start_without_the_master_key() {
    let site = site("[server]\nmaster_key = \"file:elsewhere/master.key\"");
    let made = site.run(&["key", "new"]).await;
    let key = String::from_utf8(made.stdout).unwrap();
    site.write("elsewhere/master.key", &key);
    let server = site.serve().await;
    plant(&server.api()).await;
    // Another master key while it serves.
    let other = site.run(&["key", "new"]).await.stdout;
    site.write("elsewhere/other.key", &other);
    let turned = site.run(&["key", "rewrap", "--to", "file:elsewhere/other.key"]).await;
    assert!(turned.status.success(), "{turned:?}");
    assert_eq!(server.get("a.localhost", "/").await.text(), CANARY);
    server.kill().await;

    // As a thief has it: the folder, and not the key.
    for (config, told) in [
        ("", "is wrapped by a master key"),
        ("[server]\nmaster_key = \"file:elsewhere/master.key\"", "the master key does not open"),
        ("[server]\nmaster_key = \"env:WASMYARD_NO_SUCH_KEY\"", "is not set in the environment"),
    ] {
        site.write("wasmyard.toml", format!("{config}\n{CONFIG}"));
        let refused = site.run(&["serve", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]).await;
        let text = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && text.contains(told), "{config}: {text}");
        assert!(!text.contains(key.trim()) && !text.contains(CANARY));
    }
    site.write(
        "wasmyard.toml",
        format!("[server]\nmaster_key = \"command:cat elsewhere/other.key\"\n{CONFIG}"),
    );
    let server = site.serve().await;
    assert_eq!(server.get("a.localhost", "/").await.text(), CANARY);
    server.kill().await;
    // Without the file that is wrapped nothing is made anew over what is sealed.
    let file = site.data().join("installation.key");
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let refused = site.run(&["serve", "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]).await;
    assert!(String::from_utf8(refused.stderr).unwrap().contains("no installation.key that opens them"));
    assert!(!file.exists());
    std::fs::write(&file, kept).unwrap();
}
