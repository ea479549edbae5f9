//! `[scripts.NAME]`: components, builds, files, bindings.

use super::*;

#[test]
fn a_script_needs_a_component() {
    assert_eq!(
        finding("[scripts.a]\n"),
        "1: scripts.a.main: the key is missing; write main = \"path/to/component.wasm\""
    );
    assert_eq!(
        findings("[scripts.a]\nmain = \"src\"\n", Purpose::Check),
        [
            "2: scripts.a.main = \"src\": this is no file; correct the path, or say how it is made with `build`"
        ]
    );
}

#[test]
fn a_component_that_is_missing_matters_where_nobody_builds_it() {
    let without = "[scripts.a]\nmain = \"b.wasm\"\n";
    let with = "[scripts.a]\nmain = \"b.wasm\"\nbuild = { command = \"make\", watch = [\"src\"] }\n";
    assert_eq!(findings(with, Purpose::Dev), NOTHING);
    assert_eq!(findings(with, Purpose::Deploy), NOTHING);
    assert!(findings(without, Purpose::Dev)[0].contains("warning: "));
    assert!(findings(with, Purpose::Check)[0].contains("warning: "));
    assert!(findings(with, Purpose::Serve)[0].contains("run its build command first"));
    assert!(findings(without, Purpose::Check)[0].contains("there is no such file; correct the path"));
}

#[test]
fn builds_are_checked() {
    let found = findings(
        "[scripts.a]\nmain = \"a.wasm\"\nbuild = { command = \" \", cwd = \"nowhere\", watch = [\"nothing\"] }\n",
        Purpose::Dev,
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(
        found.iter().any(|f| f.contains("build.cwd = \"nowhere\": there is no such folder")),
        "{found:#?}"
    );
    assert!(found.iter().any(|f| f.contains("build.watch[0] = \"nothing\": there is no such")), "{found:#?}");
    assert!(found.iter().any(|f| f.contains("build.command: a build needs a command")), "{found:#?}");
}

#[test]
fn a_build_watches_its_sources_where_it_does_not_say() {
    let config = good("[scripts.a]\nmain = \"a.wasm\"\nbuild = { command = \"make\" }\n");
    assert_eq!(config.scripts[0].build.as_ref().unwrap().watch, [config.source.root.join("src")]);
}

#[test]
fn assets_have_a_folder_a_binding_and_ways_of_serving() {
    let config = good(
        "[scripts.a]\nmain = \"a.wasm\"\nassets = { directory = \"src\", binding = \"FILES\", not_found_handling = \"404-page\", run_worker_first = [\"/api/*\"] }\n",
    );
    let script = &config.scripts[0];
    let assets = script.assets.as_ref().unwrap();
    assert_eq!(assets.directory, config.source.root.join("src"));
    assert_eq!(assets.config.not_found_handling, wasmyard_namespaces::NotFoundHandling::Page404);
    assert_eq!(script.bindings[0].name.as_str(), "FILES");
    // A script may be files alone.
    let config = good("[scripts.site.assets]\ndirectory = \"src\"\n");
    assert_eq!((config.scripts[0].main.clone(), config.scripts[0].assets.is_some()), (None, true));
}

#[test]
fn wrong_assets_are_told_by_their_line() {
    for (assets, told) in [
        ("{}", "assets need the folder that they are in; write { directory = \"public\" }"),
        ("{ directory = \"nowhere\" }", "= \"nowhere\": there is no such folder"),
        (
            "{ directory = \"src\", html_handlin = \"none\" }",
            "html_handlin: there is no such key; did you mean `html_handling`?",
        ),
        ("{ directory = \"src\", html_handling = \"x\" }", "unknown variant `x`"),
        ("{ directory = \"src\", run_worker_first = [\"api\"] }", "must begin with / or !/"),
        ("{ directory = \"src\", _headers = \"x\" }", "_headers is a file in the folder"),
        ("{ directory = \"src\", binding = \"1\" }", "= \"1\": "),
    ] {
        let found = finding(&format!("[scripts.a]\nmain = \"a.wasm\"\nassets = {assets}\n"));
        assert!(
            found.starts_with("3: ") && found.contains("scripts.a.assets") && found.contains(told),
            "{found}"
        );
    }
}

#[test]
fn bindings_are_checked_and_never_shown() {
    let script = |bindings: &str| format!("[scripts.a]\nmain = \"a.wasm\"\nbindings = [{bindings}]\n");
    let found = finding(&script(r#"{ type = "vectorize", name = "B", index_name = "b" }"#));
    assert!(found.contains("vectorize") && found.contains("plain_text"), "{found}");
    let found = finding(&script(r#"{ type = "plain_text", name = "B", texte = "x", text = "y" }"#));
    assert!(found.contains("bindings[0].texte: there is no such key; did you mean `text`?"), "{found}");
    let found =
        finding(&script(r#"{ type = "secret_text", name = "B", text = "hunter2", txt = "hunter3" }"#));
    assert!(!found.contains("hunter"), "{found}");
    let found = finding(
        "[scripts.a]\nmain = \"a.wasm\"\nvars = { B = \"x\" }\nbindings = [{ type = \"plain_text\", name = \"B\", text = \"y\" }]\n",
    );
    assert!(found.contains("\"B\" is declared twice"), "{found}");
}

#[test]
fn storage_of_a_scripts_own_is_asked_for_by_a_word() {
    let with = |bindings: &str| format!("[scripts.a]\nmain = \"a.wasm\"\nbindings = [{bindings}]\n");
    let config = good(&with(
        "{ type = \"d1\", name = \"DB\", own = true }, { type = \"plain_text\", name = \"A\", text = \"x\" }",
    ));
    let [script] = &config.scripts[..] else { panic!("{:?}", config.scripts) };
    assert_eq!(script.own, [("DB".parse().unwrap(), wasmyard_namespaces::StorageKind::D1)]);
    assert_eq!(script.bindings.iter().map(|decl| decl.name.as_str()).collect::<Vec<_>>(), ["A"]);
    for (bindings, told) in [
        ("{ type = \"d1\", name = \"DB\", own = true, id = \"x\" }", "the only field beside type and name"),
        ("{ type = \"d1\", name = \"DB\", own = false }", "own is true, or is left out"),
        (
            "{ type = \"json\", name = \"DB\", own = true, json = 1 }",
            "only kv_namespace, d1, queue and r2_bucket",
        ),
        ("{ type = \"d1\", name = \"DB\", own = true, zzz = 1 }", "there is no such key"),
        (
            "{ type = \"d1\", name = \"A\", own = true }, { type = \"plain_text\", name = \"A\", text = \"x\" }",
            "declared twice",
        ),
    ] {
        let found = finding(&with(bindings));
        assert!(found.contains(told), "{found}");
    }
}
