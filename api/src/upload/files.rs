//! Owns which files of a form are a script's, what each of them is, and what of them is run.
//! Must never drop a file in silence: it is kept with the code, refused, or means nothing to whoever sent it.

use bytes::Bytes;
use wasmyard_control::{Beside, NewCode};
use wasmyard_namespaces::bundle::{self, Bundle, PartKind};
use wasmyard_namespaces::name::shorten;
use wasmyard_namespaces::{CodeKind, code};

use super::passing;
use crate::error::ApiError;
use crate::multipart::Part;

/// What the files of a form run as.
pub(super) fn code(
    form: &[Part],
    main: &Part,
    wanted: String,
    main_kind: PartKind,
) -> Result<NewCode, ApiError> {
    let others: Vec<&Part> = form
        .iter()
        .filter(|part| part.name != "metadata" && is_spare(part) && !std::ptr::eq(*part, main))
        .collect();
    if is_javascript(main, &wanted) {
        return match component_of(main, &wanted, &others)? {
            Some(component) => {
                let beside = others.into_iter().filter(|part| !std::ptr::eq(*part, component));
                let main_part =
                    bundle::Part { name: wanted.clone(), kind: main_kind, bytes: main.content.clone() };
                kept_with(component, file_name(component).to_owned(), wanted, Some(main_part), beside)
            }
            None => {
                let maps = form.iter().filter(|part| part.name != "metadata" && is_source_map(part));
                script(main, wanted, main_kind, others.iter().copied().chain(maps))
            }
        };
    }
    match CodeKind::of_upload(&main.content) {
        None => Err(super::not_run(&wanted)),
        Some(CodeKind::Component) => kept_with(main, wanted.clone(), wanted, None, others.into_iter()),
        // A script that looks uploaded and then misses a file is worse than one that is refused.
        Some(CodeKind::Modules) => match others.first() {
            Some(part) => Err(ApiError::invalid(format_args!(
                "The file \"{}\" would be lost: a bundle has all of a script's files. Leave it out.",
                shorten(file_name(part))
            ))),
            None => Ok(NewCode { name: wanted, bytes: main.content.clone(), beside: None }),
        },
    }
}

/// Whether a part is a file that means something to whoever sent it.
pub(super) fn is_spare(part: &Part) -> bool {
    part.filename.is_some() && !is_source_map(part)
}

/// Whether a part says where another one was written: kept with a script, and nothing that a component is without.
fn is_source_map(part: &Part) -> bool {
    let kind = part.content_type.as_deref().and_then(PartKind::of_media_type);
    kind == Some(PartKind::SourceMap)
}

/// What a part is called: by its file name, and without one by its own.
pub(super) fn file_name(part: &Part) -> &str {
    normal(part.filename.as_deref().unwrap_or(&part.name))
}

/// `./worker.wasm` and `worker.wasm` are one module.
pub(super) fn normal(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

/// A component, and what came with it: nothing of that runs, and it is given back with the component.
fn kept_with<'p>(
    component: &Part,
    component_name: String,
    main_module: String,
    main: Option<bundle::Part>,
    others: impl Iterator<Item = &'p Part>,
) -> Result<NewCode, ApiError> {
    let others = others.map(|part| file(part, file_name(part)));
    let parts: Vec<_> = main.map(Ok).into_iter().chain(others).collect::<Result<_, _>>()?;
    let beside = if parts.is_empty() {
        None
    } else {
        if let Some(part) = parts.iter().find(|part| part.name == component_name) {
            return Err(invalid(&bundle::BundleError::Twice(part.name.clone())));
        }
        let files = Bundle::of_files(parts).map_err(|error| invalid(&error))?.written();
        Some(Beside { component: component_name, files })
    };
    Ok(NewCode { name: main_module, bytes: component.content.clone(), beside })
}

