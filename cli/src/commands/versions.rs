//! `wasmyard versions`, `deployments` and `rollback`: which versions are kept, which serve, and which are to.
//!
//! Owns what is asked and shown about them; uploading one is `deploy`'s.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::deploy::MESSAGE;
use super::{client, forced, items, moment, script_path, script_shown, text};
use crate::args::{ChangeArgs, DeploymentsCommand, OfScript, RollbackArgs, VersionsCommand};
use crate::client::{Body, Client};
use crate::failure::Failure;
use crate::output::Output;

/// Runs one of the commands on versions.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn run(command: VersionsCommand, output: &Output) -> Result<(), Failure> {
    match command {
        VersionsCommand::List { of, output: listing } => {
            let script = Script { client: client(&listing.api, output)?, of: &of };
            let (versions, deployments) = (script.versions().await?, script.deployments().await?);
            if listing.json {
                output.json(&versions);
                return Ok(());
            }
            let rows: Vec<Vec<String>> =
                items(&versions).iter().map(|version| row(version, &deployments)).collect();
            output.table(&["VERSION", "SERVES", "CREATED", "MESSAGE", "ID"], &rows, "no versions");
        }
        VersionsCommand::Show { of, version, output: listing } => {
            let script = Script { client: client(&listing.api, output)?, of: &of };
            let found = named(&script.versions().await?, &version, &of)?.clone();
            if listing.json {
                output.json(&found);
                return Ok(());
            }
            for (key, value) in facts(&found) {
                output.line(&format!("{key}: {value}"));
            }
        }
        VersionsCommand::Diff { of, from, to, output: listing } => {
            let script = Script { client: client(&listing.api, output)?, of: &of };
            let versions = script.versions().await?;
            let to = match to {
                Some(to) => to,
                None => first_served(&script.deployments().await?, &of)?,
            };
            let (from, to) = (named(&versions, &from, &of)?, named(&versions, &to, &of)?);
            let changes = changes(&facts(from), &facts(to));
            if listing.json {
                output.json(&json!(changes));
                return Ok(());
            }
            for change in &changes {
                output.line(change);
            }
            if changes.is_empty() {
                output.note("the two versions say the same");
            }
        }
        VersionsCommand::Deploy { of, versions, cookie, rollback, message, change, output: listing } => {
            let script = Script { client: client(&listing.api, output)?, of: &of };
            let kept = script.versions().await?;
            let mut shares = Vec::new();
            for wanted in &versions {
                let (version, percentage) = share_of(wanted, versions.len())?;
                let id = text(named(&kept, version, &of)?, "/id");
                shares.push(json!({ "version_id": id, "percentage": percentage }));
            }
            let more = Map::from_iter(
                [("cookie", cookie.map(Value::from)), ("rollback", rollback.to_json())]
                    .into_iter()
                    .filter_map(|(key, value)| Some((key.to_owned(), value?))),
            );
            let deployed = script.deploy(&shares, more, message, &change).await?;
            show(&deployed, &kept, &of, listing.json, output);
        }
    }
    Ok(())
}

/// Runs one of the commands on deployments.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn deployments(command: DeploymentsCommand, output: &Output) -> Result<(), Failure> {
    let DeploymentsCommand::List { of, output: listing } = command;
    let script = Script { client: client(&listing.api, output)?, of: &of };
    let (versions, deployments) = (script.versions().await?, script.deployments().await?);
    if listing.json {
        output.json(&deployments);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = items(&deployments)
        .iter()
        .map(|deployment| {
            let annotations = deployment.get("annotations").cloned().unwrap_or_default();
            vec![
                moment(deployment, "/created_on"),
                shares(deployment, &versions),
                annotation(&annotations, "workers/triggered_by"),
                annotation(&annotations, MESSAGE),
                text(deployment, "/id"),
            ]
        })
        .collect();
    output.table(&["CREATED", "VERSIONS", "BY", "MESSAGE", "ID"], &rows, "no deployments");
    Ok(())
}

/// Has the version serve again that did before, or the one that is named.
///
/// # Errors
/// The [`Failure`] that decides the exit code.
pub async fn rollback(args: RollbackArgs, output: &Output) -> Result<(), Failure> {
    let RollbackArgs { of, version, message, change, output: listing } = args;
    let script = Script { client: client(&listing.api, output)?, of: &of };
    let versions = script.versions().await?;
    let version = match version {
        Some(version) => version,
        None => served_before(&script.deployments().await?, &versions, &of)?,
    };
    let id = text(named(&versions, &version, &of)?, "/id");
    let message = message.unwrap_or_else(|| "rollback".to_owned());
    let shares = [json!({ "version_id": id, "percentage": 100 })];
    let deployed = script.deploy(&shares, Map::new(), Some(message), &change).await?;
    show(&deployed, &versions, &of, listing.json, output);
    Ok(())
}

/// A script at the API.
struct Script<'a> {
    client: Client,
    of: &'a OfScript,
}

