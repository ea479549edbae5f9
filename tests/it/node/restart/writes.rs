//! Every write that the API has: read back after a restart, and what it answers where the configuration declares what
//! it writes. A write endpoint without a row here makes `every_write_endpoint_has_its_row` fail.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use futures::future::BoxFuture;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

mod alerting;
mod certificates;
mod d1;
mod kv;
mod queues;
mod r2;
mod secret_stores;
mod zones;

use super::{CONFIG, restarted, site};
use crate::support::{Api, Server, guest, wat, within};

/// One write endpoint.
struct Row {
    /// Method and path as the router has them, without `/client/v4` and `/accounts/{account_id}`.
    endpoint: &'static str,
    /// Writes to what the API made, or to a key that the file does not name.
    write: Step,
    /// The path where that shows; `session of ...` and `contents` for uploads of files.
    seen: &'static str,
    /// Writes to what the file declares.
    declared: Declared,
}

type Step = for<'c> fn(&'c Calls) -> BoxFuture<'c, Value>;

/// What becomes of a write to what the file declares.
enum Declared {
    /// Refused with 90005; when it is forced, done and said to be lost at the next start.
    Refused(Step),
    /// Done, and said to be lost at the next start.
    Said(Step),
    /// It writes nothing that a file can declare.
    Beside,
}
use Declared::{Beside, Refused, Said};

/// The API, and the tokens of uploads of files, by the script's path, between two steps.
struct Calls {
    api: Api,
    sessions: Mutex<HashMap<String, String>>,
    force: bool,
}

const SESSIONS: &str = "/client/v4/accounts/0/workers/assets/upload?base64=true";
const TOKENS: &str = "/client/v4/user/tokens";
const OTHER_TOKENS: &str = "/client/v4/accounts/0/tokens";
const ROUTES: &str = "/client/v4/accounts/0/workers/routes";
/// The first half of the SHA-256 of `home`: a hash that follows from its content is shared by all scripts.
const HASH: &str = "4ea140588150773ce3aace786aeef7f4";

/// The path of namespaces, of user scripts, of platform scripts, and what is below them.
fn ns(rest: &str) -> String {
    format!("/client/v4/accounts/0/workers/dispatch/namespaces/{rest}")
}
fn user(rest: &str) -> String {
    ns(&format!("production/scripts/{rest}"))
}
fn platform(rest: &str) -> String {
    format!("/client/v4/accounts/0/workers/scripts/{rest}")
}

impl Calls {
    fn new(server: &Server, force: bool) -> Calls {
        Calls { api: server.api(), sessions: Mutex::default(), force }
    }

    fn path(&self, path: &str) -> String {
        match (self.force, path.contains('?')) {
            (false, _) => path.to_owned(),
            (true, false) => format!("{path}?force=true"),
            (true, true) => format!("{path}&force=true"),
        }
    }

