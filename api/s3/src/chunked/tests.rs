//! The examples of the documentation, and bodies that are none.

use aws_lc_rs::hmac;
use proptest::prelude::*;

use super::*;

const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

/// The chain of the documentation's examples, after the signature of a request.
fn chain(seed: &str) -> Chain {
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let key = SCOPE.split('/').fold(format!("AWS4{secret}").into_bytes(), |key, part| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
    });
    Chain::new(&key, "20130524T000000Z", SCOPE, seed)
}

/// The example "Transferring Payload in Multiple Chunks": 65 KiB of the letter a.
fn signed() -> (Chunks, Vec<u8>) {
    let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    let chunks = chain("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    (Chunks::new(66_560, Some(chunks), Vec::new()), [chunked(signatures), b"\r\n".to_vec()].concat())
}

fn chunked(signatures: [&str; 3]) -> Vec<u8> {
    let (long, short) = ("a".repeat(65_536), "a".repeat(1_024));
    let [first, second, last] = signatures;
    format!(
        "10000;chunk-signature={first}\r\n{long}\r\n400;chunk-signature={second}\r\n{short}\r\n0;chunk-signature={last}\r\n"
    )
    .into_bytes()
}

/// The example "Including Trailing Headers": the same, with its CRC-32C behind it.
fn trailed(trailer: &str) -> (Chunks, Vec<u8>) {
    let signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    let chunks = chain("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    let announced = vec!["x-amz-checksum-crc32c".to_owned()];
    (Chunks::new(66_560, Some(chunks), announced), [&chunked(signatures), trailer.as_bytes()].concat())
}

/// A content, and what is behind it.
type Read = Result<(Vec<u8>, Vec<(String, String)>), ChunkError>;

/// Reads a body in pieces.
fn read(mut chunks: Chunks, body: &[u8], piece: usize) -> Read {
    let mut content = Vec::new();
    for piece in body.chunks(piece.max(1)) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(bytes) = chunks.next(&mut input)? {
            content.extend_from_slice(&bytes);
        }
        assert!(input.is_empty());
    }
    Ok((content, chunks.finish()?))
}

#[test]
fn the_signed_chunks_of_the_documentation_are_read_however_they_come() {
    for piece in [1, 7, 65_536, 1 << 20] {
        let (chunks, body) = signed();
        assert_eq!(read(chunks, &body, piece), Ok((vec![b'a'; 66_560], Vec::new())), "{piece}");
    }
}

#[test]
fn each_chunk_is_judged_by_its_signature() {
    let (_, body) = signed();
    // A byte of the first content, one of the second, one of each signature.
    for place in [100, 65_700, 30, 65_660, body.len() - 10] {
        let (chunks, mut body) = signed();
        body[place] ^= 1;
        assert_eq!(read(chunks, &body, 4_096), Err(ChunkError::Signature), "{place}");
    }
    // Without its second chunk, as if less had been announced.
    let (_, body) = signed();
    let short = [&body[..65_626], &body[body.len() - 86..]].concat();
    let seed = chain("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    assert_eq!(read(Chunks::new(65_536, Some(seed), Vec::new()), &short, 4_096), Err(ChunkError::Signature));
}

#[test]
fn the_signed_trailer_of_the_documentation_is_read_in_both_of_its_forms() {
    let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
    let field = "x-amz-checksum-crc32c:sOO8/Q==";
    let expected = vec![("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())];
    for trailer in [
        format!("{field}\r\nx-amz-trailer-signature:{signature}\r\n\r\n"),
        format!("{field}\n\r\nx-amz-trailer-signature:{signature}\r\n\r\n"),
    ] {
        let (chunks, body) = trailed(&trailer);
        assert_eq!(read(chunks, &body, 1_000), Ok((vec![b'a'; 66_560], expected.clone())));
    }
    for (trailer, error) in [
        (
            format!("x-amz-checksum-crc32c:AAAAAA==\r\nx-amz-trailer-signature:{signature}\r\n\r\n"),
            ChunkError::Signature,
        ),
        (format!("x-amz-trailer-signature:{signature}\r\n\r\n"), ChunkError::Signature),
        (
            format!("x-amz-meta-more:1\r\n{field}\r\nx-amz-trailer-signature:{signature}\r\n\r\n"),
            ChunkError::Trailer,
        ),
        (format!("{field}\r\n{field}\r\n\r\n"), ChunkError::Trailer),
        (format!("{field}\r\n\r\n"), ChunkError::Incomplete),
        (
            format!("{field}\r\nx-amz-trailer-signature:{signature}\r\nx-amz-more:1\r\n\r\n"),
            ChunkError::Trailer,
        ),
    ] {
        let (chunks, body) = trailed(&trailer);
        assert_eq!(read(chunks, &body, 1_000), Err(error), "{trailer}");
    }
}

fn unsigned(length: u64, announced: &[&str]) -> Chunks {
    Chunks::new(length, None, announced.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn chunks_that_are_not_signed_have_their_bounds() {
    let crc = ["x-amz-checksum-crc32"];
    let good = b"3\r\nabc\r\n0\r\nX-Amz-Checksum-Crc32: NSRBwg==\r\n\r\n";
    let trailers = vec![("x-amz-checksum-crc32".to_owned(), "NSRBwg==".to_owned())];
    assert_eq!(read(unsigned(3, &crc), good, 1), Ok((b"abc".to_vec(), trailers)));
    assert_eq!(read(unsigned(0, &[]), b"0\r\n\r\n", 9), Ok((Vec::new(), Vec::new())));
    let long = format!("{}\r\n", "0".repeat(LONGEST_LINE + 1));
    let many: String = (0..9).map(|number| format!("x-{number}:v\r\n")).collect();
    for (length, body, error) in [
        (4, "3\r\nabc\r\n0\r\n\r\n", ChunkError::Incomplete),
        (2, "3\r\nabc\r\n0\r\n\r\n", ChunkError::Incomplete),
        (3, "3\r\nab", ChunkError::Incomplete),
        (3, "3\r\nabc\r\n0\r\n", ChunkError::Incomplete),
        (3, "3\r\nabc\r\n0\r\n\r\n!", ChunkError::Malformed),
        (3, "3\r\nabcd\r\n", ChunkError::Malformed),
        (3, "3\nabc\r\n0\r\n\r\n", ChunkError::Malformed),
        (3, "+3\r\nabc\r\n", ChunkError::Malformed),
        (3, "\r\n", ChunkError::Malformed),
        (3, "00000000000000003\r\nabc\r\n", ChunkError::Malformed),
        (u64::MAX, &long, ChunkError::Malformed),
        (3, "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", ChunkError::TooShort),
        (0, "0\r\nx-amz-checksum-crc32:a\r\n\r\n", ChunkError::Trailer),
        (0, "0\r\nno field\r\n\r\n", ChunkError::Trailer),
        (0, &format!("0\r\n{many}\r\n"), ChunkError::Trailer),
    ] {
        assert_eq!(read(unsigned(length, &[]), body.as_bytes(), 5), Err(error), "{body:?}");
    }
    assert_eq!(read(unsigned(0, &crc), b"0\r\n\r\n", 9), Err(ChunkError::Trailer));
}

proptest! {
    #[test]
    fn no_bytes_do_harm_and_no_more_content_comes_than_was_announced(
        body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"0123\r\n;:ax".to_vec())], 0..200),
        length in 0u64..40,
        piece in 1usize..20,
    ) {
        if let Ok((content, _)) = read(unsigned(length, &["x"]), &body, piece) {
            prop_assert_eq!(content.len() as u64, length);
        }
    }
}
