//! DNS records as name servers write them in files: read line by line, and written.
//!
//! Owns the part of that grammar (RFC 1035 section 5) that says where origins are: owners, `$ORIGIN`, `$TTL`, times,
//! classes, comments, texts in quotes and brackets over lines. What is not understood, or not kept here, is told with its
//! line and passed over. Work and memory are bounded by the length of the text.

use super::dns::{DnsRecord, DnsRecordEdit, DnsRecordError, DnsRecordType};
use crate::domain::Domain;
use crate::limits::hostnames::DNS_RECORDS;
use crate::name::shorten;

/// What a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneFile {
    /// Records, each with its line.
    pub records: Vec<(usize, DnsRecordEdit)>,
    /// Lines that were passed over, and why.
    pub skipped: Vec<(usize, String)>,
}

/// Most words of one entry.
const WORDS: usize = 64;
/// Most lines of one entry.
const LINES: usize = 128;
/// How a comment says that a record is proxied.
const PROXIED: &str = "cf_tags=cf-proxied:true";
/// Times to live that are kept.
const SHORTEST: u64 = 30;
const LONGEST: u64 = 86_400;

/// An entry: words that stand together, over several lines where brackets say so.
#[derive(Default)]
struct Entry {
    line: usize,
    /// Whether it has the owner of the one before.
    continues: bool,
    words: Vec<String>,
    comment: String,
    depth: u32,
    lines: usize,
    /// What is wrong with it as a whole.
    wrong: Option<&'static str>,
}

impl Entry {
    /// Adds a line; a bracket that is open goes on with the next one.
    fn add(&mut self, line: &str) {
        let mut rest = line.chars().peekable();
        self.lines += 1;
        while let Some(character) = rest.next() {
            match character {
                ';' => {
                    self.comment.extend(rest.by_ref());
                }
                '(' => self.depth += 1,
                ')' => self.depth = self.depth.saturating_sub(1),
                '"' => {
                    let mut text = String::new();
                    let mut closed = false;
                    while let Some(character) = rest.next() {
                        match character {
                            '"' => {
                                closed = true;
                                break;
                            }
                            '\\' => text.extend(rest.next()),
                            other => text.push(other),
                        }
                    }
                    if !closed {
                        self.wrong = Some("a text in quotes does not end");
                    }
                    self.push(text);
                }
                space if space.is_whitespace() => {}
                first => {
                    let mut word = String::from(first);
                    while let Some(next) =
                        rest.next_if(|next| !next.is_whitespace() && !matches!(next, ';' | '(' | ')' | '"'))
                    {
                        word.push(next);
                    }
                    self.push(word);
                }
            }
        }
        if self.lines >= LINES && self.depth > 0 {
            self.depth = 0;
            self.wrong = Some("a bracket does not end");
        }
    }

    fn push(&mut self, word: String) {
        if self.words.len() < WORDS {
            self.words.push(word);
        } else {
            self.wrong = Some("it has too many words");
        }
    }
}

/// What holds for the entries that follow.
struct Reader<'z> {
    zone: &'z Domain,
    /// What names without a dot at their end are below.
    origin: String,
    owner: Option<String>,
    ttl: Option<u64>,
    /// Whether records are proxied that do not say so.
    proxied: bool,
    found: ZoneFile,
}

impl ZoneFile {
    /// Reads a file of a zone. `proxied` is for records that do not say by a comment what they are.
    #[must_use]
    pub fn read(text: &str, zone: &Domain, proxied: bool) -> ZoneFile {
        let origin = format!("{zone}.");
        let found = ZoneFile::default();
        let mut reader = Reader { zone, origin, owner: None, ttl: None, proxied, found };
        let mut entry = Entry::default();
        for (index, line) in text.lines().enumerate() {
            if entry.depth == 0 {
                let continues = line.starts_with([' ', '\t']);
                entry = Entry { line: index + 1, continues, ..Entry::default() };
            }
            entry.add(line);
            if entry.depth == 0 {
                reader.entry(&entry);
            }
        }
        if entry.depth > 0 {
            reader.found.skipped.push((entry.line, "a bracket does not end".to_owned()));
        }
        reader.found
    }