    /// Any call; its envelope.
    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let request = self.api.request(method.parse::<Method>().unwrap(), &self.path(path));
        let request = if body.is_null() { request } else { request.json(&body) };
        within(path, request.send()).await.unwrap().json().await.unwrap()
    }

    async fn reclassed(&self, path: &str, class: &str) -> Value {
        let request = self.api.request(Method::PATCH, &self.path(path));
        let request = request.header("cf-r2-storage-class", class);
        within(path, request.send()).await.unwrap().json().await.unwrap()
    }

    async fn upload(&self, path: &str, metadata: Value, text: &str) -> Value {
        self.api.upload(&self.path(path), &metadata, wat::answer(text)).await.envelope
    }

    async fn module(&self, path: &str, text: &str) -> Value {
        self.upload(path, json!({"main_module": "worker.wasm"}), text).await
    }

    /// Uploads what handles times.
    async fn timed(&self, path: &str) {
        let metadata = json!({"main_module": "worker.wasm"});
        self.api.upload(&self.path(path), &metadata, guest::bytes("handlers")).await;
    }

    /// Uploads a version that does not serve.
    async fn version(&self, script: &str) -> Value {
        let metadata = json!({"main_module": "worker.wasm"});
        let path = format!("{script}/versions");
        self.api.upload_version(&path, &metadata, wat::answer("a version")).await.envelope
    }

    /// Uploads a version and deploys it.
    async fn deployment(&self, script: &str) -> Value {
        let version = self.version(script).await["result"]["id"].clone();
        let body = json!({"versions": [{"version_id": version, "percentage": 100}]});
        self.call("POST", &format!("{script}/deployments"), body).await
    }

    /// A call on the first thing of a list whose field has this value.
    async fn call_on(&self, method: &str, list: &str, field: &str, value: &str, body: Value) -> Value {
        self.call_below(method, list, field, value, "", body).await
    }

    async fn call_below(
        &self,
        method: &str,
        list: &str,
        field: &str,
        value: &str,
        rest: &str,
        body: Value,
    ) -> Value {
        let rows = self.api.get(list).await.result().clone();
        let row = rows.as_array().unwrap().iter().find(|row| row[field] == *value).cloned().unwrap();
        self.call(method, &format!("{list}/{}{rest}", row["id"].as_str().unwrap()), body).await
    }

    async fn begin(&self, script: &str) -> Value {
        let manifest = json!({"manifest": {"/index.html": {"hash": HASH, "size": 4}}});
        let begun = self.call("POST", &format!("{script}/assets-upload-session"), manifest).await;
        let token = begun["result"]["jwt"].as_str().unwrap_or_default().to_owned();
        self.sessions.lock().unwrap().insert(script.to_owned(), token);
        begun
    }

    async fn contents(&self, script: &str, hash: &'static str) -> Value {
        let part = Part::text("aG9tZQ==").file_name(hash).mime_str("text/html; charset=utf-8").unwrap();
        let token = self.sessions.lock().unwrap().get(script).cloned().unwrap_or_default();
        let token: &'static str = token.leak();
        let request = self.api.with_token(token).request(Method::POST, SESSIONS);
        let request = request.multipart(Form::new().part(hash, part));
        within("contents", request.send()).await.unwrap().json().await.unwrap()
    }

    async fn see(&self, seen: &str) -> Value {
        if let Some(script) = seen.strip_prefix("session of ") {
            // A session that is alive knows that it did not ask for this content.
            let unknown = "ffffffffffffffffffffffffffffffff";
            return self.contents(script, unknown).await["errors"][0]["code"].clone();
        }
        match seen {
            "alerting" => alerting::seen(&self.api).await,
            "certificates" => certificates::seen(&self.api).await,
            "kv" => kv::seen(&self.api).await,
            "secret stores" => secret_stores::seen(&self.api).await,
            "queues" => queues::seen(&self.api).await,
            "d1" => d1::seen(&self.api).await,
            "r2" => r2::seen(&self.api).await,
            "zones" => zones::seen(&self.api).await,
            "contents" => {
                let manifest = json!({"manifest": {"/a.html": {"hash": HASH, "size": 4}}});
                let path = user("other-files/assets-upload-session");
                self.call("POST", &path, manifest).await["result"]["buckets"].clone()
            }
            path => {
                let found = self.api.get(path).await;
                json!([found.envelope["result"], found.envelope["errors"][0]["code"]])
            }
        }
    }
}

