"""Signs requests of the S3 protocol with the standard library alone: `presign.py METHOD URL KEY SECRET TIME EXPIRES` prints a
URL that is signed; `presign.py METHOD URL KEY SECRET TIME header SHA256 [NAME:VALUE]...` prints the fields to send; and
`presign.py METHOD URL KEY SECRET TIME chunked CONTENT [TRAILER:VALUE]` those of a body in chunks that are signed, with the body."""

import hashlib
import hmac
import sys
from urllib.parse import parse_qsl, quote, urlsplit

method, url, key, secret, time, how, *rest = sys.argv[1:]
parts = urlsplit(url)
day, region = time[:8], "auto"
scope = f"{day}/{region}/s3/aws4_request"


def mac(secret_key, text):
    return hmac.new(secret_key, text.encode(), hashlib.sha256).digest()


def signature(query, fields, payload):
    names = ";".join(sorted(fields))
    lines = "".join(f"{name}:{fields[name]}\n" for name in sorted(fields))
    pairs = "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query))
    canonical = "\n".join([method, parts.path, pairs, lines, names, payload])
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    signing = ("AWS4" + secret).encode()
    for part in [day, region, "s3", "aws4_request"]:
        signing = mac(signing, part)
    return hmac.new(signing, text.encode(), hashlib.sha256).hexdigest(), names, signing


def chunks(content, trailer, seed, signing):
    """A body in chunks of 8 KiB, and behind them a field if there is one."""

    def signed(kind, *parts):
        nonlocal seed
        text = "\n".join([f"AWS4-HMAC-SHA256-{kind}", time, scope, seed, *(hashlib.sha256(part).hexdigest() for part in parts)])
        seed = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
        return seed

    body = b""
    for at in [*range(0, len(content), 8192), len(content)]:
        chunk = content[at : at + 8192]
        body += f"{len(chunk):x};chunk-signature={signed('PAYLOAD', b'', chunk)}\r\n".encode() + chunk
        body += b"\r\n" if chunk else b""
    if trailer:
        body += f"{trailer}\r\nx-amz-trailer-signature:{signed('TRAILER', trailer.encode() + bytes([10]))}\r\n".encode()
    return body + b"\r\n"


query = parse_qsl(parts.query, keep_blank_values=True)
if how in ["header", "chunked"]:
    payload, *more = rest
    if how == "chunked":
        content, trailer = payload.encode(), "".join(more)
        payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else "")
        more = ["content-encoding:aws-chunked", f"x-amz-decoded-content-length:{len(content)}"]
        more += [f"x-amz-trailer:{trailer.split(':')[0]}"] if trailer else []
    fields = dict(field.split(":", 1) for field in more)
    fields |= {"host": parts.netloc, "x-amz-date": time, "x-amz-content-sha256": payload}
    made, names, signing = signature(query, fields, payload)
    print(f"x-amz-date:{time}")
    print(f"x-amz-content-sha256:{payload}")
    for field in more:
        print(field)
    print(f"authorization:AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={made}")
    if how == "chunked":
        print(chunks(content, trailer, made, signing).decode(), end="")
else:
    query += [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", f"{key}/{scope}"), ("X-Amz-Date", time),
        ("X-Amz-Expires", how), ("X-Amz-SignedHeaders", "host"),
    ]
    made, _, _ = signature(query, {"host": parts.netloc}, "UNSIGNED-PAYLOAD")
    print(url.split("?")[0] + "?" + "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in query) + f"&X-Amz-Signature={made}")
