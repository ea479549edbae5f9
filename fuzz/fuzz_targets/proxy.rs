//! Any bytes as the beginning of a connection from a proxy, and as the fields that a proxy writes: no panic, no header
//! longer than its bytes, and no client beyond the nearest one that is no proxy.
#![no_main]

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use wasmyard_listener::proxy_protocol::{self, Parsed};
use wasmyard_listener::{Client, ForwardedField, Proxies};

fuzz_target!(|bytes: &[u8]| {
    match proxy_protocol::parse(bytes) {
        Parsed::Header(header) => {
            assert!(header.length <= bytes.len() && header.length <= proxy_protocol::MOST);
            // What follows is not looked at.
            assert_eq!(proxy_protocol::parse(&bytes[..header.length]), Parsed::Header(header));
        }
        Parsed::Incomplete => assert!(bytes.len() < proxy_protocol::MOST),
        Parsed::Invalid => {}
    }
    let peer = Client::at([127, 0, 0, 1].into(), false);
    let nearest = [bytes, b", 203.0.113.7"].concat();
    let Ok(value) = HeaderValue::from_bytes(&nearest) else { return };
    for (field, name) in
        [(ForwardedField::XForwardedFor, "x-forwarded-for"), (ForwardedField::Forwarded, "forwarded")]
    {
        let proxies = Proxies { trusted: vec!["127.0.0.0/8".parse().expect("a network")], field };
        let headers = HeaderMap::from_iter([(name.parse().expect("a name"), value.clone())]);
        let client = proxies.client(&headers, peer.clone());
        if field == ForwardedField::XForwardedFor {
            assert_eq!(client.address.to_string(), "203.0.113.7");
        }
    }
});
