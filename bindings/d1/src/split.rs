//! Where a statement of SQL ends.
//!
//! Knows of SQL what is needed for that and no more: strings, names in quotes, comments, and that a trigger has statements
//! in it. Whether a statement is one is for SQLite to say.

/// The statements of a text, without what is only blank or comment between them.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let end = end(rest).unwrap_or(rest.len());
        let (one, more) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !is_blank(one) {
            found.push(one.trim());
        }
        rest = more;
    }
    found
}

/// Where the first statement of a text ends, after its semicolon; none where it does not.
pub(crate) fn end(text: &str) -> Option<usize> {
    let mut words = Words::default();
    Tokens { text: text.as_bytes(), at: 0 }.find(|token| words.ended_by(token, text)).map(|token| token.to)
}

/// Whether there is nothing in a text but blanks, comments and semicolons.
pub(crate) fn is_blank(text: &str) -> bool {
    Tokens { text: text.as_bytes(), at: 0 }.all(|token| token.kind != Kind::Other && token.kind != Kind::Word)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Semicolon,
    Word,
    Other,
}

struct Token {
    kind: Kind,
    from: usize,
    to: usize,
}

/// The tokens of a text. What is open at its end is a token to its end.
struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let from = self.at;
        let (first, second) = (*self.text.get(from)?, self.text.get(from + 1).copied());
        let (kind, to) = match (first, second) {
            (b';', _) => (Kind::Semicolon, from + 1),
            (b' ' | b'\t' | b'\r' | b'\n' | b'\x0c', _) => (Kind::Blank, from + 1),
            (b'-', Some(b'-')) => (Kind::Blank, self.after(from + 2, b"\n")),
            (b'/', Some(b'*')) => (Kind::Blank, self.after(from + 2, b"*/")),
            (quote @ (b'\'' | b'"' | b'`'), _) => (Kind::Other, self.after(from + 1, &[quote])),
            (b'[', _) => (Kind::Other, self.after(from + 1, b"]")),
            (byte, _) if is_of_word(byte) => {
                let rest = self.text.get(from..).unwrap_or_default();
                let long = rest.iter().position(|byte| !is_of_word(*byte)).unwrap_or(rest.len());
                (Kind::Word, from + long)
            }
            _ => (Kind::Other, from + 1),
        };
        self.at = to;
        Some(Token { kind, from, to })
    }
}

impl Tokens<'_> {
    /// Where what begins at `from` has ended with `mark`. A quote in a string is written twice, which reads as two strings.
    fn after(&self, from: usize, mark: &[u8]) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        let found = rest.windows(mark.len()).position(|part| part == mark);
        found.map_or(self.text.len(), |at| from + at + mark.len())
    }
}

/// Characters outside of ASCII are of words: no boundary of theirs is ever a token's.
const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// What was read of a statement so far.
#[derive(Default)]
struct Words {
    /// Words at the beginning, as far as they can make it a trigger's.
    head: Head,
    /// In a trigger: how near its end is.
    tail: Tail,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Head {
    #[default]
    Nothing,
    Explain,
    Create,
    Trigger,
    Plain,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Tail {
    #[default]
    Within,
    Semicolon,
    End,
}

impl Words {
    /// Takes the next token. Says whether the statement ends with it.
    fn ended_by(&mut self, token: &Token, text: &str) -> bool {
        let word = text.get(token.from..token.to).unwrap_or_default();
        let is = |other: &str| token.kind == Kind::Word && word.eq_ignore_ascii_case(other);
        if token.kind == Kind::Blank {
            return false;
        }
        if self.head == Head::Trigger {
            let ended = token.kind == Kind::Semicolon && self.tail == Tail::End;
            self.tail = match self.tail {
                Tail::Semicolon if is("END") => Tail::End,
                _ if token.kind == Kind::Semicolon => Tail::Semicolon,
                _ => Tail::Within,
            };
            return ended;
        }
        self.head = match self.head {
            _ if token.kind == Kind::Semicolon => return true,
            Head::Nothing if is("EXPLAIN") => Head::Explain,
            Head::Explain if is("QUERY") || is("PLAN") => Head::Explain,
            Head::Nothing | Head::Explain if is("CREATE") => Head::Create,
            Head::Create if is("TEMP") || is("TEMPORARY") => Head::Create,
            Head::Create if is("TRIGGER") => Head::Trigger,
            _ => Head::Plain,
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_at_their_own_semicolons() {
        for (text, expected) in [
            ("", vec![]),
            (" ; -- nothing;\n /* ; */ ;", vec![]),
            ("select 1", vec!["select 1"]),
            ("select 1; select 2 ;", vec!["select 1;", "select 2 ;"]),
            (
                "select ';' , \"a;b\", [c;d], `e;f`; select 2",
                vec!["select ';' , \"a;b\", [c;d], `e;f`;", "select 2"],
            ),
            ("select 'it''s; one'; x", vec!["select 'it''s; one';", "x"]),
            ("-- one;\nselect 1; /* two; */ select 2", vec!["-- one;\nselect 1;", "/* two; */ select 2"]),
            (
                "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; UPDATE c SET e = 'END;'; END; select 1",
                vec![
                    "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; UPDATE c SET e = 'END;'; END;",
                    "select 1",
                ],
            ),
            (
                "create temp trigger x begin select case when 1 then 2 end; end; b;",
                vec!["create temp trigger x begin select case when 1 then 2 end; end;", "b;"],
            ),
            ("create table trigger (a); select 2", vec!["create table trigger (a);", "select 2"]),
            ("select 'ö;'; select ö", vec!["select 'ö;';", "select ö"]),
        ] {
            assert_eq!(statements(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_open_does_not_end() {
        for text in ["select 1", "select 'a;", "/* ;", "create trigger t begin select 1;", "-- ;"] {
            assert_eq!(end(text), None, "{text}");
        }
        assert_eq!(end("a; b"), Some(2));
    }

    proptest::proptest! {
        #[test]
        fn nothing_but_blanks_is_lost(text in "(?s)[a-c;'\"/*\\- \n\\[\\]ö]{0,40}") {
            let joined: usize = statements(&text).iter().map(|one| one.len()).sum();
            proptest::prop_assert!(joined <= text.len());
            let other = |text: &str| text.matches(['a', 'b', 'c']).count();
            let kept: usize = statements(&text).iter().map(|one| other(one)).sum();
            proptest::prop_assert!(kept <= other(&text));
        }
    }
}