/// The component that a main module passes on and does nothing else. JavaScript cannot do anything with one.
fn component_of<'p>(main: &Part, wanted: &str, others: &[&'p Part]) -> Result<Option<&'p Part>, ApiError> {
    let mut components = others.iter().copied().filter(|part| code::is_component(&part.content)).peekable();
    let Some(first) = components.peek().copied() else { return Ok(None) };
    let passed = passing::passed_on(&main.content).map(|from| beside(wanted, from));
    let found = components.find(|part| passed.as_deref() == Some(file_name(part)));
    found.map(Some).ok_or_else(|| {
        let name = shorten(file_name(first));
        ApiError::invalid(format_args!(
            "The file \"{name}\" is a component, which JavaScript cannot import: it imports Wasm modules. Let \"{}\" consist \
             of nothing but export {{ default }} from \"./{name}\" to deploy the component itself; or deploy it as a script of its \
             own, and call that by a service binding.",
            shorten(wanted)
        ))
    })
}

/// The name of the file that another one imports by a path.
fn beside(importer: &str, path: &str) -> String {
    let folder = importer.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default();
    let mut steps: Vec<&str> = Vec::new();
    for step in folder.split('/').chain(path.split('/')) {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

/// Whether the main file is a script: by its type, and where that says nothing by its name. What begins as a component, or
/// as a bundle, is one, whatever it is called.
fn is_javascript(main: &Part, name: &str) -> bool {
    if CodeKind::of_upload(&main.content).is_some() {
        return false;
    }
    let declared = main.content_type.as_deref().unwrap_or("application/octet-stream");
    match PartKind::of_media_type(declared) {
        Some(PartKind::Module | PartKind::Script) => true,
        Some(PartKind::Data) => bundle::is_javascript(name),
        _ => false,
    }
}

/// The files of a script in JavaScript, as one blob: the main one first, the others as they came. Who names a main module means
/// a module, whatever the client calls it.
fn script<'p>(
    main: &Part,
    wanted: String,
    kind: PartKind,
    others: impl Iterator<Item = &'p Part>,
) -> Result<NewCode, ApiError> {
    let mut parts = vec![bundle::Part { name: wanted.clone(), kind, bytes: main.content.clone() }];
    for part in others {
        let name = file_name(part);
        if kind == PartKind::Script && !is_source_map(part) {
            return Err(ApiError::invalid(format_args!(
                "The file \"{}\" would be lost: a script that listens for events imports nothing. Make it a module, and name it with main_module.",
                shorten(name)
            )));
        }
        parts.push(file(part, name)?);
    }
    let bytes: Bytes = Bundle::new(parts).map_err(|error| invalid(&error))?.written();
    Ok(NewCode { name: wanted, bytes, beside: None })
}

/// One file: what it is goes by its type, and without one by its name.
fn file(part: &Part, name: &str) -> Result<bundle::Part, ApiError> {
    let declared = part.content_type.as_deref();
    let kind = match declared {
        Some(declared) => PartKind::of_media_type(declared),
        None if bundle::is_javascript(name) => Some(PartKind::Module),
        None if name.ends_with(".json") => Some(PartKind::Json),
        None if name.ends_with(".wasm") => Some(PartKind::Wasm),
        None => Some(PartKind::Data),
    };
    let kind = kind.ok_or_else(|| {
        ApiError::invalid(format_args!(
            "The file \"{}\" is of the type {:?}. A script's files are of the types {}.",
            shorten(name),
            shorten(declared.unwrap_or_default()),
            [PartKind::Module, PartKind::Text, PartKind::Data, PartKind::Json, PartKind::Wasm]
                .map(PartKind::media_type)
                .join(", ")
        ))
    })?;
    Ok(bundle::Part { name: name.to_owned(), kind, bytes: part.content.clone() })
}

pub(super) fn invalid(error: &bundle::BundleError) -> ApiError {
    ApiError::invalid(format_args!("{error}."))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_path_leads_from_the_folder_of_the_importer() {
        for (importer, path, found) in [
            ("shim.js", "./a.wasm", "a.wasm"),
            ("src/shim.js", "./a.wasm", "src/a.wasm"),
            ("src/shim.js", "../build/a.wasm", "build/a.wasm"),
            ("shim.js", "a.wasm", "a.wasm"),
            ("shim.js", "../../a.wasm", "a.wasm"),
        ] {
            assert_eq!(super::beside(importer, path), found);
        }
    }
}
