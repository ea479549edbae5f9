//! Owns the grammar of multipart bodies (RFC 7578 on top of RFC 2046): a whole, bounded body in, its parts out.
//! Must never copy a part, look at a header block beyond its bound, or take time that grows faster than the body.

use bytes::Bytes;
use http::{HeaderMap, header};
use memchr::memmem;

use crate::error::{ApiError, Code};

pub(crate) mod reader;

/// The longest boundary that RFC 2046 allows.
const BOUNDARY_MAX: usize = 70;
/// Bytes of one part's header block. Real clients send about 150.
const HEADERS_MAX: usize = 8 * 1024;

/// One part of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The `name` parameter; empty when there is none.
    pub name: String,
    /// The `filename` parameter, which marks a file.
    pub filename: Option<String>,
    /// The content type as sent, lower case, without parameters.
    pub content_type: Option<String>,
    /// The content, a slice of the body.
    pub content: Bytes,
}

/// Why a body is not a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartError {
    /// The content type has no usable boundary.
    #[error(
        "the Content-Type has no boundary of 1 to 70 characters; let the client library write this header"
    )]
    Boundary,
    /// The first boundary never comes.
    #[error("the body does not begin with the boundary that the Content-Type names")]
    NoStart,
    /// The closing boundary never comes.
    #[error("the body ends before the closing boundary: the upload is incomplete")]
    Truncated,
    /// A part's header block cannot be read.
    #[error("part {0} has headers that cannot be read: {1}")]
    Headers(usize, &'static str),
    /// More parts than allowed.
    #[error("the form has more than {0} parts")]
    TooManyParts(usize),
}

/// The boundary of a form, if the request is one.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<Result<String, MultipartError>> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok().and_then(boundary)
}

/// A form that is not one.
pub(crate) fn unparsable(error: MultipartError) -> ApiError {
    ApiError::new(Code::Unparsable, format!("The body is not a multipart form: {error}."))
}

/// Finds the boundary in a `Content-Type` value; `None` when the value is of another media type.
///
/// # Errors
/// [`MultipartError::Boundary`] for a form without a usable boundary.
pub fn boundary(content_type: &str) -> Option<Result<String, MultipartError>> {
    let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let found = parameter(parameters, "boundary")
        .filter(|found| (1..=BOUNDARY_MAX).contains(&found.len()) && found.bytes().all(is_boundary_byte));
    Some(found.ok_or(MultipartError::Boundary))
}

/// `bchars` of RFC 2046, and a few more that clients in use send.
fn is_boundary_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Splits a body into its parts.
///
/// # Errors
/// Says where the body leaves the grammar. Nothing of a body that fails is returned.
pub fn parse(body: &Bytes, boundary: &str, max_parts: usize) -> Result<Vec<Part>, MultipartError> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(delimiter.as_bytes());
    // The first delimiter may open the body, and then it has no line break before it.
    let mut rest = match body.strip_prefix(delimiter.as_bytes().get(2..).unwrap_or_default()) {
        Some(rest) => rest,
        None => finder
            .find(body)
            .and_then(|at| body.get(at + delimiter.len()..))
            .ok_or(MultipartError::NoStart)?,
    };
    let mut parts = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Ok(parts);
        }
        if parts.len() == max_parts {
            return Err(MultipartError::TooManyParts(max_parts));
        }
        let number = parts.len() + 1;
        rest = after_padding(rest).ok_or(if rest.len() < 2 {
            MultipartError::Truncated
        } else {
            MultipartError::Headers(number, "the boundary is not followed by a line break")
        })?;
        let (headers, content) = split_headers(rest, number)?;
        let end = finder.find(content).ok_or(MultipartError::Truncated)?;
        let (content, after) = content.split_at_checked(end).ok_or(MultipartError::Truncated)?;
        parts.push(part(headers, body.slice_ref(content), number)?);
        rest = after.get(delimiter.len()..).ok_or(MultipartError::Truncated)?;
    }
}