/// The rows that scripts of both kinds have: made once for each.
macro_rules! script_rows {
    ($area:literal, $path:ident, $declared:literal) => {
        [
            Row {
                endpoint: concat!("POST workers/", $area, "/{script_name}/assets-upload-session"),
                seen: concat!("session of ", $area, "/files"),
                write: |c| Box::pin(async move { c.begin(&$path("files")).await }),
                declared: Beside,
            },
            Row {
                endpoint: concat!("PUT workers/", $area, "/{script_name}"),
                seen: concat!($area, "/uploaded/settings"),
                write: |c| {
                    let metadata = json!({"main_module": "worker.wasm", "tags": ["t"], "limits": {"cpu_ms": 7},
                        "bindings": [{"type": "secret_text", "name": "KEY", "text": "s"}]});
                    Box::pin(async move { c.upload(&$path("uploaded"), metadata, "uploaded").await })
                },
                declared: Said(|c| Box::pin(async move { c.module(&$path($declared), "other").await })),
            },
            Row {
                endpoint: concat!("DELETE workers/", $area, "/{script_name}"),
                seen: concat!($area, "/gone/settings"),
                write: |c| Box::pin(async move { c.call("DELETE", &$path("gone"), json!(null)).await }),
                declared: Refused(|c| Box::pin(async move { c.call("DELETE", &$path($declared), json!(null)).await })),
            },
            Row {
                endpoint: concat!("PUT workers/", $area, "/{script_name}/content"),
                seen: concat!($area, "/replaced/bindings-and-etag"),
                write: |c| Box::pin(async move { c.module(&$path("replaced/content"), "another").await }),
                declared: Said(|c| {
                    Box::pin(async move { c.module(&$path(concat!($declared, "/content")), "other").await })
                }),
            },
            Row {
                endpoint: concat!("PUT workers/", $area, "/{script_name}/schedules"),
                seen: concat!($area, "/timed/schedules"),
                write: |c| {
                    let crons = json!([{"cron": "0 3 1 1 *"}]);
                    Box::pin(async move {
                        c.timed(&$path("timed")).await;
                        c.call("PUT", &$path("timed/schedules"), crons).await
                    })
                },
                declared: Beside,
            },
            Row {
                endpoint: concat!("DELETE workers/", $area, "/{script_name}/storage"),
                seen: concat!($area, "/left/storage"),
                write: |c| Box::pin(async move { c.call("DELETE", &$path("left/storage"), json!(null)).await }),
                declared: Beside,
            },
            Row {
                endpoint: concat!("POST workers/", $area, "/{script_name}/versions"),
                seen: concat!($area, "/replaced/versions"),
                write: |c| Box::pin(async move { c.version(&$path("replaced")).await }),
                declared: Beside,
            },
            Row {
                endpoint: concat!("POST workers/", $area, "/{script_name}/deployments"),
                seen: concat!($area, "/replaced/deployments"),
                write: |c| Box::pin(async move { c.deployment(&$path("replaced")).await }),
                declared: Refused(|c| Box::pin(async move { c.deployment(&$path($declared)).await })),
            },
            Row {
                endpoint: concat!("DELETE workers/", $area, "/{script_name}/deployments/{deployment_id}"),
                seen: concat!($area, "/replaced/deployments"),
                write: |c| {
                    Box::pin(async move {
                        let list = c.api.get(&$path("replaced/deployments")).await.result().clone();
                        let ended = list["deployments"][1]["id"].as_str().unwrap().to_owned();
                        c.call("DELETE", &$path(&format!("replaced/deployments/{ended}")), json!(null)).await
                    })
                },
                declared: Beside,
            },
            Row {
                endpoint: concat!("PATCH workers/", $area, "/{script_name}/settings"),
                seen: concat!($area, "/", $declared, "/settings"),
                write: |c| {
                    let settings = json!({"compatibility_date": "2026-01-01", "annotations": {"workers/tag": "a"}});
                    Box::pin(async move { c.call("PATCH", &$path(concat!($declared, "/settings")), settings).await })
                },
                declared: Refused(|c| {
                    let settings = json!({"limits": {"cpu_ms": 3}, "tags": []});
                    Box::pin(async move { c.call("PATCH", &$path(concat!($declared, "/settings")), settings).await })
                }),
            },
            Row {
                endpoint: concat!("PUT workers/", $area, "/{script_name}/secrets"),
                seen: concat!($area, "/", $declared, "/secrets"),
                write: |c| {
                    Box::pin(async move {
                        let one = json!({"name": "ONE", "text": "1", "type": "secret_text"});
                        let two = json!({"name": "TWO", "text": "1", "type": "secret_text"});
                        c.call("PUT", &$path(concat!($declared, "/secrets")), two).await;
                        c.call("PUT", &$path(concat!($declared, "/secrets")), one).await
                    })
                },
                declared: Refused(|c| {
                    let declared = json!({"name": "KEY", "text": "another", "type": "secret_text"});
                    Box::pin(async move { c.call("PUT", &$path(concat!($declared, "/secrets")), declared).await })
                }),
            },
            Row {
                endpoint: concat!("DELETE workers/", $area, "/{script_name}/secrets/{secret_name}"),
                seen: concat!($area, "/", $declared, "/secrets"),
                write: |c| {
                    Box::pin(async move { c.call("DELETE", &$path(concat!($declared, "/secrets/TWO")), json!(null)).await })
                },
                declared: Refused(|c| {
                    Box::pin(async move { c.call("DELETE", &$path(concat!($declared, "/secrets/KEY")), json!(null)).await })
                }),
            },
            Row {
                endpoint: concat!("PATCH workers/", $area, "/{script_name}/secrets-bulk"),
                seen: concat!($area, "/", $declared, "/secrets"),
                write: |c| {
                    let bulk = json!({"secrets": {"THREE": {"name": "THREE", "text": "3", "type": "secret_text"}}});
                    Box::pin(async move { c.call("PATCH", &$path(concat!($declared, "/secrets-bulk")), bulk).await })
                },
                declared: Refused(|c| {
                    let bulk = json!({"secrets": {"KEY": null}});
                    Box::pin(async move { c.call("PATCH", &$path(concat!($declared, "/secrets-bulk")), bulk).await })
                }),
            },
        ]
    };
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    rows.extend(script_rows!("dispatch/namespaces/{dispatch_namespace}/scripts", user, "shop"));
    rows.extend(script_rows!("scripts", platform, "front"));
    rows.extend(other_rows());
    rows.extend(alerting::rows());
    rows.extend(certificates::rows());
    rows.extend(kv::rows());
    rows.extend(secret_stores::rows());
    rows.extend(queues::rows());
    rows.extend(d1::rows());
    rows.extend(r2::rows());
    rows.extend(zones::rows());
    rows
}

