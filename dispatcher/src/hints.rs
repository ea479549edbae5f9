//! Early hints (RFC 8297): what a page's last answer said of what it needs is said again while the next one is waited for.
//!
//! The rule is the hosted product's, as its page "Early Hints" has it (cache/advanced-configuration/early-hints): hints are
//! taken from answers with 200, 301 and 302 to URLs whose path ends in `.html`, `.htm`, `.php` or in no extension, from `Link`
//! fields with `rel=preload` or `rel=preconnect`, and sent ahead of the next answer for the same URL. Two things are added to
//! it. Hints go to navigations alone, and to clients that do not say what they are at: browsers heed them nowhere else (HTML,
//! "early hint headers"). And what no cache may keep for others is not kept here either (RFC 9111 sections 3 and 3.5): a link
//! on a page that is one visitor's may be a secret.
//!
//! Owns what is kept, which is bounded for each zone and for all of them. Must never hold up a request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use wasmyard_listener::Interim;
use wasmyard_namespaces::hostname::TlsSettings;
use wasmyard_namespaces::ids::ZoneId;
use wasmyard_namespaces::registry::HostMatch;
use wasmyard_namespaces::zone::SettingId;

use crate::visit::Visit;

/// Bytes of hints that are kept of one zone.
const MOST_OF_A_ZONE: usize = 256 << 10;
/// The same of all zones.
const MOST: usize = 16 << 20;
/// The longest URL whose hints are kept.
const LONGEST_URL: usize = 2 << 10;
/// The most bytes of one URL's hints. With more, none are kept: which of them matter most is not for us to say.
const LARGEST: usize = 4 << 10;
/// What an entry takes beside its texts.
const BESIDE: usize = 128;

/// The hints of a node.
#[derive(Debug, Default)]
pub(crate) struct Hints(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    zones: HashMap<ZoneId, OfZone>,
    bytes: usize,
    /// Counts what is learned, so that it is known which zone has learned nothing for the longest time.
    learned: u64,
}

#[derive(Debug, Default)]
struct OfZone {
    links: HashMap<Arc<str>, HeaderValue>,
    /// In the order in which they were learned.
    order: VecDeque<Arc<str>>,
    bytes: usize,
    last: u64,
}

/// A page whose hints are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    zone: ZoneId,
    url: Arc<str>,
    /// Whether its answer may be one visitor's own.
    is_private: bool,
}

impl Hints {
    /// Leaves what is known of a page for its client, and says of which page the answer may tell more; none where hints are not
    /// wanted.
    pub(crate) fn tell<B>(&self, visit: &Visit<B>) -> Option<Page> {
        let page = page(visit)?;
        if let Some(interim) = visit.head.extensions.get::<Interim>()
            && let Some(links) = self.kept().of(&page)
        {
            interim.hint(HeaderMap::from_iter([(header::LINK, links)]));
        }
        Some(page)
    }

    /// Takes note of what an answer says of its page.
    pub(crate) fn learn<B>(&self, page: &Page, answer: &Response<B>) {
        if !matches!(answer.status(), StatusCode::OK | StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND) {
            return;
        }
        let links = if may_be_kept(page, answer.headers()) { links(answer.headers()) } else { None };
        self.kept().learn(page, links);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn of(&self, page: &Page) -> Option<HeaderValue> {
        self.zones.get(&page.zone)?.links.get(&page.url).cloned()
    }

    fn learn(&mut self, page: &Page, links: Option<HeaderValue>) {
        if self.of(page) == links {
            return;
        }
        self.learned = self.learned.saturating_add(1);
        let of_zone = self.zones.entry(page.zone.clone()).or_default();
        of_zone.last = self.learned;
        let before = of_zone.bytes;
        of_zone.forget(&page.url);
        if let Some(links) = links {
            of_zone.keep(Arc::clone(&page.url), links);
        }
        self.bytes = self.bytes.saturating_sub(before).saturating_add(of_zone.bytes);
        if of_zone.links.is_empty() {
            self.zones.remove(&page.zone);
        }
        // A zone that goes makes room for sixty pages or more: this is seldom.
        while self.bytes > MOST {
            let oldest =
                self.zones.iter().min_by_key(|(_, of_zone)| of_zone.last).map(|(zone, _)| zone.clone());
            let Some(gone) = oldest.and_then(|zone| self.zones.remove(&zone)) else { break };
            self.bytes = self.bytes.saturating_sub(gone.bytes);
        }
    }
}

impl OfZone {
    fn forget(&mut self, url: &str) {
        if let Some(links) = self.links.remove(url) {
            self.bytes = self.bytes.saturating_sub(size(url, &links));
            self.order.retain(|other| &**other != url);
        }
    }

