//! Checksums as header fields and documents have them: in Base64, and of an object of parts with the number of these.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use wasmyard_r2::checksum::{from_hex, hex};
use wasmyard_r2::{Algorithm, Checksums};

use crate::fault::Fault;
use crate::request::Asked;
use crate::xml::Xml;

/// What names of fields with checksums begin with.
const FIELD: &str = "x-amz-checksum-";
/// Those that the protocol has, with their names in documents.
const KNOWN: [(Algorithm, &str); 5] = [
    (Algorithm::Crc32, "CRC32"),
    (Algorithm::Crc32c, "CRC32C"),
    (Algorithm::Crc64Nvme, "CRC64NVME"),
    (Algorithm::Sha1, "SHA1"),
    (Algorithm::Sha256, "SHA256"),
];

/// The field of a checksum.
pub(crate) fn field(algorithm: Algorithm) -> String {
    format!("{FIELD}{}", algorithm.name())
}

/// The bytes of a checksum. Of one of parts, their number behind it is left out.
pub(crate) fn bytes(algorithm: Algorithm, text: &str) -> Result<Vec<u8>, Fault> {
    let digits = text.split_once('-').map_or(text, |(digits, _)| digits);
    let bytes = STANDARD.decode(digits).ok().filter(|bytes| bytes.len() == algorithm.length());
    bytes.ok_or_else(|| {
        Fault::INVALID.saying(format!(
            "the {} checksum {text:?} is not {} bytes in Base64",
            algorithm.name(),
            algorithm.length()
        ))
    })
}

/// Checksums of a content, which its request says.
pub(crate) fn given(asked: &Asked<'_>) -> Result<Vec<(Algorithm, Vec<u8>)>, Fault> {
    let mut found = Vec::new();
    if let Some(text) = asked.field("content-md5") {
        let md5 = bytes(Algorithm::Md5, text);
        let (status, code) = (http::StatusCode::BAD_REQUEST, "InvalidDigest");
        let wrong = Fault::of(status, code, "Content-MD5 is not 16 bytes in Base64");
        found.push((Algorithm::Md5, md5.map_err(|_| wrong)?));
    }
    for (algorithm, _) in KNOWN {
        if let Some(text) = asked.field(&field(algorithm)) {
            found.push((algorithm, bytes(algorithm, text)?));
        }
    }
    let each = asked.headers.keys().filter_map(|name| name.as_str().strip_prefix(FIELD));
    let mut unknown = each.filter(|name| !matches!(*name, "algorithm" | "mode" | "type"));
    match unknown.find(|name| KNOWN.iter().all(|(algorithm, _)| algorithm.name() != *name)) {
        Some(name) => Err(unsupported(name)),
        None => Ok(found),
    }
}

fn unsupported(name: &str) -> Fault {
    let known = KNOWN.map(|(_, name)| name).join(", ");
    Fault::INVALID.saying(format!("there is no checksum {name:?} here; use one of {known}"))
}

/// Checksums that come behind the content, by the names of their fields.
pub(crate) fn announced(asked: &Asked<'_>) -> Result<Vec<(Algorithm, String)>, Fault> {
    let fields = asked.headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
    let mut found: Vec<(Algorithm, String)> = Vec::new();
    for name in fields.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()) {
        let known = KNOWN.iter().find(|(algorithm, _)| field(*algorithm) == name);
        let (algorithm, _) = known.ok_or_else(|| {
            Fault::INVALID
                .saying(format!("x-amz-trailer names {name:?}, and only checksums come behind a body"))
        })?;
        if found.iter().all(|(known, _)| known != algorithm) {
            found.push((*algorithm, name));
        }
    }
    if found.is_empty() {
        return Err(Fault::INVALID.saying("x-amz-trailer does not name the field that comes behind the body"));
    }
    Ok(found)
}

/// The algorithm that a request wants a checksum by.
pub(crate) fn wanted(asked: &Asked<'_>) -> Result<Option<(Algorithm, &'static str)>, Fault> {
    let Some(text) = asked.field("x-amz-checksum-algorithm") else { return Ok(None) };
    let known = KNOWN.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
    known.map(Some).ok_or_else(|| unsupported(text))
}

/// What kind of checksum an object of parts has, by its algorithm.
pub(crate) fn kind_of_parts(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc64Nvme => "FULL_OBJECT",
        _ => "COMPOSITE",
    }
}

/// In Base64.
fn text(digits: &str) -> String {
    STANDARD.encode(from_hex(digits).unwrap_or_default())
}

/// Those that are known, each with its algorithm and its text, and of which kind they are.
fn each(checksums: &Checksums) -> (Vec<(Algorithm, &'static str, String)>, &'static str) {
    if let Some(of) = &checksums.of_parts {
        let known = KNOWN.into_iter().find(|(algorithm, _)| *algorithm == of.algorithm);
        let shown =
            known.map(|(algorithm, name)| (algorithm, name, format!("{}-{}", text(&of.digits), of.parts)));
        return (shown.into_iter().collect(), "COMPOSITE");
    }
    let known = KNOWN.into_iter();
    let shown = known.filter_map(|(algorithm, name)| Some((algorithm, name, text(checksums.of(algorithm)?))));
    (shown.collect(), "FULL_OBJECT")
}

/// As fields of an answer.
pub(crate) fn describe(checksums: &Checksums) -> HeaderMap {
    let (shown, kind) = each(checksums);
    let mut fields = HeaderMap::new();
    for (algorithm, _, text) in &shown {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(field(*algorithm)), HeaderValue::from_str(text))
        {
            fields.insert(name, value);
        }
    }
    if !shown.is_empty() {
        fields.insert(HeaderName::from_static("x-amz-checksum-type"), HeaderValue::from_static(kind));
    }
    fields
}

/// As elements of a document.
pub(crate) fn write(xml: &mut Xml, checksums: &Checksums) {
    for (_, name, text) in each(checksums).0 {
        xml.text(&format!("Checksum{name}"), &text);
    }
}

/// Those that a document says of a part.
pub(crate) fn of_part(fields: &[(String, String)]) -> Result<Checksums, Fault> {
    let mut checksums = Checksums::default();
    for (algorithm, name) in KNOWN {
        let name = format!("Checksum{name}");
        if let Some((_, text)) = fields.iter().find(|(known, _)| *known == name) {
            checksums.set(algorithm, hex(&bytes(algorithm, text.trim())?));
        }
    }
    Ok(checksums)
}