    /// Writes the records of a zone as [`ZoneFile::read`] reads them.
    #[must_use]
    pub fn write(zone: &Domain, records: &[DnsRecord]) -> String {
        let mut text = format!(";; The records that are kept of {zone}.\n$ORIGIN {zone}.\n");
        for record in records {
            let dot = if record.content.kind() == DnsRecordType::Cname { "." } else { "" };
            let (kind, proxied) = (record.content.kind(), if record.proxied { PROXIED } else { "" });
            let tags = if proxied.is_empty() { String::new() } else { format!(" ; {proxied}") };
            let (name, ttl, content) = (&record.name, record.ttl, &record.content);
            text += &format!("{name}.\t{ttl}\tIN\t{kind}\t{content}{dot}{tags}\n");
        }
        text
    }
}

impl Reader<'_> {
    fn skip(&mut self, line: usize, why: impl Into<String>) {
        self.found.skipped.push((line, why.into()));
    }

    /// A name with a dot at its end.
    fn whole(&self, name: &str) -> String {
        match name {
            "@" => self.origin.clone(),
            name if name.ends_with('.') => name.to_owned(),
            name => format!("{name}.{}", self.origin),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let line = entry.line;
        if let Some(wrong) = entry.wrong {
            return self.skip(line, wrong);
        }
        let mut words = entry.words.iter().map(String::as_str).peekable();
        match words.peek() {
            None => return,
            Some(word) if word.starts_with('$') => return self.directive(line, &entry.words),
            Some(_) if entry.continues => {}
            Some(_) => self.owner = words.next().map(|name| self.whole(name)),
        }
        let Some(owner) = self.owner.clone() else {
            return self.skip(line, "there is no name before it");
        };
        let mut ttl = self.ttl;
        while let Some(word) = words.peek() {
            if let Some(seconds) = seconds(word) {
                ttl = Some(seconds);
            } else if !["IN", "CH", "HS"].iter().any(|class| class.eq_ignore_ascii_case(word)) {
                break;
            }
            words.next();
        }
        let Some(kind) = words.next().map(str::to_ascii_uppercase) else {
            return self.skip(line, "there is no type");
        };
        let Some(known) = DnsRecordType::parse(&kind) else {
            return self.skip(line, DnsRecordError::Type(shorten(&kind)).to_string());
        };
        let (Some(content), None) = (words.next(), words.next()) else {
            return self.skip(line, format!("a record of type {kind} has one value"));
        };
        let content = match known {
            DnsRecordType::Cname => self.whole(content).trim_end_matches('.').to_owned(),
            DnsRecordType::A | DnsRecordType::Aaaa => content.to_owned(),
        };
        let edit = DnsRecordEdit {
            kind: Some(kind),
            name: Some(owner),
            content: Some(content),
            ttl: ttl.map(|ttl| if ttl == 1 { 1 } else { ttl.clamp(SHORTEST, LONGEST) }),
            proxied: Some(self.proxied || entry.comment.contains(PROXIED)),
            ..DnsRecordEdit::default()
        };
        match edit.apply(None, self.zone) {
            Err(error) => self.skip(line, error.to_string()),
            Ok(_) if self.found.records.len() as u64 >= DNS_RECORDS => {
                self.skip(line, "a zone has no more records");
            }
            Ok(_) => self.found.records.push((line, edit)),
        }
    }

    fn directive(&mut self, line: usize, words: &[String]) {
        match words {
            [word, name] if word.eq_ignore_ascii_case("$ORIGIN") => self.origin = self.whole(name),
            [word, ttl] if word.eq_ignore_ascii_case("$TTL") => match seconds(ttl) {
                Some(ttl) => self.ttl = Some(ttl),
                None => self.skip(line, "its time to live is none"),
            },
            _ => self.skip(line, "such lines are not read"),
        }
    }
}

