//! Tests of [`super`]: folders as people have them.

use std::fs;

use super::*;

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, AssetsSource) {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
    let source = AssetsSource { directory: folder.path().to_owned(), config: AssetsConfig::default() };
    (folder, source)
}

fn paths(folder: &Folder) -> Vec<&str> {
    folder.files.iter().map(|found| found.path.as_str()).collect()
}

#[test]
fn everything_is_served_but_what_says_how() {
    let (_folder, source) = folder(&[
        ("index.html", "home"),
        ("a/b.css", "b"),
        (".well-known/x", "x"),
        (".gitignore", "*"),
        ("_headers", "/*\n  A: b"),
        ("_redirects", "/a /b"),
        ("a/_headers", "a file like any other"),
        (".assetsignore", ""),
        ("a/.assetsignore", ""),
        ("50%.txt", ""),
    ]);
    let found = source.scan().unwrap();
    assert_eq!(
        paths(&found),
        ["/.gitignore", "/.well-known/x", "/50%.txt", "/a/_headers", "/a/b.css", "/index.html"]
    );
    assert_eq!(found.config.headers.as_deref(), Some("/*\n  A: b"));
    assert_eq!(found.config.redirects.as_deref(), Some("/a /b"));
}

#[test]
fn assetsignore_speaks_the_grammar_of_gitignore() {
    let (_folder, source) = folder(&[
        (".assetsignore", "# notes\n*.map\n/drafts/\n!keep.map\nnode_modules\n"),
        ("app.js", ""),
        ("app.js.map", ""),
        ("keep.map", ""),
        ("drafts/a.html", ""),
        ("x/drafts/a.html", ""),
        ("x/node_modules/y.js", ""),
        ("x/.assetsignore", "*.txt\n"),
        ("x/a.txt", ""),
        ("a.txt", ""),
    ]);
    assert_eq!(paths(&source.scan().unwrap()), ["/a.txt", "/app.js", "/keep.map", "/x/drafts/a.html"]);
    fs::write(source.directory.join(".assetsignore"), "[z-a]").unwrap();
    assert!(matches!(source.scan(), Err(FolderError::Walk { .. })));
}

#[test]
fn secrets_and_histories_stay_at_home_unless_somebody_says_otherwise() {
    let (_folder, source) = folder(&[
        (".env", "KEY=1"),
        (".env.production", "KEY=2"),
        (".git/config", "url"),
        ("a/.npmrc", "token"),
        ("a/.environment", "a file like any other"),
        ("index.html", "home"),
    ]);
    let found = source.scan().unwrap();
    assert_eq!(paths(&found), ["/a/.environment", "/index.html"]);
    assert_eq!(found.private.len(), 4, "{:?}", found.private);
    let told = found.left_out().unwrap();
    assert!(told.contains("and 3 more are left out") && told.contains("in .assetsignore"), "{told}");
    fs::write(source.directory.join(".assetsignore"), "!.env\n.git\n.npmrc\n").unwrap();
    let found = source.scan().unwrap();
    assert_eq!(paths(&found), ["/.env", "/a/.environment", "/index.html"]);
    assert_eq!(found.private, [source.directory.join(".env.production")], "what the file names is no news");
}

#[test]
fn what_cannot_be_served_is_told_by_its_name() {
    let (folder, source) = folder(&[("a\\b.txt", "")]);
    let told = source.scan().unwrap_err().to_string();
    assert!(
        told.contains("a\\b.txt") && told.contains("backslash") && told.contains(".assetsignore"),
        "{told}"
    );
    fs::write(folder.path().join(".assetsignore"), "*.txt").unwrap();
    assert_eq!(source.scan().unwrap().files, []);
    let large = File::create(folder.path().join("large.bin")).unwrap();
    large.set_len(MAX_ASSET_BYTES + 1).unwrap();
    let told = source.scan().unwrap_err().to_string();
    assert!(told.contains("large.bin") && told.contains("26214401"), "{told}");
    large.set_len(MAX_ASSET_BYTES).unwrap();
    assert_eq!(source.scan().unwrap().files.len(), 1);
    fs::write(folder.path().join("_headers"), [0xff, 0xfe]).unwrap();
    assert!(source.scan().unwrap_err().to_string().contains("_headers"));
    let missing = AssetsSource { directory: folder.path().join("no"), ..source };
    assert!(missing.scan().unwrap_err().to_string().contains("there is no folder"));
}

#[test]
fn links_are_left_out() {
    let (folder, source) = folder(&[("a.txt", "a")]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("passwd")).unwrap();
    std::os::unix::fs::symlink("/etc", folder.path().join("etc")).unwrap();
    let found = source.scan().unwrap();
    assert_eq!((paths(&found), found.links.len()), (vec!["/a.txt"], 2));
}

#[test]
fn hashes_differ_by_content_and_by_ending() {
    let (_folder, source) =
        folder(&[("a.html", "x"), ("b/c.HTML", "x"), ("a.txt", "x"), ("d.html", "y"), ("a", "x")]);
    let hashed = source.scan().unwrap().hash().unwrap();
    let of = |path: &str| {
        let file = hashed.files.iter().find(|(found, _)| found.path.as_str() == path);
        file.unwrap().1.hash
    };
    assert_eq!(of("/a.html"), of("/b/c.HTML"));
    let distinct: std::collections::BTreeSet<_> =
        hashed.files.iter().map(|(_, declared)| declared.hash).collect();
    assert_eq!(distinct.len(), 4);
    // Written down: a new version of this program must ask for nothing that is there already.
    assert_eq!(of("/a.html").to_string(), HASH_OF_X_HTML);
    let draft = hashed.draft().unwrap();
    assert_eq!((draft.len(), draft.contents().len()), (5, 4));
}

const HASH_OF_X_HTML: &str = "dede7d163e286ecc1418a5f84b148a76";

#[test]
fn a_file_that_changes_on_the_way_is_not_sent() {
    let (folder, source) = folder(&[("a.txt", "one")]);
    let hashed = source.scan().unwrap().hash().unwrap();
    let (found, declared) = &hashed.files[0];
    assert_eq!(found.read_again(declared).unwrap(), "one");
    fs::write(folder.path().join("a.txt"), "two").unwrap();
    assert!(matches!(found.read_again(declared), Err(FolderError::Changed(_))));
    fs::write(folder.path().join("a.txt"), "longer").unwrap();
    assert!(matches!(found.read(), Err(FolderError::Changed(_))));
}
