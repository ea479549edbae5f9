//! How much memory the host holds for a guest: what lies behind its handles, estimated from above.
//!
//! A guest can make the host keep header fields, body chunks and table entries that its own memory never
//! shows. They are counted by looking at the resource table, whenever a running guest is looked at anyway and
//! before it gets more memory. The head of its request, which the table does not show, is counted once.

use std::any::Any;

use wasmtime::component::ResourceTable;
use wasmtime_wasi_http::FieldMap;
use wasmtime_wasi_http::p2::types::{HostIncomingResponse, HostOutgoingRequest, HostOutgoingResponse};

use crate::bindings::future::{FromScript, FromUrl};
use crate::limits::arriving::{BODY_CHUNK_BYTES, BODY_CHUNKS};

/// Room for the header fields of one message, counted as they lie in memory.
pub(crate) const HEADER_BYTES: usize = 128 << 10;

/// A table entry: a box, its place in the table, its links to others.
const ENTRY_BYTES: u64 = 256;
/// A body that was lent to the guest and can be taken back: its cell, and the place where the host finds it.
const LENT_BYTES: u64 = 256;
/// A header field beside the bytes of its name and value.
const FIELD_BYTES: u64 = 128;
/// Maps with more fields than this are counted as full, because to look at each field would take too long.
const COUNTED_FIELDS: usize = 16;

/// Bytes behind the handles in the table. Stops counting above `enough`.
pub(crate) fn held(table: &mut ResourceTable, enough: u64) -> u64 {
    let mut bytes = 0u64;
    for entry in table.iter_mut() {
        bytes = bytes.saturating_add(ENTRY_BYTES).saturating_add(behind(entry));
        if bytes > enough {
            break;
        }
    }
    bytes
}

fn behind(entry: &(dyn Any + Send)) -> u64 {
    let queue = |open: bool| if open { ((BODY_CHUNKS + 1) * BODY_CHUNK_BYTES) as u64 } else { 0 };
    if let Some(map) = entry.downcast_ref::<FieldMap>() {
        fields(map)
    } else if let Some(response) = entry.downcast_ref::<HostOutgoingResponse>() {
        fields(&response.headers).saturating_add(queue(response.body.is_some()))
    } else if let Some(request) = entry.downcast_ref::<HostOutgoingRequest>() {
        let target = request.path_with_query.as_ref().map_or(0, String::len)
            + request.authority.as_ref().map_or(0, String::len);
        fields(&request.headers).saturating_add(queue(request.body.is_some())).saturating_add(target as u64)
    } else if let Some(response) = entry.downcast_ref::<HostIncomingResponse>() {
        fields(&response.headers).saturating_add(if response.body.is_some() { LENT_BYTES } else { 0 })
    } else if let Some(response) = entry.downcast_ref::<FromScript>() {
        response.held()
    } else if let Some(response) = entry.downcast_ref::<FromUrl>() {
        response.held()
    } else {
        0
    }
}

/// Bytes of the request's head, which the invocation is charged with from its beginning to its end.
pub(crate) fn head(uri: &http::Uri, headers: &http::HeaderMap) -> u64 {
    let target = uri.path_and_query().map_or(0, |path| path.as_str().len());
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    each(headers).saturating_add((target + authority) as u64)
}

fn fields(map: &FieldMap) -> u64 {
    if map.len() > COUNTED_FIELDS {
        return HEADER_BYTES as u64;
    }
    each(map)
}

fn each(map: &http::HeaderMap) -> u64 {
    map.iter().map(|(name, value)| FIELD_BYTES + (name.as_str().len() + value.len()) as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: usize, bytes: usize) -> FieldMap {
        let mut headers = http::HeaderMap::new();
        for n in 0..fields {
            let name: http::HeaderName = format!("x-{n}").parse().unwrap();
            headers.insert(name, "v".repeat(bytes).parse().unwrap());
        }
        FieldMap::new_immutable(&mut NoHooks, headers)
    }

    struct NoHooks;
    impl wasmtime_wasi_http::WasiHttpHooks for NoHooks {
        fn send_request(
            &mut self,
            _: http::Request<wasmtime_wasi_http::WasiBody>,
            _: Option<wasmtime_wasi_http::RequestOptions>,
            _: Box<dyn Future<Output = Result<(), crate::BodyError>> + Send>,
        ) -> crate::guest::http::Sending {
            unreachable!("nothing is sent")
        }
    }

    #[test]
    fn header_fields_count_with_what_is_around_them() {
        let mut table = ResourceTable::new();
        assert_eq!(held(&mut table, u64::MAX), 0);
        table.push(map(2, 100)).unwrap();
        assert_eq!(held(&mut table, u64::MAX), ENTRY_BYTES + 2 * (FIELD_BYTES + 3 + 100));
        table.push(map(COUNTED_FIELDS + 1, 1)).unwrap();
        assert!(held(&mut table, u64::MAX) > HEADER_BYTES as u64);
    }

    #[test]
    fn the_head_of_a_request_counts_as_what_it_is() {
        let request = http::Request::get("http://a.test/path?q").header("x", "yz").body(()).unwrap();
        assert_eq!(head(request.uri(), request.headers()), 6 + 7 + FIELD_BYTES + 3);
    }

    #[test]
    fn entries_count_whatever_they_are_and_counting_stops_at_enough() {
        let mut table = ResourceTable::new();
        for n in 0..100u32 {
            table.push(n).unwrap();
        }
        assert_eq!(held(&mut table, u64::MAX), 100 * ENTRY_BYTES);
        assert_eq!(held(&mut table, 1_000), 4 * ENTRY_BYTES);
    }
}