/// The rows of everything but what scripts of both kinds have.
fn other_rows() -> Vec<Row> {
    vec![
        Row {
            endpoint: "POST workers/dispatch/namespaces",
            seen: "dispatch/namespaces/made",
            write: |c| {
                let new = json!({"name": "made", "limits": {"cpu_ms": 9}, "egress": {"allow_hosts": []}});
                Box::pin(async move { c.call("POST", crate::support::NAMESPACES, new).await })
            },
            declared: Beside,
        },
        Row {
            endpoint: "PUT workers/dispatch/namespaces/{dispatch_namespace}",
            seen: "dispatch/namespaces/renamed",
            write: |c| Box::pin(async move { c.call("PUT", &ns("spare"), json!({"name": "renamed"})).await }),
            declared: Refused(|c| {
                Box::pin(async move {
                    c.call("PUT", &ns("production"), json!({"limits": {}, "egress": null})).await
                })
            }),
        },
        Row {
            endpoint: "PATCH workers/dispatch/namespaces/{dispatch_namespace}",
            seen: "dispatch/namespaces/production",
            write: |c| {
                let patch = json!({
                    "egress": {"allow_hosts": [], "deny_hosts": ["denied.test"]}, "trusted_workers": true,
                    "limits": {"cpu_ms": 30, "subrequests": 3}, "outbound": {"worker": {"service": "front"}}});
                Box::pin(async move { c.call("PATCH", &ns("production"), patch).await })
            },
            declared: Refused(|c| {
                let open = json!({"egress": {"deny_hosts": []}});
                Box::pin(async move { c.call("PATCH", &ns("production"), open).await })
            }),
        },
        Row {
            endpoint: "DELETE workers/dispatch/namespaces/{dispatch_namespace}",
            seen: "dispatch/namespaces/gone",
            write: |c| Box::pin(async move { c.call("DELETE", &ns("gone"), json!(null)).await }),
            declared: Refused(|c| {
                Box::pin(async move { c.call("DELETE", &ns("production"), json!(null)).await })
            }),
        },
        Row {
            endpoint: "DELETE workers/dispatch/namespaces/{dispatch_namespace}/scripts",
            seen: "dispatch/namespaces/production/scripts?tags=old:yes",
            write: |c| {
                Box::pin(async move {
                    c.call("DELETE", &ns("production/scripts?tags=old:yes"), json!(null)).await
                })
            },
            // Not refused, but left out: the other scripts of the filter go.
            declared: Said(|c| {
                Box::pin(async move {
                    c.call("DELETE", &ns("production/scripts?tags=paid:yes"), json!(null)).await
                })
            }),
        },
        Row {
            endpoint: "PUT workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/tags",
            seen: "dispatch/namespaces/production/scripts/tagged/tags",
            write: |c| Box::pin(async move { c.call("PUT", &user("tagged/tags"), json!(["a", "b"])).await }),
            declared: Refused(|c| {
                Box::pin(async move { c.call("PUT", &user("shop/tags"), json!([])).await })
            }),
        },
        Row {
            endpoint: "PATCH workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/tags",
            seen: "dispatch/namespaces/production/scripts/tagged/tags",
            write: |c| {
                let change = json!({"add": ["c", "d"], "remove": ["a"]});
                Box::pin(async move { c.call("PATCH", &user("tagged/tags"), change).await })
            },
            declared: Refused(|c| {
                Box::pin(async move { c.call("PATCH", &user("shop/tags"), json!({"add": ["free"]})).await })
            }),
        },
        Row {
            endpoint: "PUT workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/tags/{tag}",
            seen: "dispatch/namespaces/production/scripts/tagged/tags",
            write: |c| Box::pin(async move { c.call("PUT", &user("tagged/tags/e"), json!(null)).await }),
            declared: Refused(|c| {
                Box::pin(async move { c.call("PUT", &user("shop/tags/free"), json!(null)).await })
            }),
        },
        Row {
            endpoint: "DELETE workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/tags/{tag}",
            seen: "dispatch/namespaces/production/scripts/tagged/tags",
            write: |c| Box::pin(async move { c.call("DELETE", &user("tagged/tags/b"), json!(null)).await }),
            declared: Refused(|c| {
                Box::pin(async move { c.call("DELETE", &user("shop/tags/paid"), json!(null)).await })
            }),
        },
        Row {
            endpoint: "PATCH workers/scripts/{script_name}/script-settings",
            seen: "scripts/other/script-settings",
            write: |c| {
                Box::pin(async move {
                    c.call("PATCH", &platform("other/script-settings"), json!({"tags": ["a"]})).await
                })
            },
            declared: Refused(|c| {
                Box::pin(async move {
                    c.call("PATCH", &platform("front/script-settings"), json!({"tags": []})).await
                })
            }),
        },
        Row {
            endpoint: "POST workers/assets/upload",
            seen: "contents",
            write: |c| {
                Box::pin(async move {
                    c.begin(&user("files")).await;
                    c.contents(&user("files"), HASH).await
                })
            },
            declared: Beside,
        },
        Row {
            endpoint: "POST workers/routes",
            seen: "routes",
            write: |c| {
                Box::pin(async move {
                    c.call("POST", ROUTES, json!({"pattern": "gone.test/*", "respond": 410})).await;
                    c.call("POST", ROUTES, json!({"pattern": "made.test/*", "script": "front"})).await
                })
            },
            declared: Beside,
        },
        Row {
            endpoint: "PUT workers/routes/{route_id}",
            seen: "routes",
            write: |c| {
                let moved = json!({"pattern": "moved.test/*", "respond": 404});
                Box::pin(c.call_on("PUT", ROUTES, "pattern", "made.test/*", moved))
            },
            declared: Refused(|c| {
                let moved = json!({"pattern": "moved.test/*", "respond": 404});
                Box::pin(c.call_on("PUT", ROUTES, "pattern", "front.test/*", moved))
            }),
        },
        Row {
            endpoint: "DELETE workers/routes/{route_id}",
            seen: "routes",
            write: |c| Box::pin(c.call_on("DELETE", ROUTES, "pattern", "gone.test/*", json!(null))),
            declared: Refused(|c| {
                Box::pin(c.call_on("DELETE", ROUTES, "pattern", "front.test/*", json!(null)))
            }),
        },
        Row {
            endpoint: "PUT workers/scripts/{script_name}/routes",
            seen: "routes",
            write: |c| {
                let routes = json!([{"pattern": "replaced.test/*"}]);
                Box::pin(async move { c.call("PUT", &platform("replaced/routes"), routes).await })
            },
            // What the file declares stays whatever is said.
            declared: Beside,
        },
        Row {
            endpoint: "DELETE workers/services/{script_name}",
            seen: "services/unused",
            write: |c| {
                Box::pin(async move {
                    let path = "/client/v4/accounts/0/workers/services/unused?force=false";
                    c.call("DELETE", path, json!(null)).await
                })
            },
            declared: Refused(|c| {
                Box::pin(async move {
                    c.call("DELETE", "/client/v4/accounts/0/workers/services/front", json!(null)).await
                })
            }),
        },
        Row {
            endpoint: "POST user/tokens",
            seen: "tokens",
            write: |c| {
                Box::pin(async move {
                    c.call("POST", TOKENS, json!({"name": "gone"})).await;
                    c.call("POST", TOKENS, json!({"name": "ci", "expires_on": "2999-01-01T00:00:00Z"})).await
                })
            },
            declared: Beside,
        },
        Row {
            endpoint: "PUT user/tokens/{token_id}/value",
            seen: "tokens",
            write: |c| Box::pin(c.call_below("PUT", TOKENS, "name", "ci", "/value", json!({}))),
            declared: Beside,
        },
        Row {
            endpoint: "PUT user/tokens/{token_id}",
            seen: "tokens",
            write: |c| {
                Box::pin(c.call_on(
                    "PUT",
                    TOKENS,
                    "name",
                    "ci",
                    json!({"name": "ci 2", "status": "disabled"}),
                ))
            },
            declared: Beside,
        },
        Row {
            endpoint: "DELETE user/tokens/{token_id}",
            seen: "tokens",
            write: |c| Box::pin(c.call_on("DELETE", TOKENS, "name", "gone", json!(null))),
            declared: Beside,
        },
        Row {
            endpoint: "POST tokens",
            seen: "tokens",
            write: |c| {
                Box::pin(async move {
                    c.call("POST", OTHER_TOKENS, json!({"name": "gone"})).await;
                    c.call("POST", OTHER_TOKENS, json!({"name": "other"})).await
                })
            },
            declared: Beside,
        },
        Row {
            endpoint: "PUT tokens/{token_id}/value",
            seen: "tokens",
            write: |c| Box::pin(c.call_below("PUT", OTHER_TOKENS, "name", "other", "/value", json!({}))),
            declared: Beside,
        },
        Row {
            endpoint: "PUT tokens/{token_id}",
            seen: "tokens",
            write: |c| Box::pin(c.call_on("PUT", OTHER_TOKENS, "name", "other", json!({"name": "other 2"}))),
            declared: Beside,
        },
        Row {
            endpoint: "DELETE tokens/{token_id}",
            seen: "tokens",
            write: |c| Box::pin(c.call_on("DELETE", OTHER_TOKENS, "name", "gone", json!(null))),
            declared: Beside,
        },
    ]
}