impl Script<'_> {
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        script_path(self.of.namespace.as_deref(), &self.of.script, rest)
    }

    /// Its versions, the newest first.
    async fn versions(&self) -> Result<Value, Failure> {
        let found = self.client.call(Method::GET, &self.path(&["versions"]), &[], Body::Empty).await?;
        Ok(found.get("items").cloned().unwrap_or_default())
    }

    /// Its deployments, the one that serves first.
    async fn deployments(&self) -> Result<Value, Failure> {
        let found = self.client.call(Method::GET, &self.path(&["deployments"]), &[], Body::Empty).await?;
        Ok(found.get("deployments").cloned().unwrap_or_default())
    }

    async fn deploy(
        &self,
        versions: &[Value],
        mut body: Map<String, Value>,
        message: Option<String>,
        change: &ChangeArgs,
    ) -> Result<Value, Failure> {
        body.insert("strategy".to_owned(), json!("percentage"));
        body.insert("versions".to_owned(), json!(versions));
        body.extend(message.map(|message| ("annotations".to_owned(), json!({ MESSAGE: message }))));
        let path = self.path(&["deployments"]);
        Ok(self.client.call(Method::POST, &path, forced(change), Body::Json(Value::Object(body))).await?)
    }
}

/// A version by its number, its id, or the beginning of its id that no other has.
fn named<'v>(versions: &'v Value, wanted: &str, of: &OfScript) -> Result<&'v Value, Failure> {
    let by_number = |version: &&Value| text(version, "/number") == wanted;
    if let Some(found) = items(versions).iter().find(by_number) {
        return Ok(found);
    }
    let mut found = items(versions)
        .iter()
        .filter(|version| wanted.len() >= 4 && text(version, "/id").starts_with(wanted));
    match (found.next(), found.next()) {
        (Some(found), None) => Ok(found),
        _ => Err(Failure::with_remedy(
            format!(
                "no one version {wanted} of {} is kept",
                script_shown(of.namespace.as_deref(), &of.script)
            ),
            "`wasmyard versions list` shows those that are: name one by its number or its id",
        )),
    }
}

/// The version and the percentage of `VERSION@PERCENT`; without one, all.
fn share_of(wanted: &str, of: usize) -> Result<(&str, f64), Failure> {
    let bad = |why: &str| Err(Failure::Usage(format!("{wanted}: {why}, like `4@90 5@10`")));
    match wanted.split_once('@') {
        None if of == 1 => Ok((wanted, 100.0)),
        None => bad("two versions need their percentages"),
        Some((version, percent)) => match percent.trim_end_matches('%').parse() {
            Ok(percent) => Ok((version, percent)),
            Err(_) => bad("what is behind @ is a percentage"),
        },
    }
}

fn first_served(deployments: &Value, of: &OfScript) -> Result<String, Failure> {
    let id = deployments.pointer("/0/versions/0/version_id").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| {
        Failure::failed(format!("nothing of {} serves", script_shown(of.namespace.as_deref(), &of.script)))
    })
}

/// The id of the version that served alone before what serves now, and is kept.
fn served_before(deployments: &Value, versions: &Value, of: &OfScript) -> Result<String, Failure> {
    let now: Vec<String> = ids(items(deployments).first().unwrap_or(&Value::Null));
    let kept = |id: &String| items(versions).iter().any(|version| text(version, "/id") == *id);
    let before = items(deployments).iter().skip(1).map(ids).find_map(|ids| match ids.as_slice() {
        [one] if now.len() != 1 || !now.contains(one) => Some(one.clone()).filter(kept),
        _ => None,
    });
    before.ok_or_else(|| {
        Failure::with_remedy(
            format!(
                "no other version of {} served before",
                script_shown(of.namespace.as_deref(), &of.script)
            ),
            "`wasmyard versions list` shows those that are kept: name one of them",
        )
    })
}

fn ids(deployment: &Value) -> Vec<String> {
    let versions = deployment.get("versions").map(items).unwrap_or_default();
    versions.iter().map(|version| text(version, "/version_id")).collect()
}

/// `4 90%, 5 10%`, by the numbers of the versions that are kept.
fn shares(deployment: &Value, versions: &Value) -> String {
    let number = |id: &str| {
        let known = items(versions).iter().find(|version| text(version, "/id") == id);
        known.map_or_else(|| id.chars().take(8).collect(), |version| text(version, "/number"))
    };
    let shares = deployment.get("versions").map(items).unwrap_or_default().iter().map(|share| {
        let percentage = share.get("percentage").and_then(Value::as_f64).unwrap_or_default();
        format!("{} {percentage}%", number(&text(share, "/version_id")))
    });
    shares.collect::<Vec<_>>().join(", ")
}

fn show(deployed: &Value, versions: &Value, of: &OfScript, as_json: bool, output: &Output) {
    if as_json {
        output.json(deployed);
        return;
    }
    let script = script_shown(of.namespace.as_deref(), &of.script);
    output.line(&format!("{script} serves {}", shares(deployed, versions)));
}

fn row(version: &Value, deployments: &Value) -> Vec<String> {
    let id = text(version, "/id");
    let serving = deployments.pointer("/0/versions").map(items).unwrap_or_default();
    let share = serving.iter().find(|share| text(share, "/version_id") == id);
    let share = share.and_then(|share| share.get("percentage")).and_then(Value::as_f64);
    let annotations = version.get("annotations").cloned().unwrap_or_default();
    vec![
        text(version, "/number"),
        share.map(|share| format!("{share}%")).unwrap_or_default(),
        moment(version, "/metadata/created_on"),
        annotation(&annotations, MESSAGE),
        id,
    ]
}