/// Skips the blanks that may follow a boundary, and its line break.
fn after_padding(rest: &[u8]) -> Option<&[u8]> {
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    rest.get(blanks..)?.strip_prefix(b"\r\n")
}

/// Cuts a part in header block and content. The block may be empty.
fn split_headers(rest: &[u8], number: usize) -> Result<(&[u8], &[u8]), MultipartError> {
    if let Some(content) = rest.strip_prefix(b"\r\n") {
        return Ok((&[], content));
    }
    let window = rest.get(..HEADERS_MAX).unwrap_or(rest);
    let Some(end) = memmem::find(window, b"\r\n\r\n") else {
        return Err(if window.len() < rest.len() {
            MultipartError::Headers(number, "they are longer than 8 KiB")
        } else {
            MultipartError::Truncated
        });
    };
    match (rest.get(..end), rest.get(end + 4..)) {
        (Some(headers), Some(content)) => Ok((headers, content)),
        _ => Err(MultipartError::Truncated),
    }
}

/// What the headers of a part say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The `name` parameter; empty when there is none.
    pub(crate) name: String,
    /// The `filename` parameter, which marks a file.
    pub(crate) filename: Option<String>,
    /// The content type as sent, with its parameters.
    pub(crate) content_type: Option<String>,
}

fn part(headers: &[u8], content: Bytes, number: usize) -> Result<Part, MultipartError> {
    let Head { name, filename, content_type } = head(headers, number)?;
    let media_type = |value: String| {
        let (media_type, _) = value.split_once(';').unwrap_or((&value, ""));
        media_type.trim().to_ascii_lowercase()
    };
    Ok(Part { name, filename, content_type: content_type.map(media_type), content })
}

/// Reads the two headers of a part that mean something here.
pub(crate) fn head(headers: &[u8], number: usize) -> Result<Head, MultipartError> {
    let text =
        std::str::from_utf8(headers).map_err(|_| MultipartError::Headers(number, "they are not UTF-8"))?;
    let mut part = Head::default();
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) =
            line.split_once(':').ok_or(MultipartError::Headers(number, "a line has no colon"))?;
        if name.eq_ignore_ascii_case("content-disposition") {
            let (_, parameters) = value.split_once(';').unwrap_or((value, ""));
            part.name = parameter(parameters, "name").unwrap_or_default();
            part.filename = parameter(parameters, "filename");
        } else if name.eq_ignore_ascii_case("content-type") {
            part.content_type = Some(value.trim().to_owned());
        } else if name.eq_ignore_ascii_case("content-transfer-encoding")
            && !["binary", "8bit", "7bit"].iter().any(|known| value.trim().eq_ignore_ascii_case(known))
        {
            return Err(MultipartError::Headers(
                number,
                "its Content-Transfer-Encoding is not binary, 8bit or 7bit",
            ));
        }
    }
    Ok(part)
}

/// Finds one parameter in `; a=b; c="d"`. Inside quotes `\"` and `\\` are escapes, and `%22` is how browsers
/// write a quote; other percent signs are left alone because a file name may hold them.
fn parameter(mut rest: &str, wanted: &str) -> Option<String> {
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (name, after) = rest.split_once('=')?;
        let (value, next) = parameter_value(after.trim_start());
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = next;
    }
}

/// The value at the front of `rest`, and what follows it.
fn parameter_value(rest: &str) -> (String, &str) {
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, next) = rest.split_once(';').unwrap_or((rest, ""));
        return (value.trim().to_owned(), next);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value.replace("%22", "\""), quoted.get(at + 1..).unwrap_or("")),
            // A backslash escapes only what must be escaped: old clients send Windows paths as they are.
            '\\' if quoted.get(at + 1..).is_some_and(|next| next.starts_with(['"', '\\'])) => {
                value.extend(characters.next().map(|(_, escaped)| escaped));
            }
            other => value.push(other),
        }
    }
    (value, "")
}