/// The path where a row shows.
fn seen_at(seen: &str) -> String {
    let seen = seen.replace("{dispatch_namespace}", "production");
    match seen.as_str() {
        "alerting" | "certificates" | "contents" | "d1" | "kv" | "queues" | "r2" | "secret stores"
        | "zones" => seen,
        "tokens" => TOKENS.to_owned(),
        path if path.starts_with("session of ") => {
            path.replace("session of ", "session of /client/v4/accounts/0/workers/")
        }
        // A component shows by its etag, which the list has.
        path if path.ends_with("/replaced/bindings-and-etag") => {
            format!("/client/v4/accounts/0/workers/{}", path.trim_end_matches("/replaced/bindings-and-etag"))
        }
        path => format!("/client/v4/accounts/0/workers/{path}"),
    }
}

/// What the rows write to. The declared scripts have a secret, too, and tags.
async fn prepared() -> (crate::support::Site, Server) {
    let secret = "bindings = [{ type = \"secret_text\", name = \"KEY\", text = \"declared\" }]\n";
    let config = CONFIG
        .replace("main = \"front.wasm\"\n", &format!("main = \"front.wasm\"\ntags = [\"paid\"]\n{secret}"))
        .replace(
            "main = \"shop.wasm\"\n",
            &format!("main = \"shop.wasm\"\nlimits = {{ cpu_ms = 40 }}\n{secret}"),
        );
    let receiver = crate::support::origin::Origin::start().await;
    let webhooks = alerting::config(&receiver);
    // A name server that never says anything, for as long as this process lives: no check of a hostname comes to an end and
    // writes between two looks, and nobody outside is asked.
    let silent: &std::net::UdpSocket = Box::leak(Box::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()));
    let asked = format!("[hostnames]\nname_servers = [\"{}\"]\n", silent.local_addr().unwrap());
    let server = certificates::SERVER;
    let site = site(&format!("{server}{asked}{config}{}{webhooks}", zones::CONFIG));
    let server = site.serve().await;
    let calls = Calls::new(&server, false);
    for name in ["gone", "replaced", "tagged", "other", "unused"] {
        calls.module(&user(name), name).await;
        calls.module(&platform(name), name).await;
    }
    for name in ["old-1", "old-2"] {
        let metadata = json!({"main_module": "worker.wasm", "tags": ["old"]});
        calls.upload(&user(name), metadata, name).await;
    }
    for path in [user("left"), platform("left")] {
        let own = json!([{"type": "queue", "name": "JOBS", "own": true}]);
        calls.upload(&path, json!({"main_module": "worker.wasm", "bindings": own}), "left").await;
        calls.call("DELETE", &path, json!(null)).await;
    }
    alerting::prepare(&calls.api, &receiver).await;
    kv::prepare(&calls.api).await;
    secret_stores::prepare(&calls.api).await;
    queues::prepare(&calls.api).await;
    d1::prepare(&calls.api).await;
    r2::prepare(&calls.api).await;
    zones::prepare(&calls.api).await;
    certificates::prepare(&calls.api).await;
    for name in ["spare", "gone"] {
        calls.call("POST", crate::support::NAMESPACES, json!({"name": name})).await;
    }
    (site, server)
}

