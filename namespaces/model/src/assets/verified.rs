//! Which hashes can be believed: those that follow from the content.
//!
//! Owns the kinds of hashes that clients are known to make. A hash of another kind is a name that somebody gave, and
//! nobody can tell whether it is the right one. Never decides what becomes of such a content.

use sha2::Digest as _;

use super::{AssetHash, AssetPath};
use crate::digest::Digest;

impl AssetHash {
    /// The hash that our own client gives: of the content's SHA-256 and the ending of the name, because one
    /// content under two endings is served as two types.
    #[must_use]
    pub fn of(content: &Digest, path: &AssetPath) -> AssetHash {
        let ending = ending(path).to_ascii_lowercase();
        AssetHash::first_half(Digest::of(&[content.as_bytes(), ending.as_bytes()].concat()).as_bytes())
    }

    /// Whether the hash follows from the content, which has this SHA-256, under this name.
    pub fn follows_from(&self, bytes: &[u8], content: &Digest, path: &AssetPath) -> bool {
        *self == AssetHash::of(content, path)
            || *self == AssetHash::first_half(content.as_bytes())
            || self.follows_from_text(bytes, ending(path))
    }

    /// The kinds that are made of the content's Base64 and the ending, as wrangler and the examples of the v4 API
    /// make them.
    fn follows_from_text(&self, bytes: &[u8], ending: &str) -> bool {
        use base64::Engine as _;
        let (mut blake3, mut sha256) = (blake3::Hasher::new(), sha2::Sha256::new());
        let mut text = String::with_capacity(PIECE / 3 * 4);
        for piece in bytes.chunks(PIECE) {
            text.clear();
            base64::engine::general_purpose::STANDARD.encode_string(piece, &mut text);
            blake3.update(text.as_bytes());
            sha256.update(text.as_bytes());
        }
        blake3.update(ending.as_bytes());
        sha256.update(ending.as_bytes());
        *self == AssetHash::first_half(blake3.finalize().as_bytes())
            || *self == AssetHash::first_half(&sha256.finalize().into())
    }

    fn first_half(hash: &[u8; 32]) -> AssetHash {
        let mut half = [0; 16];
        half.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
        AssetHash::from_bytes(half)
    }
}

/// What follows the last dot of a file's name; a dot at its beginning does not count.
fn ending(path: &AssetPath) -> &str {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() => ending,
        Some(_) | None => "",
    }
}

/// Bytes that become Base64 at a time: a multiple of three, so that no padding comes in between.
const PIECE: usize = 48 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> AssetPath {
        AssetPath::parse(text).unwrap()
    }

    fn follows(hash: &str, content: &[u8], at: &str) -> bool {
        let hash: AssetHash = hash.parse().unwrap();
        hash.follows_from(content, &Digest::of(content), &path(at))
    }

    #[test]
    fn the_kinds_of_known_clients_follow_from_the_content() {
        // Made with b3sum and sha256sum: of "aGVsbG8=" + "txt", of "hello", of "aGVsbG8=" + "txt".
        let wrangler = "f0b3413d4cabb000327fad369003d6a5";
        assert!(follows(wrangler, b"hello", "/a/b.txt"));
        assert!(!follows(wrangler, b"hellp", "/a/b.txt"));
        assert!(!follows(wrangler, b"hello", "/a/b.html"), "one content under two endings has two hashes");
        assert!(follows("2cf24dba5fb0a30e26e83b2ac5b9e29e", b"hello", "/a/b.txt"));
        assert!(follows("129d0bf9c674d4cc340cf5f8feeb9f36", b"hello", "/a/b.txt"));
        let own = AssetHash::of(&Digest::of(b"hello"), &path("/a/b.TXT")).to_string();
        assert!(follows(&own, b"hello", "/c.txt") && !follows(&own, b"hello", "/c"));
        assert!(!follows("00000000000000000000000000000000", b"hello", "/a/b.txt"));
    }

    #[test]
    fn long_contents_are_hashed_in_pieces() {
        use base64::Engine as _;
        let content: Vec<u8> = (0..PIECE as u32 * 2 + 7).map(|n| n.to_le_bytes()[0]).collect();
        let text = base64::engine::general_purpose::STANDARD.encode(&content) + "bin";
        let hash = AssetHash::first_half(blake3::hash(text.as_bytes()).as_bytes());
        assert!(hash.follows_from(&content, &Digest::of(&content), &path("/x.bin")));
    }

    #[test]
    fn a_dot_at_the_beginning_is_no_ending() {
        for (name, expected) in [("/.gitignore", ""), ("/a.tar.gz", "gz"), ("/a.", ""), ("/d.d/a", "")] {
            assert_eq!(ending(&path(name)), expected, "{name}");
        }
    }
}