/// A time to live: `300`, or `1h30m`.
fn seconds(word: &str) -> Option<u64> {
    let (mut total, mut number) = (0_u64, None::<u64>);
    for byte in word.bytes() {
        let unit = match byte.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => {
                let so_far = number.unwrap_or(0).checked_mul(10)?;
                number = Some(so_far.checked_add(u64::from(digit - b'0'))?);
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    match (number, total) {
        (Some(seconds), 0) => Some(seconds),
        (Some(_), _) => None,
        (None, 0) => None,
        (None, total) => Some(total),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn zone() -> Domain {
        Domain::parse("saas.test").unwrap()
    }

    fn shown(file: &ZoneFile) -> Vec<String> {
        let show = |(line, edit): &(usize, DnsRecordEdit)| {
            let record = edit.apply(None, &zone()).unwrap();
            let (kind, proxied) = (record.content.kind(), record.proxied);
            format!("{line} {} {} {kind} {} {proxied}", record.name, record.ttl, record.content)
        };
        file.records.iter().map(show).collect()
    }

    #[test]
    fn a_file_of_a_name_server_is_read() {
        let text = "$TTL 1h\n\
            @ IN SOA ns1 admin (\n 2026112801 ; serial\n 7200 3600 1209600 300 )\n\
            \tIN NS ns1.elsewhere.test.\n\
            @ 300 IN A 192.0.2.1 ; the top\n\
            www IN 5m CNAME @\n\
            \n; nothing\n\
            *.customers CNAME www.saas.test. ; cf_tags=cf-proxied:true\n\
            $ORIGIN eu.saas.test.\n\
            service AAAA 100::\n\
            \tA 192.0.2.7\n\
            text TXT \"a ; b ( c\"\n\
            other.test. A 192.0.2.1\n";
        let file = ZoneFile::read(text, &zone(), false);
        assert_eq!(
            shown(&file),
            [
                "6 saas.test 300 A 192.0.2.1 false",
                "7 www.saas.test 300 CNAME saas.test false",
                "10 *.customers.saas.test 3600 CNAME www.saas.test true",
                "12 service.eu.saas.test 3600 AAAA 100:: false",
                "13 service.eu.saas.test 3600 A 192.0.2.7 false",
            ]
        );
        let skipped: Vec<usize> = file.skipped.iter().map(|(line, _)| *line).collect();
        assert_eq!(skipped, [2, 5, 14, 15], "{:?}", file.skipped);
        assert!(file.skipped[3].1.contains("not in zone saas.test"), "{:?}", file.skipped);
    }

    #[test]
    fn what_is_no_entry_is_told_with_its_line() {
        for (text, why) in [
            (" A 192.0.2.1", "no name before"),
            ("a", "no type"),
            ("a IN 300", "no type"),
            ("a A", "one value"),
            ("a A 1.2.3.4 5", "one value"),
            ("a A x", "no IPv4 address"),
            ("a TXT \"open", "does not end"),
            ("a A ( 192.0.2.1", "bracket does not end"),
            ("$INCLUDE /etc/passwd", "not read"),
            ("$TTL x", "none"),
        ] {
            let file = ZoneFile::read(text, &zone(), false);
            assert!(file.records.is_empty(), "{text}");
            assert!(
                matches!(file.skipped.as_slice(), [(1, said)] if said.contains(why)),
                "{text}: {:?}",
                file.skipped
            );
        }
        assert_eq!(seconds("1h30m"), Some(5_400));
        assert_eq!(["", "h", "5x", "1h30", "99999999999999999999"].map(seconds), [None; 5]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let wanted = ZoneFile::read(
            "a 60 A 192.0.2.1\n*.b CNAME a ; cf_tags=cf-proxied:true\nc AAAA 100::\n",
            &zone(),
            false,
        );
        let records: Vec<DnsRecord> = wanted
            .records
            .iter()
            .map(|(_, edit)| {
                let new = edit.apply(None, &zone()).unwrap();
                DnsRecord {
                    id: crate::ids::DnsRecordId::parse("e330ccb17b3f6f8b137ddda52a76d046").unwrap(),
                    zone: crate::ids::ZoneId::parse("e330ccb17b3f6f8b137ddda52a76d045").unwrap(),
                    name: new.name,
                    content: new.content,
                    ttl: new.ttl,
                    proxied: new.proxied,
                    comment: None,
                    tags: Vec::new(),
                    created_on: "2026-11-28T03:00:00Z".parse().unwrap(),
                    modified_on: "2026-11-28T03:00:00Z".parse().unwrap(),
                    configuration: None,
                }
            })
            .collect();
        let again = ZoneFile::read(&ZoneFile::write(&zone(), &records), &zone(), false);
        assert!(again.skipped.is_empty(), "{:?}", again.skipped);
        let without_lines = |file: &ZoneFile| {
            shown(file).iter().map(|row| row.split_once(' ').unwrap().1.to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(without_lines(&again), without_lines(&wanted));
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[ -~\n\t\u{e9}]{0,400}") {
            let file = ZoneFile::read(&text, &zone(), false);
            let lines = text.lines().count();
            prop_assert!(file.records.iter().all(|(line, _)| *line >= 1 && *line <= lines));
            prop_assert!(file.records.len() + file.skipped.len() <= lines);
        }
    }
}