/// What needs an authority of certificates: `data::acme::rollover` starts again after it.
const WITH_AUTHORITY: &[&str] = &["PUT acme_accounts/{certificate_authority}/key"];

/// What clients ask for and is not there, and what is kept nowhere.
const NOTHING: &[&str] = &[
    "POST graphql",
    "POST workers/scripts/{script_name}/subdomain",
    "DELETE workers/scripts/{script_name}/subdomain",
    "POST workers/scripts/{script_name}/tails",
    "DELETE workers/scripts/{script_name}/tails/{tail_id}",
    "POST workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/tails",
    "DELETE workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/tails/{tail_id}",
    "POST workers/dispatch/namespaces/{dispatch_namespace}/tails",
    "DELETE workers/dispatch/namespaces/{dispatch_namespace}/tails/{tail_id}",
    "POST workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/run",
    "POST workers/dispatch/namespaces/{dispatch_namespace}/scripts/{script_name}/schedules/run",
    "POST workers/scripts/{script_name}/schedules/run",
];

#[test]
fn every_write_endpoint_has_its_row() {
    let document = wasmyard_api::openapi_document();
    let mut writes = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("/client/v4/", "").replace("accounts/{account_id}/", "");
        let methods = methods.as_object().unwrap().keys().filter(|method| *method != "get");
        writes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    for reading in kv::READS
        .iter()
        .chain(d1::READS)
        .chain(queues::READS)
        .chain(zones::READS)
        .chain(NOTHING)
        .chain(WITH_AUTHORITY)
    {
        assert!(writes.remove(*reading), "{reading}");
    }
    let rows: Vec<Row> = rows();
    let have: BTreeSet<String> = rows.iter().map(|row| row.endpoint.to_owned()).collect();
    assert_eq!(have.len(), rows.len(), "a row is there twice");
    let missing: Vec<_> = writes.difference(&have).collect();
    assert!(missing.is_empty(), "write endpoints without a row in the table of restarts: {missing:?}");
    let stale: Vec<_> = have.difference(&writes).collect();
    assert!(stale.is_empty(), "rows of endpoints that are gone: {stale:?}");
}

