//! One row for each sentence of the semantics that concern who answers a request, and at which address.

use http::Request;
use wasmyard_namespaces::assets::{AssetPath, AssetsConfig, ContentType};
use wasmyard_namespaces::code::{Code, Component};
use wasmyard_namespaces::digest::Digest;
use wasmyard_namespaces::limits::LimitSpec;

use super::*;

/// A version's assets: files, and how they are served.
struct Case {
    files: &'static [&'static str],
    config: AssetsConfig,
    worker: bool,
    date: Option<&'static str>,
    flags: &'static [&'static str],
}

const PLAIN: [&str; 2] = ["/index.html", "/a.js"];

impl Case {
    fn new(files: &'static [&'static str]) -> Case {
        Case { files, config: AssetsConfig::default(), worker: false, date: None, flags: &[] }
    }

    fn with_worker(self) -> Case {
        Case { worker: true, ..self }
    }

    fn not_found(mut self, not_found: NotFoundHandling) -> Case {
        self.config.not_found_handling = not_found;
        self
    }

    fn html(mut self, html: HtmlHandling) -> Case {
        self.config.html_handling = html;
        self
    }

    fn first(mut self, rules: &[&str]) -> Case {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        self.config.run_worker_first = RunWorkerFirst::Rules(rules);
        self
    }

    fn below(mut self, base: &str) -> Case {
        self.config.base_path = BasePath::parse(base).unwrap();
        self
    }

    fn redirects(mut self, text: &str) -> Case {
        self.config.redirects = Some(text.to_owned());
        self
    }

    fn site(&self) -> Site {
        self.config.validate().unwrap();
        let entry = |n: u8| AssetEntry {
            hash: format!("{n:032x}").parse().unwrap(),
            size: 1,
            digest: Digest::of(&[n]),
            content_type: ContentType::parse("text/html").ok(),
        };
        let files = self.files.iter().zip(0..).map(|(path, n)| (AssetPath::parse(path).unwrap(), entry(n)));
        let manifest = Manifest::new(AssetScope::platform(), files.collect()).unwrap();
        let assets = VersionAssets {
            scope: AssetScope::platform(),
            manifest: Digest::of(b""),
            files: 0,
            bytes: 0,
            config: self.config.clone(),
        };
        Site::new(&self.version(), &assets, Arc::new(manifest))
    }

    fn version(&self) -> Version {
        Version {
            id: String::new(),
            number: 1,
            created_on: wasmyard_namespaces::timestamp::Timestamp::now(),
            code: if self.worker {
                Code::Component(Component::new(Digest::of(b"component"), 9))
            } else {
                Code::None
            },
            bindings: Vec::new(),
            limits: LimitSpec::default(),
            compatibility_date: self.date.map(str::to_owned),
            compatibility_flags: self.flags.iter().map(|flag| (*flag).to_owned()).collect(),
            etag: String::new(),
            annotations: Default::default(),
            assets: None,
        }
    }

    /// What comes of a request such as `GET /path` or `GET /path navigate`: `worker`, a file with its status, or
    /// a redirect.
    fn outcome(&self, request: &str) -> String {
        let mut words = request.split(' ');
        let (method, uri) = (words.next().unwrap(), words.next().unwrap());
        let mut request = Request::builder().method(method).uri(format!("http://Shop.Example.com:8787{uri}"));
        if let Some(mode) = words.next() {
            request = request.header("sec-fetch-mode", mode);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        let site = self.site();
        let target = Target::of(&head);
        match site.first(&head, &target) {
            None => "worker".to_owned(),
            Some(Plan::File { entry, status, .. }) => {
                let file = self.files[usize::from(entry.hash.as_bytes()[15])];
                format!("{status} {file}")
            }
            Some(Plan::Redirect { status, location }) => format!("{status} -> {location}"),
            Some(Plan::NotAllowed) => "405".to_owned(),
            Some(Plan::NotFound) => "404".to_owned(),
        }
    }

    #[track_caller]
    fn check(&self, rows: &[(&str, &str)]) {
        for (request, expected) in rows {
            assert_eq!(self.outcome(request), *expected, "{request}");
        }
    }
}

#[test]
fn assets_go_first_and_the_script_gets_what_they_do_not_have() {
    let case = Case::new(&PLAIN).with_worker();
    case.check(&[
        ("GET /", "200 /index.html"),
        ("GET /a.js", "200 /a.js"),
        ("HEAD /a.js", "200 /a.js"),
        ("GET /missing", "worker"),
        ("POST /missing", "worker"),
        // A file that is there is there for every method.
        ("POST /a.js", "405"),
        ("DELETE /", "405"),
        ("POST /index.html", "405"),
        ("GET /index.html", "307 -> /"),
    ]);
}

