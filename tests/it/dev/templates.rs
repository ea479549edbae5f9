//! What `wasmyard init` writes has no mistakes. That it builds and runs is shown where the compiler for guests is
//! at hand anyway: the templates' scripts are the examples' shapes.

use crate::support::Site;

#[tokio::test]
async fn a_new_project_of_every_template_passes_the_check() {
    for template in ["hello", "dispatcher"] {
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
    let site = Site::new(
        "[server]\nlisen = \"127.0.0.1:1\"\n[limits]\ncpu_ms = 0\n[[routes]]\npattern = \"*/*\"\nscript = \"absent\"\n",
    );
    let started = site.run(&["serve"]).await;
    assert_eq!(started.status.code(), Some(64));
    let text = String::from_utf8(started.stderr).unwrap();
    for expected in [":2: server.lisen", "did you mean `listen`", ":4: limits.cpu_ms", "absent"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}