    fn keep(&mut self, url: Arc<str>, links: HeaderValue) {
        self.bytes = self.bytes.saturating_add(size(&url, &links));
        self.links.insert(Arc::clone(&url), links);
        self.order.push_back(url);
        while self.bytes > MOST_OF_A_ZONE {
            let Some(oldest) = self.order.front().map(Arc::clone) else { break };
            self.forget(&oldest);
        }
    }
}

fn size(url: &str, links: &HeaderValue) -> usize {
    BESIDE + url.len() + links.len()
}

/// The page that a visit is to, if hints are wanted for it.
fn page<B>(visit: &Visit<B>) -> Option<Page> {
    let found = visit.zone.as_ref().filter(|found| is_on(found, &visit.host))?;
    // An older client may take what comes first for the answer.
    let is_told = matches!(visit.head.version, Version::HTTP_2 | Version::HTTP_3);
    let headers = &visit.head.headers;
    let navigates = headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    if !is_told || visit.head.method != Method::GET || !navigates || !is_page(visit.head.uri.path()) {
        return None;
    }
    let target = visit.head.uri.path_and_query()?.as_str();
    if target.len() > LONGEST_URL {
        return None;
    }
    Some(Page {
        zone: found.zone.id.clone(),
        url: format!("{}{target}", visit.host).into(),
        is_private: headers.contains_key(header::AUTHORIZATION),
    })
}

/// A custom hostname has its own settings, and never its zone's; what is below it by a wildcard has its zone's.
fn is_on(found: &HostMatch, host: &str) -> bool {
    match &found.hostname {
        Some(hostname) if hostname.name.as_str() == host => {
            let settings = hostname.ssl.as_ref().and_then(|ssl| ssl.config.settings.as_ref());
            settings.is_some_and(TlsSettings::sends_early_hints)
        }
        Some(_) | None => found.zone.settings.is_on(SettingId::EarlyHints),
    }
}

fn is_page(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    match last.rsplit_once('.') {
        None => true,
        Some((_, extension)) => {
            ["html", "htm", "php"].iter().any(|page| extension.eq_ignore_ascii_case(page))
        }
    }
}

/// Whether what an answer says may be told to others.
fn may_be_kept(page: &Page, headers: &HeaderMap) -> bool {
    let says = |directive: &str| {
        let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .any(|said| said.split('=').next().unwrap_or_default().trim().eq_ignore_ascii_case(directive))
    };
    !says("no-store") && !says("private") && (!page.is_private || says("public"))
}

/// The links of an answer that are hints, as one field.
fn links(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut all = String::new();
    for field in headers.get_all(header::LINK) {
        let Ok(field) = field.to_str() else { continue };
        for link in apart(field, ',').filter(|link| is_hint(link)) {
            if all.len() + link.len() > LARGEST {
                return None;
            }
            if !all.is_empty() {
                all.push_str(", ");
            }
            all.push_str(link);
        }
    }
    if all.is_empty() { None } else { HeaderValue::try_from(all).ok() }
}

/// Whether a link (RFC 8288 section 3) is of a relation that is told early.
fn is_hint(link: &str) -> bool {
    let mut parts = apart(link, ';');
    let target = parts.next().unwrap_or_default();
    if !target.starts_with('<') || !target.ends_with('>') {
        return false;
    }
    // Of several `rel` the first one counts.
    let relation = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches('"'))
    });
    relation.is_some_and(|relation| {
        let mut kinds = relation.split_ascii_whitespace();
        kinds.any(|kind| kind.eq_ignore_ascii_case("preload") || kind.eq_ignore_ascii_case("preconnect"))
    })
}

