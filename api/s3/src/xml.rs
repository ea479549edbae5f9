//! Bodies of the protocol: what is written, and the two that are read.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

/// What is not the document that it was to be; the text says why.
#[derive(Debug)]
pub(crate) struct Malformed(pub(crate) String);

const NOT_XML: &str = "the body is not the XML that this operation takes";

fn malformed() -> Malformed {
    Malformed(NOT_XML.to_owned())
}

/// A document that is being written.
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn new() -> Xml {
        Xml("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    pub(crate) fn open(&mut self, name: &str) -> &mut Xml {
        self.0.push_str(&format!("<{name}>"));
        self
    }

    /// The outermost element of an answer, in the namespace of the protocol.
    pub(crate) fn begin(&mut self, name: &str) -> &mut Xml {
        self.0.push_str(&format!("<{name} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
        self
    }

    pub(crate) fn close(&mut self, name: &str) -> &mut Xml {
        self.0.push_str(&format!("</{name}>"));
        self
    }

    /// An element with nothing but text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> &mut Xml {
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(text)));
        self
    }

    pub(crate) fn end(self) -> String {
        self.0
    }
}

/// The texts of a flat document: of each element `row` those of its children, by their names.
///
/// # Errors
/// For what is no XML, has more than `most` rows, or nests otherwise.
pub(crate) fn rows(document: &[u8], row: &str, most: usize) -> Result<Vec<Vec<(String, String)>>, Malformed> {
    let text = std::str::from_utf8(document).map_err(|_| malformed())?;
    let mut reader = Reader::from_str(text);
    let (mut rows, mut open) = (Vec::new(), Vec::<String>::new());
    let name_of = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(element) => {
                let name = name_of(element.local_name().as_ref());
                if open.len() == 1 && name == row {
                    if rows.len() == most {
                        return Err(Malformed(format!("there are more than {most} elements {row}")));
                    }
                    rows.push(Vec::new());
                }
                open.push(name);
                if open.len() > 8 {
                    return Err(malformed());
                }
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|_| malformed())?;
                add(&mut rows, &open, row, &text);
            }
            // What stands for a character.
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|_| malformed())?;
                let text =
                    quick_xml::escape::unescape(&format!("&{name};")).map_err(|_| malformed())?.into_owned();
                add(&mut rows, &open, row, &text);
            }
            Event::End(_) => drop(open.pop()),
            Event::Eof if open.is_empty() => return Ok(rows),
            // A document type could define entities; none is needed.
            Event::DocType(_) | Event::Eof => return Err(malformed()),
            _ => {}
        }
    }
}

/// The text of a child of the document's element, if there is one.
///
/// # Errors
/// As [`rows`].
pub(crate) fn child(document: &[u8], name: &str) -> Result<Option<String>, Malformed> {
    let text = std::str::from_utf8(document).map_err(|_| malformed())?;
    let mut reader = Reader::from_str(text);
    let (mut depth, mut found) = (0, None);
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(element) => {
                depth += 1;
                if depth == 2 && element.local_name().as_ref() == name.as_bytes() {
                    let text = reader.read_text(element.name()).map_err(|_| malformed())?;
                    found = Some(text.decode().map_err(|_| malformed())?.trim().to_owned());
                    depth -= 1;
                }
            }
            Event::End(_) => depth -= 1,
            Event::Eof => return Ok(found),
            Event::DocType(_) => return Err(malformed()),
            _ => {}
        }
    }
}

/// Adds text to the child of a row in which it stands.
fn add(rows: &mut [Vec<(String, String)>], open: &[String], row: &str, text: &str) {
    let [_, of, child] = open else { return };
    if of != row {
        return;
    }
    let Some(fields) = rows.last_mut() else { return };
    match fields.last_mut().filter(|(name, _)| name == child) {
        Some((_, so_far)) => so_far.push_str(text),
        None => fields.push((child.clone(), text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_with_what_stands_for_characters() {
        let document = b"<?xml version=\"1.0\"?><Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>\
            <Object><Key>a&amp;b &#x41;</Key></Object><Object><Key>c</Key><VersionId>1</VersionId></Object></Delete>";
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let found = rows(document, "Object", 2).unwrap();
        assert_eq!(found, [vec![pair("Key", "a&b A")], vec![pair("Key", "c"), pair("VersionId", "1")]]);
        assert!(rows(document, "Object", 1).is_err());
        for bad in ["<a><b></a>", "<a>", "<!DOCTYPE a><a></a>", "<a>&nobody;</a><", "\u{0}<"] {
            assert!(rows(bad.as_bytes(), "b", 9).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_child_is_found_by_its_name() {
        let document = b"<Delete><Object><Quiet>false</Quiet></Object><Quiet> true </Quiet></Delete>";
        assert_eq!(child(document, "Quiet").unwrap().as_deref(), Some("true"));
        assert_eq!(child(document, "Loud").unwrap(), None);
        assert!(child(b"<a><Quiet>", "Quiet").is_err());
    }

    #[test]
    fn what_is_written_is_escaped() {
        let mut xml = Xml::new();
        xml.begin("R").text("Key", "a<b>&c").close("R");
        assert!(xml.end().ends_with("/\"><Key>a&lt;b&gt;&amp;c</Key></R>"));
    }
}
