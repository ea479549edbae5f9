//! The grammar of forms, as a parser that strangers can reach.

use bytes::Bytes;
use proptest::prelude::*;
use wasmyard_api::multipart::{MultipartError, Part, boundary, parse};

fn parsed(body: &str) -> Result<Vec<Part>, MultipartError> {
    parse(&Bytes::copy_from_slice(body.as_bytes()), "b", 8)
}

fn one(headers: &str) -> Part {
    parsed(&format!("--b\r\n{headers}\r\n\r\nx\r\n--b--")).unwrap().remove(0)
}

#[test]
fn a_boundary_is_found_in_the_ways_that_clients_write_it() {
    for (header, found) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;boundary=\"a b:c\"", "a b:c"),
        ("multipart/form-data; charset=utf-8; BOUNDARY=----x", "----x"),
    ] {
        assert_eq!(boundary(header), Some(Ok(found.to_owned())), "{header}");
    }
    for header in
        ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\u{e4}\""]
    {
        assert_eq!(boundary(header), Some(Err(MultipartError::Boundary)), "{header}");
    }
    assert_eq!(
        boundary(&format!("multipart/form-data; boundary={}", "a".repeat(71))),
        Some(Err(MultipartError::Boundary))
    );
    for header in ["application/json", "", "multipart/mixed; boundary=a"] {
        assert_eq!(boundary(header), None, "{header}");
    }
}

#[test]
fn names_are_read_quoted_unquoted_and_escaped() {
    for (headers, name, filename) in [
        ("Content-Disposition: form-data; name=\"m\"", "m", None),
        ("content-disposition: form-data; name=m; filename=f.wasm", "m", Some("f.wasm")),
        ("Content-Disposition: form-data; filename=\"f\"; name=\"m\"", "m", Some("f")),
        (r#"Content-Disposition: form-data; name="a\"b\\c""#, r#"a"b\c"#, None),
        (r#"Content-Disposition: form-data; name="C:\dir\f""#, r"C:\dir\f", None),
        ("Content-Disposition: form-data; name=\"a%22b%41\"", "a\"b%41", None),
        ("Content-Disposition: form-data; name=\"a;name=b\"; x=y", "a;name=b", None),
        ("X-Other: 1", "", None),
    ] {
        let part = one(headers);
        assert_eq!((part.name.as_str(), part.filename.as_deref()), (name, filename), "{headers}");
    }
}

#[test]
fn preamble_epilogue_padding_and_empty_parts_are_read() {
    let parts = parsed(
        "before\r\n--b \t\r\n\r\n\r\n--b\r\nContent-Type: Text/Plain; charset=x\r\n\r\n--b\r\n\r\n--b--after",
    )
    .unwrap();
    assert_eq!(parts.len(), 2);
    assert!(parts[0].content.is_empty());
    assert_eq!(parts[1].content_type.as_deref(), Some("text/plain"));
    assert_eq!(parts[1].content, "--b\r\n");
    assert_eq!(parsed("--b--").unwrap(), []);
}

#[test]
fn what_is_not_a_form_is_named() {
    assert_eq!(parsed(""), Err(MultipartError::NoStart));
    assert_eq!(parsed("hello"), Err(MultipartError::NoStart));
    assert_eq!(parsed("--b"), Err(MultipartError::Truncated));
    assert_eq!(parsed("--b\r\n"), Err(MultipartError::Truncated));
    assert_eq!(parsed("--b\r\nA: b\r\n\r\ncontent"), Err(MultipartError::Truncated));
    assert_eq!(parsed("--b\r\nA: b\r\n\r\ncontent\r\n--b"), Err(MultipartError::Truncated));
    assert_eq!(parsed("--b\r\n\r\n\r\n--b\r\n").unwrap_err(), MultipartError::Truncated);
    assert!(matches!(parsed("--bx\r\n\r\n\r\n--b--"), Err(MultipartError::Headers(1, _))));
    assert!(matches!(parsed("--b\r\nno colon\r\n\r\n\r\n--b--"), Err(MultipartError::Headers(1, _))));
    assert!(matches!(
        parsed("--b\r\nContent-Transfer-Encoding: base64\r\n\r\n\r\n--b--"),
        Err(MultipartError::Headers(1, _))
    ));
    let long = format!("--b\r\nA: {}\r\n\r\n\r\n--b--", "x".repeat(9000));
    assert_eq!(parsed(&long), Err(MultipartError::Headers(1, "they are longer than 8 KiB")));
    let many = format!("{}--b--", "--b\r\n\r\nx\r\n".repeat(9));
    assert_eq!(parsed(&many), Err(MultipartError::TooManyParts(8)));
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in proptest::collection::vec(prop_oneof![
        Just(b"--b".to_vec()), Just(b"\r\n".to_vec()), Just(b"\r\n\r\n".to_vec()), Just(b"--".to_vec()),
        Just(b"Content-Disposition: form-data; name=\"".to_vec()), Just(b"\\\"".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..8),
    ], 0..24)) {
        let body = Bytes::from(body.concat());
        if let Ok(parts) = parse(&body, "b", 8) {
            prop_assert!(parts.len() <= 8);
            prop_assert!(parts.iter().map(|part| part.content.len()).sum::<usize>() <= body.len());
        }
    }

    #[test]
    fn what_was_written_is_read(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..8)) {
        let mut body = Vec::new();
        for (index, content) in contents.iter().enumerate() {
            body.extend_from_slice(format!("--a-boundary-that-is-rare\r\nContent-Disposition: form-data; name=\"p{index}\"\r\n\r\n").as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--a-boundary-that-is-rare--\r\n");
        let parts = parse(&Bytes::from(body), "a-boundary-that-is-rare", 8).unwrap();
        prop_assert_eq!(parts.len(), contents.len());
        for (index, (part, content)) in parts.iter().zip(&contents).enumerate() {
            prop_assert_eq!(&part.name, &format!("p{index}"));
            prop_assert_eq!(&part.content[..], &content[..]);
        }
    }
}
