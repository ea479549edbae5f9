//! Which file a decoded path stands for, and which path a file is to be asked for by.
//!
//! Owns the modes of html handling and of what is served when nothing is found. Pure: what there is, is asked
//! of a function.

use std::borrow::Cow;

use wasmyard_namespaces::assets::{HtmlHandling, NotFoundHandling};

/// What a path comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Resolved<T> {
    /// This file.
    File(T),
    /// The file that stands in where nothing was found.
    NotFound { file: T, status: u16 },
    /// Another path, decoded, at which the file is.
    Moved(String),
}

/// One thing to try.
enum Step<'p> {
    /// To answer with this file.
    Serve(Cow<'p, str>),
    /// To send the visitor to `to`, if that path is for `file`.
    Move { file: Cow<'p, str>, to: Cow<'p, str> },
}

/// Finds what a decoded path stands for.
pub(super) fn resolve<T: Copy + PartialEq>(
    html: HtmlHandling,
    not_found: NotFoundHandling,
    path: &str,
    file: &impl Fn(&str) -> Option<T>,
) -> Option<Resolved<T>> {
    walk(html, path, file, true).or_else(|| stand_in(not_found, path, file))
}

fn walk<T: Copy + PartialEq>(
    html: HtmlHandling,
    path: &str,
    file: &impl Fn(&str) -> Option<T>,
    may_move: bool,
) -> Option<Resolved<T>> {
    // Most requests: neither a page nor a folder, in any mode.
    if !path.ends_with(['/', 'l', 'x'])
        && let Some(found) = file(path)
    {
        return Some(Resolved::File(found));
    }
    steps(html, path).into_iter().find_map(|step| match step {
        Step::Serve(name) => file(&name).map(Resolved::File),
        Step::Move { file: name, to } => {
            let wanted = may_move.then(|| file(&name)).flatten()?;
            // Where `to` is a file of its own, or is for another file, it would lead astray.
            let there = if file(&to).is_none() { walk(html, &to, file, false) } else { None };
            (there == Some(Resolved::File(wanted))).then(|| Resolved::Moved(to.into_owned()))
        }
    })
}

/// The file that stands in for what is not there.
fn stand_in<T>(
    not_found: NotFoundHandling,
    path: &str,
    file: &impl Fn(&str) -> Option<T>,
) -> Option<Resolved<T>> {
    match not_found {
        NotFoundHandling::None => None,
        NotFoundHandling::SinglePageApplication => {
            file("/index.html").map(|file| Resolved::NotFound { file, status: 200 })
        }
        NotFoundHandling::Page404 => {
            let mut folder = path;
            while let Some((above, _)) = folder.rsplit_once('/') {
                if let Some(file) = file(&format!("{above}/404.html")) {
                    return Some(Resolved::NotFound { file, status: 404 });
                }
                folder = above;
            }
            None
        }
    }
}

/// What is tried for a path, in order. `page` is the name without what makes it a page or a folder:
/// `/a` for `/a.html`, `/a/`, `/a/index` and `/a/index.html`.
fn steps(html: HtmlHandling, path: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::with_capacity(6);
    if html != HtmlHandling::None {
        if let Some(page) = path.strip_suffix("/index") {
            steps.push(serve(path));
            of_index(html, page, &mut steps);
        } else if let Some(page) = path.strip_suffix("/index.html") {
            of_index_file(html, path, page, &mut steps);
        } else if let Some(page) = path.strip_suffix('/') {
            of_folder(html, page, &mut steps);
        } else if let Some(page) = path.strip_suffix(".html") {
            of_page_file(html, path, page, &mut steps);
        }
    }
    steps.push(serve(path));
    let folder = || format!("{path}/");
    match html {
        HtmlHandling::AutoTrailingSlash => {
            steps.push(serve(format!("{path}.html")));
            steps.push(moved(format!("{path}/index.html"), folder()));
        }
        HtmlHandling::ForceTrailingSlash => {
            steps.push(moved(format!("{path}.html"), folder()));
            steps.push(moved(format!("{path}/index.html"), folder()));
        }
        HtmlHandling::DropTrailingSlash => {
            steps.push(serve(format!("{path}.html")));
            steps.push(serve(format!("{path}/index.html")));
        }
        HtmlHandling::None => {}
    }
    steps
}

