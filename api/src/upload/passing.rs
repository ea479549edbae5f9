//! Owns the question whether a module in JavaScript does nothing but pass on what another file exports as `default`, as
//! written by hand and as bundlers write it.
//! Must never guess: a text that is not read to its end by these few rules is a script.

use std::collections::HashMap;

/// A text that only passes something on is short.
const LONGEST: usize = 64 << 10;

/// What the text imports and exports as its own `default`; none where it does anything else as well.
pub(crate) fn passed_on(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.len() <= LONGEST)?;
    let mut reader = Reader { rest: text.strip_prefix('\u{feff}').unwrap_or(text) };
    let mut names = HashMap::new();
    let mut passed = None;
    while let Some(token) = reader.next()? {
        let exported = match token {
            // "use strict", and what ends a statement.
            Token::Text("use strict") | Token::Sign(';') => None,
            Token::Word("import") => {
                let (local, from) = reader.import()?;
                names.insert(local, from);
                None
            }
            Token::Word("var" | "let" | "const") => {
                let local = reader.word()?;
                reader.sign('=')?;
                let from = *names.get(reader.word()?)?;
                names.insert(local, from);
                None
            }
            Token::Word("export") => Some(reader.export(&names)?),
            _ => return None,
        };
        if exported.is_some() && passed.is_some() {
            return None;
        }
        passed = passed.or(exported);
    }
    passed
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    /// What is between quotes.
    Text(&'t str),
    Sign(char),
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// The next token, none at the end; the outer none where there is something else.
    #[expect(clippy::option_option, reason = "the end of the text is not the end of what is understood")]
    fn next(&mut self) -> Option<Option<Token<'t>>> {
        loop {
            self.rest = self.rest.trim_start();
            if let Some(line) = self.rest.strip_prefix("//") {
                self.rest =
                    line.split_once(['\n', '\r', '\u{2028}', '\u{2029}']).map_or("", |(_, rest)| rest);
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                (_, self.rest) = comment.split_once("*/")?;
            } else {
                break;
            }
        }
        let Some(first) = self.rest.chars().next() else { return Some(None) };
        let token = match first {
            '{' | '}' | ',' | ';' | '=' => {
                self.rest = self.rest.get(1..)?;
                Token::Sign(first)
            }
            '"' | '\'' => {
                let (text, rest) = self.rest.get(1..)?.split_once(first)?;
                if text.contains(['\\', '\n', '\r']) {
                    return None;
                }
                self.rest = rest;
                Token::Text(text)
            }
            _ => {
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$');
                let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
                let (word, rest) = self.rest.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
                self.rest = rest;
                Token::Word(word)
            }
        };
        Some(Some(token))
    }

    fn word(&mut self) -> Option<&'t str> {
        match self.next()?? {
            Token::Word(word) => Some(word),
            _ => None,
        }
    }

    fn sign(&mut self, wanted: char) -> Option<()> {
        (self.next()?? == Token::Sign(wanted)).then_some(())
    }

    /// What follows `from`.
    fn from(&mut self) -> Option<&'t str> {
        match (self.word()?, self.next()??) {
            ("from", Token::Text(from)) => Some(from),
            _ => None,
        }
    }

    /// `name from "..."` and `{ default as name } from "..."`: the name, and where it is from.
    fn import(&mut self) -> Option<(&'t str, &'t str)> {
        let local = match self.next()?? {
            Token::Word(local) => local,
            Token::Sign('{') => match self.renamed()? {
                ("default", local) => local,
                _ => return None,
            },
            _ => return None,
        };
        Some((local, self.from()?))
    }

    /// `default name`, `{ name as default }` and `{ default } from "..."`: where the default export is from.
    fn export(&mut self, names: &HashMap<&'t str, &'t str>) -> Option<&'t str> {
        match self.next()?? {
            Token::Word("default") => names.get(self.word()?).copied(),
            Token::Sign('{') => match self.renamed()? {
                ("default", "default") => self.from(),
                (local, "default") => names.get(local).copied(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The one name of a list that was opened, and what it is called outside; the list is closed after it.
    fn renamed(&mut self) -> Option<(&'t str, &'t str)> {
        let name = self.word()?;
        let mut outside = name;
        let mut token = self.next()??;
        if token == Token::Word("as") {
            outside = self.word()?;
            token = self.next()??;
        }
        if token == Token::Sign(',') {
            token = self.next()??;
        }
        (token == Token::Sign('}')).then_some((name, outside))
    }
}

#[cfg(test)]
mod tests {
    use super::passed_on;

    #[test]
    fn what_only_passes_a_file_on_is_understood_by_hand_and_bundled() {
        for text in [
            "export { default } from \"./a.wasm\";",
            "export{default as default,}from'./a.wasm'",
            "import worker from \"./a.wasm\";\nexport default worker;\n",
            "\u{feff}\"use strict\";import { default as e } from './a.wasm'; export { e as default };",
            // As esbuild writes them.
            "// src/shim.js\nimport { default as default2 } from \"./a.wasm\";\nexport {\n  default2 as default\n};\n//# sourceMappingURL=shim.js.map\n",
            "import worker from \"./a.wasm\";\n/* src/shim.js */\nvar shim_default = worker;\nexport {\n  shim_default as default\n};",
            "import{default as r}from\"./a.wasm\";export{r as default};",
        ] {
            assert_eq!(passed_on(text.as_bytes()), Some("./a.wasm"), "{text}");
        }
    }

    #[test]
    fn whatever_does_more_is_a_script() {
        for text in [
            "",
            "import \"./a.wasm\";",
            "import a from \"./a.wasm\";",
            "import a from \"./a.wasm\"; export default { fetch: a };",
            "import a from \"./a.wasm\"; console.log(1); export default a;",
            "export * from \"./a.wasm\";",
            "export { default, other } from \"./a.wasm\";",
            "export { other as default } from \"./a.wasm\";",
            "export { default } from \"./a.wasm\"; export { default } from \"./b.wasm\";",
            "import a from \"./a.wasm\"; export default b;",
            "export { default } from \"./a\\u002ewasm\";",
            "export { default } from \"./a.wasm\" with { type: \"json\" };",
            "export { default } from \"./a.wasm\"; /* open",
            "export { default } from `./a.wasm`",
            "export default class {}",
        ] {
            assert_eq!(passed_on(text.as_bytes()), None, "{text}");
        }
        assert_eq!(passed_on(b"export { default } from \"\xff\""), None);
        let long = format!("export {{ default }} from \"./a.wasm\";{}", " ".repeat(1 << 17));
        assert_eq!(passed_on(long.as_bytes()), None);
    }
}