#[test]
fn without_a_script_the_assets_answer_everything() {
    Case::new(&PLAIN).check(&[("GET /a.js", "200 /a.js"), ("GET /missing", "404"), ("POST /missing", "404")]);
    // A rule for a script that is not there changes nothing.
    Case::new(&PLAIN).first(&["/*"]).check(&[("GET /a.js", "200 /a.js"), ("GET /missing", "404")]);
    Case::new(&PLAIN).not_found(NotFoundHandling::SinglePageApplication).check(&[
        ("GET /deep/link", "200 /index.html"),
        ("GET /deep/link cors", "200 /index.html"),
        ("POST /deep/link", "405"),
    ]);
}

#[test]
fn the_script_runs_first_where_it_asks_to() {
    let mut case = Case::new(&PLAIN).with_worker();
    case.config.run_worker_first = RunWorkerFirst::All(true);
    case.check(&[("GET /", "worker"), ("GET /a.js", "worker"), ("GET /missing navigate", "worker")]);
    let case = Case::new(&["/index.html", "/api/docs/x.html", "/api/file"]).with_worker();
    case.first(&["/api/*", "!/api/docs/*"]).check(&[
        ("GET /api/file", "worker"),
        ("GET /api/missing", "worker"),
        ("GET /api/docs/x", "200 /api/docs/x.html"),
        // Kept for the assets, whatever they have.
        ("GET /api/docs/missing", "404"),
        ("POST /api/docs/missing", "404"),
        ("GET /", "200 /index.html"),
        ("GET /missing", "worker"),
    ]);
}

#[test]
fn a_stand_in_is_for_navigations_and_where_rules_name_the_scripts_paths() {
    let spa = |case: Case| case.not_found(NotFoundHandling::SinglePageApplication).with_worker();
    spa(Case::new(&PLAIN)).check(&[
        ("GET /deep navigate", "200 /index.html"),
        ("GET /deep cors", "worker"),
        ("GET /deep", "worker"),
        ("POST /deep navigate", "405"),
        ("GET /a.js navigate", "200 /a.js"),
    ]);
    // The date decides, and flags go before it.
    let dated = |date, flags| Case { date: Some(date), flags, ..spa(Case::new(&PLAIN)) };
    dated("2025-03-31", &[]).check(&[("GET /deep navigate", "worker")]);
    dated("2025-04-01", &[]).check(&[("GET /deep navigate", "200 /index.html")]);
    dated("2025-03-31", &[NAVIGATIONS_ON]).check(&[("GET /deep navigate", "200 /index.html")]);
    dated("2025-04-01", &[NAVIGATIONS_OFF]).check(&[("GET /deep navigate", "worker")]);
    // With rules, whatever they do not give to the script stands in, navigation or not.
    spa(Case::new(&PLAIN)).first(&["/api/*"]).check(&[
        ("GET /deep", "200 /index.html"),
        ("GET /deep cors", "200 /index.html"),
        ("GET /api/deep navigate", "worker"),
    ]);
    let pages = Case::new(&["/404.html", "/a/404.html"]).not_found(NotFoundHandling::Page404).with_worker();
    pages.check(&[
        ("GET /a/x navigate", "404 /a/404.html"),
        ("GET /x navigate", "404 /404.html"),
        ("GET /a/x", "worker"),
    ]);
}

#[test]
fn a_file_is_served_at_one_address() {
    let case = Case::new(&["/a b.html", "/caf\u{e9}", "/x/y", "/%20", "/@u", "/index.html"]);
    case.check(&[
        ("GET /a%20b", "200 /a b.html"),
        ("GET /a%20b.html?q=1", "307 -> /a%20b?q=1"),
        ("GET /caf%C3%A9", "200 /caf\u{e9}"),
        ("GET /caf%c3%a9", "307 -> /caf%C3%A9"),
        ("GET /x%2Fy", "307 -> /x/y"),
        ("GET //x///y", "307 -> /x/y"),
        ("GET //", "307 -> /"),
        ("GET /x/./y", "200 /x/y"),
        ("GET /z/../x/y", "200 /x/y"),
        ("GET /x\\y", "200 /x/y"),
        // A file that is named by an escape is at that escape's own escape.
        ("GET /%2520", "200 /%20"),
        ("GET /%20", "404"),
        ("GET /@u", "307 -> /%40u"),
        ("GET /%40u", "200 /@u"),
        // An escape that is none is part of the name, and is written as one.
        ("GET /%zz", "404"),
        ("GET /?a=b", "200 /index.html"),
        ("GET /index.html?a=b", "307 -> /?a=b"),
        ("GET /index.html?", "307 -> /"),
        // No request makes a redirect to another host.
        ("GET //evil.test/..", "307 -> /"),
    ]);
    let spa = Case::new(&PLAIN).not_found(NotFoundHandling::SinglePageApplication);
    spa.check(&[("GET //evil.test/x", "307 -> /evil.test/x"), ("GET /\\evil.test/%2e%2e/x", "307 -> /x")]);
    // One hop for the name of the page and its encoding together.
    Case::new(&["/a b/index.html"])
        .check(&[("GET /a+b", "404"), ("GET //a%20b/index.html", "307 -> /a%20b/")]);
    Case::new(&["/a b.html"])
        .html(HtmlHandling::None)
        .check(&[("GET /a%20b.html", "200 /a b.html"), ("GET /a%20b", "404")]);
}

