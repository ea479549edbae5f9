//! A record of a certificate as it lies on the disk, and a chain and a key as somebody brings them: whatever the bytes
//! are, reading ends, and what is read is what was written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasmyard_hostnames::certificates::{Pair, Record};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(record) = Record::parse(bytes) {
        assert_eq!(record.to_bytes().as_deref(), Some(bytes));
    }
    let half = bytes.len() / 2;
    let _refused = Pair::from_pem(&bytes[..half], &bytes[half..]);
    let pem = [b"-----BEGIN PRIVATE KEY-----\nbm8=\n-----END PRIVATE KEY-----\n", bytes].concat();
    let _refused = Pair::from_pem(bytes, &pem);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(name) = wasmyard_hostnames::ServedName::parse(text) {
        let again = wasmyard_hostnames::ServedName::parse(name.as_str());
        assert_eq!(again.as_ref(), Ok(&name), "a name has one spelling");
    }
});