fn annotation(annotations: &Value, key: &str) -> String {
    annotations.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// What a version consists of, each under a name of its own.
fn facts(version: &Value) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let script = version.pointer("/resources/script").cloned().unwrap_or_default();
    for (name, field) in [
        ("code", "/etag"),
        ("size", "/size"),
        ("main module", "/main_module"),
        ("handlers", "/handlers"),
        ("compatibility date", "/compatibility_date"),
        ("compatibility flags", "/compatibility_flags"),
        ("assets", "/assets/files"),
    ] {
        facts.insert(name.to_owned(), text(&script, field));
    }
    for (name, value) in script.get("limits").and_then(Value::as_object).into_iter().flatten() {
        facts.insert(format!("limit {name}"), value.to_string());
    }
    for import in script.get("imports").map(items).unwrap_or_default() {
        facts.insert(format!("import {}", import.as_str().unwrap_or_default()), "there".to_owned());
    }
    for binding in version.pointer("/resources/bindings").map(items).unwrap_or_default() {
        let mut rest = binding.clone();
        if let Some(rest) = rest.as_object_mut() {
            rest.remove("name");
        }
        facts.insert(format!("binding {}", text(binding, "/name")), rest.to_string());
    }
    facts.retain(|_, value| !value.is_empty());
    facts
}

/// One line for each fact that is not the same: what is gone with `-`, what is there now with `+`.
fn changes(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<String> {
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let changed = names.into_iter().filter(|name| from.get(*name) != to.get(*name));
    let line = |sign: char, name: &String, value: Option<&String>| {
        value.map(|value| format!("{sign} {name}: {value}"))
    };
    changed
        .flat_map(|name| [line('-', name, from.get(name)), line('+', name, to.get(name))])
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of() -> OfScript {
        OfScript { script: "shop".to_owned(), namespace: None }
    }

    #[test]
    fn a_version_is_named_by_its_number_or_its_id() {
        let versions = json!([{ "number": 12, "id": "8f14e45f-aa" }, { "number": 1, "id": "8f14aaaa-bb" }]);
        let id = |wanted: &str| named(&versions, wanted, &of()).map(|version| text(version, "/id")).ok();
        assert_eq!(id("12").as_deref(), Some("8f14e45f-aa"));
        assert_eq!(id("8f14aaaa-bb").as_deref(), Some("8f14aaaa-bb"));
        assert_eq!(id("8f14e").as_deref(), Some("8f14e45f-aa"));
        assert_eq!(id("8f14"), None, "two begin so");
        assert_eq!(id("8f1"), None, "too short");
        assert_eq!(id("2"), None);
    }

    #[test]
    fn a_share_stands_behind_an_at_sign() {
        assert_eq!(share_of("4", 1).unwrap(), ("4", 100.0));
        assert_eq!(share_of("4@12.5", 2).unwrap(), ("4", 12.5));
        assert_eq!(share_of("4@90%", 2).unwrap(), ("4", 90.0));
        assert!(share_of("4", 2).is_err());
        assert!(share_of("4@most", 2).is_err());
    }

    #[test]
    fn a_rollback_goes_to_what_served_alone_before_and_is_kept() {
        let one = |id: &str| json!({ "versions": [{ "version_id": id, "percentage": 100 }] });
        let both = json!({ "versions": [{ "version_id": "a", "percentage": 50 }, { "version_id": "b", "percentage": 50 }] });
        let versions = json!([{ "id": "a" }, { "id": "b" }]);
        let before = |deployments: Value| served_before(&deployments, &versions, &of()).ok();
        assert_eq!(before(json!([one("b"), one("a")])).as_deref(), Some("a"));
        assert_eq!(before(json!([one("b"), both, one("a")])).as_deref(), Some("a"));
        assert_eq!(before(json!([both, one("b")])).as_deref(), Some("b"));
        assert_eq!(before(json!([one("b"), one("gone"), one("a")])).as_deref(), Some("a"));
        assert_eq!(before(json!([one("b"), one("b")])), None);
    }

    #[test]
    fn what_differs_is_told_line_by_line() {
        let version = |etag: &str, binding: Value| json!({ "resources": { "script": { "etag": etag, "limits": { "cpu_ms": 50 } }, "bindings": [binding] } });
        let one = version("1", json!({ "name": "GREETING", "type": "plain_text", "text": "Moin" }));
        let other = version("2", json!({ "name": "KEY", "type": "secret_text" }));
        assert_eq!(changes(&facts(&one), &facts(&one)), Vec::<String>::new());
        assert_eq!(
            changes(&facts(&one), &facts(&other)),
            [
                r#"- binding GREETING: {"text":"Moin","type":"plain_text"}"#,
                r#"+ binding KEY: {"type":"secret_text"}"#,
                "- code: 1",
                "+ code: 2",
            ]
        );
    }
}
