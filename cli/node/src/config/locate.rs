//! Where the configuration, the data directory and the local API are.
//!
//! Owns the search in the file system. It must never judge what the configuration says.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::fault::{Fault, Faults};

/// The name of the configuration file.
pub const CONFIG_FILE: &str = "wasmyard.toml";
/// The data directory when nothing else is said, below the configuration's folder.
pub const DATA_DIR: &str = ".wasmyard";
/// The file in the data directory that holds the admin token.
pub const TOKEN_FILE: &str = "admin-token";

/// No configuration that people write comes near it.
const CONFIG_BYTES: u64 = 1024 * 1024;

/// A configuration file, or the lack of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSource {
    /// The file; none when there is none and none is needed.
    pub file: Option<PathBuf>,
    /// The folder that relative paths start from. Absolute.
    pub root: PathBuf,
}

impl ConfigSource {
    /// The file that was named, or `wasmyard.toml` in `folder` if there is one.
    ///
    /// # Errors
    /// A fault when a file that was named is not there, or the folder is none.
    pub fn find(named: Option<&Path>, folder: &Path) -> Result<Self, Faults> {
        let folder = std::path::absolute(folder).map_err(|error| missing(folder, &error.to_string()))?;
        let Some(named) = named else {
            let file = folder.join(CONFIG_FILE);
            return Ok(Self { file: file.is_file().then_some(file), root: folder });
        };
        let file = std::path::absolute(named).map_err(|error| missing(named, &error.to_string()))?;
        if !file.is_file() {
            return Err(missing(named, "there is no such file"));
        }
        let root = file.parent().map(Path::to_path_buf).unwrap_or(folder);
        Ok(Self { file: Some(file), root })
    }

    /// The file as messages name it: relative to the current folder where it lies below.
    pub fn shown(&self) -> String {
        let Some(file) = &self.file else { return CONFIG_FILE.to_owned() };
        let current = std::env::current_dir().unwrap_or_default();
        file.strip_prefix(&current).unwrap_or(file).display().to_string()
    }

    /// The text of the file; empty when there is none.
    ///
    /// # Errors
    /// A fault when it cannot be read, is too large, or is not UTF-8.
    pub fn read(&self) -> Result<String, Faults> {
        let Some(file) = &self.file else { return Ok(String::new()) };
        let fault = |why: String| Faults { file: self.shown(), list: vec![Fault::new(0, "", why)] };
        let mut text = String::new();
        let opened = std::fs::File::open(file).map_err(|error| fault(format!("cannot be read: {error}")))?;
        opened
            .take(CONFIG_BYTES + 1)
            .read_to_string(&mut text)
            .map_err(|error| fault(format!("cannot be read: {error}")))?;
        if text.len() as u64 > CONFIG_BYTES {
            return Err(fault(format!("is larger than {CONFIG_BYTES} bytes")));
        }
        Ok(text)
    }
}

fn missing(path: &Path, why: &str) -> Faults {
    Faults {
        file: path.display().to_string(),
        list: vec![
            Fault::new(0, "", why).remedy("name another with --config, or make one with `wasmyard init`"),
        ],
    }
}

/// A path made absolute from `root`, with `.` and `..` resolved in its text.
pub(super) fn below(root: &Path, path: &str) -> PathBuf {
    use std::path::Component;
    let mut resolved = PathBuf::new();
    for component in root.join(path).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                resolved.pop();
            }
            Component::Normal(_) | Component::RootDir | Component::Prefix(_) => resolved.push(component),
        }
    }
    resolved
}

/// What a client command can know of a server on this machine without asking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalApi {
    /// Where it listens; an unspecified address is reached through loopback.
    pub listen: std::net::SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
}

impl LocalApi {
    /// The address as a URL.
    pub fn url(&self) -> String {
        let mut address = self.listen;
        if address.ip().is_unspecified() {
            let loopback: std::net::IpAddr = match address {
                std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            address.set_ip(loopback);
        }
        format!("http://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_file_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let named = folder.path().join("other.toml");
        let faults = ConfigSource::find(Some(&named), folder.path()).unwrap_err();
        assert!(faults.to_string().contains("no such file"), "{faults}");
        assert!(faults.to_string().contains("wasmyard init"), "{faults}");
    }

    #[test]
    fn no_file_is_needed_when_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let source = ConfigSource::find(None, folder.path()).unwrap();
        assert_eq!(source, ConfigSource { file: None, root: folder.path().to_owned() });
        assert_eq!(source.read().unwrap(), "");
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(CONFIG_FILE);
        std::fs::write(&file, "x").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let source = ConfigSource::find(Some(&file), elsewhere.path()).unwrap();
        assert_eq!(source.root, folder.path());
        assert_eq!(source.read().unwrap(), "x");
    }

    #[test]
    fn a_file_without_bound_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(CONFIG_FILE), vec![b' '; CONFIG_BYTES as usize + 1]).unwrap();
        let faults = ConfigSource::find(None, folder.path()).unwrap().read().unwrap_err();
        assert!(faults.to_string().contains("larger than"), "{faults}");
    }

    #[test]
    fn dots_are_resolved_in_the_text() {
        assert_eq!(below(Path::new("/a/b"), "../c/./d"), Path::new("/a/c/d"));
        assert_eq!(below(Path::new("/a"), "/x"), Path::new("/x"));
    }

    #[test]
    fn an_unspecified_address_is_reached_through_loopback() {
        let local = |listen: &str| LocalApi { listen: listen.parse().unwrap(), data: PathBuf::new() }.url();
        assert_eq!(local("0.0.0.0:1"), "http://127.0.0.1:1");
        assert_eq!(local("[::]:1"), "http://[::1]:1");
        assert_eq!(local("10.0.0.1:1"), "http://10.0.0.1:1");
    }
}
