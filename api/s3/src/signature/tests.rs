//! The example of the documentation, and URLs that are signed here.

use http::Request;

use super::*;

/// The example that Amazon's documentation gives of a signed URL, with its secret.
const URL: &str = "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
    &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fn verified(uri: &str, field: Option<(&str, &str)>, secret: &str, now: &str) -> Result<Payload, Fault> {
    let mut request = Request::get(uri).header("host", "examplebucket.s3.amazonaws.com");
    if let Some((name, value)) = field {
        request = request.header(name, value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let path = Asked::of(&parts).unwrap();
    Signed::of(&path)?.verify(&path, secret, now.parse().unwrap())
}

#[test]
fn the_url_of_the_documentation_is_good_for_its_day_and_for_its_secret() {
    let good = verified(URL, None, SECRET, "2013-05-24T12:00:00Z");
    assert!(matches!(good.unwrap(), Payload::Unsigned));
    assert!(verified(URL, None, "another", "2013-05-24T12:00:00Z").is_err());
    assert!(verified(URL, None, SECRET, "2013-05-25T00:00:01Z").is_err());
}

#[test]
fn times_are_read_as_they_are_written() {
    assert_eq!(seconds("20130524T000000Z"), Some(1_369_353_600));
    for bad in
        ["20130524T000000", "2013-05-24T0000Z", "20131324T000000Z", "2013052AT000000Z", "å013052400000Z"]
    {
        assert_eq!(seconds(bad), None, "{bad}");
    }
}

/// A URL that is signed here, to see what does not hold of it.
fn url(time: &str, expires: u64) -> String {
    let unsigned = format!(
        "/bucket/a%20b?X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=key%2F{}%2Fauto%2Fs3%2Faws4_request\
         &X-Amz-Date={time}&X-Amz-Expires={expires}&X-Amz-SignedHeaders=host",
        &time[..8]
    );
    let (parts, ()) = Request::get(format!("{unsigned}&X-Amz-Signature=0"))
        .header("host", "examplebucket.s3.amazonaws.com")
        .body(())
        .unwrap()
        .into_parts();
    let asked = Asked::of(&parts).unwrap();
    let signature = Signed::of(&asked).unwrap();
    let hash = hex(digest::digest(&digest::SHA256, signature.canonical(&asked).as_bytes()).as_ref());
    let text = format!("{ALGORITHM}\n{time}\n{}\n{hash}", signature.scope);
    let parts = [&time[..8], "auto", "s3", "aws4_request", &text];
    let key = parts.iter().fold(format!("AWS4{SECRET}").into_bytes(), |key, part| {
        signed(&key, part.as_bytes()).as_ref().to_vec()
    });
    format!("{unsigned}&X-Amz-Signature={}", hex(&key))
}

#[test]
fn a_url_is_good_until_it_expires_and_as_it_was_signed() {
    let now = "2026-01-02T03:04:05Z";
    let good = url("20260102T030000Z", 300);
    assert!(matches!(verified(&good, None, SECRET, now).unwrap(), Payload::Unsigned));
    let refused =
        |uri: &str, field, secret, now| format!("{:?}", verified(uri, field, secret, now).unwrap_err());
    assert!(refused(&good, None, "another", now).contains("SignatureDoesNotMatch"));
    assert!(refused(&good.replace("a%20b", "c"), None, SECRET, now).contains("SignatureDoesNotMatch"));
    assert!(
        refused(&good.replace("Expires=300", "Expires=900"), None, SECRET, now)
            .contains("SignatureDoesNotMatch")
    );
    assert!(refused(&good, None, SECRET, "2026-01-02T03:05:01Z").contains("is over"));
    assert!(refused(&good, Some(("x-amz-copy-source", "/a/b")), SECRET, now).contains("not signed"));
    assert!(refused(&url("20260102T032000Z", 300), None, SECRET, now).contains("RequestTimeTooSkewed"));
    assert!(refused(&good.replace("300", "604801"), None, SECRET, now).contains("X-Amz-Expires"));
    assert!(refused("/bucket/k", None, SECRET, now).contains("no signature"));
}