#[tokio::test]
async fn every_write_is_there_after_a_restart() {
    let (site, server) = prepared().await;
    let calls = Calls::new(&server, false);
    let rows = rows();
    for row in &rows {
        let before = calls.see(&seen_at(row.seen)).await;
        let written = (row.write)(&calls).await;
        assert_eq!(written["success"], json!(true), "{}: {written}", row.endpoint);
        // A zone names the hostnames that go with it.
        let told = usize::from(row.endpoint == "DELETE zones/{zone_id}");
        assert_eq!(written["messages"].as_array().map(Vec::len), Some(told), "{}: {written}", row.endpoint);
        let after = calls.see(&seen_at(row.seen)).await;
        assert_ne!(before, after, "{} is to change what is seen at {}", row.endpoint, row.seen);
    }
    // Looked at again: later rows may have changed what earlier ones wrote.
    let mut seen = Vec::new();
    for row in &rows {
        seen.push(calls.see(&seen_at(row.seen)).await);
    }
    let sessions = calls.sessions.lock().unwrap().clone();
    let server = restarted(&site, server).await;
    let calls = Calls { sessions: Mutex::new(sessions), ..Calls::new(&server, false) };
    for (row, before) in rows.iter().zip(seen) {
        let after = calls.see(&seen_at(row.seen)).await;
        assert_eq!(after, before, "{} did not survive", row.endpoint);
    }
    assert!(!server.log().contains("the configuration replaced"), "{}", server.log());
}

