//! Whoever deploys, beside the visitors: each write is seen by the next request, and the last ones that were answered are
//! there after a kill.

use std::collections::BTreeSet;
use std::fmt;

use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use wasmyard_harness::{Api, NAMESPACES, script_path, wat, within};

use crate::platform::Platform;

const KV: &str = "/client/v4/accounts/0/storage/kv/namespaces";
/// How many keys are written in turns.
const NAMES: usize = 8;

/// The last of each write that was answered.
pub(crate) struct Written {
    rounds: usize,
    wrong: Vec<String>,
    /// Where the keys are.
    values: String,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rounds of writes", self.rounds)
    }
}

/// What a round writes: all of it is named by its number.
fn text(round: usize) -> String {
    format!("round {round}.")
}

async fn value(api: &Api, path: &str) -> (u16, String) {
    let answer = within(path, api.request(Method::GET, path).send()).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

impl Written {
    pub(crate) async fn begin(platform: &Platform) -> Written {
        let api = platform.server.api();
        let made = api.post(KV, &json!({"title": "soak"})).await;
        let id = made.result()["id"].as_str().unwrap().to_owned();
        Written { rounds: 0, wrong: Vec::new(), values: format!("{KV}/{id}/values") }
    }

    /// Writes until then, one round after the other, with the configuration taken over again now and then.
    pub(crate) async fn until(mut self, until: Instant, platform: &Platform) -> Written {
        let api = platform.server.api();
        while Instant::now() < until && self.wrong.is_empty() {
            self.round(&api, platform).await;
            if self.rounds.is_multiple_of(20) {
                platform.server.hang_up();
            }
        }
        self
    }

    async fn round(&mut self, api: &Api, platform: &Platform) {
        let round = self.rounds;
        let (name, said) = (format!("k{}", round % NAMES), text(round));
        let script = script_path("written");
        let deployed = api.deploy("written", wat::answer(&said)).await;
        self.check("a deploy", deployed.status, &deployed.envelope);
        let seen = within("the new version", platform.server.get("written.apps.localhost", "/")).await;
        if (seen.status, seen.text()) != (200, said.as_str()) && !matches!(seen.status, 429 | 503) {
            self.wrong.push(format!("after round {round} a visitor saw {} {:?}", seen.status, seen.text()));
        }
        let path = format!("{}/{name}", self.values);
        let put = within(&path, api.request(Method::PUT, &path).body(said.clone()).send()).await.unwrap();
        let status = put.status().as_u16();
        self.check("a value", status, &put.json().await.unwrap());
        let secret = json!({"name": name, "text": said, "type": "secret_text"});
        let put = api.put(&format!("{script}/secrets"), &secret).await;
        self.check("a secret", put.status, &put.envelope);
        let tagged = api.put(&format!("{script}/tags"), &json!([format!("round-{round}")])).await;
        self.check("tags", tagged.status, &tagged.envelope);
        self.rounds += 1;
    }

    fn check(&mut self, what: &str, status: u16, envelope: &Value) {
        if status != 200 {
            self.wrong.push(format!("{what} in round {}: {status} {envelope}", self.rounds));
        }
    }

    /// Kills the platform and reads back what it had answered for.
    pub(crate) async fn after_a_kill(mut self, platform: Platform) -> Vec<String> {
        let platform = platform.killed_and_started().await;
        let api = platform.server.api();
        let Some(last) = self.rounds.checked_sub(1) else {
            self.wrong.push("no round of writes came to its end".to_owned());
            return self.wrong;
        };
        let seen = platform.server.get("written.apps.localhost", "/").await;
        self.same("the script", seen.text(), &text(last));
        for round in last.saturating_sub(NAMES - 1)..=last {
            let path = format!("{}/k{}", self.values, round % NAMES);
            let (status, found) = value(&api, &path).await;
            self.same(&format!("{path} ({status})"), &found, &text(round));
        }
        let script = script_path("written");
        // An upload that says nothing of them keeps them.
        let secrets = api.get(&format!("{script}/secrets")).await.result().clone();
        let names: BTreeSet<String> = (0..=last.min(NAMES - 1)).map(|name| format!("k{name}")).collect();
        let named: Value = names.iter().map(|name| json!({"name": name, "type": "secret_text"})).collect();
        self.same("the secrets", &secrets.to_string(), &named.to_string());
        let tags = api.get(&format!("{script}/tags")).await.result().to_string();
        self.same("the tags", &tags, &json!([format!("round-{last}")]).to_string());
        let listed = api.get(&format!("{NAMESPACES}/production/scripts")).await.status;
        self.same("the list of scripts", &listed.to_string(), "200");
        let said = platform.said();
        if said.contains("panicked") {
            self.wrong.push(format!("it panicked:\n{said}"));
        }
        self.wrong
    }

    fn same(&mut self, what: &str, found: &str, wanted: &str) {
        if found != wanted {
            self.wrong.push(format!("after a kill, {what} is {found:?} and was {wanted:?}"));
        }
    }
}
