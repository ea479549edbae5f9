//! Any bytes as the body of a form: they are parsed or refused, and no part holds what the body does not.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wasmyard_api::multipart;

const PARTS: usize = 16;

fuzz_target!(|data: &[u8]| {
    let body = Bytes::copy_from_slice(data);
    if let Ok(parts) = multipart::parse(&body, "b", PARTS) {
        assert!(parts.len() <= PARTS);
        for part in &parts {
            assert!(part.content.len() <= body.len());
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(Ok(boundary)) = multipart::boundary(text)
    {
        assert!((1..=70).contains(&boundary.len()));
    }
});
