//! Where the master key comes from: a file, the environment, what a command prints.

use std::path::{Path, PathBuf};

/// Where a master key comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterKeySource {
    /// The content of a file.
    File(PathBuf),
    /// The value of a variable of the environment.
    Env(String),
    /// What a command prints.
    Command(String),
}

impl MasterKeySource {
    /// What a text like `file:/etc/wasmyard/master.key` names; paths begin at `root`.
    ///
    /// # Errors
    /// What is expected.
    pub fn parse(text: &str, root: &Path) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(root.join(path))),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("command", line)) if !line.is_empty() => Ok(Self::Command(line.to_owned())),
            _ => Err("expected file:PATH, env:NAME or command:LINE".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<MasterKeySource, String> {
        MasterKeySource::parse(text, Path::new("/etc"))
    }

    #[test]
    fn a_source_is_a_file_a_variable_or_a_command() {
        assert_eq!(parsed("file:a/b.key"), Ok(MasterKeySource::File("/etc/a/b.key".into())));
        assert_eq!(parsed("file:/run/b.key"), Ok(MasterKeySource::File("/run/b.key".into())));
        assert_eq!(parsed("env:KEY"), Ok(MasterKeySource::Env("KEY".to_owned())));
        assert_eq!(parsed("command:pass show a:b"), Ok(MasterKeySource::Command("pass show a:b".to_owned())));
        for bad in ["", "file:", "0123", "http://a"] {
            assert!(parsed(bad).unwrap_err().contains("file:PATH"), "{bad}");
        }
    }
}
