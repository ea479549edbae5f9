//! The body of a put in chunks, as clients of the S3 protocol send it, cut in pieces: whatever the bytes are, reading ends, no more
//! comes than was announced, and how it was cut changes nothing.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wasmyard_s3::chunked::{Chain, ChunkError, Chunks};

type Read = Result<(Vec<u8>, Vec<(String, String)>), ChunkError>;

fn read(mut chunks: Chunks, body: &[u8], piece: usize) -> Read {
    let mut content = Vec::new();
    for piece in body.chunks(piece) {
        let mut input = Bytes::copy_from_slice(piece);
        while let Some(bytes) = chunks.next(&mut input)? {
            content.extend_from_slice(&bytes);
        }
    }
    Ok((content, chunks.finish()?))
}

fuzz_target!(|input: (u16, bool, u8, &[u8])| {
    let (length, is_signed, piece, body) = input;
    let chunks = || {
        let chain = is_signed.then(|| Chain::new(b"key", "20130524T000000Z", "scope", "seed"));
        Chunks::new(u64::from(length), chain, vec!["x-amz-checksum-crc32".to_owned()])
    };
    let whole = read(chunks(), body, body.len().max(1));
    if let Ok((content, trailers)) = &whole {
        assert_eq!(content.len(), usize::from(length));
        assert_eq!(trailers.len(), 1);
    }
    assert_eq!(read(chunks(), body, usize::from(piece).max(1)), whole);
});