/// `/a/index`: a name that nobody should see.
fn of_index<'p>(html: HtmlHandling, page: &'p str, steps: &mut Vec<Step<'p>>) {
    let (index, file, folder) = (format!("{page}/index.html"), format!("{page}.html"), format!("{page}/"));
    match html {
        HtmlHandling::AutoTrailingSlash => {
            steps.push(moved(index, folder));
            steps.push(moved(file, page));
        }
        HtmlHandling::ForceTrailingSlash => {
            steps.push(moved(index, folder.clone()));
            steps.push(moved(file, folder));
        }
        HtmlHandling::DropTrailingSlash if page.is_empty() => steps.push(moved(index, folder)),
        HtmlHandling::DropTrailingSlash => {
            steps.push(moved(file, page));
            steps.push(moved(index, page));
        }
        HtmlHandling::None => {}
    }
}

/// `/a/index.html`
fn of_index_file<'p>(html: HtmlHandling, path: &'p str, page: &'p str, steps: &mut Vec<Step<'p>>) {
    let (file, folder) = (format!("{page}.html"), format!("{page}/"));
    match html {
        HtmlHandling::AutoTrailingSlash => {
            steps.push(moved(path, folder));
            steps.push(moved(file, page));
        }
        HtmlHandling::ForceTrailingSlash => {
            steps.push(moved(path, folder.clone()));
            steps.push(moved(file, folder));
        }
        HtmlHandling::DropTrailingSlash if page.is_empty() => steps.push(moved(path, folder)),
        HtmlHandling::DropTrailingSlash => {
            steps.push(moved(path, page));
            steps.push(serve(path));
            steps.push(moved(file, page));
        }
        HtmlHandling::None => {}
    }
}

/// `/a/`
fn of_folder<'p>(html: HtmlHandling, page: &'p str, steps: &mut Vec<Step<'p>>) {
    let (index, file) = (format!("{page}/index.html"), format!("{page}.html"));
    match html {
        HtmlHandling::AutoTrailingSlash => {
            steps.push(serve(index));
            steps.push(moved(file, page));
        }
        HtmlHandling::ForceTrailingSlash => {
            steps.push(serve(index));
            steps.push(serve(file));
        }
        HtmlHandling::DropTrailingSlash if page.is_empty() => steps.push(serve(index)),
        HtmlHandling::DropTrailingSlash => {
            steps.push(moved(file, page));
            steps.push(moved(index, page));
        }
        HtmlHandling::None => {}
    }
}

/// `/a.html`
fn of_page_file<'p>(html: HtmlHandling, path: &'p str, page: &'p str, steps: &mut Vec<Step<'p>>) {
    let (index, folder) = (format!("{page}/index.html"), format!("{page}/"));
    match html {
        HtmlHandling::AutoTrailingSlash => {
            steps.push(moved(path, page));
            steps.push(moved(index, folder));
        }
        HtmlHandling::ForceTrailingSlash => {
            steps.push(moved(path, folder.clone()));
            steps.push(serve(path));
            steps.push(moved(index, folder));
        }
        HtmlHandling::DropTrailingSlash => {
            steps.push(moved(path, page));
            steps.push(moved(index, page));
        }
        HtmlHandling::None => {}
    }
}

fn serve<'p>(name: impl Into<Cow<'p, str>>) -> Step<'p> {
    Step::Serve(name.into())
}

fn moved<'p>(file: impl Into<Cow<'p, str>>, to: impl Into<Cow<'p, str>>) -> Step<'p> {
    Step::Move { file: file.into(), to: to.into() }
}

#[cfg(test)]
mod tests;