#[tokio::test]
async fn a_write_to_what_the_file_declares_is_refused_or_said_and_undone_by_the_next_start() {
    let (site, mut server) = prepared().await;
    // What the file declares, as it is after a start. Times and versions are left out.
    let mut declared = Vec::new();
    for path in ["dispatch/namespaces/production", "dispatch/namespaces/production/scripts/shop/settings"] {
        declared.push(format!("/client/v4/accounts/0/workers/{path}"));
    }
    declared.push(platform("front/settings"));
    declared.push(ROUTES.to_owned());
    let shown = async |server: &Server| {
        let mut all = Vec::new();
        for path in &declared {
            let mut result = server.api().get(path).await.envelope["result"].clone();
            if let Some(fields) = result.as_object_mut() {
                for changing in ["modified_on", "namespace_id", "created_on", "script_count"] {
                    fields.remove(changing);
                }
            }
            for route in result.as_array_mut().into_iter().flatten() {
                route.as_object_mut().unwrap().remove("id");
            }
            all.push(result);
        }
        all.push(json!([server.api().content("shop").await.map(|bytes| bytes.len())]));
        all.push(zones::declared(&server.api()).await);
        all
    };
    let as_declared = shown(&server).await;
    for row in rows() {
        let calls = Calls::new(&server, false);
        let said = match row.declared {
            Beside => continue,
            Said(step) => step(&calls).await,
            Refused(step) => {
                let refused = step(&calls).await;
                assert_eq!(refused["errors"][0]["code"], json!(90005), "{}: {refused}", row.endpoint);
                assert_eq!(shown(&server).await, as_declared, "{}", row.endpoint);
                step(&Calls::new(&server, true)).await
            }
        };
        assert_eq!(said["success"], json!(true), "{}: {said}", row.endpoint);
        let notes = said["messages"].to_string();
        assert!(
            notes.contains("the configuration declares") && notes.contains("next start"),
            "{}: {said}",
            row.endpoint
        );
        server = restarted(&site, server).await;
        assert_eq!(shown(&server).await, as_declared, "{}", row.endpoint);
    }
}