#[test]
fn redirects_go_before_files_for_every_method_and_whoever_runs() {
    let case = Case::new(&["/a.html", "/b.html"]).with_worker();
    let case = case.redirects(
        "/a /b 301\n/gone https://x.test/\n/in/* /b 200\n/lost /missing 200\n/loop/* /loop/:splat",
    );
    case.check(&[
        ("GET /a", "301 -> /b"),
        ("POST /a", "301 -> /b"),
        ("GET /a.html", "307 -> /a"),
        ("GET /gone?q", "302 -> https://x.test/?q"),
        ("GET /in/x", "200 /b.html"),
        ("POST /in/x", "405"),
        // What is rewritten is nobody else's, even if nothing is there.
        ("GET /lost", "404"),
        ("POST /lost", "404"),
        ("GET /loop/x", "worker"),
    ]);
    // The script that asks to run first comes before redirects.
    let case = Case::new(&["/a.html"]).with_worker().redirects("/a /b").first(&["/a"]);
    case.check(&[("GET /a", "worker")]);
    // A rewrite to a page under another name than its own sends the visitor there.
    Case::new(&["/b.html"]).redirects("/a /b.html 200").check(&[("GET /a", "307 -> /b")]);
    Case::new(&["/index.html"])
        .not_found(NotFoundHandling::SinglePageApplication)
        .redirects("/lost /missing 200")
        .check(&[("GET /lost", "200 /index.html")]);
}

#[test]
fn header_rules_see_the_request_as_it_was_sent() {
    let mut case = Case::new(&PLAIN);
    case.config.headers = Some(
        "/a%20b\n  x-raw: 1\nhttps://shop.example.com/*\n  x-host: 1\nhttps://other.test/*\n  x-other: 1\n"
            .into(),
    );
    let site = case.site();
    let (head, ()) = Request::get("http://Shop.Example.com:8787/a%20b").body(()).unwrap().into_parts();
    let mut headers = HeaderMap::new();
    site.apply_headers(&Target::of(&head), &mut headers);
    assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-raw", "x-host"]);
}

#[test]
fn below_a_base_path_files_have_their_addresses_there_and_nowhere_else() {
    let files = &["/index.html", "/a.js", "/page.html", "/404.html", "/deep/index.html"];
    Case::new(files).below("/docs").check(&[
        ("GET /docs/", "200 /index.html"),
        ("GET /docs", "307 -> /docs/"),
        ("GET /docs?a=1", "307 -> /docs/?a=1"),
        ("GET /docs/a.js", "200 /a.js"),
        ("POST /docs/a.js", "405"),
        ("GET /docs/page.html", "307 -> /docs/page"),
        ("GET /docs/deep", "307 -> /docs/deep/"),
        ("GET /docs/index.html", "307 -> /docs/"),
        ("GET /%64ocs/a.js", "307 -> /docs/a.js"),
        ("GET /docs/none", "404"),
        ("GET /a.js", "404"),
        ("GET /", "404"),
        ("GET /docsa.js", "404"),
    ]);
    let pages = Case::new(files).below("/docs").not_found(NotFoundHandling::Page404);
    pages.check(&[("GET /docs/none/at/all", "404 /404.html"), ("GET /none", "404")]);
    let spa = Case::new(files).below("/docs").not_found(NotFoundHandling::SinglePageApplication);
    spa.check(&[("GET /docs/none", "200 /index.html"), ("GET /none", "404")]);
    // Who is asked first, and where rules lead to, goes by the whole path.
    let rules = Case::new(files).below("/docs").with_worker().first(&["/docs/api/*"]);
    rules.check(&[("GET /docs/api/a", "worker"), ("GET /docs/a.js", "200 /a.js"), ("GET /a.js", "worker")]);
    let moved = Case::new(files)
        .below("/docs")
        .redirects("/old /docs/page\n/docs/x /docs/a.js 200\n/docs/y /a.js 200");
    moved.check(&[("GET /old", "302 -> /docs/page"), ("GET /docs/x", "200 /a.js"), ("GET /docs/y", "404")]);
}