/// The parts of a text between separators that stand neither in `<>` nor in quotes, without the space around them.
fn apart(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut in_target, mut in_quotes, mut escaped) = (false, false, false);
    let parts = text.split(move |letter: char| {
        let was_escaped = escaped;
        escaped = in_quotes && letter == '\\' && !was_escaped;
        match letter {
            '"' if !in_target && !was_escaped => in_quotes = !in_quotes,
            '<' if !in_quotes => in_target = true,
            '>' if !in_quotes => in_target = false,
            _ => {}
        }
        letter == separator && !in_target && !in_quotes
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::LINK, HeaderValue::from_static(value))).collect()
    }

    fn kept_of(values: &[&'static str]) -> Option<String> {
        links(&fields(values)).map(|links| links.to_str().unwrap().to_owned())
    }

    #[test]
    fn links_that_are_hints_are_told_from_others() {
        assert_eq!(kept_of(&["</a.css>; rel=preload; as=style"]).unwrap(), "</a.css>; rel=preload; as=style");
        assert_eq!(
            kept_of(&[
                "</a,b;c>; title=\"x, y\"; rel=\"next PRELOAD\", </n>; rel=next",
                "<//cdn.test>;rel=preconnect"
            ])
            .unwrap(),
            "</a,b;c>; title=\"x, y\"; rel=\"next PRELOAD\", <//cdn.test>;rel=preconnect"
        );
        for other in ["</a>; rel=next", "</a>", "a; rel=preload", "</a>; rel=next; rel=preload", "", ",;"] {
            assert_eq!(
                links(&HeaderMap::from_iter([(header::LINK, HeaderValue::from_static(other))])),
                None,
                "{other}"
            );
        }
    }

    #[test]
    fn more_than_a_few_links_are_none() {
        let long = format!("</{}>; rel=preload", "x".repeat(LARGEST));
        let headers = HeaderMap::from_iter([(header::LINK, HeaderValue::try_from(long).unwrap())]);
        assert_eq!(links(&headers), None);
    }

    #[test]
    fn pages_are_told_from_files_by_their_path() {
        for page in ["/", "/a", "/a.html", "/a.b/c", "/x.HTM", "/i.php"] {
            assert!(is_page(page), "{page}");
        }
        for file in ["/a.css", "/a.html.gz", "/a.b/c.js", "/."] {
            assert!(!is_page(file), "{file}");
        }
    }

    fn of(zone: &str, url: impl Into<Arc<str>>) -> Page {
        let zone = serde_json::from_value(serde_json::Value::from(zone)).unwrap();
        Page { zone, url: url.into(), is_private: false }
    }

    const ZONE: &str = "0123456789abcdef0123456789abcdef";

    fn answer(status: u16, link: &'static str, cache: &'static str) -> Response<()> {
        Response::builder()
            .status(status)
            .header("link", link)
            .header("cache-control", cache)
            .body(())
            .unwrap()
    }

    #[test]
    fn the_last_answer_of_a_page_says_what_is_told() {
        let (hints, page) = (Hints::default(), of(ZONE, "a.test/"));
        let known = || hints.kept().of(&page).is_some();
        for (status, cache, is_kept) in [
            (200, "max-age=1", true),
            (200, "private", false),
            (301, "", true),
            (404, "", true),
            (200, "no-store", false),
            (302, "public", true),
        ] {
            hints.learn(&page, &answer(status, "</a.css>; rel=preload", cache));
            assert_eq!(known(), is_kept, "{status} {cache}");
        }
        assert!(hints.kept().of(&of(ZONE, "a.test/?b")).is_none());
        hints.learn(&page, &Response::new(()));
        assert!(!known() && hints.kept().zones.is_empty(), "it does not say so any more");
        let private = Page { is_private: true, ..of(ZONE, "a.test/") };
        hints.learn(&private, &answer(200, "</a.css>; rel=preload", "max-age=1"));
        assert!(!known());
    }

    #[test]
    fn a_zone_has_so_much_and_forgets_what_is_oldest() {
        let hints = Hints::default();
        let link = || answer(200, "</a.css>; rel=preload", "");
        for number in 0..5_000 {
            hints.learn(&of(ZONE, format!("a.test/{number}")), &link());
        }
        let kept = hints.kept();
        assert!(kept.bytes <= MOST_OF_A_ZONE && kept.bytes > MOST_OF_A_ZONE / 2);
        assert!(kept.of(&of(ZONE, "a.test/4999")).is_some() && kept.of(&of(ZONE, "a.test/0")).is_none());
        assert_eq!(
            kept.zones.values().map(|of_zone| of_zone.order.len()).sum::<usize>(),
            kept.zones.values().map(|of_zone| of_zone.links.len()).sum::<usize>()
        );
    }

    #[test]
    fn all_zones_have_so_much_and_the_one_that_learned_nothing_for_longest_goes_first() {
        let hints = Hints::default();
        let zone = |number: usize| format!("{number:032x}");
        for number in 0..100 {
            for url in 0..2_000 {
                hints.learn(
                    &of(&zone(number), format!("a.test/{url}")),
                    &answer(200, "</a.css>; rel=preload", ""),
                );
            }
        }
        let kept = hints.kept();
        assert!(kept.bytes <= MOST && kept.bytes > MOST / 2);
        assert!(
            kept.of(&of(&zone(0), "a.test/1999")).is_none()
                && kept.of(&of(&zone(99), "a.test/1999")).is_some()
        );
    }

    proptest! {
        #[test]
        fn whatever_a_link_says_it_is_a_field_or_none(text in "[<>;,\"\\\\a-z= ]{0,80}") {
            let headers = HeaderMap::from_iter([(header::LINK, HeaderValue::try_from(text).unwrap())]);
            if let Some(kept) = links(&headers) {
                prop_assert!(kept.to_str().unwrap().contains("preload") || kept.to_str().unwrap().contains("preconnect"));
            }
        }
    }
}
